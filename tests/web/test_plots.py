"""Plots are paths inside their frame, whatever the measurements are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as some

from migrator.db.models import JobSample
from migrator.db.store import Database
from migrator.jobs.states import JobState
from migrator.jobs.views import EventView, SampleView
from tests.web.conftest import Browser
from web import formats
from web.jobs import plots

Make = Callable[..., int]

T = datetime(2026, 11, 26, 12, tzinfo=UTC)


def sample(seconds: float, octets: int = 0, open_messages: int = 0) -> SampleView:
    return SampleView(T + timedelta(seconds=seconds), 0, octets, open_messages)


def event(name: str, seconds: float) -> EventView:
    return EventView(T + timedelta(seconds=seconds), name, "", "", "", {})


@pytest.mark.parametrize(
    ("largest", "top"),
    [(0, 3), (1, 1.2), (4.9e6, 6e6), (43_118, 45_000), (100, 120), (3, 3), (0.001, 0.0012), (9, 9), (1e12, 1.2e12)],
)
def test_axes_end_at_numbers_that_are_easy_to_read(largest: float, top: float) -> None:
    assert plots.ceiling(largest) == pytest.approx(top)


@given(some.lists(some.tuples(some.integers(0, 10**6), some.integers(0, 10**14)), max_size=40))
def test_every_line_stays_in_its_frame(raw: list[tuple[int, int]]) -> None:
    points = [(T + timedelta(seconds=at), float(value)) for at, value in sorted(raw)]
    drawing = plots.draw(points)
    if drawing is None:
        return
    numbers = [float(text) for text in re.findall(r"-?[\d.]+(?:e-?\d+)?", drawing.line)]
    assert all(0 <= x <= plots.WIDTH for x in numbers[::2])
    assert all(0 <= y <= plots.HEIGHT for y in numbers[1::2])


@pytest.mark.parametrize("samples", [[], [sample(0)], [sample(0), sample(0)]])
def test_too_little_is_not_drawn(samples: list[SampleView]) -> None:
    assert plots.draw(plots.throughput(samples)) is None


def test_throughput_is_what_was_carried_between_two_measurements() -> None:
    points = plots.throughput([sample(0, 0), sample(10, 1_000), sample(10, 1_000), sample(30, 1_000), sample(40, 900)])
    assert [value for _, value in points] == [100, 100, 0, 0]


def test_the_expected_end_lies_in_the_plot() -> None:
    points = plots.remaining([sample(0, open_messages=100), sample(60, open_messages=50)])
    drawing = plots.draw(points, until=(T + timedelta(seconds=120), 0.0))
    assert drawing
    assert drawing.guess == "M150.0 70.0L300.0 120.0"
    assert drawing.goal == 150.0
    assert [moment.second + 60 * moment.minute for moment in drawing.x_moments] == [0, 40, 80, 120]


def test_waits_are_shaded_from_asking_to_going_on() -> None:
    newest_first = [
        event("wait", 50),
        event("take", 30),
        event("reconnecting", 25),
        event("wait", 20),
        event("take", 0),
    ]
    end = T + timedelta(seconds=60)
    spans = plots.waits(newest_first, end)
    assert [((a - T).seconds, (b - T).seconds) for a, b in spans] == [(20, 30), (50, 60)]


def test_times_at_an_axis_differ_even_where_a_job_took_seconds(app: Flask) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "de", "Cookie": "tz=UTC"}):
        assert formats.clocks([T, T + timedelta(minutes=1)]) == ["12:00", "12:01"]
        assert formats.clocks([T, T + timedelta(seconds=2)]) == ["12:00:00", "12:00:02"]


def test_the_plots_of_a_job_that_has_ended_end_with_it(staff: Browser, make: Make, database: Database) -> None:
    """The last measurement is older than the end; and where nothing was carried, there is no throughput."""
    job_id = make(state=JobState.SUCCEEDED, started_at=T, finished_at=T + timedelta(seconds=30))
    with database.writing() as session:
        for seconds, left in ((0, 100), (15, 40)):
            at = T + timedelta(seconds=seconds)
            session.add(JobSample(job_id=job_id, at=at, messages=0, octets=0, open_messages=left))
    page = staff.get(f"/jobs/{job_id}").text
    plot = page.partition('id="remaining"')[2].partition("</section>")[0]
    assert 'class="line" d="M0.0 20.0L150.0 80.0L300.0 120.0"' in plot
    assert re.search(r'id="throughput"[^>]*hidden', page)
