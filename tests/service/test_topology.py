"""The parts of docker-compose.yml as plain processes: PostgreSQL, Redis, web, two workers, beat, over the HTTP API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from migrator.db.models import Job
from migrator.db.store import Database
from tests.servers.fixtures import DovecotPair
from tests.servers.proxy import FaultProxy
from tests.servers.running import postgres_program
from tests.service.callers import endpoint, script
from tests.service.composed import Composed
from tests.service.mail import another_pair, fill, unequal
from tests.service.product import stopped
from tests.worker.crew import until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

JOBS = 10
"""More than the eight that one worker takes at the same time."""


@pytest.fixture
def composed(tmp_path: Path, postgres_url: str, redis_server: object) -> Iterator[Composed]:
    """The services of the file; nothing is started yet. (`redis_server` says whether there is one at all.)"""
    with Composed(tmp_path / "composed", postgres_url) as services:
        yield services


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    """For what takes its time."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def owners(db: Database) -> set[str]:
    with db.reading() as session:
        return {job.lease_owner for job in session.query(Job).where(Job.state == "running")}


def test_many_mailboxes_are_moved_by_two_workers_and_every_check_of_the_file_is_right(
    composed: Composed,
    dovecot_pair: DovecotPair,
    target_proxy: FaultProxy,
    postgres_url: str,
    beside: ThreadPoolExecutor,
) -> None:
    pairs = [dovecot_pair, *(another_pair(dovecot_pair) for _ in range(JOBS - 1))]
    for number, pair in enumerate(pairs):
        fill(pair.old, pair.old_account, 30, seed=number, max_size=8_000)
    composed.redis()
    migrated = composed.migrate()
    assert migrated.returncode == 0, migrated.stderr
    assert not composed.healthy("web")
    web, beat, first, second = (composed.service(name) for name in ("web", "beat", "worker", "worker"))
    web.await_words("Postwagen runs at")
    caller = script(composed)
    until(lambda: json.loads(caller.ask("/readyz")[1])["workers"] == 2)
    assert composed.healthy("web")
    assert composed.healthy("worker"), composed.shown("worker")
    elsewhere = [word.replace("celery@", "celery@x") for word in composed.check("worker")]
    nobody = beside.submit(composed.healthy, "worker", elsewhere)
    _postgres_is_healthy(composed, postgres_url)

    target_proxy.freeze()
    numbers = [
        caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account)) for pair in pairs
    ]
    until(lambda: len(caller.running()) == JOBS)
    db = Database(composed.secret("database_url").read_text())
    assert len(owners(db)) == 2, "each worker has some of them"
    db.dispose()
    target_proxy.thaw()
    for number in numbers:
        job = caller.finish(number, within=60)
        assert job["messages"]["found"] == job["messages"]["copied"] == 30, job
    assert [unequal(pair) for pair in pairs] == [[]] * JOBS
    assert not nobody.result(), "the check asks for the worker's own name"

    workers = [first.child("worker"), second.child("worker")]
    with stopped(workers[0]), stopped(workers[1]):
        assert not composed.healthy("worker"), "a worker that stands still is not healthy"
    assert composed.healthy("worker")
    assert [part.stop() for part in (beat, first, second, web)] == [0, 0, 0, 0]


def _postgres_is_healthy(composed: Composed, url: str) -> None:
    program, *words = composed.check("postgres")
    found = postgres_program(program)
    assert found is not None
    port = urlsplit(url).port
    address = ["--host", "127.0.0.1", "--port"]
    assert composed.healthy("postgres", [found, *words, *address, str(port)])
    assert not composed.healthy("postgres", [found, *words, *address, "1"])
