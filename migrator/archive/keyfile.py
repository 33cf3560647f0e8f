"""An archive's key in a file of its own, beside the archive unless somebody says otherwise."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path

from migrator.archive.sealing import KEY_OCTETS
from migrator.errors import ArchiveUnusable

_ABOUT = (
    "# The key of a Postwagen archive. Whoever has this file and the archive can read all mail in it.\n"
    "# Keep a copy where the archive is not. Destroy every copy, and the archive is destroyed.\n"
)


def beside(archive: Path) -> Path:
    """Where the key lies unless said otherwise."""
    return archive.with_name(archive.name + ".key")


def make_key(file: Path) -> bytes:
    """A new key in a new file, mode 0600, on the disk. Raises ArchiveUnusable where the file is there already."""
    key = secrets.token_bytes(KEY_OCTETS)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(_ABOUT + base64.b64encode(key).decode() + "\n")
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise ArchiveUnusable(f"The key file {file} cannot be made: {error.strerror}.") from None
    return key


def read_key(file: Path) -> bytes:
    """The key. Raises ArchiveUnusable: not there, readable for others, or no key."""
    try:
        mode = file.stat().st_mode
        lines = [line.strip() for line in file.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ArchiveUnusable(f"The key file {file} cannot be read: {reason}.") from None
    if mode & 0o077:
        raise ArchiveUnusable(f"Others may read the key file {file}.", hint=f"chmod 600 {file}")
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines if line and not line.startswith("#")]
    except binascii.Error:
        keys = []
    if len(keys) != 1 or len(keys[0]) != KEY_OCTETS:
        raise ArchiveUnusable(f"The key file {file} must hold one key, {KEY_OCTETS} octets in base64.")
    return keys[0]
