"""`postwagen archive` and `play-in` between real servers: what went in comes out, and nothing twice."""

from __future__ import annotations

import base64
import json
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from migrator.archive.file import PAGE_OCTETS, ArchiveFile
from tests.corpus import nasty_messages, realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.faults import Direction
from tests.servers.fixtures import DovecotPair, StartDovecot
from tests.servers.mailboxes import COURIER_NAMES, Client, Mail, differences, dressed, fill_all, read_all, spread
from tests.servers.proxy import FaultProxy
from tests.spoiling import blob_of_one_message, flip

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


def printable_runs(octets: bytes) -> Iterator[bytes]:
    """As `strings` finds them, in one octet for a character and in two, at both ends of it."""
    for some in (octets, octets[0::2], octets[1::2]):
        for found in re.finditer(rb"[\x20-\x7e]{4,}", some):
            yield found.group()


def telling(move: Move) -> Iterator[bytes]:
    """All that a stranger must not find: who, where, about what, and which octets."""
    account = move.pair.old_account
    yield from (word.encode() for word in (account.user, account.password, "Subject", "Message-ID", "@old.example"))
    for name, messages in read_all(move.pair.old.imap_port, account).items():
        yield from (level.encode() for level in re.split(r"[./]", name))
        yield name.encode()
        for message in messages.values():
            yield message.digest
            yield message.digest.hex().encode()
            yield message.digest.hex().upper().encode()
            yield base64.b64encode(message.digest)
    for octets in chain(realistic_corpus(60, max_size=150_000, twins=0.1, without_id=0.1)):
        for line in octets.partition(b"\r\n\r\n")[0].splitlines():
            field, _, value = line.partition(b":")
            if field.lower() in (b"subject", b"from", b"to", b"message-id"):
                yield from re.split(rb"[\s<>@\"]+", value.strip())


def without_places(octets: bytes) -> bytes:
    """SQLite's lists of where the rows of each page begin blanked out: they look like runs of punctuation.

    (Its file format, 1.6: a page's kind, at octet 3 the number of its rows, then two octets for each.)
    """
    made = bytearray(octets)
    for page in range(0, len(made), PAGE_OCTETS):
        head = page or 100
        if made[head] in (2, 5, 10, 13):
            begin = head + (12 if made[head] in (2, 5) else 8)
            length = 2 * int.from_bytes(made[head + 3 : head + 5], "big")
            made[begin : begin + length] = bytes(length)
    return bytes(made)


def test_nothing_in_the_file_tells_a_stranger_anything(move: Move) -> None:
    move.fill(60)
    ran = move.command.call("archive", move.old, str(move.archive), "--json")
    assert ran.code == 0, ran
    words = {word for word in telling(move) if len(word) >= 6}  # shorter ones stand in any noise
    assert len(words) > 200
    for file in move.archive.parent.glob("anna.pwa*"):
        octets = file.read_bytes()
        told = [word for word in words if word in octets] if not file.name.endswith(".key") else []
        assert told == [], file
        runs = b"\n".join(printable_runs(octets)).lower() if not told else b""
        assert not [word for word in words if word.lower() in runs], file
    empty = move.archive.with_name("empty.pwa")
    ArchiveFile(empty, bytes(32), writable=True, create=True).close()
    found, plain = (
        {run for run in printable_runs(without_places(file.read_bytes())) if len(run) > 24}
        for file in (move.archive, empty)
    )
    assert found <= plain, "whatever can be read in it stands in an empty one too"


def test_what_a_direct_copy_carried_is_not_played_in_again(move: Move) -> None:
    count = move.fill(80)
    assert move.command.call("copy", move.old, move.new, "--json").code == 0
    with Client(move.pair.old.imap_port, move.pair.old_account) as client:
        client.fill("INBOX", [Mail(b"Subject: late\r\n\r\nx\r\n", ("\\Flagged",), "01-Feb-2026 10:00:00 +0000")])
    assert move.command.call("archive", move.old, str(move.archive), "--json").code == 0
    played = move.command.call("play-in", str(move.archive), move.new, "--json")
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
    checked = move.command.run("check", f"archive:{move.archive}", "--json")
    assert (checked.code, checked.json["found"], checked.json["whole"]) == (0, count, count), checked
    assert move.command.run("play-in", str(move.archive), move.new, "--json").code == 0
    assert move.wrong() == []


