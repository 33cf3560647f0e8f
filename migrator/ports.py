"""The ports: what the engine needs from the world, and the values that pass through them.

Lazy iterables go in, iterators come out: an end may look ahead and pipeline inside itself, the engine stays one loop
and memory stays flat. Source has no verb that writes. A lost answer is a value (`Unknown`), so that no wrapper can
repeat an append blindly.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from migrator.mail.folders import FolderInfo, FolderPath, FolderRef, Namespace, Role
from migrator.mail.messages import MessageKey, Prints, Row

# ---- what an end is like -------------------------------------------------------------------------------------------


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
    keeps_history: bool = False
    """The target is also a `Historian`: appends are idempotent by origin, nothing there is anybody else's."""
    max_octets: int | None = None
    """The largest message that the target says it takes (APPENDLIMIT)."""
    limits: str = ""
    """One line for people: server, TLS, capabilities that matter."""


# ---- reading -------------------------------------------------------------------------------------------------------


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
class Want:
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message's octets. `chunks()` may be called again and again until `close()`; `head` is its beginning."""

    want: Want
    head: bytes
    size: int
    chunks: Callable[[], Iterator[bytes]]
    close: Callable[[], None] = field(default=lambda: None)
    prints: Prints | None = None
    """Where they were taken on the way already (`engine.ahead`)."""
    packed: bytes | None = None
    """Its octets as the target keeps them, where somebody packed them on the way."""


class Source(Protocol):
    """The end that is read. No verb writes: nothing is ever deleted or marked at the source."""

    @property
    def traits(self) -> Traits: ...

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, containers too. Raises ServerRefused when the server shows none at all."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """One `Opened`, then the rows in pages. Nothing else may be asked of the source inside a page."""

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Exactly one answer per want, in any order within a folder. The caller closes every letter."""

    def close(self) -> None:
        """Log out. Never raises."""


# ---- writing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to append: octets, the flags that the target takes, its internal date (None: now), its ledger id."""

    entry: int
    letter: Letter
    flags: tuple[str, ...]
    instant: datetime | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Parcels for one folder that are sent together; at most about 4 MB unless it is one giant."""

    folder: FolderRef
    parcels: Sequence[Parcel]
    alone: bool = False
    """Nothing else may be on its way with it: it is suspected of breaking connections."""


@dataclass(frozen=True, slots=True)
class Stored:
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


@dataclass(frozen=True, slots=True)
class FlagChange:
    """Add and remove flags of one message; everything else that stands there stays."""

    key: MessageKey
    add: frozenset[str]
    remove: frozenset[str]


class Target(Protocol):
    """The end that is filled. It has no verb that deletes."""

    @property
    def traits(self) -> Traits: ...

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, containers too; may be empty on a new account."""

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Make the folder if it is not there, subscribe it if wanted, open it. Raises FolderRefused."""

    def look(self, name: str) -> FolderRef:
        """The folder as it stands now (validity, UIDNEXT, number of messages). Raises FolderRefused."""

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """The rows with UID >= floor, in key order."""

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Read messages back without marking them: for doubt, adoption, read-back and audit."""

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> Iterator[AppendResult]:
        """One result per parcel. The last two octets of a command are sent only after `may_commit()`.

        Several batches may be on their way at once. A broken connection ends those that were begun with `Unsent` or
        `Unknown`, and is raised; of batches that were taken and not begun nothing is said, and nothing was sent.
        """

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """Carry out the changes; False: the message is not there any more."""

    def close(self) -> None:
        """Log out. Never raises."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A message of the source that a pass did not keep, and why: the refusal's reason, or the rule that left it."""

    key: MessageKey
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What one pass saw in one source folder; what vanished while it looked is not counted.

    `keys` says of which messages without naming them: the same for the same keys in any order
    (`mail.messages.sum_of`).
    """

    folder: FolderInfo
    found: int
    keys: int
    octets: int = 0
    """Of what was kept, as the source announced them."""
    missing: Sequence[Missing] = ()


class Historian(Protocol):
    """A Target that keeps what was: every pass is a point in time. Nothing is deleted; things end with a pass."""

    def describe(self, folders: Sequence[FolderInfo]) -> None:
        """The source's folders that this pass is about to see; others end with it."""

    def conclude(self, folder: FolderRef, present: array[int], sight: Sight) -> frozenset[int]:
        """The folder was seen to its end: what is not among these keys (UIDs at this target) ends with this pass.

        `sight` is kept with the pass. Returns the keys that cannot be: they are not here, or there twice, because the
        ledger is younger than this target. Then nothing was ended; carry those messages again, and conclude again.
        """

    def unchanged(self, info: FolderInfo) -> Sight | None:
        """What the pass before saw of a folder whose `state` is the same; it stands in this one too. None: look."""

    def fail(self, info: FolderInfo, error: str, listed: Sequence[Missing] = ()) -> bool:
        """The folder could not be seen to its end: it stands in this pass as earlier ones left it, and lacks `listed`.

        False: it is not known.
        """

    def finish(self, summary: dict[str, Any]) -> None:
        """The pass is complete: everything was looked at that can be."""


