"""An archive's mail and manifest for people to fetch, as streams, where the file lies on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import UsageError
from migrator.jobs import archives
from migrator.jobs.keeping import queries
from migrator.sessions.endpoint import Endpoint
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.archive.export import Exported
    from migrator.archive.source import ArchiveSource


class ArchiveElsewhere(UsageError):
    """The archive's file lies on another storage node."""

    code: ClassVar[str] = "archive_elsewhere"
    hint: ClassVar[str] = "Fetch it on that node or from its web server, or make its archive directory reachable here."


def zip_of(
    db: Database,
    vault: Vault,
    settings: Settings,
    archive_id: int,
    *,
    kind: str,
    at: datetime | None = None,
    folder: str | None = None,
) -> Iterator[bytes]:
    """A zip file with all mail of a point in time, or of one folder, as `mbox`, `eml` or `maildir`.

    Opened before it is asked for the first octet: raises NoSuchArchive, ArchiveDestroyed, ArchiveElsewhere,
    ArchiveUnusable.
    """
    from migrator.archive.export import zip_stream

    source = _opened(db, vault, settings, archive_id, at)
    return _closing(source, zip_stream(source, kind, folder))


def write_out(
    db: Database,
    vault: Vault,
    settings: Settings,
    archive_id: int,
    directory: Path,
    *,
    kind: str,
    at: datetime | None = None,
    folder: str | None = None,
) -> Exported:
    """The same into a directory that is new or empty. Raises like `zip_of`, UsageError and DiskFull."""
    from migrator.archive.export import export

    with closing(_opened(db, vault, settings, archive_id, at)) as source:
        return export(source, directory, kind, folder)


def manifest_of(
    db: Database, vault: Vault, settings: Settings, archive_id: int, *, at: datetime | None = None
) -> Iterator[bytes]:
    """The signed manifest of a point in time (docs/archive-format.md), made while it streams. Raises like `zip_of`."""
    return archives.manifest(_end(db, vault, settings, archive_id), vault, at)


def _opened(db: Database, vault: Vault, settings: Settings, archive_id: int, at: datetime | None) -> ArchiveSource:
    return archives.open_source(_end(db, vault, settings, archive_id), at)


def _end(db: Database, vault: Vault, settings: Settings, archive_id: int) -> Endpoint:
    found = queries.archive(db, archive_id)
    end = queries.opening(db, vault, archive_id, settings.archive_dir)
    if found is not None and found.points and not Path(end.path).exists():
        raise ArchiveElsewhere(f"The archive {archive_id} lies on the storage node {found.node}.")
    return end


def _closing(source: ArchiveSource, stream: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from stream
    finally:
        source.close()
