"""What was carried, by whichever job; and what was not, by job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from migrator.db.models.base import Base, BigId


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
    state: Mapped[str] = mapped_column(String(100), default="", server_default="")
    """For a source folder: what the old server said of it before all of it was seen to be at the new one."""
    unlooked: Mapped[int] = mapped_column(default=0, server_default="0")
    """For a source folder: so many runs in a row did not look into it, because that was the same."""


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
