"""The tables, typed (SQLAlchemy 2). Times are aware UTC; hashes and digests are octets.

What a job does stands in `jobs`, `job_folders`, `failures`, `skips`; what was ever carried for a mailbox, by whichever
job, stands in `entries` (the ledger).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only for INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; SQLite keeps UTC without zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone must not reach the database")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every time its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables. Constraints have names by rule, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: Instant, dict[str, Any]: JSON, bytes: LargeBinary}


# ---- people ------------------------------------------------------------------------------------


class User(Base):
    """A member of staff."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """argon2id; None until the person has followed a one-time link."""
    session_epoch: Mapped[int] = mapped_column(default=1)
    """Part of every login cookie; counting it up ends all sessions."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """A link by which somebody sets a password, once. Only the hash of its token is kept."""

    __tablename__ = "one_time_links"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None: the first account, which the person names."""
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """A bearer token of the API. Only its hash is kept."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


# ---- mailboxes ---------------------------------------------------------------------------------


class Mailbox(Base):
    """One person's mail, with an id of its own: an address is never a key."""

    __tablename__ = "mailboxes"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address: Mapped[str] = mapped_column(String(320))
    route: Mapped[str] = mapped_column(Text, unique=True)
    """Both ends without password: a ledger is never used for another pair of accounts."""
    created_at: Mapped[datetime]


class Endpoint(Base):
    """Where and how to log in. `credential` is sealed by the vault and wiped when the job has ended for good."""

    __tablename__ = "endpoints"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    protocol: Mapped[str] = mapped_column(String(10))
    host: Mapped[str] = mapped_column(String(255))
    port: Mapped[int]
    security: Mapped[str] = mapped_column(String(10))
    user: Mapped[str] = mapped_column("login", String(320))
    auth: Mapped[str] = mapped_column(String(20), default="")
    authzid: Mapped[str] = mapped_column(String(320), default="")
    address: Mapped[str | None] = mapped_column(String(64))
    ca_pem: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(String(200))
    credential: Mapped[bytes | None]
    credential_wiped_at: Mapped[datetime | None]
    archive_id: Mapped[int | None] = mapped_column(ForeignKey("archives.id"), index=True)
    """For `archive`: which one. It needs no credential: its key lies with the archive."""


# ---- archives ----------------------------------------------------------------------------------


