"""A message's internal date, where the server's word can be believed. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from migrator.mail.messages import header_block

FIRST_YEAR = 1970
"""Mail servers count from 1970: what is older is a mistake (quirks.md, 49), and some store it as 2105."""


def internal_date(said: datetime | None, head: bytes) -> datetime | None:
    """The source's internal date; where that is missing or impossible, the Date header's instant."""
    return said if said is not None and said.year >= FIRST_YEAR else date_of(head)


def date_of(head: bytes) -> datetime | None:
    """The first Date header's instant, if it is one that a server can keep."""
    for line in header_block(head).splitlines():
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"date":
            try:
                found = parsedate_to_datetime(value.decode("ascii", "replace").strip())
            except (ValueError, TypeError, IndexError, OverflowError):
                return None
            return found.astimezone(UTC) if found.tzinfo and FIRST_YEAR <= found.year <= 9998 else None
    return None
