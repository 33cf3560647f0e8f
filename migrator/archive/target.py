"""An archive as a Target: appends are idempotent by origin, and every change is an interval of passes."""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from migrator.archive import entries, record, storing
from migrator.archive.appending import Appending
from migrator.archive.file import ArchiveFile
from migrator.archive.held import removed_by_us, with_removed
from migrator.archive.reading import letter_of
from migrator.archive.record import FolderRecord, PassRecord, to_json
from migrator.archive.storing import Sealed
from migrator.errors import ArchiveDamaged, FolderRefused
from migrator.mail.flags import SYSTEM_FLAGS
from migrator.mail.folders import SEPARATOR, FolderInfo, FolderPath, FolderRef, Namespace, Role
from migrator.mail.messages import MessageKey, Row, sum_of
from migrator.ports import (
    Absence,
    AppendResults,
    Batch,
    FlagChange,
    FolderWish,
    Letter,
    Missing,
    Page,
    Sight,
    Traits,
    Unread,
    Want,
)

PAGE_ROWS = 2000
CHANGES_AT_ONCE = 500
"""So many changes of flags are committed together."""
_SYSTEM = frozenset(SYSTEM_FLAGS.values())
_OPEN_IN = (
    "SELECT message.id, blob.address FROM message JOIN placement ON placement.message = message.id "
    "LEFT JOIN blob ON blob.id = message.blob WHERE folder = ? AND gone_pass IS NULL"
)
_COUNT_OPEN = (
    "SELECT count(*) FROM message JOIN placement ON placement.message = message.id "
    "WHERE folder = ? AND gone_pass IS NULL"
)


