"""A worker that was stopped past its lease and continued: its successor does the work, and it writes nothing more."""

from __future__ import annotations

import pytest

from migrator.db.models import Job
from migrator.db.store import Database
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import until
from tests.servers.proxy import Direction, FaultProxy
from tests.service.callers import endpoint, script
from tests.service.conftest import Install
from tests.service.mail import fill, relayed, unequal
from tests.service.product import SHORT, stopped

pytestmark = [pytest.mark.servers, pytest.mark.slow]

COUNT = 300


def owner(url: str, number: int) -> int:
    """The process that holds the job's lease."""
    db = Database(url)
    with db.reading() as session:
        name = session.get_one(Job, number).lease_owner
    db.dispose()
    return int(name.rpartition(":")[2] or 0)


def test_a_worker_that_wakes_up_after_its_lease_writes_nothing_more(
    install: Install, dovecot_pair: DovecotPair, target_proxy: FaultProxy, postgres_url: str, redis_url: str
) -> None:
    pair = dovecot_pair
    product = install(DATABASE_URL=postgres_url, BROKER_URL=redis_url, **SHORT)
    product.parts(workers=2)
    caller = script(product)
    fill(pair.old, pair.old_account, COUNT, large=200)
    target_proxy.rate(5_000_000, ahead=200_000)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account))
    until(lambda: b"APPENDUID" in target_proxy.recorded(Direction.DOWN))
    more = relayed(target_proxy) + 700_000
    until(lambda: relayed(target_proxy) > more)
    sleeper = owner(postgres_url, number)
    with stopped(sleeper):
        target_proxy.rate(None)
        job = caller.finish(number)
        assert unequal(pair) == []
        (before,) = target_proxy.recordings[:1]
        sent, said = len(before.up), before.commands()
        assert said[-1][0] == b"APPEND", "it stands in the middle of one"
    target_proxy.wait_for("closed", count=len(target_proxy.recordings), timeout=20)
    until(lambda: "fenced_out" in product.said())
    assert before.commands() == said
    assert len(before.up) - sent < 300_000, "at most what it was sending when it was stopped"
    assert caller.job(number) == job, "it books nothing either"
    assert unequal(pair) == []
