"""Which messages in doubt are at the target after all? Pure (house.md, step 7; traps.md, B, D, E, F).

Candidates are the target folder's messages that no entry owns and that are not older than the floor. They are matched
by a ladder: digest, forgiving digest, header and instant, Message-ID and instant. Twins are counted, not guessed: of n
equal entries and m equal candidates min(n, m) are there. Header or Message-ID alone prove nothing, neither that a
message is there (it may be a stranger's near-twin) nor that it is not (it may be altered and dated anew). What stays
ambiguous is reported and never appended again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry, Stand


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message at the target that nobody owns."""

    key: MessageKey
    prints: Prints
    instant: datetime | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The answer. `there`: (entry, key) of entries found, in doubt or keyless; `absent`: to be appended again."""

    there: tuple[tuple[Entry, MessageKey], ...]
    absent: tuple[Entry, ...]
    ambiguous: tuple[Entry, ...]


def settle(in_doubt: Sequence[Entry], keyless: Sequence[Entry], candidates: Sequence[Candidate]) -> Settlement:
    """Match entries with candidates one to one. Keyless confirmed entries take theirs first: they are there."""
    there: list[tuple[Entry, MessageKey]] = []
    ambiguous: dict[int, Entry] = {}
    entries = [*keyless, *in_doubt]
    free = sorted(candidates, key=lambda candidate: candidate.key)
    for rung in _LADDER:
        matched, doubtful = _match(entries, free, rung)
        there.extend((entry, candidate.key) for entry, candidate in matched)
        taken = {candidate.key for _, candidate in matched}
        done = {entry.id for entry, _ in matched}
        ambiguous.update({entry.id: entry for entry in doubtful})
        free = [candidate for candidate in free if candidate.key not in taken]
        entries = [entry for entry in entries if entry.id not in done and entry.id not in ambiguous]
    suspected = {entry.id: entry for entry in _resembling(entries, free)}
    if not suspected:
        there.extend((entry, candidate.key) for entry, candidate in _match(entries, free, _KEYLESS)[0])
    ambiguous.update(suspected)
    entries = [entry for entry in entries if entry.id not in ambiguous]
    return Settlement(
        there=tuple(there),
        absent=tuple(entry for entry in entries if entry.stand is Stand.INTENDED),
        ambiguous=tuple(entry for entry in ambiguous.values() if entry.stand is Stand.INTENDED),
    )


@dataclass(frozen=True, slots=True)
class _Rung:
    of_entry: Callable[[Entry], Hashable]
    of_candidate: Callable[[Candidate], Hashable]
    exact: bool
    """Whether all that are equal here are interchangeable."""


def _identity(print_: bytes, instant: datetime | None) -> Hashable:
    return (print_, instant) if print_ and instant else None


_LADDER = (
    _Rung(lambda e: (e.prints.digest, e.instant), lambda c: (c.prints.digest, c.instant), exact=True),
    _Rung(lambda e: e.prints.digest, lambda c: c.prints.digest, exact=True),
    _Rung(lambda e: e.prints.soft, lambda c: c.prints.soft, exact=True),
    _Rung(
        lambda e: _identity(e.prints.header, e.instant), lambda c: _identity(c.prints.header, c.instant), exact=False
    ),
    _Rung(
        lambda e: _identity(e.prints.message_id, e.instant),
        lambda c: _identity(c.prints.message_id, c.instant),
        exact=False,
    ),
)
_KEYLESS = _Rung(lambda e: e.prints.header, lambda c: c.prints.header, exact=False)
"""Good enough for entries that are there for certain and only lack their key."""


def _resembling(entries: Sequence[Entry], free: Sequence[Candidate]) -> list[Entry]:
    """Entries in doubt that a candidate may be, altered and dated anew; or it is a stranger."""
    highest: dict[bytes, int] = {}
    for candidate in free:  # in ascending order
        highest[candidate.prints.header] = candidate.key.uid
        highest[candidate.prints.message_id] = candidate.key.uid
    highest.pop(b"", None)
    return [
        entry
        for entry in entries
        if entry.stand is Stand.INTENDED
        and max(highest.get(entry.prints.header, 0), highest.get(entry.prints.message_id, 0)) >= entry.floor
    ]


def _match(
    entries: Sequence[Entry], candidates: Sequence[Candidate], rung: _Rung
) -> tuple[list[tuple[Entry, Candidate]], list[Entry]]:
    waiting: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        waiting[rung.of_entry(entry)].append(entry)
    offered: dict[Hashable, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        offered[rung.of_candidate(candidate)].append(candidate)
    matched: list[tuple[Entry, Candidate]] = []
    doubtful: list[Entry] = []
    for key, group in waiting.items():
        here = offered.get(key, [])
        if key is None or not here:
            continue
        alike = len({entry.prints.soft for entry in group}) == 1
        if not rung.exact and not alike and len(here) < len(group):
            doubtful.extend(group)
            continue
        matched.extend(_pair(group, here))
    return matched, doubtful


def _pair(group: Sequence[Entry], here: list[Candidate]) -> list[tuple[Entry, Candidate]]:
    """One to one, respecting every entry's floor."""
    pairs: list[tuple[Entry, Candidate]] = []
    free = list(here)
    for entry in group:
        fitting = next((item for item in free if item.key.uid >= entry.floor), None)
        if fitting is not None:
            free.remove(fitting)
            pairs.append((entry, fitting))
    return pairs
