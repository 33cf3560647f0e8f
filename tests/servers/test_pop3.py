"""`postwagen copy` out of a POP3 mailbox, judged over IMAP by a client of our own."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from tests.corpus import nasty_messages, realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.faults import Direction
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import Client, Mail, fill_all, read_all
from tests.servers.proxy import FaultProxy

pytestmark = pytest.mark.servers


def _command(pair: DovecotPair, directory: Path) -> Postwagen:
    return Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)


def _pop3(pair: DovecotPair, *, stls: bool = False, proxy: FaultProxy | None = None) -> str:
    user = pair.old_account.user.replace("@", "%40")
    if proxy is not None:
        return f"pop3://{user}@127.0.0.1:{proxy.port}?security=none"
    scheme, port = ("pop3", pair.old.pop3_port) if stls else ("pop3s", pair.old.pop3s_port)
    return f"{scheme}://{user}@localhost:{port}?cafile={pair.old.cafile}"


def _fill(pair: DovecotPair, count: int) -> dict[str, list[Mail]]:
    """Real and odd messages, as a POP3 server can deliver them: each ends with a line end, none begins with a dot."""
    odd = [octets for _, octets in nasty_messages() if octets and octets[:1] != b"."]
    octets = chain(realistic_corpus(count, max_size=120_000, twins=0.1, without_id=0.1), odd)
    mails = [Mail(each, ("\\Flagged",) if number % 3 else (), None) for number, each in enumerate(octets)]
    placed = {"INBOX": mails, "INBOX.Zwei": mails[:5]}
    fill_all(pair.old.imap_port, pair.old_account, placed)
    return placed


def _as_sent(octets: bytes) -> bytes:
    """What Dovecot's POP3 makes of a message: lines end with CRLF, the last one too."""
    lines = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return lines if lines.endswith(b"\r\n") else lines + b"\r\n"


def _digests(octets: Counter[bytes] | list[bytes]) -> Counter[bytes]:
    return Counter(hashlib.sha256(each).digest() for each in octets)


def test_the_inbox_is_collected_once_nothing_is_marked_and_a_proof_agrees(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    plain = list(realistic_corpus(300, max_size=120_000, twins=0.1, without_id=0.1))
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": [Mail(each) for each in plain]})
    before = read_all(dovecot_pair.old.imap_port, dovecot_pair.old_account)
    command, new = _command(dovecot_pair, tmp_path), url(dovecot_pair.new, dovecot_pair.new_account)
    ran = command.run("copy", _pop3(dovecot_pair), new, "--json")
    assert ran.code == 0, ran
    assert adds_up(ran.json)
    assert ran.json["messages"]["copied"] == 300
    there = read_all(dovecot_pair.new.imap_port, dovecot_pair.new_account)
    assert Counter(seen.digest for seen in there["INBOX"].values()) == _digests([_as_sent(each) for each in plain])
    assert read_all(dovecot_pair.old.imap_port, dovecot_pair.old_account) == before, "nothing is marked at the source"
    again = command.call("copy", _pop3(dovecot_pair, stls=True), new, "--json", "--state", _state(tmp_path))
    assert (again.code, again.json["messages"]["copied"], again.json["messages"]["already_there"]) == (0, 0, 300)
    proof = command.call("verify", _pop3(dovecot_pair), new, "--json")
    assert (proof.code, proof.json["discrepancies"]) == (0, []), proof


def _state(directory: Path) -> str:
    """The one ledger that the first run made."""
    (state,) = (directory / "data" / "ledgers").glob("*.sqlite3")
    return str(state)


def test_a_line_that_breaks_in_the_middle_of_messages_costs_nothing(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    _fill(dovecot_pair, 150)
    command, new = _command(dovecot_pair, tmp_path), url(dovecot_pair.new, dovecot_pair.new_account)
    assert dovecot_pair.old.pop3_port is not None
    with FaultProxy("127.0.0.1", dovecot_pair.old.pop3_port) as proxy:
        for octets in (70_000, 400_000, 900_000):
            proxy.cut_after(Direction.DOWN, octets)
        ran = command.run("copy", _pop3(dovecot_pair, proxy=proxy), new, "--json")
        assert proxy.count("cut") == 3
    assert ran.code == 0, ran
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as client:
        found = len(client.read("INBOX"))
    with Client(dovecot_pair.new.imap_port, dovecot_pair.new_account) as client:
        there = client.read("INBOX")
    assert (ran.json["messages"]["copied"], len(there)) == (found, found)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"password": "wrong"}, 4, "does not accept this user and password"),
        ({"port": "imaps"}, 3, "speaks no POP3"),
        ({"port": "clear"}, 3, "speaks no TLS"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    dovecot_pair: DovecotPair, tmp_path: Path, change: dict[str, str], code: int, words: str
) -> None:
    password = change.get("password", dovecot_pair.old_account.password)
    command = Postwagen(tmp_path / "data", password, dovecot_pair.new_account.password)
    port = {"imaps": dovecot_pair.old.imaps_port, "clear": dovecot_pair.old.pop3_port}.get(change.get("port", ""))
    source = _pop3(dovecot_pair)
    if port is not None:
        source = source.replace(f":{dovecot_pair.old.pop3s_port}", f":{port}")
    ran = command.call("copy", source, url(dovecot_pair.new, dovecot_pair.new_account))
    assert (ran.code, words in ran.err) == (code, True), ran
    assert "IMAP with TLS" not in ran.err


def test_check_looks_into_a_pop3_mailbox(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    _fill(dovecot_pair, 5)
    ran = _command(dovecot_pair, tmp_path).call("check", _pop3(dovecot_pair), "--json")
    assert ran.code == 0, ran
    assert ran.json["source"]["folders"] == 1
    assert ran.json["source"]["messages"] > 5
    assert "UIDL" in ran.json["source"]["capabilities"]
