"""Plots as paths of an inline SVG of 300 × 120: readable without JavaScript, and without any inline style. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from migrator.jobs.views import EventView, SampleView

WIDTH: Final = 300.0
HEIGHT: Final = 120.0
_STEPS: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Paths and what stands at the axes."""

    line: str
    under: str
    guess: str
    goal: float
    shades: tuple[tuple[float, float], ...]
    y_values: tuple[float, ...]
    """From top to bottom, four of them."""
    x_moments: tuple[datetime, ...]
    """From left to right, four of them."""


def draw(points: Sequence[Point], *, until: Point | None = None, shades: Sequence[tuple[datetime, datetime]] = ()) -> (
    Drawing | None
):  # fmt: skip
    """The points as a line; `until` is where it is expected to go. None where there is too little to draw."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    begin, end = points[0][0], max(points[-1][0], until[0] if until else points[-1][0])
    top = ceiling(max(value for _, value in points))
    span = (end - begin).total_seconds()

    def x(moment: datetime) -> float:
        return round(min(max((moment - begin).total_seconds() / span, 0), 1) * WIDTH, 1)

    def y(value: float) -> float:
        return round(HEIGHT - value / top * HEIGHT, 1)

    line = "M" + "L".join(f"{x(moment)} {y(value)}" for moment, value in points)
    last = points[-1]
    guess = f"M{x(last[0])} {y(last[1])}L{x(until[0])} {y(until[1])}" if until else ""
    return Drawing(
        line=line,
        under=f"{line}L{x(last[0])} {HEIGHT:g}L0.0 {HEIGHT:g}Z",
        guess=guess,
        goal=x(last[0]),
        shades=tuple((x(start), x(stop)) for start, stop in shades if x(stop) > x(start)),
        y_values=tuple(top * part / 3 for part in (3, 2, 1, 0)),
        x_moments=tuple(begin + timedelta(seconds=span * part / 3) for part in range(4)),
    )


def ceiling(largest: float) -> float:
    """The top of an axis with three equal steps that are easy to read."""
    if largest <= 0:
        return 3.0
    step = largest / 3
    power = 10.0 ** math.floor(math.log10(step))
    return 3 * power * next(nice for nice in _STEPS if nice * power >= step * 0.999999)


def throughput(samples: Sequence[SampleView]) -> list[Point]:
    """Octets per second between one sample and the next."""
    points: list[Point] = []
    for before, after in itertools.pairwise(samples):
        seconds = (after.at - before.at).total_seconds()
        if seconds > 0:
            points.append((after.at, max(0, after.octets - before.octets) / seconds))
    return [(samples[0].at, points[0][1]), *points] if points else []


def remaining(samples: Sequence[SampleView]) -> list[Point]:
    """Messages that were open at each moment."""
    return [(sample.at, float(sample.open_messages)) for sample in samples]


def waits(events: Sequence[EventView], now: datetime) -> list[tuple[datetime, datetime]]:
    """When the job waited because a server asked it to; `events` are newest first."""
    spans: list[tuple[datetime, datetime]] = []
    begun: datetime | None = None
    for event in reversed(events):
        if event.name == "wait":
            begun = event.at
        elif event.name == "take" and begun is not None:
            spans.append((begun, event.at))
            begun = None
    return [*spans, (begun, now)] if begun is not None else spans
