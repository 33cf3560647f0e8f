"""Servers that break a connection as soon as a second command is on its way (quirks.md, 14)."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.corpus import realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.commands import CommandStream
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import differences, dressed, fill_all, read_all, spread

_ANSWER = re.compile(rb"(?m)^[A-Z]+\d+ (?:OK|NO|BAD)\b")


class Strict:
    """Passes on to a server, and cuts each connection on which a command opens before the one before was answered."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = self.cut = 0
        self.threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for thread in self.threads:
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self.connections += 1
                _Line(self, client, socket.create_connection(self._server))


class _Line:
    """One connection. What it counts is changed under a lock: octets come from two sides."""

    def __init__(self, strict: Strict, client: socket.socket, server: socket.socket) -> None:
        self._strict, self._ends = strict, (client, server)
        self._lock = threading.Lock()
        self._asked = self._answered = 0
        self._is_open = True
        self._stream, self._said = CommandStream(), b""
        self._passing = 2
        for one, other, look in ((client, server, self._heard), (server, client, self._told)):
            strict.threads.append(threading.Thread(target=self._pass, args=(one, other, look), daemon=True))
            strict.threads[-1].start()

    def _pass(self, one: socket.socket, other: socket.socket, look: Callable[[bytes], None]) -> None:
        with suppress(OSError):
            while octets := one.recv(65536):
                with self._lock:
                    look(octets)
                    if self._is_open and self._asked > self._answered + 1:
                        self._is_open = False
                        self._strict.cut += 1
                if not self._is_open:
                    break
                other.sendall(octets)
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._passing -= 1
            if not self._passing:
                for end in self._ends:
                    end.close()

    def _heard(self, octets: bytes) -> None:
        self._asked += sum(piece.opens for piece in self._stream.feed(octets))

    def _told(self, octets: bytes) -> None:
        """Mail in these tests holds no line like an answer of these tags."""
        whole, end, self._said = (self._said + octets).rpartition(b"\n")
        self._answered += len(_ANSWER.findall(whole + end))


@contextmanager
def strict(port: int) -> Iterator[Strict]:
    server = Strict(port)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.servers
def test_servers_that_break_when_much_is_on_its_way_are_asked_one_thing_after_the_other(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    pair = dovecot_pair
    mails = list(dressed(realistic_corpus(120, 5, max_size=9000, twins=0.1)))
    fill_all(pair.old.imap_port, pair.old_account, spread(mails, ["INBOX", "INBOX.Zwei", "INBOX.Drei"]))
    with strict(pair.old.imap_port) as old, strict(pair.new.imap_port) as new:
        command = Postwagen(tmp_path / "data", pair.old_account.password, pair.new_account.password, quiet_seconds=1)
        ran = command.run("copy", url(old.port, pair.old_account), url(new.port, pair.new_account), "--json")
    assert (ran.code, ran.json["outcome"]) == (0, "succeeded"), ran
    assert adds_up(ran.json)
    assert ran.json["messages"]["copied"] == len(mails)
    assert (
        differences(
            read_all(pair.old.imap_port, pair.old_account),
            read_all(pair.new.imap_port, pair.new_account),
            lambda name: name.removeprefix("INBOX."),
        )
        == []
    )
    for end in (old, new):
        assert end.cut == 1, "the first sign is enough"
        assert end.connections == 2
