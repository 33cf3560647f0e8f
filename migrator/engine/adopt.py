"""Adoption: a message that somebody carried before us, without a ledger of ours, is found by its octets."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from migrator.engine.settle import candidates
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Prints, Row
from migrator.planning.doubt import Candidate
from migrator.ports import PairLedger, Target


class Adoption:
    """The target folder's messages that nobody owns, looked at only where size or instant fit.

    Only octets decide: equal digests, or equal ones in the forgiving form. One message is given away once.
    """

    def __init__(self, target: Target, folder: FolderRef, ledger: PairLedger) -> None:
        self._target = target
        self._folder = folder
        self._ledger = ledger
        self._free: dict[MessageKey, Row] | None = None
        self._by_size: dict[int, list[MessageKey]] = defaultdict(list)
        self._by_instant: dict[datetime | None, list[MessageKey]] = defaultdict(list)
        self._read: dict[MessageKey, Candidate] = {}

    def find(self, prints: Prints, instant: datetime | None) -> MessageKey | None:
        """The key of a free message with these octets, which is taken by that; None: there is none."""
        if not self._folder.messages:
            return None
        if self._free is None:
            self._list()
        assert self._free is not None
        if not self._free:
            return None
        keys = dict.fromkeys([*self._by_size[prints.size], *(self._by_instant[instant] if instant else [])])
        rows = [self._free[key] for key in keys if key in self._free]
        unread = [row for row in rows if row.key not in self._read]
        for candidate in candidates(self._target, self._folder, unread):
            self._read[candidate.key] = candidate
        known = [self._read[row.key] for row in rows if row.key in self._read]
        for same in (
            [item for item in known if item.prints.digest == prints.digest and item.instant == instant],
            [item for item in known if item.prints.digest == prints.digest],
            [item for item in known if item.prints.soft == prints.soft],
        ):
            if same:
                del self._free[same[0].key]
                return same[0].key
        return None

    def _list(self) -> None:
        claims = self._ledger.claims(self._folder.validity, 1)
        self._free = {}
        for page in self._target.listing(self._folder):
            for row in page.rows:
                if row.key.uid < self._folder.uidnext and row.key.uid not in claims:
                    self._free[row.key] = row
                    self._by_size[row.size].append(row.key)
                    self._by_instant[row.instant].append(row.key)
