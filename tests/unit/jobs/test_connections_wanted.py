"""How many connections to each server a job has: as many as were measured as the best, are wished, and are borne."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migrator.jobs.recipes import Work, _lanes
from migrator.jobs.states import JobKind
from migrator.ports import Traits
from migrator.sessions.endpoint import Endpoint, archive_end, parse_url

ARCHIVE = archive_end(Path("/x.pwa"), lambda: "", is_filled=True)
OLD, NEW, GMAIL, OUTLOOK = (
    parse_url(f"imaps://a@{host}", lambda: "")
    for host in ("mail.old.example", "mail.new.example", "imap.gmail.com", "outlook.office365.com")
)


def lanes(source: Endpoint, target: Endpoint, *, trips: tuple[float, float] = (0.0, 0.0), **options: Any) -> int:
    old, new = (SimpleNamespace(traits=Traits(nearest=nearest)) for nearest in trips)
    ends: Any = SimpleNamespace(source=old, target=new)
    return _lanes(Work(JobKind.COPY, source, target, options), ends)


@pytest.mark.parametrize("trips", [(0.02, 0.0), (0.0, 0.02), (0.1, 0.1)])
def test_between_near_servers_two_are_best_and_where_one_is_far_one_that_is_always_busy(
    trips: tuple[float, float],
) -> None:
    assert lanes(OLD, NEW) == lanes(OLD, NEW, trips=(0.004, 0.004)) == 2
    assert lanes(OLD, NEW, trips=trips) == 1


def test_whoever_wishes_another_number_gets_it() -> None:
    assert lanes(OLD, NEW, connections=1) == 1
    assert lanes(OLD, NEW, trips=(0.1, 0.1), connections=4) == 4


def test_no_provider_gets_more_than_it_bears() -> None:
    assert lanes(GMAIL, NEW, connections=8) == 1
    assert lanes(OUTLOOK, NEW, connections=8) == 4
    assert lanes(OLD, OUTLOOK, connections=8) == 4


def test_an_archive_has_one_writer_and_is_read_by_two() -> None:
    assert lanes(OLD, ARCHIVE, connections=8) == 1
    assert lanes(ARCHIVE, NEW, trips=(0.0, 0.1)) == 2
