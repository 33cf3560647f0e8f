"""IMAP ends against real servers whose line is tampered with, or whose mail tries to become commands (traps.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.errors import ConnectionLost, Defect, PostwagenError, ServerBusy, TargetFull
from migrator.mail.flags import fitting
from migrator.mail.folders import FolderRef
from migrator.ports import AppendResult, Batch, Letter, Page, Parcel, Stored, Target, Want
from migrator.sessions.imap import listing as listing_module
from tests.contract.benches import INSTANT, ImapBench, append, fingerprint, named, octets_of, parcel, surveyed
from tests.corpus import nasty_messages
from tests.servers.fixtures import StartDovecot, fresh_account
from tests.servers.proxy import Direction

pytestmark = pytest.mark.servers
MAIL = b"Subject: a\r\nMessage-ID: <a@b>\r\n\r\nHallo\r\n"
EVIL = b"a1 SELECT INBOX\r\na2 STORE 1:* +FLAGS.SILENT (\\Deleted)\r\na3 EXPUNGE\r\na4 DELETE INBOX\r\na5 LOGOUT\r\n"
FLAGS = (
    "\\Forwarded",
    "a) {3+}",
    "x\r\na1 EXPUNGE",
    "\\Seen\\Deleted",
    "(",
    "{5}",
    "$Ok",
    "\\Recent",
    "ä",
    "a b",
    "\\*",
)
ONLY = {b"CAPABILITY", b"AUTHENTICATE", b"LOGIN", b"NAMESPACE", b"ID", b"NOOP", b"LIST", b"LSUB", b"SELECT", b"CREATE",
        b"SUBSCRIBE", b"APPEND", b"FETCH", b"UID FETCH", b"LOGOUT"}  # fmt: skip
"""All that filling a mailbox may say when no flag changes."""


def send(target: Target, folder: FolderRef, parcels: list[Parcel]) -> tuple[list[AppendResult], PostwagenError | None]:
    """Results, and the error that came after them."""
    results: list[AppendResult] = []
    stream = target.append([Batch(folder, parcels)], may_commit=lambda: True)
    try:
        while True:
            results.append(next(stream))
    except StopIteration:
        return results, None
    except PostwagenError as error:
        return results, error


def kinds(results: list[AppendResult]) -> list[str]:
    return [type(result).__name__ for result in results]


# ---- mail that wants to be a command (traps.md, A) -----------------------------------------------------------------


def test_mail_full_of_commands_leaves_the_targets_inbox_untouched(imap_bench: ImapBench) -> None:
    for number in range(5):
        imap_bench.put("INBOX", MAIL + b"%d" % number, "\\Flagged")
    before = imap_bench.lies("INBOX")
    target = imap_bench.target()
    path, name = named(target, "Böse")
    folder = target.ensure_folder(path, None)
    wanted = [
        octets for kind, octets in nasty_messages() if "imap" in kind or "looks-like" in kind or "ends-like" in kind
    ]
    wanted = [octets for octets in wanted if imap_bench.keeps(octets) == octets][:40]
    refused = dict(nasty_messages())
    wanted = [octets for octets in wanted if octets not in {refused[kind] for kind in imap_bench.refuses}]
    flags = [fitting(frozenset({flag, "\\Seen"}), folder).kept for flag in FLAGS]
    parcels = [parcel(number, octets, flags[number % len(flags)]) for number, octets in enumerate([EVIL, *wanted])]
    results, error = send(target, folder, parcels)
    assert error is None
    assert set(kinds(results)) == {"Stored"}
    assert imap_bench.lies("INBOX") == before
    assert sum(imap_bench.lies(name).values()) == len(parcels)
    assert set(imap_bench.wire()) <= ONLY


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_that_slipped_through_all_planning_is_stopped_by_the_encoder(
    dovecot_bench: ImapBench, flag: str
) -> None:
    dovecot_bench.put("INBOX", MAIL)
    before = dovecot_bench.lies("INBOX")
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    results, error = send(target, folder, [parcel(0, EVIL), parcel(1, EVIL, (flag,)), parcel(2, EVIL)])
    if flag == "$Ok":
        assert (error, kinds(results)) == (None, ["Stored"] * 3)
    else:
        assert isinstance(error, Defect)
        assert kinds(results) == ["Unsent"] * 3
        assert dovecot_bench.lies("Ziel") == Counter()
    assert dovecot_bench.lies("INBOX") == before


@pytest.mark.parametrize("year", [1, 1601, 1899])
def test_a_date_that_slipped_through_all_planning_is_stopped_by_the_encoder(
    dovecot_bench: ImapBench, year: int
) -> None:
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    odd = parcel(1, EVIL, (), datetime(year, 1, 1, tzinfo=UTC))
    results, error = send(target, folder, [parcel(0, EVIL), odd, parcel(2, EVIL)])
    assert isinstance(error, Defect)
    assert kinds(results) == ["Unsent"] * 3
    assert dovecot_bench.lies("Ziel") == Counter()


def test_a_server_that_answers_bad_to_a_flag_reads_no_mail_as_commands(dovecot_bench: ImapBench) -> None:
    """As it was tried: the flag is spoilt on its way, so that Dovecot answers BAD in the middle of a MULTIAPPEND."""
    for number in range(5):
        dovecot_bench.put("INBOX", MAIL + b"%d" % number)
    before = dovecot_bench.lies("INBOX")
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    dovecot_bench.proxy.rewrite(Direction.UP, rb" \(\$Evil\)", rb" (\\Forwarded)")
    parcels = [parcel(number, EVIL, ("$Evil",) if number == 2 else ()) for number in range(5)]
    results, error = send(target, folder, parcels)
    assert isinstance(error, ConnectionLost)
    assert kinds(results) == ["Unsent"] * 5
    assert dovecot_bench.lies("INBOX") == before
    assert dovecot_bench.lies("Ziel") == Counter()


# ---- the commit point (traps.md, B) --------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [10, 60, 200, 500])
def test_a_line_cut_before_the_commit_point_stores_nothing_and_nobody_says_otherwise(
    dovecot_bench: ImapBench, octets: int
) -> None:
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    dovecot_bench.proxy.cut_after(Direction.UP, octets)
    results, error = send(target, folder, [parcel(number, MAIL + b"x" * 200) for number in range(3)])
    assert isinstance(error, ConnectionLost)
    assert kinds(results) in (["Unsent"] * 3, ["Unknown"] * 3)  # the last octets may lie in our kernel's buffer
    dovecot_bench.proxy.wait_for("cut")
    assert dovecot_bench.lies("Ziel") == Counter()


def test_an_answer_that_is_lost_is_unknown_and_the_messages_are_there(dovecot_bench: ImapBench) -> None:
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    dovecot_bench.proxy.swallow_reply(b"APPEND")
    target.close()
    target = dovecot_bench.target()
    results, error = send(target, folder, [parcel(number, MAIL + b"%d" % number) for number in range(3)])
    assert isinstance(error, ConnectionLost)
    assert set(kinds(results)) <= {"Unknown", "Unsent"}
    dovecot_bench.proxy.wait_for("swallowed")
    stored = sum(dovecot_bench.lies("Ziel").values())
    assert stored == kinds(results).count("Unknown") or stored == 0


def test_a_zombie_is_unknown_and_arrives_after_a_new_login(dovecot_bench: ImapBench) -> None:
    target = dovecot_bench.target()
    folder = target.ensure_folder(("Ziel",), None)
    append(target, folder, [parcel(0, MAIL)])
    dovecot_bench.proxy.zombie(1.5, at=b"APPEND")
    results, _ = send(target, folder, [parcel(number, MAIL + b"%d" % number) for number in range(3)])
    assert kinds(results) == ["Unknown"] * 3
    fresh = dovecot_bench.target()
    assert len([row for page in fresh.listing(folder) for row in page.rows]) == 1
    dovecot_bench.proxy.wait_for("delivered")
    assert len([row for page in fresh.listing(folder, floor=2) for row in page.rows]) == 3


# ---- a source that changes or breaks -------------------------------------------------------------------------------


def test_messages_expunged_while_a_survey_is_read_hide_no_other(
    dovecot_bench: ImapBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes mail in another program while we read page after page (traps.md, I)."""
    monkeypatch.setattr(listing_module, "PAGE_ROWS", 4)
    target = dovecot_bench.target()
    append(
        target, target.ensure_folder(("Lebt",), None), [parcel(number, MAIL + b"%02d" % number) for number in range(12)]
    )
    source, seen = dovecot_bench.source(), []
    for item in source.survey("Lebt"):
        if not isinstance(item, Page):
            continue
        seen += [row.key.uid for row in item.rows]
        if len(seen) in (4, 8):
            for uid in (1, 3) if len(seen) == 4 else (6,):
                dovecot_bench.remove("Lebt", uid)
            list(source.read([Want("Lebt", row.key, row.size) for row in item.rows]))
    assert seen == list(range(1, 13))


