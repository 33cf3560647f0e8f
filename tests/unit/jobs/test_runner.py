"""What becomes of a job when its slice ends, however it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrator import errors
from migrator.db.models import Job, JobFolder
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import lease as leases
from migrator.jobs import runner
from migrator.jobs.keeping import queries as kept
from migrator.jobs.orders import ArchiveEnd
from migrator.jobs.remedy import ending_of
from migrator.jobs.states import JobEvent, JobKind, JobState
from migrator.settings import Settings
from tests import making

Slice = Callable[..., bool]


@pytest.fixture
def job(database: Database, vault: Vault, settings: Settings) -> int:
    return making.job(database, vault, settings, now=datetime.now(UTC))


@pytest.fixture
def run(database: Database, vault: Vault, settings: Settings, job: int, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """One slice whose recipe does what the test says."""

    def one(recipe: Callable[..., dict[str, Any]], *, shutdown: bool = False) -> bool:
        ended = threading.Event()
        if shutdown:
            ended.set()
        monkeypatch.setattr(runner, "carry_out", recipe)
        return runner.run_slice(job, db=database, vault=vault, settings=settings, owner="me", shutdown=ended)

    return one


def _raising(error: Exception) -> Callable[..., dict[str, Any]]:
    def recipe(*_: object, **__: object) -> dict[str, Any]:
        raise error

    return recipe


def _waited(row: Job) -> timedelta:
    assert row.not_before is not None
    return row.not_before - datetime.now(UTC)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (errors.LoginRefused("no"), JobState.BLOCKED),
        (errors.TargetFull("full"), JobState.BLOCKED),
        (errors.TlsRefused("expired"), JobState.BLOCKED),
        (errors.HostUnknown("who"), JobState.BLOCKED),
        (errors.FolderRecreated("new"), JobState.BLOCKED),
        (errors.ServerRefused("odd"), JobState.BLOCKED),
        (errors.Defect("ours"), JobState.FAILED),
        (errors.ConnectRefused("nobody there"), JobState.QUEUED),
        (errors.ConnectionLost("cut"), JobState.QUEUED),
        (errors.ServerBusy("later"), JobState.QUEUED),
        (errors.DiskFull("ours"), JobState.QUEUED),
        (errors.DatabaseUnavailable("ours"), JobState.QUEUED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_an_error_of_the_whole_mailbox_waits_blocks_or_fails_and_says_what_helps(
    run: Slice, database: Database, job: int, error: errors.PostwagenError, state: JobState
) -> None:
    assert run(_raising(error)) is False
    row = making.row(database, job)
    assert (row.state, row.lease_until) == (state, None)
    assert row.error is not None
    assert (row.error["code"], row.error["message"]) == (error.code, error.message)
    if state is JobState.QUEUED:
        assert timedelta(0) < _waited(row) <= timedelta(seconds=15)
    if state is JobState.BLOCKED:
        assert row.error["remedy"]


def test_a_server_that_names_a_time_is_left_alone_until_then(run: Slice, database: Database, job: int) -> None:
    run(_raising(errors.ServerBusy("throttled", later=timedelta(minutes=7))))
    assert timedelta(minutes=6) < _waited(making.row(database, job)) <= timedelta(minutes=7)


def test_waits_grow_and_in_the_end_a_person_is_asked(run: Slice, database: Database, job: int) -> None:
    waits = []
    while (row := making.row(database, job)).state == JobState.QUEUED:
        with database.writing() as session:
            session.get_one(Job, job).not_before = None
        run(_raising(errors.ConnectionLost("cut")))
        row = making.row(database, job)
        if row.state == JobState.QUEUED:
            waits.append(_waited(row))
    assert row.state == JobState.BLOCKED
    assert len(waits) == 7
    assert waits == sorted(waits)


def test_a_slice_that_got_on_is_no_failure_in_a_row(run: Slice, database: Database, job: int) -> None:
    for number in range(12):
        with database.writing() as session:
            session.get_one(Job, job).not_before = None

        def carries_one(*_: object, done: int = number, **__: object) -> dict[str, Any]:
            with database.writing() as session:
                row = session.get(JobFolder, 1) or JobFolder(id=1, job_id=job, position=0, source_name="INBOX")
                row.found = row.copied = done + 1
                session.add(row)
            raise errors.ConnectionLost("cut")

        run(carries_one)
    assert making.row(database, job).state == JobState.QUEUED


def test_an_exception_that_nobody_expected_fails_the_job_and_its_text_is_shown_to_nobody(
    run: Slice, database: Database, job: int
) -> None:
    run(_raising(ValueError("old-Geheim-8472")))
    row = making.row(database, job)
    assert row.state == JobState.FAILED
    assert row.error is not None
    assert "ValueError in recipe" in row.error["detail"]
    assert "Geheim" not in str(row.error)


def test_a_stop_of_the_worker_gives_the_job_back(run: Slice, database: Database, job: int) -> None:
    assert run(_raising(errors.Stopped("stopped")), shutdown=True) is False
    row = making.row(database, job)
    assert (row.state, row.lease_until, row.not_before, row.error) == (JobState.QUEUED, None, None, None)


def test_whoever_was_fenced_out_touches_nothing(run: Slice, database: Database, job: int) -> None:
    def overtaken(*_: object) -> dict[str, Any]:
        with database.writing() as session:
            session.get_one(Job, job).fence += 1
        return {"failed_folders": 0}

    assert run(overtaken) is False
    row = making.row(database, job)
    assert (row.state, row.fence, row.result) == (JobState.RUNNING, 2, None)


@pytest.mark.parametrize("when", ["take", "fire"])
def test_while_the_database_is_away_nothing_is_said_of_the_job_and_the_sweep_finds_it_later(
    run: Slice, database: Database, job: int, settings: Settings, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real = getattr(leases, when)
    monkeypatch.setattr(leases, when, _raising(errors.DatabaseUnavailable("away")))
    assert run(lambda *_: {"failed_folders": 0}) is False
    monkeypatch.setattr(leases, when, real)
    later = datetime.now(UTC) + timedelta(seconds=settings.lease_seconds + 1)
    assert leases.to_dispatch(database, later, sweep_seconds=settings.sweep_seconds) == [(job, "")]
    assert making.row(database, job).state in (JobState.QUEUED, JobState.RUNNING)


def test_a_lease_that_is_held_is_not_taken_twice(run: Slice, database: Database, job: int, settings: Settings) -> None:
    assert leases.take(database, job, "another", settings.lease_seconds, datetime.now(UTC)) is not None
    assert run(_raising(AssertionError("nobody may work here"))) is False


def test_a_slice_that_went_well_ends_the_job_and_one_with_failed_folders_falls_short(
    run: Slice, database: Database, vault: Vault, settings: Settings, job: int
) -> None:
    run(lambda *_: {"failed_folders": 0})
    row = making.row(database, job)
    assert (row.state, row.result) == (JobState.SUCCEEDED, {"failed_folders": 0})
    other = making.job(database, vault, settings, making.order("berta@example.org"), now=datetime.now(UTC))
    runner.carry_out = lambda *_: {"failed_folders": 1}  # put back by the fixture's monkeypatch
    runner.run_slice(other, db=database, vault=vault, settings=settings, owner="me", shutdown=threading.Event())
    assert making.row(database, other).state == JobState.INCOMPLETE


def test_another_storage_nodes_job_is_left_alone_even_where_its_number_came_here(
    run: Slice, database: Database, vault: Vault, settings: Settings
) -> None:
    leases.show_worker(database, "w", datetime.now(UTC), node="south", free_octets=10**12)
    archived = making.order(kind=JobKind.ARCHIVE, target=ArchiveEnd())
    there = making.job(database, vault, settings, archived, now=datetime.now(UTC))
    run(lambda *_: {"failed_folders": 0})  # puts the recipe in place
    given = {"db": database, "vault": vault, "settings": settings, "owner": "me", "shutdown": threading.Event()}
    assert runner.run_slice(there, **given) is False
    assert (making.row(database, there).state, making.row(database, there).fence) == (JobState.QUEUED, 0)


def test_what_a_check_found_stands_beside_the_archive(
    run: Slice, database: Database, vault: Vault, settings: Settings
) -> None:
    def ordered(kind: JobKind, **ends: object) -> int:
        new = making.order(kind=kind, **ends)
        return making.job(database, vault, settings, new, now=datetime.now(UTC))

    ordered(JobKind.ARCHIVE, target=ArchiveEnd())
    checked = ordered(JobKind.CHECK, source=ArchiveEnd(1), target=None)
    run(lambda *_: {"proven": False, "healthy": False, "damaged_total": 2})
    runner.run_slice(checked, db=database, vault=vault, settings=settings, owner="me", shutdown=threading.Event())
    assert making.row(database, checked).state == JobState.INCOMPLETE
    found = kept.archive(database, 1)
    assert found is not None
    assert found.check is not None
    assert (found.healthy, found.check["damaged_total"]) == (False, 2)


def test_a_daily_limit_never_asks_a_person_however_often_it_is_met() -> None:
    ending = ending_of(errors.DailyLimit("enough", later=timedelta(hours=5)), failures_before=100)
    assert (ending.event, ending.wait, ending.failures_in_a_row) == (JobEvent.WAIT, timedelta(hours=5), 0)
