"""The product as it is started by `postwagen serve`, and the gallery's pages, each on a free port of loopback."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

from werkzeug.serving import make_server

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.demo.premises import free_ports
from migrator.settings import Settings, child_environment, load
from tests.web import gallery
from web import create_app


@dataclasses.dataclass(frozen=True)
class Serving:
    """A running `postwagen serve`."""

    url: str
    setup: str
    """The one-time link that it printed."""


@contextlib.contextmanager
def serve(data_dir: Path) -> Iterator[Serving]:
    """Everything in one command, as an operator starts it; ended as Ctrl-C does."""
    (port,) = free_ports(1)
    settings = load({}, data_dir=data_dir, allowed_networks=(ip_network("127.0.0.0/8"),))
    settings = dataclasses.replace(settings, sweep_seconds=1, hoster_name="Nordhafen Hosting")
    command = [sys.executable, "-P", "-m", "migrator.cli", "serve", "--port", str(port)]
    data_dir.mkdir(parents=True)
    with (
        (data_dir / "log").open("w") as log,
        subprocess.Popen(
            command, env=child_environment(settings), stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                assert line, f"it ended: {said}{(data_dir / 'log').read_text()}"
                said += line
            link = re.search(r"http://\S+(/setup/\S+)", said)
            assert link, said
            yield Serving(f"http://127.0.0.1:{port}", link.group(1))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclasses.dataclass(frozen=True)
class Exhibition:
    """The gallery, served by this process."""

    url: str
    shown: gallery.Gallery


@contextlib.contextmanager
def exhibit(settings: Settings, database: Database, vault: Vault) -> Iterator[Exhibition]:
    """Jobs in every state, behind the real application."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    named = dataclasses.replace(
        settings, public_url=url, hoster_name="Nordhafen Hosting", hoster_contact="hilfe@nordhafen.example"
    )
    shown = gallery.fill(database, vault, named, archives=True)
    app = create_app(
        named, db=database, vault=vault, enqueue=lambda _: None, probe=gallery.fake_probe, advise=gallery.fake_advise
    )
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Exhibition(url, shown)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
