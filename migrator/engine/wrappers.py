"""Resilience as wrappers of the ports: a broken connection is opened again, and only what is missing is asked again.

An append is never repeated here: a lost answer is the value `Unknown`, and the engine knows what to do with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Generic, TypeVar

from migrator.errors import ConnectionLost, FolderRefused, PostwagenError, Remedy, ServerBusy, ServerFault
from migrator.mail.folders import FolderInfo, FolderPath, FolderRef, Role
from migrator.mail.messages import MessageKey
from migrator.ports import (
    Absence,
    AppendResult,
    AppendResults,
    Batch,
    Changes,
    Clock,
    Event,
    FlagChange,
    FolderWish,
    Letter,
    Observer,
    Opened,
    Page,
    Parcel,
    Source,
    StopSignal,
    Target,
    Traits,
    Unknown,
    Unread,
    Unsent,
    Want,
)

DELAYS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before the next attempt; after the last one the error goes on to the job, which waits longer."""
LONGEST_WAIT = 60.0
"""A server that asks for more patience than this is waited for by the job, not by a worker's thread."""
LOSSES_OF_ONE = 3

End = TypeVar("End", Source, Target)
Answer = TypeVar("Answer")


class Reopening(Generic[End]):
    """One end that is opened at first use and again after every loss."""

    def __init__(
        self, name: str, opener: Callable[[], End], *, stop: StopSignal, clock: Clock, observer: Observer
    ) -> None:
        self._name = name
        self._opener: Callable[[], End] = opener
        self._stop = stop
        self._clock = clock
        self._observer = observer
        self._open: End | None = None
        self._in_a_row = 0
        self._ever = False
        self.losses = 0
        """In all, however long ago."""

    def end(self) -> End:
        """The open end. Errors say which end is meant."""
        if self._open is None:
            try:
                self._open = self._opener()
            except PostwagenError as error:
                error.end = self._name
                raise
            self._ever = True
        return self._open

    def progress(self) -> None:
        """Something was delivered: patience begins anew."""
        self._in_a_row = 0

    def lost(self, error: PostwagenError, end: End | None = None) -> None:
        """Take note of a loss: wait and go on, or raise what cannot be mended here.

        `end`: which it was, where somebody else may have opened another one since.
        """
        if end is not None and self._open is not None and self._open is not end:
            return
        error.end = error.end or self._name
        if error.end != self._name or not self._mendable(error):
            raise error
        self.losses += 1
        self.drop()
        wait = error.later.total_seconds() if error.later else DELAYS[min(self._in_a_row, len(DELAYS) - 1)]
        if self._in_a_row >= len(DELAYS) or wait > LONGEST_WAIT:
            raise error
        self._in_a_row += 1
        fields: dict[str, str | int | float] = {
            "end": self._name,
            "code": error.instance_code,
            "detail": error.detail,
            "wait": wait,
        }
        self._observer.note(Event("reconnecting", fields))
        self._clock.wait(wait, self._stop)

    def _mendable(self, error: PostwagenError) -> bool:
        if isinstance(error, ConnectionLost | ServerBusy):
            return True
        return self._ever and self._open is None and error.remedy is Remedy.LATER

    def drop(self) -> None:
        """Close; the next use opens again."""
        open_end, self._open = self._open, None
        if open_end is not None:
            open_end.close()

    def hint(self, give: Callable[[End], None]) -> None:
        """Say what comes; not to a server that has dropped a connection of ours: perhaps it was asked too much."""
        if not self.losses:
            try:
                give(self.end())
            except PostwagenError as error:
                self.lost(error)

    def again(self, ask: Callable[[End], Answer]) -> Answer:
        """Ask for something that may be asked twice."""
        while True:
            try:
                answer = ask(self.end())
            except PostwagenError as error:
                self.lost(error)
            else:
                self.progress()
                return answer


