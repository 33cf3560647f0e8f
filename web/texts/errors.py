"""What an error means for people: what happened, what it means for the mail, what helps. One entry per code.

`%(host)s` is the server that is meant; where the end is not known, it stands for both. The technical text of the other
side stands folded below the card and is never translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from web.babel import LazyString, gettext
from web.babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class ErrorText:
    """A card's texts. `helps` are the buttons, the best first: again, renew (a new job with other details), password,
    recreated (replay or keep)."""

    title: LazyString
    body: LazyString
    safe: LazyString
    helps: tuple[str, ...] = ("again",)
    meaning: str = "needs"


NOTHING_SENT: Final = _("No password was sent. The mail lies unchanged on the old server.")
NOTHING_LOST: Final = _("Nothing is lost: what was carried stays, and the rest continues from there.")
UNTOUCHED: Final = _("Nothing was changed on either server.")

TEXTS: Final[Mapping[str, ErrorText]] = {
    "error": ErrorText(
        _("Something went wrong"),
        _("The technical details show what the other side answered."),
        NOTHING_LOST,
    ),
    "usage": ErrorText(
        _("An entry does not fit"),
        _("Something in this job's settings cannot be carried out. Create a new job with other details."),
        UNTOUCHED,
        helps=("renew",),
    ),
    "connect_failed": ErrorText(
        _("No connection to %(host)s"),
        _("The server cannot be reached. Check host and port, and whether a firewall stands in the way."),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "host_unknown": ErrorText(
        _("There is no server called %(host)s"),
        _("The name is unknown in the DNS. Check its spelling; providers often call it imap. or mail. and the domain."),
        NOTHING_SENT,
        helps=("renew", "again"),
        meaning="failed",
    ),
    "host_forbidden": ErrorText(
        _("%(host)s is not on the public internet"),
        _(
            "Only public addresses and the usual mail ports may be reached. An operator can allow a network with "
            "POSTWAGEN_ALLOWED_NETWORKS."
        ),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "connect_refused": ErrorText(
        _("%(host)s accepts no connection"),
        _("The server is there, but nothing answers at this port. Check the port, or wait until the service is back."),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "connect_timeout": ErrorText(
        _("%(host)s does not answer"),
        _("No answer came in time. The server is down, or a firewall drops the connection."),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "wrong_protocol": ErrorText(
        _("%(host)s does not speak IMAP at this port"),
        _("Something else answers there. IMAP with TLS is port 993, IMAP with STARTTLS is port 143."),
        NOTHING_SENT,
        helps=("renew", "again"),
    ),
    "tls_refused": ErrorText(
        _("No secure connection to %(host)s"),
        _("Without a valid certificate nobody knows whether this is the right server."),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "tls_expired": ErrorText(
        _("The certificate of %(host)s is not valid at this time"),
        _(
            "It has expired or is not valid yet. Have it renewed, or compare its fingerprint with the one that the "
            "provider names and enter that one."
        ),
        NOTHING_SENT,
        helps=("again", "renew"),
    ),
    "tls_untrusted": ErrorText(
        _("The certificate of %(host)s is not trusted"),
        _(
            "No known authority has signed it. Compare its fingerprint with the one that the provider names and enter "
            "that one, or the provider's own authority."
        ),
        NOTHING_SENT,
        helps=("renew", "again"),
    ),
    "tls_wrong_host": ErrorText(
        _("The certificate of %(host)s is made for another name"),
        _("Often the provider's own host name fits; its help pages name it. Enter that name."),
        NOTHING_SENT,
        helps=("renew", "again"),
    ),
    "tls_wrong_pin": ErrorText(
        _("%(host)s shows another certificate than the one agreed"),
        _(
            "The fingerprint does not match. Perhaps the certificate was renewed; ask the provider before you enter a "
            "new fingerprint."
        ),
        NOTHING_SENT,
        helps=("renew", "again"),
        meaning="failed",
    ),
    "tls_too_old": ErrorText(
        _("%(host)s only offers outdated encryption"),
        _("We ask for TLS 1.2 or newer. The provider has to renew the server, or names another one."),
        NOTHING_SENT,
        helps=("renew", "again"),
    ),
    "starttls_missing": ErrorText(
        _("%(host)s offers no encryption at this port"),
        _("Use port 993 with TLS. Clear text is possible only if you choose it by name."),
        NOTHING_SENT,
        helps=("renew", "again"),
    ),
    "login_refused": ErrorText(
        _("%(host)s does not accept user name and password"),
        _(
            "Many providers want the whole address as user name, an app password, or IMAP switched on in the mailbox's "
            "settings."
        ),
        NOTHING_LOST,
        helps=("password", "renew"),
    ),
    "connection_lost": ErrorText(
        _("The connection to %(host)s broke off"),
        _("The network, or one of the servers, dropped it."),
        NOTHING_LOST,
        meaning="working",
    ),
    "server_busy": ErrorText(
        _("%(host)s asked us to wait"),
        _("The server limits how much may be fetched at a time."),
        NOTHING_LOST,
        meaning="working",
    ),
    "daily_limit": ErrorText(
        _("What %(host)s gives a day is used up"),
        _("The provider limits how much of an account may be fetched in 24 hours; your own programs need some of it."),
        NOTHING_LOST,
        meaning="working",
    ),
    "server_refused": ErrorText(
        _("%(host)s refused a command"),
        _("That is probably a limit or a fault of this server. Its answer stands in the technical details."),
        NOTHING_LOST,
        meaning="failed",
    ),
    "target_full": ErrorText(
        _("The new mailbox is full"),
        _("Raise the new mailbox's quota, then retry: what is there already is not copied again."),
        _("Nothing is lost: the mail lies unchanged on the old server."),
    ),
    "folder_refused": ErrorText(
        _("A folder cannot be opened or created"),
        _("The other folders were carried. Give the folder another name in a new job, or rename it on the old server."),
        NOTHING_LOST,
        helps=("renew", "again"),
    ),
    "nothing_kept": ErrorText(
        _("Nothing lies in quarantine"),
        _("What is not kept there is read from the old server: retry the job itself."),
        NOTHING_LOST,
        helps=("again",),
    ),
    "folder_renumbered": ErrorText(
        _("A folder is renumbered again and again"),
        _(
            "So no message in it can be known for certain. The other folders were carried. Retry the job later; if it "
            "stays so, ask the server's administrator why UIDVALIDITY changes."
        ),
        NOTHING_LOST,
        helps=("again",),
    ),
    "flags_refused": ErrorText(
        _("A folder on the new server takes no changes of marks"),
        _("The messages are there; marks like “read” that changed on the old server since could not be carried."),
        NOTHING_LOST,
        helps=("again",),
    ),
    "folder_recreated": ErrorText(
        _("A folder in the new mailbox was deleted and created again"),
        _(
            "We had carried mail into it. Replay puts the mail into the new folder once more; keep leaves the folder "
            "as it is now and only carries what is new."
        ),
        _("Nothing is lost: the mail lies unchanged on the old server."),
        helps=("recreated",),
    ),
    "ledger_busy": ErrorText(
        _("Another job works on this mailbox"),
        _("Two jobs at the same mailbox at the same time would carry mail twice."),
        NOTHING_LOST,
        meaning="working",
    ),
    "credentials_wiped": ErrorText(
        _("The passwords of this job were wiped"),
        _("Passwords are kept only for a limited time. Type them again, then the job continues."),
        NOTHING_LOST,
        helps=("password",),
    ),
    "cannot_unseal": ErrorText(
        _("The stored passwords cannot be opened any more"),
        _("They were sealed with another key. Type them again, then the job continues."),
        NOTHING_LOST,
        helps=("password",),
    ),
    "database_unavailable": ErrorText(
        _("Our own database cannot be reached or written"),
        _("The job tries again by itself. An operator should look after the database."),
        NOTHING_LOST,
    ),
    "disk_full": ErrorText(
        _("Our own disk is full"),
        _("An operator has to make room at this service; then try again."),
        NOTHING_LOST,
    ),
    "archive_damaged": ErrorText(
        _("A part of the archive is damaged"),
        _("The archive's check says which messages it costs; all others can be played in."),
        _("What lies on the old and on the new server is untouched."),
        meaning="failed",
    ),
    "archive_no_room": ErrorText(
        _("There is too little room for the archive"),
        _("The place for archives is full. An operator makes room there or raises its quota; then try again."),
        _("Nothing is lost: what was archived before is all there, and the mail lies unchanged on the old server."),
    ),
    "archive_destroyed": ErrorText(
        _("The archive is destroyed"),
        _(
            "Its key was destroyed, and nobody can read it any more. As long as the old server answers, another pass "
            "makes a new archive."
        ),
        _("What lies on the old and on the new server is untouched."),
        helps=("renew",),
        meaning="failed",
    ),
    "archive_busy": ErrorText(
        _("A job works with this archive at the moment"),
        _("Pause or cancel that job, or wait until it has ended."),
        _("Nothing was changed in the archive."),
        meaning="working",
    ),
    "archive_elsewhere": ErrorText(
        _("The archive lies on another storage node"),
        _(
            "This web server cannot read its file. Use the web server of that node, or have an operator make the "
            "directory of archives reachable here."
        ),
        _("The archive is whole and safe where it is."),
    ),
    "archive_unusable": ErrorText(
        _("The archive cannot be used"),
        _("It is not there, or its key is missing or another one. An operator has to look after it."),
        NOTHING_LOST,
    ),
    "stopped": ErrorText(
        _("The job was stopped"),
        _("It continues where it stopped as soon as you resume it."),
        NOTHING_LOST,
        meaning="idle",
    ),
    "fenced": ErrorText(
        _("Another worker has taken over"),
        _("The first worker was silent for too long."),
        NOTHING_LOST,
        meaning="working",
    ),
    "defect": ErrorText(
        _("This is a fault on our side"),
        _("Please report it with the technical details below. Retrying is safe: nothing is carried twice."),
        _("Nothing was deleted anywhere, and nothing is lost."),
        meaning="failed",
    ),
}


def error_text(code: str) -> ErrorText:
    """The texts for a code; one that is not known yet has those of any error."""
    return TEXTS.get(code, TEXTS["error"])


def shown_host(error: Mapping[str, Any], source: str, target: str) -> str:
    """The host that the error is about, or both; an archive has none."""
    both = " / ".join(host for host in (source, target) if host)
    return {"source": source, "target": target}.get(str(error.get("end", ""))) or both or gettext("the archive")
