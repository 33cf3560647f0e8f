"""Writing what concerns archives: passes that come by themselves, retention, destruction, what was found in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from migrator.db.models import Archive, ArchivePass, Endpoint, Job
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import Fenced
from migrator.jobs import lease as leases
from migrator.jobs import making
from migrator.jobs.keeping import rows
from migrator.jobs.keeping.rows import ArchiveBusy, ArchiveDestroyed, NoSuchArchive, OnlyCopy, StillOpen
from migrator.jobs.keeping.views import PassFacts
from migrator.jobs.lease import Lease
from migrator.jobs.orders import Invalid, Keeping, check_keeping, check_password
from migrator.jobs.states import JobEvent, JobKind
from migrator.settings import Settings

__all__ = [
    "ArchiveBusy",
    "ArchiveDestroyed",
    "NoSuchArchive",
    "OnlyCopy",
    "StillOpen",
    "adjust",
    "clear",
    "close",
    "destroy",
    "keep",
    "let_customer_fetch",
    "order_pass",
    "prolong",
    "record_check",
    "record_passes",
    "reopen",
    "tick",
    "withdraw_removals",
]

_BY_ITSELF: Final = "schedule"
_REMOVALS_EVERY: Final = timedelta(days=1)


# ---- what workers found --------------------------------------------------------------------------------------------


def record_passes(db: Database, lease: Lease, file_octets: int, passes: list[PassFacts]) -> None:
    """Keep the points in time that the file has, and no others: an older file may have been put back. Raises Fenced."""
    with db.writing() as session:
        archive = _held(session, lease)
        known = _known(session, archive, passes)
        archive.octets = file_octets
        for one in passes:
            if one.number not in known:
                session.add(
                    ArchivePass(
                        archive_id=archive.id, number=one.number, job_id=lease.job_id, began_at=one.began,
                        ended_at=one.ended, found=one.found, missing=one.missing, octets=one.octets,
                    )
                )  # fmt: skip
        if archive.leave_days is not None and archive.source_id is not None:
            archive.next_removal_at = passes[-1].ended if passes else None


def _known(session: Session, archive: Archive, passes: list[PassFacts]) -> set[int]:
    """The numbers of those that the database has as the file has them; others are forgotten."""
    there, known = {one.number: one.ended for one in passes}, set[int]()
    for row in session.scalars(select(ArchivePass).where(ArchivePass.archive_id == archive.id)):
        damaged = row.number not in there and row.number < max(there, default=0)
        if damaged or there.get(row.number) == row.ended_at:
            known.add(row.number)
        else:
            session.delete(row)
    session.flush()
    return known


def record_check(db: Database, lease: Lease, found: Mapping[str, Any], now: datetime) -> None:
    """Keep what a check found. Raises Fenced."""
    with db.writing() as session:
        archive = _held(session, lease)
        archive.checked_at, archive.check = now, dict(found)


def _held(session: Session, lease: Lease) -> Archive:
    """The archive of a job, under the job's fence."""
    job = session.scalar(select(Job).where(Job.id == lease.job_id, Job.fence == lease.fence).with_for_update())
    if job is None:
        raise Fenced("Another worker took this job over.")
    ends = Endpoint.id.in_((job.source_id, job.target_id))
    archive_id = session.scalar(select(Endpoint.archive_id).where(ends, Endpoint.archive_id.is_not(None)))
    assert archive_id is not None
    return rows.locked(session, archive_id)


# ---- what people decide --------------------------------------------------------------------------------------------


def keep(
    db: Database,
    vault: Vault,
    archive_id: int,
    wanted: Keeping,
    *,
    password: str | None = None,
    settings: Settings,
    actor: str,
    now: datetime | None = None,
) -> None:
    """Have passes and removals come by themselves, or no more (`Keeping()`; the password is then wiped).

    The old end is that of the last pass; `password` where none is stored for it. Raises Invalid, NoSuchArchive,
    ArchiveDestroyed.
    """
    adjust(db, vault, archive_id, lambda _: wanted, password=password, settings=settings, actor=actor, now=now)


