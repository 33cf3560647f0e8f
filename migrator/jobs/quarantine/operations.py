"""Replaying what lies in quarantine, and letting go of it when its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import select

from migrator.db.models import Endpoint, Job, Quarantined
from migrator.db.quarantine import let_go
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import UsageError
from migrator.jobs import making
from migrator.jobs.operations import CredentialsWiped, NotFound, WrongState
from migrator.jobs.orders import check_options, check_password
from migrator.jobs.states import JobEvent, JobKind, JobState

_AS_BEFORE: Final = ("repair", "connections", "recreated")
"""Options of the job that hold for its replay too; folders go where they were to go."""
_AT_WORK: Final = frozenset({JobState.QUEUED, JobState.RUNNING})


class NothingKept(UsageError):
    """Nothing of this mailbox lies in quarantine."""

    code: ClassVar[str] = "nothing_kept"
    hint: ClassVar[str] = "Try the job itself again: what is not in quarantine is read from the old server."


def replay(
    db: Database,
    vault: Vault,
    job_id: int,
    *,
    actor: str,
    target_password: str = "",
    options: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> int:
    """A new job, QUEUED and committed, that puts in what the new server would not take of this job's mailbox.

    The old server is not asked, and need not be there. `options` are laid over those of the job. Raises NotFound,
    WrongState (it is at work itself), NothingKept, CredentialsWiped, Invalid.
    """
    moment = now or datetime.now(UTC)
    check_options(options or {}, JobKind.COPY)
    if target_password:
        check_password("target", target_password)
    with db.writing() as session:
        job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        if job.state in _AT_WORK:
            raise WrongState(JobState(job.state), JobEvent.RETRY)
        here = select(Quarantined.id).where(
            Quarantined.mailbox_id == job.mailbox_id, Quarantined.sealed_key.is_not(None)
        )
        if job.kind != JobKind.COPY or session.scalar(here.limit(1)) is None:
            raise NothingKept("Nothing of this mailbox lies in quarantine.")
        source, target = (session.get_one(Endpoint, end) for end in (job.source_id, job.target_id))
        password = target_password or _password(vault, target)
        kept: dict[str, Any] = {name: job.options[name] for name in _AS_BEFORE if name in job.options}
        return making.add_job(
            session,
            JobKind.COPY,
            mailbox_id=job.mailbox_id,
            ends=(making.same_end(session, source), making.same_end(session, target, vault, password)),
            options={**kept, **(options or {}), "from_quarantine": True},
            by=actor,
            now=moment,
        )


def _password(vault: Vault, end: Endpoint) -> str:
    if end.credential is None:
        raise CredentialsWiped("The passwords of this job were wiped.")
    return vault.unseal(end.credential, making.credential_context(end.id))


def expire(db: Database, *, days: float, now: datetime | None = None) -> int:
    """Forget octets that have lain here for so many days since the last attempt. Returns of how many messages."""
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    with db.writing() as session:
        return let_go(session, "expired", Quarantined.at < before)
