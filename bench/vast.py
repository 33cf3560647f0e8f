"""One folder of hundreds of thousands of messages, between two scripted servers, with little address space.

    python -m bench.vast                        700,000 messages: a minute or two
    python -m bench.vast --messages 20000       whether it works

The servers keep no mail: the old one makes each message anew when it is asked for, the new one keeps a few octets of
each. So what is seen is what we make of such a folder: that it ends, within so much address space, that nothing is
listed or read twice, and that each message arrives once.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from bench.watching import Cost, clean_environment, watched

ADDRESS_SPACE = 256 * 1024 * 1024
"""Octets. 5,000 messages do with 100 MiB and not with 90 here; a system's locales and libraries may take more."""
_LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
sys.argv[1:] = sys.argv[2:]
runpy.run_module("migrator.cli", run_name="__main__", alter_sys=True)
"""
VALIDITY = 1_234_567
CAPABILITIES = b"IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+ NAMESPACE AUTH=PLAIN SASL-IR"
DATE = b"05-Mar-2001 01:02:03 +0000"
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
_NUMBER = re.compile(rb"Message-ID: <(\d+)@")


def message(number: int) -> bytes:
    """About 300 octets, each another message."""
    return (
        b"Message-ID: <%d@vast.example>\r\nFrom: Alice <alice@old.example>\r\nTo: bob@new.example\r\n"
        b"Date: Mon, 5 Mar 2001 01:02:03 +0000\r\nSubject: number %d\r\n\r\n%b\r\n"
        % (number, number, b"So many words stand in each of them. " * (1 + number % 5))
    )


class Scripted(ABC):
    """A server of one account with one folder, on loopback; several connections at once, a thread for each."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.failures: list[BaseException] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Nobody else can connect."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb", 1 << 20) as stream:
            try:
                sock.sendall(b"* OK [CAPABILITY " + CAPABILITIES + b"] vast\r\n")
                while line := stream.readline():
                    tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                    for piece in self._answers(tag, command, stream, sock):
                        sock.sendall(piece)
            except (ConnectionError, BrokenPipeError):
                pass
            except BaseException as error:  # noqa: BLE001 - told at the end
                self.failures.append(error)

    def _answers(self, tag: bytes, command: bytes, stream: BufferedReader, sock: socket.socket) -> Iterator[bytes]:
        verb = command.split(b" ", 1)[0].upper()
        if verb == b"AUTHENTICATE":
            yield tag + b" OK [CAPABILITY " + CAPABILITIES + b"] in\r\n"
        elif verb == b"NAMESPACE":
            yield b'* NAMESPACE (("" "/")) NIL NIL\r\n' + tag + b" OK done\r\n"
        elif verb in (b"LIST", b"LSUB"):
            yield b'* %b () "/" INBOX\r\n' % verb + tag + b" OK done\r\n"
        elif verb == b"STATUS":
            yield b'* STATUS "INBOX" (MESSAGES %d)\r\n' % self.count() + tag + b" OK done\r\n"
        elif verb in (b"SELECT", b"EXAMINE"):
            yield (
                (
                    b"* FLAGS (\\Seen \\Answered)\r\n* OK [PERMANENTFLAGS (\\Seen \\Answered \\*)] x\r\n* %d EXISTS\r\n"
                    b"* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\n" % (self.count(), VALIDITY, self.count() + 1)
                )
                + tag
                + b" OK open\r\n"
            )
        elif verb == b"LOGOUT":
            yield b"* BYE\r\n" + tag + b" OK out\r\n"
        else:
            yield from self.more(tag, command, stream, sock)

    @abstractmethod
    def count(self) -> int:
        """Messages in the folder."""

    def more(self, tag: bytes, command: bytes, stream: BufferedReader, sock: socket.socket) -> Iterator[bytes]:
        """What else is asked."""
        yield tag + b" OK done\r\n"

    def rows(self, first: int, last: int) -> Iterator[bytes]:
        """What a listing says of these, in a few pieces."""
        for start in range(first, last + 1, 500):
            yield b"".join(
                b'* %d FETCH (UID %d FLAGS (%b) INTERNALDATE "%b" RFC822.SIZE %d)\r\n' % (uid, uid, *self.row(uid))
                for uid in range(start, min(start + 500, last + 1))
            )

    @abstractmethod
    def row(self, uid: int) -> tuple[bytes, bytes, int]:
        """Flags, date and size."""


