"""Connections to mail servers, lent to jobs as rows: a host bears only so many, over all jobs and all workers.

A row is for one pair's connection to one host. It is as good as the lease of its job, with which it is renewed and
given back; one that ran out counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from migrator.db.models import Endpoint, HostLease, Job
from migrator.db.store import Database
from migrator.errors import DatabaseUnavailable, ServerBusy

if TYPE_CHECKING:
    from migrator.jobs.lease import Lease


@dataclass(frozen=True, slots=True)
class Caps:
    """So many connections at the same time: to one old server, to one new server."""

    source: int
    target: int

    def of(self, side: str) -> int:
        """`source` or `target`."""
        return self.source if side == "source" else self.target


UNLIMITED: Final = Caps(1_000_000, 1_000_000)
End = tuple[str, str]
"""A side and a host."""


def lend(session: Session, job: Job, fence: int, caps: Caps, until: datetime, now: datetime) -> Sequence[int] | None:
    """One connection to each of the job's hosts: the ids of their rows; None: one of the hosts bears no more.

    What an earlier worker held of the job is given back. Rows of a host are touched only when it is ours alone: two
    that each hold the other one's rows would wait for ever.
    """
    ends = sorted(_ends(session, job))
    for side, host in ends:
        _alone(session, side, host)
    session.execute(delete(HostLease).where(HostLease.job_id == job.id, HostLease.fence < fence))
    for side, host in ends:
        session.execute(delete(HostLease).where(_is(side, host), HostLease.until <= now))
        lent = session.scalar(select(func.count()).select_from(HostLease).where(_is(side, host))) or 0
        if lent >= caps.of(side):
            return None
    rows = [HostLease(side=side, host=host, job_id=job.id, fence=fence, until=until) for side, host in ends]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def renew(session: Session, lease: Lease, until: datetime) -> None:
    """With the job's lease."""
    session.execute(update(HostLease).where(*_of(lease)).values(until=until))


def give_back(session: Session, job_id: int) -> None:
    """All that this job holds."""
    session.execute(delete(HostLease).where(HostLease.job_id == job_id))


@contextmanager
def one_more(db: Database, lease: Lease, caps: Caps, seconds: float) -> Iterator[None]:
    """One more connection to each of the job's hosts while the block lasts. Raises ServerBusy: one bears no more."""
    now = datetime.now(UTC)
    with db.writing() as session:
        job = session.get_one(Job, lease.job_id)
        rows = lend(session, job, lease.fence, caps, now + timedelta(seconds=seconds), now)
    if rows is None:
        raise ServerBusy("As many connections to one of the servers as are allowed are open.")
    try:
        yield
    finally:
        with suppress(DatabaseUnavailable), db.writing() as session:  # then they run out
            session.execute(delete(HostLease).where(HostLease.id.in_(rows), *_of(lease)))


def is_possible(session: Session, caps: Caps, now: datetime) -> ColumnElement[bool]:
    """For a query of jobs: neither of the job's hosts has as many connections as it bears."""
    return ~_needs(_full(session, caps, now))


def waits_for(session: Session, lease: Lease, caps: Caps, now: datetime) -> ColumnElement[bool]:
    """For a query of jobs: the job needs a host that bears no more, and to which the holder of this lease has one."""
    held = select(HostLease.side, HostLease.host).where(*_of(lease))
    return _needs(_full(session, caps, now) & {(side, host) for side, host in session.execute(held)})


def _full(session: Session, caps: Caps, now: datetime) -> set[End]:
    """Hosts that bear no more."""
    lent = select(HostLease.side, HostLease.host, func.count()).where(HostLease.until > now)
    counted = session.execute(lent.group_by(HostLease.side, HostLease.host))
    return {(side, host) for side, host, count in counted if count >= caps.of(side)}


def _needs(ends: set[End]) -> ColumnElement[bool]:
    """For a query of jobs: one of the job's ends is one of these."""

    def among(column: Any, wanted: str) -> ColumnElement[bool]:
        hosts = [host for side, host in ends if side == wanted]
        found: ColumnElement[bool] = column.in_(select(Endpoint.id).where(func.lower(Endpoint.host).in_(hosts)))
        return found

    return or_(among(Job.source_id, "source"), among(Job.target_id, "target"))


def _ends(session: Session, job: Job) -> list[End]:
    """The sides of a job that lie on a mail server, not in an archive."""
    ids = {job.source_id: "source", job.target_id: "target"}
    columns = select(Endpoint.id, Endpoint.host)
    found = session.execute(columns.where(Endpoint.id.in_(ids), Endpoint.archive_id.is_(None)))
    return [(ids[number], host.lower()) for number, host in found]


def _alone(session: Session, side: str, host: str) -> None:
    """Whoever else wants to count this host's connections waits for our commit; on SQLite everybody does anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{side} {host}", 0))))


def _is(side: str, host: str) -> ColumnElement[bool]:
    return (HostLease.side == side) & (HostLease.host == host)


def _of(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    return HostLease.job_id == lease.job_id, HostLease.fence == lease.fence
