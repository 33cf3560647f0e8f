"""Two accounts in memory, a ledger on SQLite, and runs between them that may die or break at any step."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import delete, insert, select, update

from migrator.db.ledger import SqlLedger
from migrator.db.models import (
    Base,
    Endpoint,
    Failure,
    Folder,
    Job,
    JobFolder,
    JobWarning,
    LedgerEntry,
    Mailbox,
    Quarantined,
    QuarantinedPart,
    Skipped,
)
from migrator.db.quarantine import QuarantineSource, SqlQuarantine
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.engine import run as run_module
from migrator.engine.ahead import ReadingAhead
from migrator.engine.prints import Printing
from migrator.engine.run import Ends, Options, Outcome, run
from migrator.engine.wrappers import Reopening, RetryingSource, RetryingTarget
from migrator.mail.folders import FolderInfo, Namespace
from migrator.mail.messages import Prints
from migrator.planning import lanes
from migrator.ports import Changes, Event, Letter, Opened, Page, Want
from migrator.sessions.memory import FakeClock, FakeStop, MemoryServer, MemorySource, MemoryTarget

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
Fingerprint = tuple[str, frozenset[str], datetime | None]
_EMPTIED = (
    QuarantinedPart,
    Quarantined,
    LedgerEntry,
    Failure,
    Skipped,
    JobFolder,
    JobWarning,
    Folder,
    Job,
    Endpoint,
    Mailbox,
)


_RESTING: set[str] = set()
"""Worlds that were seen to be at rest."""
_WRITING = ("plan", "pair", "warn", "step", "detain", "keep", "settle")


class Died(BaseException):
    """What no code catches: the process is gone."""


class Witness:
    """Counts every contact with the world, and lets something happen at the one it was told."""

    def __init__(self, at: int = 0, what: Callable[[str], None] | None = None) -> None:
        self.at = at
        self.steps: list[str] = []
        self._what = what or _die

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) == self.at:
            self._what(step)


def _die(step: str) -> None:
    raise Died(step)


class Watched:
    """A ledger, with a witness before every call, and after every one that writes."""

    def __init__(self, real: object, name: str, witness: Callable[[str], None]) -> None:
        self._real = real
        self._name = name
        self._witness = witness

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name == "joint":
            return self._joint

        def call(*args: Any, **options: Any) -> Any:
            self._witness(f"{self._name}.{name}?")
            answer = value(*args, **options)
            if name in _WRITING:
                self._witness(f"{self._name}.{name}!")
            return Watched(answer, "pair", self._witness) if name == "pair" else answer

        return call

    @contextmanager
    def _joint(self) -> Iterator[None]:
        self._witness(f"{self._name}.joint?")
        with self._real.joint():  # type: ignore[attr-defined]  # it is a ledger
            yield
        self._witness(f"{self._name}.joint!")


class Silent:
    """An observer that only keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def note(self, event: Event) -> None:
        self.heard.append(event)


class Telling(MemorySource):
    """A source that says in one word what stands in a folder, knows what has changed since it said another one, and
    counts how often it is looked at."""

    looked: ClassVar[list[str]] = []
    said: ClassVar[dict[str, dict[int, frozenset[str]]]] = {}
    """Flags by UID, by what was said."""

    def folders(self) -> Sequence[FolderInfo]:
        return [dataclasses.replace(info, state=self._state(info.name)) for info in super().folders()]

    def _state(self, name: str) -> str:
        folder = self.server.folders[name]
        marks = [(uid, tuple(sorted(item.flags))) for uid, item in sorted(folder.messages.items())]
        state = f"{folder.validity}/{hash(tuple(marks))}"
        self.said[state] = {uid: item.flags for uid, item in folder.messages.items()}
        return state

    def changes(self, folder: str, state: str) -> Changes | None:
        self._touch("changes")
        found, then = self.server.folder(folder), self.said[state]
        if not state.startswith(f"{found.validity}/") or then.keys() - found.messages.keys():
            return None
        rows = [row for page in self._pages(folder, 1) for row in page.rows]
        changed = [row for row in rows if then.get(row.key.uid) != row.flags]
        return Changes(Opened(folder, found.validity, found.uidnext, len(rows)), changed)

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        self.looked.append(folder)
        yield from super().survey(folder)


