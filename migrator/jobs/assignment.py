"""What whoever works on a job needs of its row: ends with credentials, options, numbers, whether others wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from migrator.db.models import Archive, Job, JobFolder
from migrator.db.models import Endpoint as EndpointRow
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs.connections import Caps, is_possible, waits_for
from migrator.jobs.keeping.rows import ArchiveDestroyed, key_context, latest_pass
from migrator.jobs.lease import Lease, mailbox_is_busy
from migrator.jobs.making import credential_context
from migrator.jobs.operations import CredentialsWiped, NotFound
from migrator.jobs.recipes import Work
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import Counts
from migrator.sessions.endpoint import Credential, Endpoint, archive_end

_JUST_COME: Final = timedelta(seconds=5)


def work(db: Database, vault: Vault, job_id: int, archives: Path) -> Work:
    """The job as the recipes want it; `archives`: where this storage node keeps them.

    Passwords and keys are unsealed by suppliers, at the moment of logging in. Raises NotFound, CredentialsWiped; the
    suppliers raise CannotUnseal and ArchiveDestroyed too.
    """
    with db.reading() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.")
        is_asked = not job.options.get("from_quarantine")
        return Work(
            kind=JobKind(job.kind),
            source=_end(session, db, vault, job.source_id, archives, is_asked=is_asked),
            target=_end(session, db, vault, job.target_id, archives),
            options=dict(job.options),
        )


def _end(
    session: Session, db: Database, vault: Vault, end_id: int, archives: Path, *, is_asked: bool = True
) -> Endpoint:
    """`is_asked`: it will be logged in to."""
    row = session.get_one(EndpointRow, end_id)
    if row.archive_id is not None:
        archive = session.get_one(Archive, row.archive_id)
        key, latest = _key(db, vault, archive.id), latest_pass(session, archive.id)
        return archive_end(archives / archive.file, key, is_filled=archive.octets > 0, latest=latest)
    if row.credential is None and is_asked:
        raise CredentialsWiped("The passwords of this job were wiped.")
    return _endpoint(row, _password(db, vault, end_id))


def _password(db: Database, vault: Vault, endpoint_id: int) -> Credential:
    def supply() -> str:
        with db.reading() as session:
            sealed = session.scalar(select(EndpointRow.credential).where(EndpointRow.id == endpoint_id))
        if sealed is None:
            raise CredentialsWiped("The passwords of this job were wiped.")
        return vault.unseal(sealed, credential_context(endpoint_id))

    return supply


def _key(db: Database, vault: Vault, archive_id: int) -> Credential:
    def supply() -> str:
        with db.reading() as session:
            sealed = session.scalar(select(Archive.sealed_key).where(Archive.id == archive_id))
        if sealed is None:
            raise ArchiveDestroyed(f"The archive {archive_id} was destroyed.")
        return vault.unseal(sealed, key_context(archive_id))

    return supply


def _endpoint(row: EndpointRow, credential: Credential) -> Endpoint:
    return Endpoint(
        protocol=row.protocol,
        host=row.host,
        port=row.port,
        security=row.security,
        user=row.user,
        credential=credential,
        auth=row.auth,
        authzid=row.authzid,
        address=row.address,
        ca_pem=row.ca_pem,
        fingerprint=row.fingerprint,
    )


def kind_of(db: Database, job_id: int) -> JobKind:
    """What the job does."""
    with db.reading() as session:
        return JobKind(session.get_one(Job, job_id).kind)


def counts(db: Database, job_id: int) -> Counts:
    """The job's numbers from committed rows."""
    columns = (JobFolder.found, JobFolder.copied, JobFolder.already_there, JobFolder.skipped, JobFolder.failed)
    with db.reading() as session:
        sums = session.execute(
            select(*(func.coalesce(func.sum(column), 0) for column in columns)).where(JobFolder.job_id == job_id)
        ).one()
    return Counts(*(int(number) for number in sums))


def somebody_waits(db: Database, lease: Lease, caps: Caps, now: datetime) -> str:
    """What another job waits for that the holder of this lease could give: a `worker`, or `room` at a server that bears
    no more connections; empty: nobody waits. What has just come does not count yet.
    """
    with db.reading() as session:
        waiting = select(Job.id).where(
            Job.state == JobState.QUEUED,
            func.coalesce(Job.not_before, Job.created_at) <= now - _JUST_COME,
            ~mailbox_is_busy(now),
        )
        if session.scalar(waiting.where(waits_for(session, lease, caps, now)).limit(1)) is not None:
            return "room"
        possible = session.scalar(waiting.where(is_possible(session, caps, now)).limit(1)) is not None
    return "worker" if possible else ""
