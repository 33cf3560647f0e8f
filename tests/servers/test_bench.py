"""The measurements work: on a small mailbox, for their correctness and not for their times."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import archive, copying
from bench.archive import packed_octets
from bench.bare import BareClient
from bench.delay import far_away
from bench.mailbox import FOLDERS, messages, texts
from bench.table import MARK, shown, without_title
from tests.servers.mailboxes import differences, read_all

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("old_dovecot")]
"""The fixture says whether there is a Dovecot at all, and fails where one is required."""


def test_what_is_measured_is_the_whole_mailbox_each_time_and_every_figure_is_told(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench, seen = archive.Bench(tmp_path, 150, stack), archive.Seen()
        mailbox = bench.mailbox
        assert (mailbox.count, mailbox.octets) == (150, sum(len(message.octets) for message in messages(150)))
        with BareClient(bench.old, mailbox.account) as client:
            assert client.drain(mailbox.folders) == mailbox.octets
        bench.turn(seen)
        lies = read_all(bench.old.imap_port, mailbox.account)
        assert sum(map(len, lies.values())) == 150
        for account in bench.filled:
            assert differences(lies, read_all(bench.new.imap_port, account)) == []
        texts_ratio = bench.text_octets(20) / packed_octets(texts(20))
        rows = list(archive.table(bench, seen, packed_octets(messages(150)), texts_ratio, None))
    required = {"at least 0.5", "at least 0.8", "at most 2", "at most 64", "at most 1.05", "at most 100"}
    assert {row.required for row in rows} - {""} == required
    text = shown(rows, title="What archiving costs", command="make bench-archive", runs=1)
    assert all(row.what in text for row in rows)


@pytest.mark.usefixtures("mbsync")
def test_copies_are_measured_that_are_whole_with_each_tool_on_short_and_long_lines(tmp_path: Path) -> None:
    with ExitStack() as stack:
        bench, seen = copying.Bench(tmp_path, 100, 30, stack), copying.Seen()
        bench.turn(seen)
        bench.far_turn(seen, 50)
        bench.far_turn(seen, copying.NAIVE_LINE)
        bench.changed_turn(seen)
        lies = read_all(bench.old.imap_port, bench.mailbox.account)
        assert sum(map(len, lies.values())) == 101
        for name in (copying.OURS, copying.DSYNC):
            assert differences(lies, read_all(bench.new.imap_port, bench.filled[name][1].account)) == []
        rows = list(copying.table(bench, seen))
    required = {"at most 1.15", "at most 0.55", "at most 1.4", "at most 0.3", "at most 96", "at most 0.5"}
    required |= {"at most 8", "at most 0.4"}
    assert {row.required for row in rows} - {""} == {*required, "at most 0.0333"}
    for name in (copying.OURS, copying.MBSYNC, copying.DSYNC, copying.NAIVE):
        assert sum(name in row.what for row in rows) >= 2


def test_the_readme_shows_the_table_that_was_measured() -> None:
    root = Path(__file__).parents[2]
    shown_there = (root / "README.md").read_text(encoding="utf-8").split(MARK)
    assert len(shown_there) == 3
    assert shown_there[1].strip() == without_title((root / "bench" / "RESULTS.md").read_text(encoding="utf-8")).strip()


def test_a_long_line_holds_octets_back_for_its_round_trip() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        far_away(server.getsockname()[1], 200) as port,
        socket.create_connection(("127.0.0.1", port), 10) as near,
        server.accept()[0] as there,
    ):
        began = time.monotonic()
        near.sendall(b"to")
        assert there.recv(9) == b"to"
        there.sendall(b"fro")
        assert near.recv(9) == b"fro"
        assert time.monotonic() - began >= 0.2


def test_the_mailbox_is_the_same_each_time_and_spread_over_its_folders() -> None:
    first, second = list(messages(200)), list(messages(200))
    assert first == second
    assert {message.folder for message in first} == set(FOLDERS)
