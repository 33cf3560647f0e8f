"""kill -9 in the middle of a folder: of a worker, of `serve` itself. The job goes on, nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import until
from tests.servers.proxy import FaultProxy
from tests.service.callers import script
from tests.service.conftest import Install
from tests.service.mail import arrived
from tests.service.midway import COUNT, goes_on, in_the_middle, judge
from tests.service.product import SHORT, Process
from tests.worker.crew import alive

pytestmark = pytest.mark.servers

Record = Callable[[str, object], None]


def worker_of(process: Process) -> int:
    return process.child("worker")


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_folder_goes_on_within_a_minute_with_the_lease_of_production(
    install: Install, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    product = install(QUIET_SECONDS=SHORT["QUIET_SECONDS"])
    serve = product.serve()
    caller = script(product)
    number = in_the_middle(caller, dovecot_pair, target_proxy)
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
    number = in_the_middle(caller, dovecot_pair, target_proxy)
    family = serve.family()
    assert len(family) >= 4
    serve.kill()
    until(lambda: not alive(family), within=10)
    assert 0 < arrived(dovecot_pair) < COUNT
    target_proxy.rate(None)
    product.serve()
    record_property("goes_on_after_seconds", round(goes_on(target_proxy), 1))
    judge(caller, number, dovecot_pair)