@pytest.mark.parametrize("octets", [200, 1500, 9000])
def test_a_line_cut_while_reading_is_a_lost_connection_and_nothing_else(dovecot_bench: ImapBench, octets: int) -> None:
    target = dovecot_bench.target()
    append(target, target.ensure_folder(("Q",), None), [parcel(number, MAIL + b"y" * 2000) for number in range(5)])
    source = dovecot_bench.source()
    _, rows = surveyed(source, "Q")
    dovecot_bench.proxy.cut_after(Direction.DOWN, octets)
    with pytest.raises(ConnectionLost):
        list(source.read([Want("Q", row.key, row.size) for row in rows]))
    assert len(octets_of(dovecot_bench.source(), "Q")) == 5


def test_reading_that_is_left_in_the_middle_puts_nothing_out_of_step(dovecot_bench: ImapBench) -> None:
    """So it happens when a folder falls into doubt: the engine goes to another one."""
    target = dovecot_bench.target()
    for level in ("A", "B"):
        folder = target.ensure_folder((level,), None)
        append(target, folder, [parcel(number, MAIL + level.encode() * 300_000) for number in range(5)])
    source = dovecot_bench.source()
    _, rows = surveyed(source, "A")
    left = source.read([Want("A", row.key, row.size) for row in rows])
    next(left)
    found = octets_of(source, "B")
    assert len(found) == 5
    assert all(octets.endswith(b"BBB") for octets in found.values())


