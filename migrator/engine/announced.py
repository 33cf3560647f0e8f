"""What the source announces against what it shows: a gap that it does not name is never called a success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.mail.messages import Row
from migrator.ports import FolderPair, Letter, Page

if TYPE_CHECKING:
    from migrator.engine.run import Ends


class Announced:
    """Of one folder, in one pass."""

    def __init__(self, ends: Ends, pair: FolderPair) -> None:
        self._ends = ends
        self._pair = pair
        self._shorter = 0

    def read(self, row: Row, letter: Letter) -> None:
        """A message was delivered. Sizes are hints (quirks.md, 5), but a message that was cut short looks like that."""
        self._shorter += letter.size < row.size

    def missing(self, found: int) -> int:
        """All of the folder was listed: so many messages. How many more the source announces, and does not show.

        Where it looks like that, the folder is listed once more between two questions for its number: since it was
        asked first, messages may have come and gone. Warns of both.
        """
        name, announced = self._pair.source.name, self._pair.source.messages
        if self._shorter:
            self._ends.ledger.warn("shorter_than_announced", name, str(self._shorter))
        if announced is None or found >= announced or self._ends.source.traits.partial:
            return 0
        before = self._number()
        shown = (
            sum(len(item.rows) for item in self._ends.source.survey(name) if isinstance(item, Page)) if before else 0
        )
        missing = min(before, self._number()) - shown
        if missing > 0:
            self._ends.ledger.warn("announced_not_shown", name, str(missing))
        return max(0, missing)

    def _number(self) -> int:
        """What it announces now."""
        infos = self._ends.source.folders()
        return next((info.messages or 0 for info in infos if info.name == self._pair.source.name), 0)
