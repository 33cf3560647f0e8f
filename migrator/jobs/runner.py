"""One slice of one job: take the lease, open the ends from the recipe, run the engine, fire the event."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from migrator.db.ledger import SqlLedger
from migrator.db.quarantine import SqlQuarantine
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import DatabaseUnavailable, Defect, Fenced, PostwagenError, Stopped
from migrator.jobs import archives, assignment, queries
from migrator.jobs import lease as leases
from migrator.jobs.archives import Limits
from migrator.jobs.budget import budget_of
from migrator.jobs.clock import RealClock
from migrator.jobs.connections import Caps, one_more
from migrator.jobs.holding import Holder
from migrator.jobs.keeping import operations as keeping
from migrator.jobs.lease import Lease
from migrator.jobs.recipes import Result, Work, World, carry_out
from migrator.jobs.remedy import Ending, ending_of
from migrator.jobs.report import whole
from migrator.jobs.states import JobEvent, JobKind, JobState
from migrator.ports import Event
from migrator.sessions.guard import allowed
from migrator.settings import Settings

log = structlog.get_logger(__name__)

MAKE_ROOM = timedelta(seconds=15)
"""So long a job stands back for one that waits for its connection: a few sweeps."""
REMARKABLE = frozenset({"reconnecting", "waiting_for_quiet", "folder_failed", "source_validity_changed",
                        "target_validity_changed"})  # fmt: skip
"""Events that a job's history keeps; the others are for logs and progress bars only."""


class Chronicle:
    """Fulfils `ports.Observer`: log lines for all events, history rows for the remarkable ones."""

    def __init__(self, db: Database, lease: Lease) -> None:
        self._db = db
        self._lease = lease

    def note(self, event: Event) -> None:
        """Keep it."""
        log.info(event.name, job=self._lease.job_id, **event.fields)
        if event.name in REMARKABLE:
            leases.note(self._db, self._lease, event.name, event.fields, datetime.now(UTC))


def run_slice(
    job_id: int, *, db: Database, vault: Vault, settings: Settings, owner: str, shutdown: threading.Event
) -> bool:
    """Work on a job for a while. True: put its id into the queue again. Never raises for what a job can meet.

    While the database is away nothing can be said about the job: its lease runs out, and the sweep finds it.
    """
    try:
        return _run_slice(job_id, db, vault, settings, owner, shutdown)
    except DatabaseUnavailable as error:
        log.warning("database_away", job=job_id, detail=error.detail)
        return False


def _run_slice(
    job_id: int, db: Database, vault: Vault, settings: Settings, owner: str, shutdown: threading.Event
) -> bool:
    node = queries.node_of(db, job_id)
    if node not in ("", settings.node):
        log.warning("other_node", job=job_id, node=node)  # the sweep sends it where its archive lies
        return False
    caps = Caps(settings.source_connections, settings.target_connections)
    lease = leases.take(db, job_id, owner, settings.lease_seconds, datetime.now(UTC), caps)
    if lease is None:
        return False
    began = time.monotonic()

    def slice_over() -> str:
        if time.monotonic() - began <= settings.slice_seconds:
            return ""
        return assignment.somebody_waits(db, lease, caps, datetime.now(UTC))

    def may_reach(address: str, port: int) -> bool:
        return allowed(address, port, settings.allowed_networks)

    with Holder(db, lease, seconds=settings.lease_seconds, shutdown=shutdown, slice_over=slice_over) as holder:
        ledger = SqlLedger(db, job_id=job_id, mailbox_id=lease.mailbox_id, fence=lease.fence)
        limits = Limits(settings.archive_reserve_mb * 1_000_000, settings.archive_quota_gb * 1_000_000_000)
        world = World(
            ledger, holder, RealClock(), Chronicle(db, lease), may_reach, settings.quiet_seconds, limits,
            budget=lambda end: budget_of(db, end),
            quarantine=SqlQuarantine(db, lambda: vault, ledger, settings.quarantine_mb * 1_000_000),
            one_more=lambda: one_more(db, lease, caps, settings.lease_seconds),
        )  # fmt: skip
        ending = attempt(lambda: assignment.work(db, vault, job_id, settings.archive_dir), world, holder, db, lease)
    return finish(db, lease, ending, time.monotonic() - began)


def attempt(work: Callable[[], Work], world: World, holder: Holder, db: Database, lease: Lease) -> Ending | None:
    """Run the recipe and say how it ended; None: fenced out, touch nothing more."""
    before = assignment.counts(db, lease.job_id).done
    try:
        wanted = work()
        result = carry_out(wanted, world)
        _keep(db, lease, wanted, result)
    except Fenced:
        return None
    except Stopped as error:
        return _stopped(holder, error)
    except PostwagenError as error:
        log.warning("slice_failed", job=lease.job_id, code=error.instance_code, end=error.end, detail=error.detail)
        got_on = assignment.counts(db, lease.job_id).done > before
        failures = 0 if got_on else leases.failures_in_a_row(db, lease)
        return ending_of(error, failures, goes_on=assignment.kind_of(db, lease.job_id) is not JobKind.VERIFY)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        log.exception("defect", job=lease.job_id)
        detail = f"{type(error).__name__} in {where.name}, line {where.lineno}"
        return ending_of(Defect("Something went wrong that must not.", detail=detail), 0)
    return _finished(db, lease, result)


def _keep(db: Database, lease: Lease, work: Work, result: Result) -> None:
    """What a pass or a check found of an archive stands beside it too."""
    if work.kind is JobKind.ARCHIVE:
        octets, passes = archives.facts(work.target)
        keeping.record_passes(db, lease, octets, passes)
    elif work.kind is JobKind.CHECK:
        keeping.record_check(db, lease, result, datetime.now(UTC))


def _stopped(holder: Holder, error: Stopped) -> Ending | None:
    events = {"pause": JobEvent.PAUSE, "cancel": JobEvent.CANCEL}
    if holder.reason == "lost":
        return None
    if holder.reason in events:
        return Ending(events[holder.reason])
    if holder.reason == "room":
        return Ending(JobEvent.YIELD, wait=MAKE_ROOM)
    if holder.reason in ("worker", "shutdown"):
        return Ending(JobEvent.YIELD, again=holder.reason == "worker")
    return Ending(JobEvent.WAIT, error=error.as_dict(), wait=timedelta(seconds=30))


def _finished(db: Database, lease: Lease, result: Result) -> Ending:
    failures = queries.has_failures(db, lease.job_id)
    complete = whole(assignment.counts(db, lease.job_id), result, failures=failures)
    return Ending(JobEvent.SUCCEED if complete else JobEvent.FALL_SHORT, result=result)


def finish(db: Database, lease: Lease, ending: Ending | None, seconds: float) -> bool:
    """Fire the ending's event. True: put the id into the queue again."""
    if ending is None:
        log.warning("fenced_out", job=lease.job_id)
        return False
    now = datetime.now(UTC)
    values: dict[str, Any] = {"error": ending.error, "working_seconds": seconds, "result": ending.result}
    if ending.wait is not None:
        values["not_before"] = now + ending.wait
        values["failures_in_a_row"] = ending.failures_in_a_row
    try:
        state = leases.fire(db, lease, ending.event, now, **values)
    except Fenced:
        log.warning("fenced_out", job=lease.job_id)
        return False
    log.info("slice_over", job=lease.job_id, state=state.value)
    return ending.again and state is JobState.QUEUED
