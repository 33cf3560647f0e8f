"""The parts of docker-compose.yml as plain processes: PostgreSQL, Redis, web, two workers, beat, over the HTTP API."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from migrator.db.models import Base, Endpoint, Job
from migrator.db.store import Database
from tests.servers.fixtures import DovecotPair
from tests.servers.proxy import FaultProxy
from tests.servers.running import postgres_program
from tests.service.callers import Script, endpoint, script
from tests.service.composed import Composed
from tests.service.mail import another_pair, fill, unequal
from tests.service.marks import Watch
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


def listening(composed: Composed) -> bytearray:
    """Everything that Redis is told from now on, until it ends."""
    heard = bytearray()
    client = socket.create_connection(("127.0.0.1", composed.redis_port), 5)
    client.settimeout(None)
    client.sendall(b"AUTH %b\r\nMONITOR\r\n" % composed.secret("broker_password").read_bytes())

    def listen() -> None:
        with client, contextlib.suppress(OSError):
            while octets := client.recv(65_536):
                heard.extend(octets)

    threading.Thread(target=listen, daemon=True).start()
    return heard


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
    heard = listening(composed)
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

    _all_are_moved_by_both_workers(composed, caller, pairs, target_proxy)
    assert not nobody.result(), "the check asks for the worker's own name"
    _no_password_was_told(bytes(heard), postgres_url, pairs, composed.said())

    workers = [first.child("worker"), second.child("worker")]
    with stopped(workers[0]), stopped(workers[1]):
        assert not composed.healthy("worker"), "a worker that stands still is not healthy"
    assert [part.stop() for part in (beat, first, second, web)] == [0, 0, 0, 0]


def _all_are_moved_by_both_workers(
    composed: Composed, caller: Script, pairs: list[DovecotPair], proxy: FaultProxy
) -> None:
    """All at the same time: the new server says nothing until every one of them is being worked on."""
    proxy.freeze()
    numbers = [caller.order(endpoint(pair.old, pair.old_account), endpoint(proxy, pair.new_account)) for pair in pairs]
    until(lambda: len(caller.running()) == JOBS)
    db = Database(composed.secret("database_url").read_text())
    assert len(owners(db)) == 2, "each worker has some of them"
    db.dispose()
    proxy.thaw()
    for number in numbers:
        job = caller.finish(number, within=60)
        assert job["messages"]["found"] == job["messages"]["copied"] == 30, job
    assert [unequal(pair) for pair in pairs] == [[]] * JOBS


def _no_password_was_told(heard: bytes, url: str, pairs: list[DovecotPair], said: str) -> None:
    """Neither to Redis at any time, nor to PostgreSQL's tables but sealed, which is over; nor to the logs."""
    accounts = [account for pair in pairs for account in (pair.old_account, pair.new_account)]
    watch = Watch({account.password: account.password for account in accounts}, {"user": accounts[0].user})
    db = Database(url)
    with db.reading() as session:
        assert session.query(Endpoint).where(Endpoint.credential.is_not(None)).count() == 0
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in session.execute(text(f'SELECT CAST(t AS text) FROM "{table.name}" AS t'))
        ]
    db.dispose()
    watch.look("redis", heard)
    watch.look("postgresql", "\n".join(rows))
    watch.look("logs", said)
    assert watch.findings == set()
    assert watch.controls == {("postgresql", "user")}
    assert b"postwagen.run_slice" in heard, "redis was really listened to"


def _postgres_is_healthy(composed: Composed, url: str) -> None:
    program, *words = composed.check("postgres")
    found = postgres_program(program)
    assert found is not None
    port = urlsplit(url).port
    address = ["--host", "127.0.0.1", "--port"]
    assert composed.healthy("postgres", [found, *words, *address, str(port)])
    assert not composed.healthy("postgres", [found, *words, *address, "1"])
