"""Reading ahead: the source is read, and its messages' prints are taken, while the target is being filled.

A wrapper of the port (`RetryingSource` stands below it). One thread at a time asks the source; what it holds ready is
bounded in octets. It goes on from page to page and from folder to folder where it was told what comes (`expect`), so
that no folder waits for the one before to be ended at the target. Whoever asks for something else stops it first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

from migrator.engine.prints import Printing
from migrator.errors import Defect, FolderRefused, PostwagenError
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import MessageKey, Row
from migrator.planning.batches import is_small, listed_together
from migrator.ports import Changes, Letter, Opened, Page, Source, Traits, Unread, Want

AHEAD_OCTETS = 1024 * 1024
"""So much is held ready at most if nothing else is said, and one message more; large ones lie on the disk anyhow
(`sessions.spool`)."""
LOT_OCTETS = 256 * 1024
"""So much is worth waking the other thread for: two that wake each other for every message have no time for it;"""
LOT_SECONDS = 0.1
"""or what came in so long a time."""
ROW_OCTETS = 500
"""So much memory a row of a survey takes, about."""


class _Mark(Enum):
    """Where something ended on the way."""

    PAGE_READ = auto()
    FOLDER_DONE = auto()


Answer = Letter | Unread
Item = Opened | Page | Letter | Unread | _Mark


class ReadingAhead:
    """A Source that is read ahead. Until a run of reading has ended, nothing else may be asked of it."""

    def __init__(
        self, source: Source, prepare: Callable[[Letter], Letter] | None = None, *, octets: int = AHEAD_OCTETS
    ) -> None:
        """`prepare`: what can be done with a letter before its turn comes, in the reader's thread; prints, by default.

        `octets`: so much is held ready, as it was prepared.
        """
        self._source = source
        self._prepare = prepare or Printing()
        self._octets = octets
        self._route: list[FolderInfo] = []
        """Folders that are still to be surveyed."""
        self._likely: Callable[[Row], bool] = lambda _: True
        self._along: _Run | None = None
        """Goes along the route."""
        self._now: str | None = None
        """The folder that is being taken from it; None: it stands where the next one begins."""
        self._is_ahead = True

    @cached_property
    def traits(self) -> Traits:
        """Of the source, as it was when it was asked first: later a thread may be speaking with it."""
        return self._source.traits

    def expect(self, folders: Sequence[FolderInfo], likely: Callable[[Row], bool]) -> None:
        """These will be surveyed in this order; of each page all that is `likely` will be read, or less. A hint."""
        self._leave()
        self._route, self._likely = list(folders) if self._is_ahead else [], likely

    def alongside(self) -> None:
        """Others read meanwhile: nothing is read ahead from now on, so as to hold less."""
        self._leave()
        self._route, self._is_ahead = [], False

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        self._leave()
        return self._source.folders()

    def foresee(self, folders: Sequence[str]) -> None:
        """Who knows what comes says it by `expect`."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows. An error comes when its turn has come."""
        run = self._run_to(folder)
        if run is None:
            yield from self._source.survey(folder)
            return
        try:
            for item in run.items:
                if item is _Mark.FOLDER_DONE:
                    self._now = None
                    return
                if isinstance(item, Opened | Page):
                    yield item
                else:
                    _forget(item)  # nobody asked for it
            raise Defect("A source was asked for something else while a folder of it was surveyed.")
        finally:
            if self._along is run and self._now == folder:
                self._leave()

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since then; nothing is read ahead of it."""
        self._leave()
        return self._source.changes(folder, state)

    def _run_to(self, folder: str) -> _Run | None:
        """The run along the route, where this folder begins; None: it is not on the route (any more)."""
        names = [info.name for info in self._route]
        if self._along is None or self._now is not None or names[:1] != [folder]:
            self._leave()
            if folder not in names:
                return None
            del self._route[: names.index(folder)]
            self._along = _Run(_along(self._source, tuple(self._route), self._likely), self._prepare, self._octets)
        self._now = self._route.pop(0).name
        return self._along

    def read(self, wants: Iterable[Want]) -> Iterator[Answer]:
        """The source's answers in its order, each letter prepared. An error comes when its turn has come."""
        asked = list(wants)
        if not asked:
            return
        if self._along is not None and asked[0].folder == self._now:
            yield from _chosen(self._along, asked)
            return
        self._leave()
        if not self._is_ahead:
            yield from (self._prepare(item) if isinstance(item, Letter) else item for item in self._source.read(asked))
            return
        run = _Run(self._source.read(asked), self._prepare, self._octets)
        try:
            yield from (item for item in run.items if isinstance(item, Letter | Unread))
        finally:
            run.stop()

    def _leave(self) -> None:
        """Stop going along the route; the source is nobody's then."""
        run, self._along, self._now = self._along, None, None
        if run is not None:
            run.stop()

    def close(self) -> None:
        """Log out."""
        self._leave()
        self._source.close()


def _along(source: Source, folders: Sequence[FolderInfo], likely: Callable[[Row], bool]) -> Iterator[Item]:
    """Survey one folder after the other, or small ones at once, and read each page's messages behind it."""
    for lot in listed_together(folders):
        if is_small(lot[0]):
            yield from _together(source, lot, likely)
            continue
        name = lot[0].name
        for item in source.survey(name):
            yield item
            if isinstance(item, Page):
                yield from source.read([Want(name, row.key, row.size) for row in item.rows if likely(row)])
                yield _Mark.PAGE_READ
        yield _Mark.FOLDER_DONE


