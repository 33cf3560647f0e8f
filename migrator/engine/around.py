"""A source with something around it: what a wrapper of the port does not change goes through as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migrator.mail.folders import FolderInfo
from migrator.ports import Changes, Letter, Opened, Page, Source, Traits, Unread, Want


class SourceAround:
    """A Source that is another one in all that a subclass does not say."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def traits(self) -> Traits:
        """Of the source."""
        return self._source.traits

    def folders(self) -> Sequence[FolderInfo]:
        """All folders."""
        return self._source.folders()

    def foresee(self, folders: Sequence[str]) -> None:
        """A hint."""
        self._source.foresee(folders)

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows."""
        return self._source.survey(folder)

    def changes(self, folder: str, state: str) -> Changes | None:
        """What has changed since then."""
        return self._source.changes(folder, state)

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets."""
        return self._source.read(wants)

    def close(self) -> None:
        """Log out."""
        self._source.close()
