"""Where a message lies that has several of Gmail's labels, each of which is a folder (quirks.md, 17). Pure.

One copy of each message is carried: into the inbox if it is there, else into Sent, Drafts, Spam or Trash, else into the
first of its labels in alphabetical order; `All Mail` holds what has none of these. In the other folders it is skipped
by a rule that says where it lies. All labels are kept beside the flags where the target can (`mail.flags.LABEL`).

A message's answer names all of its labels but that of the folder that is open, so no message need be remembered.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from migrator.mail.flags import labels_of
from migrator.mail.folders import FolderInfo, Role
from migrator.mail.messages import Row
from migrator.planning.roles import comparable

_SYSTEM = {
    "\\inbox": Role.INBOX,
    "\\sent": Role.SENT,
    "\\draft": Role.DRAFTS,
    "\\drafts": Role.DRAFTS,
    "\\spam": Role.JUNK,
    "\\junk": Role.JUNK,
    "\\trash": Role.TRASH,
}
"""Labels that Gmail gives, and the use of the folder that shows them."""
_ORDER = (Role.INBOX, Role.SENT, Role.DRAFTS, Role.JUNK, Role.TRASH)


class Homes:
    """The folders that are carried: a label that is none of them, hidden or left out, is nobody's home."""

    def __init__(self, folders: Iterable[FolderInfo]) -> None:
        ordered = sorted(folders, key=_rank)
        self._rank = {info.name: rank for rank, info in enumerate(ordered)}
        by_role = {info.role: info.name for info in ordered}
        self._of_label = {label: by_role[role] for label, role in _SYSTEM.items() if role in by_role}

    def elsewhere(self, folder: str, row: Row) -> str:
        """The folder in which this message is carried, if that is another one than `folder`; else nothing."""
        labels = _labels(row.flags)
        if not labels:
            return ""
        homes = [self._of_label.get(label.lower(), label) for label in labels]
        best = min((folder, *homes), key=lambda name: self._rank.get(name, len(self._rank)))
        return best if best in self._rank and best != folder else ""


@functools.lru_cache(1024)
def _labels(flags: frozenset[str]) -> tuple[str, ...]:
    """Few sets of flags stand at many messages."""
    return tuple(labels_of(flags))


def _rank(info: FolderInfo) -> tuple[int, list[str]]:
    place = _ORDER.index(info.role) if info.role in _ORDER else len(_ORDER) + (info.role is Role.ALL)
    return place, [comparable(level) for level in info.path]
