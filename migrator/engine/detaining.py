"""What the target would not take is read once more, when its folder is done, and kept: the old server will be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from migrator.errors import Stopped
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Absence, Detained, FolderPair, Letter, Want

if TYPE_CHECKING:
    from migrator.engine.run import Ends

MOST: Final = 10_000
"""So many of one folder are kept; where more are refused, it is no matter of single messages."""
_OF_THE_SOURCE: Final = frozenset(absence.value for absence in Absence)
"""Reasons why there are no octets to keep."""


class Detention:
    """Of one folder, in one run."""

    def __init__(self) -> None:
        self._found: dict[MessageKey, Detained] = {}
        self._more = 0

    def add(self, row: Row, reason: str, detail: str, message_id: str = "") -> None:
        """A message that was not carried; only what the target is the cause of counts."""
        if reason in _OF_THE_SOURCE:
            return
        if row.key in self._found or len(self._found) < MOST:
            self._found[row.key] = Detained(row, reason, detail, message_id)
        else:
            self._more += 1

    def keep(self, ends: Ends, pair: FolderPair, target: str) -> None:
        """Put them into quarantine, as far as there is room; say how many are not there. Raises Stopped."""
        quarantine = ends.quarantine
        if quarantine is None or not self._found:
            return
        lacking = quarantine.detain(pair.source.name, target, list(self._found.values()))
        missed = self._more
        for answer in ends.source.read([Want(pair.source.name, one.row.key, one.row.size) for one in lacking]):
            if not isinstance(answer, Letter):
                missed += 1
                continue
            if quarantine.has_room(answer.size):
                quarantine.keep(answer)
            else:
                missed += 1
            answer.close()
            if ends.stop.wanted():
                raise Stopped("Stopped while messages were put into quarantine.")
        if missed:
            ends.ledger.warn("not_in_quarantine", pair.source.name, str(missed))
