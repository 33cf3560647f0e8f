"""What an archive holds of one folder, message by message: the proof that is needed before a server may delete any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from migrator.archive import blobs, entries
from migrator.archive.file import ArchiveFile
from migrator.errors import ArchiveDamaged
from migrator.mail.folders import INBOX, SEPARATOR
from migrator.mail.messages import MessageKey, key_octets, sum_of
from migrator.ports import Sight

_FIND: Final = (
    "SELECT message.id, message.blob, blob.address, message.sealed FROM message "
    "LEFT JOIN blob ON blob.id = message.blob WHERE folder = ? AND origin = ?"
)
_FIRST: Final = (
    "SELECT min(pass.ended) FROM placement JOIN pass ON pass.id >= from_pass "
    "AND (gone_pass IS NULL OR gone_pass > pass.id) WHERE message = ?"
)  # a pass that was not completed has no end, which min() passes over
_LATEST: Final = (
    "SELECT placement.from_pass, placement.sealed FROM placement WHERE message = ? "
    "AND from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?)"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in the archive. `collected`: when the first complete pass that holds it ended.

    It is None too where the latest complete pass holds the message no more. `size` is None where its entry is damaged.
    """

    message: int
    blob: int
    size: int | None
    collected: datetime | None


class Holdings:
    """The inbox of an archive, as a proof for POP3."""

    def __init__(self, archive: ArchiveFile) -> None:
        self._archive = archive
        self._seal = archive.seal
        self._latest = archive.one("SELECT coalesce(max(id), 0) FROM pass WHERE ended IS NOT NULL")[0]
        address = entries.address_of_folder(self._seal, SEPARATOR.join(INBOX))
        found = archive.one("SELECT id FROM folder WHERE address = ?", (address,))
        self._folder = found[0] if found else 0

    def find(self, uidl: str) -> Kept | None:
        """The message that was archived under this UIDL."""
        address = entries.address_of_origin(self._seal, MessageKey(0, 0, uidl))
        found = self._archive.one(_FIND, (self._folder, address))
        if found is None:
            return None
        message, blob, blob_address, sealed = found
        placed = self._archive.one(_LATEST, (message, self._latest, self._latest))
        ended = self._archive.one(_FIRST, (message,))[0] if placed else None
        try:
            size = entries.open_origin(self._seal, self._folder, address, blob_address, sealed).size
            if placed:
                entries.open_flags(self._seal, message, *placed)
        except ArchiveDamaged:
            size = None
        collected = datetime.fromtimestamp(ended, UTC) if isinstance(ended, int) else None
        return Kept(message, blob, size, collected)

    def is_whole(self, kept: Kept) -> bool:
        """Read its octets again, unseal and hash them: whether they are those that were archived. Memory is flat."""
        digest, size = hashlib.sha256(), 0
        try:
            for octets in blobs.read(self._archive, kept.blob):
                digest.update(octets)
                size += len(octets)
            address = self._archive.one("SELECT address FROM blob WHERE id = ?", (kept.blob,))
        except ArchiveDamaged:
            return False
        return size == kept.size and address[0] == self._seal.address("blob", digest.digest())

    def note_removal(self, messages: Iterable[int], wish: str, at: datetime) -> None:
        """Write down, sealed, that we are about to delete these at the server, and who asked for it.

        That a later pass does not see them any more then says nothing: the customer did not delete them. On the disk
        before the server is asked; a message that it keeps all the same is only seen again.
        """
        plain = json.dumps({"wish": wish, "at": at.isoformat()}, ensure_ascii=False).encode()
        with self._archive.writing() as sql:
            sql.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                ((name, self._seal.seal_row(plain, name.encode())) for name in map(removal_name, messages)),
            )


def removal_name(message: int) -> str:
    """The name in `meta` of the note that we deleted this message at the server."""
    return f"removed/{message}"


def with_removed(archive: ArchiveFile, sight: Sight, folder: int, removed: Iterable[int]) -> Sight:
    """As if what we deleted at the server by the customer's wish still lay there: it is to be played in."""
    for message in removed:
        row = archive.one(
            "SELECT origin, blob.address, sealed FROM message LEFT JOIN blob ON blob.id = message.blob "
            "WHERE message.id = ?",
            (message,),
        )
        try:
            origin = entries.open_origin(archive.seal, folder, row[0], row[1], row[2])
        except ArchiveDamaged:  # what it costs is said by whoever reads it
            continue
        keys = sum_of((key_octets(origin.key),), sight.keys)
        sight = replace(sight, found=sight.found + 1, octets=sight.octets + origin.size, keys=keys)
    return sight


def removed_by_us(archive: ArchiveFile) -> frozenset[int]:
    """The messages that we deleted at the server, or were about to: that a pass does not see them says nothing."""
    found = archive.rows("SELECT CAST(substr(name, 9) AS INTEGER) FROM meta WHERE name LIKE 'removed/%'")
    return frozenset(row[0] for row in found)
