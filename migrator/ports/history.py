"""A Target that keeps what was (`Historian`)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from migrator.mail.folders import FolderInfo, FolderRef
from migrator.mail.messages import MessageKey


@dataclass(frozen=True, slots=True)
class Missing:
    """A message of the source that a pass did not keep, and why: the refusal's reason, or the rule that left it."""

    key: MessageKey
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What one pass saw in one source folder; what vanished while it looked is not counted.

    `keys` says of which messages without naming them: the same for the same keys in any order
    (`mail.messages.sum_of`).
    """

    folder: FolderInfo
    found: int
    keys: int
    octets: int = 0
    """Of what was kept, as the source announced them."""
    missing: Sequence[Missing] = ()


class Historian(Protocol):
    """A Target that keeps what was: every pass is a point in time. Nothing is deleted; things end with a pass."""

    def describe(self, folders: Sequence[FolderInfo]) -> None:
        """The source's folders that this pass is about to see; others end with it."""

    def conclude(self, folder: FolderRef, present: array[int], sight: Sight) -> frozenset[int]:
        """The folder was seen to its end: what is not among these keys (UIDs at this target) ends with this pass.

        `sight` is kept with the pass. Returns the keys that cannot be: they are not here, or there twice, because the
        ledger is younger than this target. Then nothing was ended; carry those messages again, and conclude again.
        """

    def unchanged(self, info: FolderInfo) -> Sight | None:
        """What the pass before saw of a folder whose `state` is the same; it stands in this one too. None: look."""

    def fail(self, info: FolderInfo, error: str, listed: Sequence[Missing] = ()) -> bool:
        """The folder could not be seen to its end: it stands in this pass as earlier ones left it, and lacks `listed`.

        False: it is not known.
        """

    def finish(self, summary: dict[str, Any]) -> None:
        """The pass is complete: everything was looked at that can be."""
