"""Who may touch a job now. Every move is compare-and-set plus a row of history, in one transaction.

A lease is a row's `fence` (counts up with every lease) and `lease_until`. At most one job of a mailbox has a live
lease. Whoever holds an older fence is fenced out: `renew` gives None, `fire` and `note` raise Fenced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from migrator.db.models import Endpoint, Job, JobEventRow, Worker
from migrator.db.store import Database
from migrator.errors import Defect, Fenced
from migrator.jobs import connections
from migrator.jobs.connections import UNLIMITED, Caps
from migrator.jobs.keeping.rows import kept_sources, node_of_job
from migrator.jobs.states import ENDED, TRANSITIONS, JobEvent, JobState, after

AGAIN_AFTER_SWEEPS: Final = 3
"""A job that was put into the queue and is not taken is put there again after so many sweeps."""
AT_MOST: Final = 200
"""Jobs that one sweep puts into the queue."""
_FINISHED: Final = frozenset({JobState.SUCCEEDED, JobState.INCOMPLETE, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job, until somebody holds a higher fence."""

    job_id: int
    mailbox_id: int
    fence: int
    owner: str


# ---- the worker's side ---------------------------------------------------------------------------------------------


def take(db: Database, job_id: int, owner: str, seconds: float, now: datetime, caps: Caps = UNLIMITED) -> Lease | None:
    """The lease, if the job is due or its lease is dead, and no other job of its mailbox has a live one; else None.

    With it one connection to each of its mail servers; None, too, where one of them bears no more (`connections`).
    """
    with db.writing() as session:
        mailbox = select(Job.mailbox_id).where(Job.id == job_id).scalar_subquery()
        # All of this mailbox's jobs are locked in one order, so two takes see each other (SQLite: BEGIN IMMEDIATE).
        rows = session.scalars(
            select(Job).where(Job.mailbox_id == mailbox).order_by(Job.id).with_for_update(of=Job)
        ).all()
        job = next((row for row in rows if row.id == job_id), None)
        if job is None or not _takeable(job, now) or any(is_alive(row, now) for row in rows if row.id != job_id):
            return None
        until = now + timedelta(seconds=seconds)
        if connections.lend(session, job, job.fence + 1, caps, until, now) is None:
            job.dispatched_at = None  # the sweep finds it as soon as there is room
            return None
        lease = Lease(job_id=job_id, mailbox_id=job.mailbox_id, fence=job.fence + 1, owner=owner)
        values = {
            "fence": lease.fence,
            "lease_owner": owner,
            "lease_until": until,
            "started_at": job.started_at or now,
            "not_before": None,
        }
        took_over = {"from": job.lease_owner} if job.state == JobState.RUNNING else {}
        if not move(session, job, JobEvent.TAKE, now, fence=job.fence, actor=owner, values=values, fields=took_over):
            return None
        return lease


def renew(db: Database, lease: Lease, seconds: float, now: datetime) -> str | None:
    """Hold it longer. Returns what a person wishes ("", "pause", "cancel"); None: the lease is lost, stop at once.

    A lease that ran out is lost even if nobody took it: another job of the mailbox may have begun meanwhile.
    """
    until = now + timedelta(seconds=seconds)
    with db.writing() as session:
        wish = session.scalar(
            update(Job)
            .where(*_held(lease), Job.lease_until > now)
            .values(lease_until=until)
            .returning(Job.wish)
            .execution_options(synchronize_session=False)
        )
        if wish is not None:
            connections.renew(session, lease, until)
        return wish


