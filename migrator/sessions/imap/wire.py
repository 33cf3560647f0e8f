"""The octets of an IMAP connection: one reader and one writer, used by imaplib and by our own message transfer.

Installed under imaplib from the first octet on (`WireIMAP4`), because "IMAPClient opens, our reader takes over" would
leave octets in imaplib's buffer. Literals are streamed; a whole big message never stands in memory.
"""

from __future__ import annotations

import imaplib
import math
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from migrator.errors import ConnectionLost, Defect
from migrator.mail.messages import HEAD_OCTETS, readable
from migrator.ports import RoundTrips
from migrator.sessions.connect import shake_hands
from migrator.sessions.imap.parsing import Line, ResponseParser
from migrator.sessions.octets import Octets
from migrator.sessions.spool import IN_MEMORY, Spool

_CAPABILITY = re.compile(r"(?i)\[CAPABILITY ([^\]\r\n]*)\]")
_EXPUNGE = re.compile(rb"(?i)\* +(\d{1,10}) +EXPUNGE\b")

Part = bytes | Spool


class _Due(NamedTuple):
    """An answer that has not come yet: how many round trips will have been waited for then, and since when."""

    trips: int
    since: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A tagged completion: OK, NO or BAD, with its text as the server wrote it."""

    status: str
    text: str
    whole: str = ""
    """All of the text, where `text` was cut short for people."""

    @property
    def code(self) -> str:
        """The response code in upper case, with arguments (`APPENDUID 1 5:7`), or empty (RFC 9051, 7.1)."""
        found = re.match(r"\[([^\]]*)\]", self.whole or self.text)
        return found.group(1).upper() if found else ""


class Wire(Octets):
    """One IMAP connection's octets. Not thread-safe."""

    def __init__(
        self, sock: socket.socket, *, timeout: float, wants_stop: Callable[[], bool], trips: RoundTrips | None = None
    ) -> None:
        super().__init__(sock, timeout=timeout, wants_stop=wants_stop, trips=trips)
        self._tag = 0
        self._parser = ResponseParser()
        self._piece = memoryview(bytearray(IN_MEMORY))
        """Where a literal arrives, past the parser; the same place each time."""
        self.waiting: dict[bytes, _Due] = {}
        """Commands whose answer has not come yet, by tag."""
        self.ended: dict[bytes, Answer] = {}
        """Those that have ended before one that was sent before them: servers may work on several at once."""
        self.nearest = math.inf
        """Seconds between a command and its answer, the fewest so far."""
        self.expunged: list[int] = []
        """Sequence numbers that the server said are gone, in order; whoever counts messages takes them out."""

    # ---- commands and responses --------------------------------------------------------------------------------

    def begin(self, command: bytes) -> bytes:
        """Send `tag command` without CRLF; returns the tag. `command` comes from `encode` only."""
        self._tag += 1
        tag = b"W%d" % self._tag
        self._await(tag)
        self.send(tag + b" " + command)
        return tag

    def _await(self, tag: bytes) -> None:
        self.waiting[tag] = _Due(self.trips.waited + 1, time.monotonic())

    def start(self, command: bytes) -> bytes:
        """Send a whole command line; returns the tag."""
        return self.begin(command + b"\r\n")

    def response(self) -> list[Part]:
        """One response: its text, with every literal as a part of its own (large ones spooled)."""
        parts: list[Part] = []
        try:
            while True:
                while (line := self._parser.event()) is None:
                    self._parser.feed(self.some())
                assert isinstance(line, Line)
                parts.append(line.text)
                if line.literal is None:
                    return parts
                parts.append(self._literal(line.literal))
        except ConnectionLost:
            self.drop()  # nothing that follows could be believed
            raise

    def _literal(self, size: int) -> Spool:
        """So many octets. In pieces, so that an absurd size takes no memory before its octets are there."""
        spool = Spool(size, HEAD_OCTETS)
        try:
            while spool.size < size:
                piece = self._parser.event() or b""  # what came with its line; the rest comes past the parser
                assert isinstance(piece, bytes)
                if missing := size - spool.size - len(piece):
                    rest = self._piece[:missing]
                    self.read_into(rest)
                    self._parser.passed_by(len(rest))
                    piece = b"".join((piece, rest))
                spool.write(piece, HEAD_OCTETS)
        except BaseException:
            spool.close()
            self.drop()  # the rest of a mail would be read as answers
            raise
        return spool

    def finish(self, tag: bytes) -> Generator[list[Part], None, Answer]:
        """Untagged responses until the tagged one; the generator's return value is the Answer.

        BYE raises ConnectionLost, with what the server said.
        """
        while True:
            if tag not in self.waiting:
                raise Defect("The answer to a command was read with that of another one.")
            parts = self.response()
            first = parts[0]
            assert isinstance(first, bytes)
            if first[:1] != b"*":
                name, _, rest = first.partition(b" ")
                is_due = name in self.waiting
                self._ended(name)
                if name == tag:
                    return answer_of(rest)
                if is_due:
                    self.ended[name] = answer_of(rest)
            elif not (first[2:3].isdigit() and b" FETCH (" in first):  # as nearly all are
                if first[:6].upper().startswith(b"* BYE"):
                    raise ConnectionLost("The server ended the connection.", detail=readable(first[6:]))
                if gone := _EXPUNGE.match(first):
                    self.expunged.append(int(gone.group(1)))
            yield parts

    def _ended(self, tag: bytes) -> None:
        """Commands that were sent before an answer came share its round trip."""
        due = self.waiting.pop(tag, None)
        if due is not None:
            self.trips.waited = max(self.trips.waited, due.trips)
            self.nearest = min(self.nearest, time.monotonic() - due.since)

    def complete(self, tag: bytes) -> tuple[Answer, list[list[Part]]]:
        """All of a command's responses at once, for short ones."""
        responses: list[list[Part]] = []
        run = self.finish(tag)
        while True:
            try:
                responses.append(next(run))
            except StopIteration as end:
                return end.value, responses

    def go_ahead(self, tag: bytes) -> Answer | None:
        """Wait for `+`. None: go ahead. An Answer: the server ended the command instead."""
        while True:
            parts = self.response()
            first = parts[0]
            assert isinstance(first, bytes)
            if first.startswith(b"+"):
                self._ended(tag)
                self._await(tag)
                return None
            if first.startswith(tag + b" "):
                self._ended(tag)
                return answer_of(first[len(tag) + 1 :])
            if first[:6].upper().startswith(b"* BYE"):
                raise ConnectionLost("The server ended the connection.", detail=readable(first[6:]))


