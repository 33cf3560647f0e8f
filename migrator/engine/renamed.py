"""Messages whose keys the source gave anew without saying so, as POP3 servers may (quirks.md, 62)."""

from __future__ import annotations

from collections import defaultdict, deque

from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry, Page, PairLedger, Source


class Renamed:
    """Entries whose key the source lists no more; a message with the same octets and a new key is theirs.

    Where keys are stable nothing is looked for: there UIDVALIDITY says it (`engine.recreated`).
    """

    def __init__(self, source: Source, folder: str, ledger: PairLedger) -> None:
        self._source = source
        self._folder = folder
        self._ledger = ledger
        self._lost: dict[bytes, deque[Entry]] | None = None

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
                    self._lost[entry.prints.digest].append(entry)

    def _listed(self) -> set[MessageKey]:
        return {row.key for item in self._source.survey(self._folder) if isinstance(item, Page) for row in item.rows}

    def find(self, prints: Prints) -> Entry | None:
        """The entry of a message with these octets, which is given away by that."""
        found = self._lost.get(prints.digest) if self._lost else None
        return found.popleft() if found else None