# ---- deleting what was collected (POP3 only) -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as a POP3 server lists it: its number in this session, its UIDL ("": none), the octets announced."""

    number: int
    uidl: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Removal:
    """How a removal ended; each message that was chosen stands in exactly one of these."""

    removed: Sequence[Listed] = ()
    refused: Sequence[Listed] = ()
    """The server refused to delete it."""
    changed: Sequence[Listed] = ()
    """It was not there any more as it was chosen, or another one was not: nothing was asked."""
    unknown: Sequence[Listed] = ()
    """The server did not say that it deleted it: to be looked at again."""


class Remover(Protocol):
    """Deletes what a person asked for and an archive has proven, over a connection of its own. It reads no message."""

    @property
    def warnings(self) -> Sequence[str]:
        """Codes: what the server says of deleting mail by itself."""

    def listed(self) -> Sequence[Listed]:
        """What lies there now."""

    def remove(self, chosen: Sequence[Listed]) -> Removal:
        """Delete exactly these. Whatever is raised, nothing was deleted. Ends the connection."""

    def close(self) -> None:
        """Log out without a trace. Never raises."""


# ---- the ledger ----------------------------------------------------------------------------------------------------


class Stand(StrEnum):
    """Where an entry stands."""

    INTENDED = "intended"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class How(StrEnum):
    """How a confirmed entry came to the target."""

    APPENDED = "appended"
    ADOPTED = "adopted"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Entry:
    """What was intended and what was carried, for one origin (key at the old server)."""

    id: int
    origin: MessageKey
    stand: Stand
    prints: Prints
    instant: datetime | None
    flags: frozenset[str]
    """The source's flags as we last carried them: the base of the three-way merge."""
    floor: int
    target_key: MessageKey | None = None
    how: How | None = None
    this_job: bool = False
    """Settled by the job that is running, in this slice or an earlier one."""
    note: str = ""
    """`unread_back` until a delicate message was compared; then what the target made of it."""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is going to be appended, written before the target's first octet."""

    origin: MessageKey
    prints: Prints
    instant: datetime | None
    flags: frozenset[str]
    floor: int


@dataclass(frozen=True, slots=True)
class Settled:
    """An entry that is confirmed from the beginning: its message was at the target before the ledger knew of it.

    Somebody else's, found by its octets; or appended to a `Historian`, where the same again does no harm, so that no
    intent comes first.
    """

    intent: Intent
    target_key: MessageKey
    how: How


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An entry's message is at the target."""

    entry: int
    target_key: MessageKey | None
    how: How
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that could not be carried, and why. `entry` None: nothing had been intended yet."""

    origin: MessageKey
    reason: str
    detail: str
    size: int
    message_id: str = ""
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """A message that a rule leaves behind."""

    origin: MessageKey
    rule: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """A change of an entry that is confirmed: flags carried, key learnt, note made, or a new origin (re-match)."""

    entry: int
    flags: frozenset[str] | None = None
    target_key: MessageKey | None = None
    note: str | None = None
    origin: MessageKey | None = None
    forget_target_key: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """A folder's numbers, absolute. `found = copied + already_there + skipped + failed + open` always."""

    found: int = 0
    copied: int = 0
    already_there: int = 0
    skipped: int = 0
    failed: int = 0
    octets: int = 0
    """Octets of what this job copied."""
    octets_found: int = 0
    dropped_flags: int = 0
    flag_changes: int = 0


