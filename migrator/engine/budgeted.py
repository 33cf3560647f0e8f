"""A source of which only so much may be read a day: a wrapper of the port, so that the engine need not know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress

from migrator.errors import DailyLimit
from migrator.mail.folders import FolderInfo
from migrator.ports import Budget, Changes, Letter, Opened, Page, Source, Traits, Unread, Want


class BudgetedSource:
    """Counts what is read. Raises DailyLimit before anything more is asked for; what came before is delivered."""

    def __init__(self, source: Source, budget: Budget) -> None:
        self._source = source
        self._budget = budget

    @property
    def traits(self) -> Traits:
        """Of the source."""
        return self._source.traits

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        return self._source.folders()

    def foresee(self, folders: Sequence[str]) -> None:
        """Listing costs little."""
        self._source.foresee(folders)

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows."""
        return self._source.survey(folder)

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since then."""
        return self._source.changes(folder, state)

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets, as long as there is something left of the day's."""
        asked = list(wants)
        self._budget.spend(0)
        for number, answer in enumerate(self._source.read(asked), 1):
            yield answer
            with suppress(DailyLimit) if number == len(asked) else nullcontext():
                self._budget.spend(answer.size if isinstance(answer, Letter) else 0)

    def close(self) -> None:
        """Keep what was counted, and log out."""
        self._budget.close()
        self._source.close()