class Old(Scripted):
    """Its UIDs are the messages' numbers. `listed`, `read`: how often each was."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self.listed, self.read = bytearray(messages + 1), bytearray(messages + 1)
        super().__init__()

    def count(self) -> int:
        return self._messages

    def row(self, uid: int) -> tuple[bytes, bytes, int]:
        return (b"\\Seen" if uid % 3 else b""), DATE, len(message(uid))

    def more(self, tag: bytes, command: bytes, stream: BufferedReader, sock: socket.socket) -> Iterator[bytes]:
        words = command.split(b" ")
        if words[:1] == [b"FETCH"]:
            first, last = (int(word.replace(b"*", b"%d" % self.count())) for word in words[1].split(b":"))
            for uid in range(first, last + 1):
                self.listed[uid] += 1
            yield from self.rows(first, last)
        elif words[:2] == [b"UID", b"FETCH"] and b"BODY.PEEK[]" in command:
            for piece in words[2].split(b","):
                first, _, end = piece.partition(b":")
                for start in range(int(first), int(end or first) + 1, 100):
                    uids = range(start, min(start + 100, int(end or first) + 1))
                    for uid in uids:
                        self.read[uid] += 1
                    yield b"".join(
                        b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (uid, uid, len(octets), octets)
                        for uid in uids
                        for octets in (message(uid),)
                    )
        yield tag + b" OK done\r\n"


class New(Scripted):
    """Keeps of each message its number, its size and whether it was seen, in the order in which they came."""

    def __init__(self, messages: int) -> None:
        self.numbers, self.sizes, self.seen = array("L"), array("L"), bytearray()
        self.differing = 0
        """Messages that are not what the old server has."""
        self.listed = bytearray(messages + 1)
        super().__init__()

    def count(self) -> int:
        return len(self.numbers)

    def row(self, uid: int) -> tuple[bytes, bytes, int]:
        return (b"\\Seen" if self.seen[uid - 1] else b""), DATE, self.sizes[uid - 1]

    def more(self, tag: bytes, command: bytes, stream: BufferedReader, sock: socket.socket) -> Iterator[bytes]:
        words = command.split(b" ")
        if words[:1] == [b"APPEND"]:
            first, last = self._append(command + b"\r\n", stream, sock)
            uids = b"%d:%d" % (first, last) if last > first else b"%d" % first
            yield tag + b" OK [APPENDUID %d %b] done\r\n" % (VALIDITY, uids)
            return
        if words[:1] == [b"FETCH"]:
            first, last = (int(word.replace(b"*", b"%d" % self.count())) for word in words[1].split(b":"))
            for uid in range(first, last + 1):
                self.listed[uid] += 1
            yield from self.rows(first, last)
        yield tag + b" OK done\r\n"

    def _append(self, line: bytes, stream: BufferedReader, sock: socket.socket) -> tuple[int, int]:
        """The first and the last of the new UIDs."""
        first = len(self.numbers) + 1
        while found := _LITERAL.search(line):
            if not found[2]:
                sock.sendall(b"+ go on\r\n")
            octets = stream.read(int(found[1]))
            number = _NUMBER.search(octets)
            self.numbers.append(int(number[1]) if number else 0)
            self.sizes.append(len(octets))
            self.seen.append(b"\\Seen" in line)
            self.differing += octets != message(self.numbers[-1]) or DATE not in line
            line = stream.readline()
        return first, len(self.numbers)


@dataclass(frozen=True, slots=True)
class Vast:
    """What came of it."""

    cost: Cost
    told: dict[str, object]
    """The command's JSON."""
    listed: int
    """The most often that any message of the old server was."""
    read: int
    """And its octets asked for."""
    looked_at: int
    """The most often that any message was listed at the new server."""
    arrived: int
    """Different messages at the new server, as they were at the old one."""
    copies: int
    """Messages at the new server."""

    def is_whole(self, messages: int) -> bool:
        """Whether each is there once, and nothing was asked for twice."""
        once = self.listed == self.read == self.looked_at == 1
        return once and self.arrived == self.copies == messages


def carried(messages: int, directory: Path, address_space: int = ADDRESS_SPACE) -> Vast:
    """Copy so many, with `postwagen copy` in so many octets of address space. Raises RuntimeError where it fails."""
    old, new = Old(messages), New(messages)
    command = [
        *(sys.executable, "-c", _LIMITED, str(address_space)),
        *("copy", "--json", "--quiet", "--state", str(directory / "ledger")),
        *(f"imap://me@127.0.0.1:{end.port}?security=none" for end in (old, new)),
    ]
    passwords = {"POSTWAGEN_SOURCE_PASSWORD": "x", "POSTWAGEN_TARGET_PASSWORD": "x"}
    environment = {**clean_environment(), **passwords, "POSTWAGEN_DATA_DIR": str(directory / "data")}
    try:
        cost = watched(command, environment)
    finally:
        for end in (old, new):
            end.close()
    for failure in (*old.failures, *new.failures):
        raise failure
    counts: Sequence[bytearray] = (old.listed, old.read, new.listed)
    arrived = len(set(new.numbers)) - new.differing
    return Vast(cost, json.loads(cost.out), *map(max, counts), arrived, new.count())


def main() -> int:
    """Print what was seen; exit 1 where anything was listed twice, is missing or is there twice."""
    parser = argparse.ArgumentParser(prog="python -m bench.vast", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=700_000)
    parser.add_argument("--address-space", type=int, default=ADDRESS_SPACE // 1024**2, help="MiB")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        seen = carried(wish.messages, Path(name), wish.address_space * 1024**2)
    print(seen)
    return int(not seen.is_whole(wish.messages))


if __name__ == "__main__":
    sys.exit(main())
