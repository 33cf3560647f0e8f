"""However we end, no server process outlives us."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.demo.servers import start_dovecot
from tests.servers.clients import logged_in
from tests.servers.fixtures import Account

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
pytestmark = [pytest.mark.servers, linux_only]

_PARENT = """
import os, sys
from pathlib import Path
from migrator.demo.servers import start_dovecot, start_pymap
from tests.servers.running import start_postgres, start_redis
where = Path(sys.argv[1])
start = {
    "dovecot": lambda: start_dovecot(where, {"alice": "secret"}),
    "pymap": lambda: start_pymap(where, "alice", "secret"),
    "postgres": lambda: start_postgres(where),
    "redis": lambda: start_redis(where),
}[sys.argv[2]]
server = start()
home = getattr(server, "premises", None) and server.premises.home
print(server.child.keeper_pid, getattr(server, "imap_port", 0), home, flush=True)
if sys.argv[3:] and os.fork() == 0:
    os.read(0, 1)  # this one lives as long as the test lets it
    os._exit(0)
sys.stdin.read()
"""


@contextlib.contextmanager
def _running_parent(where: Path, kind: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], int, int, Path]]:
    """Another process that has started a server; its keeper's id, the server's port and home."""
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(where), kind, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
    )
    with parent:
        assert parent.stdout is not None
        said = parent.stdout.readline().split()
        assert said, "the parent failed to start the server"
        try:
            yield parent, int(said[0]), int(said[1]), Path(said[2])
        finally:
            parent.kill()


def _session(leader: int) -> dict[int, str]:
    """The processes of a session with their command lines."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader and _is_alive(entry):
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def _is_alive(process: Path) -> bool:
    """Not only an exit code that nobody has collected yet (some containers' first process never does)."""
    return (process / "stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}


@contextlib.contextmanager
def _all_end_in_this_block(pids: list[int], within: float = 10.0) -> Iterator[None]:
    descriptors: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # ended by itself meanwhile
            descriptors[os.pidfd_open(pid)] = pid
    try:
        yield
        deadline = time.monotonic() + within
        waiting = set(descriptors)
        while waiting and time.monotonic() < deadline:
            waiting -= set(select.select(list(waiting), [], [], deadline - time.monotonic())[0])
        assert not waiting, f"still running: {[descriptors[each] for each in waiting]}"
    finally:
        for each in descriptors:
            os.close(each)


@pytest.mark.parametrize("kind", ["dovecot", "pymap", "postgres", "redis"])
def test_a_parent_killed_with_9_leaves_nothing_running(tmp_path: Path, kind: str) -> None:
    with _running_parent(tmp_path / "s", kind) as (parent, keeper, port, home), contextlib.ExitStack() as stack:
        if port:  # a busy server dies harder than an idle one
            stack.enter_context(logged_in(port, Account("alice", "secret")))
        there = _session(keeper)
        assert len(there) >= 2
        assert not [line for line in there.values() if "secret" in line]
        with _all_end_in_this_block(list(there)):
            parent.send_signal(signal.SIGKILL)
    assert not _session(keeper)
    assert home.is_relative_to(tmp_path) or not home.exists()


def test_a_forked_sister_does_not_keep_the_server_alive(tmp_path: Path) -> None:
    with (
        _running_parent(tmp_path / "s", "redis", "fork") as (parent, keeper, _port, _home),
        _all_end_in_this_block(list(_session(keeper))),
    ):
        parent.send_signal(signal.SIGKILL)


def test_a_killed_keeper_takes_its_server_along(tmp_path: Path) -> None:
    with (
        _running_parent(tmp_path / "s", "dovecot") as (_, keeper, _port, home),
        _all_end_in_this_block(list(_session(keeper))),
    ):
        os.kill(keeper, signal.SIGKILL)
    shutil.rmtree(home)  # the keeper would have done it


def test_stop_returns_when_all_is_gone_and_can_be_repeated(tmp_path: Path) -> None:
    server = start_dovecot(tmp_path, {"alice": "secret"})
    there = _session(server.child.keeper_pid)
    assert len(there) > 3
    with logged_in(server.imap_port, Account("alice", "secret")):
        server.stop()
    assert not _session(server.child.keeper_pid)
    assert server.child.ended()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.imap_port), 5)
