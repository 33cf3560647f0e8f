"""Writing jobs: what people ask for. Whoever makes a job QUEUED puts its id into the queue after the commit."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from migrator.accounts import token_hash
from migrator.db.models import Archive, Endpoint, Failure, Job, JobEventRow, JobFolder, Quarantined, StatusLink
from migrator.db.quarantine import key_context
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import UsageError
from migrator.jobs import lease, making
from migrator.jobs.keeping import rows as archives
from migrator.jobs.keeping.operations import withdraw_removals
from migrator.jobs.making import credential_context
from migrator.jobs.orders import (
    Invalid,
    Keeping,
    NewEndpoint,
    NewJob,
    check,
    check_options,
    check_password,
)
from migrator.jobs.states import ENDED, JobEvent, JobKind, JobState, after
from migrator.settings import Settings

__all__ = [
    "CredentialsWiped",
    "Invalid",
    "NewEndpoint",
    "NewJob",
    "NotFound",
    "WrongState",
    "cancel",
    "create",
    "create_status_link",
    "pause",
    "replace_password",
    "reseal",
    "resume",
    "retry",
    "revoke_status_links",
    "wipe_credentials",
    "wipe_expired",
]


class NotFound(UsageError):
    """There is no such job."""

    code: ClassVar[str] = "not_found"


class WrongState(UsageError):
    """The job is in a state that does not know this event. `state` says which."""

    code: ClassVar[str] = "wrong_state"

    def __init__(self, state: JobState, event: JobEvent) -> None:
        super().__init__(f"The job is {state}; it cannot be asked to {event} now.")
        self.state = state


class CredentialsWiped(UsageError):
    """The passwords were wiped on time, so the job cannot go on without them."""

    code: ClassVar[str] = "credentials_wiped"
    hint: ClassVar[str] = "Enter the passwords again, then let it go on."


# ---- orders --------------------------------------------------------------------------------------------------------


def create(
    db: Database,
    vault: Vault,
    new: NewJob,
    *,
    settings: Settings,
    now: datetime | None = None,
    dispatched: bool = True,
) -> int:
    """A job, QUEUED and committed; the caller puts its id into the queue, or leaves that to the next sweep
    (`dispatched` False). Raises Invalid with every problem."""
    moment = now or datetime.now(UTC)
    check(new, settings.allowed_networks)
    with db.writing() as session:
        archive = making.archive_of(session, vault, settings, new, moment)
        ends = [making.end(session, vault, end, archive) for end in (new.source, new.target) if end is not None]
        if archive is not None and new.keeping != Keeping():
            withdraw_removals(session, archive, new.created_by, moment)
            archives.keep(session, archive, new.keeping, ends[0], new.created_by, settings, moment)
        return making.add_job(
            session,
            new.kind,
            mailbox_id=making.mailbox_of(session, new, archive, moment),
            ends=(ends[0], ends[-1]),
            options=new.options,
            by=new.created_by,
            now=moment,
            dispatched=dispatched,
        )


def replace_password(
    db: Database,
    vault: Vault,
    job_id: int,
    end: str,
    password: str,
    *,
    actor: str,
    now: datetime | None = None,
) -> None:
    """Another password for the `source` or `target` of a job that has not ended for good. Raises Invalid, NotFound,
    WrongState."""
    check_password(end, password)
    with db.writing() as session:
        job = _locked(session, job_id)
        if job.state in ENDED:
            raise WrongState(JobState(job.state), JobEvent.RETRY)
        endpoint = session.get_one(Endpoint, job.source_id if end == "source" else job.target_id)
        if endpoint.archive_id is not None:
            raise Invalid([(f"{end}.password", "unknown", "An archive has no password.")])
        endpoint.credential = vault.seal(password, credential_context(endpoint.id))
        endpoint.credential_wiped_at = None
        _remark(session, job, "new_password", actor, now or datetime.now(UTC), {"end": end})


# ---- wishes --------------------------------------------------------------------------------------------------------


def pause(
    db: Database, job_id: int, *, actor: str, options: dict[str, Any] | None = None, now: datetime | None = None
) -> JobState:
    """Stop for now. A running job is asked to; its worker fires the event. Raises NotFound, WrongState."""
    return _ask(db, job_id, JobEvent.PAUSE, actor, options, now or datetime.now(UTC))


def cancel(
    db: Database, job_id: int, *, actor: str, options: dict[str, Any] | None = None, now: datetime | None = None
) -> JobState:
    """End for good; what was carried stays, passwords are wiped. A running job is asked to. Raises NotFound,
    WrongState."""
    return _ask(db, job_id, JobEvent.CANCEL, actor, options, now or datetime.now(UTC))


def resume(
    db: Database, job_id: int, *, actor: str, options: dict[str, Any] | None = None, now: datetime | None = None
) -> JobState:
    """Go on; a wish to pause that was not yet heard is taken back. Raises NotFound, WrongState, CredentialsWiped."""
    return _ask(db, job_id, JobEvent.RESUME, actor, options, now or datetime.now(UTC))


def retry(
    db: Database, job_id: int, *, actor: str, options: dict[str, Any] | None = None, now: datetime | None = None
) -> JobState:
    """Try again what is blocked, incomplete or failed. `options` are laid over those of the order.

    Raises NotFound, WrongState, CredentialsWiped, Invalid.
    """
    return _ask(db, job_id, JobEvent.RETRY, actor, options, now or datetime.now(UTC))


def _ask(
    db: Database, job_id: int, event: JobEvent, actor: str, options: Mapping[str, Any] | None, now: datetime
) -> JobState:
    with db.writing() as session:
        job = _locked(session, job_id)
        check_options(options or {}, JobKind(job.kind))
        state = JobState(job.state)
        if lease.is_alive(job, now):
            return _wish(session, job, event, actor, now)
        new_state = after(state, event)
        if new_state is None:
            raise WrongState(state, event)
        if new_state is JobState.QUEUED:
            _require_credentials(session, job)
        values: dict[str, Any] = {
            **lease.LEFT,
            "fence": job.fence + 1,  # whoever worked on it and lost the lease is fenced out for certain
            "finished_at": now if new_state in ENDED else None,
        }
        if event is JobEvent.RETRY:
            _forget_failures(session, job_id)
        if options:
            values["options"] = {**job.options, **options}
        if new_state is JobState.QUEUED:
            values |= {"error": None, "not_before": None, "failures_in_a_row": 0, "dispatched_at": now}
        if not lease.move(session, job, event, now, fence=job.fence, actor=actor, values=values):
            raise WrongState(state, event)
        if new_state in ENDED:
            lease.wipe(session, job.source_id, job.target_id, now)
        return new_state


def _forget_failures(session: Session, job_id: int) -> None:
    """Messages and folders that failed are tried again as if nothing had been said of them."""
    session.execute(delete(Failure).where(Failure.job_id == job_id))
    session.execute(
        update(JobFolder)
        .where(JobFolder.job_id == job_id, JobFolder.excluded.is_(False))
        .values(state="open", error=None, failed=0)
    )


def _wish(session: Session, job: Job, event: JobEvent, actor: str, now: datetime) -> JobState:
    """A worker is at it: leave it a note, which it reads when it renews its lease. To cancel outweighs to pause."""
    wishes = {JobEvent.PAUSE: "pause", JobEvent.CANCEL: "cancel", JobEvent.RESUME: ""}
    if event not in wishes or (event is JobEvent.RESUME and job.wish != "pause"):
        raise WrongState(JobState.RUNNING, event)
    if job.wish != "cancel" and job.wish != wishes[event]:
        job.wish = wishes[event]
        _remark(session, job, f"asked_to_{event}", actor, now)
    return JobState.RUNNING


def _locked(session: Session, job_id: int) -> Job:
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
    if job is None:
        raise NotFound(f"There is no job {job_id}.")
    return job


def _remark(
    session: Session, job: Job, name: str, actor: str, now: datetime, fields: Mapping[str, Any] | None = None
) -> None:
    session.add(lease.history(job.id, name, now, actor=actor, fields=fields, states=(job.state, job.state)))


def _require_credentials(session: Session, job: Job) -> None:
    asked = (job.target_id,) if job.options.get("from_quarantine") else (job.source_id, job.target_id)
    for end in session.scalars(select(Endpoint).where(Endpoint.id.in_(asked))):
        if end.archive_id is not None:
            archives.living(session, end.archive_id)
        elif end.credential is None:
            raise CredentialsWiped("The passwords of this job were wiped.")


# ---- the customer's link -------------------------------------------------------------------------------------------


def create_status_link(db: Database, job_id: int, *, days: float = 30, now: datetime | None = None) -> str:
    """The token of a link to this job's progress, for the customer. Raises NotFound."""
    moment = now or datetime.now(UTC)
    token = secrets.token_urlsafe(32)
    with db.writing() as session:
        _locked(session, job_id)
        session.add(
            StatusLink(
                job_id=job_id,
                token_hash=token_hash(token),
                created_at=moment,
                expires_at=moment + timedelta(days=days),
            )
        )
    return token


