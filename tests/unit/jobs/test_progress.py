"""Progress: honest, never going back, never 100 before the end."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from migrator.jobs.progress import FolderProgress, Speed, eta, folder_counts, percent, speed, total
from migrator.jobs.states import JobState
from migrator.jobs.views import Counts, SampleView
from tests.making import NOW

RUNNING = JobState.RUNNING


def samples(*rows: tuple[float, int, int]) -> list[SampleView]:
    """Seconds before NOW, messages, octets."""
    return [SampleView(NOW - timedelta(seconds=ago), messages, octets, 0) for ago, messages, octets in rows]


def test_octets_count_where_all_are_known_and_messages_where_they_are_not() -> None:
    half = Counts(found=4, copied=2)
    assert percent(RUNNING, [FolderProgress(half, octets=900, octets_found=1000)]) == 90.0
    assert percent(RUNNING, [FolderProgress(half, octets=900, octets_found=None)]) == 50.0
    assert percent(RUNNING, [FolderProgress(half, 900, 1000), FolderProgress(Counts(found=4), 0, None)]) == 25.0


def test_what_is_there_already_counts_with_the_average_size_of_what_is_not_copied() -> None:
    folder = FolderProgress(Counts(found=10, copied=2, already_there=4), octets=200, octets_found=1000)
    assert percent(RUNNING, [folder]) == 60.0


def test_a_hundred_is_shown_only_at_success() -> None:
    everything = [FolderProgress(Counts(found=3, copied=3), octets=30, octets_found=30)]
    assert {state: percent(state, everything) for state in JobState} == {
        state: 100.0 if state is JobState.SUCCEEDED else 99.9 for state in JobState
    }
    assert percent(RUNNING, []) == 0.0


@given(st.lists(st.sampled_from(["copied", "already_there", "skipped", "failed"]), max_size=30), st.data())
def test_it_never_goes_back_while_messages_get_their_answers(answers: list[str], data: st.DataObject) -> None:
    sizes = [data.draw(st.integers(0, 1000)) for _ in answers]
    done, octets, last = dict.fromkeys(("copied", "already_there", "skipped", "failed"), 0), 0, 0.0
    for answer, size in zip(answers, sizes, strict=True):
        done[answer] += 1
        octets += size if answer == "copied" else 0
        now = percent(RUNNING, [FolderProgress(Counts(found=len(answers), **done), octets, sum(sizes))])
        assert last <= now <= 99.9
        last = now
    if answers:
        assert last == 99.9


def test_announced_mail_counts_until_the_survey_has_counted_and_an_excluded_folder_is_skipped_whole() -> None:
    numbers = {"copied": 1, "already_there": 0, "skipped": 0, "failed": 0}
    assert folder_counts(state="open", announced=9, found=0, **numbers).found == 9
    assert folder_counts(state="working", announced=9, found=12, **numbers).found == 12
    assert folder_counts(state="done", announced=9, found=7, **numbers).found == 7
    excluded = folder_counts(state="excluded", announced=9, found=0, **numbers)
    assert (excluded.found, excluded.skipped, excluded.open) == (9, 9, 0)
    assert total([excluded, Counts(found=1, failed=1)]) == Counts(found=10, skipped=9, failed=1)


def test_speed_is_that_of_the_last_two_minutes_without_the_pauses_between_slices() -> None:
    assert speed([]) == speed(samples((5, 1, 1))) == Speed()
    assert speed(samples((500, 0, 0), (110, 50, 5000), (100, 60, 6000), (10, 60, 6000), (0, 80, 8000))) == Speed(
        octets=150.0, messages=1.5
    )


def test_the_rest_takes_as_long_as_octets_say_and_else_messages() -> None:
    known = [FolderProgress(Counts(found=10, copied=5), octets=500, octets_found=1000)]
    unknown = [FolderProgress(Counts(found=10, copied=5), octets=500, octets_found=None)]
    steady = samples((20, 3, 300), (0, 5, 500))
    assert eta(RUNNING, known, steady, NOW) == 50
    assert eta(RUNNING, unknown, steady, NOW) == 50
    assert eta(RUNNING, known, samples((20, 5, 500), (0, 5, 500)), NOW) is None
    assert eta(RUNNING, known, [], NOW) is None
    assert eta(RUNNING, known, steady, NOW + timedelta(minutes=3)) is None
    assert eta(JobState.PAUSED, known, steady, NOW) is None
