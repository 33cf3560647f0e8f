"""What one pass saw, as the archive can still tell it: entry by entry, and how many have vanished.

Playing in, checking, exporting and the manifest all look through this, so that they tell the same. Damage is worked
around first (`archive.salvage`); what it costs all the same is an entry with its `trouble`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from migrator.archive import entries, record
from migrator.archive.file import ArchiveFile
from migrator.archive.record import FolderRecord, PassRecord
from migrator.errors import ArchiveDamaged, ArchiveUnusable
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import MessageKey, Row, sum_of

PAGE_ROWS: Final = 1000
UNREADABLE: Final = "unreadable entry "
"""The key's name of what has no key any more: nobody can read it, so it is reported and stops nothing."""
_FOLDERS: Final = """
    SELECT id, address, sealed FROM folder WHERE from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?) ORDER BY id"""
_MARKS: Final = """
    SELECT message.id, blob.address FROM message JOIN placement ON placement.message = message.id
    LEFT JOIN blob ON blob.id = message.blob
    WHERE folder = ? AND from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?)"""
_ROWS: Final = """
    SELECT message.id, origin, message.blob, blob.address, message.sealed, from_pass, placement.sealed FROM message
    JOIN placement ON placement.message = message.id LEFT JOIN blob ON blob.id = message.blob
    WHERE folder = ? AND message.id > ? AND from_pass <= ? AND (gone_pass IS NULL OR gone_pass > ?)
    ORDER BY message.id, from_pass"""
_LATER: Final = """
    SELECT count(*), min(number), max(number) FROM (
        SELECT max(from_pass, coalesce(gone_pass, 0)) AS number FROM placement
        UNION ALL SELECT max(from_pass, coalesce(gone_pass, 0)) FROM folder)
    WHERE number > ?"""


@dataclass(frozen=True, slots=True)
class Pass:
    """A point in time."""

    number: int
    began: datetime
    ended: datetime | None
    summary: dict[str, Any] = field(default_factory=dict)
    record: PassRecord | None = None
    """What it saw; None where it is not complete, or is damaged."""
    trouble: str = ""
    """Why nobody can tell whether all that it saw is still there."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a pass. With `trouble` its octets cannot be had; the key may then be none of the old server."""

    row: Row
    blob: int
    trouble: str = ""
    is_there: bool = True
    """False: the pass kept one more than there are entries now."""

    @property
    def key(self) -> str:
        """The key at the old server, or nothing where nobody knows it any more."""
        return "" if self.row.key.name.startswith(UNREADABLE) else str(self.row.key)


def passes(archive: ArchiveFile) -> list[Pass]:
    """All of them, the oldest first; the last one may not be complete."""
    rows = archive.again(lambda: list(archive.rows("SELECT id, began, ended, sealed FROM pass ORDER BY id")))
    found = [_pass(archive, *row) for row in rows if isinstance(row[0], int)]
    last = found[-1].number if found else 0
    count, soonest, latest = archive.again(lambda: archive.one(_LATER, (last,)))
    if count > 1 or (count == 1 and soonest == last + 1):  # one row alone may be wrong about its pass
        lost = "The record of its latest pass has vanished from the archive."
        times = (found[-1].began, found[-1].ended or found[-1].began) if found else (_EPOCH, _EPOCH)
        found.append(Pass(latest, *times, trouble=lost))
    return found


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _pass(archive: ArchiveFile, number: int, began: Any, ended: Any, sealed: Any) -> Pass:
    if sealed is None and ended is None:
        return Pass(number, _instant(began), None)
    try:
        summary = entries.open_summary(archive.seal, number, sealed)
    except ArchiveDamaged:
        lost = f"The record of pass {number} is damaged: nobody can tell whether all that it saw is here."
        return Pass(number, _instant(began), _instant(ended), trouble=lost)
    began, ended = summary.get("began", began), summary.get("ended", ended)
    return Pass(number, _instant(began), _instant(ended), summary, record.from_json(summary))


