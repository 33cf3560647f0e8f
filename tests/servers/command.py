"""The `postwagen` command as a process: started, watched, killed, and what it said and cost."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import quote

from migrator.cli import main
from migrator.demo.servers import LocalServer
from tests.servers.fixtures import Account
from tests.servers.proxy import FaultProxy

ROOT: Final = Path(__file__).parents[2]


def url(where: LocalServer | FaultProxy | int, account: Account, *, query: str = "") -> str:
    """`imaps://` to a server with TLS; clear text to a proxy, to a server without TLS or to a bare port."""
    user = quote(account.user, safe="")
    if isinstance(where, LocalServer) and where.imaps_port:
        extra = f"&{query}" if query else ""
        return f"imaps://{user}@localhost:{where.imaps_port}?cafile={where.cafile}{extra}"
    port = where if isinstance(where, int) else where.port if isinstance(where, FaultProxy) else where.imap_port
    return f"imap://{user}@127.0.0.1:{port}?security=none" + (f"&{query}" if query else "")


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Ran:
    """How the command ended. A negative code is a signal."""

    code: int
    out: str
    err: str
    seconds: float
    peak_mb: float

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be exactly one JSON object on one line."""
        lines = self.out.splitlines()
        assert len(lines) == 1, (self.code, self.out[:2000], self.err[:2000])
        shown = json.loads(lines[0])
        assert isinstance(shown, dict)
        return shown

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out[:4000]}\n--- stderr\n{self.err[:4000]}"


class Running:
    """A process of ours. It is collected by a thread, for its cost."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str | None) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in "oe")  # noqa: SIM115 - closed when it has ended
        began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "migrator.cli", *arguments],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            cwd=ROOT,
            env=dict(environment),
        )
        self.pid = self._process.pid
        self._ran: Ran | None = None
        self._lock = threading.Lock()
        self._waiter = threading.Thread(target=self._wait, args=(began,), daemon=True)
        if stdin is not None and self._process.stdin is not None:
            self._process.stdin.write(stdin.encode())
            self._process.stdin.close()
        self._waiter.start()

    def _wait(self, began: float) -> None:
        peak = 0.0
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            peak = max(peak, _peak_mb(self.pid))
            time.sleep(0.02)
        with self._lock:  # nobody signals a number that is somebody else's by now
            _, status = os.waitpid(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        self._ran = Ran(self._process.returncode, texts[0], texts[1], seconds, peak)

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._waiter.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with self._lock:
            if self._process.returncode is None:
                os.kill(self.pid, number)

    def wait(self, within: float = 110.0) -> Ran:
        """How it ended; killed and TimeoutError if it did not in time."""
        self._waiter.join(within)
        if self._waiter.is_alive():
            self.send(signal.SIGKILL)
            self._waiter.join(10)
            raise TimeoutError(f"still running after {within} s: {self._ran}")
        assert self._ran is not None
        return self._ran


def _peak_mb(pid: int) -> float:
    """The high-water mark of its memory, where /proc tells. (`ru_maxrss` would count ours, from before the exec.)"""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Postwagen:
    """The command with a data directory of its own and two accounts' passwords in the environment."""

    data: Path
    source_password: str | None = dataclasses.field(default=None, repr=False)
    target_password: str | None = dataclasses.field(default=None, repr=False)
    quiet_seconds: int = 1
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Nothing of ours but what is said here."""
        passwords = {"SOURCE_PASSWORD": self.source_password, "TARGET_PASSWORD": self.target_password}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTWAGEN_")},
            "POSTWAGEN_DATA_DIR": str(self.data),
            "POSTWAGEN_QUIET_SECONDS": str(self.quiet_seconds),
            **{f"POSTWAGEN_{name}": value for name, value in passwords.items() if value is not None},
            **self.settings,
        }

    def start(self, *arguments: str, stdin: str | None = None) -> Running:
        """Begin `postwagen …`."""
        return Running(arguments, self.environment(), stdin)

    def run(self, *arguments: str, stdin: str | None = None, within: float = 110.0) -> Ran:
        """Run it to its end."""
        return self.start(*arguments, stdin=stdin).wait(within)

    def call(self, *arguments: str) -> Ran:
        """The same within this process, without a second for its start; for tests in which processes play no part."""
        out, err, began = io.StringIO(), io.StringIO(), time.monotonic()
        with mock.patch.dict(os.environ, self.environment(), clear=True), redirect_stdout(out), redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as ended:
                code = int(str(ended.code))
        return Ran(code, out.getvalue(), err.getvalue(), time.monotonic() - began, 0.0)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[Running]:
        """Run it beside the block; it ends with the block."""
        started = self.start(*arguments)
        try:
            yield started
        finally:
            started.send(signal.SIGKILL)
            started.wait()


def adds_up(shown: Mapping[str, Any]) -> bool:
    """Whether found = copied + already_there + skipped + failed, in all and in every folder."""
    parts = ("copied", "already_there", "skipped", "failed")
    return all(
        numbers["found"] == sum(numbers[part] for part in parts) for numbers in (shown["messages"], *shown["folders"])
    )
