"""The measurement of archives works: on a small mailbox, for its correctness and not for its times."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.archive import Bench, Seen, packed_octets, shown, table
from bench.bare import BareClient
from bench.mailbox import FOLDERS, messages, texts
from tests.servers.mailboxes import differences, read_all

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("old_dovecot")]
"""The fixture says whether there is a Dovecot at all, and fails where one is required."""


def test_what_is_measured_is_the_whole_mailbox_each_time_and_every_figure_is_told(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench, seen = Bench(tmp_path, 150, stack), Seen()
        assert (bench.count, bench.octets) == (150, sum(len(message.octets) for message in messages(150)))
        with BareClient(bench.old, bench.account) as client:
            assert client.drain(list(FOLDERS)) == bench.octets
        bench.turn(seen)
        lies = read_all(bench.old.imap_port, bench.account)
        assert sum(map(len, lies.values())) == 150
        for account in bench.filled:
            assert differences(lies, read_all(bench.new.imap_port, account)) == []
        texts_ratio = bench.text_octets(20) / packed_octets(texts(20))
        rows = list(table(bench, seen, packed_octets(messages(150)), texts_ratio, None))
    required = {"at least 0.5", "at least 0.8", "at most 2", "at most 64", "at most 1.05", "at most 100"}
    assert {row.required for row in rows} - {""} == required
    assert all(row.what in shown(rows, 1) for row in rows)


def test_the_mailbox_is_the_same_each_time_and_spread_over_its_folders() -> None:
    first, second = list(messages(200)), list(messages(200))
    assert first == second
    assert {message.folder for message in first} == set(FOLDERS)