def revoke_status_links(db: Database, job_id: int, *, now: datetime | None = None) -> int:
    """Close all links to this job; returns how many were open."""
    moment = now or datetime.now(UTC)
    with db.writing() as session:
        closed = session.scalars(
            update(StatusLink)
            .where(StatusLink.job_id == job_id, StatusLink.revoked_at.is_(None))
            .values(revoked_at=moment)
            .returning(StatusLink.id)
        )
        return len(closed.all())


# ---- passwords -----------------------------------------------------------------------------------------------------


def wipe_credentials(db: Database, job_id: int, *, actor: str = "", now: datetime | None = None) -> None:
    """Forget this job's passwords now. Raises NotFound."""
    moment = now or datetime.now(UTC)
    with db.writing() as session:
        job = _locked(session, job_id)
        lease.wipe(session, job.source_id, job.target_id, moment)
        _remark(session, job, "credentials_wiped", actor, moment)


def wipe_expired(db: Database, *, days: float, now: datetime | None = None) -> int:
    """Forget the passwords of jobs that have been at rest for `days`; returns of how many jobs."""
    moment = now or datetime.now(UTC)
    last_event = select(func.max(JobEventRow.at)).where(JobEventRow.job_id == Job.id).scalar_subquery()
    with db.writing() as session:
        stale = session.scalars(
            select(Job).where(
                Job.state.not_in((JobState.QUEUED, JobState.RUNNING)),
                exists().where(
                    Endpoint.id.in_((Job.source_id, Job.target_id)),
                    Endpoint.credential.is_not(None),
                    Endpoint.id.not_in(archives.kept_sources()),
                ),
                func.coalesce(last_event, Job.created_at) < moment - timedelta(days=days),
            )
        ).all()
        for job in stale:
            lease.wipe(session, job.source_id, job.target_id, moment)
            _remark(session, job, "credentials_wiped", "", moment, {"days": days})
        return len(stale)


def reseal(db: Database, vault: Vault) -> int:
    """After `vault.rotate()`: seal every stored password and every key of an archive or of a message in quarantine with
    the newest key, row by row; returns how many."""
    return (
        _reseal(db, vault, Endpoint, "credential", credential_context)
        + _reseal(db, vault, Archive, "sealed_key", archives.key_context)
        + _reseal(db, vault, Quarantined, "sealed_key", key_context)
    )


def _reseal(
    db: Database,
    vault: Vault,
    table: type[Endpoint | Archive | Quarantined],
    column: str,
    context_of: Callable[[int], str],
) -> int:
    with db.reading() as session:
        ids = session.scalars(select(table.id).where(getattr(table, column).is_not(None))).all()
    done = 0
    for row_id in ids:
        with db.writing() as session:
            row = session.scalar(select(table).where(table.id == row_id).with_for_update())
            sealed = getattr(row, column) if row is not None else None
            if sealed is not None and not vault.is_newest(sealed):
                context = context_of(row_id)
                setattr(row, column, vault.seal(vault.unseal(sealed, context), context))
                done += 1
    return done
