"""PostgreSQL, Redis and Chromium for tests: private instances on loopback that end with us.

The mail servers are `migrator.demo.servers`: the demo needs them too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import psycopg

from migrator.demo.children import Child, Program
from migrator.demo.premises import LOOPBACK, Premises, free_ports, program_path, take_premises
from migrator.demo.servers import ServerUnavailableError

_READY_WITHIN: Final = 20.0
_SAFE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Postgres:
    """A private cluster that trusts whoever comes over loopback; nothing in it survives."""

    port: int
    child: Child

    def url(self, database: str) -> str:
        """As SQLAlchemy wants it."""
        return f"postgresql+psycopg://app@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """A new database, empty or a copy of another one that nobody is connected to; its name."""
        if not _SAFE_NAME.match(template):
            raise ValueError(f"not a database of ours: {template!r}")
        name = f"t_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected to it."""
        if not _SAFE_NAME.match(name):
            raise ValueError(f"not a database of ours: {name!r}")
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with _connect(self.port) as connection:
            connection.execute(statement.encode())

    def log(self) -> str:
        return self.child.log()

    def stop(self) -> None:
        self.child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclasses.dataclass(frozen=True, slots=True)
class Redis:
    """A private Redis without persistence."""

    port: int
    child: Child

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def flush(self) -> None:
        """Forget everything."""
        answer = _ask_redis(self.port, b"FLUSHALL\r\n")
        if answer != b"+OK\r\n":
            raise ServerUnavailableError(f"redis would not forget: {answer!r}")

    def log(self) -> str:
        return self.child.log()

    def stop(self) -> None:
        self.child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# ------------------------------------------------------------------ PostgreSQL


def postgres_program(name: str) -> str | None:
    """`initdb` or `postgres`, of the newest version that Debian's packages or Homebrew installed."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/opt/homebrew/opt").glob("postgresql@*/bin")]
    newest = sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", str(path))], reverse=True)
    return program_path(name, *map(str, newest))


def start_postgres(directory: Path, **other: str) -> Postgres:
    """Make a cluster and start it; unsafe and fast, but for `other` settings. Raises ServerUnavailableError."""
    initdb, postgres = postgres_program("initdb"), postgres_program("postgres")
    if initdb is None or postgres is None:
        raise ServerUnavailableError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    directory.mkdir(parents=True, exist_ok=True)
    premises = take_premises(directory, "postgres")
    data = premises.home / "data"
    _make_cluster(initdb, data, premises)
    (port,) = free_ports(1)
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "port": str(port),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "32MB",
        "autovacuum": "off",
        "log_min_messages": "warning",
        **other,
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    child = Child(
        Program(
            argv=(postgres, "-D", str(data), *arguments),
            log=directory / "postgres.log",
            user=premises.owner.ids,
            directory=premises.home,
            end_signal=signal.SIGQUIT,  # at once; there is nothing to keep
            remove=premises.home,
        )
    )
    await_ready("PostgreSQL", child, lambda: _connect(port).close())
    return Postgres(port, child)


def _make_cluster(initdb: str, data: Path, premises: Premises) -> None:
    who = premises.owner.ids
    made = subprocess.run(
        [initdb, "-D", str(data), "-A", "trust", "-U", "app", "-E", "UTF8", "--locale=C", "--no-sync"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=premises.home,
        user=who[0] if who else None,
        group=who[1] if who else None,
        extra_groups=[] if who else None,
    )
    if made.returncode:
        shutil.rmtree(premises.home, ignore_errors=True)
        raise ServerUnavailableError(f"initdb failed: {made.stderr[-2000:]}")


def _connect(port: int) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=LOOPBACK, port=port, user="app", dbname="postgres", autocommit=True, connect_timeout=5)


# ------------------------------------------------------------------ Redis


def start_redis(directory: Path) -> Redis:
    """Raises ServerUnavailableError."""
    program = program_path("redis-server") or program_path("valkey-server")
    if program is None:
        raise ServerUnavailableError("Redis is not installed (Debian: apt-get install redis-server)")
    directory.mkdir(parents=True, exist_ok=True)
    premises = take_premises(directory, "redis")
    (port,) = free_ports(1)
    child = Child(
        Program(
            argv=(program, "--bind", LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"),
            log=directory / "redis.log",
            user=premises.owner.ids,
            directory=premises.home,
            remove=premises.home,
        )
    )
    await_ready("redis", child, lambda: _ask_redis(port, b"PING\r\n"))
    return Redis(port, child)


def _ask_redis(port: int, command: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, port), 5) as connection, connection.makefile("rb") as answers:
        connection.sendall(command)
        return answers.readline(1024)


# ------------------------------------------------------------------ Chromium, readiness


def chromium_path() -> str | None:
    """Where a Chromium lies that Playwright can drive."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := program_path(name))), None)


def await_ready(name: str, child: Child, attempt: Callable[[], object]) -> None:
    """Return once `attempt` raises nothing; else stop the child and raise ServerUnavailableError."""
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and not child.ended(within=0.01):
        with contextlib.suppress(OSError, psycopg.OperationalError):
            attempt()
            if not child.ended():
                return
    child.stop()
    raise ServerUnavailableError(f"{name} did not come up: {child.log()[-2000:].strip() or 'it said nothing'}")


def greeting(port: int, expected: bytes) -> None:
    """Raises OSError unless the server there greets with that."""
    with socket.create_connection((LOOPBACK, port), 5) as connection, connection.makefile("rb") as answers:
        if not answers.readline(4096).startswith(expected):
            raise OSError("no greeting")
