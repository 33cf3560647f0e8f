"""Comparing what lies at both ends, as multisets: twins are counted, nothing is guessed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
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
    """One message at one end. `print` is what is compared first, `soft` what survives known alterations."""

    folder: str
    key: str
    print: bytes
    soft: bytes
    flags: frozenset[str]
    instant: datetime | None
    size: int = 0
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
    pairs, left, free = _match(left, free, lambda item: item.soft)
    for one, other in pairs:
        found.differing.append(one)
        detail = f"{one.size} octets became {other.size}"
        found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.ALTERED, detail))
    for one in left:
        found.differing.append(one)
        found.discrepancies.append(Discrepancy(one.folder, one.key, Kind.MISSING, one.unread))
    known = {item.print for item in source} | {item.soft for item in source}
    for other in free:
        double = other.print in known or other.soft in known
        found.discrepancies.append(Discrepancy(other.folder, other.key, Kind.DUPLICATE if double else Kind.EXTRA))
    return found


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