def adjust(
    db: Database,
    vault: Vault,
    archive_id: int,
    change: Callable[[Keeping], Keeping],
    *,
    password: str | None = None,
    settings: Settings,
    actor: str,
    now: datetime | None = None,
) -> None:
    """Like `keep`, where a part of it stays: `change` makes what shall come by itself out of what does so now."""
    moment = now or datetime.now(UTC)
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        wanted = change(rows.kept(archive))
        check_keeping(wanted, by_pop3=archive.account.startswith("pop3:"))
        withdraw_removals(session, archive, actor, moment)
        if wanted == Keeping():
            rows.stop_keeping(session, archive)
            return
        source = _old_end(session, vault, archive, password)
        rows.keep(session, archive, wanted, source.id, actor, settings, moment)


def order_pass(
    db: Database, vault: Vault, archive_id: int, *, password: str | None = None, actor: str, now: datetime | None = None
) -> int:
    """Another pass, like the last one, as soon as a worker is free; returns the job. The sweep puts it into the queue.

    `password` where none is stored for the old end. Raises Invalid, NoSuchArchive, ArchiveDestroyed.
    """
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        source = _old_end(session, vault, archive, password)
        return _order(session, archive, JobKind.ARCHIVE, source.id, by=actor, now=now or datetime.now(UTC))


def _old_end(session: Session, vault: Vault, archive: Archive, password: str | None) -> Endpoint:
    """That of the last pass, with its password: this one, or the one that is stored. Raises Invalid."""
    rows.refuse_closed(archive)
    last = rows.last_pass(session, archive)
    assert last is not None  # an archive is made with its first pass
    source = session.get_one(Endpoint, archive.source_id or last.source_id)
    if password is not None:
        check_password("source", password)
        source.credential = vault.seal(password, making.credential_context(source.id))
        source.credential_wiped_at = None
    if source.credential is None:
        raise Invalid([("source.password", "missing", "The password of the old server is not stored any more.")])
    return source


def let_customer_fetch(db: Database, archive_id: int, allowed: bool) -> None:
    """Whether whoever has the customer's link may fetch this archive. Raises NoSuchArchive, ArchiveDestroyed."""
    with db.writing() as session:
        rows.living(session, archive_id).customer_may_fetch = allowed


def close(
    db: Database, archive_id: int, *, settings: Settings, until: datetime | None = None, now: datetime | None = None
) -> datetime:
    """The transfer is closed: no pass comes any more, the password is wiped, the archive expires; returns when.

    `until`: keep it longer than `keep_archives_days` says; never shorter. Without it a date that was given before
    stays. Raises NoSuchArchive, ArchiveDestroyed, Invalid.
    """
    moment = now or datetime.now(UTC)
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        archive.closed_at = archive.closed_at or moment
        expires = _expire(archive, archive.closed_at, until, settings)
        withdraw_removals(session, archive, _BY_ITSELF, moment)
        rows.stop_keeping(session, archive)
        return expires


def prolong(db: Database, archive_id: int, until: datetime, *, settings: Settings) -> None:
    """Keep an archive whose transfer is closed until then.

    Raises NoSuchArchive, ArchiveDestroyed, StillOpen, Invalid.
    """
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        if archive.closed_at is None:
            raise StillOpen(f"The transfer of the archive {archive_id} is open: it does not expire.")
        _expire(archive, archive.closed_at, until, settings)


def _expire(archive: Archive, closed: datetime, until: datetime | None, settings: Settings) -> datetime:
    earliest = closed + timedelta(days=settings.keep_archives_days)
    if until is not None and until < earliest:
        raise Invalid([("until", "too_early", f"It is kept until {earliest:%Y-%m-%d} at least.")])
    archive.expires_at = until or max(earliest, archive.expires_at or earliest)
    return archive.expires_at


