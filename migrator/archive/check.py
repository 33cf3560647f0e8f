"""Checking an archive: every blob is read, unsealed and hashed again, every entry opened, and what a pass saw counted.

It looks through `archive.view`, as playing in does: what it calls whole can be played in, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from migrator.archive import blobs, entries
from migrator.archive.file import ArchiveFile
from migrator.archive.record import LeftOut
from migrator.archive.view import Pass, View, passes
from migrator.errors import ArchiveDamaged, ArchiveUnusable, Stopped

_AT_ONCE: Final = 1000
_FOLDER_ROWS: Final = "SELECT id, address, sealed FROM folder WHERE id > ? ORDER BY id LIMIT ?"
_MOST_BLOBS: Final = 1 << 32
_BLOBS: Final = "SELECT id, 0 FROM blob WHERE id > ? ORDER BY id LIMIT ?"
_ALL: Final = (
    "SELECT message.id, folder, origin, message.blob, blob.address, message.sealed, "
    "(SELECT count(*) FROM placement WHERE placement.message = message.id AND from_pass <= ? "
    "AND (gone_pass IS NULL OR gone_pass > ?)) "
    "FROM message LEFT JOIN blob ON blob.id = message.blob WHERE message.id > ? ORDER BY message.id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Damage:
    """A message that cannot be given back as it was. `folder` and `key` are empty where they are damaged themselves."""

    folder: str
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """A message of the source that the pass did not keep, and why."""

    folder: str
    key: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A folder that the pass could not see to its end: what is here of it is what this one and earlier ones saw."""

    folder: str
    messages: int
    """So many more the source announced, and nobody could list them."""
    error: str


@dataclass(slots=True)
class Health:
    """What a check found."""

    account: str = ""
    moment: datetime | None = None
    """When the pass ended that was looked at; None: no pass is complete yet."""
    found: int | None = None
    """Messages at the source then; None where the record of the pass is damaged."""
    messages: int = 0
    """Those of that pass that are here."""
    whole: int = 0
    """Those of them that can be given back as they were."""
    missing: list[Lacking] = field(default_factory=list)
    """What the pass did not keep of what it found, as far as anybody could name it."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Folders that a rule left behind."""
    unseen: list[Unseen] = field(default_factory=list)
    """Folders that this pass could not see to their end."""
    kept: int = 0
    """All that any pass has seen."""
    blobs: int = 0
    octets: int = 0
    """Of all blobs, unpacked."""
    passes: list[datetime] = field(default_factory=list)
    """When each complete pass ended."""
    damaged: list[Damage] = field(default_factory=list)
    structure: str = ""
    """What SQLite says of its file, where that is damaged; what it costs stands in `damaged`."""

    @property
    def lacking(self) -> int:
        """How many messages of the source are not here: those named, and those that were only announced."""
        return len(self.missing) + sum(folder.messages for folder in self.unseen)

    @property
    def is_whole(self) -> bool:
        """Whether a pass is complete, and everything that it found is here, and can be read."""
        return self.moment is not None and not (self.damaged or self.missing or self.unseen or self.structure)


def check(
    archive: ArchiveFile, at: datetime | None = None, *, wants_stop: Callable[[], bool] = lambda: False
) -> Health:
    """Read everything once. `at`: look at the pass of that time. Raises ArchiveDamaged, ArchiveUnusable, Stopped."""
    complete = [item for item in passes(archive) if item.ended is not None]
    fitting = [item for item in complete if at is None or (item.ended is not None and item.ended <= at)]
    if at is not None and not fitting:
        raise ArchiveUnusable(f"No pass into the archive {archive.path} was completed by {at}.")
    health = Health(structure=_structure(archive), passes=[item.ended for item in complete if item.ended is not None])
    health.account = _account(archive, health)
    blobs_read = _Blobs(archive, health, wants_stop)
    if fitting:
        _look(archive, fitting[-1], blobs_read, health)
    for blob, _ in _rows(archive, _BLOBS):
        blobs_read.trouble(blob)
    _look_elsewhere(archive, fitting[-1].number if fitting else 0, blobs_read, health)
    _look_at_records(archive, health)
    return health


def _structure(archive: ArchiveFile) -> str:
    try:
        said = archive.one("PRAGMA integrity_check(1)")[0]
    except ArchiveDamaged as error:
        return error.detail
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return "" if text == "ok" else text


def _account(archive: ArchiveFile, health: Health) -> str:
    try:
        return archive.account
    except ArchiveDamaged:
        health.damaged.append(Damage("", "", "The entry that says whose mail this is is damaged."))
        return ""


