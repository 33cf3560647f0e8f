"""An archive as a Source, at one point in time: what a complete pass has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from migrator.archive.file import ArchiveFile
from migrator.archive.reading import letter_of
from migrator.archive.view import Found, Pass, View, pass_at, passes
from migrator.errors import ArchiveDamaged, FolderRefused
from migrator.mail.folders import FolderInfo, Namespace
from migrator.mail.messages import MessageKey
from migrator.ports import Absence, Changes, Letter, Opened, Page, Traits, Unread, Want

__all__ = ["ArchiveSource", "Pass", "pass_at", "passes"]


class ArchiveSource:
    """Fulfils `ports.Source`. Keys are those of the old server, so that nothing is carried twice (traps.md, E)."""

    def __init__(self, archive: ArchiveFile, moment: Pass, namespace: Namespace) -> None:
        self._archive = archive
        self._moment = moment
        self._view = View(archive, moment)
        self.traits = Traits(namespace=namespace, keys_are_stable=False, limits="archive")
        self._numbers: dict[str, int] = {}
        self._page: tuple[str, dict[MessageKey, Found]] = "", {}
        """The page that was listed last: what is read next is in it."""

    def twin(self) -> ArchiveSource:
        """The same moment once more, for another thread, whatever passes have ended meanwhile."""
        return ArchiveSource(self._archive.twin(), self._moment, self.traits.namespace)

    def folders(self) -> Sequence[FolderInfo]:
        """The folders of that moment, with their old names."""
        found = self._view.folders()
        self._numbers = {info.name: number for number, info in found}
        return [replace(info, messages=self._view.count(number)) for number, info in found]

    def _number(self, name: str) -> int:
        if not self._numbers:
            self._numbers = {info.name: number for number, info in self._view.folders()}
        if name not in self._numbers:
            raise FolderRefused(f"The archive has no folder {name} at that point in time.")
        return self._numbers[name]

    def foresee(self, folders: Sequence[str]) -> None:
        """Nothing is waited for here."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The messages of that moment, in the order in which they were archived; then one row for each lost one."""
        number = self._number(folder)
        yield Opened(folder, 0, 0, self._view.count(number))
        for page in self._view.pages(number):
            self._page = folder, {found.row.key: found for found in page}
            yield Page([found.row for found in page])

    def changes(self, folder: str, state: str) -> Changes | None:
        """It has no states."""
        return None

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets; a damaged one is reported and stops nothing."""
        for want in wants:
            found = self._find(want)
            if found is None:
                yield Unread(want, Absence.GONE)
            elif found.trouble:
                yield Unread(want, Absence.EMPTY, found.trouble)
            else:
                yield self._letter(want, found.blob)

    def _find(self, want: Want) -> Found | None:
        """In the page that was listed last; else all pages are gone through, which nobody does for every message."""
        folder, page = self._page
        if folder == want.folder and want.key in page:
            return page[want.key]
        for later in self._view.pages(self._number(want.folder)):
            listed = {found.row.key: found for found in later}
            if want.key in listed:
                self._page = want.folder, listed
                return listed[want.key]
        return None

    def _letter(self, want: Want, blob: int) -> Letter | Unread:
        try:
            return self._archive.again(lambda: letter_of(self._archive, want, blob))
        except ArchiveDamaged as error:
            return Unread(want, Absence.EMPTY, error.message)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
