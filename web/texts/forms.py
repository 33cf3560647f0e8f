"""What is wrong with an entry, by the code that operations give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from web.babel import LazyString
from web.babel import lazy_gettext as _

PROBLEMS: Final[Mapping[str, LazyString]] = {
    "missing": _("Please fill this in."),
    "unknown": _("This is not known here."),
    "too_long": _("This is too long."),
    "invalid": _("This does not fit."),
    "forbidden": _("Only public addresses and mail ports may be reached; an operator can allow a network."),
    "not_found": _("There is no archive of this number."),
    "not_pop3": _("Only over POP3 can mail be deleted at the old server."),
    "closed": _("The transfer of this archive is closed: nothing comes by itself any more. Reopen it first."),
    "too_early": _("The archive is kept longer than that anyway. Choose a later day."),
    "other_account": _("This archive holds the mail of another account."),
    "archive_destroyed": _("This archive is destroyed: nobody can read it any more."),
    "archive_busy": _("A job works with this archive at the moment. Pause or cancel it, or wait until it has ended."),
    "only_copy": _("This archive may hold the only copy of its mail. Nothing was destroyed."),
    "source.missing": _("No pass has been ordered for this archive yet, so the old server is not known."),
    "keep.every_hours.invalid": _("A whole number from 1 to 744."),
    "keep.leave_days.invalid": _("A whole number from 0 to 3650."),
    "keep.leave_wish.missing": _("Write down who asked for it, and when: nothing is deleted without the wish."),
    "reason.missing": _("Say why: the reason stands in the proof of destruction."),
    "address_differs": _("This is not the address of this archive."),
    "until.invalid": _("This is no date."),
    "same_account": _("Both ends are the same mailbox."),
    "host.invalid": _("This is no host name. It looks like imap.example.org."),
    "port.invalid": _("A port is a whole number from 1 to 65535."),
    "address.invalid": _("This is no IP address."),
    "fingerprint.invalid": _("A fingerprint is sha256: and 64 hexadecimal digits."),
    "ca_pem.invalid": _("This is no certificate in PEM form. It begins with -----BEGIN CERTIFICATE-----."),
    "password.invalid": _("The password holds a line break or another control character."),
    "password.too_long": _("This password is too long."),
    "email_invalid": _("Please enter an address like name@example.org."),
    "email_taken": _("There is an account with this address already."),
    "password_too_short": _("Please take 12 characters or more. A few words are easy to remember."),
    "password_too_long": _("This password is too long."),
    "passwords_differ": _("The two passwords differ."),
    "link_unusable": _("This link was used already or has expired. Ask for a new one."),
}


def problem_text(path: str, code: str, message: str) -> str:
    """The sentence for a field and code, or for the code alone, else the message of the core."""
    known = PROBLEMS.get(f"{path}.{code}") or PROBLEMS.get(f"{path.rpartition('.')[2]}.{code}") or PROBLEMS.get(code)
    return str(known) if known is not None else message


FIELDS: Final[Mapping[str, LazyString]] = {
    "source.user": _("Old server: user name"),
    "source.host": _("Old server: server"),
    "source.port": _("Old server: port"),
    "source.security": _("Old server: encryption"),
    "source.password": _("Old server: password"),
    "source.address": _("Old server: address"),
    "source.fingerprint": _("Old server: fingerprint"),
    "source.ca_pem": _("Old server: authority"),
    "target.user": _("New server: user name"),
    "target.host": _("New server: server"),
    "target.port": _("New server: port"),
    "target.security": _("New server: encryption"),
    "target.password": _("New server: password"),
    "target.address": _("New server: address"),
    "target.fingerprint": _("New server: fingerprint"),
    "target.ca_pem": _("New server: authority"),
    "keep.every_hours": _("Hours between two passes"),
    "keep.window": _("Between these hours"),
    "keep.leave_days": _("Days after collection"),
    "keep.leave_wish": _("Who asked for it, and when"),
    "options.max_octets": _("Largest message"),
    "options.under": _("Below a folder"),
    "options.map": _("Folders"),
}
