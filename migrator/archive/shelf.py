"""Where an export is written: a directory, or a zip file that is never held as a whole.

Places are made of harmless names (`archive.naming`), so that nothing leaves the directory or the zip file.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol, Self, cast

_FIRST: Final = datetime(1980, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2107, 12, 31, tzinfo=UTC)
"""What a zip file can say of time."""


class Shelf(Protocol):
    """Takes files, one after the other: one is closed before the next is opened, and none is written twice."""

    def folder(self, place: PurePosixPath) -> None:
        """A directory, for formats that want empty ones."""

    def open(self, place: PurePosixPath, at: datetime | None, octets: int | None) -> AbstractContextManager[IO[bytes]]:
        """A new file. `at`: its time, where it has one. `octets`: its size, or None where that is not known yet."""


class Directory:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, place: PurePosixPath) -> None:
        """Make it, if it is not there."""
        (self._root / place).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self, place: PurePosixPath, at: datetime | None, octets: int | None) -> Iterator[IO[bytes]]:
        """A new file; what is there is never overwritten."""
        self.folder(place.parent)
        path = self._root / place
        with open(path, "xb") as file:
            yield file
        if at is not None:
            os.utime(path, (at.timestamp(), at.timestamp()))


class Drain:
    """What a zip file is written into, and taken out of piece by piece. It cannot be sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0
        """So many octets wait."""

    def write(self, octets: bytes) -> int:
        """Take octets in."""
        self._pieces.append(bytes(octets))
        self.held += len(octets)
        return len(octets)

    def flush(self) -> None:
        """Nothing to do."""

    def taken(self) -> bytes:
        """All that waits; it is forgotten here."""
        octets = b"".join(self._pieces)
        self._pieces, self.held = [], 0
        return octets


class Zip:
    """A zip file (ZIP64, names in UTF-8), the same octets for the same mail. Use it as a context manager."""

    def __init__(self, drain: Drain) -> None:
        self._file = zipfile.ZipFile(cast("IO[bytes]", drain), "w", zipfile.ZIP_DEFLATED)  # it is written to, no more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def folder(self, place: PurePosixPath) -> None:
        """An entry for the directory."""
        self._file.writestr(_entry(f"{place}/", None, 0o40700), b"")

    @contextmanager
    def open(self, place: PurePosixPath, at: datetime | None, octets: int | None) -> Iterator[IO[bytes]]:
        """A new entry."""
        info = _entry(str(place), at, 0o100600)
        info.file_size = octets or 0
        with contextlib.closing(self._file.open(info, "w", force_zip64=octets is None)) as file:
            yield file


def _entry(name: str, at: datetime | None, mode: int) -> zipfile.ZipInfo:
    when = min(max(at or _FIRST, _FIRST), _LAST).astimezone(UTC)
    info = zipfile.ZipInfo(name, when.timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, on every machine: modes mean something, and the octets are the same
    info.external_attr = mode << 16
    return info
