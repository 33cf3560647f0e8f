"""Where an export is written: a directory, or a zip file that is never held as a whole.

Places are made of harmless names (`archive.naming`), so that nothing leaves the directory or the zip file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol, Self, cast

_PIECE: Final = 256 * 1024
_IN_MEMORY: Final = 2 * 1024 * 1024
_KEPT: Final = ("compress_type", "compress_size", "file_size", "CRC", "header_offset", "flag_bits", "external_attr",
                "create_system", "create_version", "extract_version")  # fmt: skip
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
    """What a zip file is written into, and taken out of piece by piece. It cannot be sought in.

    What nobody takes for a while lies on the disk: a zip file ends with a list of all its files, written at once.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self.held = 0
        """So many octets wait."""

    def write(self, octets: bytes) -> int:
        """Take octets in."""
        self.held += len(octets)
        return self._file.write(octets)

    def flush(self) -> None:
        """Nothing to do."""

    def pieces(self) -> Iterator[bytes]:
        """All that waits; it is forgotten here."""
        self._file.seek(0)
        while octets := self._file.read(_PIECE):
            yield octets
        self._file.seek(0)
        self._file.truncate()
        self.held = 0

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


class _Listed:
    """The entries of a zip file on the disk, in place of `zipfile`'s list: a large mailbox has a million of them."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._count = 0

    def append(self, info: zipfile.ZipInfo) -> None:
        """Keep one."""
        values = [info.filename, info.date_time, *(getattr(info, name) for name in _KEPT)]
        self._file.write(json.dumps(values).encode() + b"\n")
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        self._file.seek(0)
        for line in self._file:
            name, when, *values = json.loads(line)
            info = zipfile.ZipInfo(name, tuple(when))
            for attribute, value in zip(_KEPT, values, strict=True):
                setattr(info, attribute, value)
            yield info

    def close(self) -> None:
        self._file.close()


class _Forgetful(dict[str, zipfile.ZipInfo]):
    """`zipfile` looks here only for names that were used twice; ours are all different."""

    def __setitem__(self, key: str, value: zipfile.ZipInfo) -> None:
        pass


class Zip:
    """A zip file (ZIP64, names in UTF-8), the same octets for the same mail. Use it as a context manager."""

    def __init__(self, drain: Drain) -> None:
        self._file = zipfile.ZipFile(cast("IO[bytes]", drain), "w", zipfile.ZIP_DEFLATED)  # it is written to, no more
        self._listed = _Listed()
        self._file.filelist = cast("list[zipfile.ZipInfo]", self._listed)
        self._file.NameToInfo = _Forgetful()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.closing(self._listed):
            self._file.close()

    def folder(self, place: PurePosixPath) -> None:
        """An entry for the directory."""
        info = _entry(f"{place}/", None, 0o40700)
        info.compress_type = zipfile.ZIP_STORED
        with self._file.open(info, "w"):
            pass

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