class World:
    """`old` and `new` are servers that a test fills and tells how to behave; `run` is one slice of a job."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock()
        self.old = MemoryServer(clock=self.clock)
        self.new = MemoryServer(Namespace(), clock=self.clock)
        self.options = Options()
        self.source_of: Callable[[MemoryServer], Any] = MemorySource
        self.target_of: Callable[[], Any] | None = None
        """Where given, another target than the memory server: one that needs no reconnecting."""
        self.reads_ahead = False
        """As the service does; then contacts with the source come at any time, and not after others."""
        self.lanes = 1
        """So many folders side by side; then contacts come in any order."""
        self.vault: Vault | None = None
        """Where given, there is a quarantine."""
        self.heard: list[Event] = []
        with db.writing() as session:
            for table in (*_EMPTIED[:7], Base.metadata.tables["job_samples"], *_EMPTIED[7:]):
                session.execute(delete(table))
            for number in (1, 2):
                session.execute(
                    insert(Mailbox).values(id=number, address="a@old.example", route=f"r{number}", created_at=NOW)
                )
                session.execute(
                    insert(Endpoint).values(
                        id=number, protocol="imap", host="h", port=1, security="tls", login="a", auth="", authzid=""
                    )
                )
        self.job = 0
        self.mailbox = 1
        """Whose ledger is used: each route has one of its own (1 and 2 are there)."""
        self.next_job()

    # ---- jobs and runs -------------------------------------------------------------------------------------------

    def next_job(self) -> None:
        """A new job for the same mailbox."""
        self.job += 1
        with self.db.writing() as session:
            session.execute(
                insert(Job).values(
                    id=self.job,
                    kind="copy",
                    state="running",
                    mailbox_id=self.mailbox,
                    source_id=1,
                    target_id=2,
                    fence=1,
                    created_at=NOW,
                    lease_until=NOW + timedelta(days=1),
                    options={},
                )
            )

    def fence(self) -> int:
        """The fence that holds now."""
        with self.db.reading() as session:
            return session.scalars(select(Job.fence).where(Job.id == self.job)).one()

    def take_over(self) -> None:
        """Another worker takes the lease."""
        with self.db.writing() as session:
            session.execute(update(Job).where(Job.id == self.job).values(fence=Job.fence + 1))

    def ends(self, witness: Callable[[str], None] | None = None, stop: FakeStop | None = None) -> Ends:
        """Everything that a run works with; the witness sees every contact with the world."""
        stop, observer = stop or FakeStop(), Silent()
        self.heard = observer.heard
        for name, server in (("source", self.old), ("target", self.new)):
            server.behaviour.touch = (lambda step, n=name: witness(f"{n}.{step}")) if witness else (lambda _: None)
        ledger: Any = SqlLedger(self.db, job_id=self.job, mailbox_id=self.mailbox, fence=self.fence())
        vault = self.vault
        quarantine: Any = SqlQuarantine(self.db, lambda: vault, ledger, 10**6) if vault else None
        if witness:
            ledger = Watched(ledger, "ledger", witness)
            quarantine = quarantine and Watched(quarantine, "quarantine", witness)
        common = {"stop": stop, "clock": self.clock, "observer": observer, "quarantine": quarantine}
        around = {name: common[name] for name in ("stop", "clock", "observer")}

        @contextmanager
        def another() -> Iterator[Ends]:
            yield made()

        def made() -> Ends:
            source = RetryingSource(Reopening("source", lambda: self.source_of(self.old), **around))
            target: Any = (
                RetryingTarget(Reopening("target", lambda: MemoryTarget(self.new), **around))
                if self.target_of is None
                else self.target_of()
            )
            if not self.reads_ahead:
                return Ends(source, target, ledger, **common, another=another)
            printing = Printing()
            ahead = ReadingAhead(source, printing)
            return Ends(
                ahead, target, ledger, **common, expect=ahead.expect, alongside=ahead.alongside, another=another,
                printing=printing,
            )  # fmt: skip

        return made()

    def run(
        self,
        witness: Callable[[str], None] | None = None,
        stop: FakeStop | None = None,
        **options: Any,
    ) -> Outcome:
        """One slice of the job, in a process of its own: it knows nothing but the ledger."""
        self.take_over()
        usual = {"rules": self.options.rules, "max_octets": self.options.max_octets, "lanes": self.lanes}
        chosen = Options(**{**usual, **options})
        return run(self.ends(witness, stop), chosen)

    # ---- looking -------------------------------------------------------------------------------------------------

    def prints(self) -> list[Prints]:
        """Of all messages that the ledger knows."""
        entry = LedgerEntry
        columns = entry.digest, entry.soft, entry.header, entry.message_id, entry.size, entry.delicate
        with self.db.reading() as session:
            return [Prints(*row) for row in session.execute(select(*columns).order_by(entry.id))]

    def ledger_rows(self) -> list[tuple[Any, ...]]:
        """All that the ledger knows of messages, without times and ids of jobs."""
        entry, failure = LedgerEntry, Failure
        with self.db.reading() as session:
            entries = session.execute(
                select(
                    entry.origin_folder_id, entry.origin_validity, entry.origin_uid, entry.target_folder_id,
                    entry.target_validity, entry.target_uid, entry.stand, entry.how, entry.digest, entry.flags,
                    entry.floor, entry.note,
                ).order_by(entry.origin_folder_id, entry.origin_validity, entry.origin_uid)
            ).all()  # fmt: skip
            failures = session.execute(
                select(failure.folder_id, failure.origin_validity, failure.origin_uid, failure.reason)
            ).all()
            marks = session.execute(select(Folder.side, Folder.name, Folder.validity).order_by(Folder.id)).all()
            kept = session.execute(
                select(Quarantined.origin_uid, Quarantined.digest, Quarantined.gone).order_by(Quarantined.origin_uid)
            ).all()
        return [tuple(row) for row in (*entries, *sorted(failures, key=tuple), *marks, *kept)]

    def state(self) -> str:
        """The whole world in short: both servers and the ledger."""
        servers = [
            (server.octets(), repr(server.folders), repr(server._coming), server._validity, _said_of(server))
            for server in (self.old, self.new)
        ]
        return hashlib.sha256(repr((servers, self.ledger_rows(), self.clock.now)).encode()).hexdigest()

    def kept(self) -> list[bytes]:
        """What lies in quarantine."""
        assert self.vault is not None
        source = QuarantineSource(self.db, self.vault, self.mailbox)
        found: list[bytes] = []
        for info in source.folders():
            rows = [row for item in source.survey(info.name) if isinstance(item, Page) for row in item.rows]
            for answer in source.read([Want(info.name, row.key, row.size) for row in rows]):
                assert isinstance(answer, Letter)
                found.append(b"".join(answer.chunks()))
        return found

    def failures(self) -> dict[str, str]:
        """Reasons by `folder/uid` of what this job could not carry."""
        with self.db.reading() as session:
            rows = session.execute(
                select(Folder.name, Failure.origin_uid, Failure.reason)
                .join(Folder, Folder.id == Failure.folder_id)
                .where(Failure.job_id == self.job)
            )
            return {f"{name}/{uid}": reason for name, uid, reason in rows}

    def owned(self) -> set[tuple[str, int]]:
        """(target folder, UID) of what the ledger says is carried."""
        entry = LedgerEntry
        with self.db.reading() as session:
            rows = session.execute(
                select(Folder.name, entry.target_uid, entry.target_validity).join(
                    Folder, Folder.id == entry.target_folder_id
                )
            )
            return {
                (name, uid)
                for name, uid, validity in rows
                if uid is not None and self.new.folders[name].validity == validity
            }

    def warnings(self) -> set[tuple[str, str]]:
        """(code, folder) of this job's warnings."""
        with self.db.reading() as session:
            rows = session.execute(select(JobWarning.code, JobWarning.folder).where(JobWarning.job_id == self.job))
            return {(code, folder) for code, folder in rows}

    def warning_details(self, code: str) -> list[str]:
        """What this job's warnings of that code say."""
        with self.db.reading() as session:
            found = select(JobWarning.detail).where(JobWarning.job_id == self.job, JobWarning.code == code)
            return sorted(session.scalars(found))

    def tallies(self) -> dict[str, JobFolder]:
        """This job's numbers by source folder."""
        with self.db.reading() as session:
            rows = session.scalars(select(JobFolder).where(JobFolder.job_id == self.job)).all()
            return {row.source_name: row for row in rows}

    def total(self, name: str) -> int:
        """One number over all folders."""
        return sum(int(getattr(row, name)) for row in self.tallies().values())


