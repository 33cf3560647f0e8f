"""A Courier of our own on loopback, from packages that are unpacked and not installed (tools/test_servers.py)."""

from __future__ import annotations

import dataclasses
import secrets
import socketserver
import subprocess
from pathlib import Path
from typing import Final

from migrator.demo.children import Child, Program
from migrator.demo.premises import LOOPBACK, Premises, free_ports, take_premises
from migrator.demo.servers import LocalServer, ServerUnavailableError
from tests.servers.gatekeeper import Authdaemond, Gatekeeper, House, close_gate, open_gate
from tests.servers.running import await_ready, greeting
from tests.servers.unpacked import programs, shelf

_SOCKET: Final = b"/run/courier/authdaemon/socket\0"
"""Where Courier asks who may log in. It is compiled in."""
_OURS: Final = "authdaemon"
"""The same in our copy of its library: in the directory that Courier runs in."""

_SETTINGS: Final = {
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
    "IMAP_KEYWORDS": "1",
    "IMAP_ACL": "1",
    "IMAP_EMPTYTRASH": "",
    "IMAP_TRASHFOLDERNAME": "Trash",
    "IMAP_MAILBOX_SANITY_CHECK": "1",
    "IMAP_IDLE_TIMEOUT": "60",
    "IMAP_USELOCKS": "0",  # else it asks for the daemon that watches files at each APPEND, CREATE and SELECT as well
    "MAILDIRPATH": "Maildir",
}

_SOCKET_NAME: Final = 107
"""Octets of a unix socket's name after the first one. gamin fills them up."""


class _HangUp(socketserver.BaseRequestHandler):
    """In the place of gamin's daemon, which watches files: it hangs up at once. Courier goes without it then.

    If nobody listens there, the library tries for 1.2 seconds, at every login and, with locks, for every message.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CourierServer(LocalServer):
    """A running Courier; accounts may be added to it at any time. All folders lie below `INBOX.`."""

    house: House
    gates: tuple[Gatekeeper, ...]
    root: Path
    environment: tuple[str, ...]

    def add_user(self, user: str, password: str) -> None:
        """Make an account with an empty mailbox."""
        self.house.maildir(user).parent.mkdir(parents=True)
        self._make(user)
        self.house.people[user] = password

    def set_quota(self, user: str, kilobytes: int) -> None:
        """Allow that mailbox so much, at once."""
        self._make(user, "-q", f"{kilobytes * 1024}S")

    def _make(self, user: str, *options: str) -> None:
        program, maildir = self.root / "usr/bin/maildirmake.courier", self.house.maildir(user)
        subprocess.run([*self.environment, program, *options, maildir], check=True, timeout=10)
        self.house.premises.hand_over(self.house.premises.home / "mail")

    def stop(self) -> None:
        self.child.stop()
        for gate in self.gates:
            close_gate(gate)


def start_courier(directory: Path) -> CourierServer:
    """Start it without accounts. Raises ServerUnavailableError."""
    where = shelf("courier")
    directory.mkdir(parents=True, exist_ok=True)
    premises = take_premises(directory, "courier")
    watched = f"/tmp/fam-{premises.owner.user}-{(token := secrets.token_hex(4))}"
    root, environment = programs(where, premises, _SETTINGS | {"GAM_CLIENT_ID": token})
    _redirect(root, premises)
    premises.hand_over()
    (port,) = free_ports(1)
    house = House(premises)
    listen = [f"{root}/usr/sbin/couriertcpd", f"-address={LOOPBACK}", "-nodnslookup", "-noidentlookup"]
    serve = [f"{root}/usr/lib/courier/courier/imaplogin", f"{root}/usr/bin/imapd", "Maildir"]
    child = Child(
        Program(
            argv=(*environment, *listen, "-maxprocs=100", "-maxperip=100", str(port), *serve),
            log=directory / "courier.log",
            user=premises.owner.ids,
            directory=premises.home,
            remove=premises.remove,
        )
    )
    await_ready("Courier", child, lambda: greeting(port, b"* OK"))
    gates = (
        open_gate(premises.home / _OURS, house, Authdaemond),
        open_gate(b"\0" + watched.encode().ljust(_SOCKET_NAME, b"\0"), house, _HangUp),
    )
    return CourierServer(
        directory=directory, imap_port=port, child=child, house=house, gates=gates, root=root, environment=environment
    )


def _redirect(root: Path, premises: Premises) -> None:
    """Put a copy of the library into the premises that asks at a socket there: nobody else's is in the way, no root."""
    here = _OURS.encode().ljust(len(_SOCKET), b"\0")
    (library,) = (path for path in root.rglob("libcourierauth.so.*") if not path.is_symlink())
    octets = library.read_bytes()
    # compilers write those 31 octets as they are, or as two times 16 that overlap by one
    changed = octets.replace(_SOCKET, here).replace(_SOCKET[:16] + _SOCKET[15:], here[:16] + here[15:])
    if changed == octets:
        raise ServerUnavailableError("this Courier's library does not say where its socket is, in a way that we know")
    (premises.home / "libcourierauth.so.0").write_bytes(changed)
