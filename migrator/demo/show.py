"""`postwagen demo`: a mailbox is archived, its old server ends, the archive is played in and proven; over the API."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from migrator.demo.children import end_with_parent
from migrator.demo.filling import fill
from migrator.demo.servers import LocalServer, dovecot_available, free_ports, start_dovecot, start_pymap
from migrator.errors import ConnectError, Defect, PostwagenError
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.registry import open_target
from migrator.settings import Settings, child_environment, load

OLD_USER, NEW_USER = "info@mueller-soehne.example", "info@mueller-soehne.example"
ENDED = ("succeeded", "incomplete", "failed", "blocked", "cancelled")
START_SECONDS = 60.0
JOB_SECONDS = 300.0
_RESERVE_MB = 50
"""A demo may run on a small disk."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The two mail servers and what opens them."""

    old: LocalServer
    new: LocalServer
    old_password: str
    new_password: str
    kind: str

    def endpoint(self, which: str) -> dict[str, Any]:
        """One end as the API takes it."""
        server = self.old if which == "old" else self.new
        password = self.old_password if which == "old" else self.new_password
        end: dict[str, Any] = {"protocol": "imap", "host": "localhost", "user": OLD_USER, "password": password}
        end |= {"address": "127.0.0.1"}
        if server.imaps_port:
            pem = Path(server.cafile).read_text(encoding="ascii") if server.cafile else None
            return end | {"port": server.imaps_port, "security": "tls", "ca_pem": pem}
        return end | {"port": server.imap_port, "security": "none"}


@contextlib.contextmanager
def mail_servers(directory: Path) -> Iterator[Servers]:
    """Dovecot where it is installed, else pymap from PyPI; both vanish with us."""
    import secrets

    passwords = secrets.token_urlsafe(9), secrets.token_urlsafe(9)
    with contextlib.ExitStack() as stack:
        ends: list[LocalServer] = []
        for name, password in zip(("old", "new"), passwords, strict=True):
            place = directory / name
            place.mkdir()
            if dovecot_available():
                style: dict[str, Any] = {"prefix": "INBOX.", "separator": ".", "special_use": False}
                ends.append(start_dovecot(place, {OLD_USER: password}, **(style if name == "old" else {})))
            else:
                ends.append(start_pymap(place, OLD_USER, password))
            stack.callback(ends[-1].stop)
        kind = "Dovecot" if dovecot_available() else "pymap"
        yield Servers(ends[0], ends[1], *passwords, kind)