def reopen(db: Database, archive_id: int) -> None:
    """The transfer goes on after all: the archive does not expire. Raises NoSuchArchive, ArchiveDestroyed."""
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        archive.closed_at = archive.expires_at = None


def destroy(
    db: Database,
    archive_id: int,
    *,
    actor: str,
    reason: str,
    even_the_only_copy: bool = False,
    now: datetime | None = None,
) -> None:
    """Destroy the key, now and for good; the file goes next (`tick`). Jobs that wait for it are cancelled.

    `even_the_only_copy`: somebody was told that it may be that. Raises NoSuchArchive, ArchiveDestroyed,
    ArchiveBusy, OnlyCopy, Invalid (no reason given).
    """
    if not reason.strip():
        raise Invalid([("reason", "missing", "Say why: it stands in the proof of destruction.")])
    with db.writing() as session:
        archive = rows.living(session, archive_id)
        if not even_the_only_copy and rows.is_only_copy(session, archive):
            raise OnlyCopy(f"The archive {archive_id} may hold the only copy of its mail.")
        _destroy(session, archive, actor, reason.strip(), now or datetime.now(UTC))


def _destroy(session: Session, archive: Archive, actor: str, reason: str, now: datetime) -> None:
    for job in rows.unfinished(session, archive.id):
        if leases.is_alive(job, now):
            raise ArchiveBusy(f"A worker works with the archive {archive.id} now.")
        ended = {**leases.LEFT, "fence": job.fence + 1, "finished_at": now}
        leases.move(session, job, JobEvent.CANCEL, now, fence=job.fence, actor=actor, values=ended)
        leases.wipe(session, job.source_id, job.target_id, now)
    rows.stop_keeping(session, archive)
    archive.sealed_key, archive.customer_may_fetch = None, False
    archive.destroyed_at, archive.destroyed_by, archive.destroyed_reason = now, actor, reason


def withdraw_removals(session: Session, archive: Archive, actor: str, now: datetime) -> None:
    """Removals that were ordered by themselves do not outlive the wish that they were ordered for.

    One that runs is asked to stop. What a person ordered once is left alone.
    """
    for job in rows.unfinished(session, archive.id):
        if job.kind != JobKind.REMOVE or job.created_by != _BY_ITSELF:
            continue
        if leases.is_alive(job, now):
            job.wish = "cancel"
            continue
        ended = {**leases.LEFT, "fence": job.fence + 1, "finished_at": now}
        leases.move(session, job, JobEvent.CANCEL, now, fence=job.fence, actor=actor, values=ended)


# ---- what comes by itself ------------------------------------------------------------------------------------------


def tick(db: Database, settings: Settings, now: datetime) -> list[tuple[int, str]]:
    """Order the passes and removals that are due, destroy the keys of what has expired.

    Returns the archives whose files are still to be removed, each with its storage node. May run at any time, and
    twice: what was done is not done again.
    """
    due = or_(Archive.next_pass_at <= now, Archive.next_removal_at <= now, Archive.expires_at <= now)
    with db.reading() as session:  # all of them: some stay due as long as something stands in their way
        wanted = session.scalars(select(Archive.id).where(Archive.destroyed_at.is_(None), due)).all()
    for archive_id in wanted:
        with db.writing() as session:
            archive = rows.locked(session, archive_id)
            if archive.destroyed_at is None:
                _advance(session, archive, settings, now)
    with db.reading() as session:
        left = select(Archive.id, Archive.node).where(
            Archive.destroyed_at.is_not(None), Archive.file_removed_at.is_(None)
        )
        return [(archive_id, node) for archive_id, node in session.execute(left.order_by(Archive.id))]