@dataclass(frozen=True, slots=True)
class FolderPair:
    """A source folder and the target folder that it goes to. `id`s are the ledger's."""

    source: FolderInfo
    target_path: FolderPath
    target_role: Role | None
    reason: str = "same_name"
    """Why this target: `rule`, `role`, `same_name`, `renamed`."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a pair after a complete pass (all zero before)."""

    source_validity: int = 0
    target_validity: int = 0
    complete: bool = False
    looked: int = 0
    """UIDs of the target folder below this were looked at after they were appended."""


class PairLedger(Protocol):
    """The ledger of one source folder and the target folder that it goes to."""

    def mark(self) -> Mark: ...

    def entries(self, keys: Sequence[MessageKey]) -> dict[MessageKey, Entry]:
        """The entries of these origins."""

    def strays(self, validity: int) -> Iterator[Sequence[Entry]]:
        """Settled entries of this source folder with another UIDVALIDITY than this, in pages."""

    def of_source(self) -> Iterator[Sequence[Entry]]:
        """All settled entries of this source folder, in pages."""

    def unsettled(self) -> Sequence[Entry]:
        """Entries of the *target folder*, from whatever source folder, that are intended: in doubt."""

    def keyless(self) -> Sequence[Entry]:
        """Confirmed entries of the target folder without a key."""

    def claims(self, validity: int, floor: int) -> frozenset[int]:
        """UIDs of the target folder that an entry owns already, from floor on."""

    def carried(self, *, not_validity: int | None = None, floor: int = 0, after: int = 0) -> Sequence[Entry]:
        """At most 1,000 confirmed entries of the target folder, ascending by id, `id > after`."""

    def unread_back(self) -> Sequence[Entry]:
        """Confirmed entries of the target folder whose note is `unread_back`."""

    def step(
        self,
        *,
        confirmed: Sequence[Confirmation] = (),
        refused: Sequence[Refusal] = (),
        released: Sequence[int] = (),
        intended: Sequence[Intent] = (),
        settled: Sequence[Settled] = (),
        amended: Sequence[Amendment] = (),
        skipped: Sequence[Skip] = (),
        tally: Tally | None = None,
        mark: Mark | None = None,
    ) -> Sequence[int]:
        """ONE commit, or Fenced. Returns the ids of the entries intended, in order."""


class Ledger(Protocol):
    """All of one mailbox's ledger, written under one job's fence."""

    def plan(self, pairs: Sequence[FolderPair], skipped: Sequence[tuple[FolderInfo, str]]) -> None:
        """Show the folders of this run, with the number of messages that the source announces."""

    def pair(self, pair: FolderPair, target: str) -> PairLedger:
        """The ledger of one pair; `target` is the full name of the target folder."""

    def in_doubt(self) -> Sequence[tuple[str, str]]:
        """(source folder, target folder) of all entries of this mailbox that are in doubt, each once."""

    def fail_folder(self, name: str, error: dict[str, str]) -> None:
        """A folder could not be carried as a whole."""

    def warn(self, code: str, folder: str, detail: str) -> None:
        """Keep a warning for the report; the same one again does nothing."""


# ---- the world around ----------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, and waiting that can be cut short."""

    def monotonic(self) -> float: ...

    def wait(self, seconds: float, stop: StopSignal) -> None:
        """Wait, but no longer than until `stop.wanted()`."""


class StopSignal(Protocol):
    """Pause, cancel, shutdown, lost lease or end of slice."""

    def wanted(self) -> bool: ...

    def may_commit(self) -> bool:
        """Whether an append may still be completed: the lease is ours and nobody asked us to stop."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling: `name` is stable, `fields` are plain values, never a secret, never a subject."""

    name: str
    fields: dict[str, str | int | float] = field(default_factory=dict)


class Observer(Protocol):
    """Whoever watches: log, history, progress bars."""

    def note(self, event: Event) -> None: ...
