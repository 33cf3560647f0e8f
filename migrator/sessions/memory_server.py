"""A mail server in memory: folders, what its owner does there, and how it can be told to misbehave.

`Behaviour` makes it do what real servers were seen to do (quirks.md, traps.md). Time is a `FakeClock`: nothing here
ever sleeps. The ends that log in to it are in `memory`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from migrator.errors import FolderRefused
from migrator.mail.flags import normalised
from migrator.mail.folders import Namespace, Role
from migrator.ports import Absence, StopSignal

# ---- time and stopping ---------------------------------------------------------------------------------------------


class FakeClock:
    """A clock that stands still, except when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited: list[float] = []

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self.now

    def wait(self, seconds: float, stop: StopSignal) -> None:
        """So much later at once; not at all when a stop is wanted."""
        if seconds > 0 and not stop.wanted():
            self.waited.append(seconds)
            self.now += seconds


class FakeStop:
    """A stop signal that is wanted from the nth time on that somebody asks (0: never)."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.asked = 0

    def wanted(self) -> bool:
        """Counts the question."""
        self.asked += 1
        return 0 < self.at <= self.asked

    def may_commit(self) -> bool:
        """Not once a stop is wanted; this is a question as well."""
        return not self.wanted()


# ---- how a server misbehaves ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Break:
    """How a connection breaks during an append: before its commit point, or after it.

    After it, the message is there at once, or appears so many seconds later (a zombie: traps.md, B), or never does.
    """

    after_commit: bool = False
    stored: bool = True
    seconds: float = 0.0


def _same(octets: bytes) -> bytes:
    return octets


def altered_as_dovecot_does(octets: bytes) -> bytes:
    """NUL becomes 0x80, CR CR LF loses a CR, a CR at the end goes (quirks.md, 42)."""
    return re.sub(rb"\r\r\n", b"\r\n", octets.replace(b"\0", b"\x80")).removesuffix(b"\r")


def altered_as_cyrus_does(octets: bytes) -> bytes:
    """In the header, every octet that is not ASCII becomes X (munge8bit; found with 3.6)."""
    header, end, body = octets.partition(b"\r\n\r\n")
    return bytes(octet if octet < 128 else ord("X") for octet in header) + end + body


@dataclass(slots=True)
class Behaviour:
    """What a server does that a plain one does not; everything may be changed while it runs."""

    page_rows: int = 5000
    reports_keys: bool = True
    """UIDPLUS."""
    says_uidnext: bool = True
    whole_batches: bool = True
    """MULTIAPPEND: a batch is stored at once or not at all; else one message after the other."""
    at_once: int = 1
    """So many batches are taken before the result of the first one is told; a break costs the answers of all."""
    commit_seconds: float = 0.0
    """So long it takes until a committed message is there; whoever dies meanwhile leaves a zombie."""
    keeps_dates: bool = True
    keywords: frozenset[str] | None = None
    """The only keywords that folders keep; None: any."""
    alters: Callable[[bytes], bytes] = _same
    like_cyrus: bool = False
    """It may alter headers that are not ASCII, whether it does or not."""
    size_of: Callable[[bytes], int] = len
    """What is announced as size."""
    refuses_empty: bool = False
    refuses: Callable[[bytes], bool] = lambda _: False
    refuses_name: Callable[[str], bool] = lambda _: False
    max_octets: int | None = None
    """Announced (APPENDLIMIT) and refused above."""
    quota: int | None = None
    """Octets of the whole mailbox; more raises TargetFull."""
    breaks: dict[int, Break] = field(default_factory=dict)
    """What befalls the nth append command (the first is 1)."""
    poison: Callable[[bytes], Break | None] = lambda _: None
    """What befalls every append command that carries such a message."""
    lost_at_reads: set[int] = field(default_factory=set)
    """The connection is lost instead of delivering the nth message read (the first is 1)."""
    breaks_reading: set[tuple[str, int]] = field(default_factory=set)
    """(folder, UID) of messages at which the connection is lost each time."""
    vanishing: set[tuple[str, int]] = field(default_factory=set)
    """(folder, UID) of messages that somebody deletes between survey and read."""
    nil_bodies: set[tuple[str, int]] = field(default_factory=set)
    """Messages that are listed and never delivered."""
    absent: dict[tuple[str, int], Absence] = field(default_factory=dict)
    """Messages that are not delivered for another reason."""
    touch: Callable[[str], None] = lambda _: None
    """Called before and after everything that a client does here; may raise."""


# ---- the server ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MemoryMessage:
    """One message as it lies there."""

    octets: bytes
    flags: frozenset[str]
    instant: datetime | None


@dataclass(slots=True)
class MemoryFolder:
    """One folder; `messages` by UID."""

    name: str
    validity: int
    role: Role | None = None
    selectable: bool = True
    subscribed: bool = False
    shared: bool = False
    uidnext: int = 1
    messages: dict[int, MemoryMessage] = field(default_factory=dict)

    def add(self, message: MemoryMessage) -> int:
        """Store it; its UID."""
        uid = self.uidnext
        self.messages[uid] = message
        self.uidnext += 1
        return uid


_EPOCH = datetime(2001, 3, 5, tzinfo=UTC)


class MemoryServer:
    """One account. Whoever holds the server is its owner: `put`, `remove`, `renumber` … are what people do there."""

    def __init__(
        self, namespace: Namespace | None = None, *, clock: FakeClock | None = None, behaviour: Behaviour | None = None
    ) -> None:
        self.namespace = namespace or Namespace()
        self.clock = clock or FakeClock()
        self.behaviour = behaviour or Behaviour()
        self.folders: dict[str, MemoryFolder] = {}
        self.appends = 0
        """Append commands so far."""
        self.stored = 0
        """Messages appended so far, zombies too once they are there."""
        self.reads = 0
        self._validity = 1000
        self._coming: list[tuple[float, str, list[MemoryMessage]]] = []
        self.make("INBOX", role=Role.INBOX)

    def make(self, name: str, *, role: Role | None = None, selectable: bool = True) -> MemoryFolder:
        """A new, empty folder."""
        self._validity += 1
        self.folders[name] = MemoryFolder(name, self._validity, role, selectable)
        return self.folders[name]

    def folder(self, name: str) -> MemoryFolder:
        """A folder that can be opened, with all that has arrived by now. Raises FolderRefused."""
        self.arrive()
        folder = self.folders.get(name)
        if folder is None or not folder.selectable:
            raise FolderRefused(f"The folder {name} cannot be opened.")
        return folder

    def put(self, name: str, octets: bytes, *flags: str, instant: datetime | None = _EPOCH) -> int:
        """Somebody puts a message there; its UID."""
        return self.folder(name).add(MemoryMessage(octets, normalised(flags), instant))

    def remove(self, name: str, uid: int) -> MemoryMessage:
        """Somebody deletes a message for good."""
        return self.folder(name).messages.pop(uid)

    def move(self, name: str, uid: int, other: str) -> int:
        """Somebody moves a message; its new UID."""
        return self.folder(other).add(self.remove(name, uid))

    def renumber(self, name: str) -> None:
        """The same mail under a new UIDVALIDITY and with new UIDs."""
        old = self.folder(name)
        new = self.recreate(name)
        for uid in sorted(old.messages):
            new.add(old.messages[uid])

    def recreate(self, name: str) -> MemoryFolder:
        """The folder is deleted with all its mail and made anew."""
        old = self.folders[name]
        new = self.make(name, role=old.role)
        new.subscribed = old.subscribed
        return new

    def octets(self) -> int:
        """All that lies here."""
        return sum(len(message.octets) for folder in self.folders.values() for message in folder.messages.values())

    def expect(self, seconds: float, name: str, messages: list[MemoryMessage]) -> None:
        """A dead client's octets are still on their way."""
        self._coming.append((self.clock.monotonic() + seconds, name, messages))

    def arrive(self) -> None:
        """Store what was on its way long enough; if its folder is gone, so is it."""
        now = self.clock.monotonic()
        ripe = [item for item in self._coming if item[0] <= now]
        self._coming = [item for item in self._coming if item[0] > now]
        for _, name, messages in ripe:
            if name in self.folders:
                self.store(name, messages)

    def store(self, name: str, messages: Sequence[MemoryMessage]) -> list[int]:
        """Keep messages, as this server keeps them; their UIDs."""
        self.stored += len(messages)
        return [self.folders[name].add(message) for message in messages]
