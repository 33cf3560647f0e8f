"""How values of the ledger stand in its columns. Pure."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import quote, unquote

from migrator.db.models import Failure
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry, Stand

_PLAIN = "".join(chr(code) for code in range(33, 127) if chr(code) != "%")


@functools.lru_cache(1024)
def packed(flags: frozenset[str]) -> str:
    """Flags in one column: a blank between them, and none inside."""
    return " ".join(sorted(quote(flag, safe=_PLAIN) for flag in flags))


@functools.lru_cache(1024)
def unpacked(text: str) -> frozenset[str]:
    """What `packed` made."""
    return frozenset(unquote(word) for word in text.split())


def origin_columns(key: MessageKey) -> dict[str, Any]:
    """A key of the old server in its three columns."""
    return {"origin_validity": key.validity, "origin_uid": key.uid, "origin_name": key.name}


def origin_of(row: Any) -> MessageKey:
    """The key out of those."""
    return MessageKey(row.origin_validity, row.origin_uid, row.origin_name)


def refused_entry(row: Failure) -> Entry:
    """What this job refused, as an entry that nobody carries."""
    nothing = Prints(b"", b"", b"", b"", row.size, delicate=False)
    return Entry(
        0, origin_of(row), Stand.REFUSED, nothing, None, frozenset(), 0,
        this_job=True, reason=row.reason, detail=row.detail,
    )  # fmt: skip
