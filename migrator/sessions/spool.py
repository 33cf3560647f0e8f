"""Octets of one message on their way: small ones in memory, large ones in a file that vanishes with us."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from migrator.errors import DiskFull
from migrator.mail.messages import TAIL_OCTETS, tail_of

IN_MEMORY = 1024 * 1024
CHUNK = 256 * 1024


@contextmanager
def _disk_told() -> Iterator[None]:
    """A full disk under the temporary files is no defect of ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = tempfile.gettempdir()
        raise DiskFull(f"The disk for temporary files is full ({where}).", detail=str(error.strerror)) from error


def _read_again(file: IO[bytes]) -> Iterator[bytes]:
    with _disk_told():
        file.seek(0)  # writes what is still in the buffer
    while data := file.read(CHUNK):
        yield data


class Spool:
    """Write once, read as often as you like, close when done. Raises DiskFull."""

    __slots__ = ("_file", "_parts", "head", "size", "tail")

    def __init__(self, expected: int, head_octets: int) -> None:
        self.size = 0
        self.head = self.tail = b""
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        if expected > IN_MEMORY:
            with _disk_told():
                self._file = tempfile.TemporaryFile(prefix="postwagen-")  # noqa: SIM115 - closed by close()

    def write(self, data: bytes, head_octets: int) -> None:
        """Add octets at the end."""
        if self.size < head_octets:
            self.head += data[: head_octets - self.size]
        self.size += len(data)
        self.tail = data[-TAIL_OCTETS:] if len(data) >= TAIL_OCTETS else tail_of((self.tail, data))
        if self._file is None:
            self._parts.append(data)
            return
        with _disk_told():
            self._file.write(data)

    def chunks(self) -> Iterator[bytes]:
        """All octets from the beginning, in pieces."""
        return iter(self._parts) if self._file is None else _read_again(self._file)

    def close(self) -> None:
        """Forget the octets."""
        self._parts = []
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
