"""A folder's numbers while it is carried. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.ports import Tally


@dataclass(slots=True)
class Count:
    """The mutable twin of `ports.Tally`."""

    found: int = 0
    copied: int = 0
    already_there: int = 0
    skipped: int = 0
    failed: int = 0
    octets: int = 0
    octets_found: int = 0
    dropped_flags: int = 0
    flag_changes: int = 0

    def frozen(self) -> Tally:
        """The numbers as a value."""
        return Tally(
            self.found, self.copied, self.already_there, self.skipped, self.failed,
            self.octets, self.octets_found, self.dropped_flags, self.flag_changes,
        )  # fmt: skip
