"""Reading jobs: what pages, API and command show, as the values of `views`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from migrator.accounts import token_hash
from migrator.db.models import (
    Endpoint,
    Failure,
    Folder,
    Job,
    JobDifference,
    JobEventRow,
    JobFolder,
    JobSample,
    JobWarning,
    LedgerEntry,
    Mailbox,
    Quarantined,
    Skipped,
    StatusLink,
    Worker,
)
from migrator.db.store import Database
from migrator.jobs import progress, rows
from migrator.jobs.keeping.rows import node_of_job
from migrator.jobs.reporting import REPORTED, Report
from migrator.jobs.states import JobState
from migrator.jobs.views import (
    Counts,
    EventView,
    FailureGroup,
    FailureView,
    JobLine,
    JobView,
    SampleView,
    SkipView,
    StatusView,
    WarningView,
)
from migrator.ports import Difference, Stand

FIRST: Final = 100
"""Failures and skips that a job's view shows; the others are paged."""
AT_ONCE: Final = 1_000
"""Rows that are read at a time where all of them are wanted."""
NEWEST_EVENTS: Final = 50
MOST_SAMPLES: Final = 120
WORKER_SILENCE: Final = timedelta(seconds=20)
"""A worker that has not shown itself for so long is not counted as alive."""
_NEEDS_PERSON: Final = frozenset({JobState.BLOCKED, JobState.FAILED})
_Query = Select[Job, Mailbox, Endpoint, Endpoint]


# ---- lists ---------------------------------------------------------------------------------------------------------


def jobs(
    db: Database,
    now: datetime,
    *,
    states: Collection[JobState] = (),
    search: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[JobLine], str | None]:
    """One page, newest first, and the cursor of the next one. `search`: part of an address or host, or a number.

    Raises UsageError for a cursor that is none of ours.
    """
    query, source, target = _with_ends()
    query = query.order_by(Job.id.desc()).limit(limit + 1)
    if states:
        query = query.where(Job.state.in_(states))
    if cursor:
        query = query.where(Job.id < rows.from_cursor(cursor))
    for word in search.split():
        places = (Mailbox.address, source.host, target.host, source.user, cast(Job.id, String))
        query = query.where(or_(*(func.lower(place).contains(word.lower(), autoescape=True) for place in places)))
    with db.reading() as session:
        found = list(session.execute(query))
        page = found[:limit]
        folders = _folders(session, [row[0].id for row in page])
        samples = _recent_samples(session, [row[0].id for row in page if row[0].state == JobState.RUNNING], now)
    lines = [JobLine(**rows.job_line(row, folders.get(row[0].id, ()), samples.get(row[0].id, ()), now)) for row in page]
    return lines, rows.to_cursor(lines[-1].id) if len(found) > limit else None


def counts_by_state(db: Database) -> dict[JobState, int]:
    """How many jobs there are in each state; every state is named."""
    with db.reading() as session:
        found = dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).all())
    return {state: found.get(state, 0) for state in JobState}


def workers_alive(db: Database, now: datetime) -> int:
    """Worker processes that have shown themselves lately."""
    with db.reading() as session:
        return (
            session.scalar(select(func.count()).select_from(Worker).where(Worker.seen_at > now - WORKER_SILENCE)) or 0
        )


# ---- one job -------------------------------------------------------------------------------------------------------


def job(db: Database, job_id: int, now: datetime) -> JobView | None:
    """Everything of one job, or None."""
    query, _, _ = _with_ends()
    with db.reading() as session:
        found = session.execute(query.where(Job.id == job_id)).one_or_none()
        if found is None:
            return None
        row = found
        folders = _folders(session, [job_id]).get(job_id, ())
        recent = _recent_samples(session, [job_id], now).get(job_id, ())
        speed = progress.speed(recent) if row[0].state == JobState.RUNNING else progress.Speed()
        return JobView(
            **rows.job_line(row, folders, recent, now),
            source=rows.endpoint_view(row[2]),
            target=rows.endpoint_view(row[3]),
            options=row[0].options,
            octets_found=rows.octets_found(folders),
            octets_per_second=speed.octets,
            messages_per_second=speed.messages,
            working_seconds=row[0].working_seconds,
            folders=[rows.folder_view(folder) for folder in folders],
            failure_groups=_failure_groups(session, job_id),
            failures=_failures(session, job_id, limit=FIRST, below=0)[0],
            skips=_skips(session, job_id, folders),
            warnings=_warnings(session, job_id),
            events=_events(session, job_id),
            samples=_thinned_samples(session, job_id),
            result=row[0].result,
        )


def failures(
    db: Database, job_id: int, *, limit: int = FIRST, cursor: str | None = None
) -> tuple[list[FailureView], str | None]:
    """One page of the messages that were not carried, in the order in which they failed, and the next cursor."""
    with db.reading() as session:
        return _failures(session, job_id, limit=limit, below=rows.from_cursor(cursor) if cursor else 0)


