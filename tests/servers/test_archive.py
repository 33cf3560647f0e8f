"""`postwagen archive` and `play-in` between real servers: what went in comes out, and nothing twice."""

from __future__ import annotations

import signal
import sqlite3
from itertools import chain
from pathlib import Path

import pytest

from tests.corpus import nasty_messages, realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.faults import Direction
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import COURIER_NAMES, Client, Mail, differences, dressed, fill_all, read_all, spread
from tests.servers.proxy import FaultProxy

pytestmark = pytest.mark.servers

OTHER_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


class Move:
    """An old mailbox, its archive, and the new mailbox."""

    def __init__(self, pair: DovecotPair, directory: Path) -> None:
        self.pair = pair
        self.command = Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)
        self.archive = directory / "anna.pwa"
        self.old, self.new = url(pair.old, pair.old_account), url(pair.new, pair.new_account)

    def fill(self, count: int) -> int:
        odd = [octets for name, octets in nasty_messages() if octets and name != "cr-and-nothing-else"]
        mails = list(dressed(chain(realistic_corpus(count, max_size=150_000, twins=0.1, without_id=0.1), odd)))
        fill_all(self.pair.old.imap_port, self.pair.old_account, spread(mails, list(COURIER_NAMES)))
        return len(mails)

    def wrong(self) -> list[str]:
        """How the new mailbox differs from the old one."""
        found = read_all(self.pair.old.imap_port, self.pair.old_account)
        there = read_all(self.pair.new.imap_port, self.pair.new_account)
        return differences(found, there, lambda name: COURIER_NAMES.get(name, name))


@pytest.fixture
def move(dovecot_pair: DovecotPair, tmp_path: Path) -> Move:
    return Move(dovecot_pair, tmp_path)


def test_a_mailbox_that_was_archived_is_played_in_and_the_source_is_as_it_was(move: Move) -> None:
    count = move.fill(250)
    before = read_all(move.pair.old.imap_port, move.pair.old_account)
    ran = move.command.run("archive", move.old, str(move.archive), "--json")
    assert ran.code == 0, ran
    assert adds_up(ran.json)
    assert (ran.json["verb"], ran.json["messages"]["copied"]) == ("archive", count)
    assert not any("\x1f" in folder["target"] for folder in ran.json["folders"])
    assert read_all(move.pair.old.imap_port, move.pair.old_account) == before
    assert {path.stat().st_mode & 0o077 for path in move.archive.parent.glob("anna.pwa*")} == {0}
    for _ in range(2):
        played = move.command.run("play-in", str(move.archive), move.new, "--json")
        assert played.code == 0, played
        assert adds_up(played.json)
    assert played.json["messages"]["copied"] == 0
    assert move.wrong() == []
    proof = move.command.run("verify", f"archive:{move.archive}", move.new, "--json")
    assert {each["kind"] for each in proof.json["discrepancies"]} <= {"altered"}


def test_nothing_in_the_file_tells_a_stranger_anything(move: Move) -> None:
    move.fill(60)
    move.command.run("archive", move.old, str(move.archive), "--json")
    octets = move.archive.read_bytes()
    account = move.pair.old_account
    for word in (account.user, account.password, "INBOX", "Kunden", "Subject:", "Message-ID", "@old.example"):
        assert word.encode() not in octets, word
    for folder in read_all(move.pair.old.imap_port, account).values():
        for message in folder.values():
            assert message.digest not in octets
            assert message.digest.hex().encode() not in octets


def test_what_a_direct_copy_carried_is_not_played_in_again(move: Move) -> None:
    count = move.fill(80)
    assert move.command.run("copy", move.old, move.new, "--json").code == 0
    with Client(move.pair.old.imap_port, move.pair.old_account) as client:
        client.fill("INBOX", [Mail(b"Subject: late\r\n\r\nx\r\n", ("\\Flagged",), "01-Feb-2026 10:00:00 +0000")])
    assert move.command.run("archive", move.old, str(move.archive), "--json").code == 0
    played = move.command.run("play-in", str(move.archive), move.new, "--json")
    assert (played.json["messages"]["copied"], played.json["messages"]["already_there"]) == (1, count)
    assert move.wrong() == []


