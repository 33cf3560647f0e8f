"""A POP3 server in memory, on a real socket: orderly by itself; each of its bad habits is a subclass of one method."""

from __future__ import annotations

import hashlib
import socket
from io import BufferedReader

from tests.unruly.listening import Hangup, Listening


class OrderlyPop3(Listening):
    """Answers as RFC 1939 and 2449 want it. `mails`: what lies in the maildrop."""

    capabilities = (b"TOP", b"UIDL", b"USER", b"PIPELINING", b"RESP-CODES")

    def __init__(self, *mails: bytes) -> None:
        self.mails = list(mails)
        super().__init__()

    def converse(self, sock: socket.socket, stream: BufferedReader, number: int) -> None:
        sock.sendall(b"+OK ready\r\n")
        while line := stream.readline().rstrip(b"\r\n"):
            words = line.split(b" ")
            verb = words[0].upper()
            self.heard.append(verb if verb in (b"PASS", b"AUTH") else line)
            answer = getattr(self, "on_" + verb.decode().lower(), None)
            sock.sendall(b"-ERR what?\r\n" if answer is None else answer(number, *words[1:]))

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
