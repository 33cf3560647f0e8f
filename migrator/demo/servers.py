"""Mail servers of our own on loopback, for `postwagen demo` and for the tests.

A server runs until `stop()`, until its `with` block ends or until this process ends, however it ends. It listens on
127.0.0.1 only, on ports that were free, and is ready (its greeting was read) when `start_…` returns. Passwords
stand in files of mode 0600, never in an argument list.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from migrator.demo.certificates import Certificate, make_certificate
from migrator.demo.children import Child, Program
from migrator.demo.dovecot import HOSTER_FOLDERS, Layout, Ports, account_line, configuration
from migrator.demo.premises import LOOPBACK, Premises, free_ports, program_path, take_premises

__all__ = [
    "Certificate",
    "DovecotServer",
    "LocalServer",
    "ServerUnavailableError",
    "dovecot_available",
    "dovecot_version",
    "free_ports",
    "make_certificate",
    "start_dovecot",
    "start_pymap",
]

HOSTS: Final = ("localhost", LOOPBACK, "mail.old.example", "mail.new.example")
"""Names that a server's certificate is made for unless the caller says otherwise."""

_READY_WITHIN: Final = 20.0


class ServerUnavailableError(RuntimeError):
    """The server is not installed or did not come up; the text says which, with the end of its log."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A running IMAP server.

    `imap_port` speaks clear text and, where there is a certificate, STARTTLS; `imaps_port` TLS from the first octet.
    `cafile` and `fingerprint` (`sha256:` and hexadecimal digits) are None without TLS.
    """

    directory: Path
    imap_port: int
    child: Child
    host: str = LOOPBACK
    imaps_port: int | None = None
    pop3_port: int | None = None
    pop3s_port: int | None = None
    cafile: Path | None = None
    fingerprint: str | None = None

    def stop(self) -> None:
        """End every process of it. May be called again."""
        self.child.stop()

    def log(self) -> str:
        """What the server has logged; still there after `stop()`."""
        return self.child.log()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DovecotServer(LocalServer):
    """A running Dovecot; accounts may be added to it at any time."""

    premises: Premises
    version: str

    def add_user(self, user: str, password: str) -> None:
        """Make an account (or set its password), usable at once. Its mailbox comes to be at the first login."""
        _write_account(self.premises, user, password)

    def mail_directory(self, user: str) -> Path:
        """Where that account's mail lies; it is there after the first login."""
        return self.premises.home / "mail" / user.lower()


# ------------------------------------------------------------------ Dovecot


@functools.cache
def dovecot_version() -> str | None:
    """`2.3.19.1`, or None if there is no Dovecot on this machine."""
    path = program_path("dovecot")
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return said.stdout.split()[0] if said.returncode == 0 and said.stdout.strip() else None


def dovecot_available() -> bool:
    """Whether `start_dovecot` can work here."""
    return dovecot_version() is not None


def start_dovecot(
    directory: Path,
    users: Mapping[str, str],
    *,
    separator: str = "/",
    prefix: str = "",
    tls: bool = True,
    quota_storage: str | None = None,
    special_use: bool | Mapping[str, str] = True,
    max_connections: int = 50,
    extra: str = "",
    imap_capability: str | None = None,
    pop3: bool = False,
    mail_format: str = "maildir",
    hosts: Sequence[str] = HOSTS,
    certificate: Certificate | None = None,
) -> DovecotServer:
    """Start a Dovecot of our own with the accounts `users` (name → password); its log and CA lie in `directory`.

    `prefix` such as `INBOX.` with `separator` `.` gives Courier's namespace. `quota_storage` such as `1M` limits every
    account. `special_use`: a hoster's five folders (True), none, or name → attribute. `imap_capability` replaces the
    announced capabilities (Dovecot still understands what it does not announce). `mail_format` is a key of
    `dovecot.MAIL_FORMATS`. `certificate` is used instead of a new one for `hosts`. `extra` ends the configuration.

    As root every process runs as nobody. When nobody could not reach `directory`, or when its path is too long for a
    socket, mail and sockets lie in a short directory of their own in /tmp, which is removed when the server ends.

    Raises ServerUnavailableError.
    """
    version = dovecot_version()
    if version is None:
        raise ServerUnavailableError("dovecot is not installed (Debian: apt-get install dovecot-imapd dovecot-pop3d)")
    directory.mkdir(parents=True, exist_ok=True)
    premises = take_premises(directory, "dovecot")
    for name in ("users", "mail", "run"):
        (premises.home / name).mkdir(exist_ok=True)
    installed = _install_certificate(directory, premises.home, hosts, certificate) if tls else None
    for user, password in users.items():
        _write_account(premises, user, password)
    layout = Layout(
        home=premises.home,
        owner=premises.owner,
        ports=_choose_ports(tls=tls, pop3=pop3),
        greeting=f"Dovecot ready. {secrets.token_hex(4)}",
        separator=separator,
        prefix=prefix,
        tls=tls,
        quota_storage=quota_storage,
        special_folders=_special_folders(special_use),
        max_connections=max_connections,
        extra=extra,
        imap_capability=imap_capability,
        mail_format=mail_format,
    )
    child = _launch_dovecot(directory, premises, layout, version)
    return _describe(directory, premises, layout, installed, child, version)