def fire(
    db: Database,
    lease: Lease,
    event: JobEvent,
    now: datetime,
    *,
    error: Mapping[str, Any] | None = None,
    not_before: datetime | None = None,
    fields: Mapping[str, Any] | None = None,
    working_seconds: float = 0.0,
    failures_in_a_row: int = 0,
    result: Mapping[str, Any] | None = None,
) -> JobState:
    """End the slice: leave the lease and move to the state that `event` leads to, which is returned.

    `error` replaces the job's error, `fields` stand in the history, `working_seconds` are added, `result` is kept
    where given. Passwords are wiped in the same transaction when the job has ended for good. A wish that its worker has
    not read yet counts as if it had. Raises Fenced.
    """
    if event is JobEvent.TAKE or after(JobState.RUNNING, event) is None:
        raise Defect(f"A running job knows no event {event}.")
    with db.writing() as session:
        job = session.scalar(select(Job).where(*_held(lease)).with_for_update())
        if job is None:
            raise Fenced("Another worker took this job over.")
        wished = as_wished(event, job.wish)
        state = TRANSITIONS[JobState.RUNNING, wished]
        told = dict(error) if error and wished is event else None
        values: dict[str, Any] = {
            **LEFT,
            "error": told,
            "not_before": not_before if wished is event else None,
            "working_seconds": Job.working_seconds + working_seconds,
            "failures_in_a_row": failures_in_a_row,
            "finished_at": now if state in _FINISHED else None,
            "dispatched_at": None,  # until somebody puts it into the queue, the sweep does
            **({} if result is None else {"result": dict(result)}),
        }
        shown = {**(fields or {}), **({"error": told["code"]} if told and "code" in told else {})}
        if not move(session, job, wished, now, fence=lease.fence, actor=lease.owner, values=values, fields=shown):
            raise Fenced("Another worker took this job over.")
        connections.give_back(session, lease.job_id)
        if state in ENDED:
            wipe(session, job.source_id, job.target_id, now)
    return state


def as_wished(event: JobEvent, wish: str) -> JobEvent:
    """The event that a slice ends with, with what a person has wished, or taken back, since its worker last asked."""
    if wish == "cancel" and event is not JobEvent.SUCCEED:
        return JobEvent.CANCEL
    if wish == "pause" and after(JobState.RUNNING, event) is JobState.QUEUED:
        return JobEvent.PAUSE
    if wish == "" and event is JobEvent.PAUSE:
        return JobEvent.YIELD
    return event


def note(db: Database, lease: Lease, name: str, fields: Mapping[str, Any], now: datetime) -> None:
    """A row of history without a change of state. Raises Fenced."""
    with db.writing() as session:
        if session.scalar(select(Job.id).where(*_held(lease)).with_for_update()) is None:
            raise Fenced("Another worker took this job over.")
        session.add(history(lease.job_id, name, now, actor=lease.owner, fields=fields))


def failures_in_a_row(db: Database, lease: Lease) -> int:
    """How many slices in a row ended by a temporary error, as `fire` was told."""
    with db.reading() as session:
        return session.scalar(select(Job.failures_in_a_row).where(Job.id == lease.job_id)) or 0


# ---- the sweep's side ----------------------------------------------------------------------------------------------


def to_dispatch(
    db: Database, now: datetime, *, sweep_seconds: float, limit: int = AT_MOST, caps: Caps = UNLIMITED
) -> list[tuple[int, str]]:
    """Jobs that somebody should take: due ones that the queue has lost or never had, and those whose lease is dead;
    each with the storage node that it belongs to, or empty.

    Longest waiting first. Left out: what was put into the queue a moment ago, mailboxes that are being worked on, and
    servers that have as many connections as they bear.
    """
    due = and_(Job.state == JobState.QUEUED, or_(Job.not_before.is_(None), Job.not_before <= now))
    dead = and_(Job.state == JobState.RUNNING, or_(Job.lease_until.is_(None), Job.lease_until <= now))
    patience = now - timedelta(seconds=sweep_seconds * AGAIN_AFTER_SWEEPS)
    with db.reading() as session:
        found = session.execute(
            select(Job.id, node_of_job())
            .where(
                or_(due, dead),
                or_(Job.dispatched_at.is_(None), Job.dispatched_at <= patience),
                ~mailbox_is_busy(now),
                connections.is_possible(session, caps, now),
            )
            .order_by(func.coalesce(Job.dispatched_at, Job.not_before, Job.created_at), Job.id)
            .limit(limit)
        )
        return [(job_id, node) for job_id, node in found]


