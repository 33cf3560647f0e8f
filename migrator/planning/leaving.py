"""How long collected mail stays on a POP3 server: what may be deleted there now, and why the rest stays. Pure.

The default is to keep everything. What is deleted was collected by a pass that was completed, lies whole in the
archive, and is named by a UIDL that the server gives to nothing else (RFC 1939, 7; traps.md, O).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from migrator.errors import UsageError
from migrator.ports import Listed

MOST_DAYS: Final = 3650
OFFERED_DAYS: Final = (14, 30)
"""What pages offer; any number up to `MOST_DAYS` may be typed."""
ADDED_LINE_END: Final = 2
"""Servers add a CRLF to a message that ends without one, and do not count it (quirks.md, 62)."""
LONGEST_UIDL: Final = 200
"""RFC 1939 allows 70 octets; servers write longer ones, which an archive keeps as they are up to this length."""
TRUSTED: Final = 10
"""UIDLs are taken as reused where more than one in so many names a message of another size than the archived one."""
_OURS: Final = ("sha256:", "uidl-sha256:", "unread:")
"""How names begin that we made ourselves where a UIDL was missing or odd."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A mailbox's policy. `days` after its collection a message is deleted: 0 at once, None never (keep all)."""

    days: int | None = None

    def __post_init__(self) -> None:
        if self.days is not None and not 0 <= self.days <= MOST_DAYS:
            raise UsageError(
                f"Mail can stay on the old server for 0 to {MOST_DAYS} days after it was collected, or for good."
            )

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever deleted."""
        return self.days is None


KEEP_ALL: Final = Leaving()


class Stays(StrEnum):
    """Why a message stays on the server."""

    KEEP_ALL = "keep_all"
    """The policy is to keep everything."""
    NO_UIDL = "no_uidl"
    """The server names it by no UIDL, or by one that is no name: odd, or just the message's number."""
    NOT_UNIQUE = "uidl_not_unique"
    """Another message has the same UIDL."""
    NOT_ARCHIVED = "not_archived"
    PASS_NOT_COMPLETE = "pass_not_complete"  # noqa: S105 - no password
    """Archived, but by no pass that was completed yet."""
    DIFFERS = "archive_differs"
    """The archive knows this UIDL with another size, or too many others: then UIDLs are being given anew."""
    TOO_YOUNG = "too_young"
    UNREADABLE = "archive_unreadable"
    """Its octets in the archive do not open, or are not those that were archived."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the archive says of a UIDL. `collected`: when the first complete pass that holds it ended, or None."""

    size: int
    collected: datetime | None
    whole: bool
    """Its octets were read just now, unsealed and hashed again, and are those that were archived."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be deleted now, and for every other message why it stays."""

    remove: Sequence[Listed]
    stays: Sequence[tuple[Listed, Stays]]
    kept: Mapping[str, int] = field(default_factory=dict)
    """Reason → how many."""


def trustworthy(uidl: str, number: int) -> bool:
    """Whether a UIDL can name a message across sessions (RFC 1939, 7): printable, and not just its number."""
    plain = 1 <= len(uidl) <= LONGEST_UIDL and all("\x21" <= sign <= "\x7e" for sign in uidl)
    return plain and uidl != str(number) and not uidl.startswith(_OURS)


def decide(rows: Sequence[Listed], held: Mapping[str, Held], policy: Leaving, now: datetime) -> Decision:
    """Judge what the server lists now. `held`: by UIDL, what the archive has; what is missing there is not archived."""
    often = Counter(row.uidl for row in rows)
    reasons = [_why(row, often[row.uidl], held.get(row.uidl), policy, now) for row in rows]
    if _reused(rows, held):
        reasons = [Stays.DIFFERS if reason is None else reason for reason in reasons]
    stays = [(row, reason) for row, reason in zip(rows, reasons, strict=True) if reason is not None]
    remove = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
    return Decision(remove, stays, Counter(reason.value for _, reason in stays))


def _why(row: Listed, often: int, held: Held | None, policy: Leaving, now: datetime) -> Stays | None:
    """The first reason why it stays, or None."""
    if policy.days is None:
        return Stays.KEEP_ALL
    if not trustworthy(row.uidl, row.number):
        return Stays.NO_UIDL
    if often > 1:
        return Stays.NOT_UNIQUE
    if held is None:
        return Stays.NOT_ARCHIVED
    if held.collected is None:
        return Stays.PASS_NOT_COMPLETE
    if not _same_size(row, held):
        return Stays.DIFFERS
    if policy.days and now - held.collected < timedelta(days=policy.days):
        return Stays.TOO_YOUNG
    return None if held.whole else Stays.UNREADABLE


def _same_size(row: Listed, held: Held) -> bool:
    return row.size is not None and held.size - row.size in (0, ADDED_LINE_END)


def _reused(rows: Sequence[Listed], held: Mapping[str, Held]) -> bool:
    """Whether the server seems to have given old UIDLs to other messages: then equal sizes prove nothing."""
    often = Counter(row.uidl for row in rows)
    known = [(row, held[row.uidl]) for row in rows if row.uidl in held and often[row.uidl] == 1]
    return sum(not _same_size(row, has) for row, has in known) * TRUSTED > len(known)
