"""A job that is stopped in the middle of a folder, and whether it goes on and ends with everything, once."""

from __future__ import annotations

import time
from typing import Final

from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import until
from tests.servers.proxy import Direction, FaultProxy
from tests.service.callers import Script, endpoint
from tests.service.mail import fill, relayed, unequal

COUNT: Final = 400


def in_the_middle(caller: Script, pair: DovecotPair, proxy: FaultProxy) -> int:
    """A job whose target is reached through the proxy, slowly, and is in the middle of its first folder."""
    fill(pair.old, pair.old_account, COUNT, large=200)
    proxy.rate(5_000_000, ahead=200_000)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(proxy, pair.new_account))
    until(lambda: b"APPENDUID" in proxy.recorded(Direction.DOWN))
    more = relayed(proxy) + 700_000
    until(lambda: relayed(proxy) > more)
    return number


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
