"""What new servers would not take: the octets stay here, sealed, until the cause is gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from migrator.db.models.base import Base, BigId


class Quarantined(Base):
    """One message of the old server that the new one would not take, by whichever job."""

    __tablename__ = "quarantined"
    __table_args__ = (
        UniqueConstraint("folder_id", "origin_validity", "origin_uid", "origin_name", name="uq_quarantined_origin"),
    )
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailboxes.id"), index=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    origin_validity: Mapped[int] = mapped_column(BigInteger)
    origin_uid: Mapped[int] = mapped_column(BigInteger)
    origin_name: Mapped[str] = mapped_column(String(255), default="")
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    """That tried it last."""
    at: Mapped[datetime]
    """When that was."""
    target_name: Mapped[str] = mapped_column(Text)
    """The folder at the new server that it was to go to."""
    reason: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(Text, default="")
    message_id: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    flags: Mapped[str] = mapped_column(Text, default="")
    instant: Mapped[datetime | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    soft: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    sealed_key: Mapped[bytes | None]
    """Of its octets, sealed by the vault; null: they are not here."""
    gone: Mapped[str] = mapped_column(String(10), default="")
    """Why they are here no more: `carried`, `expired`, or empty."""
    gone_at: Mapped[datetime | None]


class QuarantinedPart(Base):
    """A piece of one's octets, sealed with its key."""

    __tablename__ = "quarantined_parts"
    item_id: Mapped[int] = mapped_column(ForeignKey("quarantined.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    octets: Mapped[bytes]