def test_folders_are_played_in_side_by_side_and_killed_or_cut_in_the_middle_nothing_is_lost_or_doubled(
    move: Move,
) -> None:
    count = move.fill(2600)
    assert move.command.call("archive", move.old, str(move.archive), "--json").code == 0
    with FaultProxy("127.0.0.1", move.pair.new.imap_port) as proxy:
        ends = str(move.archive), url(proxy, move.pair.new_account)
        for octets in (200_000, 3_000_000):
            cuts, connected = proxy.count("cut"), proxy.count("connected")
            proxy.rate(3_000_000)
            running = move.command.start("play-in", *ends, "--json")
            proxy.wait_for("connected", count=connected + 2, timeout=20)
            proxy.cut_after(Direction.UP, octets)
            proxy.wait_for("cut", count=cuts + 1, timeout=60)
            running.send(signal.SIGKILL)
            running.wait()
            proxy.disarm()
        proxy.rate(None)
        proxy.cut_after(Direction.UP, 1_000_000)
        ran = move.command.run("play-in", *ends, "--json")
    assert (ran.code, ran.json["messages"]["found"]) == (0, count), ran
    assert adds_up(ran.json)
    assert move.wrong() == []


def test_a_new_server_that_takes_one_connection_is_filled_over_it(move: Move, dovecot: StartDovecot) -> None:
    move.fill(2600)
    assert move.command.call("archive", move.old, str(move.archive), "--json").code == 0
    move.pair = replace(move.pair, new=dovecot(max_connections=1), new_account=move.pair.new_account)
    move.pair.new.add_user(move.pair.new_account.user, move.pair.new_account.password)
    ran = move.command.call("play-in", str(move.archive), url(move.pair.new, move.pair.new_account), "--json")
    assert ran.code == 0, ran
    assert "Maximum number of connections" in move.pair.new.log()
    assert move.wrong() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["play-in", "{archive}", "{new}"], 2, "There is no archive"),
        (["check", "archive:{archive}"], 2, "There is no archive"),
        (["check", "archive:{archive}", "{new}"], 2, "is checked alone"),
        (["export", "{archive}", "{other}"], 2, "There is no archive"),
        (["copy", "archive:{archive}", "{new}"], 2, "play-in"),
        (["archive", "archive:{archive}", "{other}"], 2, "play-in"),
        (["play-in", "imaps://a@b", "{new}"], 2, "names no archive"),
        (["play-in", "{other}", "{new}", "--key-file", "{key}"], 2, "is no archive of ours"),
        (["play-in", "{archive}", "{new}", "--at", "yesterday"], 2, "is no time"),
        (["play-in", "{archive}", "{new}", "--at", "9999-12-31T23:59:59-12:00"], 2, "is no time"),
        (["archive", "{old}", "x" * 300], 2, "cannot be looked for"),
        (["check", "archive:" + "x" * 300], 2, "cannot be looked for"),
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
    ran = move.command.call(*(word.format(**names) for word in arguments))
    assert (ran.code, words in ran.err) == (code, True), ran
    assert other.read_text() == "hallo"


def test_without_its_key_or_with_another_one_an_archive_stays_closed(move: Move) -> None:
    move.fill(1)
    move.command.call("archive", move.old, str(move.archive), "--json")
    key = move.archive.with_name("anna.pwa.key")
    whole = key.read_text()
    key.unlink()
    gone = move.command.call("archive", move.old, str(move.archive))
    assert (gone.code, "key file" in gone.err) == (2, True), gone
    key.write_text(OTHER_KEY)
    key.chmod(0o600)
    other = move.command.call("play-in", str(move.archive), move.new)
    assert (other.code, "not the key" in other.err) == (2, True), other
    key.write_text(whole)
    key.chmod(0o644)
    seen = move.command.call("play-in", str(move.archive), move.new)
    assert (seen.code, "chmod 600" in seen.err) == (2, True), seen
    key.chmod(0o600)
    assert move.command.call("play-in", str(move.archive), move.new).code == 0


