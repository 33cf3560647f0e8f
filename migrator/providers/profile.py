"""What is known of a provider before it is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """A provider's habits."""

    name: str = ""
    modest: bool = False
    """Whether its servers break connections in which several commands are on their way (quirks.md, 14)."""
    prefers_login: bool = False
    """Whether LOGIN is accepted where AUTHENTICATE PLAIN is refused as if the password were wrong."""
    introduces: bool = False
    """Whether ID is to be said although it is not announced (quirks.md, 30)."""
    no_mail: frozenset[str] = frozenset()
    """Folders at the top that are listed and hold no mail, in lower case (quirks.md, 9)."""
    per_mailbox: int | None = None
    """So many connections to one mailbox are borne; others are refused, or locked out for a while."""


UNKNOWN = Profile()
"""Everybody else: tried as the standards allow, and modestly where that breaks (`sessions.imap.window`)."""
MICROSOFT = Profile(
    "Microsoft 365",
    modest=True,
    no_mail=frozenset({
        "aufgaben", "calendar", "contacts", "journal", "kalender", "kontakte", "notes", "notizen", "suggested contacts",
        "tasks", "vorgeschlagene kontakte",
    }),
    per_mailbox=4,
)  # fmt: skip
"""About 50 commands on their way broke connections; about 20 connections per user, those of the customer's own
programs among them (quirks.md, 14; field.md, 5)."""
GMAIL = Profile("Gmail", per_mailbox=1)
"""15 connections per account, and a budget of octets a day that further ones only use up sooner (quirks.md, 19)."""
ICLOUD = Profile("iCloud", prefers_login=True)
"""PLAIN was refused with `[AUTHENTICATIONFAILED]` where LOGIN was taken (field.md, 5)."""
NETEASE = Profile("NetEase", introduces=True)

CATALOGUE: dict[str, Profile] = {
    "126.com": NETEASE,
    "163.com": NETEASE,
    "188.com": NETEASE,
    "yeah.net": NETEASE,
    "gmail.com": GMAIL,
    "googlemail.com": GMAIL,
    "icloud.com": ICLOUD,
    "me.com": ICLOUD,
    "hotmail.com": MICROSOFT,
    "office365.com": MICROSOFT,
    "outlook.com": MICROSOFT,
}
"""By domain of the mail server, with all below it."""


def profile_of(host: str) -> Profile:
    """The profile of whoever runs this server."""
    labels = host.lower().rstrip(".").split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels)))
    return next((CATALOGUE[domain] for domain in domains if domain in CATALOGUE), UNKNOWN)
