"""Archives that the service keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from migrator.db.models.base import Base, BigId


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
