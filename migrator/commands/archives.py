"""An archive as the command line names it: a path, or `archive:PATH`; its key in a file beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Final

from migrator.errors import ArchiveUnusable, UsageError
from migrator.sessions.endpoint import Endpoint, archive_end

if TYPE_CHECKING:
    from migrator.archive.file import ArchiveFile

ARCHIVE: Final = "archive:"


def archive_target(text: str, key_file: Path | None) -> Endpoint:
    """To be written; key and file are made where there are none. Raises UsageError, ArchiveUnusable."""
    from migrator.archive.keyfile import beside, make_key, read_key

    path = _path(text)
    key_path = key_file or beside(path)
    new = not _is_there(path) and not _is_there(key_path)
    key = base64.b64encode(make_key(key_path) if new else read_key(key_path)).decode()
    return archive_end(path, lambda: key)


def archive_source(text: str, key_file: Path | None) -> Endpoint:
    """To be read; it knows whose mail lies in it. Raises UsageError, ArchiveUnusable."""
    with opened_archive(text, key_file) as file:
        account, key = file.account, base64.b64encode(_key(_path(text), key_file)).decode()
    return archive_end(_path(text), lambda: key, account)


def opened_archive(text: str, key_file: Path | None) -> ArchiveFile:
    """To be read. Raises UsageError, ArchiveUnusable."""
    from migrator.archive.file import ArchiveFile

    path = _path(text)
    if not _is_there(path):
        raise ArchiveUnusable(f"There is no archive {path}.", hint="`postwagen archive SOURCE ARCHIVE` makes one.")
    return ArchiveFile(path, _key(path, key_file), writable=False)


def _key(path: Path, key_file: Path | None) -> bytes:
    from migrator.archive.keyfile import beside, read_key

    return read_key(key_file or beside(path))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long, a directory that we may not look into
        raise ArchiveUnusable(f"{path} cannot be looked for: {error.strerror}.") from None


def _path(text: str) -> Path:
    name = text.removeprefix(ARCHIVE)
    if not name or "://" in name:
        raise UsageError(f"{text} names no archive.", hint="Name a file, like info.pwa.")
    return Path(name)