class ArchiveTarget:
    """Fulfils `ports.Target` and `ports.Historian`."""

    def __init__(self, archive: ArchiveFile, fits: Callable[[int], None] = lambda _octets: None) -> None:
        """Goes on with the last pass if it was not completed, else begins a new one.

        `fits` is asked before octets are added, and raises NoRoom.
        """
        self._archive = archive
        self.fits = fits
        """Raises NoRoom where so many octets do not fit."""
        self._seal = archive.seal
        self._described: dict[FolderPath, FolderInfo] = {}
        self._seen: dict[int, FolderRecord] = {}
        """What this pass saw, by folder. A pass that was stopped sees all folders again when it goes on."""
        self._known: dict[int, FolderRecord] | None = None
        self.traits = Traits(namespace=Namespace("", SEPARATOR), keeps_history=True, limits="archive")
        self.number = self._begin()
        self._newest = storing.newest(archive.sql)
        """The newest message before ours: the next one gets a row far from all others (`storing.add_messages`)."""

    def _begin(self) -> int:
        last = self._archive.one("SELECT id, ended FROM pass ORDER BY id DESC LIMIT 1")
        if last is not None and last[1] is None:
            return int(last[0])
        with self._archive.writing() as sql:
            made = sql.execute("INSERT INTO pass (began) VALUES (?)", (_now(),)).lastrowid
        assert made is not None
        return made

    # ---- folders -------------------------------------------------------------------------------------------------

    def folders(self) -> Sequence[FolderInfo]:
        """Those that the archive holds now."""
        rows = self._archive.rows("SELECT address, sealed FROM folder WHERE gone_pass IS NULL ORDER BY id")
        return [entries.open_folder(self._seal, address, sealed) for address, sealed in rows]

    def describe(self, folders: Sequence[FolderInfo]) -> None:
        """How the source names its folders, with role and subscription; what it has no more ends with this pass."""
        announced = sum(info.octets or 0 for info in folders)
        self.fits(max(0, announced - (self.octets_before() or self._archive.path.stat().st_size)))
        self._described = {info.path: info for info in folders}
        kept = {entries.address_of_folder(self._seal, SEPARATOR.join(info.path)) for info in folders}
        gone = [
            (folder, address)
            for folder, address in self._archive.rows("SELECT id, address FROM folder WHERE gone_pass IS NULL")
            if address not in kept
        ]
        if not gone:
            return
        with self._archive.writing() as sql:
            for folder, _ in gone:
                sql.execute("UPDATE folder SET gone_pass = ? WHERE id = ?", (self.number, folder))
                self._end(sql, self._open_in(folder))

    def octets_before(self) -> int | None:
        """Octets of mail that the latest complete pass kept; None: there is none yet."""
        before = self._before()
        return sum(folder.octets for folder in before.values()) if before else None

    def prepare(self, wishes: Sequence[FolderWish]) -> None:
        """Nothing is waited for here."""

    def foresee(self, listings: Sequence[tuple[str, int]]) -> None:
        """Nothing is waited for here."""

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Make the folder if it is not there."""
        name = SEPARATOR.join(path)
        address = entries.address_of_folder(self._seal, name)
        info = self._described.get(path) or FolderInfo(name, path, role)
        found = self._archive.one("SELECT id, gone_pass, sealed FROM folder WHERE address = ?", (address,))
        if found is None or found[1] is not None or entries.open_folder(self._seal, address, found[2]) != _bare(info):
            sealed = entries.seal_folder(self._seal, address, info)
            with self._archive.writing() as sql:
                sql.execute(
                    "INSERT INTO folder (address, from_pass, sealed) VALUES (?, ?, ?) "
                    "ON CONFLICT (address) DO UPDATE SET sealed = excluded.sealed, gone_pass = NULL",
                    (address, self.number, sealed),
                )
        return self.look(name)

    def look(self, name: str) -> FolderRef:
        """The folder as it stands now; UIDNEXT counts up with every change of flags too. Raises FolderRefused."""
        folder = self._folder(name)
        following = storing.next_row(self._archive.sql)
        count = self._archive.one(_COUNT_OPEN, (folder,))[0]
        return FolderRef(
            name, self._archive.validity, following, count, any_keyword=True, system_flags=_SYSTEM, keeps_labels=True
        )  # fmt: skip

    def _folder(self, name: str) -> int:
        if (found := self._found(name)) is None:
            raise FolderRefused(f"The archive has no folder {name.replace(SEPARATOR, '/')}.")
        return found

    def _found(self, name: str) -> int | None:
        address = entries.address_of_folder(self._seal, name)
        found = self._archive.one("SELECT id FROM folder WHERE address = ? AND gone_pass IS NULL", (address,))
        return int(found[0]) if found is not None else None

    # ---- messages ------------------------------------------------------------------------------------------------

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """The messages that are there now."""
        number, after = self._folder(folder.name), floor - 1
        while rows := self._page(number, after):
            after = rows[-1][0]
            yield Page([self._row(number, row) for row in rows])

    def _page(self, folder: int, after: int) -> list[Any]:
        return list(
            self._archive.rows(
                "SELECT message.id, origin, blob.address, message.sealed, from_pass, placement.sealed FROM message "
                "JOIN placement ON placement.message = message.id LEFT JOIN blob ON blob.id = message.blob "
                "WHERE folder = ? AND message.id > ? AND gone_pass IS NULL ORDER BY message.id LIMIT ?",
                (folder, after, PAGE_ROWS),
            )
        )

    def _row(self, folder: int, row: Any) -> Row:
        message, address, blob, sealed, from_pass, flags = row
        origin = entries.open_origin(self._seal, folder, address, blob, sealed)
        kept = entries.open_flags(self._seal, message, from_pass, flags)
        return Row(MessageKey(self._archive.validity, message), origin.size, kept, origin.instant)

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Read messages back."""
        for want in wants:
            found = self._archive.one("SELECT blob FROM message WHERE id = ?", (want.key.uid,))
            if found is None:
                yield Unread(want, Absence.GONE)
                continue
            try:
                yield letter_of(self._archive, want, found[0])
            except ArchiveDamaged as error:
                yield Unread(want, Absence.EMPTY, error.message)

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> AppendResults:
        """Some batches a transaction; what was there already under the same origin is Stored, and written once.

        Until the last result is taken, nothing else may be asked of the archive.
        """
        return Appending(self._archive, self._folder, self._store, may_commit).run(batches, self.fits)

    def _store(self, sql: sqlite3.Connection, folder: int, items: Sequence[Sealed]) -> list[int]:
        """The messages' rows, in order. In the writer's thread."""
        origins = [item.origin for item in items]
        if len(set(origins)) < len(origins):  # one key twice: the second one is judged by what the first one left
            return [row for item in items for row in self._store(sql, folder, [item])]
        held = storing.blobs_of(sql, items)
        known = storing.known_messages(sql, folder, origins)
        new = []
        for item, blob in zip(items, held, strict=True):
            message, other = known.get(item.origin, (0, 0))
            if message and other == blob:
                self._place(sql, message, frozenset(item.parcel.flags))
                continue
            if message:  # the old server gave this key to other octets
                storing.move_aside(self._seal, sql, folder, message, item.origin)
                self._end(sql, [message])
            new.append((item, blob))
        leap = storing.newest(sql) == self._newest
        made = storing.add_messages(self._seal, sql, folder, self.number, new, leap=leap) if new else []
        rows = {origin: message for origin, (message, _) in known.items()}
        rows.update((item.origin, row) for (item, _), row in zip(new, made, strict=True))
        return [rows[origin] for origin in origins]

    # ---- placements ----------------------------------------------------------------------------------------------

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """A new placement for each; the old one stays as what was before this pass. Many a transaction."""
        coming = iter(changes)
        while some := list(islice(coming, CHANGES_AT_ONCE)):
            with self._archive.writing() as sql:
                told = [(change, self._changed(sql, change)) for change in some]
            yield from told

    def _changed(self, sql: sqlite3.Connection, change: FlagChange) -> bool:
        """False: the message is not there any more."""
        there = self._now(sql, change.key.uid)
        if there is not None:
            self._place(sql, change.key.uid, (there | change.add) - change.remove)
        return there is not None

    def conclude(self, folder: FolderRef, present: array[int], sight: Sight) -> frozenset[int]:
        """End what the source has no more, but for what we deleted there ourselves by the customer's wish.

        `present`: the keys here of all that the source has, in any order.

        Returns those that are not here, or are there twice; then nothing was ended.
        """
        number, wanted = self._folder(folder.name), set(present)
        lacking = {key for key, times in Counter(present).items() if times > 1} if len(wanted) < len(present) else set()
        ours = removed_by_us(self._archive)
        gone, collected, count, total = list[int](), list[int](), 0, 0
        for message, blob in self._archive.rows(_OPEN_IN, (number,)):
            if message in ours and message not in wanted:
                collected.append(message)
            elif message not in wanted:
                gone.append(message)
                continue
            wanted.discard(message)
            count, total = count + 1, sum_of((record.mark(message, blob),), total)
        if lacking := lacking | wanted:
            return frozenset(lacking)
        if gone:
            with self._archive.writing() as sql:
                self._end(sql, gone)
        sight = with_removed(self._archive, sight, number, collected)
        self._seen[number] = record.of_sight(number, sight, count, total)
        return frozenset()

    def unchanged(self, info: FolderInfo) -> Sight | None:
        """What the latest complete pass saw of a folder in which nothing has changed since; it is taken over."""
        before = self._before().get(self._found(SEPARATOR.join(info.path)) or 0) if info.state else None
        if before is None:
            return None
        count = self._archive.one(_COUNT_OPEN, (before.number,))[0]
        same = record.taken_over(before, info, count)
        if same is None:
            return None
        self._seen[same.number] = same
        return Sight(info, same.found, int(same.keys, 16), same.octets)

    def _before(self) -> dict[int, FolderRecord]:
        """What the latest complete pass saw, by folder; asked once, because passes end with this target."""
        if self._known is None:
            last = self._archive.one("SELECT id, sealed FROM pass WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1")
            try:
                kept = record.from_json(entries.open_summary(self._seal, *last)) if last is not None else None
            except ArchiveDamaged:  # then everything is looked at
                kept = None
            self._known = {folder.number: folder for folder in kept.folders} if kept is not None else {}
        return self._known

    def fail(self, info: FolderInfo, error: str, listed: Sequence[Missing] = ()) -> bool:
        """This folder could not be seen to its end: it stands in this pass as earlier ones left it. False: none has it.

        `listed`: what was seen in it all the same and is not kept. What an earlier pass missed is still missing.
        """
        row = self._found(SEPARATOR.join(info.path))
        if row is None or row in self._seen:  # two folders of the source that have one place here
            return False
        count = total = 0
        for message, blob in self._archive.rows(_OPEN_IN, (row,)):
            count, total = count + 1, sum_of((record.mark(message, blob),), total)
        known = record.still_missing(self._before().get(row), listed)
        missing = [item for item in known if not self._keeps(row, item.key)]
        self._seen[row] = record.of_failure(row, info, count, total, error, missing)
        return True

    def _keeps(self, folder: int, key: MessageKey) -> bool:
        origin = entries.address_of_origin(self._seal, key)
        return bool(self._archive.one(_COUNT_OPEN + " AND origin = ?", (folder, origin))[0])

    def finish(self, summary: dict[str, Any]) -> None:
        """The pass is complete: from now on it is the latest point in time. `summary` is kept with what it saw."""
        ended, seen = _now(), PassRecord(tuple(self._seen[number] for number in sorted(self._seen)))
        began = self._archive.one("SELECT began FROM pass WHERE id = ?", (self.number,))[0]
        numbers = {"found": seen.found, "missing": seen.missing, "octets": seen.octets}
        told = summary | {"began": began, "ended": ended} | numbers | {"folders": list(map(to_json, seen.folders))}
        with self._archive.writing() as sql:
            sealed = entries.seal_summary(self._seal, self.number, told)
            sql.execute("UPDATE pass SET ended = ?, sealed = ? WHERE id = ?", (ended, sealed, self.number))

    def _open_in(self, folder: int) -> list[int]:
        return [message for message, _ in self._archive.rows(_OPEN_IN, (folder,))]

    def _now(self, sql: sqlite3.Connection, message: int) -> frozenset[str] | None:
        found = sql.execute(
            "SELECT from_pass, sealed FROM placement WHERE message = ? AND gone_pass IS NULL", (message,)
        ).fetchone()
        return None if found is None else entries.open_flags(self._seal, message, found[0], found[1])

    def _place(self, sql: sqlite3.Connection, message: int, flags: frozenset[str]) -> None:
        if self._now(sql, message) == flags:
            return
        self._end(sql, [message])
        sealed = entries.seal_flags(self._seal, message, self.number, flags)
        values = storing.next_row(sql), message, self.number, sealed
        sql.execute("INSERT INTO placement (id, message, from_pass, sealed) VALUES (?, ?, ?, ?)", values)

    def _end(self, sql: sqlite3.Connection, messages: Sequence[int]) -> None:
        """End their placements with this pass; those that began in it never were."""
        for message in messages:
            here = (message, self.number)
            sql.execute("DELETE FROM placement WHERE message = ? AND from_pass = ? AND gone_pass IS NULL", here)
            sql.execute("UPDATE placement SET gone_pass = ? WHERE message = ? AND gone_pass IS NULL", here[::-1])

    def close(self) -> None:
        """Close the file."""
        self._archive.close()


def _bare(info: FolderInfo) -> FolderInfo:
    return FolderInfo(info.name, info.path, info.role, subscribed=info.subscribed)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())
