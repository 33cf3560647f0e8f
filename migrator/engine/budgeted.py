"""A source of which only so much may be read a day: a wrapper of the port, so that the engine need not know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress

from migrator.engine.around import SourceAround
from migrator.errors import DailyLimit
from migrator.ports import Budget, Letter, Source, Unread, Want


class BudgetedSource(SourceAround):
    """Counts what is read. Raises DailyLimit before anything more is asked for; what came before is delivered."""

    def __init__(self, source: Source, budget: Budget) -> None:
        super().__init__(source)
        self._budget = budget

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets, as long as there is something left of the day's."""
        asked = list(wants)
        self._budget.spend(0)
        for number, answer in enumerate(super().read(asked), 1):
            yield answer
            with suppress(DailyLimit) if number == len(asked) else nullcontext():
                self._budget.spend(answer.size if isinstance(answer, Letter) else 0)

    def close(self) -> None:
        """Keep what was counted, and log out."""
        self._budget.close()
        super().close()
