"""POP3 mail through an archive: the old server's files stay as they are, and the inbox goes where people want it."""

from __future__ import annotations

import contextlib
import hashlib
import poplib
import signal
from itertools import chain
from pathlib import Path

import pytest

from tests.corpus import nasty_messages, realistic_corpus
from tests.servers.command import Postwagen, url
from tests.servers.faults import Direction
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import Client, Mail, fill_all, read_all, until
from tests.servers.proxy import FaultProxy
from tests.worker.crew import descendants

pytestmark = pytest.mark.servers


class Route:
    """An old POP3 mailbox, its archive, and the new mailbox."""

    def __init__(self, pair: DovecotPair, directory: Path) -> None:
        self.pair = pair
        self.command = Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)
        self.archive = str(directory / "anna.pwa")
        self.new = url(pair.new, pair.new_account)
        self.user = pair.old_account.user.replace("@", "%40")

    def way(self, security: str) -> str:
        """To the POP3 server on 995, on 110 with STLS, or on 110 in clear text."""
        old = self.pair.old
        return {
            "tls": f"pop3s://{self.user}@localhost:{old.pop3s_port}?cafile={old.cafile}",
            "stls": f"pop3://{self.user}@localhost:{old.pop3_port}?cafile={old.cafile}",
            "none": f"pop3://{self.user}@localhost:{old.pop3_port}?security=none",
        }[security]

    def is_left_alone(self) -> bool:
        """Whether no process of the old server serves a POP3 client any more: each serves one, and ends."""
        below = descendants(self.pair.old.child.keeper_pid)
        return not any(_name(pid) == "pop3" for pid, _ in below)

    def files(self) -> dict[str, str]:
        """Every mail file of the old mailbox, flags in its name, with its digest; Dovecot's own notes left out."""
        home = self.pair.old.mail_directory(self.pair.old_account.user)
        return {
            str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(home.rglob("*"))
            if path.is_file() and path.parent.name in ("cur", "new", "tmp")
        }


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@pytest.fixture
def route(dovecot_pair: DovecotPair, tmp_path: Path) -> Route:
    odd = [octets for _, octets in nasty_messages() if octets and octets[:1] != b"."]
    octets = chain(realistic_corpus(60, max_size=60_000, twins=0.1, without_id=0.1), odd)
    flags = ((), ("\\Seen",), ("\\Flagged", "Wichtig"))
    mails = [Mail(each, flags[number % 3], None) for number, each in enumerate(octets)]
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": mails, "INBOX.Zwei": mails[:5]})
    return Route(dovecot_pair, tmp_path)


def test_collecting_changes_no_file_and_no_flag_on_the_old_server(route: Route) -> None:
    with Client(route.pair.old.imap_port, route.pair.old_account) as client:
        client.tell(b"SELECT INBOX")  # Dovecot moves mail out of `new` for the first client that opens the mailbox
    before = route.files()
    assert len(before) > 60
    for _ in range(2):
        ran = route.command.run("archive", route.way("tls"), route.archive, "--json")
        assert ran.code in (0, 1), ran
        assert route.files() == before
    assert ran.json["messages"]["copied"] == 0


def test_killed_in_the_middle_it_leaves_no_mark_on_the_old_server(route: Route) -> None:
    with Client(route.pair.old.imap_port, route.pair.old_account) as client:
        client.tell(b"SELECT INBOX")
    before = route.files()
    assert route.pair.old.pop3_port is not None
    client = poplib.POP3("127.0.0.1", route.pair.old.pop3_port)
    client.user(route.pair.old_account.user)
    client.pass_(route.pair.old_account.password)
    assert not route.is_left_alone(), "who is there is seen"
    client.quit()
    with FaultProxy("127.0.0.1", route.pair.old.pop3_port) as proxy:
        way = f"pop3://{route.user}@127.0.0.1:{proxy.port}?security=none"
        for times, number in enumerate((20, 100, 150), 1):
            proxy.cut_when(Direction.UP, b" %d" % number)  # the server never hears more of those asked for at once
            running = route.command.start("archive", way, route.archive, "--json")
            proxy.wait_for("connected", count=times)
            proxy.refuse(True)
            proxy.wait_for("cut", count=times)
            running.send(signal.SIGKILL)
            assert running.wait().code == -signal.SIGKILL
            proxy.refuse(False)
            until(route.is_left_alone)  # Dovecot writes marks down when it notices that the connection has gone
            assert route.files() == before
        ran = route.command.run("archive", way, route.archive, "--json")
    assert ran.code in (0, 1), ran
    assert route.files() == before


@pytest.mark.parametrize("security", ["tls", "stls", "none"])
def test_every_way_to_the_server_brings_the_same(route: Route, security: str) -> None:
    ran = route.command.call("copy", route.way(security), route.new, "--json")
    assert ran.code == 0, ran
    found = len(read_all(route.pair.old.imap_port, route.pair.old_account)["INBOX"])
    assert len(read_all(route.pair.new.imap_port, route.pair.new_account)["INBOX"]) == found


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ([], "INBOX"),
        (["--map", "INBOX=Archiv alter Anbieter"], "Archiv alter Anbieter"),
        (["--under", "Archiv alter Anbieter"], "Archiv alter Anbieter/INBOX"),
    ],
)
def test_the_inbox_goes_to_the_folder_of_choice_and_nowhere_twice(
    route: Route, options: list[str], folder: str
) -> None:
    assert route.command.call("archive", route.way("tls"), route.archive).code == 0
    found = len(read_all(route.pair.old.imap_port, route.pair.old_account)["INBOX"])
    for copied in (found, 0):
        played = route.command.call("play-in", route.archive, route.new, *options, "--json")
        assert (played.code, played.json["messages"]["copied"]) == (0, copied), played
    there = read_all(route.pair.new.imap_port, route.pair.new_account)
    assert {name: len(mails) for name, mails in there.items() if mails} == {folder: found}
