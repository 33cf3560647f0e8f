"""Mailboxes and their ends."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    ForeignKey,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from migrator.db.models.base import Base, BigId


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