def _describe(
    directory: Path, premises: Premises, layout: Layout, installed: Certificate | None, child: Child, version: str
) -> DovecotServer:
    return DovecotServer(
        directory=directory,
        child=child,
        imap_port=layout.ports.imap,
        imaps_port=layout.ports.imaps,
        pop3_port=layout.ports.pop3,
        pop3s_port=layout.ports.pop3s,
        cafile=installed.cafile if installed else None,
        fingerprint=installed.fingerprint if installed else None,
        premises=premises,
        version=version,
    )


def _choose_ports(*, tls: bool, pop3: bool) -> Ports:
    imap, imaps, pop, pops = free_ports(4)
    return Ports(
        imap=imap,
        imaps=imaps if tls else None,
        pop3=pop if pop3 else None,
        pop3s=pops if pop3 and tls else None,
    )


def _launch_dovecot(directory: Path, premises: Premises, layout: Layout, version: str) -> Child:
    config = layout.home / "dovecot.conf"
    config.write_text(configuration(layout, version), encoding="utf-8")
    premises.hand_over()
    child = Child(
        Program(
            argv=(program_path("dovecot") or "dovecot", "-F", "-c", str(config)),
            log=directory / "dovecot.log",
            user=premises.owner.ids,
            directory=layout.home,
            grace=0.25,  # its master dawdles for a second; what it stored is stored all the same
            remove=premises.remove,
        )
    )
    _await_greeting("dovecot", child, layout.ports.imap, layout.greeting.encode())
    return child


def _special_folders(wish: bool | Mapping[str, str]) -> Mapping[str, str]:
    if isinstance(wish, bool):
        return HOSTER_FOLDERS if wish else {}
    return wish


def _install_certificate(directory: Path, home: Path, hosts: Sequence[str], given: Certificate | None) -> Certificate:
    found = given or make_certificate(directory, hosts)
    shutil.copy(found.certfile, home / "cert.pem")
    shutil.copy(found.keyfile, home / "key.pem")
    return found


def _write_account(premises: Premises, user: str, password: str) -> None:
    """Whole or not at all: the server may be reading."""
    content = account_line(user, password)
    fresh = premises.home / "users" / f".{secrets.token_hex(8)}"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    premises.hand_over(fresh)
    fresh.rename(fresh.with_name(user.lower()))


# ------------------------------------------------------------------ pymap


def start_pymap(directory: Path, user: str, password: str) -> LocalServer:
    """Start pymap, an IMAP server from PyPI, with one account and an empty mailbox that lives in memory only.

    No TLS. It lacks NAMESPACE, QUOTA, SPECIAL-USE, CONDSTORE and ENABLE. Raises ServerUnavailableError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    arguments = directory / f"pymap-{secrets.token_hex(4)}.args"
    wish = ["--host", LOOPBACK, "--port", str(port), "--no-tls", "dict"]
    wish += [f"--demo-user={user}", f"--demo-password={password}"]
    with open(os.open(arguments, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(line.replace("$", "$$") + "\n" for line in wish))
    run = "from pymap.main import main; main()"
    child = Child(Program(argv=(sys.executable, "-c", run, f"@{arguments}"), log=directory / "pymap.log", grace=1.0))
    try:
        _await_greeting("pymap", child, port, b"* OK")
    finally:
        arguments.unlink()  # read by now; the password has no business there any longer
    return LocalServer(directory=directory, imap_port=port, child=child)


# ------------------------------------------------------------------ readiness


def _await_greeting(name: str, child: Child, port: int, expected: bytes) -> None:
    """Return once the server's greeting contains `expected`; else stop it and raise ServerUnavailableError."""
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and not child.ended(within=0.01):
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1.0) as connection:
            connection.settimeout(_READY_WITHIN)
            if expected in _first_line(connection) and not child.ended():
                return
    child.stop()
    raise ServerUnavailableError(f"{name} did not come up: {child.log()[-2000:].strip() or 'it said nothing'}")


def _first_line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.readline(4096)
