"""A file's octets beside SQLite: one descriptor for the whole process, as long as anybody in it has the file open.

Closing any descriptor of a file drops all locks that the process holds on it, SQLite's too (fcntl(2)): then
another process could take the WAL away from under a reader.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_GUARD: Final = threading.Lock()


@dataclass(slots=True)
class _Shared:
    """What all uses of one file in this process share."""

    descriptors: list[int] = field(default_factory=list)
    """One; more where another file took this one's place in the very moment of opening."""
    uses: int = 0


_OPEN: Final[dict[tuple[int, int], _Shared]] = {}
"""By device and inode."""


class Beside:
    """One use of a file. Close it when SQLite has closed the file."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        with _GUARD:
            known = _OPEN.get(_who(path.stat()))
            self._file = known.descriptors[0] if known else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.fstat(self._file)
            self._key = _who(found)
            shared = _OPEN.setdefault(self._key, _Shared())
            if self._file not in shared.descriptors:
                shared.descriptors.append(self._file)
            shared.uses += 1
        self._before = found.st_size

    def head(self, octets: int) -> bytes:
        """Its first octets. Raises OSError."""
        return os.pread(self._file, octets, 0)

    def let_go(self, worth: int) -> None:
        """The system need not keep in memory what the file has grown by, if that is as much: nobody reads it again
        soon. Where the system takes no such advice, nothing happens."""
        size = os.fstat(self._file).st_size
        if size - self._before >= worth and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, self._before, size - self._before, os.POSIX_FADV_DONTNEED)
            self._before = size

    def close(self) -> None:
        """The last one who uses the file closes it."""
        with _GUARD:
            shared = _OPEN[self._key]
            shared.uses -= 1
            if not shared.uses:
                del _OPEN[self._key]
                for descriptor in shared.descriptors:
                    os.close(descriptor)


def _who(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
