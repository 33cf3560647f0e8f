"""IMAP or POP3: the way that is advised for a mailbox, and what to ask, tell or beware of, for staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.planning.advice import Note, Track
from web.babel import LazyString
from web.babel import lazy_gettext as _

TRACKS: Final[Mapping[Track, tuple[LazyString, LazyString]]] = {
    Track.NEW_CREDENTIALS: (
        _("New credentials are enough"),
        _("Nothing lies on the old server. The customer only has to type the new credentials into the mail program."),
    ),
    Track.COLLECT_BY_POP3: (
        _("Collect the inbox by POP3"),
        _(
            "Only POP3 leads to this mailbox, and POP3 shows nothing but the inbox. Archive it; sent mail and folders "
            "lie in the customer’s mail program and stay there."
        ),
    ),
    Track.ARCHIVE_AND_PLAY_IN: (
        _("Archive before the domain moves, play in afterwards"),
        _("The mail lies on the old server with folders, marks and dates. By IMAP all of that comes along."),
    ),
    Track.UNKNOWN: (
        _("No advice yet"),
        _("Neither IMAP nor POP3 opens. Correct what the test found wrong and test again."),
    ),
}

NOTES: Final[Mapping[Note, LazyString]] = {
    Note.NOTHING_TO_MOVE: _("There is no mail that would have to move."),
    Note.ASK_ABOUT_POP3: _("The server cannot show whether a program still fetches by POP3: ask the customer."),
    Note.DO_NOT_MIX: _(
        "One mailbox fetched by POP3 and read by IMAP at the same time behaves strangely: what one program fetches may "
        "vanish from the other. Agree on one of the two for the new server."
    ),
    Note.SENT_MAIL_IN_PROGRAM: _(
        "Whoever fetches by POP3 has sent mail and folders in the mail program, not on the server. They stay there: "
        "the account is not set up anew, only the new credentials are typed in."
    ),
    Note.MAY_DOWNLOAD_AGAIN: _(
        "A program that fetches by POP3 may download again what is played into the new inbox. Playing it into a folder "
        "of its own avoids that."
    ),
    Note.IMAP_IS_OFF: _(
        "POP3 accepts this user name and password, IMAP does not. Have IMAP switched on at the old provider, then "
        "folders come along too."
    ),
    Note.IMAP_NOT_FOUND: _(
        "No IMAP server was found beside this POP3 server. Ask the provider for its name; by IMAP folders come along "
        "too."
    ),
    Note.POP3_HOLDS_MORE: _("POP3 shows more messages in the inbox than IMAP. Look at both before you trust a number."),
    Note.POP3_HOLDS_LESS: _(
        "POP3 shows fewer messages in the inbox than IMAP: some servers hide what was fetched before. Use IMAP."
    ),
    Note.EXPIRES_WHAT_WAS_READ: _(
        "This POP3 server says that it deletes what was read. We read without that happening; other programs do not."
    ),
}
WARNINGS: Final = frozenset(
    {Note.DO_NOT_MIX, Note.IMAP_IS_OFF, Note.POP3_HOLDS_MORE, Note.POP3_HOLDS_LESS, Note.EXPIRES_WHAT_WAS_READ}
)
"""Notes that somebody should act on."""
