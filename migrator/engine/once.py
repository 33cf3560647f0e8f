"""Gmail shows one message in the folder of each of its labels: a wrapper of the port says where it was shown first.

Only what was really listed in an earlier folder of this run is marked: a label whose folder is hidden, left out, cut
short or refused takes no message away (quirks.md, 17 and 20). Memory grows with the messages of such an account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from migrator.engine.around import SourceAround
from migrator.mail.messages import Row
from migrator.ports import Changes, Opened, Page, Source


class OnceSource(SourceAround):
    """A Source whose rows say in which folder the same message was listed before."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._first: dict[int, str] = {}
        """The folder that was the first to show it, by what the server calls the message."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows, those that were shown before marked."""
        for item in super().survey(folder):
            yield Page(self._marked(folder, item.rows)) if isinstance(item, Page) else item

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since then."""
        found = super().changes(folder, state)
        return found and replace(found, rows=self._marked(folder, found.rows))

    def _marked(self, folder: str, rows: Sequence[Row]) -> Sequence[Row]:
        if not any(row.same for row in rows):
            return rows
        firsts = [self._first.setdefault(row.same, folder) if row.same else folder for row in rows]
        return [
            row if first == folder else row._replace(shown_in=first) for row, first in zip(rows, firsts, strict=True)
        ]