def always_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many lanes as a world has, however little mail is new, and in every run."""
    monkeypatch.setattr(lanes, "WORTH", 1)
    known_or_not = lanes.side_by_side
    monkeypatch.setattr(run_module, "side_by_side", lambda pairs, _, *rest: known_or_not(pairs, {}, *rest))


def lying(
    server: MemoryServer, *names: str, alters: Callable[[bytes], bytes] = lambda octets: octets
) -> Counter[Fingerprint]:
    """What lies in these folders as a multiset of digest, flags and instant, long after: zombies have come."""
    server.clock.now += 1000.0
    found: Counter[Fingerprint] = Counter()
    for name in names:
        for message in server.folder(name).messages.values():
            digest = hashlib.sha256(alters(message.octets)).hexdigest()
            found[digest, message.flags, message.instant] += 1
    return found


def assert_sums(world: World) -> None:
    """Every message found has exactly one fate."""
    for name, row in world.tallies().items():
        fates = row.copied + row.already_there + row.skipped + row.failed
        assert row.found == fates, (
            f"{name}: found {row.found}, {row.copied}+{row.already_there}+{row.skipped}+{row.failed}"
        )


def assert_same(
    world: World, pairs: dict[str, tuple[str, ...]], alters: Callable[[bytes], bytes] = lambda octets: octets
) -> None:
    """Every target folder holds exactly what its source folders hold."""
    for target, sources in pairs.items():
        wanted = lying(world.old, *sources, alters=alters)
        there = lying(world.new, target)
        lost, doubled = wanted - there, there - wanted
        assert not lost, f"lost in {target}: {_said(lost)}; too many: {_said(doubled)}"
        assert not doubled, f"doubled in {target}: {_said(doubled)}"


def _said(found: Counter[Fingerprint]) -> str:
    return ", ".join(f"{count}× {key[0][:6]} {sorted(key[1])} {key[2]}" for key, count in found.items())


def assert_at_rest(world: World) -> None:
    """The same run once more: no append, no flag changed, no line of the ledger changed."""
    world.clock.now += 1000.0
    world.new.arrive()
    world.clock.now = 0.0
    if world.state() in _RESTING:
        return
    _RESTING.add(world.state())
    before, appends = world.ledger_rows(), world.new.appends
    there = {name: repr(folder.messages) for name, folder in world.new.folders.items()}
    world.run()
    assert world.new.appends == appends, "the second run appended"
    assert world.ledger_rows() == before, "the second run changed the ledger"
    assert {name: repr(folder.messages) for name, folder in world.new.folders.items()} == there


def _said_of(server: MemoryServer) -> str:
    behaviour = server.behaviour
    return repr([getattr(behaviour, slot) for slot in behaviour.__slots__ if slot not in ("touch", "breaks")])


def mail(name: str, *, size: int = 0, body: str = "Hallo") -> bytes:
    """A message by that name, the same name the same octets."""
    head = f"From: a@old.example\r\nSubject: {name}\r\nMessage-ID: <{name}@old.example>\r\n\r\n{body}\r\n".encode()
    return head + b"x" * max(0, size - len(head))


def days(number: int) -> datetime:
    """An instant of its own for every number."""
    return datetime(2001, 3, 5, 1, 2, 3, tzinfo=UTC) + timedelta(days=number)
