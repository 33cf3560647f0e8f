"""Two workers on PostgreSQL and Redis: what one leaves lying, killed or standing still, the other one finishes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from migrator.db.models import Job
from migrator.db.store import Database
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import until
from tests.servers.proxy import FaultProxy
from tests.servers.running import Postgres, Redis
from tests.service.callers import Script, script
from tests.service.midway import goes_on, in_the_middle, judge
from tests.service.product import SHORT, Product, stopped

pytestmark = [pytest.mark.servers, pytest.mark.slow]

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis) -> Iterator[Product]:
    """Web, beat and two workers, with a short lease, for both tests."""
    name = postgres.create_database()
    redis_server.flush()
    settings = {**SHORT, "DATABASE_URL": postgres.url(name), "BROKER_URL": redis_server.url}
    with Product(tmp_path_factory.mktemp("successor"), settings) as made:
        made.parts(workers=2)
        yield made
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def caller(product: Product) -> Script:
    return script(product)


def holder(product: Product, number: int) -> int:
    """The process that holds the job's lease."""
    db = Database(product.settings["DATABASE_URL"])
    with db.reading() as session:
        name = session.get_one(Job, number).lease_owner
    db.dispose()
    return int(name.rpartition(":")[2])


def test_a_worker_that_wakes_up_after_its_lease_writes_nothing_more(
    product: Product, caller: Script, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    number = in_the_middle(caller, dovecot_pair, target_proxy)
    (before,) = target_proxy.recordings
    with stopped(holder(product, number)):
        record_property("goes_on_after_seconds", round(goes_on(target_proxy), 1))
        target_proxy.rate(None)
        judge(caller, number, dovecot_pair)
        job, sent, said = caller.job(number), len(before.up), before.commands()
        assert said[-1][0] == b"APPEND", "it stands in the middle of one"
    target_proxy.wait_for("closed", count=len(target_proxy.recordings), timeout=20)
    until(lambda: "fenced_out" in product.said())
    assert before.commands() == said
    assert len(before.up) - sent < 300_000, "at most what it was sending when it was stopped"
    assert caller.job(number) == job, "it books nothing either"
    judge(caller, number, dovecot_pair)


def test_the_other_worker_goes_on_with_the_job_of_one_that_is_killed(
    product: Product, caller: Script, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    number = in_the_middle(caller, dovecot_pair, target_proxy)
    os.killpg(holder(product, number), signal.SIGKILL)
    record_property("goes_on_after_seconds", round(goes_on(target_proxy), 1))
    target_proxy.rate(None)
    judge(caller, number, dovecot_pair)
