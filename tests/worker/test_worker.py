"""Worker, beat and broker as processes: what is put into the queue is done, and what gets lost is found again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from migrator.db.store import Database
from migrator.jobs import operations, queries
from migrator.jobs.states import JobState
from tests.making import NEW_PASSWORD, OLD_PASSWORD, row
from tests.worker.crew import Crew, kill, until
from worker import queue

pytestmark = pytest.mark.slow  # real processes

Make = Callable[..., int]
Put = Callable[[int], None]


def reaches(db: Database, job_id: int, state: JobState, *, fence: int = 0, seconds: float = 30.0) -> float:
    """Wait until the job is there, in a lease not older than `fence`; after how many seconds it was."""
    began = time.monotonic()
    until(lambda: row(db, job_id).state == state and row(db, job_id).fence >= fence, seconds)
    return time.monotonic() - began


def ends(process: subprocess.Popen[bytes], seconds: float = 15.0) -> int:
    return process.wait(seconds)


def test_what_is_put_into_the_queue_is_done_and_goes_on_as_often_as_it_wants(
    crew: Crew, put: Put, make: Make, database: Database
) -> None:
    crew.worker()
    quick, twice = make("quick"), make("twice")
    put(quick)
    put(twice)
    reaches(database, quick, JobState.SUCCEEDED)
    reaches(database, twice, JobState.SUCCEEDED)
    assert row(database, twice).fence == 2


def test_a_message_holds_the_id_and_nothing_else(put: Put, make: Make, broker_url: str) -> None:
    job_id = make("quick")
    put(job_id)
    assert queue.waiting() == 1
    with redis.Redis.from_url(broker_url) as client:
        (raw,) = client.lrange("postwagen.postwagen", 0, -1)
    message = json.loads(raw)
    arguments, keywords, _ = json.loads(b64decode(message["body"]))
    assert (arguments, keywords) == ([job_id], {})
    assert message["content-type"] == "application/json"
    for secret in (OLD_PASSWORD, NEW_PASSWORD, "example.org"):
        assert secret not in str(message) + b64decode(message["body"]).decode()


def test_the_sweep_finds_what_the_queue_never_had_and_whose_lease_is_dead(
    crew: Crew, put: Put, make: Make, database: Database
) -> None:
    now = datetime.now(UTC)
    lost = make("quick", dispatched_at=None)
    dead = make(
        "twice", state=JobState.RUNNING, fence=7, lease_owner="gone", lease_until=now - timedelta(seconds=1),
        dispatched_at=now - timedelta(minutes=5),
    )  # fmt: skip
    crew.worker()
    crew.beat()
    reaches(database, lost, JobState.SUCCEEDED)
    reaches(database, dead, JobState.SUCCEEDED, fence=8)


@pytest.mark.parametrize("any_broker", ["embedded"])
def test_the_job_of_a_worker_that_is_killed_goes_on_with_another_one(
    crew: Crew, put: Put, make: Make, database: Database, record_property: Callable[[str, object], None]
) -> None:
    victim = crew.worker()
    crew.beat()
    job_id = make("long")
    put(job_id)
    reaches(database, job_id, JobState.RUNNING)
    crew.worker()
    until(lambda: queries.workers_alive(database, datetime.now(UTC)) == 2)
    kill(victim)
    seconds = reaches(database, job_id, JobState.RUNNING, fence=2)
    record_property("take_over_seconds", seconds)
    assert seconds < 10
    assert row(database, job_id).state == JobState.RUNNING
    operations.cancel(database, job_id, actor="test")
    reaches(database, job_id, JobState.CANCELLED)


@pytest.mark.parametrize("any_broker", ["embedded"])
@pytest.mark.parametrize("how", ["sigterm", "lifeline"])
def test_a_warm_stop_gives_the_job_back_and_ends_everything_with_zero(
    how: str, crew: Crew, put: Put, make: Make, database: Database
) -> None:
    parts = [crew.worker(), crew.beat()]
    job_id = make("long")
    put(job_id)
    reaches(database, job_id, JobState.RUNNING)
    until(lambda: queries.workers_alive(database, datetime.now(UTC)) == 1)
    began = time.monotonic()
    if how == "lifeline":
        crew.cut_lifeline()
    else:
        for part in parts:
            part.send_signal(signal.SIGTERM)
    assert [ends(part) for part in parts] == [0, 0]
    assert time.monotonic() - began < 6
    found = row(database, job_id)
    assert (found.state, found.lease_owner) == (JobState.QUEUED, "")
    assert queries.workers_alive(database, datetime.now(UTC)) == 0


@pytest.mark.parametrize("any_broker", ["embedded"])
def test_a_slice_that_does_not_stop_keeps_no_orphan_alive(crew: Crew, put: Put, make: Make, database: Database) -> None:
    worker = crew.worker()
    job_id = make("stubborn")
    put(job_id)
    reaches(database, job_id, JobState.RUNNING)
    crew.cut_lifeline()
    assert ends(worker) == 3
    assert row(database, job_id).state == JobState.RUNNING, "its lease runs out, and the next worker goes on"


def test_a_worker_goes_on_when_its_broker_was_away(settings: object, make: Make, database: Database) -> None:
    import dataclasses

    from migrator.settings import Settings

    assert isinstance(settings, Settings)
    with Crew(settings) as own:
        broker, port = own.broker()
        url = f"redis://127.0.0.1:{port}/0"
        with Crew(dataclasses.replace(settings, broker_url=url)) as crew:
            crew.worker()
            crew.beat()
            first = make("quick", dispatched_at=None)
            reaches(database, first, JobState.SUCCEEDED)
            kill(broker)
            second = make("twice", dispatched_at=None)
            own.broker(port)
            reaches(database, second, JobState.SUCCEEDED, seconds=60)
