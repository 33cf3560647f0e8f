"""Pause, resume, cancel and retry take effect within seconds, also while a giant message is on its way."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrator.db.models import Endpoint
from migrator.db.store import Database
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import fill_all, read_all, until
from tests.servers.proxy import Direction, FaultProxy
from tests.service.callers import Script, endpoint, script
from tests.service.mail import arrived, delivered, fill, giant, half_stored, relayed, unequal
from tests.service.product import SHORT, Product

pytestmark = pytest.mark.servers

SECONDS = 8.0
"""A wish is read when the lease is renewed: four seconds in production; then what is in hand is dropped."""
SMALL = 20
BEFORE_IT = 10
"""So many of them lie in the giant's folder, which comes first."""
Record = Callable[[str, object], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A running `serve` with the lease of production, and a program that orders there."""

    product: Product
    caller: Script

    def sealed(self, number: int) -> int:
        """How many passwords of a job are still kept."""
        db = Database(f"sqlite:///{self.product.database}")
        users = {self.caller.job(number)[end]["user"] for end in ("source", "target")}
        with db.reading() as session:
            kept = session.query(Endpoint).where(Endpoint.user.in_(users), Endpoint.credential.is_not(None)).count()
        db.dispose()
        return kept


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all these tests."""
    short = {name: SHORT[name] for name in ("SWEEP_SECONDS", "QUIET_SECONDS")}
    with Product(tmp_path_factory.mktemp("wishes"), short) as product:
        product.serve()
        yield Service(product, script(product))


def with_a_giant(pair: DovecotPair) -> DovecotPair:
    """Some mail, and sixty million octets in one message."""
    fill(pair.old, pair.old_account, SMALL)
    fill_all(pair.old.imap_port, pair.old_account, {"INBOX": [giant(60)]})
    return pair


def obeyed(caller: Script, number: int, wish: str, state: str) -> float:
    """Wish, and wait for the state; after how many seconds it came."""
    began = time.monotonic()
    caller.tell(number, wish)
    caller.wait(number, state, within=30)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_giant_on_its_way_is_dropped_by_pause_and_carried_after_resume(
    service: Service, dovecot_pair: DovecotPair, source_proxy: FaultProxy, target_proxy: FaultProxy,
    record_property: Record,
) -> None:  # fmt: skip
    pair, caller = with_a_giant(dovecot_pair), service.caller
    for proxy in (source_proxy, target_proxy):
        proxy.rate(3_000_000, ahead=500_000)
    number = caller.order(endpoint(source_proxy, pair.old_account), endpoint(target_proxy, pair.new_account))
    until(lambda: delivered(source_proxy) > 6_000_000)
    record_property("paused_while_it_is_read", pausing := obeyed(caller, number, "pause", "paused"))
    assert pausing < SECONDS
    assert caller.tell(number, "pause", expect=409)["state"] == "paused"
    _nothing_flows(source_proxy, target_proxy)

    source_proxy.rate(None)
    caller.tell(number, "resume")
    until(lambda: relayed(target_proxy) > 10_000_000)
    record_property("paused_while_it_is_appended", pausing := obeyed(caller, number, "pause", "paused"))
    assert pausing < SECONDS
    _nothing_flows(source_proxy, target_proxy)
    assert arrived(pair) == BEFORE_IT
    assert half_stored(pair) == []

    target_proxy.rate(None)
    caller.tell(number, "resume")
    job = caller.finish(number)
    assert job["messages"]["found"] == job["messages"]["copied"] == SMALL + 1
    assert unequal(pair) == []
    assert service.sealed(number) == 0


def _nothing_flows(*proxies: FaultProxy) -> None:
    """All connections are closed, so nothing is waited for."""
    for proxy in proxies:
        until(lambda each=proxy: each.count("closed") == len(each.recordings), within=5)


def test_cancel_drops_a_giant_that_stands_still_and_leaves_nothing_half_stored(
    service: Service, dovecot_pair: DovecotPair, target_proxy: FaultProxy, record_property: Record
) -> None:
    pair, caller = with_a_giant(dovecot_pair), service.caller
    target_proxy.rate(20_000_000, ahead=500_000)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account))
    until(lambda: relayed(target_proxy) > 10_000_000)
    target_proxy.freeze(Direction.UP, reading=False)
    assert service.sealed(number) == 2
    record_property("cancelled_after", cancelling := obeyed(caller, number, "cancel", "cancelled"))
    assert cancelling < SECONDS
    assert service.sealed(number) == 0
    for wish in ("resume", "retry", "pause", "cancel"):
        assert caller.tell(number, wish, expect=409)["state"] == "cancelled"
    target_proxy.rate(None)
    target_proxy.thaw()
    _nothing_flows(target_proxy)
    until(lambda: half_stored(pair) == [], within=5)
    assert arrived(pair) == BEFORE_IT
    again = caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account))
    job = caller.finish(again)
    counted = job["messages"]
    assert (counted["already_there"], counted["copied"]) == (BEFORE_IT, SMALL + 1 - BEFORE_IT)
    assert unequal(pair) == []


def test_retry_of_an_incomplete_job_carries_what_had_failed_and_only_that(
    service: Service, dovecot_pair: DovecotPair
) -> None:
    pair, caller = dovecot_pair, service.caller
    fill(pair.old, pair.old_account, SMALL)
    damaged = _unreadable(pair)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(pair.new, pair.new_account))
    job = caller.wait(number, "incomplete")
    assert job["messages"]["failed"] == len(job["failures"]) == 1, job
    assert arrived(pair) == SMALL - 1
    assert caller.tell(number, "resume", expect=409)["state"] == "incomplete"
    caller.tell(number, "retry")
    again = caller.wait(number, "incomplete", within=30)
    assert again["messages"]["failed"] == len(again["failures"]) == 1, again
    damaged.chmod(0o600)
    caller.tell(number, "retry")
    job = caller.finish(number)
    assert job["messages"]["found"] == job["messages"]["copied"] == SMALL, job
    assert job["failures"] == []
    assert unequal(pair) == []


def _unreadable(pair: DovecotPair) -> Path:
    """One message's file that the old server may not open."""
    read_all(pair.old.imap_port, pair.old_account)
    files = [path for path in pair.old.mail_directory(pair.old_account.user).rglob("cur/*") if path.is_file()]
    files[0].chmod(0)
    return files[0]
