"""An archive as a Source, at one point in time: what a complete pass has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from migrator.archive import entries
from migrator.archive.file import ArchiveFile
from migrator.archive.reading import letter_of
from migrator.errors import ArchiveDamaged, ArchiveUnusable, FolderRefused
from migrator.mail.folders import FolderInfo, Namespace
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Absence, Letter, Opened, Page, Traits, Unread, Want

PAGE_ROWS = 2000
_DAMAGED = "damaged entry "


@dataclass(frozen=True, slots=True)
class Pass:
    """A point in time."""

    number: int
    began: datetime
    ended: datetime | None
    summary: dict[str, Any]


def passes(archive: ArchiveFile) -> list[Pass]:
    """All of them, the oldest first; the last one may not be complete."""
    return [
        Pass(
            number,
            datetime.fromtimestamp(began, UTC),
            datetime.fromtimestamp(ended, UTC) if ended is not None else None,
            entries.open_summary(archive.seal, number, sealed) if sealed is not None else {},
        )
        for number, began, ended, sealed in archive.rows("SELECT id, began, ended, sealed FROM pass ORDER BY id")
    ]


def pass_at(archive: ArchiveFile, at: datetime | None) -> Pass:
    """The latest complete pass, or the latest that had ended by then. Raises ArchiveUnusable."""
    complete = [item for item in passes(archive) if item.ended is not None]
    fitting = [item for item in complete if at is None or (item.ended is not None and item.ended <= at)]
    if not fitting:
        first = f" The first one ended at {complete[0].ended}." if complete else ""
        when = f" by {at}" if at else " yet"
        raise ArchiveUnusable(
            f"No pass into the archive {archive.path} was completed{when}.{first}",
            hint="Run `postwagen archive` again: it goes on where it stopped.",
        )
    return fitting[-1]


class ArchiveSource:
    """Fulfils `ports.Source`. Keys are those of the old server, so that nothing is carried twice (traps.md, E)."""

    def __init__(self, archive: ArchiveFile, moment: Pass, namespace: Namespace) -> None:
        self._archive = archive
        self._seal = archive.seal
        self._pass = moment.number
        self.traits = Traits(namespace=namespace, keys_are_stable=False, limits="archive")
        self._ids: dict[str, int] = {}

    def folders(self) -> Sequence[FolderInfo]:
        """The folders of that moment, with their old names."""
        return [replace(info, messages=self._count(number)) for number, info in self._folders()]

    def _folders(self) -> list[tuple[int, FolderInfo]]:
        rows = self._archive.rows(
            "SELECT id, address, sealed FROM folder WHERE from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?) "
            "ORDER BY id",
            (self._pass, self._pass),
        )
        found = [(number, entries.open_folder(self._seal, address, sealed)) for number, address, sealed in rows]
        self._ids = {info.name: number for number, info in found}
        return found

    def _count(self, folder: int) -> int:
        row = self._archive.one(
            "SELECT count(*) FROM message JOIN placement ON placement.message = message.id WHERE folder = ? "
            "AND from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?)",
            (folder, self._pass, self._pass),
        )
        return int(row[0])

    def _id(self, name: str) -> int:
        if name not in self._ids:
            self._folders()
        if name not in self._ids:
            raise FolderRefused(f"The archive has no folder {name} at that point in time.")
        return self._ids[name]

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The messages of that moment, in the order in which they were archived."""
        number, after = self._id(folder), 0
        yield Opened(folder, 0, 0, self._count(number))
        while True:
            rows = list(
                self._archive.rows(
                    "SELECT message.id, origin, blob.address, message.sealed, from_pass, placement.sealed FROM message "
                    "JOIN placement ON placement.message = message.id LEFT JOIN blob ON blob.id = message.blob "
                    "WHERE folder = ? AND message.id > ? "
                    "AND from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?) ORDER BY message.id LIMIT ?",
                    (number, after, self._pass, self._pass, PAGE_ROWS),
                )
            )
            if not rows:
                return
            after = rows[-1][0]
            yield Page([self._row(number, *row) for row in rows])

    def _row(
        self, folder: int, message: int, address: bytes, blob: bytes | None, sealed: bytes, from_pass: int, flags: bytes
    ) -> Row:
        """One that is damaged has a key of its own, which nobody can read: so it is reported, and stops nothing."""
        try:
            origin = entries.open_origin(self._seal, folder, address, blob, sealed)
            kept = entries.open_flags(self._seal, message, from_pass, flags)
        except ArchiveDamaged:
            return Row(MessageKey(0, 0, f"{_DAMAGED}{message}"), 1, frozenset(), None)
        return Row(origin.key, origin.size, kept, origin.instant)

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets; a damaged one is reported and stops nothing."""
        for want in wants:
            if want.key.name.startswith(_DAMAGED):
                yield Unread(want, Absence.EMPTY, "its entry in the archive is damaged")
                continue
            address = entries.address_of_origin(self._seal, want.key)
            found = self._archive.one(
                "SELECT blob FROM message WHERE folder = ? AND origin = ?", (self._id(want.folder), address)
            )
            if found is None:
                yield Unread(want, Absence.GONE)
                continue
            try:
                yield letter_of(self._archive, want, found[0], want.size)
            except ArchiveDamaged as error:
                yield Unread(want, Absence.EMPTY, error.message)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
