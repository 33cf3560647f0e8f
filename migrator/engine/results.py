"""What became of the messages that were handed to the target, booked one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.engine.booking import Booking
from migrator.engine.hindered import Hindered, message_id_of
from migrator.engine.weighing import Weighing
from migrator.mail.messages import Row
from migrator.ports import AppendResult, Letter, Refused, Stored, Unknown

if TYPE_CHECKING:
    from migrator.engine.run import Options

TOLD_FLAGS = 20
"""So many are named in the report."""


class Results:
    """Of one folder's run."""

    def __init__(self, options: Options, book: Booking, weighing: Weighing, hindered: Hindered) -> None:
        self._options = options
        self._book = book
        self._weighing = weighing
        self._hindered = hindered
        self._sent: dict[int, tuple[Row, Sequence[str]]] = {}
        """Each message on its way, as the source listed it, with the flags that the target does not take."""
        self._left_off: Counter[str] = Counter()
        """How many messages it has taken without this flag."""
        self.doubtful = False
        """Something is in doubt."""
        self.appended = 0
        """So many messages the target has taken."""

    def expect(self, number: int, row: Row, dropped: Sequence[str]) -> None:
        """A message is handed out, without these flags."""
        self._sent[number] = row, dropped

    def take(self, result: AppendResult) -> None:
        """Book one result, and forget the message's octets."""
        letter, number = result.parcel.letter, result.parcel.entry
        row, dropped = self._sent.pop(number)
        if isinstance(result, Stored):
            self._book.stored(number, result.key)
            self._weighing.history.keep(result.key, letter.want.key)
            self.appended += 1
            count = self._book.count
            count.copied += 1
            count.octets += letter.size
            if dropped:
                count.dropped_flags += len(dropped)
                self._left_off.update(dropped)
        elif isinstance(result, Refused):
            self._turned_away(number, row, letter, result)
        elif isinstance(result, Unknown):
            self.doubtful = True
            self._book.unknown(number)
            self._hindered.broke(letter)
        else:
            self._book.unsent(number)
            self._hindered.broke(letter)
        letter.close()

    def _turned_away(self, number: int, row: Row, letter: Letter, refused: Refused) -> None:
        """It is sent once more with the least change where that was allowed and may help; else it has failed."""
        if self._options.repair and refused.reason == "refused" and self._hindered.is_curable(letter, refused.detail):
            self._book.unsent(number)
            return
        detail = self._hindered.refusal(letter.want.key) or refused.detail
        identity = message_id_of(letter)
        self._weighing.refuse(row, self._book.turned_away(number, refused.reason, detail, letter.size, identity))

    @property
    def left_off(self) -> str:
        """The flags that the target did not take, each with so many messages; empty: it took all."""
        return ", ".join(f"{flag} ({number})" for flag, number in self._left_off.most_common(TOLD_FLAGS))
