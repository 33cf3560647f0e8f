"""The rows that an order makes: mailbox, ends, job. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from migrator.db.models import Archive, Endpoint, Job, Mailbox
from migrator.db.vault import Vault
from migrator.jobs import lease
from migrator.jobs.keeping import rows as archives
from migrator.jobs.orders import ArchiveEnd, Invalid, NewEndpoint, NewJob, plain_host
from migrator.jobs.states import JobKind, JobState
from migrator.sessions.endpoint import fingerprint_digits
from migrator.settings import Settings


def add_job(
    session: Session,
    kind: JobKind,
    *,
    mailbox_id: int,
    ends: tuple[int, int],
    options: Mapping[str, Any],
    by: str,
    now: datetime,
    dispatched: bool = True,
) -> int:
    """A row and its first line of history, in the caller's transaction. `dispatched` False: the sweep will find it."""
    job = Job(
        kind=kind,
        state=JobState.QUEUED,
        mailbox_id=mailbox_id,
        source_id=ends[0],
        target_id=ends[1],
        options=dict(options),
        created_by=by,
        created_at=now,
        dispatched_at=now if dispatched else None,
    )
    session.add(job)
    session.flush()
    session.add(lease.history(job.id, "create", now, actor=by, fields=None, states=("", JobState.QUEUED)))
    return job.id


def credential_context(endpoint_id: int) -> str:
    """What a sealed password is bound to."""
    return f"endpoint {endpoint_id} password"


def archive_of(session: Session, vault: Vault, settings: Settings, new: NewJob, now: datetime) -> Archive | None:
    """The archive that is an end of this job. Raises Invalid."""
    end = new.source if isinstance(new.source, ArchiveEnd) else new.target
    if not isinstance(end, ArchiveEnd):
        return None
    name = "source" if end is new.source else "target"
    account = new.source.identity if isinstance(new.source, NewEndpoint) else ""
    if end.id is None:
        assert isinstance(new.source, NewEndpoint)  # `check` has seen to it
        return archives.of_account(session, vault, settings, account, new.source.user, new.created_by, now)
    try:
        found = archives.living(session, end.id)
    except (archives.NoSuchArchive, archives.ArchiveDestroyed) as error:
        raise Invalid([(f"{name}.archive", error.code, error.message)]) from None
    if account and found.account != account:
        message = f"The archive {end.id} holds another account's mail."
        raise Invalid([(f"{name}.archive", "other_account", message)])
    return found


def end(session: Session, vault: Vault, new: NewEndpoint | ArchiveEnd, archive: Archive | None) -> int:
    """A row for an end, and its id."""
    if isinstance(new, NewEndpoint):
        return _endpoint(session, vault, new)
    assert archive is not None
    return archives.end_of(session, archive).id


def mailbox_of(session: Session, new: NewJob, archive: Archive | None, now: datetime) -> int:
    """The mailbox of this pair of ends. What comes out of an archive shares it with a direct copy of that account."""
    servers = [end for end in (new.target, new.source) if isinstance(end, NewEndpoint)]
    if archive is not None and not isinstance(new.target, NewEndpoint):
        return mailbox(session, archives.route(archive), archive.address, now)
    account = archive.account if archive is not None else servers[-1].identity
    address = next((end.user for end in servers if "@" in end.user), servers[0].user)
    return mailbox(session, f"{account} -> {servers[0].identity}", address, now)


def mailbox(session: Session, route: str, address: str, now: datetime) -> int:
    """The mailbox of a route: made at the first job, and the same one for every later job."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(route, 0))))
    found = session.scalar(select(Mailbox.id).where(Mailbox.route == route))
    if found is not None:
        return found
    made = Mailbox(address=address, route=route, created_at=now)
    session.add(made)
    session.flush()
    return made.id


def same_end(session: Session, end: Endpoint, vault: Vault | None = None, password: str = "") -> int:
    """A row of its own for the same server, with this password or none; its id."""
    columns = ("protocol", "host", "port", "security", "user", "auth", "authzid", "address", "ca_pem", "fingerprint")
    row = Endpoint(**{name: getattr(end, name) for name in columns})
    session.add(row)
    session.flush()
    if vault is not None:
        row.credential = vault.seal(password, credential_context(row.id))
    return row.id


def _endpoint(session: Session, vault: Vault, new: NewEndpoint) -> int:
    """The row first, because its id is part of what the password is sealed for."""
    row = Endpoint(
        protocol=new.protocol,
        host=plain_host(new.host),
        port=new.port,
        security=new.security,
        user=new.user,
        auth=new.auth,
        authzid=new.authzid,
        address=new.address or None,
        ca_pem=new.ca_pem or None,
        fingerprint=fingerprint_digits(new.fingerprint) if new.fingerprint else None,
    )
    session.add(row)
    session.flush()
    row.credential = vault.seal(new.password, credential_context(row.id))
    return row.id