def test_more_may_be_asked_while_an_append_is_being_answered(dovecot_bench: ImapBench) -> None:
    """So it happens when the next batch is made meanwhile, and adoption reads what lies there."""
    target = dovecot_bench.target()
    folder = target.ensure_folder(("INBOX",), None)
    (first,) = append(target, folder, [parcel(0, MAIL + b"first")])
    assert isinstance(first, Stored)
    assert first.key is not None
    read: list[bytes] = []

    def batches() -> Iterator[Batch]:
        for number in (1, 2):
            yield Batch(folder, [parcel(number, MAIL + b"%d" % number)])
            for answer in target.open(folder, [Want("INBOX", first.key, len(MAIL) + 5)]):
                assert isinstance(answer, Letter)
                read.append(b"".join(answer.chunks()))

    results = list(target.append(batches(), may_commit=lambda: True))
    assert kinds(results) == ["Stored", "Stored"]
    assert read == [MAIL + b"first"] * 2
    lies = [fingerprint(MAIL + end) for end in (b"first", b"1", b"2")]
    assert dovecot_bench.lies("INBOX") == Counter(lies)


# ---- limits --------------------------------------------------------------------------------------------------------


def test_a_full_mailbox_is_full_and_keeps_what_it_has(dovecot: StartDovecot) -> None:
    with ExitStack() as stack:
        server = dovecot(quota_storage="100k", tls=False)
        bench = ImapBench(server.imap_port, fresh_account(server), stack)
        target = bench.target()
        folder = target.ensure_folder(("INBOX",), None)
        results, error = send(target, folder, [parcel(0, MAIL)])
        assert (kinds(results), error) == (["Stored"], None)
        results, error = send(target, folder, [parcel(number, MAIL + b"z" * 90_000) for number in range(3)])
        assert isinstance(error, TargetFull)
        assert kinds(results) == ["Unsent"] * 3
        assert bench.lies("INBOX") == Counter([fingerprint(MAIL)])


def test_too_many_connections_are_no_wrong_password(dovecot: StartDovecot) -> None:
    with ExitStack() as stack:
        server = dovecot(max_connections=2, tls=False)
        bench = ImapBench(server.imap_port, fresh_account(server), stack)
        bench.session()
        bench.session()
        with pytest.raises(ServerBusy):
            bench.session()


# ---- memory --------------------------------------------------------------------------------------------------------

RELAY = """
import json, resource, sys
from migrator.ports import Batch, Parcel, Want
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.source import ImapSource
from migrator.sessions.imap.target import ImapTarget
from migrator.mail.messages import take_prints

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

given = json.load(sys.stdin)
def session():
    return ImapSession(Endpoint("imap", "127.0.0.1", given["port"], "none", given["user"], lambda: given["password"]))
source, target = ImapSource(session()), ImapTarget(session())
folder = target.ensure_folder(("Ziel",), None)
items = list(source.survey("Riese"))
small, big = items[1].rows
def relay(row):
    for letter in source.read([Want("Riese", row.key, row.size)]):
        prints = take_prints(letter.head, letter.chunks())
        parcel = Parcel(1, letter, (), row.instant)
        kinds = [type(one).__name__ for one in target.append([Batch(folder, [parcel])], may_commit=lambda: True)]
        letter.close()
        return prints.digest.hex(), kinds
relay(small)
before = peak()
digest, kinds = relay(big)
print(json.dumps({"growth": peak() - before, "digest": digest, "kinds": kinds}))
source.close(), target.close()
"""


@pytest.mark.slow
def test_a_message_of_60_mb_is_relayed_without_filling_the_memory(dovecot_bench: ImapBench, tmp_path: Path) -> None:
    giant = b"Subject: giant\r\n\r\n" + (b"0123456789abcdef" * 4 + b"\r\n") * (60 * 1024 * 1024 // 66)
    dovecot_bench.put("Riese", MAIL)
    dovecot_bench.put("Riese", giant)
    account = dovecot_bench._account
    said = subprocess.run(
        [sys.executable, "-c", RELAY],
        input=json.dumps({"port": dovecot_bench._port, "user": account.user, "password": account.password}),
        capture_output=True,
        text=True,
        timeout=100,
        env={"TMPDIR": str(tmp_path)},
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["kinds"] == ["Stored"]
    assert found["growth"] < 20 * 1024, f"{found['growth']} KiB more at the peak"
    assert dovecot_bench.lies("Ziel")[fingerprint(giant, (), INSTANT)] == 1