def _together(source: Source, folders: Sequence[FolderInfo], likely: Callable[[Row], bool]) -> Iterator[Item]:
    """Survey small folders at once, then read their messages in one go. An error comes in its folder's turn.

    Empty ones come first: there is nothing in them that could be asked for blindly.
    """
    known = {info.name: _surveyed(source, info.name) for info in folders if not info.messages}
    source.foresee([info.name for info in folders if info.messages])
    surveys: list[_Surveyed] = []
    for info in folders:
        surveys.append(known.get(info.name) or _surveyed(source, info.name))
        if surveys[-1].error is not None:
            break
    wants = [Want(one.opened.folder, row.key, row.size) for one in surveys for row in one.rows if likely(row)]
    with closing(_generated(source.read(wants))) as answers:
        for one in surveys:
            if one.error is None or one.rows:
                yield one.opened
                yield Page(one.rows)
                for row in one.rows:
                    if likely(row):
                        yield next(answers)
                yield _Mark.PAGE_READ
            if one.error is not None:
                raise one.error
            yield _Mark.FOLDER_DONE


class _Surveyed(NamedTuple):
    """A small folder, and why no more of it was listed."""

    opened: Opened
    rows: list[Row]
    error: PostwagenError | None


def _surveyed(source: Source, name: str) -> _Surveyed:
    """What was listed before the folder was refused can be carried; what breaks otherwise breaks reading, too."""
    opened, rows = Opened(name, 0, 0, 0), dict[MessageKey, Row]()
    try:
        for item in source.survey(name):
            if isinstance(item, Page):
                rows.update((row.key, row) for row in item.rows)  # a server may list one twice
            else:
                opened = item
    except FolderRefused as error:
        return _Surveyed(opened, list(rows.values()), error)
    except PostwagenError as error:
        return _Surveyed(opened, [], error)
    return _Surveyed(opened, list(rows.values()), None)


def _generated(answers: Iterator[Answer]) -> Generator[Answer, None, None]:
    """Closing it closes theirs."""
    yield from answers


def _chosen(run: _Run, asked: Sequence[Want]) -> Iterator[Answer]:
    """Of what was read of a page that which is wanted, all of it."""
    missing = {want.key for want in asked}
    while missing:
        item = next(run.items, None)
        if not isinstance(item, Letter | Unread):
            raise Defect("More of a page was wanted than had been said to be likely.")
        if item.want.key in missing:
            missing.remove(item.want.key)
            yield item
        else:
            _forget(item)


class _Run:
    """A thread that takes items from the source, and what of them waits for its turn."""

    def __init__(self, items: Iterator[Item], prepare: Callable[[Letter], Letter], at_most: int) -> None:
        self._at_most = at_most
        self._changed = threading.Condition()
        self._ready: deque[Item] = deque()
        self._octets = 0
        self._urgent = False
        """Something is ready that is worth waking the other thread for, however small."""
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self.items = self._taken()
        """One after the other; raises the source's error behind the last one."""
        self._thread = threading.Thread(target=self._fill, args=(items, prepare), name="reading-ahead", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody wants any more: the thread stops at its next item, and leaves the source in order."""
        with self._changed:
            self._closed = True
            while self._ready:
                _forget(self._ready.popleft())
            self._changed.notify()
        self._thread.join()
        self.items.close()

    # ---- who takes -----------------------------------------------------------------------------------------------

    def _taken(self) -> Generator[Item, None, None]:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_worth_taking, LOT_SECONDS)
                if not self._ready and self._ended:
                    if self._error is not None:
                        raise self._error
                    return
                lot, self._ready = self._ready, deque()
                self._octets, self._urgent = 0, False
                self._changed.notify()
            try:
                while lot:
                    yield lot.popleft()
            finally:
                while lot:
                    _forget(lot.popleft())

    def _is_worth_taking(self) -> bool:
        return self._ended or self._urgent or self._octets >= LOT_OCTETS

    # ---- the thread ----------------------------------------------------------------------------------------------

    def _fill(self, items: Iterator[Item], prepare: Callable[[Letter], Letter]) -> None:
        """Closes the source's run of reading itself, so that the connection is left in order."""
        error: BaseException | None = None
        try:
            for item in items:
                if not self._put(prepare(item) if isinstance(item, Letter) else item):
                    break
        except BaseException as caught:  # noqa: BLE001 - raised again where the items are taken
            error = caught
        try:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        finally:
            with self._changed:
                self._ended, self._error = True, error
                self._changed.notify()

    def _put(self, item: Item) -> bool:
        """Wait for room, and put it there. False: nobody wants any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._octets < self._at_most)
            if not self._closed:
                self._ready.append(item)
                self._octets += _held(item)
                self._urgent = self._urgent or not isinstance(item, Letter)
                if self._is_worth_taking():
                    self._changed.notify()
                return True
        _forget(item)
        return False


def _held(item: Item) -> int:
    if isinstance(item, Letter):
        return item.want.size if item.packed is None else len(item.packed)
    return len(item.rows) * ROW_OCTETS if isinstance(item, Page) else ROW_OCTETS


def _forget(item: Item) -> None:
    if isinstance(item, Letter):
        item.close()
