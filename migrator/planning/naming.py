"""Names at the target where a folder's own cannot be had. Pure.

Each is unlike all others, and told with the folder's own name: so every folder can be named back. What the target's
delimiter forbids is replaced before anything is asked; what else a server dislikes is known only when it refuses, so
each folder has a few further names, in the order in which they are tried.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from migrator.mail.folders import FolderPath, Namespace
from migrator.planning.roles import comparable

LEVEL_CHARACTERS, LEVELS = 60, 3
"""Servers that say no limit have been seen with about these (field.md, 5; quirks.md, 38)."""
_NUMBER = re.compile(r" \(\d{1,4}\)\Z")
_DISLIKED = './\\%*"~^;<>`{|}'
"""From `;` on by Cyrus alone (found with 3.6)."""
JOINT = " - "
"""Between levels that become one."""


def fitting_path(path: FolderPath, namespace: Namespace) -> FolderPath:
    """The path with every level free of the target's delimiter and of control characters."""
    if not namespace.delimiter:
        return (_repaired("_".join(path), ""),)
    return tuple(_repaired(level, namespace.delimiter) for level in path)


def numbered(path: FolderPath, number: int) -> FolderPath:
    """`Kunden (2)`."""
    return (*path[:-1], f"{path[-1]} ({number})")


def is_variant(place: FolderPath, path: FolderPath) -> bool:
    """Whether a folder that is to go to `path` may have been put there, for want of that name."""
    return place != path and _unnumbered(place) in map(_unnumbered, (path, *_simpler(path)))


def _unnumbered(path: FolderPath) -> FolderPath:
    return tuple(_NUMBER.sub("", level) for level in path)


class Places:
    """Names at the target, each given once. Compared without case and Unicode form, as some servers do."""

    def __init__(self, namespace: Namespace, taken: Iterable[FolderPath]) -> None:
        self._namespace = namespace
        self._taken = {self._key(path) for path in taken}

    def free(self, path: FolderPath, first: int = 1) -> FolderPath:
        """This path, or with the lowest number from `first` on with which it is nobody's; it is taken then."""
        for number in count(first):
            candidate = path if number == 1 else numbered(path, number)
            if self._key(candidate) not in self._taken:
                self._taken.add(self._key(candidate))
                return candidate
        raise AssertionError

    def others(self, path: FolderPath) -> tuple[FolderPath, ...]:
        """What is tried if the server refuses `path`, in this order."""
        if path == ("INBOX",):
            return ()
        simpler = [self.free(other) for other in dict.fromkeys(_simpler(path)) if other != path]
        return (*simpler, self.free(_plainer(path), 2))

    def _key(self, path: FolderPath) -> FolderPath:
        """As the target's own name for it means it."""
        return tuple(comparable(level) for level in self._namespace.to_path(self._namespace.to_name(path)))


def _simpler(path: FolderPath) -> Iterator[FolderPath]:
    plain = _plainer(path)
    yield plain
    yield _shortened(plain)
    yield _bare(JOINT.join(plain))


def _plainer(path: FolderPath) -> FolderPath:
    """Without the characters that servers dislike, and without blanks where they dislike them (quirks.md, 21, 43)."""
    below = ("INBOX",) if path[0] == "INBOX" else ()
    levels = (re.sub(r"\s+", " ", _repaired(level, _DISLIKED)).strip() for level in path[len(below) :])
    return (*below, *(level or "_" for level in levels))


def _shortened(path: FolderPath) -> FolderPath:
    """Few levels, and none of them long."""
    kept: Sequence[str] = path if len(path) <= LEVELS else (*path[: LEVELS - 1], JOINT.join(path[LEVELS - 1 :]))
    return tuple(level[:LEVEL_CHARACTERS].strip() for level in kept)


def _bare(name: str) -> FolderPath:
    """One level of ASCII."""
    letters = unicodedata.normalize("NFKD", name)
    ascii_only = "".join(char if char.isascii() else "_" for char in letters if not unicodedata.combining(char))
    return (ascii_only[:LEVEL_CHARACTERS].strip(),)


def _repaired(level: str, forbidden: str) -> str:
    """One level with the forbidden characters (and control characters) as `_`."""
    return "".join("_" if char in forbidden or ord(char) < 32 or ord(char) == 127 else char for char in level)


def alike(path: FolderPath) -> FolderPath:
    """What paths have in common that some servers take for one."""
    return tuple(unicodedata.normalize("NFC", level).strip().lower() for level in path)
