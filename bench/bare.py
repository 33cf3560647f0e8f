"""A bare IMAP client: what the two servers can do when nobody thinks in between.

One connection over TLS, commands pipelined, octets thrown away (drain, listing) or taken from a file (append). It
keeps nothing, compares nothing and could not go on after a break: it is the yardstick, not a rival.
"""

from __future__ import annotations

import hashlib
import queue
import re
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.mailbox import Message
from migrator.demo.servers import DovecotServer
from tests.servers.fixtures import Account

RECEIVE = 256 * 1024
AHEAD = 4
"""So many commands are on their way at once."""
BATCH_OCTETS, BATCH_MESSAGES = 4 * 1024 * 1024, 500
LOT_OCTETS, LOTS_TOGETHER = 1024 * 1024, 4
"""So much is handed to SQLite at once; so often is it committed."""
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_LISTED = re.compile(rb'\* LIST \([^)]*\) \S+ "?([^"\r]*)"?\r\n')
_TAGGED = re.compile(rb"b\d+ (\S+)")


class BareClient:
    """One logged-in connection. Use it as a context manager."""

    def __init__(self, server: DovecotServer, account: Account) -> None:
        context = ssl.create_default_context(cafile=str(server.cafile))
        raw = socket.create_connection(("127.0.0.1", server.imaps_port), 60)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw, server_hostname="localhost")
        self._held = bytearray()
        self._number = 0
        self._keep: Callable[[bytearray], None] | None = None
        """Takes each literal; None: they are thrown away."""
        self._line()
        self.run([f'LOGIN "{account.user}" "{account.password}"'.encode()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def folders(self) -> set[str]:
        """What a new account has from the beginning."""
        self._number += 1
        self._socket.sendall(b'b%d LIST "" "*"\r\n' % self._number)
        found: set[str] = set()
        while listed := _LISTED.match(line := self._line()):
            found.add(listed[1].decode())
        assert _TAGGED.match(line), line
        return found

    # ---- reading -------------------------------------------------------------------------------------------------

    def drain(self, folders: Sequence[str]) -> int:
        """Read every message of every folder; returns the octets thrown away."""
        return self.run(
            command for name in folders for command in (b'EXAMINE "%b"' % name.encode(), b"UID FETCH 1:* BODY.PEEK[]")
        )

    def listing(self, folders: Sequence[str]) -> None:
        """UID, flags, size and internal date of every message."""
        wish = b"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)"
        self.run(command for name in folders for command in (b'EXAMINE "%b"' % name.encode(), wish))

    def run(self, commands: Iterable[bytes]) -> int:
        """Send them, a few ahead, and read all answers; an AssertionError where one is not OK. Octets in literals."""
        octets, waiting = 0, 0
        for command in commands:
            self._number += 1
            self._socket.sendall(b"b%d %b\r\n" % (self._number, command))
            waiting += 1
            if waiting >= AHEAD:
                octets += self._answer()
                waiting -= 1
        return octets + sum(self._answer() for _ in range(waiting))

    def _answer(self) -> int:
        octets = 0
        while True:
            line = self._line()
            if found := _LITERAL.search(line):
                size = int(found[1])
                octets += size
                self._skip(size)
            elif tagged := _TAGGED.match(line):
                assert tagged[1] == b"OK", line
                return octets

    def _line(self) -> bytes:
        searched = 0
        while (at := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            self._fill()
        line = bytes(self._held[: at + 1])
        del self._held[: at + 1]
        return line

    def _skip(self, size: int) -> None:
        kept = bytearray()
        while size > len(self._held):
            size -= len(self._held)
            if self._keep is not None:
                kept += self._held
            self._held.clear()
            self._fill()
        if self._keep is not None:
            self._keep(kept + self._held[:size])
        del self._held[:size]

    def _fill(self) -> None:
        received = self._socket.recv(RECEIVE)
        assert received, "the server ended the connection"
        self._held += received

    # ---- writing -------------------------------------------------------------------------------------------------

    def append(self, prepared: Prepared) -> None:
        """MULTIAPPEND of everything that was prepared; a few commands ahead."""
        self.run([b'CREATE "%b"' % name.encode() for name in prepared.to_make])
        waiting = 0
        with prepared.path.open("rb") as file:
            for folder, length in prepared.commands:
                self._number += 1
                self._socket.sendall(b'b%d APPEND "%b"' % (self._number, folder.encode()))
                left = length
                while left:
                    octets = file.read(min(left, RECEIVE))
                    self._socket.sendall(octets)
                    left -= len(octets)
                waiting += 1
                if waiting >= AHEAD:
                    self._answer()
                    waiting -= 1
        for _ in range(waiting):
            self._answer()


class BareArchiver(BareClient):
    """What no archiver can leave out: read, hash, pack, seal, put the octets into SQLite and that on the disk.

    It keeps no name, flag or date, knows no message again, and has no ledger: what a pass needs more is bookkeeping.
    """

    def archive(self, folders: Sequence[str], path: Path) -> int:
        """Into a new file; returns the octets read."""
        lots: queue.Queue[list[tuple[bytes]]] = queue.Queue(AHEAD)
        packer, seal, lot, held = zstandard.ZstdCompressor(level=3), AESGCM(bytes(32)), list[tuple[bytes]](), 0

        def keep(message: bytearray) -> None:
            nonlocal lot, held
            hashlib.sha256(message).digest()
            sealed = seal.encrypt(bytes(12), packer.compress(message), None)
            lot.append((sealed,))
            held += len(sealed)
            if held >= LOT_OCTETS:
                lots.put(lot, timeout=60)  # raises where the writer has failed
                lot, held = [], 0

        writer = threading.Thread(target=_store, args=(path, lots), daemon=True)
        writer.start()
        try:
            self._keep = keep
            return self.drain(folders)
        finally:
            for last in [lot, []] if lot else [[]]:
                lots.put(last, timeout=60)
            writer.join()


def _store(path: Path, lots: queue.Queue[list[tuple[bytes]]]) -> None:
    """In transactions, through a WAL, until a lot is empty. Of what we tried, this was the fastest."""
    with closing(sqlite3.connect(path, isolation_level=None)) as sql:
        for pragma in ("page_size = 32768", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 512"):
            sql.execute(f"PRAGMA {pragma}")
        sql.execute("CREATE TABLE blob (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL)")
        count = 0
        while lot := lots.get():
            if not sql.in_transaction:
                sql.execute("BEGIN")
            sql.executemany("INSERT INTO blob (sealed) VALUES (?)", lot)
            count += 1
            if count % LOTS_TOGETHER == 0:
                sql.execute("COMMIT")
        if sql.in_transaction:
            sql.execute("COMMIT")
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Prepared:
    """All the octets of all APPENDs in one file, ready to be sent as they stand."""

    def __init__(self, path: Path, mailbox: Iterable[Message], existing: Iterable[str]) -> None:
        self.path = path
        self.commands: list[tuple[str, int]] = []
        """Folder and length of each command after its name."""
        with path.open("wb") as file:
            for batch in _batches(mailbox):
                length = sum(file.write(piece) for message in batch for piece in _pieces(message))
                self.commands.append((batch[0].folder, length + file.write(b"\r\n")))
        known = set(existing)
        self.to_make = [name for name in dict.fromkeys(name for name, _ in self.commands) if name not in known]


def _pieces(message: Message) -> tuple[bytes, bytes]:
    at = message.at.strftime("%d-%b-%Y %H:%M:%S +0000")
    return f' ({" ".join(message.flags)}) "{at}" {{{len(message.octets)}+}}\r\n'.encode(), message.octets


def _batches(mailbox: Iterable[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    octets = 0
    for message in mailbox:
        full = octets + len(message.octets) > BATCH_OCTETS or len(batch) >= BATCH_MESSAGES
        if batch and (full or batch[0].folder != message.folder):
            yield batch
            batch, octets = [], 0
        batch.append(message)
        octets += len(message.octets)
    if batch:
        yield batch
