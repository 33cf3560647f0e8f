"""A POP3 server in memory, on a real socket: orderly by itself; each of its bad habits is a subclass of one method."""

from __future__ import annotations

import hashlib
import socket
import threading
from contextlib import suppress
from io import BufferedReader
from typing import Self

from tests.unruly.imap import Hangup


class OrderlyPop3:
    """Answers as RFC 1939 and 2449 want it. `mails`: what lies in the maildrop."""

    capabilities = (b"TOP", b"UIDL", b"USER", b"PIPELINING", b"RESP-CODES")

    def __init__(self, *mails: bytes) -> None:
        self.mails = list(mails)
        self.heard: list[bytes] = []
        """Every command, without passwords."""
        self.talks = 0
        self._failures: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                number, self.talks = self.talks, self.talks + 1
                threading.Thread(target=self._serve, args=(sock, sock.makefile("rb"), number), daemon=True).start()

    def _serve(self, sock: socket.socket, stream: BufferedReader, talk: int) -> None:
        with sock, stream:
            try:
                sock.sendall(b"+OK ready\r\n")
                while line := stream.readline().rstrip(b"\r\n"):
                    words = line.split(b" ")
                    verb = words[0].upper()
                    self.heard.append(verb if verb in (b"PASS", b"AUTH") else line)
                    answer = getattr(self, "on_" + verb.decode().lower(), None)
                    sock.sendall(b"-ERR what?\r\n" if answer is None else answer(talk, *words[1:]))
            except Hangup as end:
                with suppress(OSError):
                    sock.sendall(end.last)
            except OSError:
                pass
            except BaseException as error:  # noqa: BLE001 - raised at the end of the test
                self._failures.append(error)

    # ---- commands ------------------------------------------------------------------------------------------------

    def on_capa(self, talk: int) -> bytes:
        return b"+OK\r\n" + b"".join(word + b"\r\n" for word in self.capabilities) + b".\r\n"

    def on_user(self, talk: int, user: bytes) -> bytes:
        return b"+OK\r\n"

    def on_pass(self, talk: int, *password: bytes) -> bytes:
        return b"+OK\r\n"

    def on_stat(self, talk: int) -> bytes:
        return b"+OK %d %d\r\n" % (len(self.mails), sum(map(self.size, range(len(self.mails)))))

    def on_noop(self, talk: int) -> bytes:
        return b"+OK\r\n"

    on_rset = on_noop

    def on_quit(self, talk: int) -> bytes:
        raise Hangup(b"+OK\r\n")

    def on_list(self, talk: int, *number: bytes) -> bytes:
        rows = [b"%d %d\r\n" % (at + 1, self.size(at)) for at in range(len(self.mails))]
        return b"+OK " + rows[int(number[0]) - 1] if number else b"+OK\r\n" + b"".join(rows) + b".\r\n"

    def on_uidl(self, talk: int, *number: bytes) -> bytes:
        rows = [b"%d %b\r\n" % (at + 1, self.uidl(at)) for at in range(len(self.mails))]
        return b"+OK " + rows[int(number[0]) - 1] if number else b"+OK\r\n" + b"".join(rows) + b".\r\n"

    def on_retr(self, talk: int, number: bytes) -> bytes:
        return b"+OK\r\n" + self.written(int(number) - 1)

    def on_top(self, talk: int, number: bytes, lines: bytes) -> bytes:
        return self.on_retr(talk, number)

    # ---- what may be odd -----------------------------------------------------------------------------------------

    def size(self, at: int) -> int:
        """What it says that a message measures."""
        return len(self.mails[at])

    def uidl(self, at: int) -> bytes:
        """A message's name."""
        return hashlib.sha256(self.mails[at]).hexdigest()[:30].encode() + b"-%d" % at

    def written(self, at: int) -> bytes:
        """A message with its dots stuffed, and its end."""
        octets = self.mails[at]
        octets = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"
