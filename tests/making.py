"""Orders and jobs for tests, with everything that a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from migrator.db.ledger import SqlLedger
from migrator.db.models import Job
from migrator.db.quarantine import SqlQuarantine
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import operations
from migrator.jobs.orders import NewEndpoint, NewJob
from migrator.jobs.states import JobKind, JobState
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Detained, Letter, Want
from migrator.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OLD_PASSWORD = "old-Geheim-8472"
NEW_PASSWORD = "new-Geheim-1739"


def endpoint(side: str = "old", user: str = "anna@example.org", **changes: Any) -> NewEndpoint:
    values: dict[str, Any] = {
        "protocol": "imap",
        "host": f"mail.{side}.example",
        "port": 993,
        "security": "tls",
        "user": user,
        "password": OLD_PASSWORD if side == "old" else NEW_PASSWORD,
    }
    return NewEndpoint(**(values | changes))


def order(user: str = "anna@example.org", *, kind: JobKind = JobKind.COPY, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "kind": kind,
        "source": endpoint("old", user),
        "target": endpoint("new", user),
        "options": {},
        "created_by": "staff@hoster.example",
    }
    return NewJob(**(values | changes))


def job(
    db: Database,
    vault: Vault,
    settings: Settings,
    new: NewJob | None = None,
    *,
    state: JobState | None = None,
    now: datetime = NOW,
    **columns: Any,
) -> int:
    """A job of that order; `state` and `columns` are then written into its row, past all rules."""
    job_id = operations.create(db, vault, new or order(), settings=settings, now=now)
    values = ({"state": state} if state else {}) | columns
    if values:
        with db.writing() as session:
            session.execute(update(Job).where(Job.id == job_id).values(**values))
    return job_id


def add(db: Database, *rows: object) -> None:
    """Write these rows."""
    with db.writing() as session:
        session.add_all(rows)


def kept(db: Database, vault: Vault, job_id: int, key: MessageKey, octets: bytes, *, folder: str = "INBOX") -> None:
    """The new server did not take this message, and it lies in quarantine."""
    job = row(db, job_id)
    ledger = SqlLedger(db, job_id=job_id, mailbox_id=job.mailbox_id, fence=job.fence)
    here = SqlQuarantine(db, lambda: vault, ledger, 10**9)
    here.detain(folder, folder, [Detained(Row(key, len(octets), frozenset(), NOW), "refused", "NO virus", "<1@x>")])
    here.keep(Letter(Want(folder, key, len(octets)), octets[:1000], len(octets), lambda: iter([octets])))


def row(db: Database, job_id: int) -> Job:
    """The row as it stands now."""
    with db.reading() as session:
        return session.get_one(Job, job_id)
