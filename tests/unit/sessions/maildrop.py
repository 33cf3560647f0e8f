"""A POP3 maildrop that keeps between connections what they did: marks count only after QUIT (RFC 1939, 6)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Self

import pytest

from migrator.sessions.pop3 import session as session_module
from tests.unit.sessions.scripted_pop3 import ScriptedPop3


class Connection(ScriptedPop3):
    """One session: DELE marks, RSET takes back, QUIT deletes."""

    def __init__(self, drop: Maildrop, says: Mapping[bytes, bytes]) -> None:
        super().__init__([octets for _, octets in drop.mail], uidls=[uidl for uidl, _ in drop.mail], says=says)
        self.capabilities = drop.capabilities
        self._drop = drop
        self._marked: set[int] = set()

    def _answer(self, command: bytes) -> bytes:
        verb, _, argument = command.partition(b" ")
        said = super()._answer(command)
        if said.startswith(b"-ERR"):
            return said
        if verb == b"DELE":
            self._marked.add(int(argument))
        elif verb == b"RSET":
            self._marked.clear()
        elif verb == b"QUIT":
            self._drop.mail = [item for number, item in enumerate(self._drop.mail, 1) if number not in self._marked]
        return said


class Maildrop:
    """UIDL and octets, in the server's order. `says`: for each connection in turn, then nothing special."""

    def __init__(
        self,
        mail: Sequence[tuple[bytes, bytes]],
        *,
        says: Sequence[Mapping[bytes, bytes]] = (),
        capabilities: Sequence[bytes] = (b"UIDL", b"PIPELINING"),
    ) -> None:
        self.mail = list(mail)
        self.capabilities = capabilities
        self.connections: list[Connection] = []
        self.before: dict[int, Callable[[], None]] = {}
        """What happens before the connection of this number (from 1)."""
        self._says = list(says)
        self._open = ExitStack()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self._patch.setattr(session_module, "connect", lambda *_: self._connect())
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()
        self._open.close()

    def _connect(self) -> socket.socket:
        number = len(self.connections) + 1
        self.before.get(number, lambda: None)()
        connection = Connection(self, self._says[number - 1] if number <= len(self._says) else {})
        self.connections.append(connection)
        return self._open.enter_context(connection).theirs

    @property
    def uidls(self) -> list[bytes]:
        """What lies there now."""
        return [uidl for uidl, _ in self.mail]

    def said(self, verb: bytes) -> list[bytes]:
        """Every command of that verb, over all connections."""
        return [command for each in self.connections for command in each.commands if command.split()[:1] == [verb]]