def every_failure(db: Database, job_id: int) -> Iterator[FailureView]:
    """All of them, read page by page."""
    following: str | None = None
    while True:
        page, following = failures(db, job_id, limit=AT_ONCE, cursor=following)
        yield from page
        if following is None:
            return


def every_difference(db: Database, job_id: int) -> Iterator[Difference]:
    """All that a comparison found, read page by page."""
    below = 0
    while True:
        query = select(JobDifference).where(JobDifference.job_id == job_id, JobDifference.id > below)
        with db.reading() as session:
            found = session.scalars(query.order_by(JobDifference.id).limit(AT_ONCE)).all()
        yield from (Difference(row.folder, row.key, row.kind, row.detail) for row in found)
        if len(found) < AT_ONCE:
            return
        below = found[-1].id


def every_skip(db: Database, job_id: int) -> Iterator[SkipView]:
    """All single messages that a rule left behind, read page by page."""
    below = 0
    while True:
        with db.reading() as session:
            found = session.execute(_skipped(job_id).where(Skipped.id > below).limit(AT_ONCE)).all()
        yield from (_skip_view(row, folder) for row, folder in found)
        if len(found) < AT_ONCE:
            return
        below = found[-1][0].id


def skip_counts(db: Database, job_id: int) -> list[SkipView]:
    """How many single messages which rule left behind, by folder."""
    query = (
        select(Folder.name, Skipped.rule, func.count())
        .join(Folder, Folder.id == Skipped.folder_id)
        .where(Skipped.job_id == job_id)
        .group_by(Folder.name, Skipped.rule)
        .order_by(Folder.name, Skipped.rule)
    )
    with db.reading() as session:
        return [SkipView(folder=name, key="", rule=rule, count=count) for name, rule, count in session.execute(query)]


def report(db: Database, job_id: int, now: datetime) -> Report | None:
    """The report of a job; None where there is no such job, or one that goes through no folders."""
    view = job(db, job_id, now)
    if view is None or view.kind not in REPORTED:
        return None
    return Report(
        job=view,
        at=now,
        skip_counts=skip_counts(db, job_id),
        stored_failures=functools.partial(every_failure, db, job_id),
        stored_differences=functools.partial(every_difference, db, job_id),
        stored_skips=functools.partial(every_skip, db, job_id),
    )


def status_by_token(db: Database, token: str, now: datetime) -> StatusView | None:
    """What the customer's link shows; None when it is unknown, revoked or expired."""
    query, _, _ = _with_ends()
    with db.reading() as session:
        link = session.scalar(
            select(StatusLink).where(
                StatusLink.token_hash == token_hash(token),
                StatusLink.revoked_at.is_(None),
                StatusLink.expires_at > now,
            )
        )
        if link is None:
            return None
        row = session.execute(query.where(Job.id == link.job_id)).one()
        folders = _folders(session, [link.job_id]).get(link.job_id, ())
        recent = _recent_samples(session, [link.job_id], now).get(link.job_id, ())
        line = JobLine(**rows.job_line(row, folders, recent, now))
        return StatusView(
            address=line.address,
            kind=line.kind,
            state=line.state,
            percent=line.percent,
            counts=line.counts,
            octets=line.octets,
            octets_found=rows.octets_found(folders),
            eta_seconds=line.eta_seconds,
            created_at=line.created_at,
            started_at=line.started_at,
            finished_at=line.finished_at,
            waiting_until=line.waiting_until,
            needs_person=line.state in _NEEDS_PERSON,
            error_code=str((line.error or {}).get("code", "")),
            expires_at=link.expires_at,
        )


def node_of(db: Database, job_id: int) -> str:
    """The storage node whose workers do this job, or empty: any worker."""
    with db.reading() as session:
        return session.scalar(select(node_of_job()).where(Job.id == job_id)) or ""


def counts(db: Database, job_id: int) -> Counts:
    """The job's sum as it stands now."""
    with db.reading() as session:
        return progress.total(map(rows.counts, _folders(session, [job_id]).get(job_id, ())))


# ---- inside: one job's parts ---------------------------------------------------------------------------------------


def _with_ends() -> tuple[_Query, type[Endpoint], type[Endpoint]]:
    source, target = aliased(Endpoint), aliased(Endpoint)
    query = (
        select(Job, Mailbox, source, target)
        .join(Mailbox, Mailbox.id == Job.mailbox_id)
        .join(source, source.id == Job.source_id)
        .join(target, target.id == Job.target_id)
    )
    return query, source, target


def _folders(session: Session, job_ids: Sequence[int]) -> dict[int, list[JobFolder]]:
    found = session.scalars(
        select(JobFolder)
        .where(JobFolder.job_id.in_(job_ids))
        .order_by(JobFolder.job_id, JobFolder.position, JobFolder.id)
    )
    return {job_id: list(group) for job_id, group in itertools.groupby(found, lambda folder: folder.job_id)}


