"""The two ends of a move: Source and Target, and the values that pass through them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from migrator.mail.folders import FolderInfo, FolderPath, FolderRef, Namespace, Role
from migrator.mail.messages import MessageKey, Prints, Row, tail_of


@dataclass(frozen=True, slots=True)
class Traits:
    """What planners need to know of an end."""

    namespace: Namespace = field(default_factory=Namespace)
    has_folders: bool = True
    has_flags: bool = True
    has_dates: bool = True
    keys_are_stable: bool = True
    """The same message keeps its key. POP3 servers may give all UIDLs anew, and never say so."""
    reports_keys: bool = True
    """The target names the new key of every append (UIDPLUS)."""
    partial: bool = False
    """Only chosen messages are listed: what is not listed is not gone (`engine.chosen`)."""
    may_rewrite_headers: bool = True
    """Whether octets of a header that are not ASCII may be altered without a change of the size (Cyrus)."""
    has_labels: bool = False
    """One message may be listed in several folders (Gmail); such rows say so (`Row.same`)."""
    keeps_history: bool = False
    """The target is also a `Historian`: appends are idempotent by origin, nothing there is anybody else's."""
    max_octets: int | None = None
    """The largest message that the target says it takes (APPENDLIMIT)."""
    nearest: float = 0.0
    """Seconds of the fastest round trip that was seen while it was opened."""
    limits: str = ""
    """One line for people: server, TLS, capabilities that matter."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder was opened for reading: its UIDVALIDITY, UIDNEXT (0 if unknown) and number of messages."""

    folder: str
    validity: int
    uidnext: int
    messages: int


@dataclass(frozen=True, slots=True)
class Page:
    """At most 5,000 rows in key order."""

    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Changes:
    """What of a folder is new, or has other flags, since it was in a state; all else is there as it was then."""

    opened: Opened
    rows: Sequence[Row]


class Want(NamedTuple):
    """A message that we want to read: its folder's full name at that end, its key, the size announced."""

    folder: str
    key: MessageKey
    size: int


class Absence(StrEnum):
    """Why a message could not be read."""

    GONE = "gone_at_source"
    EMPTY = "empty_at_source"
    SHORT = "short_at_source"
    SUBSTITUTE = "substitute_at_source"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that was not delivered, and why."""

    want: Want
    absence: Absence
    detail: str = ""


class Letter(NamedTuple):
    """A message's octets. `chunks()` may be called again and again until `close()`; `head` is its beginning."""

    want: Want
    head: bytes
    size: int
    chunks: Callable[[], Iterator[bytes]]
    close: Callable[[], None] = lambda: None
    prints: Prints | None = None
    """Where they were taken on the way already (`engine.ahead`)."""
    packed: bytes | None = None
    """Its octets as the target keeps them, where somebody packed them on the way."""
    tail: bytes | None = None
    """Its last octets (`mail.messages.tail_of`), where somebody has seen them anyway."""

    @property
    def end(self) -> bytes:
        """Its last octets: `TAIL_OCTETS`, or all there are."""
        return self.tail if self.tail is not None else tail_of(self.chunks())

    def emptied(self) -> Letter:
        """Closed, and without its octets: where they are written, and only what it was is still of interest."""
        self.close()
        return Letter(self.want, b"", self.size, _no_chunks, prints=self.prints, tail=self.tail)


def _no_chunks() -> Iterator[bytes]:
    return iter(())


class Source(Protocol):
    """The end that is read. No verb writes: nothing is ever deleted or marked at the source."""

    @property
    def traits(self) -> Traits: ...

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, containers too. Raises ServerRefused when the server shows none at all."""

    def foresee(self, folders: Sequence[str]) -> None:
        """These will be surveyed next, in this order, and have few messages: who waits for answers may ask for all at
        once. A hint; nothing happens before the first survey."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """One `Opened`, then the rows in pages. Nothing else may be asked of the source inside a page."""

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since its `FolderInfo.state` was this; None: nobody can tell, and it is to be surveyed."""

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Exactly one answer per want, folder by folder, in any order within each. The caller closes every letter."""

    def close(self) -> None:
        """Log out. Never raises."""


class Parcel(NamedTuple):
    """One message to append: octets, the flags that the target takes, its internal date (None: now), its ledger id."""

    entry: int
    letter: Letter
    flags: tuple[str, ...]
    instant: datetime | None

    def emptied(self) -> Parcel:
        """Without its octets (`Letter.emptied`)."""
        return Parcel(self.entry, self.letter.emptied(), self.flags, self.instant)


@dataclass(frozen=True, slots=True)
class Batch:
    """Parcels for one folder that are sent together; at most about 4 MB unless it is one giant."""

    folder: FolderRef
    parcels: Sequence[Parcel]
    alone: bool = False
    """Nothing else may be on its way with it: it is suspected of breaking connections."""


class Stored(NamedTuple):
    """The target has it. `key` is None where the target does not say which key it got."""

    parcel: Parcel
    key: MessageKey | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The target refused this one message; the stream goes on. `reason` is a code, `detail` the server's text."""

    parcel: Parcel
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """Certain: nothing of it was stored, because its commit point was not passed."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Unknown:
    """The commit point was passed and no answer came: it may be stored now, or later (traps.md, B)."""

    parcel: Parcel


AppendResult = Stored | Refused | Unsent | Unknown
AppendResults = Generator[AppendResult, None, None]
"""Who takes no more of them closes it."""


@dataclass(frozen=True, slots=True)
class FlagChange:
    """Add and remove flags of one message; everything else that stands there stays."""

    key: MessageKey
    add: frozenset[str]
    remove: frozenset[str]


class FolderWish(NamedTuple):
    """A folder that a target is to have (`Target.ensure_folder`)."""

    path: FolderPath
    role: Role | None
    subscribe: bool


class Target(Protocol):
    """The end that is filled. It has no verb that deletes."""

    @property
    def traits(self) -> Traits: ...

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, containers too; may be empty on a new account."""

    def prepare(self, wishes: Sequence[FolderWish]) -> None:
        """These will be ensured next: who waits for answers may see to all at once. A hint."""

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Make the folder if it is not there, subscribe it if wanted, open it. Raises FolderRefused."""

    def foresee(self, listings: Sequence[tuple[str, int]]) -> None:
        """Each of these folders will be looked at next, in this order, and then be listed from that UID on; it has few
        such messages. Who waits for answers may ask for all at once. A hint."""

    def look(self, name: str) -> FolderRef:
        """The folder as it stands now (validity, UIDNEXT, number of messages). Raises FolderRefused."""

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """The rows with UID >= floor, in key order."""

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Read messages back without marking them: for doubt, adoption, read-back and audit."""

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> AppendResults:
        """One result per parcel. The last two octets of a command are sent only after `may_commit()`.

        Several batches may be on their way at once. A broken connection ends those that were begun with `Unsent` or
        `Unknown`, and is raised; of batches that were taken and not begun nothing is said, and nothing was sent.
        """

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """Carry out the changes; False: the message is not there any more."""

    def close(self) -> None:
        """Log out. Never raises."""