class _Blobs:
    """Reads each blob once; remembers one bit of it, and why it is no use."""

    def __init__(self, archive: ArchiveFile, health: Health, wants_stop: Callable[[], bool]) -> None:
        self._archive = archive
        self._health = health
        self._wants_stop = wants_stop
        self._read = bytearray()
        self._bad: dict[int, str] = {}

    def trouble(self, blob: int) -> str:
        """Why it cannot be given back as it was; empty where it can."""
        if not 0 <= blob < _MOST_BLOBS:
            return "The octets of a message have an impossible number."
        at, bit = divmod(blob, 8)
        if at >= len(self._read):
            self._read.extend(bytes(at + 1 - len(self._read)))
        if not self._read[at] >> bit & 1:
            self._read[at] |= 1 << bit
            if self._wants_stop():
                raise Stopped("The check was stopped.")
            self._health.blobs += 1
            try:
                self._health.octets += self._archive.again(partial(_octets, self._archive, blob))
            except ArchiveDamaged as error:
                self._bad[blob] = error.message
        return self._bad.get(blob, "")


def _octets(archive: ArchiveFile, blob: int) -> int:
    """How many it has, all of them unsealed and hashed. Raises ArchiveDamaged."""
    digest, count = hashlib.sha256(), 0
    for octets in blobs.read(archive, blob):
        digest.update(octets)
        count += len(octets)
    address = archive.one("SELECT address FROM blob WHERE id = ?", (blob,))
    if address is None or archive.seal.address("blob", digest.digest()) != address[0]:
        raise ArchiveDamaged("The octets are not those that were archived.")
    return count


def _look(archive: ArchiveFile, moment: Pass, read: _Blobs, health: Health) -> None:
    """At all that this pass saw."""
    view = View(archive, moment)
    health.moment = moment.ended
    for number, info in view.folders():
        for page in view.pages(number):
            for found in page:
                trouble = found.trouble or read.trouble(found.blob)
                health.messages += found.is_there
                health.whole += not trouble
                if trouble:
                    health.damaged.append(Damage(info.name, found.key, trouble))
    if moment.record is not None:
        health.found = moment.record.found
        health.left_out = [item for item in moment.record.left_out if not item.failed]
        health.missing = [
            Lacking(folder.info.name, str(item.key), item.size, item.reason)
            for folder in moment.record.folders
            for item in folder.missing
        ]
        health.unseen = [Unseen(*item) for item in moment.record.unseen()]


def _look_elsewhere(archive: ArchiveFile, number: int, read: _Blobs, health: Health) -> None:
    """At what only other passes saw."""
    names = _folder_names(archive)
    for message, folder, origin, blob, address, sealed, now in _rows(archive, _ALL, number, number):
        health.kept += 1
        if now:
            continue
        name, key = names.get(folder, ""), ""
        try:
            key = str(entries.open_origin(archive.seal, folder, origin, address, sealed).key)
            _placements(archive, message)
        except ArchiveDamaged as error:
            health.damaged.append(Damage(name, key, error.message))
            continue
        if trouble := read.trouble(blob):
            health.damaged.append(Damage(name, key, trouble))


def _placements(archive: ArchiveFile, message: int) -> None:
    wanted = "SELECT from_pass, sealed FROM placement WHERE message = ?"
    for since, sealed in archive.again(lambda: list(archive.rows(wanted, (message,)))):
        entries.open_flags(archive.seal, message, since, sealed)


def _look_at_records(archive: ArchiveFile, health: Health) -> None:
    """At what nothing else depends on: folders' own rows, and the passes' records."""
    for folder, address, sealed in _rows(archive, _FOLDER_ROWS):
        try:
            entries.open_folder(archive.seal, address, sealed)
        except ArchiveDamaged:
            health.damaged.append(Damage("", "", f"The entry of folder {folder} is damaged."))
    health.damaged.extend(Damage("", "", item.trouble) for item in passes(archive) if item.trouble)


def _folder_names(archive: ArchiveFile) -> dict[int, str]:
    names: dict[int, str] = {}
    for folder, address, sealed in _rows(archive, _FOLDER_ROWS):
        try:
            names[folder] = entries.open_folder(archive.seal, address, sealed).name
        except ArchiveDamaged:  # said where the records are looked at
            continue
    return names


def _rows(archive: ArchiveFile, statement: str, *values: int) -> Iterator[Any]:
    """A query's rows, by rising number in pages: `id > ?` and `LIMIT ?` are its last values."""
    after = 0

    def page() -> list[Any]:
        return list(archive.rows(statement, (*values, after, _AT_ONCE)))

    while rows := archive.again(page):
        yield from rows
        after = rows[-1][0]
