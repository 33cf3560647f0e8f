"""The ledger: what was carried, and what may have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from migrator.mail.folders import FolderInfo, FolderPath, Role
from migrator.mail.messages import MessageKey, Prints


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


class Entry(NamedTuple):
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


class Intent(NamedTuple):
    """What is going to be appended, written before the target's first octet."""

    origin: MessageKey
    prints: Prints
    instant: datetime | None
    flags: frozenset[str]
    floor: int


class Kept(NamedTuple):
    """Of a confirmed entry that was not adopted what its message must look like at the target, where it is `uid`."""

    id: int
    uid: int
    size: int
    instant: datetime | None
    flags: frozenset[str]
    note: str


class Settled(NamedTuple):
    """An entry that is confirmed from the beginning: its message was at the target before the ledger knew of it.

    Somebody else's, found by its octets; or appended to a `Historian`, where the same again does no harm, so that no
    intent comes first.
    """

    intent: Intent
    target_key: MessageKey
    how: How


class Confirmation(NamedTuple):
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
    others: tuple[FolderPath, ...] = ()
    """Names that are tried, in this order, if the target refuses the first; no other pair's."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a pair after a complete pass (all zero before)."""

    source_validity: int = 0
    target_validity: int = 0
    complete: bool = False
    looked: int = 0
    """UIDs of the target folder below this were looked at after they were appended."""
    state: str | None = None
    """What the source said of its folder (`FolderInfo.state`) before it was last seen whole; empty: it was not, or is
    no longer. None, in a step: as before."""
    unlooked: int = 0
    """So many runs in a row did not look, because that was the same."""


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

    def kept(self, validity: int, first: int, last: int | None = None) -> Sequence[Kept]:
        """What was appended to the target folder and lies there between these UIDs, both included."""

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


class Carried(NamedTuple):
    """How many messages of a source folder the ledger knows, and the target folder in which most of them were put."""

    messages: int
    target: str


class Difference(NamedTuple):
    """What a comparison found: folder and key at the end where the message is, a stable kind."""

    folder: str
    key: str
    kind: str
    detail: str


class Ledger(Protocol):
    """All of one mailbox's ledger, written under one job's fence."""

    def plan(self, pairs: Sequence[tuple[FolderPair, str]], skipped: Sequence[tuple[FolderInfo, str]]) -> None:
        """Show the folders of this run, with the number of messages that the source announces, each with the full name
        of the target folder that is meant."""

    def done(self) -> frozenset[str]:
        """Source folders that this job has carried to their end, in an earlier slice, and whose numbers stand."""

    def begun(self) -> frozenset[str]:
        """Source folders of which this job has carried anything."""

    def joint(self) -> AbstractContextManager[None]:
        """What is written in the block by this thread is ONE commit, or none of it is. Nothing is read in it."""

    def pair(self, pair: FolderPair, target: str) -> PairLedger:
        """The ledger of one pair; `target` is the full name of the target folder."""

    def carried_from(self) -> Mapping[str, Carried]:
        """What the ledger knows, by name of the source folder; other folders have no name here."""

    def in_doubt(self) -> Sequence[tuple[str, str]]:
        """(source folder, target folder) of all entries of this mailbox that are in doubt, each once."""

    def fail_folder(self, name: str, error: dict[str, str]) -> None:
        """A folder could not be carried as a whole."""

    def differ(self, found: Sequence[Difference]) -> None:
        """Keep what this job's comparison has found, in place of what it has found before. ONE commit."""

    def warn(self, code: str, folder: str, detail: str) -> None:
        """Keep a warning for the report; the same one again does nothing."""
