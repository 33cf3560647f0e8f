"""Ports behind which there is no mail server, or one that answers by a short list."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from migrator.demo.certificates import Certificate


class Impostor:
    """Greets each connection with `greeting` and answers lines by `replies` (verb → lines, `TAG` is the tag).

    An unknown verb gets `TAG BAD`; without `replies` nothing is ever answered. `hangs_up` closes after the greeting.
    `guests` came, and `heard` is everything that they sent. With a certificate it speaks TLS from the first octet.
    """

    def __init__(
        self,
        greeting: bytes = b"",
        replies: Mapping[bytes, bytes] | None = None,
        *,
        hangs_up: bool = False,
        certificate: Certificate | None = None,
    ) -> None:
        self.heard = bytearray()
        self._greeting, self._replies, self._hangs_up = greeting, replies, hangs_up
        self._trust = _context(certificate.certfile, certificate.keyfile) if certificate else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.guests = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self.guests += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._trust is not None:
                client = self._trust.wrap_socket(client, server_side=True)
                self._open.append(client)
            client.sendall(self._greeting)
            if self._hangs_up:
                return
            with client.makefile("rb") as lines:
                for line in lines:
                    self.heard += line
                    self._answer(client, line)

    def _answer(self, client: socket.socket, line: bytes) -> None:
        if self._replies is None:
            return
        tag, _, rest = line.strip().partition(b" ")
        verb = rest.split(b" ")[0].upper()
        client.sendall(self._replies.get(verb, b"TAG BAD what\r\n").replace(b"TAG", tag))


def _context(certfile: Path, keyfile: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile, keyfile)
    return context
