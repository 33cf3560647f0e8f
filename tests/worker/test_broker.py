"""The embedded broker behaves like a Redis where Celery relies on it, and is reachable from this machine only."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoScriptError, ResponseError

from migrator.settings import Settings
from tests.worker.crew import Crew


def test_an_error_is_an_answer_and_not_the_end_of_the_connection(embedded_url: str) -> None:
    with redis.Redis.from_url(embedded_url, single_connection_client=True) as client:
        before = client.client_id()
        with pytest.raises(NoScriptError):
            client.evalsha("0" * 40, 0)
        client.set("text", "x")
        with pytest.raises(ResponseError):
            client.incr("text")
        assert client.client_id() == before


def test_exchanges_do_not_wait_for_acknowledgements(embedded_url: str) -> None:
    with redis.Redis.from_url(embedded_url) as client:
        client.ping()
        began = time.monotonic()
        for _ in range(50):
            client.ping()
        assert time.monotonic() - began < 1.0


def test_whoever_waits_for_an_id_gets_it_at_once(embedded_url: str) -> None:
    with redis.Redis.from_url(embedded_url) as waiting, redis.Redis.from_url(embedded_url) as putting:
        waiting.ping()
        putting.ping()
        later = threading.Timer(0.2, putting.lpush, ("queue", "7"))
        later.start()
        began = time.monotonic()
        assert waiting.brpop(["queue"], timeout=10) == (b"queue", b"7")
        assert time.monotonic() - began < 1.0
        later.join()


def test_it_listens_on_loopback_only(settings: Settings) -> None:
    with Crew(settings) as crew:
        _, port = crew.broker()
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        addresses = {
            line[1].split(":")[0] for line in listening if line[1].endswith(f":{port:04X}") and line[3] == "0A"
        }
        assert addresses == {"0100007F"}
        assert not any(f":{port:04X} " in line for line in Path("/proc/net/tcp6").read_text().splitlines())
