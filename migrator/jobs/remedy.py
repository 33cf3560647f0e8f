"""What an error means for a job: wait, block or fail. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from migrator.errors import ConnectError, DailyLimit, PostwagenError, Remedy
from migrator.jobs.states import JobEvent

PATIENCE = 8
"""So many slices in a row may end by a temporary error; then a person is asked."""
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a slice ended."""

    event: JobEvent
    error: dict[str, Any] | None = None
    wait: timedelta | None = None
    again: bool = False
    failures_in_a_row: int = 0
    result: dict[str, Any] | None = None


def ending_of(error: PostwagenError, failures_before: int, *, goes_on: bool = True) -> Ending:
    """The ending for an error that hit the whole mailbox. `goes_on`: another slice goes on where this one stopped."""
    if error.remedy is Remedy.NEVER:
        return Ending(JobEvent.FAIL, error=error.as_dict())
    if error.remedy is Remedy.PERSON:
        return Ending(JobEvent.BLOCK, error=error.as_dict())
    if isinstance(error, DailyLimit) and not goes_on:  # it would begin anew each day, and never end
        return Ending(JobEvent.BLOCK, error=error.as_dict())
    if isinstance(error, DailyLimit):  # as often as it takes
        return Ending(JobEvent.WAIT, error=error.as_dict(), wait=error.later or LONGEST_WAIT)
    failures = failures_before + 1
    patience = PATIENCE // 2 if isinstance(error, ConnectError) else PATIENCE
    if failures >= patience:
        return Ending(JobEvent.BLOCK, error=error.as_dict())
    wait = error.later or min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    return Ending(JobEvent.WAIT, error=error.as_dict(), wait=wait, failures_in_a_row=failures)
