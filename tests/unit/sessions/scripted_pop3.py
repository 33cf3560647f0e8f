"""A POP3 server that says exactly what a test wants, over a socketpair."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import pytest

from migrator.sessions.endpoint import Endpoint
from migrator.sessions.pop3 import session as session_module
from migrator.sessions.pop3.session import Pop3Session

CUT = b"%cut"
"""In an answer: what stands before it is sent, then the connection is closed."""


class ScriptedPop3:
    """A maildrop; `says` overrides answers by the whole command, or by its verb."""

    def __init__(
        self,
        letters: Sequence[bytes] = (),
        *,
        uidls: Sequence[bytes] | None = None,
        capabilities: Sequence[bytes] | None = (b"UIDL", b"USER", b"PIPELINING"),
        says: Mapping[bytes, bytes] | None = None,
        greeting: bytes = b"+OK ready <17.4@old.example>\r\n",
    ) -> None:
        self.letters = list(letters)
        self.uidls = [b"u%d" % number for number in range(1, len(letters) + 1)] if uidls is None else list(uidls)
        self.capabilities = capabilities
        self.says = dict(says or {})
        self.greeting = greeting
        self.commands: list[bytes] = []
        self.ours, self.theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.theirs.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            self.ours.sendall(self.greeting)
            with self.ours.makefile("rb") as stream:
                while line := stream.readline():
                    command = line.rstrip(b"\r\n")
                    self.commands.append(command)
                    before, cut, _ = self._answer(command).partition(CUT)
                    self.ours.sendall(before)
                    if cut or command == b"QUIT":
                        return
        except OSError:
            pass  # the client is gone
        finally:
            self.ours.close()

    def _answer(self, command: bytes) -> bytes:
        verb, _, argument = command.partition(b" ")
        for said in (command, verb):
            if said in self.says:
                return self.says[said]
        if verb == b"CAPA":
            return b"-ERR\r\n" if self.capabilities is None else _lines(self.capabilities)
        if verb == b"LIST":
            return _lines([b"%d %d" % (n, len(letter)) for n, letter in enumerate(self.letters, 1)])
        if verb == b"UIDL":
            return _lines([b"%d %s" % (n, uidl) for n, uidl in enumerate(self.uidls, 1)])
        if verb == b"RETR":
            return b"+OK\r\n" + stuffed(self.letters[int(argument) - 1])
        if verb == b"TOP":
            number, _, lines = argument.partition(b" ")
            return self._top(self.letters[int(number) - 1], int(lines))
        return b"+OK\r\n"

    def _top(self, letter: bytes, lines: int) -> bytes:
        """The header and so many lines (RFC 1939, 7); not offered unless CAPA says so."""
        if b"TOP" not in (self.capabilities or ()):
            return b"-ERR unknown command\r\n"
        head, gap, body = letter.partition(b"\r\n\r\n")
        return b"+OK\r\n" + stuffed(head + gap + b"".join(body.splitlines(keepends=True)[:lines]))


def _lines(lines: Sequence[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"


def stuffed(letter: bytes) -> bytes:
    """As it goes over the wire; a last line without end gets one."""
    lines = letter.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def endpoint(**more: object) -> Endpoint:
    fields = {"user": "anna", "credential": lambda: "geheim", "security": "none", "host": "mail.old.example", **more}
    return Endpoint("pop3", port=110, **fields)


@contextmanager
def talking_to(server: ScriptedPop3, monkeypatch: pytest.MonkeyPatch, **more: object) -> Iterator[Pop3Session]:
    """A session that has logged in to the scripted server."""
    monkeypatch.setattr(session_module, "connect", lambda *_: server.theirs)
    with server:
        session = Pop3Session(endpoint(**more))
        try:
            yield session
        finally:
            session.close()