def mark_dispatched(db: Database, job_id: int, now: datetime) -> None:
    """Keep that its id was put into the queue now."""
    with db.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(dispatched_at=now))


def show_worker(db: Database, name: str, now: datetime, *, node: str = "", free_octets: int | None = None) -> None:
    """A worker process says that it lives, and how much room its storage node has; rows of those long silent go."""
    with db.writing() as session:
        session.merge(Worker(name=name, seen_at=now, node=node, free_octets=free_octets))
        session.query(Worker).where(Worker.seen_at < now - timedelta(days=1)).delete(synchronize_session=False)


def hide_worker(db: Database, name: str) -> None:
    """A worker process says that it ends."""
    with db.writing() as session:
        session.query(Worker).where(Worker.name == name).delete(synchronize_session=False)


# ---- inside a transaction; also for `operations` ------------------------------------------------------------------

LEFT: Final[Mapping[str, Any]] = {"lease_owner": "", "lease_until": None, "wish": ""}
"""What a job looks like when nobody works on it."""


def move(
    session: Session,
    job: Job,
    event: JobEvent,
    now: datetime,
    *,
    fence: int,
    actor: str,
    values: Mapping[str, Any],
    fields: Mapping[str, Any] | None = None,
) -> bool:
    """Compare-and-set on (id, state, fence), and its row of history. False: somebody was faster, nothing is written.

    Raises Defect when the table has no such move: callers ask `after` first.
    """
    before = JobState(job.state)
    state = after(before, event)
    if state is None:
        raise Defect(f"A job that is {before} knows no event {event}.")
    moved = session.execute(
        update(Job)
        .where(Job.id == job.id, Job.state == before, Job.fence == fence)
        .values(state=state, **values)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]  # of an UPDATE it is always a CursorResult
        return False
    session.add(history(job.id, event, now, actor=actor, fields=fields, states=(before, state)))
    return True


def wipe(session: Session, source_id: int, target_id: int, now: datetime) -> None:
    """Forget the passwords of these endpoints, but for those that an archive keeps for passes to come."""
    session.execute(
        update(Endpoint)
        .where(
            Endpoint.id.in_((source_id, target_id)),
            Endpoint.credential.is_not(None),
            Endpoint.id.not_in(kept_sources()),
        )
        .values(credential=None, credential_wiped_at=now)
        .execution_options(synchronize_session=False)
    )


def mailbox_is_busy(now: datetime) -> ColumnElement[bool]:
    """For a query of jobs: another job of the same mailbox has a live lease."""
    other = aliased(Job)
    return exists().where(
        other.mailbox_id == Job.mailbox_id,
        other.id != Job.id,
        other.state == JobState.RUNNING,
        other.lease_until > now,
    )


def is_alive(job: Job, now: datetime) -> bool:
    """Whether a worker holds a live lease on it."""
    return job.state == JobState.RUNNING and job.lease_until is not None and job.lease_until > now


def _takeable(job: Job, now: datetime) -> bool:
    if job.state == JobState.QUEUED:
        return job.not_before is None or job.not_before <= now
    return job.state == JobState.RUNNING and not is_alive(job, now)


def _held(lease: Lease) -> tuple[Any, ...]:
    return (Job.id == lease.job_id, Job.state == JobState.RUNNING, Job.fence == lease.fence)


def history(
    job_id: int,
    name: str,
    now: datetime,
    *,
    actor: str,
    fields: Mapping[str, Any] | None,
    states: tuple[str, str] = ("", ""),
) -> JobEventRow:
    return JobEventRow(
        job_id=job_id,
        at=now,
        name=name,
        from_state=states[0],
        to_state=states[1],
        actor=actor,
        fields=dict(fields or {}),
    )