def _advance(session: Session, archive: Archive, settings: Settings, now: datetime) -> None:
    waiting = rows.unfinished(session, archive.id)
    if archive.expires_at is not None and archive.expires_at <= now:
        if not any(leases.is_alive(job, now) for job in waiting) and not rows.is_only_copy(session, archive):
            _destroy(session, archive, _BY_ITSELF, "retention", now)
        return
    kinds = {job.kind for job in waiting}
    if archive.next_pass_at is not None and archive.next_pass_at <= now:
        if JobKind.ARCHIVE not in kinds:
            _order_by_itself(session, archive, JobKind.ARCHIVE, now)
        rows.plan_next_pass(archive, settings, now)
    elif archive.next_removal_at is not None and archive.next_removal_at <= now and not kinds & _AT_THE_OLD_SERVER:
        _order_by_itself(session, archive, JobKind.REMOVE, now)
        archive.next_removal_at = now + _REMOVALS_EVERY


_AT_THE_OLD_SERVER: Final = frozenset({JobKind.ARCHIVE, JobKind.REMOVE})


def _order_by_itself(session: Session, archive: Archive, kind: JobKind, now: datetime) -> None:
    assert archive.source_id is not None  # `rows.keep` sets it
    _order(session, archive, kind, archive.source_id, by=_BY_ITSELF, now=now)


def _order(session: Session, archive: Archive, kind: JobKind, source_id: int, *, by: str, now: datetime) -> int:
    last = rows.last_pass(session, archive)
    options: dict[str, Any] = dict(last.options) if last is not None else {}
    if kind is JobKind.REMOVE:
        options = {"after_days": archive.leave_days, "wish": archive.leave_wish}
    return making.add_job(
        session,
        kind,
        mailbox_id=making.mailbox(session, rows.route(archive), archive.address, now),
        ends=(source_id, rows.end_of(session, archive).id),
        options=options,
        by=by,
        now=now,
        dispatched=False,
    )


def clear(
    db: Database,
    archive_id: int,
    node: str,
    remove: Callable[[str], None],
    sign: Callable[[dict[str, Any]], dict[str, Any]],
    now: datetime,
) -> bool:
    """On the storage node `node`: remove a destroyed archive's file, and leave the proof. False: nothing to do here.

    `remove` is given the file's name, and does nothing where it is gone already; what it raises is raised, and the
    archive waits for the next time. `sign` adds key and signature.
    """
    with db.reading() as session:
        archive = session.get(Archive, archive_id)
    if archive is None or archive.destroyed_at is None or archive.node != node or archive.file_removed_at is not None:
        return False
    if archive.octets or _was_begun(db, archive_id):
        remove(archive.file)
    with db.writing() as session:
        archive = rows.locked(session, archive_id)
        if archive.file_removed_at is not None:  # by somebody else, meanwhile: a proof stays as it was given
            return False
        archive.file_removed_at = now
        archive.proof = sign(_proof(session, archive))
    return True


def _was_begun(db: Database, archive_id: int) -> bool:
    """Whether any worker ever took a job of this archive: before that it has no file."""
    with db.reading() as session:
        ends = select(Endpoint.id).where(Endpoint.archive_id == archive_id)
        begun = select(Job.id).where(Job.started_at.is_not(None), Job.source_id.in_(ends) | Job.target_id.in_(ends))
        return session.scalar(begun.limit(1)) is not None


def _proof(session: Session, archive: Archive) -> dict[str, Any]:
    points = session.scalars(
        select(ArchivePass).where(ArchivePass.archive_id == archive.id).order_by(ArchivePass.number)
    ).all()
    times = {
        name: getattr(archive, name)
        for name in ("created_at", "closed_at", "expires_at", "destroyed_at", "file_removed_at")
    }
    return {
        "format": "postwagen-destruction-1",
        "archive": archive.id,
        "account": archive.account,
        "file": archive.file,
        "octets": archive.octets,
        "points_in_time": len(points),
        "messages": points[-1].found - points[-1].missing if points else 0,
        **{name: at.isoformat() if at else None for name, at in times.items()},
        "destroyed_by": archive.destroyed_by,
        "reason": archive.destroyed_reason,
    }
