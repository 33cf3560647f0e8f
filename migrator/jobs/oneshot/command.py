"""`postwagen copy` and `postwagen verify`: the same recipes as the worker's, on a ledger file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.db.ledger import SqlLedger
from migrator.db.quarantine import SqlQuarantine
from migrator.db.store import Database
from migrator.errors import LedgerBusy, PostwagenError, UsageError
from migrator.jobs import lease as leases
from migrator.jobs import queries
from migrator.jobs.budget import budget_of
from migrator.jobs.clock import RealClock
from migrator.jobs.lease import Lease
from migrator.jobs.oneshot.operations import open_job
from migrator.jobs.recipes import Result, Work, World, carry_out
from migrator.jobs.report import whole
from migrator.jobs.states import JobEvent, JobKind
from migrator.jobs.views import JobView
from migrator.ports import Observer
from migrator.sessions.endpoint import Endpoint
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.db.vault import Vault


@dataclass(frozen=True, slots=True)
class Finished:
    """How a one-shot command ended: the job as it stands, the verb's result, and the error that ended it, if any."""

    job: JobView
    result: Result
    error: PostwagenError | None
    seconds: float
    engine_seconds: float
    """Of it, from the first connection on to the last."""
    round_trips: int
    """That were waited for, of all connections to IMAP servers."""


class Interruptible:
    """Fulfils `ports.StopSignal` for a process that holds the ledger's lock: nobody can take its place."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def wanted(self) -> bool:
        """Ctrl-C or SIGTERM."""
        return self.asked.is_set()

    def may_commit(self) -> bool:
        """What is nearly done may be done."""
        return not self.asked.is_set()


def default_state(directory: Path, source: Endpoint, target: Endpoint) -> Path:
    """The ledger file of this pair of accounts."""
    name = hashlib.sha256(f"{source.identity} -> {target.identity}".encode()).hexdigest()[:20]
    return directory / "ledgers" / f"{name}.sqlite3"


def existing(state: Path) -> Path:
    """The same. Raises UsageError where no run has made it."""
    if not state.is_file():
        hint = "Name SOURCE, TARGET and --state as they were named to `postwagen copy`."
        raise UsageError(f"There is no ledger {state}.", hint=hint)
    return state


def carried(directory: Path, source: Endpoint, target: Endpoint) -> int:
    """Octets that earlier runs on that ledger have carried; 0 where there is none that can be read."""
    state = default_state(directory, source, target)
    if not state.is_file():
        return 0
    db = Database(f"sqlite:///{state.absolute()}")
    try:
        return queries.carried(db, source.identity, target.identity)
    except PostwagenError:
        return 0
    finally:
        db.dispose()


@contextmanager
def locked(state: Path) -> Iterator[None]:
    """Only one run works on a ledger; the lock ends with the process, however it ends. Raises LedgerBusy."""
    _refuse_other_files(state)
    try:
        state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state.with_name(state.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"The ledger {state} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise LedgerBusy(f"Another run works with the ledger {state} now.") from None
    try:
        yield
    finally:
        os.close(lock)


def _refuse_other_files(state: Path) -> None:
    """What is no ledger is never touched."""
    if state.exists() and not state.is_file():
        raise UsageError(f"The ledger {state} is no file.", hint="Name a file, which need not be there yet.")
    try:
        with state.open("rb") as file:
            beginning = file.read(16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"The ledger {state} cannot be written: {error.strerror}.") from None
    if beginning and beginning != b"SQLite format 3\0":
        raise UsageError(f"{state} is no ledger of ours.", hint="Name another file with --state; it was left as it is.")


def run_once(
    work: Work,
    state: Path,
    *,
    stop: Interruptible,
    observer: Observer,
    settings: Settings,
    begun: Callable[[Database, int], None] = lambda _db, _job: None,
) -> Finished:
    """Run to the end. Raises LedgerBusy, UsageError, DatabaseUnavailable; other errors stand in the answer.

    `begun` is told the database and the job's id as soon as there is one.
    """
    began = time.monotonic()
    with locked(state):
        db = Database(f"sqlite:///{state}")
        db.upgrade()
        lease = open_job(db, work.kind, work.source, work.target, work.options, _owner())
        begun(db, lease.job_id)
        ledger = SqlLedger(db, job_id=lease.job_id, mailbox_id=lease.mailbox_id, fence=lease.fence)
        world = World(
            ledger, stop, RealClock(), observer, None, settings.quiet_seconds,
            budget=lambda end: budget_of(db, end),
            quarantine=_quarantine(work, db, ledger, settings),
        )  # fmt: skip
        result: Result = {}
        error: PostwagenError | None = None
        opening = time.monotonic()
        try:
            result = carry_out(work, world)
        except PostwagenError as caught:
            error = caught
        engine_seconds = time.monotonic() - opening
        seconds = time.monotonic() - began
        _end(db, lease, error, result, seconds)
        job = queries.job(db, lease.job_id, datetime.now(UTC))
        assert job is not None
        db.dispose()
    return Finished(job, result, error, seconds, engine_seconds, world.meter.round_trips)


def _quarantine(work: Work, db: Database, ledger: SqlLedger, settings: Settings) -> SqlQuarantine | None:
    """In the ledger's file, sealed with the data directory's key."""
    if work.kind is not JobKind.COPY:
        return None

    def vault() -> Vault:
        from migrator.db.vault import Vault

        return Vault.open(settings.secret_key_file)

    return SqlQuarantine(db, vault, ledger, settings.quarantine_mb * 1_000_000)


def _end(db: Database, lease: Lease, error: PostwagenError | None, result: Result, seconds: float) -> None:
    failures = queries.has_failures(db, lease.job_id)
    complete = whole(queries.counts(db, lease.job_id), result, failures=failures)
    event = JobEvent.SUCCEED if complete else JobEvent.FALL_SHORT
    if error is not None:
        event = JobEvent.CANCEL if error.outcome == "stopped" else JobEvent.FAIL
    shown = error.as_dict() if error else None
    leases.fire(db, lease, event, datetime.now(UTC), error=shown, working_seconds=seconds, result=result)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
