"""One batch of messages into an archive: sealed, then written in a transaction; what is there is looked up at once.

Nobody else writes (the file's lock), so new rows get their numbers here.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.archive import blobs, entries
from migrator.archive.entries import Origin
from migrator.archive.file import DAMAGED_HINT, SEGMENT_OCTETS
from migrator.archive.sealing import SALT_OCTETS, ArchiveSeal
from migrator.errors import ArchiveDamaged
from migrator.ports import Parcel

LEAP = 1 << 32
AT_ONCE = 500
"""So many values stand in one statement."""
_MOST_ROWS = {"blob": 1 << 31, "segment": 1 << 40, "message": 1 << 60, "placement": 1 << 60}
"""Far more than there will be, and fewer than readers take for damage."""
RUN_OCTETS = 512 * 1024
"""So much is put together before it is cut into segments."""
_CUT = """
WITH RECURSIVE part (at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM part WHERE at + 1 < :count)
INSERT INTO segment (id, sealed) SELECT :first + at, substr(:octets, at * :size + 1, :size) FROM part
"""
"""All of a run's segments in one statement: each one is a hand-over of Python's lock to the other threads."""


@dataclass(slots=True)
class Sealed:
    """A message ready to be written."""

    parcel: Parcel
    origin: bytes
    """The address of its key at the old server."""
    row: bytes
    """What it was there, sealed."""
    address: bytes
    """Of its octets."""
    salt: bytes
    pieces: Iterable[bytes]
    """Its octets, sealed in chunks. What is large is packed and sealed when it is asked for, once."""

    def emptied(self) -> None:
        """Its octets are no longer needed."""
        self.pieces = ()
        if self.parcel.letter.size > blobs.AT_ONCE_OCTETS:
            self.parcel = self.parcel.emptied()


def sealed(seal: ArchiveSeal, folder: int, parcels: Sequence[Parcel]) -> list[Sealed]:
    """All that needs no look into the archive. `folder`: its row."""
    chance = secrets.token_bytes(SALT_OCTETS * len(parcels))  # at once: others run while the system is asked
    salts = (chance[at : at + SALT_OCTETS] for at in range(0, len(chance), SALT_OCTETS))
    return [_sealed(seal, folder, parcel, salt) for parcel, salt in zip(parcels, salts, strict=True)]


def _sealed(seal: ArchiveSeal, folder: int, parcel: Parcel, salt: bytes) -> Sealed:
    letter = parcel.letter
    origin = entries.address_of_origin(seal, letter.want.key)
    address = seal.address("blob", letter.prints.digest if letter.prints else blobs.digest_of(letter.chunks()))
    what = Origin(letter.want.key, letter.size, parcel.instant)
    row = entries.seal_origin(seal, folder, origin, address, what)
    pieces: Iterable[bytes] = blobs.pieces(seal, address, salt, letter)
    if letter.size <= blobs.AT_ONCE_OCTETS:
        pieces, parcel = list(pieces), parcel.emptied()
    return Sealed(parcel, origin, row, address, salt, pieces)


def blobs_of(sql: sqlite3.Connection, items: Sequence[Sealed]) -> list[int]:
    """The row of each item's octets, in order; equal octets have one blob, written where they are new."""
    known = dict(_looked_up(sql, "SELECT address, id FROM blob WHERE address IN ({})", (), [i.address for i in items]))
    new: dict[bytes, Sealed] = {}
    for item in items:
        if item.address not in known:
            new.setdefault(item.address, item)
    first = _next(sql, "blob")
    segments, rows = _Segments(sql), []
    for blob, item in enumerate(new.values(), first):
        place = segments.place()
        rows.append((blob, item.address, item.salt, *place, sum(map(segments.add, item.pieces))))
    segments.end()
    sql.executemany("INSERT INTO blob (id, address, salt, segment, start, octets) VALUES (?, ?, ?, ?, ?, ?)", rows)
    known.update((address, blob) for blob, address in enumerate(new, first))
    return [known[item.address] for item in items]


