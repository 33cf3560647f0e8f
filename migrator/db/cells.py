"""How values of the ledger stand in its columns. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import Column
from sqlalchemy.engine import Dialect

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


def as_driver_takes(
    columns: Sequence[Column[Any]], rows: Iterable[dict[str, Any]], dialect: Dialect
) -> list[tuple[Any, ...]]:
    """Rows that hold a value for every column, in the columns' order, each value as its type hands it to the driver."""
    made = [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in columns]
    return [tuple(row[name] if make is None else make(row[name]) for name, make in made) for row in rows]


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
