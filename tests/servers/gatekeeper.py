"""Who may log in at Cyrus and at Courier: the daemons that they ask, as threads of ours on a unix socket.

Cyrus asks as `saslauthd` is asked (four counted strings, one counted answer), Courier as `authdaemond` is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from migrator.demo.premises import Premises

_AT_MOST: Final = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class House:
    """As whom a server runs, and who lives there: name → password; may change while it runs."""

    premises: Premises
    people: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def maildir(self, user: str) -> Path:
        """Where a Courier keeps that person's mail."""
        return self.premises.home / "mail" / user / "Maildir"


class Gatekeeper(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers until it is closed."""

    daemon_threads = True
    house: House


def open_gate(path: Path | bytes, house: House, protocol: type[socketserver.BaseRequestHandler]) -> Gatekeeper:
    """Listen on `path`, octets for one of no file system; whoever runs the server may ask."""
    gate = Gatekeeper(path if isinstance(path, bytes) else str(path), protocol)
    gate.house = house
    if isinstance(path, Path):
        house.premises.hand_over(path)
    threading.Thread(target=gate.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return gate


def close_gate(gate: Gatekeeper) -> None:
    """May be done again."""
    gate.shutdown()
    gate.server_close()


class Saslauthd(socketserver.StreamRequestHandler):
    """Login, password, service, realm; `alice@example.org` comes as a login and a realm."""

    server: Gatekeeper

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            login, password, _service, realm = (self._counted() for _ in range(4))
            right = self.server.house.people.get(f"{login}@{realm}" if realm else login) == password
            answer = b"OK" if right else b"NO"
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)

    def _counted(self) -> str:
        return self.rfile.read(int.from_bytes(self.rfile.read(2), "big")).decode()


class Authdaemond(socketserver.StreamRequestHandler):
    """Lines, of which the last one counts the octets of the question: service, `login`, user, password."""

    server: Gatekeeper

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            count = next(int(line[5:]) for line in self._lines() if line.startswith(b"AUTH "))
            _service, _kind, user, password, *_ = self.rfile.read(min(count, _AT_MOST)).decode().split("\n")
            house = self.server.house
            if house.people.get(user) != password:
                self.wfile.write(b"FAIL\n")
                return
            maildir, owner = house.maildir(user), house.premises.owner
            said = [f"UID={owner.uid}", f"GID={owner.gid}", f"HOME={maildir.parent}", f"ADDRESS={user}"]
            said += [f"MAILDIR={maildir}", ".\n"]
            self.wfile.write("\n".join(said).encode())

    def _lines(self) -> Iterator[bytes]:
        while line := self.rfile.readline(_AT_MOST):
            yield line
