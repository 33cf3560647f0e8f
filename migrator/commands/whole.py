"""Files that commands make for people: whole or not at all, for their owner alone, and nothing is overwritten."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from migrator.errors import DiskFull, UsageError


def write_whole(file: Path, parts: Iterable[bytes]) -> None:
    """Write the parts one after the other. Raises UsageError, also where the file is there already; DiskFull."""
    if not file.name:
        raise UsageError(f"{file} names no file.")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                opened.writelines(parts)
                opened.flush()
                os.fsync(opened.fileno())
            file.hardlink_to(name)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk under {file} is full.", detail=str(error.strerror)) from error
        hint = "Name another file: nothing is overwritten." if isinstance(error, FileExistsError) else ""
        raise UsageError(f"The file {file} cannot be written: {error.strerror}.", hint=hint) from None