def test_an_archive_holds_one_mailbox_only(move: Move) -> None:
    assert move.command.call("archive", move.old, str(move.archive)).code == 0
    swapped = Postwagen(move.command.data, move.pair.new_account.password)
    mixed = swapped.call("archive", move.new, str(move.archive))
    assert (mixed.code, "holds the mail of" in mixed.err) == (2, True), mixed


def test_a_host_that_was_misspelt_does_not_own_the_archive_in_which_nothing_lies_yet(move: Move) -> None:
    count = move.fill(3)
    misspelt = move.command.call("archive", "imaps://anna@old.invalid", str(move.archive))
    assert (misspelt.code, "old.invalid is unknown" in misspelt.err) == (3, True), misspelt
    right = move.command.call("archive", move.old, str(move.archive), "--json")
    assert (right.code, right.json["messages"]["copied"]) == (0, count), right


def test_check_reads_an_archive_from_end_to_end_and_names_what_is_damaged(move: Move) -> None:
    count = move.fill(20)
    move.command.call("archive", move.old, str(move.archive), "--json")
    whole = move.command.run("check", f"archive:{move.archive}", "--json")
    assert (whole.code, whole.json["messages"], whole.json["damaged"]) == (0, count, []), whole
    assert move.pair.old_account.user in whole.json["account"]
    flip(move.archive, blob_of_one_message(move.archive))
    broken = move.command.call("check", f"archive:{move.archive}")
    assert (broken.code, "1 damaged" in broken.out, "Damaged: " in broken.out) == (1, True, True), broken
    played = move.command.call("play-in", str(move.archive), move.new, "--json")
    assert (played.code, played.json["messages"]["copied"], played.json["messages"]["failed"]) == (1, count - 1, 1)


def test_what_an_archive_lacks_of_its_source_is_said_with_the_reason(move: Move) -> None:
    count = move.fill(20)
    archived = move.command.call("archive", move.old, str(move.archive), "--max-octets", "9000", "--json")
    left = archived.json["messages"]["skipped"]
    assert left
    checked = move.command.call("check", f"archive:{move.archive}")
    assert checked.code == 1, checked
    assert f"{count - left} of {count} messages of the source are here; {left} missing" in checked.out
    assert "octets): larger than 9000 octets" in checked.out
    shown = move.command.call("check", f"archive:{move.archive}", "--json").json
    assert (shown["found"], shown["whole"], len(shown["missing"])) == (count, count - left, left)


def test_a_manifest_is_written_verified_and_refused_when_it_is_altered(move: Move, tmp_path: Path) -> None:
    count = move.fill(20)
    move.command.call("archive", move.old, str(move.archive), "--json")
    file = tmp_path / "anna.manifest"
    assert move.command.run("check", f"archive:{move.archive}", "--manifest", str(file)).code == 0
    assert file.stat().st_mode & 0o077 == 0
    there = {message.digest.hex() for folder in read_all(move.pair.old.imap_port, move.pair.old_account).values()
             for message in folder.values()}  # fmt: skip
    assert {json.loads(line)["sha256"] for line in file.read_bytes().splitlines()[1:-1]} == there
    verified = move.command.call("check", f"manifest:{file}", "--json")
    assert (verified.code, verified.json["messages"], verified.json["signer"]) == (0, count, "ours"), verified
    again = move.command.call("check", f"archive:{move.archive}", "--manifest", str(file))
    assert (again.code, "cannot be written" in again.err) == (2, True), again
    stranger = Postwagen(tmp_path / "elsewhere")
    assert stranger.call("check", f"manifest:{file}").code == 1, "who signed it is not known there"
    public = verified.json["public_key"]
    assert stranger.call("check", f"manifest:{file}", "--public-key", public).code == 0
    file.write_bytes(file.read_bytes().replace(b'"size":', b'"size": ', 1))
    altered = move.command.call("check", f"manifest:{file}")
    assert (altered.code, "altered" in altered.err) == (1, True), altered


