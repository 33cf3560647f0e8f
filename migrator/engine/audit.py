"""Verify: the same survey as a carry, without the writing. Reads both ends and compares them as multisets."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from migrator.engine.announced import Announced
from migrator.engine.placing import found_place
from migrator.engine.prints import forgiving
from migrator.engine.progress import Count
from migrator.engine.run import plan
from migrator.errors import Stopped
from migrator.mail.flags import fitting
from migrator.mail.folders import FolderPath, FolderRef
from migrator.mail.messages import Row
from migrator.planning.verification import Comparison, Discrepancy, Kind, Level, Record, compare, moved
from migrator.ports import Absence, Event, FolderPair, Letter, Mark, Opened, Page, Unread, Want

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options


@dataclass(slots=True)
class Audit:
    """What was found."""

    discrepancies: list[Discrepancy] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether every message of the source is at the target as it should be."""
        return all(item.kind is Kind.EXTRA for item in self.discrepancies)


def audit(ends: Ends, options: Options, level: Level) -> Audit:
    """Compare folder by folder; nothing is written at either end."""
    found = Audit()
    mapping = plan(ends, options)
    if ends.source.traits.has_labels:  # in the order in which they are carried, whatever order they are compared in
        for pair in mapping.pairs:
            deque(ends.source.survey(pair.source.name), maxlen=0)
    groups: dict[FolderPath, list[FolderPair]] = defaultdict(list)
    for pair in mapping.pairs:
        groups[pair.target_path].append(pair)
    there = {info.name for info in ends.target.folders()}
    comparisons: list[Comparison] = []
    for path, pairs in groups.items():
        if ends.stop.wanted():
            raise Stopped("Stopped between two folders.")
        ends.observer.note(Event("folder_started", {"folder": pairs[0].source.name}))
        folder = found_place(ends, pairs[0], there)
        name = folder.name if folder else ends.target.traits.namespace.to_name(path)
        comparisons.append(_compare(ends, pairs, folder, level))
        for pair in pairs:
            _tell_gap(ends, pair, comparisons[-1])
        for pair in pairs:
            _show(ends, pair, name, comparisons[-1])
    moved(comparisons)
    found.discrepancies = [item for comparison in comparisons for item in comparison.discrepancies]
    return found


def _compare(ends: Ends, pairs: Sequence[FolderPair], folder: FolderRef | None, level: Level) -> Comparison:
    source = [record for pair in pairs for record in _source_records(ends, pair, folder, level)]
    target = list(_target_records(ends, folder, level)) if folder else []
    if level is Level.COUNTS:
        return _compare_counts(source, target)
    traits = ends.source.traits
    return compare(source, target, dates=traits.has_dates, flags=traits.has_flags)


def _tell_gap(ends: Ends, pair: FolderPair, comparison: Comparison) -> None:
    """What the source announces and does not show is proven of nobody."""
    both = (*comparison.proven, *comparison.differing)
    missing = Announced(ends, pair).missing(sum(record.folder == pair.source.name for record in both))
    for number in range(1, missing + 1):
        detail = f"announced by the old server and not shown ({number} of {missing})"
        comparison.discrepancies.append(Discrepancy(pair.source.name, "", Kind.MISSING, detail))
        comparison.differing.append(Record(pair.source.name, "", b"", b"", frozenset(), None))


def _compare_counts(source: Sequence[Record], target: Sequence[Record]) -> Comparison:
    missing = max(0, len(source) - len(target))
    found = Comparison(proven=list(source[: len(source) - missing]), differing=list(source[len(source) - missing :]))
    if missing:
        detail = f"{missing} of {len(source)} (counted only)"
        found.discrepancies.append(Discrepancy(source[0].folder, "", Kind.MISSING, detail))
    if len(target) > len(source):
        detail = f"{len(target) - len(source)} more than {len(source)} (counted only)"
        found.discrepancies.append(Discrepancy(target[0].folder, "", Kind.EXTRA, detail))
    return found


def _source_records(ends: Ends, pair: FolderPair, folder: FolderRef | None, level: Level) -> Iterator[Record]:
    for item in ends.source.survey(pair.source.name):
        if isinstance(item, Opened):
            continue
        here = Page([row for row in item.rows if not row.shown_in])
        wants = {row.key: Want(pair.source.name, row.key, row.size) for row in here.rows}
        yield from _records(here, pair.source.name, level, partial(ends.source.read, wants.values()), folder)


def _target_records(ends: Ends, folder: FolderRef, level: Level) -> Iterator[Record]:
    for page in ends.target.listing(folder):
        wants = [Want(folder.name, row.key, row.size) for row in page.rows]
        yield from _records(page, folder.name, level, partial(ends.target.open, folder, wants), folder)


def _records(
    page: Page, name: str, level: Level, read: Callable[[], Iterator[Letter | Unread]], folder: FolderRef | None
) -> Iterator[Record]:
    rows = {row.key: row for row in page.rows}
    if level is Level.COUNTS:
        for row in rows.values():
            yield _record(name, row, b"", b"", row.size, folder)
        return
    for answer in read():
        row = rows[answer.want.key]
        if isinstance(answer, Letter):
            prints = forgiving(answer, answer.prints)
            answer.close()
            exact = prints.digest if level is Level.DIGESTS else prints.header
            soft = prints.soft if level is Level.DIGESTS else prints.message_id
            header = prints.header if level is Level.DIGESTS else b""
            yield _record(name, row, exact, soft, prints.size, folder, header=header)
        elif answer.absence is not Absence.GONE:
            alone = f"unread {name} {row.key}".encode()
            yield _record(name, row, alone, alone, row.size, folder, unread=answer.detail or answer.absence.value)


def _record(
    name: str,
    row: Row,
    exact: bytes,
    soft: bytes,
    size: int,
    folder: FolderRef | None,
    header: bytes = b"",
    unread: str = "",
) -> Record:
    flags = frozenset(fitting(row.flags, folder).kept) if folder else row.flags
    return Record(name, str(row.key), exact, soft or exact, flags, row.instant, size, header, unread)


def _show(ends: Ends, pair: FolderPair, target: str, comparison: Comparison) -> None:
    """The folder's numbers: what is proven counts as already there, what differs as failed."""
    count = Count()
    for record in comparison.proven:
        count.already_there += record.folder == pair.source.name
    for record in comparison.differing:
        count.failed += record.folder == pair.source.name
    count.found = count.already_there + count.failed
    ends.ledger.pair(pair, target).step(tally=count.frozen(), mark=Mark(complete=True))