def _instant(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return _EPOCH


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


class View:
    """One pass of one archive."""

    def __init__(self, archive: ArchiveFile, moment: Pass) -> None:
        self.archive = archive
        self.moment = moment
        self._counts: dict[int, tuple[int, str]] = {}
        self._recorded: dict[int, FolderRecord] = {}
        if moment.record is not None:
            self._recorded = {folder.number: folder for folder in moment.record.folders}

    def folders(self) -> list[tuple[int, FolderInfo]]:
        """The folders of that moment: as the pass recorded them, so that a damaged row costs no folder."""
        if self.moment.record is not None:
            return [(folder.number, folder.info) for folder in self.moment.record.folders]
        number = self.moment.number
        rows = self.archive.again(lambda: list(self.archive.rows(_FOLDERS, (number, number))))
        return [(folder, self._opened(folder, address, sealed)) for folder, address, sealed in rows]

    def _opened(self, folder: int, address: bytes, sealed: bytes) -> FolderInfo:
        try:
            return entries.open_folder(self.archive.seal, address, sealed)
        except ArchiveDamaged:
            name = f"Damaged folder {folder}"
            return FolderInfo(name, (name,))

    def count(self, folder: int) -> int:
        """How many entries there are now."""
        return self._present(folder)[0]

    def _present(self, folder: int) -> tuple[int, str]:
        """How many entries there are, and their sum; after salvage, if that may bring more. Counted once."""
        if folder in self._counts:
            return self._counts[folder]
        found = self.archive.again(lambda: self._counted(folder))
        known = self._recorded.get(folder)
        if known is not None and found != (known.kept, known.entries) and self.archive.salvage():
            found = self._counted(folder)
        self._counts[folder] = found
        return found

    def _counted(self, folder: int) -> tuple[int, str]:
        count = total = 0
        for message, blob in self.archive.rows(_MARKS, (folder, self.moment.number, self.moment.number)):
            count, total = count + 1, sum_of((record.mark(message, blob),), total)
        return count, f"{total:032x}"

    def pages(self, folder: int) -> Iterator[list[Found]]:
        """All entries in the order in which they were archived; at the end one for each that has vanished."""
        self._present(folder)  # so that what can be salvaged is salvaged before anything is shown
        count = total = troubled = 0
        for rows, page in self._pages(folder):
            count += len(rows)
            total = sum_of((record.mark(row[0], row[3]) for row in rows), total)
            troubled += sum(bool(found.trouble) for found in page)
            yield page
        present = count, f"{total:032x}"
        lost = list(self._lost(folder, present, troubled))
        for start in range(0, len(lost), PAGE_ROWS):
            yield lost[start : start + PAGE_ROWS]

    def _lost(self, folder: int, present: tuple[int, str], troubled: int) -> Iterator[Found]:
        known = self._recorded.get(folder)
        if known is not None and present != (known.kept, known.entries):
            fewer = known.kept - present[0]
            for number in range(fewer):
                yield _vanished(f"{folder}-{number + 1}", "It was archived, and its entry has vanished.")
            if fewer <= 0 and not troubled:
                yield _vanished(f"{folder}-0", "The entries of this folder are not those that the pass left.")
        if self.moment.trouble and folder == self.folders()[0][0]:
            yield _vanished("of the pass", self.moment.trouble)

    def _pages(self, folder: int) -> Iterator[tuple[list[Any], list[Found]]]:
        after = 0
        while True:
            try:
                for rows in self._batches(folder, after):
                    page = [self._found(folder, *row) for row in rows]
                    if any(found.trouble for found in page) and self.archive.salvage():
                        break
                    yield rows, page
                    after = rows[-1][0]
                else:
                    return
            except ArchiveDamaged:
                if not self.archive.salvage():
                    raise

    def _batches(self, folder: int, after: int) -> Iterator[list[Any]]:
        """One query, cut into pages. Of a message that damage shows twice the later placement counts."""
        rows: dict[int, Any] = {}
        for row in self.archive.rows(_ROWS, (folder, after, self.moment.number, self.moment.number)):
            if len(rows) >= PAGE_ROWS and row[0] not in rows:
                yield list(rows.values())
                rows = {}
            rows[row[0]] = row
        if rows:
            yield list(rows.values())

    def _found(
        self, folder: int, message: int, origin: bytes, blob: int, address: bytes | None, sealed: bytes, since: int,
        flags: bytes,
    ) -> Found:  # fmt: skip
        seal = self.archive.seal
        try:
            opened = entries.open_origin(seal, folder, origin, address, sealed)
        except ArchiveDamaged:
            return _unreadable(str(message), "Its entry in the archive is damaged.")
        row = Row(opened.key, opened.size, frozenset(), opened.instant)
        try:
            return Found(Row(row.key, row.size, entries.open_flags(seal, message, since, flags), row.instant), blob)
        except ArchiveDamaged:
            return Found(row, blob, "Its flags are damaged.")


def _unreadable(what: str, why: str) -> Found:
    return Found(Row(MessageKey(0, 0, UNREADABLE + what), 1, frozenset(), None), 0, why)


def _vanished(what: str, why: str) -> Found:
    return replace(_unreadable(what, why), is_there=False)