def _read_again(
    reopening: Reopening[End], wants: Iterable[Want], ask: Callable[[End, Sequence[Want]], Iterator[Letter | Unread]]
) -> Iterator[Letter | Unread]:
    """Ask again for what was not delivered; a message that breaks the connection each time is given up, alone."""
    missing = {(want.folder, want.key): want for want in wants}
    blamed: dict[tuple[str, MessageKey], int] = {}
    while missing:
        first = next(iter(missing.values()))
        suspect = blamed.get((first.folder, first.key), 0)
        asked = [first] if suspect else list(missing.values())
        try:
            for answer in ask(reopening.end(), asked):
                del missing[answer.want.folder, answer.want.key]
                reopening.progress()
                yield answer
        except PostwagenError as error:
            first = next(iter(missing.values()), first)
            place = first.folder, first.key
            blamed[place] = blamed.get(place, 0) + 1
            if isinstance(error, ConnectionLost | ServerFault) and blamed[place] >= LOSSES_OF_ONE and not error.end:
                missing.pop(place, None)
                reopening.drop()
                yield Unread(first, Absence.SHORT, f"the server fails each time: {error.detail or error.message}")
                continue
            reopening.lost(error)


def _rows_again(reopening: Reopening[End], ask: Callable[[End], Iterator[Opened | Page]]) -> Iterator[Opened | Page]:
    """A listing that goes on after a loss, behind the highest key that was delivered.

    A server that lists its pages out of order is listed all the same, but not after a loss (quirks.md, 23).
    """
    opened: Opened | None = None
    highest: MessageKey | None = None
    behind: MessageKey | None = None
    ordered = True
    while True:
        try:
            for item in ask(reopening.end()):
                if isinstance(item, Opened):
                    if opened is None:
                        yield item
                    elif opened.validity != item.validity:
                        raise FolderRefused(f"The folder {item.folder} changed its UIDVALIDITY while it was listed.")
                    opened = item
                    continue
                rows = [row for row in item.rows if behind is None or row.key > behind]
                if rows:
                    reopening.progress()  # what was delivered before is none
                    ordered = ordered and (highest is None or rows[0].key > highest)
                    highest = max(highest or rows[-1].key, rows[-1].key)
                    yield Page(rows)
        except PostwagenError as error:
            reopening.lost(error)
            if not ordered:
                raise FolderRefused("The connection broke while the server listed this folder out of order.") from None
            behind = highest
        else:
            return


class RetryingSource:
    """A Source that survives lost connections."""

    def __init__(self, reopening: Reopening[Source]) -> None:
        self._reopening = reopening

    @property
    def traits(self) -> Traits:
        """Of the end that is open now, opened again if need be."""
        return self._reopening.again(lambda end: end.traits)

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        return self._reopening.again(lambda end: end.folders())

    def foresee(self, folders: Sequence[str]) -> None:
        """Of no use after a loss."""
        self._reopening.hint(lambda end: end.foresee(folders))

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """One survey, whatever happens to the connection."""
        return _rows_again(self._reopening, lambda end: end.survey(folder))

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since then, whatever happens to the connection."""
        return self._reopening.again(lambda end: end.changes(folder, state))

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """One answer per want, whatever happens to the connection."""
        return _read_again(self._reopening, wants, lambda end, missing: end.read(missing))

    def close(self) -> None:
        """Log out."""
        self._reopening.drop()


class _HandedOut:
    """Batches on their way through a target, and the parcels whose results it has not told.

    What goes wrong in making a batch is kept, to be raised when the results of those before were told: it is not the
    target's fault.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = iter(batches)
        self._again: deque[Batch] = deque()
        self._open: dict[int, tuple[Batch, Parcel]] = {}
        self.error: Exception | None = None

    def batches(self) -> Iterator[Batch]:
        """First those that are to be sent again, then new ones. Never raises."""
        while self.has_more():
            batch = self._again.popleft()
            self._open |= {parcel.entry: (batch, parcel) for parcel in batch.parcels}
            yield batch

    def has_more(self) -> bool:
        """Whether there is anything to be sent; the next batch is made to know that."""
        if not self._again and self.error is None:
            try:
                self._again.extend(islice(self._batches, 1))
            except Exception as error:  # noqa: BLE001 - raised in its turn
                self.error = error
        return bool(self._again)

    def told(self, parcel: Parcel) -> None:
        """Its result has come."""
        del self._open[parcel.entry]

    def once_more(self) -> None:
        """What has no result is sent again, before everything else."""
        batches: dict[int, tuple[Batch, list[Parcel]]] = {}
        for batch, parcel in self._open.values():
            batches.setdefault(id(batch), (batch, []))[1].append(parcel)
        self._again.extendleft(replace(batch, parcels=parcels) for batch, parcels in reversed(batches.values()))
        self._open.clear()

    def given_up(self) -> Iterator[AppendResult]:
        """What has no result will have none but this."""
        self.once_more()
        return (Unsent(parcel) for batch in self._again for parcel in batch.parcels)


