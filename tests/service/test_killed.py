"""kill -9 in the middle of a folder: of a worker, of `serve` itself. The job goes on, nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import until
from tests.servers.proxy import Direction, FaultProxy
from tests.service.callers import Script, endpoint, script
from tests.service.conftest import Install
from tests.service.mail import arrived, fill, relayed, unequal
from tests.service.product import SHORT, Process
from tests.worker.crew import alive

pytestmark = pytest.mark.servers

COUNT = 400
Record = Callable[[str, object], None]


def ordered(caller: Script, pair: DovecotPair, proxy: FaultProxy) -> int:
    """A job whose target is reached through the proxy, slowly, and is in the middle of its first folder."""
    fill(pair.old, pair.old_account, COUNT, large=200)
    proxy.rate(5_000_000, ahead=200_000)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(proxy, pair.new_account))
    until(lambda: b"APPENDUID" in proxy.recorded(Direction.DOWN))
    more = relayed(proxy) + 700_000
    until(lambda: relayed(proxy) > more)
    return number


def worker_of(process: Process) -> int:
    return process.child("worker")


def judge(caller: Script, number: int, pair: DovecotPair, *, within: float = 60.0) -> None:
    """All is there, once; and the job says so."""
    job = caller.finish(number, within=within)
    counted = job["messages"]
    assert counted["found"] == COUNT == counted["copied"] + counted["already_there"], job
    assert unequal(pair) == []


def goes_on(proxy: FaultProxy) -> float:
    """Wait for the next APPEND after now; after how many seconds it came."""
    before, began = appends(proxy), time.monotonic()
    until(lambda: appends(proxy) > before, within=60)
    return time.monotonic() - began


def appends(proxy: FaultProxy) -> int:
    return sum(verb == b"APPEND" for verb, _ in proxy.commands())


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_folder_goes_on_within_a_minute_with_the_lease_of_production(
    install: Install, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    product = install(QUIET_SECONDS=SHORT["QUIET_SECONDS"])
    serve = product.serve()
    caller = script(product)
    number = ordered(caller, dovecot_pair, target_proxy)
    killed = worker_of(serve)
    os.killpg(killed, signal.SIGKILL)
    target_proxy.rate(None)
    seconds = goes_on(target_proxy)
    record_property("goes_on_after_seconds", round(seconds, 1))
    assert seconds < 60
    assert worker_of(serve) != killed
    judge(caller, number, dovecot_pair)
    assert "part_died" in serve.said()


def test_serve_killed_leaves_no_process_and_the_next_one_goes_on(
    install: Install, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    product = install(**SHORT)
    serve = product.serve()
    caller = script(product)
    number = ordered(caller, dovecot_pair, target_proxy)
    family = serve.family()
    assert len(family) >= 4
    serve.kill()
    until(lambda: not alive(family), within=10)
    assert 0 < arrived(dovecot_pair) < COUNT
    target_proxy.rate(None)
    product.serve()
    record_property("goes_on_after_seconds", round(goes_on(target_proxy), 1))
    judge(caller, number, dovecot_pair)


def test_on_postgresql_and_redis_another_worker_goes_on_with_the_job_of_one_that_is_killed(
    install: Install,
    dovecot_pair: DovecotPair,
    target_proxy: FaultProxy,
    postgres_url: str,
    redis_url: str,
    record_property: Record,
) -> None:
    product = install(DATABASE_URL=postgres_url, BROKER_URL=redis_url, **SHORT)
    (worker,) = product.parts(workers=1)
    caller = script(product)
    number = ordered(caller, dovecot_pair, target_proxy)
    os.killpg(worker_of(worker), signal.SIGKILL)
    worker.kill()
    product.start("serve", "--only", "worker")
    target_proxy.rate(None)
    record_property("goes_on_after_seconds", round(goes_on(target_proxy), 1))
    judge(caller, number, dovecot_pair)
