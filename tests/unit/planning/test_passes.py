"""When the next archive pass begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.planning.passes import Rhythm, next_pass

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Rhythm(timedelta(days=1), (22, 5))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("last", "spread", "next_one"),
    [
        ("2026-11-05T12:00", 0.0, "2026-11-06T22:00"),
        ("2026-11-05T09:59", 0.0, "2026-11-05T22:00"),
        ("2026-11-05T10:00", 0.0, "2026-11-05T22:00"),
        ("2026-11-05T10:01", 0.0, "2026-11-06T22:00"),
        ("2026-11-05T22:00", 0.0, "2026-11-06T22:00"),
        ("2026-11-06T04:59", 0.0, "2026-11-06T22:00"),
        ("2026-11-05T22:00", 0.5, "2026-11-07T01:30"),
        ("2026-11-06T01:30", 0.5, "2026-11-07T01:30"),
    ],
)
def test_a_nightly_pass_comes_once_a_night_at_its_own_place_in_the_window(
    last: str, spread: float, next_one: str
) -> None:
    assert next_pass(NIGHTLY, at(last), BERLIN, spread) == at(next_one)


def test_without_a_window_it_comes_when_its_time_is_over() -> None:
    assert next_pass(Rhythm(timedelta(hours=6)), at("2026-11-05T12:00"), BERLIN, 0.7) == at("2026-11-05T18:00")


def test_one_that_comes_several_times_a_day_waits_for_the_window() -> None:
    often = Rhythm(timedelta(hours=2), (22, 5))
    assert next_pass(often, at("2026-11-05T23:10"), BERLIN, 0.0) == at("2026-11-06T01:10")
    assert next_pass(often, at("2026-11-06T04:10"), BERLIN, 0.0) == at("2026-11-06T22:00")


@given(
    days=st.integers(0, 730),
    seconds=st.integers(0, 86_399),
    hours=st.integers(1, 744),
    window=st.none() | st.tuples(st.integers(0, 23), st.integers(0, 23)),
    spread=st.floats(0, 1),
)
def test_it_always_lies_ahead_inside_the_window_and_not_much_too_late(
    days: int, seconds: int, hours: int, window: tuple[int, int] | None, spread: float
) -> None:
    last, every = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days, seconds), timedelta(hours=hours)
    found = next_pass(Rhythm(every, window), last, BERLIN, spread)
    assert last + every / 2 <= found <= last + every + timedelta(days=1, hours=2)
    if window is not None:
        into = (found.astimezone(BERLIN).hour - window[0]) % 24
        assert into <= ((window[1] - window[0]) % 24 or 24), "at a change of the clocks by an hour at most"