class RetryingTarget:
    """A Target that survives lost connections, and never appends twice."""

    def __init__(self, reopening: Reopening[Target]) -> None:
        self._reopening = reopening

    @property
    def traits(self) -> Traits:
        """Of the end that is open now, opened again if need be."""
        return self._reopening.again(lambda end: end.traits)

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        return self._reopening.again(lambda end: end.folders())

    def prepare(self, wishes: Sequence[FolderWish]) -> None:
        """Of no use after a loss."""
        self._reopening.hint(lambda end: end.prepare(wishes))

    def foresee(self, listings: Sequence[tuple[str, int]]) -> None:
        """Of no use after a loss."""
        self._reopening.hint(lambda end: end.foresee(listings))

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Made once: a folder that was made before the loss is found the second time."""
        return self._reopening.again(lambda end: end.ensure_folder(path, role, subscribe=subscribe))

    def look(self, name: str) -> FolderRef:
        """The folder as it stands."""
        return self._reopening.again(lambda end: end.look(name))

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """One listing, whatever happens to the connection."""
        for item in _rows_again(self._reopening, lambda end: end.listing(folder, floor=floor)):
            if isinstance(item, Page):
                yield item

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """One answer per want, whatever happens to the connection."""
        return _read_again(self._reopening, wants, lambda end, missing: end.open(folder, missing))

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> AppendResults:
        """A loss ends what was begun with its results; what comes then has a new connection.

        What was certainly not sent is sent again only where that is no fault of its messages: it was not begun, or the
        server is busy.
        """
        handed = _HandedOut(batches)
        while handed.has_more():
            unsent: list[Parcel] = []
            doubtful = False
            end: Target | None = None
            try:
                end = self._reopening.end()
                for result in end.append(handed.batches(), may_commit=may_commit):
                    if isinstance(result, Unsent):
                        unsent.append(result.parcel)
                        continue
                    handed.told(result.parcel)
                    if isinstance(result, Unknown):
                        doubtful = True
                    else:
                        self._reopening.progress()
                    yield result
            except PostwagenError as error:
                try:
                    self._reopening.lost(error, end)
                except PostwagenError:
                    yield from handed.given_up()
                    raise
                if isinstance(error, ServerBusy) and not doubtful:
                    unsent = []
            for parcel in unsent:
                handed.told(parcel)
                yield Unsent(parcel)
            handed.once_more()
        if handed.error is not None:
            raise handed.error

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """Setting flags twice does no harm: what has no answer is asked again."""
        missing = {change.key: change for change in changes}
        while missing:
            try:
                for change, there in self._reopening.end().change_flags(folder, list(missing.values())):
                    del missing[change.key]
                    yield change, there
            except PostwagenError as error:
                self._reopening.lost(error)

    def close(self) -> None:
        """Log out."""
        self._reopening.drop()
