"""A mail server that repeats what it is told, passwords too, when it refuses them."""

from __future__ import annotations

import base64
import socket
from typing import Final

from tests.servers.impostors import Impostor

MANNERS: Final = ("no", "bad", "bye", "plain-no", "plain-bye", "plain-continues")
"""How it refuses LOGIN and, from `plain-` on, AUTHENTICATE PLAIN, of which it repeats both the base64 and the text."""


class Parrot(Impostor):
    """Answers one login on each connection, in its manner."""

    def __init__(self, manner: str) -> None:
        super().__init__(b"* OK hello\r\n", {})
        self._plain = manner.startswith("plain")
        self._how = manner.removeprefix("plain-")
        self._asked: dict[socket.socket, bytes] = {}
        self._told: dict[socket.socket, tuple[bytes, bytes]] = {}

    def _answer(self, client: socket.socket, line: bytes) -> None:
        words = line.split()
        tag, verb = words[0], words[1].upper() if len(words) > 1 else b""
        if client in self._asked:
            tag = self._asked.pop(client)
            told = line.strip() + b" " + base64.b64decode(line).replace(b"\0", b" ")
            self._refuse(client, tag, told)
        elif client in self._told:
            tag, told = self._told.pop(client)
            self._login(client, tag, told + line.strip())
        elif verb == b"CAPABILITY":
            plain = b" AUTH=PLAIN" if self._plain else b""
            client.sendall(b"* CAPABILITY IMAP4rev1%b\r\n%b OK done\r\n" % (plain, tag))
        elif verb == b"AUTHENTICATE":
            self._asked[client] = tag
            client.sendall(b"+ \r\n")
        elif verb == b"LOGIN":
            self._login(client, tag, line.strip())
        else:
            self._refuse(client, tag, line.strip())

    def _login(self, client: socket.socket, tag: bytes, told: bytes) -> None:
        """One line more where a literal is announced."""
        if told.endswith(b"}"):
            self._told[client] = tag, told
            client.sendall(b"+ go on\r\n")
        else:
            self._refuse(client, tag, told)

    def _refuse(self, client: socket.socket, tag: bytes, told: bytes) -> None:
        if self._how == "bye":
            client.sendall(b"* BYE too many connections, you said: " + told + b"\r\n")
            client.shutdown(socket.SHUT_RDWR)
        elif self._how == "continues":
            client.sendall(b"+ you said: %b\r\n%b NO [AUTHENTICATIONFAILED] you said: %b\r\n" % (told, tag, told))
        else:
            client.sendall(b"%b %b you said: %b\r\n" % (tag, self._how.upper().encode(), told))
