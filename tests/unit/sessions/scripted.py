"""An IMAP server that says exactly what a test wants, over a socketpair: no port, no process, no waiting."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, Self

import pytest

from migrator.ports import Meter
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap import session as session_module
from migrator.sessions.imap.session import ImapSession

Say = bytes | Callable[[bytes], bytes]
"""What is said to a command; `%t` stands for its tag, and all of it ends with a tagged OK unless `%t` is in it."""

CAPABILITIES = b"IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+ AUTH=PLAIN"
SELECTED = (
    b"* FLAGS (\\Seen $Work)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted $Work \\*)] x\r\n* 3 EXISTS\r\n"
    b"* OK [UIDVALIDITY 77] x\r\n* OK [UIDNEXT 10] x\r\n%t OK [READ-ONLY] done\r\n"
)
CUT = b"%cut"
"""In an answer: what stands before it is sent, then the connection is closed."""
LATER = b"%later"
"""An answer: nothing is said yet, somebody says it with another command (`ScriptedServer.tags`)."""
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")


class Wraps(Protocol):
    """What begins TLS: an `ssl.SSLContext`, or who does otherwise."""

    def wrap_socket(self, sock: socket.socket, /, *, server_side: bool) -> ssl.SSLSocket: ...


class ScriptedServer:
    """Answers commands by their verb from `says`: one answer for always, or a list to be used up.

    `challenge` and `literal`: anything means that the client gets no `+`, but the answer to its command.
    """

    def __init__(self, **says: Say | list[Say]) -> None:
        self.greeting = b"* OK ready\r\n"
        self.says: dict[str, Say | list[Say]] = {
            "CAPABILITY": b"* CAPABILITY " + CAPABILITIES + b"\r\n",
            "NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n',
            "EXAMINE": SELECTED,
            "SELECT": SELECTED,
            "LIST": b'* LIST (\\Noselect) "/" ""\r\n',
            "LOGOUT": b"* BYE\r\n",
            **{name.replace("_", " "): say for name, say in says.items()},
        }
        self.commands: list[bytes] = []
        """Every command with its literals, without its tag."""
        self.tags: list[bytes] = []
        """The tag of every command."""
        self.unfinished = b""
        """What came of a command that never ended."""
        self.ours, self.theirs = socket.socketpair()
        self.tls_first: Wraps | None = None
        self.tls_after_starttls: Wraps | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.theirs.close()
        self._thread.join(5)
        assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def verbs(self) -> list[str]:
        """Of all commands, in order."""
        return [self._verb(command) for command in self.commands]

    @staticmethod
    def _verb(command: bytes) -> str:
        words = command.split()
        count = 2 if words and words[0].upper() == b"UID" else 1
        return b" ".join(words[:count]).decode("ascii", "replace").upper()

    def _serve(self) -> None:
        try:
            self._talk()
        except OSError:
            pass  # the client is gone, or wants no TLS with us
        except BaseException as error:  # noqa: BLE001 - told to the test at its end
            self._failure = error
        finally:
            self.ours.close()

    def _talk(self) -> None:
        if self.tls_first is not None:
            self.ours = self.tls_first.wrap_socket(self.ours, server_side=True)
        self.ours.sendall(self.greeting)
        stream = self.ours.makefile("rb")
        while (command := self._command(stream)) is not None:
            tag, _, rest = command.partition(b" ")
            self.commands.append(rest.rstrip(b"\r\n"))
            self.tags.append(tag)
            if not self._answer(tag, rest):
                break
            if self.commands[-1] == b"STARTTLS" and self.tls_after_starttls is not None:
                stream.close()
                self.ours = self.tls_after_starttls.wrap_socket(self.ours, server_side=True)
                stream = self.ours.makefile("rb")
        stream.close()

    def _command(self, stream: object) -> bytes | None:
        read: Callable[..., bytes] = stream.readline
        line = whole = read()
        if self._verb(line.partition(b" ")[2]) == "AUTHENTICATE" and len(line.split()) == len(
            b"tag verb PLAIN".split()
        ):
            if not self._take("challenge"):
                self.ours.sendall(b"+ \r\n")
                whole += read()
            return whole
        while found := _LITERAL.search(line):
            if not found[2]:
                refusal = self._take("literal")
                if refusal:
                    return whole
                self.ours.sendall(b"+ go\r\n")
            whole += stream.read(int(found[1]))
            line = read()
            whole += line
        if not line.endswith(b"\n"):
            self.unfinished = whole
            return None
        return whole

    def _take(self, verb: str) -> Say:
        say = self.says.get(verb, b"")
        if isinstance(say, list):
            return say.pop(0) if say else b""
        return say

    def _answer(self, tag: bytes, rest: bytes) -> bool:
        say = self._take(self._verb(rest))
        answer = say(rest) if callable(say) else say
        if answer == LATER:
            return True
        if b"%t" not in answer and CUT not in answer:
            answer += b"%t OK done\r\n"
        answer = answer.replace(b"%t", tag)
        before, cut, _ = answer.partition(CUT)
        self.ours.sendall(before)
        return not cut


def endpoint(**more: object) -> Endpoint:
    """An account in clear text."""
    fields = {"user": "anna", "credential": lambda: "geheim", "security": "none", "host": "mail.old.example", **more}
    return Endpoint("imap", port=143, **fields)


@contextmanager
def talking_to(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, *, meter: Meter | None = None, **more: object
) -> Iterator[ImapSession]:
    """A session that has logged in to the scripted server."""
    monkeypatch.setattr(session_module, "connect", lambda *_: server.theirs)
    with server:
        session = ImapSession(endpoint(**more), meter=meter)
        try:
            yield session
        finally:
            session.close()


def fetch(number: int, uid: int, body: bytes, *, size: int | None = None) -> bytes:
    """A message as servers send it."""
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (number, uid, len(body) if size is None else size, body)


def row(number: int, uid: int, size: int = 5) -> bytes:
    """A row of a listing."""
    return b'* %d FETCH (UID %d FLAGS (\\Seen) INTERNALDATE "05-Mar-2001 01:02:03 +0000" RFC822.SIZE %d)\r\n' % (
        number,
        uid,
        size,
    )
