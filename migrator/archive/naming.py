"""Folders' names as names of files that every system takes. Pure.

No name out of a mailbox becomes a path: each level is made harmless by itself.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from migrator.mail.folders import FolderPath

_HARMFUL: Final = frozenset('/\\:*?"<>|%')
_RESERVED: Final = re.compile(
    r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?|cur|new|tmp|index\.json|missing\.txt|dovecot-keywords|.*\.(eml|mbox)"
)
"""Names that a system or one of our formats gives a meaning."""
_LONGEST: Final = 80


def harmless(level: str) -> str:
    """A folder's level as a name that every file system takes; `%` and two digits stand for what it may not hold."""
    name = "".join(
        f"%{ord(char):02X}" if char in _HARMFUL or ord(char) < 32 or ord(char) == 127 else char for char in level
    )
    name = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in name)
    if not name or name[0] == "." or _RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if name[-1] in ". ":
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if len(name.encode()) > _LONGEST:
        name = name.encode()[: _LONGEST - 9].decode("utf-8", "ignore") + "~" + _short(level)
    return name


class Places:
    """Gives every folder a place of its own, also where neither case nor the spelling of an umlaut is a difference."""

    def __init__(self) -> None:
        self._taken: dict[str, FolderPath] = {}

    def place(self, path: FolderPath) -> PurePosixPath:
        """Where the folder's mail goes."""
        place = PurePosixPath(*map(harmless, path))
        if self._taken.setdefault(_alike(place), path) != path:
            place = place.with_name(f"{place.name}~{_short(repr(path))}")
            self._taken[_alike(place)] = path
        return place


def _alike(place: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(place)).casefold())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
