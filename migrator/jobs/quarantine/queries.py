"""What lies in quarantine, as pages, API and command show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from migrator.db.models import Folder, Job, Mailbox, Quarantined
from migrator.db.quarantine import Damaged, octets_of
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import rows


@dataclass(frozen=True, slots=True)
class KeptView:
    """One message that a new server would not take. `gone`: why its octets are here no more; empty: they are here."""

    id: int
    job: int
    """That tried it last."""
    folder: str
    key: str
    target: str
    message_id: str
    reason: str
    detail: str
    size: int
    at: datetime
    gone: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A message's octets."""

    name: str
    """For a file."""
    size: int
    octets: Iterator[bytes]


def mailbox_of(db: Database, route: str) -> int | None:
    """The number of this pair of accounts."""
    with db.reading() as session:
        return session.scalar(select(Mailbox.id).where(Mailbox.route == route))


def of_job(db: Database, job_id: int) -> int:
    """How many messages of a job's mailbox could be put in."""
    with db.reading() as session:
        mailbox = session.scalar(select(Job.mailbox_id).where(Job.id == job_id))
    return 0 if mailbox is None else number_here(db, mailbox)


def number_here(db: Database, mailbox_id: int) -> int:
    """How many messages of a mailbox could be put in."""
    query = select(func.count()).where(Quarantined.mailbox_id == mailbox_id, Quarantined.sealed_key.is_not(None))
    with db.reading() as session:
        return session.scalar(query) or 0


def kept(db: Database, route: str, *, limit: int, cursor: str | None = None) -> tuple[list[KeptView], str | None]:
    """One page of what was ever kept of a pair of accounts, and the cursor of the next one."""
    query = (
        select(Quarantined, Folder.name)
        .join(Folder, Folder.id == Quarantined.folder_id)
        .join(Mailbox, Mailbox.id == Quarantined.mailbox_id)
        .where(Mailbox.route == route, Quarantined.id > (rows.from_cursor(cursor) if cursor else 0))
        .order_by(Quarantined.id)
        .limit(limit + 1)
    )
    with db.reading() as session:
        found = session.execute(query).all()
    page = [_view(row, folder) for row, folder in found[:limit]]
    return page, rows.to_cursor(page[-1].id) if len(found) > limit else None


def mail(db: Database, vault: Vault, item_id: int) -> Mail | None:
    """One message's octets; None where they are not here. Iterating raises Damaged; raises CannotUnseal."""
    with db.reading() as session:
        row = session.get(Quarantined, item_id)
        if row is None or row.sealed_key is None:
            return None
        folder = session.get_one(Folder, row.folder_id).name
    return Mail(f"{folder}-{rows.key(row)}.eml", row.size, iter(octets_of(db, vault, row)))


def _view(row: Quarantined, folder: str) -> KeptView:
    return KeptView(
        id=row.id,
        job=row.job_id,
        folder=folder,
        key=rows.key(row),
        target=row.target_name,
        message_id=row.message_id,
        reason=row.reason,
        detail=row.detail,
        size=row.size,
        at=row.at,
        gone=row.gone or ("" if row.sealed_key is not None else "not_kept"),
    )


__all__ = ["Damaged", "KeptView", "Mail", "kept", "mail", "mailbox_of", "number_here", "of_job"]
