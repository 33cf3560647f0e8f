"""Other tools on the same two accounts, each as well set as its manual knows: mbsync, dsync, a naive copier, imapsync.

Passwords stand in files of mode 0600. A state directory belongs to one pair of accounts, so that a second run is a
delta.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.watching import Cost, watched
from migrator.demo.premises import program_path
from migrator.demo.servers import DovecotServer, dovecot_version
from tests.servers.fixtures import Account

IMAPSYNC = os.environ.get("IMAPSYNC", "")
"""Where it is, if it is to take part."""


@dataclass(frozen=True, slots=True)
class End:
    """An account, and the port behind which its server is reached: its own, or that of a long line."""

    server: DovecotServer
    account: Account
    port: int

    @property
    def url(self) -> str:
        """For our command."""
        return f"imaps://{quote(self.account.user, safe='')}@localhost:{self.port}?cafile={self.server.cafile}"

    def as_json(self) -> dict[str, str | int]:
        """For `bench.naive`."""
        return {
            "host": "localhost", "port": self.port, "cafile": str(self.server.cafile), "user": self.account.user,
            "password": self.account.password,
        }  # fmt: skip


Copy = Callable[[End, End, Path], Cost]
"""From, to, and a directory that is this pair's and stays."""


def naive(source: End, target: End, state: Path) -> Cost:
    """One message after the other; TCP_NODELAY is not set, as IMAPClient leaves it."""
    return _naive(source, target, state, nodelay=False)


def naive_nodelay(source: End, target: End, state: Path) -> Cost:
    """The same with TCP_NODELAY."""
    return _naive(source, target, state, nodelay=True)


def _naive(source: End, target: End, state: Path, *, nodelay: bool) -> Cost:
    wish = {"source": source.as_json(), "target": target.as_json(), "nodelay": nodelay}
    return watched([sys.executable, "-m", "bench.naive", str(_secret(state / "naive.json", json.dumps(wish)))])


def mbsync(source: End, target: End, state: Path) -> Cost:
    """isync without compression, which costs it three quarters of its speed on a short line."""
    stores = "".join(
        f'IMAPAccount {name}\nHost localhost\nPort {end.port}\nUser {end.account.user}\nPass "{end.account.password}"\n'
        f"SSLType IMAPS\nCertificateFile {end.server.cafile}\nDisableExtension COMPRESS=DEFLATE\n\n"
        f"IMAPStore {name}\nAccount {name}\n\n"
        for name, end in (("old", source), ("new", target))
    )
    channel = "Channel all\nFar :old:\nNear :new:\nPatterns *\nCreate Near\nSync Pull\nCopyArrivalDate yes\n"
    config = _secret(state / "mbsyncrc", f"{stores}{channel}SyncState {state}/mbsync/\n")
    (state / "mbsync").mkdir(exist_ok=True)
    return watched([str(program_path("mbsync")), "--config", str(config), "--quiet", "all"])


def dsync(source: End, target: End, state: Path) -> Cost:
    """`doveadm backup` beside the new server: it writes the storage itself, without IMAP."""
    premises = target.server.premises
    authorities = premises.home / "old-ca.pem"
    shutil.copy(str(source.server.cafile), authorities)
    premises.hand_over(authorities)  # who reads it is not we
    lines = [
        f"!include {premises.home}/dovecot.conf", "mail_prefetch_count = 20",
        "imapc_features = rfc822.size fetch-headers", "imapc_host = localhost", f"imapc_port = {source.port}",
        "imapc_ssl = imaps", f"imapc_user = {source.account.user}", f"imapc_password = {source.account.password}",
        f"ssl_client_ca_file = {authorities}",
    ]  # fmt: skip
    config = _secret(state / "dsync.conf", "\n".join(lines) + "\n")
    command = [str(program_path("doveadm")), "-c", str(config), "backup", "-R", "-u", target.account.user, "imapc:"]
    return watched(command)


def imapsync(source: End, target: End, state: Path) -> Cost:
    """With its defaults."""
    command = [IMAPSYNC, "--nolog", "--tmpdir", str(state)]
    for number, end in ((1, source), (2, target)):
        secret = _secret(state / f"password{number}", end.account.password + "\n")
        command += [f"--host{number}", "localhost", f"--port{number}", str(end.port), f"--ssl{number}"]
        command += [f"--user{number}", end.account.user, f"--passfile{number}", str(secret)]
        command += [f"--sslargs{number}", f"SSL_ca_file={end.server.cafile}"]
    return watched(command)


def _secret(path: Path, content: str) -> Path:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    return path


def versions() -> str:
    """Who takes part."""
    said = [_said(str(program_path("mbsync")), "--version").replace("isync", "mbsync")]
    said += [f"dsync of Dovecot {dovecot_version()}"]
    said += [f"imapsync {_said(IMAPSYNC, '--version')}"] if IMAPSYNC else []
    return ", ".join(said)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split("\n")[0]
