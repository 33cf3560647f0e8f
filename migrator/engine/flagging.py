"""Flags that changed at the source since they were carried: ±FLAGS only, so that what the customer set there stays.

The base of the three-way merge is the ledger's (traps.md, L).
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.mail.flags import fitting
from migrator.mail.folders import FolderRef
from migrator.mail.messages import Row
from migrator.ports import Amendment, Entry, FlagChange, Target


class FlagChanges:
    """The changes of one folder's pass, carried out together at its end."""

    def __init__(self) -> None:
        self._changes: list[tuple[Entry, FlagChange, frozenset[str]]] = []

    def want(self, folder: FolderRef, entry: Entry, row: Row, add: frozenset[str], remove: frozenset[str]) -> None:
        """Remember a change of a message whose key at the target is known."""
        key = entry.target_key
        if key is not None and key.validity == folder.validity:
            fit = FlagChange(key, frozenset(fitting(add, folder).kept), frozenset(fitting(remove, folder).kept))
            self._changes.append((entry, fit, row.flags))

    def carry_out(self, target: Target, folder: FolderRef) -> Iterator[tuple[Amendment, bool]]:
        """What the ledger keeps of each, and whether a message was changed by it."""
        by_key = {change.key: (entry, flags) for entry, change, flags in self._changes}
        changes = [change for _, change, _ in self._changes]
        for entry, change, flags in self._changes:
            if not change.add and not change.remove:  # the target takes nothing of it
                yield Amendment(entry.id, flags=flags), False
        changes = [change for change in changes if change.add or change.remove]
        for change, there in target.change_flags(folder, changes) if changes else ():
            entry, flags = by_key[change.key]
            yield Amendment(entry.id, flags=flags), there