class Service:
    """The service as a child process, and its API."""

    def __init__(self, settings: Settings, port: int, token: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._token = token
        self._log = (settings.data_dir / "serve.log").open("wb")
        command = [sys.executable, "-m", "migrator.cli", "serve", "--port", str(port)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=child_environment(settings),
            preexec_fn=end_with_parent,  # noqa: PLW1509 - it calls prctl and nothing else
        )  # fmt: skip

    def wait_ready(self) -> None:
        """Until /readyz says so. Raises Defect with the end of the log."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._child.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer,  # noqa: S310 - loopback
            ):
                if answer.status == 200:
                    return
            time.sleep(0.2)
        self._log.flush()
        tail = Path(self._log.name).read_text(encoding="utf-8", errors="replace")[-1500:]
        raise Defect("The service did not start.", detail=tail)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request to the API."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                shown: dict[str, Any] = json.load(answer)
                return shown
        except urllib.error.HTTPError as error:
            raise Defect(f"The API refused {method} {path}.", detail=error.read(2000).decode()) from None
        except OSError as error:
            raise ConnectError("The service does not answer.", detail=str(error)) from None

    def stop(self) -> None:
        """As Ctrl-C would."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(30)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._log.close()


def _follow(service: Service, job: dict[str, Any], title: str, console: Console) -> dict[str, Any]:
    """Show live progress until the job has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    deadline = time.monotonic() + JOB_SECONDS
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=None)
        while job["state"] not in ENDED:
            if time.monotonic() > deadline:
                raise Defect("The job does not end.", detail=json.dumps(job)[:1000])
            numbers = job["messages"]
            done = sum(numbers[name] for name in ("copied", "already_there", "skipped", "failed"))
            progress.update(task, completed=done, total=numbers["found"] or None)
            time.sleep(0.25)
            job = service.call("GET", f"/jobs/{job['id']}")
        progress.update(task, completed=job["messages"]["found"], total=job["messages"]["found"])
    return job


def run(*, keep: bool, console: Console) -> int:
    """The whole show; the exit code."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended like Ctrl-C: nothing stays behind
    directory = Path(tempfile.mkdtemp(prefix="postwagen-demo-"))
    try:
        with mail_servers(directory) as servers:
            return _show(directory, servers, keep, console, began)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _show(directory: Path, servers: Servers, keep: bool, console: Console, began: float) -> int:
    console.print(
        f"Two {servers.kind} servers run on loopback: old {servers.old.imap_port}, new {servers.new.imap_port}."
    )
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    number = _fill(servers, until)
    console.print(f"The old one holds {number} messages of {OLD_USER}.")
    settings = load(
        data_dir=directory / "data", allowed_networks=(ip_network("127.0.0.0/8"),), archive_reserve_mb=_RESERVE_MB
    )
    service = Service(settings, free_ports(1)[0], _token(settings))
    try:
        service.wait_ready()
        console.print(f"The service runs at {service.url}.")
        jobs = _transfer(servers, service, console)
        console.print(_table(jobs[1], jobs[2]))
        return _conclude(settings, service, jobs, console, keep, time.monotonic() - began)
    finally:
        service.stop()


def _transfer(servers: Servers, service: Service, console: Console) -> list[dict[str, Any]]:
    """Archived before, the old server gone, played in after, proven: the three jobs as they ended."""
    archived = service.call("POST", "/jobs", {"kind": "archive", "source": servers.endpoint("old")})
    archived = _follow(service, archived, "archiving ", console)
    servers.old.stop()
    console.print("The domain has moved: the old server is gone.")
    ends = {
        "source": {"protocol": "archive", "archive": archived["target"]["archive"]},
        "target": servers.endpoint("new"),
    }
    played = service.call("POST", "/jobs", {"kind": "play-in", **ends})
    played = _follow(service, played, "playing in", console)
    proof = service.call("POST", "/jobs", {"kind": "verify", **ends, "options": {"level": "digests"}})
    return [archived, played, _follow(service, proof, "verifying ", console)]


def _conclude(
    settings: Settings,
    service: Service,
    jobs: Sequence[dict[str, Any]],
    console: Console,
    keep: bool,
    seconds: float,
) -> int:
    archived, job, proof = jobs
    fine = all(one["state"] == "succeeded" for one in jobs)
    if fine:
        proven = proof["messages"]["already_there"]
        console.print(f"Every one of {proven} messages was read back and compared by SHA-256: equal. {seconds:.0f} s.")
    else:
        states = ", ".join(f"{one['kind']} {one['state']}" for one in jobs)
        errors = " ".join(one["error"]["message"] for one in jobs if one["error"])
        console.print(f"Something differs: {states}. {errors}")
    page = f"{service.url}/archives/{archived['target']['archive']} and {service.url}/jobs/{job['id']}"
    console.print(f"On the web: {page}" + ("" if keep else "  (make demo KEEP=1 keeps it open)"))
    if keep:
        console.print(f"Log in by this link, once: {_first_link(settings, service)}")
        console.print("Ctrl-C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0 if fine else 1


def _fill(servers: Servers, until: datetime) -> int:
    raw = servers.endpoint("old")
    end = Endpoint(
        protocol="imap",
        host=raw["host"],
        port=raw["port"],
        security=raw["security"],
        user=raw["user"],
        credential=lambda: servers.old_password,
        address=raw["address"],
        ca_pem=raw.get("ca_pem"),
    )
    target = open_target(end, lambda: False, None)
    try:
        return fill(target, until)
    except PostwagenError as error:
        error.end = "source"
        raise
    finally:
        target.close()


def _token(settings: Settings) -> str:
    from migrator.accounts import operations
    from migrator.db.store import Database

    db = Database(settings.database_url)
    db.upgrade()
    try:
        return operations.create_token(db, "demo")
    finally:
        db.dispose()


def _first_link(settings: Settings, service: Service) -> str:
    from migrator.accounts import operations
    from migrator.db.store import Database

    db = Database(settings.database_url)
    try:
        return f"{service.url}/setup/{operations.create_link(db, None)}"
    finally:
        db.dispose()


def _table(job: dict[str, Any], proof: dict[str, Any]) -> Table:
    proven = {item["source"]: item["already_there"] for item in proof["folders"]}
    table = Table(title="What was carried", title_justify="left", header_style="bold")
    for name in ("old folder", "new folder"):
        table.add_column(name)
    for name in ("found", "carried", "proven"):
        table.add_column(name, justify="right")
    for item in job["folders"]:
        numbers = (item["found"], item["copied"], proven.get(item["source"], 0))
        table.add_row(item["source"], item["target"] or "", *map(str, numbers))
    numbers = job["messages"]
    total = (numbers["found"], numbers["copied"], sum(proven.values()))
    table.add_section()
    table.add_row("all", "", *map(str, total))
    return table
