"""Folders that were never carried are appended in one stream: none waits until the one before has been ended.

Whatever is out of the ordinary leaves its folder to be carried alone, as any folder may be (`engine.run`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from migrator.engine.carry import FolderCarry
from migrator.engine.quiet import InDoubt
from migrator.errors import ConnectionLost, FolderRefused, PostwagenError, ServerBusy
from migrator.mail.folders import FolderPath
from migrator.planning.batches import FOLDERS_TOGETHER, ROWS_TOGETHER
from migrator.planning.roles import comparable
from migrator.ports import Batch, FolderPair, Ledger, Target

MOST_FOLDERS, MOST_MESSAGES = 100, 20_000
"""So much is appended before its folders are ended: until then none of them counts as complete."""
OF_ONE_FOLDER = (FolderRefused, ConnectionLost, ServerBusy)
"""Errors after which other folders may still be carried."""


@dataclass(slots=True)
class Together:
    """What became of the folders."""

    carried: list[FolderPair] = field(default_factory=list)
    alone: list[FolderPair] = field(default_factory=list)
    """To be carried as usual."""
    doubtful: list[FolderPair] = field(default_factory=list)
    """To be carried when the target has been left alone for a while."""


def fit_together(waiting: Sequence[FolderPair], target: Target) -> list[FolderPair]:
    """Those that stand first and can be appended in one stream; none, unless there are two.

    No two that some server may take for one folder; and every append must be told with its key.
    """
    if target.traits.keeps_history or not target.traits.reports_keys:
        return []
    found: list[FolderPair] = []
    places: set[FolderPath] = set()
    messages = 0
    for pair in waiting[:MOST_FOLDERS]:
        place = tuple(comparable(level) for level in pair.target_path)
        messages += pair.source.messages or 0
        if place in places or messages > MOST_MESSAGES:
            break
        places.add(place)
        found.append(pair)
    return found if len(found) > 1 else []


def carry_together(
    target: Target,
    ledger: Ledger,
    pairs: Sequence[FolderPair],
    open_work: Callable[[FolderPair], FolderCarry],
    may_commit: Callable[[], bool],
) -> Together:
    """Append what is in all of them, then end each. Raises what hits the mailbox."""
    stream = _Stream(pairs, open_work)
    try:
        with closing(target.append(stream.batches(), may_commit=may_commit)) as results:
            for result in results:
                stream.owners.pop(result.parcel.entry).take(result)
    except PostwagenError as error:
        for _, work in stream.begun:
            work.break_off(error)
        if not isinstance(error, OF_ONE_FOLDER):
            raise
        doubtful = [pair for pair, work in stream.begun if work.is_doubtful]
        return Together(alone=[pair for pair in pairs if pair not in doubtful], doubtful=doubtful)
    with ledger.joint():
        done = Together(doubtful=[pair for pair, work in stream.begun if work.conclude()])
    done.alone = [pair for pair in stream.left if pair not in done.doubtful]
    done.alone += [pair for pair, work in stream.begun if work.is_hindered and pair not in done.alone + done.doubtful]
    others = [(pair, work) for pair, work in stream.begun if pair not in done.alone + done.doubtful]
    _end(target, ledger, others, done)
    return done


class _Stream:
    """The batches of all folders, one behind the other."""

    def __init__(self, pairs: Sequence[FolderPair], open_work: Callable[[FolderPair], FolderCarry]) -> None:
        self._pairs = pairs
        self._open_work = open_work
        self.begun: list[tuple[FolderPair, FolderCarry]] = []
        self.left: list[FolderPair] = []
        """Folders that were refused, or have something in doubt."""
        self.owners: dict[int, FolderCarry] = {}
        """Whose each parcel is, by its number, until its result has come."""

    def batches(self) -> Iterator[Batch]:
        """In the folders' order."""
        for pair in self._pairs:
            try:
                work = self._open_work(pair)
                work.begin()
                work.beside = self._with_news
                self.begun.append((pair, work))
                for batch in work.batches():
                    self.owners.update((parcel.entry, work) for parcel in batch.parcels)
                    yield batch
            except (FolderRefused, InDoubt):
                self.left.append(pair)

    def _with_news(self) -> list[FolderCarry]:
        return [work for _, work in self.begun[:-1] if work.has_news]


def _end(target: Target, ledger: Ledger, appended: Sequence[tuple[FolderPair, FolderCarry]], done: Together) -> None:
    in_turn = sorted(appended, key=lambda item: item[1].appended > ROWS_TOGETHER)  # large ones are listed page by page
    for start in range(0, len(in_turn), FOLDERS_TOGETHER):
        some = in_turn[start : start + FOLDERS_TOGETHER]
        target.foresee([work.listing for _, work in some if 0 < work.appended <= ROWS_TOGETHER])
        ended: list[FolderCarry] = []
        for pair, work in some:
            try:
                work.end()
            except OF_ONE_FOLDER:
                done.alone.append(pair)
            else:
                done.carried.append(pair)
                ended.append(work)
        with ledger.joint():
            for work in ended:
                work.keep()