def test_killed_in_the_middle_of_a_pass_it_goes_on_and_nothing_is_lost_or_doubled(move: Move) -> None:
    count = move.fill(400)
    with FaultProxy("127.0.0.1", move.pair.old.imap_port) as proxy:
        through = url(proxy, move.pair.old_account)
        for octets in (300_000, 2_000_000, 5_000_000):
            cuts = proxy.count("cut")
            proxy.cut_after(Direction.DOWN, octets)
            running = move.command.start("archive", through, str(move.archive), "--json")
            proxy.wait_for("cut", count=cuts + 1, timeout=60)
            running.send(signal.SIGKILL)
            running.wait()
            proxy.disarm()
        ran = move.command.run("archive", through, str(move.archive), "--json")
    assert (ran.code, ran.json["messages"]["found"]) == (0, count), ran
    assert move.command.run("play-in", str(move.archive), move.new, "--json").code == 0
    assert move.wrong() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["play-in", "{archive}", "{new}"], 2, "There is no archive"),
        (["check", "archive:{archive}"], 2, "There is no archive"),
        (["export", "{archive}", "{other}"], 2, "There is no archive"),
        (["copy", "archive:{archive}", "{new}"], 2, "play-in"),
        (["archive", "archive:{archive}", "{other}"], 2, "play-in"),
        (["play-in", "imaps://a@b", "{new}"], 2, "names no archive"),
        (["play-in", "{other}", "{new}", "--key-file", "{key}"], 2, "is no archive of ours"),
        (["play-in", "{archive}", "{new}", "--at", "yesterday"], 2, "is no time"),
        (["archive", "{old}", "{other}", "--key-file", "{key}"], 2, "is no archive of ours"),
        (["archive", "{old}", "/proc/nowhere/x.pwa"], 2, "cannot be made"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(move: Move, arguments: list[str], code: int, words: str) -> None:
    other, key = move.archive.with_name("other"), move.archive.with_name("some.key")
    other.write_text("hallo")
    key.write_text(OTHER_KEY)
    key.chmod(0o600)
    names = {"archive": move.archive, "new": move.new, "old": move.old, "other": other, "key": key}
    ran = move.command.run(*(word.format(**names) for word in arguments))
    assert (ran.code, words in ran.err) == (code, True), ran
    assert other.read_text() == "hallo"


def test_without_its_key_or_with_another_one_an_archive_stays_closed(move: Move) -> None:
    move.fill(1)
    move.command.run("archive", move.old, str(move.archive), "--json")
    key = move.archive.with_name("anna.pwa.key")
    whole = key.read_text()
    key.unlink()
    gone = move.command.run("archive", move.old, str(move.archive))
    assert (gone.code, "key file" in gone.err) == (2, True), gone
    key.write_text(OTHER_KEY)
    key.chmod(0o600)
    other = move.command.run("play-in", str(move.archive), move.new)
    assert (other.code, "not the key" in other.err) == (2, True), other
    key.write_text(whole)
    key.chmod(0o644)
    seen = move.command.run("play-in", str(move.archive), move.new)
    assert (seen.code, "chmod 600" in seen.err) == (2, True), seen
    key.chmod(0o600)
    assert move.command.run("play-in", str(move.archive), move.new).code == 0


def test_an_archive_holds_one_mailbox_only(move: Move) -> None:
    assert move.command.run("archive", move.old, str(move.archive)).code == 0
    swapped = Postwagen(move.command.data, move.pair.new_account.password)
    mixed = swapped.run("archive", move.new, str(move.archive))
    assert (mixed.code, "holds the mail of" in mixed.err) == (2, True), mixed


def test_check_reads_an_archive_from_end_to_end_and_names_what_is_damaged(move: Move) -> None:
    count = move.fill(20)
    move.command.run("archive", move.old, str(move.archive), "--json")
    whole = move.command.run("check", f"archive:{move.archive}", "--json")
    assert (whole.code, whole.json["messages"], whole.json["damaged"]) == (0, count, []), whole
    assert move.pair.old_account.user in whole.json["account"]
    with sqlite3.connect(move.archive) as sql:
        alone = "SELECT blob FROM message GROUP BY blob HAVING count(*) = 1 LIMIT 1"
        sql.execute(f"UPDATE chunk SET sealed = zeroblob(100) WHERE blob = ({alone})")
    sql.close()
    broken = move.command.run("check", f"archive:{move.archive}")
    assert (broken.code, "1 damaged" in broken.out, "Damaged: " in broken.out) == (1, True, True), broken
    played = move.command.run("play-in", str(move.archive), move.new, "--json")
    assert (played.code, played.json["messages"]["copied"], played.json["messages"]["failed"]) == (1, count - 1, 1)


def test_an_archive_is_exported_as_files(move: Move, tmp_path: Path) -> None:
    count = move.fill(20)
    move.command.run("archive", move.old, str(move.archive), "--json")
    ran = move.command.run("export", str(move.archive), str(tmp_path / "mail"), "--format", "eml", "--json")
    assert (ran.code, ran.json["messages"], ran.json["failed"]) == (0, count, []), ran
    assert len(list((tmp_path / "mail").rglob("*.eml"))) == count
    again = move.command.run("export", str(move.archive), str(tmp_path / "mail"))
    assert (again.code, "not empty" in again.err) == (2, True), again
