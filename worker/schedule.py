"""What happens by the clock, and where: in the beat process itself.

Beat does not send its tasks to the workers: a sweep that waits behind five-minute slices could not find the jobs of a
dead worker in time, and while the broker is away it would pile up.
"""

from __future__ import annotations

from typing import Any

from celery.beat import ScheduleEntry, Scheduler

from migrator.settings import Settings

SWEEP = "postwagen.sweep"
TIDY = "postwagen.tidy"
KEEP = "postwagen.keep"
_KEEP_SECONDS = 15.0
_AN_HOUR = 3600.0


def schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Celery's schedule: name → task and seconds."""
    return {
        "sweep": {"task": SWEEP, "schedule": float(settings.sweep_seconds)},
        "keep": {"task": KEEP, "schedule": _KEEP_SECONDS},
        "tidy": {"task": TIDY, "schedule": _AN_HOUR},
    }


class HereScheduler(Scheduler):
    """Runs what is due here and now, and keeps nothing on disk: after a restart everything is due."""

    producer = None  # type: ignore[assignment]  # theirs would connect at the first tick
    """Nothing is sent, so no broker is needed to tick."""

    def setup_schedule(self) -> None:
        """Take over the schedule; the first sweep is due at once."""
        self.merge_inplace(self.app.conf.beat_schedule)

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **_: Any) -> Any:
        """Run it. What it raises is logged by `apply_entry`, and the clock goes on."""
        if advance:
            self.reserve(entry)
        return self.app.tasks[str(entry.task)].run()
