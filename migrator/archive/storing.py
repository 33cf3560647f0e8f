"""One batch of messages into an archive, inside the caller's transaction: what is there is looked up in one go.

Nobody else writes (the file's lock), so new rows get their numbers here.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from migrator.archive import blobs, entries
from migrator.archive.entries import Origin
from migrator.archive.file import ArchiveFile
from migrator.ports import Letter, Parcel

LEAP = 1 << 32
AT_ONCE = 500
"""So many values stand in one statement."""


def blobs_of(archive: ArchiveFile, sql: sqlite3.Connection, letters: Sequence[Letter]) -> list[tuple[bytes, int]]:
    """Address and row of each letter's octets, in order; equal octets have one blob, written where they are new."""
    addresses = [archive.seal.address("blob", _digest(letter)) for letter in letters]
    known = dict(_looked_up(sql, "SELECT address, id FROM blob WHERE address IN ({})", (), addresses))
    new = {address: letter for address, letter in zip(addresses, letters, strict=True) if address not in known}
    rows = enumerate(new.items(), _one(sql, "SELECT coalesce(max(id), 0) + 1 FROM blob"))
    for blob, (address, letter) in rows:
        blobs.put(archive, sql, blob, address, letter)
        known[address] = blob
    return [(address, known[address]) for address in addresses]


def known_messages(sql: sqlite3.Connection, folder: int, origins: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """Those of these origins that the folder has: row and blob by origin."""
    found = _looked_up(
        sql, "SELECT origin, id, blob FROM message WHERE folder = ? AND origin IN ({})", (folder,), origins
    )
    return {origin: (message, blob) for origin, message, blob in found}


def add_messages(
    archive: ArchiveFile,
    sql: sqlite3.Connection,
    folder: int,
    number: int,
    new: Sequence[tuple[bytes, bytes, int, Parcel]],
    *,
    leap: bool,
) -> list[int]:
    """Messages that are not there yet: (origin, blob's address, blob's row, parcel). Their rows; placed from this pass.

    No two may have the same origin. `leap`: the first row lies by chance somewhere beyond the others, so that two
    copies of one archive that were both written to have no row in common but those that they had before: a ledger that
    has seen the one is not misled by the other.
    """
    seal, first = archive.seal, next_row(sql)
    if leap and first > 1:
        first += secrets.randbelow(LEAP)
    messages, placements = [], []
    for message, (origin, address, blob, parcel) in enumerate(new, first):
        letter = parcel.letter
        what = Origin(letter.want.key, letter.size, parcel.instant)
        messages.append((message, folder, origin, blob, entries.seal_origin(seal, folder, origin, address, what)))
        flags = entries.seal_flags(seal, message, number, frozenset(parcel.flags))
        placements.append((message, number, flags))
    sql.executemany("INSERT INTO message (id, folder, origin, blob, sealed) VALUES (?, ?, ?, ?, ?)", messages)
    sql.executemany("INSERT INTO placement (message, from_pass, sealed) VALUES (?, ?, ?)", placements)
    return [row[0] for row in messages]


def move_aside(
    archive: ArchiveFile, sql: sqlite3.Connection, folder: int, message: int, address: bytes, other: bytes
) -> None:
    """A message whose origin means another one now gets another address; it stays restorable. The caller ends it."""
    sealed, blob = sql.execute(
        "SELECT message.sealed, blob.address FROM message JOIN blob ON blob.id = message.blob WHERE message.id = ?",
        (message,),
    ).fetchone()
    origin = entries.open_origin(archive.seal, folder, address, blob, sealed)
    sql.execute(
        "UPDATE message SET origin = ?, sealed = ? WHERE id = ?",
        (other, entries.seal_origin(archive.seal, folder, other, blob, origin), message),
    )


def next_row(sql: sqlite3.Connection) -> int:
    """The row of the next message: higher than that of any message or placement, so that an older file has a lower one.

    (But for placements of the pass that goes on, which may vanish again.)
    """
    highest = "(SELECT coalesce(max(id), 0) FROM message), (SELECT coalesce(max(id), 0) FROM placement)"
    return _one(sql, f"SELECT max({highest}) + 1")


def _digest(letter: Letter) -> bytes:
    return letter.prints.digest if letter.prints else blobs.digest_of(letter.chunks())


def _one(sql: sqlite3.Connection, statement: str) -> int:
    return int(sql.execute(statement).fetchone()[0])


def _looked_up(
    sql: sqlite3.Connection, statement: str, fixed: tuple[int, ...], values: Sequence[bytes]
) -> Iterator[Any]:
    for start in range(0, len(values), AT_ONCE):
        some = values[start : start + AT_ONCE]
        yield from sql.execute(statement.format(",".join("?" * len(some))), (*fixed, *some))
