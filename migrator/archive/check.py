"""Checking an archive: every blob is read, unsealed and hashed again, every placement resolved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from migrator.archive import blobs, entries
from migrator.archive.file import ArchiveFile
from migrator.archive.source import passes
from migrator.errors import ArchiveDamaged


@dataclass(frozen=True, slots=True)
class Damage:
    """A message that cannot be given back as it was. `folder` and `key` are empty where they are damaged themselves."""

    folder: str
    key: str
    detail: str


@dataclass(slots=True)
class Health:
    """What a check found."""

    account: str = ""
    messages: int = 0
    """Those of the latest complete pass."""
    kept: int = 0
    """All that any pass has seen."""
    blobs: int = 0
    octets: int = 0
    """Of all blobs, unpacked."""
    passes: list[datetime] = field(default_factory=list)
    """When each complete pass ended."""
    damaged: list[Damage] = field(default_factory=list)


def check(archive: ArchiveFile) -> Health:
    """Read everything once. Raises ArchiveDamaged where not even the tables can be read."""
    health = Health(account=archive.account, passes=[item.ended for item in passes(archive) if item.ended is not None])
    bad = dict(_bad_blobs(archive, health))
    latest = archive.one("SELECT coalesce(max(id), 0) FROM pass WHERE ended IS NOT NULL")[0]
    names = _folder_names(archive)
    rows = archive.rows(
        "SELECT message.id, folder, origin, message.blob, blob.address, sealed, "
        "(SELECT count(*) FROM placement WHERE placement.message = message.id AND from_pass <= ? "
        "AND (gone_pass IS NULL OR gone_pass > ?)) "
        "FROM message LEFT JOIN blob ON blob.id = message.blob ORDER BY message.id",
        (latest, latest),
    )
    for message, folder, origin, blob, address, sealed, now in rows:
        health.kept += 1
        health.messages += bool(now)
        name, key = names.get(folder, ""), ""
        try:
            key = str(entries.open_origin(archive.seal, folder, origin, address, sealed).key)
            _placements(archive, message)
        except ArchiveDamaged as error:
            health.damaged.append(Damage(name, key, error.message))
            continue
        if folder not in names or blob in bad:
            health.damaged.append(Damage(name, key, bad.get(blob, "Its folder is damaged.")))
    return health


def _bad_blobs(archive: ArchiveFile, health: Health) -> Iterator[tuple[int, str]]:
    for blob, address in archive.rows("SELECT id, address FROM blob ORDER BY id"):
        health.blobs += 1
        digest = hashlib.sha256()
        try:
            for octets in blobs.read(archive, blob):
                digest.update(octets)
                health.octets += len(octets)
        except ArchiveDamaged as error:
            yield blob, error.message
            continue
        if archive.seal.address("blob", digest.digest()) != address:
            yield blob, "The octets are not those that were archived."


def _folder_names(archive: ArchiveFile) -> dict[int, str]:
    names: dict[int, str] = {}
    for folder, address, sealed in archive.rows("SELECT id, address, sealed FROM folder"):
        try:
            names[folder] = entries.open_folder(archive.seal, address, sealed).name
        except ArchiveDamaged:  # each of its messages says so
            continue
    return names


def _placements(archive: ArchiveFile, message: int) -> None:
    for since, sealed in archive.rows("SELECT from_pass, sealed FROM placement WHERE message = ?", (message,)):
        entries.open_flags(archive.seal, message, since, sealed)
