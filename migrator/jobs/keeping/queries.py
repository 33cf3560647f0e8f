"""Reading archives: what pages and API show, as the values of `views`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from migrator.accounts import token_hash
from migrator.db.models import Archive, ArchivePass, Endpoint, Job, JobFolder, StatusLink, Worker
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs.keeping.rows import (
    NODE_SILENCE,
    ArchiveDestroyed,
    NoSuchArchive,
    is_only_copy,
    kept,
    key_context,
    latest_pass,
)
from migrator.jobs.keeping.views import ArchiveLine, ArchiveState, ArchiveView, NodeView, PassView
from migrator.jobs.rows import counts, from_cursor, to_cursor
from migrator.sessions.endpoint import Endpoint as End
from migrator.sessions.endpoint import archive_end

MOST_POINTS: Final = 400
NEWEST_JOBS: Final = 20


def archives(
    db: Database, *, search: str = "", limit: int = 50, cursor: str | None = None
) -> tuple[list[ArchiveLine], str | None]:
    """One page, newest first, and the cursor of the next one. `search`: part of an address or account, or a number.

    Raises UsageError for a cursor that is none of ours.
    """
    query = select(Archive).order_by(Archive.id.desc()).limit(limit + 1)
    if cursor:
        query = query.where(Archive.id < from_cursor(cursor))
    for word in search.split():
        texts = (Archive.address, Archive.account)
        found = or_(*(func.lower(text).contains(word.lower(), autoescape=True) for text in texts))
        is_number = word.isascii() and word.isdigit() and len(word) < 19
        query = query.where(or_(found, Archive.id == int(word)) if is_number else found)
    with db.reading() as session:
        rows = list(session.scalars(query))
        latest, numbers = _latest(session, [row.id for row in rows])
    lines = [ArchiveLine(**_line(row, latest.get(row.id), numbers.get(row.id, 0))) for row in rows[:limit]]
    return lines, to_cursor(lines[-1].id) if len(rows) > limit else None


def archive(db: Database, archive_id: int) -> ArchiveView | None:
    """Everything of one archive, or None."""
    with db.reading() as session:
        row = session.get(Archive, archive_id)
        if row is None:
            return None
        latest, numbers = _latest(session, [archive_id])
        points = session.scalars(
            select(ArchivePass)
            .where(ArchivePass.archive_id == archive_id)
            .order_by(ArchivePass.number.desc())
            .limit(MOST_POINTS)
        )
        source = session.get(Endpoint, row.source_id) if row.source_id is not None else None
        return ArchiveView(
            **_line(row, latest.get(row.id), numbers.get(row.id, 0)),
            created_at=row.created_at,
            created_by=row.created_by,
            window=kept(row).window,
            leave_days=row.leave_days,
            leave_wish=row.leave_wish,
            by_pop3=row.account.startswith("pop3:"),
            credential_kept=source is not None and source.credential is not None,
            customer_may_fetch=row.customer_may_fetch,
            is_only_copy=row.destroyed_at is None and is_only_copy(session, row),
            closed_at=row.closed_at,
            check=row.check,
            destroyed_by=row.destroyed_by,
            destroyed_reason=row.destroyed_reason,
            file_removed_at=row.file_removed_at,
            proof=row.proof,
            points=[_point(point) for point in points],
            folders=_folders(session, latest.get(row.id)),
            jobs=_jobs(session, archive_id),
        )


def opening(db: Database, vault: Vault, archive_id: int, directory: Path) -> End:
    """The archive as an end that can be opened where `directory` holds its file.

    Raises NoSuchArchive, ArchiveDestroyed; the credential raises CannotUnseal.
    """
    with db.reading() as session:
        row = session.get(Archive, archive_id)
        latest = latest_pass(session, archive_id)
    if row is None:
        raise NoSuchArchive(f"There is no archive {archive_id}.")
    sealed = row.sealed_key
    if sealed is None:
        raise ArchiveDestroyed(f"The archive {archive_id} was destroyed.")
    key = lambda: vault.unseal(sealed, key_context(archive_id))  # noqa: E731 - a supplier
    return archive_end(directory / row.file, key, row.account, latest=latest)


def fetchable(db: Database, token: str, now: datetime) -> int | None:
    """The archive that the customer with this link may fetch, or None."""
    with db.reading() as session:
        return session.scalar(
            select(Archive.id)
            .join(Endpoint, Endpoint.archive_id == Archive.id)
            .join(Job, or_(Job.source_id == Endpoint.id, Job.target_id == Endpoint.id))
            .join(StatusLink, StatusLink.job_id == Job.id)
            .where(
                StatusLink.token_hash == token_hash(token),
                StatusLink.revoked_at.is_(None),
                StatusLink.expires_at > now,
                Archive.customer_may_fetch,
                Archive.destroyed_at.is_(None),
                select(ArchivePass.id).where(ArchivePass.archive_id == Archive.id).exists(),
            )
            .limit(1)
        )


def nodes(db: Database, now: datetime) -> list[NodeView]:
    """The storage nodes that have archives or living workers, by name."""
    with db.reading() as session:
        living = select(Worker.node, func.max(Worker.free_octets)).where(
            Worker.seen_at > now - NODE_SILENCE, Worker.node != ""
        )
        free = dict(session.execute(living.group_by(Worker.node)).all())
        held = select(Archive.node, func.count(), func.sum(Archive.octets)).where(Archive.file_removed_at.is_(None))
        taken = {node: (count, int(octets)) for node, count, octets in session.execute(held.group_by(Archive.node))}
    return [NodeView(node, *taken.get(node, (0, 0)), free.get(node)) for node in sorted(free.keys() | taken.keys())]


# ---- inside --------------------------------------------------------------------------------------------------------


def _line(row: Archive, latest: ArchivePass | None, number: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": _state(row, latest),
        "address": row.address,
        "account": row.account,
        "node": row.node,
        "octets": row.octets,
        "passes": number,
        "latest": _point(latest) if latest is not None else None,
        "every_hours": row.every_hours,
        "next_pass_at": row.next_pass_at,
        "checked_at": row.checked_at,
        "healthy": bool(row.check.get("healthy")) if row.check else None,
        "expires_at": row.expires_at,
        "destroyed_at": row.destroyed_at,
    }


def _state(row: Archive, latest: ArchivePass | None) -> ArchiveState:
    if row.destroyed_at is not None:
        return ArchiveState.DESTROYED
    if row.closed_at is not None:
        return ArchiveState.CLOSED
    return ArchiveState.KEPT if latest is not None else ArchiveState.EMPTY


def _point(row: ArchivePass) -> PassView:
    return PassView(row.number, row.began_at, row.ended_at, row.found, row.missing, row.octets, row.job_id)


def _latest(session: Session, ids: Sequence[int]) -> tuple[dict[int, ArchivePass], dict[int, int]]:
    """The latest point in time of each archive, and how many there are."""
    mine = ArchivePass.archive_id.in_(ids)
    numbers = session.execute(
        select(ArchivePass.archive_id, func.count(), func.max(ArchivePass.number))
        .where(mine)
        .group_by(ArchivePass.archive_id)
    ).all()
    newest = {(archive_id, highest) for archive_id, _, highest in numbers}
    rows = session.scalars(select(ArchivePass).where(mine, ArchivePass.number.in_({last for _, last in newest})))
    latest = {row.archive_id: row for row in rows if (row.archive_id, row.number) in newest}
    return latest, {archive_id: count for archive_id, count, _ in numbers}


def _folders(session: Session, latest: ArchivePass | None) -> list[tuple[str, int, int]]:
    if latest is None or latest.job_id is None:
        return []
    rows = session.scalars(
        select(JobFolder)
        .where(JobFolder.job_id == latest.job_id, JobFolder.excluded.is_(False))
        .order_by(JobFolder.position, JobFolder.id)
    )
    return [(row.source_name, row.levels, counts(row).found) for row in rows]


def _jobs(session: Session, archive_id: int) -> list[int]:
    ends = select(Endpoint.id).where(Endpoint.archive_id == archive_id)
    found = select(Job.id).where(or_(Job.source_id.in_(ends), Job.target_id.in_(ends)))
    return list(session.scalars(found.order_by(Job.id.desc()).limit(NEWEST_JOBS)))
