"""Rows for a one-shot command. No credential is ever stored in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from migrator.db.models import Endpoint as EndpointRow
from migrator.db.models import Job, Mailbox
from migrator.db.store import Database
from migrator.jobs.lease import Lease
from migrator.jobs.states import JobKind, JobState
from migrator.sessions.endpoint import Endpoint


def open_job(
    db: Database, kind: JobKind, source: Endpoint, target: Endpoint, options: Mapping[str, Any], owner: str
) -> Lease:
    """A new RUNNING job under our lease. The caller holds the file's lock: earlier jobs in it are dead, CANCELLED."""
    now = datetime.now(UTC)
    route = f"{source.identity} -> {target.identity}"
    with db.writing() as session:
        session.execute(
            update(Job).where(Job.state == JobState.RUNNING).values(state=JobState.CANCELLED, lease_until=None)
        )
        mailbox = session.scalar(select(Mailbox).where(Mailbox.route == route))
        if mailbox is None:
            mailbox = Mailbox(address=target.user, route=route, created_at=now)
            session.add(mailbox)
        ends = [_row(source), _row(target)]
        session.add_all(ends)
        session.flush()
        job = Job(
            kind=kind, state=JobState.RUNNING, mailbox_id=mailbox.id, source_id=ends[0].id, target_id=ends[1].id,
            options=dict(options), created_by="command line", created_at=now, started_at=now, fence=1,
            lease_owner=owner,
        )  # fmt: skip
        session.add(job)
        session.flush()
        return Lease(job_id=job.id, mailbox_id=mailbox.id, fence=1, owner=owner)


def _row(end: Endpoint) -> EndpointRow:
    return EndpointRow(
        protocol=end.protocol, host=end.host, port=end.port, security=end.security, user=end.user, auth=end.auth,
        authzid=end.authzid, address=end.address, fingerprint=end.fingerprint,
    )  # fmt: skip