class _Segments:
    """Sealed octets, one blob behind the other, cut into rows that fill a page each."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._next = _next(sql, "segment")
        """The first one that is not written yet."""
        self._held: list[bytes] = []
        self._octets = 0

    def place(self) -> tuple[int, int]:
        """Where what is added next will begin: the segment, and the octet in it."""
        further, start = divmod(self._octets, SEGMENT_OCTETS)
        return self._next + further, start

    def add(self, octets: bytes) -> int:
        """How many they are."""
        self._held.append(octets)
        self._octets += len(octets)
        if self._octets >= RUN_OCTETS:
            self._write(self._octets // SEGMENT_OCTETS)
        return len(octets)

    def end(self) -> None:
        """The last one need not be full."""
        if self._octets:
            self._write(-(-self._octets // SEGMENT_OCTETS))

    def _write(self, count: int) -> None:
        octets = b"".join(self._held)
        self._sql.execute(_CUT, {"first": self._next, "count": count, "octets": octets, "size": SEGMENT_OCTETS})
        self._next += count
        self._held = [octets[count * SEGMENT_OCTETS :]]
        self._octets = len(self._held[0])


def known_messages(sql: sqlite3.Connection, folder: int, origins: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """Those of these origins that the folder has: row and blob by origin."""
    found = _looked_up(
        sql, "SELECT origin, id, blob FROM message WHERE folder = ? AND origin IN ({})", (folder,), origins
    )
    return {origin: (message, blob) for origin, message, blob in found}


def add_messages(
    seal: ArchiveSeal,
    sql: sqlite3.Connection,
    folder: int,
    number: int,
    new: Sequence[tuple[Sealed, int]],
    *,
    leap: bool,
) -> list[int]:
    """Messages that are not there yet, with their blobs' rows. Their own rows; placed from pass `number` on.

    No two may have the same origin. `leap`: the first row lies by chance somewhere beyond the others, so that two
    copies of one archive that were both written to have no row in common but those that they had before: a ledger that
    has seen the one is not misled by the other.
    """
    first = next_row(sql)
    if leap and first > 1:
        first += secrets.randbelow(LEAP)
    messages, placements = [], []
    for message, (item, blob) in enumerate(new, first):
        messages.append((message, folder, item.origin, blob, item.row))
        flags = entries.seal_flags(seal, message, number, frozenset(item.parcel.flags))
        placements.append((message, number, flags))
    sql.executemany("INSERT INTO message (id, folder, origin, blob, sealed) VALUES (?, ?, ?, ?, ?)", messages)
    sql.executemany("INSERT INTO placement (message, from_pass, sealed) VALUES (?, ?, ?)", placements)
    return [row[0] for row in messages]


def move_aside(seal: ArchiveSeal, sql: sqlite3.Connection, folder: int, message: int, address: bytes) -> None:
    """A message whose origin means another one now gets another address; it stays restorable. The caller ends it."""
    other = seal.address("superseded", address + str(message).encode())[:16]
    sealed, blob = sql.execute(
        "SELECT message.sealed, blob.address FROM message JOIN blob ON blob.id = message.blob WHERE message.id = ?",
        (message,),
    ).fetchone()
    origin = entries.open_origin(seal, folder, address, blob, sealed)
    sql.execute(
        "UPDATE message SET origin = ?, sealed = ? WHERE id = ?",
        (other, entries.seal_origin(seal, folder, other, blob, origin), message),
    )


def next_row(sql: sqlite3.Connection) -> int:
    """The row of the next message: higher than that of any message or placement, so that an older file has a lower one.

    (But for placements of the pass that goes on, which may vanish again.)
    """
    return max(_next(sql, "message"), _next(sql, "placement"))


def newest(sql: sqlite3.Connection) -> int:
    """The highest row of a message; 0: there is none."""
    return _one(sql, "SELECT coalesce(max(id), 0) FROM message")


def _next(sql: sqlite3.Connection, table: str) -> int:
    """The number of a table's next row. Raises ArchiveDamaged where no archive comes to have such numbers."""
    highest = _one(sql, f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - names of ours
    if highest >= _MOST_ROWS[table]:
        raise ArchiveDamaged(f"The archive is damaged: its table {table} has an impossible row.", hint=DAMAGED_HINT)
    return highest + 1


def _one(sql: sqlite3.Connection, statement: str) -> int:
    return int(sql.execute(statement).fetchone()[0])


def _looked_up(
    sql: sqlite3.Connection, statement: str, fixed: tuple[int, ...], values: Sequence[bytes]
) -> Iterator[Any]:
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        yield from sql.execute(statement.format(",".join("?" * len(some))), (*fixed, *some))
