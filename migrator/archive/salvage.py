"""Reading on where SQLite finds its file damaged: one bad page costs its own rows, not the archive.

Indexes can be rebuilt and rows be read one by one. So every table that an archive is read by is copied, row by row,
into a temporary table of the same name, which SQLite then prefers; messages' octets stay where they are. Nothing is
written into the archive.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

_COLUMNS: Final = {
    "pass": "id, began, ended, sealed",
    "folder": "id, address, from_pass, gone_pass, sealed",
    "blob": "id, address, salt, segment, start, octets",
    "message": "id, folder, origin, blob, sealed",
    "placement": "id, message, from_pass, gone_pass, sealed",
}
_INDEXES: Final = (
    "CREATE INDEX temp.message_of ON message (folder, origin)",
    "CREATE INDEX temp.placement_of ON placement (message, from_pass)",
)
_AT_ONCE: Final = 500
_LAST: Final = 1 << 62
"""No row has a number as high."""


def salvage(sql: sqlite3.Connection) -> None:
    """From now on this connection reads what could be read. Raises sqlite3.Error where not even the schema can."""
    sql.execute("PRAGMA temp_store = FILE")
    for table, columns in _COLUMNS.items():
        _copy(sql, table, columns)
    for statement in _INDEXES:
        sql.execute(statement)


def _copy(sql: sqlite3.Connection, table: str, columns: str) -> None:
    sql.execute(f"CREATE TEMP TABLE {table} ({columns.replace('id,', 'id INTEGER PRIMARY KEY,', 1)})")
    marks = ", ".join("?" * (columns.count(",") + 1))
    held: list[Any] = []
    insert = f"INSERT OR IGNORE INTO temp.{table} VALUES ({marks})"  # noqa: S608 - names of ours
    select = f"SELECT {columns} FROM main.{table} WHERE rowid > ? ORDER BY rowid"  # noqa: S608 - names of ours
    for row in _rows(sql, select):
        held.append(row)
        if len(held) >= _AT_ONCE:
            sql.executemany(insert, held)
            held.clear()
    sql.executemany(insert, held)


def _rows(sql: sqlite3.Connection, select: str) -> Iterator[Any]:
    """All rows that can be read; what raises is stepped over. A damaged page may show one twice, in any order."""
    after = -1
    while True:
        try:
            for row in sql.execute(select, (after,)):
                after = max(after, row[0])
                yield row
        except sqlite3.DatabaseError:
            further = _readable_from(sql, select, after)
            if further is None:
                return
            after = further
        else:
            return


def _readable_from(sql: sqlite3.Connection, select: str, after: int) -> int | None:
    """The lowest number behind which rows can be read again: searched for in strides that double, then halve."""
    bad, step = after, 1
    while not _reads(sql, select, after + step):
        bad, step = after + step, step * 2
        if after + step > _LAST:
            return None
    good = after + step
    while good - bad > 1:
        middle = (bad + good) // 2
        if _reads(sql, select, middle):
            good = middle
        else:
            bad = middle
    return good


def _reads(sql: sqlite3.Connection, select: str, after: int) -> bool:
    try:
        sql.execute(f"{select} LIMIT 1", (after,)).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True
