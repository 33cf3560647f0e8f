"""A job that is stopped in the middle of a folder, and whether it goes on and ends with everything, once."""

from __future__ import annotations

import itertools
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
    """Wait for an APPEND over a connection that is made after now; after how many seconds it came.

    What somebody who is dead had sent may still come through.
    """
    before, began = _logins(proxy), time.monotonic()

    def again() -> bool:
        since = list(itertools.islice((at for at, verb in enumerate(_verbs(proxy)) if verb in LOGIN), before, None))
        return bool(since) and b"APPEND" in _verbs(proxy)[since[0] :]

    until(again, within=60)
    return time.monotonic() - began


LOGIN = (b"LOGIN", b"AUTHENTICATE")


def _verbs(proxy: FaultProxy) -> list[bytes]:
    return [verb for verb, _ in proxy.commands()]


def _logins(proxy: FaultProxy) -> int:
    return sum(verb in LOGIN for verb in _verbs(proxy))


def appends(proxy: FaultProxy) -> int:
    return sum(verb == b"APPEND" for verb, _ in proxy.commands())
