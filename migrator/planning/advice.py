"""IMAP or POP3: which way a customer's mail goes, from what each protocol's check has seen. Pure.

Codes are stable: the command line and the API show them with the sentences below, pages translate them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Track(StrEnum):
    """Which way this mailbox goes."""

    NEW_CREDENTIALS = "new_credentials"
    """Nothing lies on the old server."""
    COLLECT_BY_POP3 = "collect_by_pop3"
    """Mail lies there, and only POP3 leads to it: the inbox, nothing else."""
    ARCHIVE_AND_PLAY_IN = "archive_and_play_in"
    """IMAP leads to it: folders, flags and dates come along."""
    UNKNOWN = "unknown"
    """Neither door opens."""


class Note(StrEnum):
    """What the customer should be asked, told or warned of."""

    NOTHING_TO_MOVE = "nothing_to_move"
    ASK_ABOUT_POP3 = "ask_about_pop3"
    """Only until somebody has answered."""
    DO_NOT_MIX = "do_not_mix"
    SENT_MAIL_IN_PROGRAM = "sent_mail_in_program"
    MAY_DOWNLOAD_AGAIN = "may_download_again"
    IMAP_IS_OFF = "imap_is_off"
    """IMAP answers and refuses, with the user and password that POP3 takes."""
    IMAP_NOT_FOUND = "imap_not_found"
    """No IMAP server answers where we looked."""
    POP3_HOLDS_MORE = "pop3_holds_more"
    POP3_HOLDS_LESS = "pop3_holds_less"
    EXPIRES_WHAT_WAS_READ = "expires_what_was_read"


@dataclass(frozen=True, slots=True)
class Door:
    """What one protocol's check saw. Not tried: all as it stands here."""

    tried: bool = False
    ok: bool = False
    inbox: int | None = None
    """Messages in the inbox; None: the server does not say."""
    elsewhere: int = 0
    """Folders beside the inbox that hold mail."""
    error: str = ""
    """The error's code."""
    expires_at_once: bool = False
    """POP3: EXPIRE 0, what was read is deleted."""

    @property
    def holds_mail(self) -> bool:
        """Whether anything lies there; what a server does not count may be something."""
        return self.ok and (self.inbox != 0 or self.elsewhere > 0)


NOT_TRIED: Final = Door()
_REFUSED: Final = ("login_refused", "server_refused")


@dataclass(frozen=True, slots=True)
class Advice:
    """The track, and the notes in the order in which they should be read."""

    track: Track
    notes: Sequence[Note] = ()


def advise(imap: Door, pop3: Door, fetches_by_pop3: bool | None) -> Advice:
    """`fetches_by_pop3`: whether a program of the customer's still fetches by POP3; None: nobody asked yet."""
    track = _track(imap, pop3)
    return Advice(track, tuple(_notes(track, imap, pop3, fetches_by_pop3)))


def _track(imap: Door, pop3: Door) -> Track:
    if not imap.ok and not pop3.ok:
        return Track.UNKNOWN
    if imap.holds_mail:
        return Track.ARCHIVE_AND_PLAY_IN
    return Track.COLLECT_BY_POP3 if pop3.holds_mail else Track.NEW_CREDENTIALS


def _notes(track: Track, imap: Door, pop3: Door, fetches: bool | None) -> Iterator[Note]:
    if track is Track.UNKNOWN:
        return
    if track is Track.NEW_CREDENTIALS:
        yield Note.NOTHING_TO_MOVE
    if fetches is None and imap.ok and pop3.error not in _REFUSED:
        yield Note.ASK_ABOUT_POP3
    if fetches and imap.ok:
        yield Note.DO_NOT_MIX
    if fetches or not imap.ok:
        yield Note.SENT_MAIL_IN_PROGRAM
    if (fetches or not imap.ok) and track is not Track.NEW_CREDENTIALS:
        yield Note.MAY_DOWNLOAD_AGAIN
    if pop3.ok and imap.tried and not imap.ok:
        yield Note.IMAP_IS_OFF if imap.error in _REFUSED else Note.IMAP_NOT_FOUND
    if imap.ok and pop3.ok and imap.inbox is not None and pop3.inbox is not None and imap.inbox != pop3.inbox:
        yield Note.POP3_HOLDS_MORE if pop3.inbox > imap.inbox else Note.POP3_HOLDS_LESS
    if pop3.expires_at_once:
        yield Note.EXPIRES_WHAT_WAS_READ


_TEXTS: Final[dict[Track | Note, str]] = {
    Track.NEW_CREDENTIALS: "Nothing lies on the old server: new credentials are all that this customer needs.",
    Track.COLLECT_BY_POP3: "Collect the inbox by POP3 into an archive; sent mail and folders lie in the customer's "
    "program and stay there.",
    Track.ARCHIVE_AND_PLAY_IN: "Archive everything by IMAP before the domain moves, and play it in afterwards: "
    "folders, flags and dates come along.",
    Track.UNKNOWN: "Neither IMAP nor POP3 opens: see the errors, and check again.",
    Note.NOTHING_TO_MOVE: "There is no mail to move.",
    Note.ASK_ABOUT_POP3: "Does a program still fetch this mailbox by POP3? IMAP cannot show it; ask the customer.",
    Note.DO_NOT_MIX: "A mailbox that one program fetches by POP3 and another reads by IMAP behaves strangely: what the "
    "first one fetches may vanish from the other. Choose one of the two at the new server.",
    Note.SENT_MAIL_IN_PROGRAM: "Whoever fetches by POP3 has sent mail and folders in the mail program, not on the "
    "server: they must stay there, and only new credentials are typed in.",
    Note.MAY_DOWNLOAD_AGAIN: "A program that fetches by POP3 may download again what is played into the new inbox. A "
    "folder of its own avoids that, for example --map 'INBOX=Archiv alter Anbieter'.",
    Note.IMAP_IS_OFF: "POP3 lets this user in and IMAP does not: switch IMAP on at the old provider, then folders come "
    "along too.",
    Note.IMAP_NOT_FOUND: "No IMAP server was found beside this POP3 server: ask the provider for its name; with IMAP, "
    "folders come along too.",
    Note.POP3_HOLDS_MORE: "POP3 shows more messages in the inbox than IMAP does: look at both before you trust a "
    "number.",
    Note.POP3_HOLDS_LESS: "POP3 shows fewer messages in the inbox than IMAP does: some servers hide what was fetched. "
    "Use IMAP.",
    Note.EXPIRES_WHAT_WAS_READ: "This POP3 server says that it deletes what was read (EXPIRE 0). We never end "
    "a session in which we read so that it can; other programs do.",
}


def advice_text(code: Track | Note) -> str:
    """The sentence for people, in English."""
    return _TEXTS[code]
