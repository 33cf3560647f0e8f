"""Jobs, their folders and their history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from migrator.db.models.base import Base, BigId


class Job(Base):
    """One kind of work for one mailbox, and who may touch it now."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), index=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailboxes.id"), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id"))
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    wish: Mapped[str] = mapped_column(String(10), default="")
    """What a person asked a running job to do: "", "pause" or "cancel"."""
    created_by: Mapped[str] = mapped_column(String(320), default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    """Waiting until then: asked to by a server, or backing off."""
    dispatched_at: Mapped[datetime | None]
    """When its id was last put into the queue."""
    failures_in_a_row: Mapped[int] = mapped_column(default=0)
    """Slices in a row that ended by a temporary error without carrying anything."""
    lease_owner: Mapped[str] = mapped_column(String(100), default="")
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0)
    """Counts up with every lease; whoever writes with an older one is fenced out."""
    error: Mapped[dict[str, Any] | None]
    working_seconds: Mapped[float] = mapped_column(default=0.0)
    """Time spent in slices."""
    result: Mapped[dict[str, Any] | None]
    """What a VERIFY found: the verdict, and the first differences."""


class JobEventRow(Base):
    """The history of a job: one row per state change or remarkable event."""

    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime]
    name: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str] = mapped_column(String(20), default="")
    to_state: Mapped[str] = mapped_column(String(20), default="")
    actor: Mapped[str] = mapped_column(String(320), default="")
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)


class JobFolder(Base):
    """One folder of a job: where it goes, and its numbers, absolute, written with the ledger in one commit."""

    __tablename__ = "job_folders"
    __table_args__ = (UniqueConstraint("job_id", "source_name"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    position: Mapped[int]
    source_name: Mapped[str] = mapped_column(Text)
    levels: Mapped[int] = mapped_column(default=1)
    target_name: Mapped[str] = mapped_column(Text, default="")
    role: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(40), default="")
    """Why this target, or by which rule the folder is left behind."""
    excluded: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(20), default="open")
    """open, working, done, failed, excluded."""
    error: Mapped[dict[str, Any] | None]
    announced: Mapped[int] = mapped_column(default=0)
    """Messages as the source announced them, until the survey has counted."""
    announced_octets: Mapped[int | None] = mapped_column(BigInteger)
    found: Mapped[int] = mapped_column(default=0)
    copied: Mapped[int] = mapped_column(default=0)
    already_there: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    octets: Mapped[int] = mapped_column(BigInteger, default=0)
    octets_found: Mapped[int] = mapped_column(BigInteger, default=0)
    dropped_flags: Mapped[int] = mapped_column(default=0)
    flag_changes: Mapped[int] = mapped_column(default=0)


class JobWarning(Base):
    """Something that the report must say and that failed nothing."""

    __tablename__ = "job_warnings"
    __table_args__ = (UniqueConstraint("job_id", "code", "folder", "detail"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    at: Mapped[datetime]
    code: Mapped[str] = mapped_column(String(40))
    folder: Mapped[str] = mapped_column(String(1000), default="")
    detail: Mapped[str] = mapped_column(String(1000), default="")


class JobDifference(Base):
    """One difference that a comparison found (`planning.verification`)."""

    __tablename__ = "job_differences"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    folder: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text, default="")


class JobSample(Base):
    """How far a job was at a moment, for the plots: octets and messages copied so far."""

    __tablename__ = "job_samples"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[datetime]
    messages: Mapped[int]
    octets: Mapped[int] = mapped_column(BigInteger)
    open_messages: Mapped[int]


class StatusLink(Base):
    """A customer's link to one job's progress; only the hash of its token is kept."""

    __tablename__ = "status_links"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class HostLease(Base):
    """A connection to a mail server that a job may hold."""

    __tablename__ = "host_leases"
    __table_args__ = (Index(None, "side", "host"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    side: Mapped[str] = mapped_column(String(10))
    """`source` or `target`: they bear different numbers."""
    host: Mapped[str] = mapped_column(String(255))
    """In lower case."""
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    fence: Mapped[int]
    until: Mapped[datetime]


class OctetsRead(Base):
    """How much of one account was read within one hour: some providers give only so much a day."""

    __tablename__ = "octets_read"
    __table_args__ = (UniqueConstraint("account", "hour"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(String(64))
    """A digest of host and user: it need not be known whose it is."""
    hour: Mapped[datetime]
    """When it began."""
    octets: Mapped[int] = mapped_column(BigInteger)


class Worker(Base):
    """A worker process and when it last showed itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime]
    node: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """The storage node whose archives it can reach."""
    free_octets: Mapped[int | None] = mapped_column(BigInteger)
    """Room for archives there."""
