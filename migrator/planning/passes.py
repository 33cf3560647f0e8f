"""When the next archive pass begins. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often passes come, and between which hours of the day they may begin (from, until; None: at any time)."""

    every: timedelta
    window: tuple[int, int] | None = None


def next_pass(rhythm: Rhythm, last: datetime, zone: tzinfo, spread: float) -> datetime:
    """When the pass after the one of `last` begins, in UTC's sense of `last`.

    `spread` (0 to 1) is this mailbox's place in the window, so that ten thousand do not begin at once. A nightly pass
    comes every night, however long the one before took.
    """
    if rhythm.window is None:
        return last + rhythm.every
    soonest = last + rhythm.every - min(rhythm.every, timedelta(days=1)) / 2
    wanted = last + rhythm.every
    if rhythm.every < timedelta(days=1) and _is_open(rhythm.window, wanted.astimezone(zone)):
        return wanted
    day = (soonest.astimezone(zone) - timedelta(days=2)).date()
    while True:
        begin = _begin(rhythm.window, datetime.combine(day, time(), zone), spread)
        if begin >= soonest:
            return begin.astimezone(last.tzinfo)
        day += timedelta(days=1)


def _length(window: tuple[int, int]) -> int:
    """Hours; the same hour twice is the whole day."""
    return (window[1] - window[0]) % 24 or 24


def _is_open(window: tuple[int, int], local: datetime) -> bool:
    return (local.hour - window[0]) % 24 < _length(window)


def _begin(window: tuple[int, int], midnight: datetime, spread: float) -> datetime:
    return midnight + timedelta(hours=window[0] + _length(window) * min(max(spread, 0.0), 0.999))
