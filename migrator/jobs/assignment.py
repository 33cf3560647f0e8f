"""What whoever works on a job needs of its row: ends with credentials, options, numbers, whether others wait."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, or_, select

from migrator.db.models import Endpoint as EndpointRow
from migrator.db.models import Job, JobFolder
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import Defect, LoginRefused
from migrator.jobs.operations import credential_context
from migrator.jobs.recipes import Work
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import Counts
from migrator.sessions.endpoint import Credential, Endpoint


def work(db: Database, vault: Vault, job_id: int) -> Work:
    """The job as the recipes want it. Passwords are unsealed by the supplier, at the moment of logging in."""
    with db.reading() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise Defect(f"There is no job {job_id}.")
        source = session.get_one(EndpointRow, job.source_id)
        target = session.get_one(EndpointRow, job.target_id)
        return Work(
            kind=JobKind(job.kind),
            source=_endpoint(source, _unsealing(db, vault, source.id)),
            target=_endpoint(target, _unsealing(db, vault, target.id)),
            options=dict(job.options),
        )


def _unsealing(db: Database, vault: Vault, endpoint_id: int) -> Credential:
    def supply() -> str:
        with db.reading() as session:
            sealed = session.scalar(select(EndpointRow.credential).where(EndpointRow.id == endpoint_id))
        if sealed is None:
            raise LoginRefused("The password of this job was wiped.", hint="Enter the password again.")
        return vault.unseal(sealed, credential_context(endpoint_id))

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


def counts(db: Database, job_id: int) -> Counts:
    """The job's numbers from committed rows."""
    columns = (JobFolder.found, JobFolder.copied, JobFolder.already_there, JobFolder.skipped, JobFolder.failed)
    with db.reading() as session:
        sums = session.execute(
            select(*(func.coalesce(func.sum(column), 0) for column in columns)).where(JobFolder.job_id == job_id)
        ).one()
    return Counts(*(int(number) for number in sums))


def somebody_waits(db: Database, now: datetime) -> bool:
    """Whether a job is due that nobody works on."""
    due = and_(Job.state == JobState.QUEUED, or_(Job.not_before.is_(None), Job.not_before <= now))
    with db.reading() as session:
        return session.scalar(select(Job.id).where(due).limit(1)) is not None