def test_a_message_deleted_by_accident_is_restored_alone(move: Move) -> None:
    move.fill(20)
    move.command.call("archive", move.old, str(move.archive), "--json")
    assert move.command.call("play-in", str(move.archive), move.new).code == 0
    with Client(move.pair.new.imap_port, move.pair.new_account) as client:
        client.delete("INBOX", "1:2")
    with Client(move.pair.old.imap_port, move.pair.old_account) as client:
        first = min(client.read("INBOX"))
    before = read_all(move.pair.new.imap_port, move.pair.new_account)
    plain = move.command.call("play-in", str(move.archive), move.new, "--json")
    assert (plain.code, plain.json["messages"]["copied"]) == (0, 0), plain
    key = f"{plain_validity(move)}/{first}"
    for copied in (1, 0):
        ran = move.command.call(
            "play-in", str(move.archive), move.new, "--message", "INBOX", key, "--restore", "--json"
        )
        assert (ran.code, ran.json["messages"]["found"], ran.json["messages"]["copied"]) == (0, 1, copied), ran
    after = read_all(move.pair.new.imap_port, move.pair.new_account)
    assert sum(map(len, after.values())) == sum(map(len, before.values())) + 1
    unknown = move.command.call("play-in", str(move.archive), move.new, "--message", "INBOX", "1/1")
    assert (unknown.code, "INBOX 1/1" in unknown.err) == (2, True), unknown
    assert move.command.call("play-in", str(move.archive), move.new, "--restore").code == 0
    assert move.wrong() == []


def test_a_pass_opens_only_folders_in_which_something_has_changed_and_misses_no_change(move: Move) -> None:
    move.fill(30)
    old, account = move.pair.old, move.pair.old_account
    with FaultProxy("127.0.0.1", old.imap_port, record=True) as proxy:
        source = url(proxy, account)

        def opened() -> set[bytes]:
            """The folders that one more pass opens."""
            before = len(proxy.commands())
            ran = move.command.call("archive", source, str(move.archive), "--json")
            assert (ran.code, adds_up(ran.json)) == (0, True), ran
            return {line.split()[-1] for verb, line in proxy.commands()[before:] if verb in (b"EXAMINE", b"SELECT")}

        assert opened() >= {b'"INBOX"', b'"INBOX.Kunden"'}
        assert opened() == set()
        changes: list[Callable[[Client], object]] = [
            lambda client: client.store("INBOX", "2", "+FLAGS (\\Flagged)"),
            lambda client: client.store("INBOX", "2", "-FLAGS (\\Flagged)"),
            lambda client: client.delete("INBOX", "3"),
            lambda client: client.fill("INBOX", [Mail(b"Subject: neu\r\n\r\nneu\r\n")]),
            lambda client: (client.delete("INBOX", "4"), client.fill("INBOX", [Mail(b"Subject: b\r\n\r\nb\r\n")])),
        ]
        for change in changes:
            with Client(old.imap_port, account) as client:
                change(client)
            assert opened() == {b'"INBOX"'}
    assert move.command.call("play-in", str(move.archive), move.new, "--json").code == 0
    assert move.wrong() == []


def plain_validity(move: Move) -> int:
    """Of the old inbox, as the manifest's keys have it."""
    file = move.archive.with_name("keys.manifest")
    move.command.call("check", f"archive:{move.archive}", "--manifest", str(file))
    key = next(one["key"] for one in map(json.loads, file.read_bytes().splitlines()) if one.get("folder") == "INBOX")
    return int(key.partition("/")[0])


def test_an_archive_is_exported_as_files(move: Move, tmp_path: Path) -> None:
    count = move.fill(20)
    move.command.call("archive", move.old, str(move.archive), "--json")
    ran = move.command.run("export", str(move.archive), str(tmp_path / "mail"), "--format", "eml", "--json")
    assert (ran.code, ran.json["messages"], ran.json["failed"]) == (0, count, []), ran
    assert len(list((tmp_path / "mail").rglob("*.eml"))) == count
    one = move.command.call("export", str(move.archive), str(tmp_path / "one"), "--folder", "INBOX", "--json")
    assert (one.code, {path.name for path in (tmp_path / "one").iterdir()}) == (0, {"INBOX"}), one
    assert 0 < one.json["messages"] < count
    none = move.command.call("export", str(move.archive), str(tmp_path / "none"), "--folder", "Inbos")
    assert (none.code, "no folder Inbos" in none.err) == (2, True), none
    again = move.command.call("export", str(move.archive), str(tmp_path / "mail"))
    assert (again.code, "not empty" in again.err) == (2, True), again
