"""Damage that tests do to an archive's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from migrator.archive.file import SEGMENT_OCTETS


def change(path: Path, statement: str, *values: object) -> None:
    """Some rows, by a statement that hits at least one."""
    with closing(sqlite3.connect(path)) as sql, sql:
        assert sql.execute(statement, values).rowcount > 0


def flip(path: Path, blob: int, at: int = 0) -> None:
    """One bit of a blob's sealed octets, so many octets from its beginning; where negative, from its end."""
    with closing(sqlite3.connect(path)) as sql:
        place = "SELECT segment, start, octets FROM blob WHERE id = ?"
        segment, start, octets = sql.execute(place, (blob,)).fetchone()
        further, start = divmod(start + at % octets, SEGMENT_OCTETS)
        (sealed,) = sql.execute("SELECT sealed FROM segment WHERE id = ?", (segment + further,)).fetchone()
    flipped = sealed[:start] + bytes([sealed[start] ^ 1]) + sealed[start + 1 :]
    change(path, "UPDATE segment SET sealed = ? WHERE id = ?", flipped, segment + further)


def blob_of_one_message(path: Path) -> int:
    """A blob that exactly one message has."""
    with closing(sqlite3.connect(path)) as sql:
        wanted = "SELECT blob FROM message GROUP BY blob HAVING count(*) = 1 LIMIT 1"
        return int(sql.execute(wanted).fetchone()[0])
