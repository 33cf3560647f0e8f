"""Batches on their way into an archive: sealed in the caller's thread, written in the file's own, some a transaction.

Whoever appends goes on while SQLite and the disk are at work; a message's result comes when it is on the disk.
"""

from __future__ import annotations

import functools
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from migrator.archive.file import ArchiveFile, roll_back
from migrator.archive.storing import Sealed, sealed
from migrator.errors import PostwagenError, Stopped
from migrator.mail.messages import MessageKey
from migrator.ports import AppendResult, AppendResults, Batch, Stored, Unsent

TRANSACTION_OCTETS = 4 * 1024 * 1024
"""So much mail is committed together, because a disk may take long to sync;"""
TRANSACTION_SECONDS = 0.25
"""or what came in so long a time: of a slow source, every batch. Of a slow disk, what came while it was busy."""
UNWRITTEN = 2
"""So many batches may be sealed and not written yet when the next one is made."""
Write = Callable[[sqlite3.Connection, int, Sequence[Sealed]], list[int]]
"""Stores messages of a folder (its row) inside a transaction, in the writer's thread; their rows."""


@dataclass(slots=True)
class _Transaction:
    """Some batches, in order."""

    items: list[Sealed] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    """Of the items, as far as the writer's thread has stored them."""
    octets: int = 0
    landed: Future[None] | None = None
    """Its commit, once that was ordered."""


class Appending:
    """One run of appends. Used once, by one thread."""

    def __init__(
        self, archive: ArchiveFile, row_of: Callable[[str], int], write: Write, may_commit: Callable[[], bool]
    ) -> None:
        """`row_of`: a folder's row by its name."""
        self._archive = archive
        self._row_of = functools.cache(row_of)
        self._write = write
        self._may_commit = may_commit
        self._open = _Transaction()
        self._ending: deque[_Transaction] = deque()
        self._unwritten: deque[Future[None]] = deque()
        self._broken: BaseException | None = None
        """What went wrong in the writer's thread: it does nothing more for us."""
        self._wrong: Exception | None = None
        """Why there is no next batch, or why it is not taken."""
        self._ended = time.monotonic()
        """When the last transaction was ordered to end."""

    def run(self, batches: Iterable[Batch], fits: Callable[[int], None]) -> AppendResults:
        """Results of whole transactions, in order; errors are raised behind all of them.

        A batch that cannot be made does not harm those before it; an error in writing costs its transaction. A stop
        before a commit makes everything behind the last commit Unsent.
        """
        coming = iter(batches)
        try:
            while (batch := self._next(coming)) is not None:
                while self._ending and self._landing().done():
                    yield from self._result()
                if not self._is_room(batch, fits):
                    break
                if batch.parcels:
                    self._hand_over(batch)
                del batch  # its octets are not held while the next one is made
                if self._open.items and self._is_due():
                    self._end()
            if self._open.items:
                self._end()
            while self._ending:
                yield from self._result()
        except Exception as error:
            while self._ending and self._landing().exception() is None:
                yield from self._result()
            if isinstance(error, Stopped):
                behind = [*self._ending, self._open]
                yield from (Unsent(item.parcel) for transaction in behind for item in transaction.items)
            raise
        finally:
            self._leave()
        if self._wrong is not None:
            raise self._wrong

    # ---- the caller's thread -------------------------------------------------------------------------------------

    def _next(self, coming: Iterator[Batch]) -> Batch | None:
        """None: there is none, or it could not be made."""
        try:
            return next(coming, None)
        except Exception as error:  # noqa: BLE001 - raised in its turn
            self._wrong = error
            return None

    def _is_room(self, batch: Batch, fits: Callable[[int], None]) -> bool:
        octets = self._open.octets + sum(transaction.octets for transaction in self._ending)
        try:
            fits(octets + _octets(batch))
        except PostwagenError as error:
            self._wrong = error
            return False
        return True

    def _hand_over(self, batch: Batch) -> None:
        """Seal it, and give it to the writer's thread; waits where too much is waiting there already."""
        transaction = self._open
        transaction.octets += _octets(batch)
        folder = self._row_of(batch.folder.name)
        items = sealed(self._archive.seal, folder, batch.parcels)
        transaction.items += items
        self._unwritten.append(self._archive.behind(lambda sql: self._store(sql, transaction, folder, items)))
        while len(self._unwritten) > UNWRITTEN:
            self._unwritten.popleft().result()

    def _is_due(self) -> bool:
        slow = not self._ending and time.monotonic() - self._ended >= TRANSACTION_SECONDS
        return slow or self._open.octets >= TRANSACTION_OCTETS

    def _end(self) -> None:
        self._open.landed = self._archive.behind(self._commit)
        self._ending.append(self._open)
        self._open, self._ended = _Transaction(), time.monotonic()

    def _landing(self) -> Future[None]:
        """The commit of the oldest transaction that was ordered to end."""
        landed = self._ending[0].landed
        assert landed is not None
        return landed

    def _result(self) -> Iterator[AppendResult]:
        """Of the oldest transaction, when it is on the disk."""
        self._landing().result()
        first = self._ending.popleft()
        validity = self._archive.validity
        for item, row in zip(first.items, first.rows, strict=True):
            yield Stored(item.parcel, MessageKey(validity, row))

    def _leave(self) -> None:
        """Whatever has not landed never was."""
        if self._ending or self._open.items:
            self._broken = self._broken or Stopped("Nobody waits for the results any more.")
            self._archive.give_up()

    # ---- the writer's thread -------------------------------------------------------------------------------------

    def _store(self, sql: sqlite3.Connection, transaction: _Transaction, folder: int, items: Sequence[Sealed]) -> None:
        with self._unless_broken(sql):
            if not sql.in_transaction:
                self._archive.begin(sql)
            transaction.rows += self._write(sql, folder, items)
            for item in items:
                item.emptied()

    def _commit(self, sql: sqlite3.Connection) -> None:
        with self._unless_broken(sql):
            if not self._may_commit():
                raise Stopped("Stopped before a transaction was committed.")
            self._archive.commit(sql)

    @contextmanager
    def _unless_broken(self, sql: sqlite3.Connection) -> Iterator[None]:
        """After the first error nothing more is done, and nothing is left of what was not committed."""
        if self._broken is not None:
            raise self._broken
        try:
            yield
        except BaseException as error:
            self._broken = error
            roll_back(sql)
            raise


def _octets(batch: Batch) -> int:
    return sum(parcel.letter.size for parcel in batch.parcels)
