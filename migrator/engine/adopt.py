"""Adoption: a message that somebody carried before us, without a ledger of ours, is found by its octets."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime

from migrator.engine.prints import forgiving
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Prints, Row, take_prints, unmarked
from migrator.ports import Letter, PairLedger, Target, Want

AHEAD = 100
AHEAD_OCTETS = 16_000_000
"""So many candidates, or so many octets of them, are read in one go: a round trip for each would take hours."""


class Adoption:
    """The target folder's messages that nobody owns, read only where size or instant fit, and each only once.

    Only octets decide (without the line that mbsync adds to each message): equal digests; or equal ones in the
    forgiving form, if size or instant is the same too. One message is given away once.
    """

    def __init__(self, target: Target, folder: FolderRef, ledger: PairLedger) -> None:
        self._target = target
        self._folder = folder
        self._ledger = ledger
        self._free: dict[MessageKey, Row] | None = None
        self._coming: deque[Row] = deque()
        self._unread_size: dict[int, list[MessageKey]] = defaultdict(list)
        self._unread_instant: dict[datetime | None, list[MessageKey]] = defaultdict(list)
        self._read: dict[tuple[object, ...], deque[MessageKey]] = defaultdict(deque)
        """Keys of what was read, under each of its `_names`, the oldest first."""
        self._seen: set[MessageKey] = set()

    def expect(self, rows: Iterable[Row]) -> None:
        """What will be looked for next, as the source announces it; a hint, so that candidates are read in advance."""
        self._coming = deque(rows)

    def find(self, letter: Letter, prints: Prints, instant: datetime | None) -> MessageKey | None:
        """The key of a free message with this letter's octets, which is taken by that; None: there is none."""
        if not self._folder.messages or self._target.traits.keeps_history:
            return None
        if self._free is None:
            self._free = self._listed()
        if not self._free:
            return None
        self._read_ahead(self._free, self._alike(self._free, prints.size, instant))
        for name in _names(forgiving(letter, prints), instant):
            found = self._read[name]
            while found:
                key = found.popleft()
                if self._free.pop(key, None):
                    return key
        return None

    def _alike(self, free: dict[MessageKey, Row], size: int, instant: datetime | None) -> list[MessageKey]:
        """Those of this size or instant that were not read yet; the caller reads them."""
        keys = self._unread_size.pop(size, []) + (self._unread_instant.pop(instant, []) if instant else [])
        return [key for key in keys if key in free and key not in self._seen]

    def _read_ahead(self, free: dict[MessageKey, Row], needed: Iterable[MessageKey]) -> None:
        """Read what is needed now, and with it what will be needed soon."""
        keys = dict.fromkeys(needed)
        if not keys:
            return
        octets = sum(free[key].size for key in keys)
        while self._coming and len(keys) < AHEAD and octets < AHEAD_OCTETS:
            row = self._coming.popleft()
            more = self._alike(free, row.size, row.instant)
            keys.update(dict.fromkeys(more))
            octets += sum(free[key].size for key in more)
        self._seen.update(keys)
        for answer in self._target.open(self._folder, [Want(self._folder.name, key, free[key].size) for key in keys]):
            if isinstance(answer, Letter):
                for name in _names_of(answer, free[answer.want.key].instant):
                    self._read[name].append(answer.want.key)
                answer.close()

    def _listed(self) -> dict[MessageKey, Row]:
        claims = self._ledger.claims(self._folder.validity, 1)
        free: dict[MessageKey, Row] = {}
        for page in self._target.listing(self._folder):
            for row in page.rows:
                if row.key.uid < self._folder.uidnext and row.key.uid not in claims:
                    free[row.key] = row
                    self._unread_size[row.size].append(row.key)
                    self._unread_instant[row.instant].append(row.key)
        return free


def _names_of(letter: Letter, instant: datetime | None) -> Iterator[tuple[object, ...]]:
    """By what a message that lies there is found: as it is, and without what another tool has put into it."""
    yield from _names(take_prints(letter.head, letter.chunks()), instant)
    without = unmarked(letter.head, letter.chunks())
    if without is not None:
        head = b"".join(unmarked(letter.head, [letter.head]) or ())
        yield from _names(take_prints(head, without), instant)


def _names(prints: Prints, instant: datetime | None) -> tuple[tuple[object, ...], ...]:
    """By what a message is found, the surest first."""
    return (
        (prints.digest, instant),
        (prints.digest,),
        ("forgiving", prints.soft, instant),
        ("forgiving", prints.soft, prints.size),
    )
