"""`postwagen remove-collected` at a real POP3 server: what is proven goes, everything else is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import realistic_corpus
from tests.servers.command import Postwagen, Ran, url
from tests.servers.faults import Direction
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import Client, Folder, Mail, fill_all, read_all
from tests.servers.proxy import FaultProxy
from tests.spoiling import blob_of_one_message, flip

pytestmark = pytest.mark.servers

WISH = "Mrs Weber by telephone, 22 November"


class Collected:
    """A POP3 mailbox at a Dovecot, and its archive."""

    def __init__(self, pair: DovecotPair, directory: Path) -> None:
        self.pair = pair
        self.command = Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)
        self.archive = directory / "anna.pwa"
        user = pair.old_account.user.replace("@", "%40")
        self.source = f"pop3s://{user}@localhost:{pair.old.pop3s_port}?cafile={pair.old.cafile}"

    def deliver(self, mails: list[Mail]) -> None:
        with Client(self.pair.old.imap_port, self.pair.old_account) as client:
            client.fill("INBOX", mails)

    def collect(self) -> Ran:
        ran = self.command.call("archive", self.source, str(self.archive), "--json")
        assert ran.code == 0, ran
        return ran

    def remove(self, *more: str, source: str = "") -> Ran:
        arguments = (source or self.source, str(self.archive), "--after", "0", "--wish", WISH, "--json", *more)
        return self.command.call("remove-collected", *arguments)

    def inbox(self) -> Folder:
        return read_all(self.pair.old.imap_port, self.pair.old_account)["INBOX"]


@pytest.fixture
def collected(dovecot_pair: DovecotPair, tmp_path: Path) -> Collected:
    made = Collected(dovecot_pair, tmp_path)
    octets = realistic_corpus(60, max_size=60_000, twins=0.1, without_id=0.1)
    mails = [Mail(each, ("\\Seen",) if number % 3 else (), None) for number, each in enumerate(octets)]
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": mails, "INBOX.Zwei": mails[:5]})
    return made


def test_what_was_collected_is_gone_and_what_came_since_is_as_it_was(collected: Collected) -> None:
    collected.collect()
    collected.deliver([Mail(b"Subject: late\r\n\r\nx\r\n", ("\\Flagged",))])
    before = collected.inbox()
    rehearsed = collected.remove("--dry-run")
    assert (rehearsed.code, rehearsed.json["would_remove"], collected.inbox()) == (0, 60, before), rehearsed
    ran = collected.remove()
    assert (ran.code, ran.json["removed"], ran.json["kept"]) == (0, 60, {"not_archived": 1}), ran
    assert ran.json["wish"] == WISH
    late = max(before)
    assert collected.inbox() == {late: before[late]}, "the rest is as it was, its flags too"
    assert len(read_all(collected.pair.old.imap_port, collected.pair.old_account)["INBOX.Zwei"]) == 5
    again = collected.remove()
    assert (again.code, again.json["listed"], again.json["removed"]) == (0, 1, 0)


def test_a_message_that_is_damaged_in_the_archive_stays_at_the_server(collected: Collected) -> None:
    collected.collect()
    flip(collected.archive, blob_of_one_message(collected.archive), -1)
    ran = collected.remove()
    assert (ran.code, ran.json["removed"], ran.json["kept"]) == (0, 59, {"archive_unreadable": 1}), ran
    assert len(collected.inbox()) == 1


@pytest.mark.parametrize(
    ("at", "after", "code"), [(b"DELE 59\r\n", True, 3), (b"DELE 60\r\nQUIT\r\n", True, 1)], ids=["marking", "quit"]
)
def test_a_line_that_breaks_before_the_servers_yes(collected: Collected, at: bytes, after: bool, code: int) -> None:
    """Before QUIT nothing was deleted; after it nobody knows, and the next run finds out."""
    port = collected.pair.old.pop3_port
    assert port is not None
    with FaultProxy("127.0.0.1", port) as proxy:
        user = collected.pair.old_account.user.replace("@", "%40")
        collected.source = f"pop3://{user}@127.0.0.1:{proxy.port}?security=none"
        collected.collect()
        proxy.cut_when(Direction.UP, at, after=after)
        ran = collected.remove()
        assert (ran.code, proxy.count("cut")) == (code, 1), ran
        left = len(collected.inbox())
        if code == 1:
            assert (ran.json["removed"], ran.json["unknown"]) == (0, 60)
        else:
            assert left == 60
        again = collected.remove()
    assert (again.code, again.json["listed"], again.json["removed"]) == (0, left, left), again
    assert collected.inbox() == {}


def test_what_we_deleted_is_played_in_all_the_same(collected: Collected) -> None:
    collected.collect()
    assert collected.remove().json["removed"] == 60
    new = url(collected.pair.new, collected.pair.new_account)
    played = collected.command.call("play-in", str(collected.archive), new, "--json")
    assert (played.code, played.json["messages"]["copied"]) == (0, 60), played


def test_what_we_deleted_is_played_in_after_a_later_pass_too(collected: Collected) -> None:
    collected.collect()
    assert collected.remove().json["removed"] == 60
    collected.deliver([Mail(b"Subject: late\r\n\r\nx\r\n")])
    collected.collect()
    new = url(collected.pair.new, collected.pair.new_account)
    played = collected.command.call("play-in", str(collected.archive), new, "--json")
    assert (played.code, played.json["messages"]["copied"]) == (0, 61), played
    checked = collected.command.call("check", f"archive:{collected.archive}", "--json")
    assert (checked.code, checked.json["messages"], checked.json["damaged"]) == (0, 61, []), checked


def test_people_read_how_many_went_and_why_the_others_stay(collected: Collected) -> None:
    collected.collect()
    collected.deliver([Mail(b"Subject: late\r\n\r\nx\r\n")])
    arguments = ("remove-collected", collected.source, str(collected.archive), "--wish", WISH, "--after")
    young = collected.command.run(*arguments, "14")
    assert young.out == (
        "61 messages on the server; 0 deleted, 61 stay.\n  1 stay: not in the archive\n"
        "  60 stay: collected too recently\n"
    )
    now = collected.command.run(*arguments, "0")
    assert now.out == "61 messages on the server; 60 deleted, 1 stay.\n  1 stay: not in the archive\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--wish": " "}, "Nothing is deleted without a wish"),
        ({"source": "imaps://anna@localhost"}, "Nothing is ever deleted over IMAP"),
        ({"source": "pop3s://berta@localhost"}, "holds the mail of"),
        ({"--after": "4000"}, "0<=x<=3650"),
        ({"archive": "nowhere.pwa"}, "There is no archive"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_deleted(collected: Collected, change: dict[str, str], words: str) -> None:
    collected.collect()
    given = {"source": collected.source, "archive": str(collected.archive), "--wish": WISH, "--after": "0", **change}
    options = [part for name in ("--wish", "--after") for part in (name, given[name])]
    ran = collected.command.call("remove-collected", given["source"], given["archive"], *options)
    assert (ran.code, words in ran.err) == (2, True), ran
    assert len(collected.inbox()) == 60
