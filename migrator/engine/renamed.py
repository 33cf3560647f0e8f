"""Messages whose keys the source gave anew without saying so, as POP3 servers may (quirks.md, 62)."""

from __future__ import annotations

from collections import defaultdict, deque

from migrator.engine.prints import forgiving
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry, Letter, Page, PairLedger, Source


class Renamed:
    """Entries whose key the source lists no more; a message with the same octets and a new key is theirs.

    Where keys are stable nothing is looked for: there UIDVALIDITY says it (`engine.recreated`).
    """

    def __init__(self, source: Source, folder: str, ledger: PairLedger) -> None:
        self._source = source
        self._folder = folder
        self._ledger = ledger
        self._lost: dict[bytes, deque[Entry]] | None = None
        """By digest, and by the forgiving one: what was sent with a change is known by that only (`mail.repair`)."""
        self._given: set[int] = set()

    def prepare(self) -> None:
        """Compare the ledger with what the source lists; before anything is read of it."""
        traits = self._source.traits
        if self._lost is not None or traits.keys_are_stable or traits.partial:
            return
        self._lost = defaultdict(deque)
        listed: set[MessageKey] | None = None
        for page in self._ledger.of_source():
            if listed is None:
                listed = self._listed()
            for entry in page:
                if entry.origin not in listed:
                    for name in dict.fromkeys((entry.prints.digest, entry.prints.soft)):
                        self._lost[name].append(entry)

    def _listed(self) -> set[MessageKey]:
        return {row.key for item in self._source.survey(self._folder) if isinstance(item, Page) for row in item.rows}

    def find(self, letter: Letter, prints: Prints) -> Entry | None:
        """The entry of a message with these octets, which is given away by that."""
        if not self._lost:
            return None
        return self._give(prints.digest) or self._give(forgiving(letter, prints).soft)

    def _give(self, name: bytes) -> Entry | None:
        found = (self._lost or {}).get(name, deque())
        while found:
            entry = found.popleft()
            if entry.id not in self._given:
                self._given.add(entry.id)
                return entry
        return None
