"""Whether a pass fits where archives lie. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What a place for archives offers, in octets. `quota` 0: only the disk is a limit."""

    free: int
    reserve: int
    taken: int = 0
    quota: int = 0

    @property
    def left(self) -> int:
        """So much may still be written; negative when the reserve is touched already."""
        on_disk = self.free - self.reserve
        return min(on_disk, self.quota - self.taken) if self.quota else on_disk


def shortfall(needs: int, room: Room) -> int:
    """Octets that are lacking; 0: it fits."""
    return max(0, needs - room.left)
