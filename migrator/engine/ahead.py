"""Reading ahead: the source is read, and its messages' prints are taken, while the target is being filled.

A wrapper of the port (`RetryingSource` stands below it). One thread for each run of reading; what it holds ready is
bounded in octets, and it ends with the run, however that ends.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from migrator.mail.folders import FolderInfo
from migrator.mail.messages import take_prints
from migrator.ports import Letter, Opened, Page, Source, Traits, Unread, Want

AHEAD_OCTETS = 1024 * 1024
"""So much is held ready at most, and one message more; large messages lie on the disk anyhow (`sessions.spool`)."""
LOT_OCTETS = AHEAD_OCTETS // 4
"""So much is worth waking the other thread for: two that wake each other for every message have no time for it;"""
LOT_SECONDS = 0.1
"""or what came in so long a time."""

Answer = Letter | Unread


def with_prints(letter: Letter) -> Letter:
    """The same letter, its prints taken."""
    return replace(letter, prints=take_prints(letter.head, letter.chunks()))


class ReadingAhead:
    """A Source whose `read` runs ahead. Until a run of reading has ended, nothing else may be asked of it."""

    def __init__(self, source: Source, prepare: Callable[[Letter], Letter] = with_prints) -> None:
        """`prepare`: what can be done with a letter before its turn comes; done in the reader's thread."""
        self._source = source
        self._prepare = prepare

    @property
    def traits(self) -> Traits:
        """Of the source."""
        return self._source.traits

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        return self._source.folders()

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows."""
        return self._source.survey(folder)

    def read(self, wants: Iterable[Want]) -> Iterator[Answer]:
        """The source's answers in its order, each letter with its prints. An error comes when its turn has come."""
        asked = list(wants)
        if not asked:
            return
        store = _Store()
        thread = threading.Thread(
            target=_fill, args=(self._source, asked, store, self._prepare), name="reading-ahead", daemon=True
        )
        thread.start()
        try:
            yield from store.taken()
        finally:
            store.close()
            thread.join()

    def close(self) -> None:
        """Log out."""
        self._source.close()


class _Store:
    """What was read and not yet taken: one thread puts, one takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ready: deque[Answer] = deque()
        self._octets = 0
        self._error: BaseException | None = None
        self._ended = self._closed = False

    def put(self, answer: Answer) -> bool:
        """Wait for room, and put it there. False: nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._octets < AHEAD_OCTETS)
            if not self._closed:
                self._ready.append(answer)
                self._octets += _held(answer)
                if self._octets >= LOT_OCTETS:
                    self._changed.notify()
                return True
        _forget(answer)
        return False

    def end(self, error: BaseException | None) -> None:
        """Nothing more comes, because of this error or because that was all."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify()

    def taken(self) -> Iterator[Answer]:
        """One after the other; raises the reader's error behind the last one."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._octets >= LOT_OCTETS, LOT_SECONDS)
                if not self._ready and self._ended:
                    if self._error is not None:
                        raise self._error
                    return
                lot, self._ready = self._ready, deque()
                self._octets = 0
                self._changed.notify()
            try:
                while lot:
                    yield lot.popleft()
            finally:
                while lot:
                    _forget(lot.popleft())

    def close(self) -> None:
        """Nobody wants any more: the reader stops at its next message."""
        with self._changed:
            self._closed = True
            while self._ready:
                _forget(self._ready.popleft())
            self._changed.notify()


def _fill(source: Source, wants: Sequence[Want], store: _Store, prepare: Callable[[Letter], Letter]) -> None:
    """The thread. Closes the source's run of reading itself, so that the connection is left in order."""
    error: BaseException | None = None
    answers = iter(source.read(wants))
    try:
        for answer in answers:
            if not store.put(prepare(answer) if isinstance(answer, Letter) else answer):
                break
    except BaseException as caught:  # noqa: BLE001 - raised again where the answers are taken
        error = caught
    try:
        close = getattr(answers, "close", None)
        if close is not None:
            close()
    finally:
        store.end(error)


def _held(answer: Answer) -> int:
    packed = answer.packed if isinstance(answer, Letter) else None
    return answer.want.size if packed is None else len(packed)


def _forget(answer: Answer) -> None:
    if isinstance(answer, Letter):
        answer.close()
