"""What pages and API show of archives: plain values, read by `queries`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

_STAMP: Final = re.compile(r" \(recorded by (.*), (\d{4}-\d\d-\d\d \d\d:\d\d) UTC\)$")


class ArchiveState(StrEnum):
    """How an archive stands."""

    EMPTY = "empty"
    """No pass into it was completed yet."""
    KEPT = "kept"
    CLOSED = "closed"
    """Its transfer is closed; it expires on a day that is known."""
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class PassFacts:
    """A complete pass, as the archive's file says. `octets`: of the messages of that moment."""

    number: int
    began: datetime
    ended: datetime
    found: int
    missing: int
    octets: int


@dataclass(frozen=True, slots=True)
class NodeView:
    """A storage node: how many archives it has, what they take, and the room that is left (None: it is silent)."""

    node: str
    archives: int
    octets: int
    free_octets: int | None


@dataclass(frozen=True, slots=True)
class PassView:
    """A point in time."""

    number: int
    began_at: datetime
    ended_at: datetime
    found: int
    missing: int
    octets: int
    job_id: int | None


@dataclass(frozen=True, slots=True)
class ArchiveLine:
    """One row of the list of archives. `latest`: the latest point in time."""

    id: int
    state: ArchiveState
    address: str
    account: str
    node: str
    octets: int
    """Of the file."""
    passes: int
    latest: PassView | None
    every_hours: int | None
    next_pass_at: datetime | None
    checked_at: datetime | None
    healthy: bool | None
    """What the last check said; None: not checked yet."""
    expires_at: datetime | None
    destroyed_at: datetime | None

    def is_called(self, typed: str) -> bool:
        """Whether somebody typed this archive's address, to confirm what cannot be taken back."""
        return " ".join(typed.split()).casefold() == " ".join(self.address.split()).casefold()


@dataclass(frozen=True, slots=True)
class ArchiveView(ArchiveLine):
    """Everything that one archive's page and JSON show."""

    created_at: datetime = field(kw_only=True)
    created_by: str = field(kw_only=True)
    window: tuple[int, int] | None = field(kw_only=True)
    leave_days: int | None = field(kw_only=True)
    leave_wish: str = field(kw_only=True)
    by_pop3: bool = field(kw_only=True)
    credential_kept: bool = field(kw_only=True)
    customer_may_fetch: bool = field(kw_only=True)
    is_only_copy: bool = field(kw_only=True)
    """Mail was deleted at the old server by wish and not played in since: it does not expire by itself."""
    closed_at: datetime | None = field(kw_only=True)
    check: dict[str, Any] | None = field(kw_only=True)
    destroyed_by: str = field(kw_only=True)
    destroyed_reason: str = field(kw_only=True)
    file_removed_at: datetime | None = field(kw_only=True)
    proof: dict[str, Any] | None = field(kw_only=True)
    points: Sequence[PassView] = field(kw_only=True)
    """The newest 400, newest first."""
    folders: Sequence[tuple[str, int, int]] = field(kw_only=True)
    """Name, levels and messages of the folders of the latest point in time, in the old server's order."""
    jobs: Sequence[int] = field(kw_only=True)
    """Of the last jobs with this archive, newest first."""


def recorded(wish: str) -> tuple[str, str, datetime | None]:
    """A kept wish: its words, and who wrote them down when, as far as `rows` has said so."""
    stamp = _STAMP.search(wish)
    if stamp is None:
        return wish, "", None
    at = datetime.strptime(stamp.group(2), "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return wish[: stamp.start()], stamp.group(1), at