def _recent_samples(session: Session, job_ids: Sequence[int], now: datetime) -> dict[int, list[SampleView]]:
    """The samples that speed is made of."""
    found = session.scalars(
        select(JobSample)
        .where(JobSample.job_id.in_(job_ids), JobSample.at > now - 2 * progress.WINDOW)
        .order_by(JobSample.job_id, JobSample.at, JobSample.id)
    )
    groups = itertools.groupby(found, lambda sample: sample.job_id)
    return {job_id: [rows.sample_view(sample) for sample in group] for job_id, group in groups}


def _thinned_samples(session: Session, job_id: int) -> list[SampleView]:
    """At most MOST_SAMPLES, evenly spread, first and last among them."""
    mine = JobSample.job_id == job_id
    last = (session.scalar(select(func.count()).select_from(JobSample).where(mine)) or 0) - 1
    step = max(1, -(-last // (MOST_SAMPLES - 1)))
    place = (func.row_number().over(order_by=(JobSample.at, JobSample.id)) - 1).label("place")
    placed = select(JobSample.id, place).where(mine).subquery()
    found = session.scalars(
        select(JobSample)
        .join(placed, placed.c.id == JobSample.id)
        .where(or_(placed.c.place % step == 0, placed.c.place == last))
        .order_by(placed.c.place)
    )
    return [rows.sample_view(sample) for sample in found]


def _failures(session: Session, job_id: int, *, limit: int, below: int) -> tuple[list[FailureView], str | None]:
    """From the row after `below` on."""
    names = ("folder_id", "origin_validity", "origin_uid", "origin_name")
    same = and_(*(getattr(Quarantined, name) == getattr(Failure, name) for name in names))
    found = session.execute(
        select(Failure, Folder.name, Quarantined)
        .join(Folder, Folder.id == Failure.folder_id)
        .outerjoin(Quarantined, same)
        .where(Failure.job_id == job_id, Failure.id > below)
        .order_by(Failure.id)
        .limit(limit + 1)
    ).all()
    page = [rows.failure_view(row, folder, kept) for row, folder, kept in found[:limit]]
    return page, rows.to_cursor(found[limit - 1][0].id) if len(found) > limit else None


def _failure_groups(session: Session, job_id: int) -> list[FailureGroup]:
    """One per reason, the most frequent first."""
    found = session.execute(
        select(Failure.reason, Folder.name, func.count(), func.max(Failure.size), func.max(Failure.detail))
        .join(Folder, Folder.id == Failure.folder_id)
        .where(Failure.job_id == job_id)
        .group_by(Failure.reason, Folder.name)
        .order_by(Failure.reason, Folder.name)
    ).all()
    groups: list[FailureGroup] = []
    for reason, group in itertools.groupby(found, lambda row: row[0]):
        _, folders, counts, sizes, details = zip(*group, strict=True)
        groups.append(
            FailureGroup(reason=reason, count=sum(counts), folders=folders, largest=max(sizes), detail=details[0])
        )
    return sorted(groups, key=lambda group: -group.count)


def _skips(session: Session, job_id: int, folders: Sequence[JobFolder]) -> list[SkipView]:
    """Whole folders first, then messages."""
    whole = [
        SkipView(folder=folder.source_name, key="", rule=folder.reason, count=rows.counts(folder).skipped)
        for folder in folders
        if folder.excluded
    ]
    found = session.execute(_skipped(job_id).limit(FIRST))
    return (whole + [_skip_view(row, folder) for row, folder in found])[:FIRST]


def _skipped(job_id: int) -> Select[Skipped, str]:
    """Single messages, in the order in which they were skipped."""
    return (
        select(Skipped, Folder.name)
        .join(Folder, Folder.id == Skipped.folder_id)
        .where(Skipped.job_id == job_id)
        .order_by(Skipped.id)
    )


def _skip_view(row: Skipped, folder: str) -> SkipView:
    return SkipView(folder=folder, key=rows.key(row), rule=row.rule)


def _warnings(session: Session, job_id: int) -> list[WarningView]:
    found = session.scalars(select(JobWarning).where(JobWarning.job_id == job_id).order_by(JobWarning.id))
    return [WarningView(code=row.code, folder=row.folder, detail=row.detail) for row in found]


def _events(session: Session, job_id: int) -> list[EventView]:
    found = session.scalars(
        select(JobEventRow).where(JobEventRow.job_id == job_id).order_by(JobEventRow.id.desc()).limit(NEWEST_EVENTS)
    )
    return [rows.event_view(row) for row in found]


def has_failures(db: Database, job_id: int) -> bool:
    """Whether the job names a message that it could not carry."""
    return next(every_failure(db, job_id), None) is not None


def carried(db: Database, source: str, target: str) -> int:
    """Octets that jobs have brought from one account to the other, each by its identity."""
    query = (
        select(func.coalesce(func.sum(LedgerEntry.size), 0))
        .join(Folder, LedgerEntry.origin_folder_id == Folder.id)
        .join(Mailbox, Folder.mailbox_id == Mailbox.id)
        .where(Mailbox.route == f"{source} -> {target}", LedgerEntry.stand == Stand.CONFIRMED.value)
    )
    with db.reading() as session:
        return int(session.execute(query).scalar_one())