def announced(text: bytes | str) -> tuple[str, ...]:
    """The capabilities in a greeting's or an answer's response code; none where they do not stand there."""
    line = text if isinstance(text, str) else text.decode("ascii", "replace")
    found = _CAPABILITY.search(line)
    words = tuple(found[1].upper().split()) if found else ()
    return words if "IMAP4REV1" in words else ()


def answer_of(line: bytes) -> Answer:
    """The rest of a tagged line, without the tag."""
    status, _, text = line.replace(b"\0", b"").strip().partition(b" ")
    return Answer(status.decode("ascii", "replace").upper(), readable(text), text.decode("utf-8", "replace").strip())


class WireIMAP4(imaplib.IMAP4):
    """imaplib on our wire: every octet, from the greeting on, passes through one reader."""

    def __init__(self, sock: socket.socket, host: str, wire: Wire) -> None:
        self._prepared = sock
        self.wire = wire
        super().__init__(host, 0)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Called by imaplib's constructor: the socket is connected (and secured) already."""
        self.host, self.port, self.sock = host, port, self._prepared

    def read(self, size: int) -> bytes:
        """For imaplib."""
        return self.wire.read(size)

    def readline(self) -> bytes:
        """For imaplib."""
        return self.wire.readline()

    def send(self, data: bytes) -> None:  # type: ignore[override]  # imaplib says ReadableBuffer
        """For imaplib, which waits for each answer."""
        self.wire.send(data)
        self.wire.trips.waited += 1

    def _get_capabilities(self) -> None:
        """Servers may announce them in the greeting (RFC 9051, 7.1), which saves asking."""
        self.capabilities = announced(self.welcome) or ()
        if not self.capabilities:
            super()._get_capabilities()  # type: ignore[misc]  # imaplib's own, and its types do not tell of it

    def shutdown(self) -> None:
        """Close the socket."""
        self.wire.drop()

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> tuple[str, list[bytes]]:  # type: ignore[override]
        """STARTTLS (RFC 9051, 6.2.1): nothing that came before the handshake survives it."""
        status, data = self._simple_command("STARTTLS")
        if status == "OK":
            assert ssl_context is not None
            secured = ssl_context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.wire.replace_socket(secured)  # which closes it, whatever happens
            self.sock = secured
            shake_hands(secured, self.wire.wants_stop)
            self._tls_established = True
            super()._get_capabilities()  # type: ignore[misc]  # what was announced before counts for nothing
        return status, data
