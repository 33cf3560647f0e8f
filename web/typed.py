"""What people type, before a database sees it."""

from __future__ import annotations

import unicodedata


def one_line(text: str, longest: int = 1_000) -> str:
    """Without control characters, which stand in no name or address and which some databases refuse."""
    return "".join(sign for sign in text[:longest] if unicodedata.category(sign) not in ("Cc", "Cs")).strip()