class Archive(Base):
    """One mailbox's archive that the service keeps: where its file lies, its wrapped key, and how long it is kept.

    The file is named by chance and says nothing; destroying `sealed_key` destroys the archive.
    """

    __tablename__ = "archives"
    __table_args__ = (
        Index(
            "uq_archives_account",
            "account",
            unique=True,
            sqlite_where=text("destroyed_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    account: Mapped[str] = mapped_column(Text)
    """Whose mail: the old end's identity. One archive at a time."""
    address: Mapped[str] = mapped_column(String(320))
    node: Mapped[str] = mapped_column(String(60))
    """The storage node whose directory holds the file; only its workers touch it."""
    file: Mapped[str] = mapped_column(String(100), unique=True)
    sealed_key: Mapped[bytes | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(320), default="")
    octets: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the file, after the last pass."""
    source_id: Mapped[int | None] = mapped_column(BigInteger)
    """The old end's row, kept with its password as long as passes or removals are to come by themselves. No foreign
    key: endpoints point to archives."""
    every_hours: Mapped[int | None]
    """None: no pass comes by itself."""
    window_from: Mapped[int | None]
    """Hour of the day (0 to 23, in the service's zone) from which on a pass may begin; None: at any time."""
    window_until: Mapped[int | None]
    next_pass_at: Mapped[datetime | None] = mapped_column(index=True)
    leave_days: Mapped[int | None]
    """POP3: delete at the old server so many days after collection (0: at once). None: keep everything there."""
    leave_wish: Mapped[str] = mapped_column(Text, default="")
    """Who asked for that, and when: nothing is deleted without it."""
    next_removal_at: Mapped[datetime | None] = mapped_column(index=True)
    customer_may_fetch: Mapped[bool] = mapped_column(default=False)
    closed_at: Mapped[datetime | None]
    """When the transfer was closed; retention counts from here."""
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    checked_at: Mapped[datetime | None]
    check: Mapped[dict[str, Any] | None] = mapped_column("checked")
    """What the last check found."""
    destroyed_at: Mapped[datetime | None]
    """The key is gone from here on."""
    destroyed_by: Mapped[str] = mapped_column(String(320), default="")
    destroyed_reason: Mapped[str] = mapped_column(Text, default="")
    file_removed_at: Mapped[datetime | None]
    proof: Mapped[dict[str, Any] | None]
    """Of destruction: dated and signed."""


class ArchivePass(Base):
    """A point in time of an archive: one complete look at the old server."""

    __tablename__ = "archive_passes"
    __table_args__ = (UniqueConstraint("archive_id", "number"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    archive_id: Mapped[int] = mapped_column(ForeignKey("archives.id"))
    number: Mapped[int]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    """The job that completed it; its folders are those of this point in time."""
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    found: Mapped[int]
    """Messages that the old server had."""
    missing: Mapped[int]
    """Those of them that are not in the archive, each with its reason in the job's report."""
    octets: Mapped[int] = mapped_column(BigInteger)
    """Of the messages of this moment."""


# ---- jobs --------------------------------------------------------------------------------------


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
    """What a VERIFY found: counts and discrepancies."""


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


class Worker(Base):
    """A worker process and when it last showed itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    seen_at: Mapped[datetime]
    node: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """The storage node whose archives it can reach."""
    free_octets: Mapped[int | None] = mapped_column(BigInteger)
    """Room for archives there."""


# ---- the ledger --------------------------------------------------------------------------------


class Folder(Base):
    """A folder of a mailbox at one end, with what the last complete pass knew of it."""

    __tablename__ = "folders"
    __table_args__ = (UniqueConstraint("mailbox_id", "side", "name"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailboxes.id"))
    side: Mapped[str] = mapped_column(String(3))
    """`old` or `new`."""
    name: Mapped[str] = mapped_column(String(1000))
    validity: Mapped[int] = mapped_column(BigInteger, default=0)
    looked: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """For a target folder: UIDs below this were looked at after they were appended."""


_UNSETTLED = text("stand = 'intended'")
"""Few rows at any time, so their index stays small."""


class LedgerEntry(Base):
    """One message of the old server: intended or carried. Keyed by its origin, whatever the mapping says today."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("origin_folder_id", "origin_validity", "origin_uid", "origin_name", name="uq_entries_origin"),
        Index("ix_entries_target", "target_folder_id", "target_uid"),
        Index(
            "ix_entries_unsettled",
            "target_folder_id",
            sqlite_where=_UNSETTLED,
        ),
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    origin_folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    origin_validity: Mapped[int] = mapped_column(BigInteger)
    origin_uid: Mapped[int] = mapped_column(BigInteger)
    origin_name: Mapped[str] = mapped_column(String(255), default="")
    target_folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    target_validity: Mapped[int | None] = mapped_column(BigInteger)
    target_uid: Mapped[int | None] = mapped_column(BigInteger)
    stand: Mapped[str] = mapped_column(String(10))
    how: Mapped[str] = mapped_column(String(10), default="")
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    soft: Mapped[bytes] = mapped_column(LargeBinary(32))
    header: Mapped[bytes] = mapped_column(LargeBinary(32))
    message_id: Mapped[bytes] = mapped_column(LargeBinary(32))
    size: Mapped[int] = mapped_column(BigInteger)
    delicate: Mapped[bool] = mapped_column(default=False)
    instant: Mapped[datetime | None]
    flags: Mapped[str] = mapped_column(Text, default="")
    """The source's flags as last carried, blank-separated: the base of the three-way merge."""
    floor: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(String(40), default="")
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))


class Failure(Base):
    """A message that a job could not carry, and why."""

    __tablename__ = "failures"
    __table_args__ = (UniqueConstraint("job_id", "folder_id", "origin_validity", "origin_uid", "origin_name"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    origin_validity: Mapped[int] = mapped_column(BigInteger)
    origin_uid: Mapped[int] = mapped_column(BigInteger)
    origin_name: Mapped[str] = mapped_column(String(255), default="")
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(Text, default="")
    message_id: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)


class Skipped(Base):
    """A message that a job left behind by a named rule."""

    __tablename__ = "skips"
    __table_args__ = (UniqueConstraint("job_id", "folder_id", "origin_validity", "origin_uid", "origin_name"),)
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    origin_validity: Mapped[int] = mapped_column(BigInteger)
    origin_uid: Mapped[int] = mapped_column(BigInteger)
    origin_name: Mapped[str] = mapped_column(String(255), default="")
    rule: Mapped[str] = mapped_column(String(200))


def conditions_for_postgresql() -> None:
    """Which rows an index is of, on PostgreSQL too: the same as on SQLite.

    Said when that database is used: where it stands at the index, SQLAlchemy imports its dialect everywhere.
    """
    for table in Base.metadata.tables.values():
        for index in table.indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
