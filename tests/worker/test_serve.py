"""`postwagen serve`: everything runs by one command, and nothing of it runs afterwards, however it ended."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.accounts import operations as accounts
from migrator.accounts import queries as account_queries
from migrator.db.models import Worker
from migrator.db.store import Database
from migrator.jobs import queries
from migrator.jobs.states import JobState
from migrator.settings import Settings
from tests.making import row
from tests.worker.crew import alive, descendants, environment_of, until

pytestmark = pytest.mark.slow  # real processes

Make = Callable[..., int]


class Serve:
    """A running serve, its words, and every process that it ever had."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        self.settings = settings
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "migrator.cli", "serve", *arguments],
            env=environment_of(settings, {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def announced(self) -> str:
        """What it says when the pages are there."""
        assert self.process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = self.process.stdout.readline()
            assert line, f"it ended: {said}{self.words()}"
            said += line
        return said

    def words(self) -> str:
        """Its log, after its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def children(self) -> set[tuple[int, str]]:
        return descendants(self.process.pid)

    def one(self, word: str) -> int:
        """The number of the child whose command holds this word."""
        for pid, _ in sorted(self.children()):
            if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                return pid
        raise AssertionError(f"no {word}")

    def close(self) -> None:
        left = self.children()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        until(lambda: not alive(left), 15)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[..., Serve]]:
    running: list[Serve] = []

    def start(*arguments: str, **changes: object) -> Serve:
        running.append(Serve(dataclasses.replace(settings, **changes), *arguments))
        return running[-1]

    yield start
    for one in running:
        one.close()


def workers(db: Database) -> set[str]:
    with db.reading() as session:
        return {worker.name for worker in session.query(Worker)}


def test_it_says_where_it_runs_and_ctrl_c_ends_all_of_it_with_zero(
    serve: Callable[..., Serve], free_port: str, database: Database, make: Make
) -> None:
    began = time.monotonic()
    running = serve("--port", free_port)
    said = running.announced()
    assert time.monotonic() - began < 30
    assert f"http://127.0.0.1:{free_port}\n" in said
    link = re.search(rf"http://127.0.0.1:{free_port}/setup/(\S+)", said)
    assert link is not None
    assert account_queries.link_by_token(database, link.group(1)) is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/healthz", timeout=10) as answer:
        assert answer.status == 200
    job_id = make("quick", dispatched_at=None)
    until(lambda: row(database, job_id).state == JobState.SUCCEEDED)
    everything = running.children()
    assert len(everything) >= 4
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    assert not alive(everything)
    words = running.words()
    assert "worker | " in words
    assert "beat   | " in words
    assert link.group(1) not in words
    assert queries.workers_alive(database, datetime.now(UTC)) == 0


def test_kill_9_of_serve_leaves_no_process_even_with_work_in_hand(
    serve: Callable[..., Serve], free_port: str, database: Database, make: Make
) -> None:
    running = serve("--port", free_port)
    running.announced()
    job_id = make("long", dispatched_at=None)
    until(lambda: row(database, job_id).state == JobState.RUNNING)
    everything = running.children()
    began = time.monotonic()
    running.process.kill()
    until(lambda: not alive(everything), 10)
    assert time.monotonic() - began < 6
    assert row(database, job_id).state == JobState.QUEUED


def test_a_part_that_dies_is_started_again_and_that_is_said(
    serve: Callable[..., Serve], free_port: str, database: Database
) -> None:
    running = serve("--port", free_port, log_format="json")
    running.announced()
    (before,) = until(lambda: workers(database))
    for part in ("worker", "broker"):
        os.killpg(running.one(part), signal.SIGKILL)
    until(lambda: workers(database) - {before})
    running.process.terminate()
    assert running.process.wait(30) == 0
    died = [json.loads(line) for line in running.words().splitlines() if "part_died" in line]
    assert {(entry["part_name"], entry["exit_code"]) for entry in died} == {("worker", -9), ("broker", -9)}


def test_a_second_ctrl_c_does_not_wait_for_work_that_does_not_stop(
    serve: Callable[..., Serve], free_port: str, database: Database, make: Make
) -> None:
    running = serve("--port", free_port)
    running.announced()
    job_id = make("stubborn", dispatched_at=None)
    until(lambda: row(database, job_id).state == JobState.RUNNING)
    everything = running.children()
    web = running.one("web.main")
    running.process.send_signal(signal.SIGINT)
    until(lambda: not any(pid == web for pid, _ in alive(everything)))
    assert running.process.poll() is None
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(5) == 130
    assert not alive(everything)


def test_with_an_account_it_prints_no_link(serve: Callable[..., Serve], free_port: str, database: Database) -> None:
    accounts.create_user(database, "anna@example.org")
    running = serve("--port", free_port, public_url="https://move.example")
    said = running.announced()
    assert "https://move.example" in said
    assert "/setup/" not in said


@pytest.mark.servers
def test_each_part_can_run_alone_on_a_real_broker(
    serve: Callable[..., Serve], redis_url: str, database: Database, make: Make
) -> None:
    parts = [serve("--only", part, broker_url=redis_url) for part in ("worker", "beat", "worker")]
    job_id = make("twice", dispatched_at=None)
    until(lambda: row(database, job_id).state == JobState.SUCCEEDED)
    for part in parts:
        assert len(part.children()) == 1
        part.process.terminate()
    assert [part.process.wait(30) for part in parts] == [0, 0, 0]


def test_what_stands_in_the_way_is_one_sentence_and_exit_code_2(
    serve: Callable[..., Serve], free_port: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    running = serve("--port", free_port)
    running.announced()
    elsewhere = tmp_path / "elsewhere"
    for arguments, changes, sentence in (
        (("--port", "1"), {}, "Another `postwagen serve` is running on the data directory"),
        (("--port", free_port), {"data_dir": elsewhere}, "Cannot listen on 127.0.0.1 port"),
        ((), {"data_dir": tmp_path / "file" / "x"}, "cannot be written"),
        (("--only", "worker"), {"data_dir": elsewhere}, "--only worker needs a broker"),
        (("--host", "192.0.2.1"), {"data_dir": elsewhere}, "Cannot listen on 192.0.2.1"),
    ):
        refused = serve(*arguments, **changes)
        assert refused.process.wait(30) == 2
        (words,) = refused.words().splitlines()
        assert sentence in words
