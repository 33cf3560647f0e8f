"""Cursors that come back from outside."""

from __future__ import annotations

from typing import Final

from migrator.errors import UsageError

_LONGEST: Final = 24
"""Eighteen digits in base 64: no row has a larger number, and no database knows much larger ones."""


def cursor(text: str | None) -> str | None:
    """The cursor of an address, None without one. Raises UsageError for one that cannot be ours."""
    if text and len(text) > _LONGEST:
        raise UsageError("This cursor is none of ours.", code="cursor_invalid")
    return text or None
