"""`postwagen serve`: everything on this machine in one command, and nothing left running afterwards.

Prepares the data directory, the key file and the tables, then supervises embedded broker, worker, beat and web.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from migrator import logs
from migrator.accounts import operations, queries
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import Defect, UsageError
from migrator.settings import PREFIX, Settings, child_environment
from migrator.supervisor import Part, Supervisor

log = structlog.get_logger(__name__)

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8025
LOCK_NAME: Final = "serve.lock"
_BROKER_READY_WITHIN: Final = 30.0
_WORKER_GRACE: Final = 45.0
"""The worker stops after the message in hand; whatever is cut off then is resumed by its lease."""
_EVERYWHERE: Final = {"": DEFAULT_HOST, "0.0.0.0": DEFAULT_HOST, "::": "::1"}  # noqa: S104 - compared, never bound


def serve(settings: Settings, *, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, only: str | None = None) -> int:
    """Run until Ctrl-C or SIGTERM. Returns 0, or 130 when a second Ctrl-C cut it short. Port 0: any free one.

    `only` one of web, worker, beat: the other parts run elsewhere, on the same database and broker.

    Raises UsageError: data directory not writable, another serve on it, port in use, database out of reach.
    """
    logs.configure(settings, part="serve")
    os.umask(0o077)
    if only is not None and settings.broker_url is None:
        raise UsageError(
            f"--only {only} needs a broker that the other parts reach too.", hint="Set POSTWAGEN_BROKER_URL to a Redis."
        )
    with _data_directory(settings.data_dir, alone=only is None):
        if only in (None, "web"):
            port = free_port(host, port)
        Vault.open(settings.secret_key_file, create=only is None)  # parts on several machines must share one
        db = Database(settings.database_url)
        db.upgrade()
        db.dispose()
        with Supervisor(child_environment(settings), as_json=settings.log_format == "json") as supervisor:
            if settings.broker_url is None and not _start_broker(supervisor):
                return 0
            for part in parts(host, port):
                if only in (None, part.name):
                    supervisor.start(part)
            patient = supervisor.run(
                ready=lambda: only in ("worker", "beat") or _answers(host, port),
                on_ready=lambda: announce(settings, host, port, only),
            )
    return 0 if patient else 130


def parts(host: str, port: int) -> list[Part]:
    """What runs beside the broker, in the order in which it is started."""
    return [
        Part("worker", _python("worker.main", "worker"), stops_at=2, grace=_WORKER_GRACE),
        Part("beat", _python("worker.main", "beat"), stops_at=1),
        Part("web", _python("web.main", "--host", host, "--port", str(port)), stops_at=1),
    ]


def _python(module: str, *arguments: str) -> list[str]:
    """A module as a program. -P: the directory that we happen to be started in is no place to import from."""
    return [sys.executable, "-P", "-m", module, *arguments, "--lifeline", "{lifeline}"]


# ---- before anything is started ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _data_directory(directory: Path, *, alone: bool) -> Iterator[None]:
    """Ours alone while we run, where an embedded broker and SQLite live in it; several parts may share it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(directory / LOCK_NAME, "a+", encoding="ascii")  # noqa: SIM115 - held as long as we run
    except OSError as error:
        raise UsageError(f"The data directory {directory} cannot be written: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"Another `postwagen serve` is running on the data directory {directory}.",
                hint="Stop it, or name another directory with --data-dir.",
            ) from None
        yield


def free_port(host: str, port: int) -> int:
    """The port, if we may listen there. Raises UsageError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror:
        raise UsageError(f"{host} is no address of this machine.") from None
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {host} port {port}: {error.strerror}.", hint="Name another one with --port."
        ) from None


# ---- while it runs -------------------------------------------------------------------------------------------------


def _start_broker(supervisor: Supervisor) -> bool:
    """Start the embedded broker and tell the others where it is. False: we were told to stop meanwhile."""
    reading, writing = os.pipe()
    try:
        command = _python("worker.main", "broker")
        chosen = free_port(DEFAULT_HOST, 0)
        broker = Part("broker", [*command, "--port", str(chosen)], stops_at=3)
        supervisor.start(broker, pass_also=[writing], extra=["--ready", str(writing)])
        os.close(writing)
        said = supervisor.wait_for(reading, _BROKER_READY_WITHIN)
    finally:
        os.close(reading)
    if not said and not supervisor.stopping:
        raise Defect("The embedded broker did not start.", hint="Its own words stand above.")
    supervisor.set_environment(f"{PREFIX}BROKER_URL", f"redis://{DEFAULT_HOST}:{chosen}/0")
    return not supervisor.stopping


def _answers(host: str, port: int) -> bool:
    """Whether the pages are there."""
    with contextlib.suppress(OSError), socket.create_connection((_EVERYWHERE.get(host, host), port), timeout=1):
        return True
    return False


def announce(settings: Settings, host: str, port: int, only: str | None) -> None:
    """Say where it runs and, as long as nobody has an account, where the first one is made. On standard output."""
    if only in ("worker", "beat"):
        log.info("runs", only=only)
        return
    shown = _EVERYWHERE.get(host, host)
    here = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    lines = [f"Postwagen runs at {settings.public_url or here}"]
    db = Database(settings.database_url)
    if not queries.has_users(db):
        token = operations.create_link(db, None, hours=24)
        lines += ["", "There is no account yet. Make the first one here, within 24 hours:"]
        lines += [f"    {settings.public_url or here}/setup/{token}"]
    db.dispose()
    lines += ["", f"Data: {settings.data_dir}. Ctrl-C stops everything."]
    with contextlib.suppress(OSError):  # nobody may be reading
        print("\n".join(lines), flush=True)  # noqa: T201 - for the person who typed the command
