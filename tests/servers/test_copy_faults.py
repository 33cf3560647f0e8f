"""`postwagen copy` killed, stopped, cut off and lied to: every message arrives once, and nothing is doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.corpus import realistic_corpus
from tests.servers.command import Postwagen, Ran, Running, adds_up, url
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import Client, Mail, differences, dressed, fill_all, read_all, spread, until
from tests.servers.proxy import Direction, FaultProxy

pytestmark = pytest.mark.servers


@pytest.fixture
def target_proxy(dovecot_pair: DovecotPair) -> Iterator[FaultProxy]:
    """Between us and the new server."""
    with FaultProxy("127.0.0.1", dovecot_pair.new.imap_port, record=True) as proxy:
        yield proxy


@pytest.fixture
def source_proxy(dovecot_pair: DovecotPair) -> Iterator[FaultProxy]:
    """Between us and the old server."""
    with FaultProxy("127.0.0.1", dovecot_pair.old.imap_port, record=True) as proxy:
        yield proxy


def _fill(pair: DovecotPair, count: int, *, seed: int = 1, max_size: int = 20_000) -> int:
    """Twins, near-twins and mail without Message-ID, in two folders; the number."""
    mails = list(dressed(realistic_corpus(count, seed, max_size=max_size, twins=0.15, without_id=0.15)))
    fill_all(pair.old.imap_port, pair.old_account, spread(mails, ["INBOX", "INBOX.Zwei"]))
    return len(mails)


def _command(pair: DovecotPair, directory: Path, quiet_seconds: int = 1) -> Postwagen:
    return Postwagen(
        directory / "data", pair.old_account.password, pair.new_account.password, quiet_seconds=quiet_seconds
    )


def _judge(pair: DovecotPair, ran: Ran, count: int) -> None:
    """All is there, once; and the report says so."""
    assert (ran.code, ran.json["outcome"]) == (0, "succeeded"), ran
    assert adds_up(ran.json)
    numbers = ran.json["messages"]
    assert numbers["found"] == count == numbers["copied"] + numbers["already_there"], ran
    source = read_all(pair.old.imap_port, pair.old_account)
    target = read_all(pair.new.imap_port, pair.new_account)
    assert differences(source, target, lambda name: "Zwei" if name == "INBOX.Zwei" else _role(name)) == []


def _role(name: str) -> str:
    special = {"Gesendet": "Sent", "Entwürfe": "Drafts", "Papierkorb": "Trash", "Spam": "Junk"}
    return special.get(name.removeprefix("INBOX."), name.removeprefix("INBOX."))


def _sent(proxy: FaultProxy) -> int:
    return sum(len(each.up) for each in proxy.recordings)


# ------------------------------------------------------------------ killed


def test_killed_in_the_middle_of_appends_and_started_again_at_once_it_doubles_nothing(
    dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 900, max_size=30_000)
    command = _command(dovecot_pair, tmp_path, quiet_seconds=1)
    ends = url(dovecot_pair.old, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account)
    rng = random.Random(20)
    killed = 0
    for number in range(6):
        running = command.start("copy", *ends, "--json")
        more = _sent(target_proxy) + rng.choice((1_500, 4_000, 300_000, 2_000_000, 5_000_000))
        until(lambda limit=more, each=running: _sent(target_proxy) >= limit or not each.running())
        if number % 2:
            time.sleep(rng.random() / 50)  # not always at an octet that the proxy has seen
        running.send(signal.SIGKILL)
        killed += running.wait().code == -signal.SIGKILL
    assert killed >= 4
    _judge(dovecot_pair, command.run("copy", *ends, "--json"), count)


def test_killed_with_octets_that_arrive_seconds_later_it_doubles_nothing(
    dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 300)
    command = _command(dovecot_pair, tmp_path, quiet_seconds=4)
    ends = url(dovecot_pair.old, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account)
    target_proxy.zombie(2.0, at=b"APPEND", nth=2)
    running = command.start("copy", *ends, "--json")
    target_proxy.wait_for("zombie", timeout=20)
    running.send(signal.SIGKILL)
    running.wait()
    assert target_proxy.count("delivered") == 0
    _judge(dovecot_pair, command.run("copy", *ends, "--json"), count)
    assert target_proxy.count("delivered") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_says_how_to_go_on_and_does_so(
    number: signal.Signals, dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 600)
    command = _command(dovecot_pair, tmp_path)
    ends = url(dovecot_pair.old, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account)
    target_proxy.rate(400_000)
    running = command.start("copy", *ends, "--json")
    until(lambda: _sent(target_proxy) > 800_000)
    asked = time.monotonic()
    running.send(number)
    stopped = running.wait()
    assert time.monotonic() - asked < 5
    assert (stopped.code, stopped.json["outcome"]) == (5, "stopped"), stopped
    assert stopped.json["error"]["code"] == "stopped"
    assert "Run the same again: it goes on where it stopped." in stopped.err
    assert len(stopped.err.splitlines()) == 1, stopped
    target_proxy.rate(None)
    _judge(dovecot_pair, command.run("copy", *ends, "--json"), count)


def test_a_second_one_on_the_same_ledger_refuses_in_one_sentence_even_if_the_first_one_sleeps(
    dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 300)
    command = _command(dovecot_pair, tmp_path)
    ends = url(dovecot_pair.old, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account)
    with command.running("copy", *ends, "--json") as first:
        until(lambda: _sent(target_proxy) > 100_000)
        first.send(signal.SIGSTOP)
        for words in (("copy", *ends, "--json"), ("verify", *ends, "--json")):
            second = command.run(*words)
            assert second.code == 5, second
            assert second.json["error"]["code"] == "ledger_busy"
            assert len(second.err.splitlines()) == 1, second
            assert "Another run works with the ledger" in second.err
        first.send(signal.SIGCONT)
        _judge(dovecot_pair, first.wait(), count)


# ------------------------------------------------------------------ cut off


def test_octets_that_arrive_after_we_were_cut_off_are_waited_for(
    dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 200)
    target_proxy.zombie(2.0, at=b"APPEND")
    ran = _command(dovecot_pair, tmp_path, quiet_seconds=4).run(
        "copy",
        url(dovecot_pair.old, dovecot_pair.old_account),
        url(target_proxy, dovecot_pair.new_account),
        "--json",
    )
    assert target_proxy.count("delivered") == 1
    _judge(dovecot_pair, ran, count)


@contextmanager
def misfortune(
    proxies: tuple[FaultProxy, FaultProxy], rng: random.Random, running: Running, *, strikes: int = 6
) -> Iterator[None]:
    """One cut after the other, anywhere, in any direction, and now and then a reply that never comes."""
    over = threading.Event()
    source, target = proxies
    reach = {
        (source, Direction.UP): 700,
        (source, Direction.DOWN): 900_000,
        (target, Direction.UP): 900_000,
        (target, Direction.DOWN): 4_000,
    }

    def strike() -> None:
        for number in range(strikes):
            (proxy, direction), most = list(reach.items())[number % 4]
            before = proxy.count("cut") + proxy.count("swallowed")
            if rng.random() < 0.25:
                proxy.swallow_reply(
                    rng.choice([b"APPEND", b"SELECT"] if proxy is target else [b"EXAMINE", b"UID FETCH"])
                )
            else:
                proxy.cut_after(direction, rng.randrange(1, most))
            while proxy.count("cut") + proxy.count("swallowed") == before:
                if over.wait(0.01):
                    return
            if not running.running():
                return

    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_cuts_anywhere_on_both_sides_lose_and_double_nothing(
    dovecot_pair: DovecotPair, source_proxy: FaultProxy, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 700, seed=3, max_size=40_000)
    command, proxies = _command(dovecot_pair, tmp_path), (source_proxy, target_proxy)
    ends = url(source_proxy, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account)
    running = command.start("copy", *ends, "--json")
    with misfortune(proxies, random.Random(3), running):
        first = running.wait()
    for proxy in proxies:
        proxy.disarm()
    assert sum(proxy.count("cut") + proxy.count("swallowed") for proxy in proxies) >= 3
    assert first.code == 0, first
    _judge(dovecot_pair, first, count)
    again = command.run("copy", *ends, "--json")
    assert again.json["messages"]["copied"] == 0
    _judge(dovecot_pair, again, count)


def test_servers_that_restart_in_the_middle_are_waited_for_in_clear_text_and_over_tls(
    dovecot_pair: DovecotPair, source_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 120)
    new = dovecot_pair.new
    with FaultProxy("127.0.0.1", new.imaps_port or 0) as secured:
        target = url(new, dovecot_pair.new_account).replace(f":{new.imaps_port}", f":{secured.port}")
        source_proxy.cut_after(Direction.DOWN, 200_000)
        secured.cut_after(Direction.UP, 300_000)
        source = url(source_proxy, dovecot_pair.old_account)
        running = _command(dovecot_pair, tmp_path).start("copy", source, target, "--json")
        for proxy in (source_proxy, secured):
            proxy.wait_for("cut", timeout=20)
            proxy.refuse(True)
            proxy.wait_for("refused", timeout=20)
            proxy.refuse(False)
        _judge(dovecot_pair, running.wait(), count)


def test_mail_that_comes_and_goes_at_the_source_meanwhile_is_counted_right(
    dovecot_pair: DovecotPair, source_proxy: FaultProxy, tmp_path: Path
) -> None:
    count = _fill(dovecot_pair, 600)
    source_proxy.rate(900_000)
    ends = url(source_proxy, dovecot_pair.old_account), url(dovecot_pair.new, dovecot_pair.new_account)
    command = _command(dovecot_pair, tmp_path)
    running = command.start("copy", *ends, "--json")
    until(lambda: sum(len(each.down) for each in source_proxy.recordings) > 300_000)
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as customer:
        customer.delete("INBOX", "290:295")
        customer.delete("INBOX.Zwei", "1:10")
        customer.fill("INBOX.Zwei", [Mail(b"Subject: neu\r\n\r\nneu\r\n", (), "01-Jan-2020 10:00:00 +0000")])
    source_proxy.rate(None)
    ran = running.wait()
    numbers = ran.json["messages"]
    gone = sum(skip["count"] for skip in ran.json["skips"] if skip["rule"] == "gone_at_source")
    assert (ran.code, numbers["failed"], numbers["skipped"]) == (0, 0, gone), ran
    assert adds_up(ran.json)
    again = command.run("copy", *ends, "--json")
    assert numbers["copied"] + again.json["messages"]["copied"] in range(count + 1 - 16, count + 2)
    source, target = (
        read_all(dovecot_pair.old.imap_port, dovecot_pair.old_account),
        read_all(dovecot_pair.new.imap_port, dovecot_pair.new_account),
    )
    found = differences(source, target, lambda name: "Zwei" if name == "INBOX.Zwei" else _role(name))
    assert all(" 0 missing" in each for each in found), found  # what was deleted late may have arrived before
    assert sum(map(len, target.values())) == numbers["copied"] + again.json["messages"]["copied"]


# ------------------------------------------------------------------ secrets, disks


def test_no_password_stands_in_any_place_that_others_can_read(
    dovecot_pair: DovecotPair, target_proxy: FaultProxy, tmp_path: Path
) -> None:
    _fill(dovecot_pair, 40)
    file = tmp_path / "password"
    file.write_text(f"{dovecot_pair.old_account.password}\nnot this line\n")
    command = Postwagen(tmp_path / "data")
    target_proxy.cut_after(Direction.UP, 150_000)
    running = command.start(
        "copy", url(dovecot_pair.old, dovecot_pair.old_account), url(target_proxy, dovecot_pair.new_account), "--json",
        "--source-password-file", str(file), "--target-password-file", "-",
        stdin=f"{dovecot_pair.new_account.password}\n",
    )  # fmt: skip
    secrets = [account.password.encode() for account in (dovecot_pair.old_account, dovecot_pair.new_account)]
    target_proxy.wait_for("cut", timeout=20)
    process = Path(f"/proc/{running.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    children = (process / "task" / str(running.pid) / "children").read_text()
    ran = running.wait()
    assert ran.code == 0, ran
    assert children == ""
    written = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert written
    kept = b"".join(path.read_bytes() for path in written)
    for secret in secrets:
        assert secret not in shown + kept + ran.out.encode() + ran.err.encode()
    assert all(path.stat().st_mode & 0o077 == 0 for path in written)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 700 KB."""
    where = tmp_path / "tiny"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", where], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a tiny disk")
    yield where
    subprocess.run(["umount", where], check=True)


def test_a_full_disk_under_the_ledger_stops_the_run_and_more_room_lets_it_go_on(
    dovecot_pair: DovecotPair, tiny_disk: Path, tmp_path: Path
) -> None:
    mails = [
        Mail(b"Message-ID: <%d@x>\r\n\r\nx\r\n" % number, (), "01-Jan-2020 10:00:00 +0000") for number in range(3000)
    ]
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, spread(mails, ["INBOX", "INBOX.Zwei"]))
    command = _command(dovecot_pair, tmp_path)
    ends = url(dovecot_pair.old, dovecot_pair.old_account), url(dovecot_pair.new, dovecot_pair.new_account)
    state = ("--state", str(tiny_disk / "ledger"))
    full = command.run("copy", *ends, "--json", *state)
    assert (full.code, full.json["error"]["code"]) == (5, "disk_full"), full
    assert "Make room on that disk, then run the same again" in full.err, full
    assert len(full.err.splitlines()) <= 2, full
    subprocess.run(["mount", "-o", "remount,size=30m", tiny_disk], check=True)
    _judge(dovecot_pair, command.run("copy", *ends, "--json", *state), 3000)
