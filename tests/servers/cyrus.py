"""A Cyrus of our own on loopback, from packages that are unpacked and not installed (tools/test_servers.py)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from migrator.demo.children import Child, Program
from migrator.demo.premises import LOOPBACK, free_ports, take_premises
from migrator.demo.servers import LocalServer
from tests.servers.accounts import Account
from tests.servers.gatekeeper import Gatekeeper, House, Saslauthd, close_gate, open_gate
from tests.servers.mailboxes import Client
from tests.servers.running import await_ready, greeting
from tests.servers.unpacked import programs, shelf

_ADMIN: Final = Account("cyrus", "of this test only")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CyrusServer(LocalServer):
    """A running Cyrus; accounts may be added to it at any time. `separator` stands between the levels of a name."""

    house: House
    gate: Gatekeeper
    separator: str

    def add_user(self, user: str, password: str) -> None:
        """Make an account with an empty inbox."""
        self.house.people[user] = password
        with Client(self.imap_port, _ADMIN) as admin:
            admin.create(self._root(user))

    def set_quota(self, user: str, kilobytes: int) -> None:
        """Allow that mailbox so much, at once."""
        with Client(self.imap_port, _ADMIN) as admin:
            admin.tell(f'SETQUOTA "{self._root(user)}" (STORAGE {kilobytes})'.encode())

    def _root(self, user: str) -> str:
        """An inbox as the administrator sees it. With `.` no local part of an address can hold a dot."""
        return f"user{self.separator}{user}"

    def stop(self) -> None:
        self.child.stop()
        close_gate(self.gate)


def start_cyrus(directory: Path, *, separator: str = "/", beside_inbox: bool = True) -> CyrusServer:
    """Start it without accounts. `beside_inbox` (altnamespace): folders lie beside the inbox, else all below it.

    Raises ServerUnavailableError.
    """
    where = shelf("cyrus")
    directory.mkdir(parents=True, exist_ok=True)
    premises = take_premises(directory, "cyrus")
    root, environment = programs(where, premises, {})
    home = premises.home
    for name in ("socket", "lock", "proc"):
        (home / name).mkdir(exist_ok=True)
    (port,) = free_ports(1)
    (home / "imapd.conf").write_text(
        f"""configdirectory: {home}
partition-default: {home}/spool
defaultpartition: default
cyrus_user: {premises.owner.user}
admins: {_ADMIN.user}
virtdomains: userid
unixhierarchysep: {"yes" if separator == "/" else "no"}
altnamespace: {"yes" if beside_inbox else "no"}
allowplaintext: yes
failedloginpause: 0
sasl_mech_list: PLAIN LOGIN
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {home}/socket/mux
skiplist_unsafe: yes
"""
    )
    (home / "cyrus.conf").write_text(
        f"""START {{
  recover cmd="{root}/usr/lib/cyrus/bin/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{root}/usr/lib/cyrus/bin/imapd -C {home}/imapd.conf" listen="{LOOPBACK}:{port}" prefork=1
}}
EVENTS {{
}}
"""
    )
    premises.hand_over()
    house = House(premises, {_ADMIN.user: _ADMIN.password})
    master = [f"{root}/usr/lib/cyrus/bin/master", "-D", "-C", f"{home}/imapd.conf"]
    child = Child(
        Program(
            argv=(*environment, *master, "-M", f"{home}/cyrus.conf", "-p", f"{home}/master.pid"),
            log=directory / "cyrus.log",
            user=premises.owner.ids,
            directory=home,
            remove=premises.remove,
        )
    )
    await_ready("Cyrus", child, lambda: greeting(port, b"* OK"))
    gate = open_gate(home / "socket" / "mux", house, Saslauthd)
    return CyrusServer(directory=directory, imap_port=port, child=child, house=house, gate=gate, separator=separator)
