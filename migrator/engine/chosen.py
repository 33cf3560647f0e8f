"""Only some messages of a source: a wrapper of the port, so that the engine need not know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from migrator.engine.around import SourceAround
from migrator.errors import UsageError
from migrator.mail.folders import FolderInfo
from migrator.ports import Changes, Opened, Page, Source, Traits

NAMED = 10
"""So many messages that are not there are named."""


class ChosenSource(SourceAround):
    """A Source that lists nothing but chosen messages: (folder's full name, key as reports and manifests print it).

    All folders are still there, because one folder's place at the target may depend on another's; those without a
    chosen message cannot be opened.
    """

    def __init__(self, source: Source, chosen: Iterable[tuple[str, str]]) -> None:
        super().__init__(source)
        self._chosen: dict[str, set[str]] = defaultdict(set)
        for folder, key in chosen:
            self._chosen[folder].add(key)
        self._is_checked = False

    @property
    def traits(self) -> Traits:
        """Of the source; what it does not list is not gone."""
        return replace(super().traits, partial=True)

    def folders(self) -> Sequence[FolderInfo]:
        """All folders. Raises UsageError, naming them, where chosen messages are not there."""
        found = super().folders()
        if not self._is_checked:
            self._refuse_unknown({info.name for info in found})
            self._is_checked = True
        return [
            replace(info, messages=len(self._chosen[info.name]), octets=None)
            if info.name in self._chosen
            else replace(info, selectable=False)
            for info in found
        ]

    def _refuse_unknown(self, names: set[str]) -> None:
        unknown: list[str] = []
        for folder, keys in self._chosen.items():
            missing = set(keys)
            for item in super().survey(folder) if folder in names else ():
                if isinstance(item, Page):
                    missing.difference_update(str(row.key) for row in item.rows)
            unknown.extend(f"{folder} {key}" for key in sorted(missing))
        if unknown:
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            raise UsageError(
                f"These messages are not in the archive at that point in time: {', '.join(unknown[:NAMED])}{more}.",
                hint="Folder and key are written as in reports and manifests: the old server's names.",
            )

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The chosen rows."""
        keys = self._chosen.get(folder, set())
        for item in super().survey(folder):
            if isinstance(item, Opened):
                yield replace(item, messages=len(keys))
            elif rows := [row for row in item.rows if str(row.key) in keys]:
                yield Page(rows)

    def changes(self, folder: str, state: str) -> Changes | None:
        """What was chosen is looked at."""
        return None
