"""What the source announces against what it shows: a gap that it does not name is never called a success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.errors import FolderRefused
from migrator.mail.messages import Row
from migrator.ports import FolderPair, Letter

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

    def gap(self, found: int) -> FolderRefused | None:
        """All of the folder was listed: so many messages. What it fails with where the source still announces more.

        It is asked once more: somebody may have deleted messages since it was asked first.
        """
        if self._shorter:
            self._ends.ledger.warn("shorter_than_announced", self._pair.source.name, str(self._shorter))
        announced, name = self._pair.source.messages, self._pair.source.name
        if announced is None or found >= announced or self._ends.source.traits.partial:
            return None
        now = next((info.messages for info in self._ends.source.folders() if info.name == name), None)
        if now is None or now < announced:
            return None
        text = f"The old server announces {now} messages of the folder {name} and shows {found}."
        return FolderRefused(text, hint="Ask the old provider; run the same again later.", end="source")
