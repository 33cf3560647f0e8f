"""What is known of a provider before it is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.providers.advice import ENGLISH, LoginAdvice


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
    login: LoginAdvice | None = None
    """Why it refuses right passwords, most likely."""
    octets_a_day: int | None = None
    """So much of one account is read in any 24 hours."""
    per_mailbox: int | None = None
    """So many connections to one mailbox are borne; others are refused, or locked out for a while."""
    folders: int | None = None
    """So many folders are borne in its smallest tariff, those that are there from the beginning among them."""
    levels: int | None = None
    """So many levels of folders are borne."""
    caps: tuple[int, ...] = (1_000,)
    """Numbers at which it stops showing a folder's older messages; a thousand is suspicious anywhere."""


UNKNOWN = Profile()
"""Everybody else: tried as the standards allow, and modestly where that breaks (`sessions.imap.window`)."""
MICROSOFT = Profile(
    "Microsoft 365",
    modest=True,
    no_mail=frozenset({
        "aufgaben", "calendar", "contacts", "journal", "kalender", "kontakte", "notes", "notizen", "suggested contacts",
        "tasks", "vorgeschlagene kontakte",
    }),
    login=LoginAdvice.MICROSOFT_OAUTH,
    per_mailbox=4,
)  # fmt: skip
"""About 50 commands on their way broke connections; about 20 connections per user, those of the customer's own
programs among them (quirks.md, 14; field.md, 5)."""
GMAIL = Profile(
    "Gmail",
    login=LoginAdvice.GOOGLE_APP_PASSWORD,
    octets_a_day=2_000_000_000,
    per_mailbox=1,
    caps=(1_000, 2_000, 5_000, 10_000),
)
"""15 connections per account, which further ones only use up sooner, and 2,500 MB a day: a fifth is left to the
customer's own programs (quirks.md, 19; field.md, 5). Whoever owns the account may cap folders for IMAP at these numbers
(quirks.md, 20; Gmail API, `ImapSettings`, maxFolderSize, as of 2025-03-24)."""
ICLOUD = Profile("iCloud", prefers_login=True, login=LoginAdvice.ICLOUD_APP_PASSWORD)
"""PLAIN was refused with `[AUTHENTICATIONFAILED]` where LOGIN was taken (field.md, 5)."""
NETEASE = Profile("NetEase", introduces=True)
GMX = Profile("GMX", login=LoginAdvice.GMX_SWITCH, folders=20, levels=3)
"""FreeMail; those in the trash count (quirks.md, 38: chatmail provider-db, checked 2017)."""
WEBDE = Profile("WEB.DE", login=LoginAdvice.WEBDE_SWITCH, folders=40)
"""FreeMail; as GMX (quirks.md, 38: chatmail provider-db, 2020). Levels: nothing found."""
TONLINE = Profile("T-Online", login=LoginAdvice.TONLINE_MAIL_PASSWORD, folders=30)
"""Mail S: 30 folders, 1,000 messages in each (telekomhilft.telekom.de 3718171, which has no date). It says three levels
too, all below the inbox; how IMAP shows them was not seen."""
YAHOO = Profile("Yahoo", login=LoginAdvice.YAHOO_APP_PASSWORD, caps=(1_000, 10_000, 100_000))
"""Shows the newest 10,000 of a folder (rustmailer/bichon #144, 2026-02, #271, 2026-05); export.imap.mail.yahoo.com, to
be named by hand, 100,000 (Yahoo help SLN28681; joeyates/imap-backup #218, 2024-11)."""
YANDEX = Profile("Yandex", login=LoginAdvice.YANDEX_SWITCH)
ZOHO = Profile("Zoho", login=LoginAdvice.ZOHO_SWITCH)
IONOS = Profile("IONOS", login=LoginAdvice.IONOS_RENAMED)

_DOMAINS = {
    "126.com 163.com 188.com yeah.net": NETEASE,
    "gmail.com googlemail.com": GMAIL,
    "icloud.com me.com": ICLOUD,
    "hotmail.com office365.com outlook.com": MICROSOFT,
    "gmx.at gmx.ch gmx.com gmx.de gmx.net": GMX,
    "web.de": WEBDE,
    "t-online.de": TONLINE,
    "aol.com yahoo.com": YAHOO,
    "yandex.com yandex.ru": YANDEX,
    "zoho.com zoho.eu zoho.in": ZOHO,
    "1und1.de ionos.co.uk ionos.com ionos.de ionos.fr": IONOS,
}
CATALOGUE = {domain: profile for domains, profile in _DOMAINS.items() for domain in domains.split()}
"""By domain of the mail server, with all below it."""


def profile_of(host: str) -> Profile:
    """The profile of whoever runs this server."""
    labels = host.lower().rstrip(".").split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels)))
    return next((CATALOGUE[domain] for domain in domains if domain in CATALOGUE), UNKNOWN)


def login_hint(host: str) -> str | None:
    """What to do about a refused login there; None: nothing is known of it."""
    advice = profile_of(host).login
    return ENGLISH[advice] if advice else None
