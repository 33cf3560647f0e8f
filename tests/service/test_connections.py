"""A mail server that bears one connection, and several mailboxes on it: one is moved after the other, by itself."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.servers.fixtures import DovecotPair
from tests.servers.proxy import FaultProxy
from tests.service.callers import endpoint, script
from tests.service.conftest import Install
from tests.service.mail import another_pair, fill, unequal
from tests.service.product import SHORT

pytestmark = pytest.mark.servers


def test_mailboxes_of_a_server_that_bears_one_connection_are_moved_one_after_the_other(
    install: Install, dovecot_pair: DovecotPair, source_proxy: FaultProxy
) -> None:
    product = install(**SHORT, SOURCE_CONNECTIONS="1")
    product.serve()
    caller = script(product)
    pairs = [dovecot_pair, another_pair(dovecot_pair), another_pair(dovecot_pair)]
    for number, pair in enumerate(pairs):
        fill(pair.old, pair.old_account, 300, seed=number)
    jobs = [
        caller.order(endpoint(source_proxy, pair.old_account), endpoint(pair.new, pair.new_account)) for pair in pairs
    ]
    done = [caller.finish(job) for job in jobs]
    worked = sorted((job["started_at"], job["finished_at"]) for job in done)
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(worked)), worked
    assert [unequal(pair) for pair in pairs] == [[]] * len(pairs)
