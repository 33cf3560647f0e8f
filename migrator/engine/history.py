"""What one pass sees in one source folder, told to a target that keeps history. Memory grows with what is missing."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import cast

from migrator.errors import FolderRefused
from migrator.mail.folders import FolderInfo, FolderRef
from migrator.mail.messages import MessageKey, Row, key_octets, sum_of
from migrator.planning.delta import ALSO_IN
from migrator.ports import Absence, FolderPair, Historian, Ledger, Mark, Missing, PairLedger, Sight, Target

NOT_READ = "folder_refused"
"""The reason of a message that was listed before its folder could not be read on."""


def forget_newer(target: Target, ledger: Ledger, pairs: Sequence[FolderPair]) -> None:
    """An older archive was put back: what the ledger says of folders that it saw in a newer one counts for nothing.

    Their messages are read again, and stored with the flags that they have now. Before anything is appended.
    """
    name_of, following = target.traits.namespace.to_name, 0
    for pair in pairs:
        name = name_of(pair.target_path)
        try:
            following = following or target.look(name).uidnext
        except FolderRefused:  # not made yet: whatever the ledger thinks to be in it is missed by `conclude`
            continue
        theirs = ledger.pair(pair, name)
        mark, after = theirs.mark(), 0
        while mark.looked > following and (page := theirs.carried(after=after)):
            after = page[-1].id
            theirs.step(released=[entry.id for entry in page])
        if mark.looked > following:
            theirs.step(mark=Mark(0, mark.target_validity, looked=following))


class History:
    """Of one survey of one folder. Where the target keeps none, nothing is collected."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._keeper = cast("Historian", target) if target.traits.keeps_history else None
        self._present = array("Q")
        """Keys at the target of all that the source has."""
        self._found = self._keys = self._octets = 0
        self._missing: list[Missing] = []
        self._listed: dict[MessageKey, int] = {}
        """Sizes of what the source has listed and nobody has said more of yet: at most a page and a batch."""

    def see(self, rows: Sequence[Row]) -> None:
        """The source lists these."""
        if self._keeper is not None:
            self._found += len(rows)
            self._listed.update((row.key, row.size) for row in rows)
            self._octets += sum(row.size for row in rows)
            self._keys = sum_of((key_octets(row.key) for row in rows), self._keys)

    def keep(self, key: MessageKey | None, origin: MessageKey) -> None:
        """One of them is at the target, under this key."""
        self._listed.pop(origin, None)
        if key is not None and self._keeper is not None:
            self._present.append(key.uid)

    def leave(self, key: MessageKey, size: int, reason: str) -> None:
        """One of them is not kept; what vanished at the source in the meantime was never there, and what another folder
        shows as well is there."""
        if self._keeper is None:
            return
        self._listed.pop(key, None)
        self._octets -= size
        if reason == Absence.GONE or reason.startswith(ALSO_IN):
            self._found -= 1
            self._keys = sum_of([], self._keys - sum_of([key_octets(key)]))
        else:
            self._missing.append(Missing(key, size, reason))

    @property
    def lacking(self) -> Sequence[Missing]:
        """What was listed and is not kept, where the folder could not be seen to its end."""
        return [*self._missing, *(Missing(key, size, NOT_READ) for key, size in self._listed.items())]

    def is_concluded(self, source: FolderInfo, folder: FolderRef, ledger: PairLedger) -> bool:
        """Tell the target. False: an older archive was put back, and what it lacks is to be carried once more."""
        if self._keeper is None:
            return True
        sight = Sight(source, self._found, self._keys, self._octets, tuple(self._missing))
        lacking = self._keeper.conclude(folder, self._present, sight)
        after = 0
        while lacking and (page := ledger.carried(after=after)):
            after = page[-1].id
            gone = [entry.id for entry in page if entry.target_key is not None and entry.target_key.uid in lacking]
            ledger.step(released=gone)
        return not lacking

    def mark(self, folder: FolderRef) -> Mark:
        """What the ledger keeps of the folder when all is done."""
        now = self._target.look(folder.name).uidnext if self._keeper is not None else 0
        return Mark(0, folder.validity, complete=True, looked=now)
