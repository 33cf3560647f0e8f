"""What comes by itself for an archive, as it is typed: passes and, over POP3, what becomes of collected mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from migrator.jobs.keeping.views import ArchiveView, recorded
from migrator.jobs.orders import NIGHTLY, Keeping
from migrator.planning.leaving import OFFERED_DAYS

HOURS: Final = tuple(range(24))
_NONE: Final = -1
"""A number that is none: the core says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class KeepForm:
    """As it was typed. `rhythm`: empty, nightly, hours; `leave`: empty (keep all), a number of days, or days."""

    rhythm: str = ""
    every_hours: str = ""
    begin: str = ""
    end: str = ""
    leave: str = ""
    leave_days: str = ""
    leave_wish: str = ""

    @property
    def has_any(self) -> bool:
        """Whether anything comes by itself."""
        return bool(self.rhythm or self.leave)

    def keeping(self) -> Keeping:
        """As the core takes it."""
        passes = {"nightly": NIGHTLY, "hours": self._by_hours()}.get(self.rhythm, Keeping())
        days = _number(self.leave_days if self.leave == "days" else self.leave) if self.leave else None
        wish = self.leave_wish if days is not None else ""
        return Keeping(passes.every_hours, passes.window, leave_days=days, leave_wish=wish)

    def _by_hours(self) -> Keeping:
        window = (_number(self.begin), _number(self.end)) if self.begin or self.end else None
        return Keeping(every_hours=_number(self.every_hours), window=window)


def read(form: Mapping[str, str]) -> KeepForm:
    """The part of a form that begins with `keep.`."""
    return KeepForm(**{name: form.get(f"keep.{name}", "").strip() for name in KeepForm.__dataclass_fields__})


def of(archive: ArchiveView) -> KeepForm:
    """As it stands now."""
    nightly = (archive.every_hours, archive.window) == (NIGHTLY.every_hours, NIGHTLY.window)
    begin, end = map(str, archive.window) if archive.window else ("", "")
    days = archive.leave_days
    offered = days is not None and days in (0, *OFFERED_DAYS)
    return KeepForm(
        rhythm="" if archive.every_hours is None else "nightly" if nightly else "hours",
        every_hours="" if archive.every_hours is None or nightly else str(archive.every_hours),
        begin="" if nightly else begin,
        end="" if nightly else end,
        leave="" if days is None else str(days) if offered else "days",
        leave_days="" if days is None or offered else str(days),
        leave_wish=recorded(archive.leave_wish)[0],
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _NONE
