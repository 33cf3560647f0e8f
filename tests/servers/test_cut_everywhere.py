"""A copy between two Dovecots whose connections are cut everywhere: in the greeting, in commands, in mail, before and
after answers. Whatever is cut, every message arrives once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator.engine import settle, wrappers
from tests.corpus import realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.commands import CommandStream
from tests.servers.fixtures import Account, StartDovecot, fresh_account
from tests.servers.mailboxes import differences, dressed, fill_all, read_all, spread
from tests.servers.proxy import Direction, FaultProxy

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FOLDERS = ["INBOX", "Eins", "Zwei", "Drei"]
COUNT = 24
CUTS = 16
"""So many in each direction of each end."""
_ANSWER = re.compile(rb"^W\d+ (?:OK|NO|BAD)[^\r\n]*\r\n", re.MULTILINE)


def moments(proxy: FaultProxy, direction: Direction) -> list[int]:
    """After how many octets of a copy something begins or ends that way, is half done, or lacks its last octets."""
    octets = proxy.recorded(direction)
    found = {1, len(octets) - 1, len(octets)}
    if direction is Direction.UP:
        for piece in CommandStream().feed(octets):
            found |= {piece.start + 1, (piece.start + piece.end) // 2, piece.end - 2, piece.end}
    else:
        found |= {octets.index(b"\r\n") // 2, octets.index(b"\r\n") + 2}
        for answer in _ANSWER.finditer(octets):
            found |= {answer.start() - 1, answer.start(), (answer.start() + answer.end()) // 2, answer.end()}
    return sorted(moment for moment in found if 0 < moment <= len(octets))


class Stage:
    """Two servers, a filled mailbox, and the command."""

    def __init__(self, dovecot: StartDovecot, directory: Path) -> None:
        self.old, self.new, self.directory = dovecot(), dovecot(), directory
        self.source = fresh_account(self.old)
        mails = dressed(realistic_corpus(COUNT, 3, max_size=40_000, twins=0.3, without_id=0.2))
        fill_all(self.old.imap_port, self.source, spread(list(mails), FOLDERS))
        self.lies = read_all(self.old.imap_port, self.source)
        self._runs = 0

    def copy(self, old: FaultProxy | int, new: FaultProxy | int, target: Account) -> dict[str, int]:
        """Again and again, until it succeeds; the numbers that it tells then."""
        self._runs += 1
        command = Postwagen(self.directory / str(self._runs), self.source.password, target.password, quiet_seconds=0)
        for _ in range(4):
            ran = command.call("copy", url(old, self.source), url(new, target), "--json", "--quiet")
            if ran.code == 0:
                assert adds_up(ran.json)
                return dict(ran.json["messages"])
        raise AssertionError(ran)

    @contextmanager
    def proxied(self, end: str) -> Iterator[tuple[FaultProxy, dict[str, int | FaultProxy]]]:
        """A proxy before that end, and where both ends are."""
        ports: dict[str, int | FaultProxy] = {"old": self.old.imap_port, "new": self.new.imap_port}
        with FaultProxy("127.0.0.1", self.old.imap_port if end == "old" else self.new.imap_port, record=True) as proxy:
            yield proxy, {**ports, end: proxy}


@pytest.fixture
def stage(dovecot: StartDovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Nobody waits long: nothing is on its way to the server behind a proxy that has cut."""
    monkeypatch.setattr(settle, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * 5)
    return Stage(dovecot, tmp_path)


@pytest.mark.parametrize("end", ["old", "new"])
@pytest.mark.parametrize("direction", list(Direction))
def test_wherever_a_connection_is_cut_every_message_arrives_once(stage: Stage, end: str, direction: Direction) -> None:
    with stage.proxied(end) as (proxy, ports):
        stage.copy(ports["old"], ports["new"], fresh_account(stage.new))
        all_moments = moments(proxy, direction)
    chosen = all_moments[:: max(1, len(all_moments) // CUTS)]
    assert len(chosen) >= CUTS
    cut = 0
    for moment in chosen:
        target = fresh_account(stage.new)
        with stage.proxied(end) as (proxy, ports):
            proxy.cut_after(direction, moment)
            numbers = stage.copy(ports["old"], ports["new"], target)
            cut += proxy.count("cut")
        assert (numbers["found"], numbers["failed"], numbers["skipped"]) == (COUNT, 0, 0), moment
        assert differences(stage.lies, read_all(stage.new.imap_port, target)) == [], moment
    assert cut >= len(chosen) - 2  # the last ones lie where nobody speaks any more
    assert read_all(stage.old.imap_port, stage.source) == stage.lies
