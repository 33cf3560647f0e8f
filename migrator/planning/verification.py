"""Comparing what lies at both ends, as multisets: twins are counted, nothing is guessed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from migrator.mail.flags import same_flags


class Level(StrEnum):
    """How closely to look."""

    COUNTS = "counts"
    FINGERPRINTS = "fingerprints"
    DIGESTS = "digests"


class Kind(StrEnum):
    """What a difference is. `extra` is named and spoils no proof: new mail arrives at the new server."""

    MISSING = "missing"
    EXTRA = "extra"
    ALTERED = "altered"
    FLAGS = "flags"
    DATE = "date"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Record:
    """One message at one end. `print` is what is compared first, `soft` what survives known alterations, `header`
    what says which message it is, whatever became of its body."""

    folder: str
    key: str
    print: bytes
    soft: bytes
    flags: frozenset[str]
    instant: datetime | None
    size: int = 0
    header: bytes = b""
    unread: str = ""
    """Why its octets are not known; such a message is like no other."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference. `key` is the source's, or the target's for `extra` and `duplicate`."""

    folder: str
    key: str
    kind: Kind
    detail: str = ""


@dataclass(slots=True)
class Comparison:
    """What a comparison of one target folder found. `proven`: the source's records that are there, octet for octet."""

    proven: list[Record] = field(default_factory=list)
    differing: list[Record] = field(default_factory=list)
    """Source records with a difference that spoils the proof."""
    discrepancies: list[Discrepancy] = field(default_factory=list)
    missing: list[Record] = field(default_factory=list)
    """Of the source, without a match in this folder;"""
    free: list[Record] = field(default_factory=list)
    """and of the target."""


_BY_TARGET, _DAMAGED = "altered by the target in CR, LF or NUL only", "damaged, other octets"
_Pairs = list[tuple[Record, Record]]


def compare(
    source: Sequence[Record], target: Sequence[Record], *, dates: bool = True, flags: bool = True
) -> Comparison:
    """Match one to one, the closest first. Flags are given as the target can keep them.

    `dates`, `flags`: whether the source has any to be compared.
    """
    found = Comparison()
    left, free = list(source), list(target)
    ladder: tuple[Callable[[Record], Hashable], ...] = (
        lambda item: (item.print, item.instant, frozenset(flag.lower() for flag in item.flags)),
        lambda item: (item.print, item.instant),
        lambda item: item.print,
    )
    for rung in ladder:
        pairs, left, free = _match(left, free, rung)
        for one, other in pairs:
            _judge(found, one, other, dates=dates, flags=flags)
    for rung, what in ((lambda item: item.soft, _BY_TARGET), (lambda item: item.header or item.print, _DAMAGED)):
        pairs, left, free = _match(left, free, rung)
        for one, other in pairs:
            found.differing.append(one)
            detail = f"{what}: {one.size} octets became {other.size}"
            found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.ALTERED, detail))
    found.missing, found.free = left, free
    for one in left:
        found.differing.append(one)
        found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.MISSING, one.unread))
    known = {item.print for item in source} | {item.soft for item in source}
    for other in free:
        double = other.print in known or other.soft in known
        found.discrepancies.append(Discrepancy(other.folder, other.key, Kind.DUPLICATE if double else Kind.EXTRA))
    return found


def moved(comparisons: Sequence[Comparison]) -> None:
    """Say of what is missing in one folder and lies in another one that it does: nobody else's place is taken."""
    elsewhere = [other for found in comparisons for other in found.free]
    left = [one for found in comparisons for one in found.missing]
    pairs, _, _ = _match(left, elsewhere, lambda item: item.print)
    places = {(one.folder, one.key): (other.folder, other.key) for one, other in pairs}
    known = {(other.folder, other.key) for _, other in pairs}
    for found in comparisons:
        found.discrepancies = [_with_place(item, places) for item in found.discrepancies if not _is_known(item, known)]


def _with_place(item: Discrepancy, places: Mapping[tuple[str, str], tuple[str, str]]) -> Discrepancy:
    place = places.get((item.folder, item.key)) if item.kind is Kind.MISSING else None
    return replace(item, detail=f"lies in {place[0]} ({place[1]})") if place else item


def _is_known(item: Discrepancy, known: AbstractSet[tuple[str, str]]) -> bool:
    return item.kind in (Kind.EXTRA, Kind.DUPLICATE) and (item.folder, item.key) in known


def _judge(found: Comparison, one: Record, other: Record, *, dates: bool, flags: bool) -> None:
    spoilt = False
    if dates and one.instant is not None and one.instant != other.instant:
        spoilt = True
        found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.DATE, f"{one.instant} → {other.instant}"))
    if flags and not same_flags(one.flags, other.flags):
        spoilt = True
        detail = f"{' '.join(sorted(one.flags)) or '-'} → {' '.join(sorted(other.flags)) or '-'}"
        found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.FLAGS, detail))
    (found.differing if spoilt else found.proven).append(one)


def _match(
    left: Sequence[Record], free: Sequence[Record], rung: Callable[[Record], Hashable]
) -> tuple[_Pairs, list[Record], list[Record]]:
    offered: dict[Hashable, list[Record]] = defaultdict(list)
    for other in reversed(free):
        offered[rung(other)].append(other)
    pairs: _Pairs = []
    rest: list[Record] = []
    for one in left:
        here = offered.get(rung(one))
        if here:
            pairs.append((one, here.pop()))
        else:
            rest.append(one)
    taken = {id(other) for _, other in pairs}
    return pairs, rest, [other for other in free if id(other) not in taken]
