"""An installation of the product for tests: its settings, its processes, what they said. All are ended by their ids."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from migrator.db.vault import Vault
from migrator.demo.premises import free_ports
from tests.worker.crew import alive, descendants, until

COMMAND = (sys.executable, "-P", "-m", "migrator.cli")
READY_WITHIN = 30.0
SHORT = {"LEASE_SECONDS": "3", "SWEEP_SECONDS": "1", "QUIET_SECONDS": "2"}
"""So that a test does not wait for what production waits for."""


class Process:
    """One process of the product in a session of its own; what it says stands in a file."""

    def __init__(self, words: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with open(log, "ab") as file:
            self._process = subprocess.Popen(
                words,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._left: set[tuple[int, str]] = set()

    def said(self) -> str:
        """Everything, so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def await_words(self, *words: str) -> None:
        """Return as soon as it has said one of them."""

        def said() -> bool:
            assert self._process.poll() is None, self.said()
            return any(word in self.said() for word in words)

        until(said, READY_WITHIN)

    def family(self) -> set[tuple[int, str]]:
        """Every process below it, as number and start time."""
        return descendants(self.pid)

    def child(self, word: str) -> int:
        """The number of the process below it whose command holds this word."""
        for pid, _ in sorted(self.family()):
            with contextlib.suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    return pid
        raise AssertionError(f"no {word}: {self.said()}")

    def kill(self) -> None:
        """SIGKILL for this process alone: what it started has to notice by itself."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def stop(self, within: float = 30.0) -> int:
        """The ordinary end; its exit code."""
        self._process.terminate()
        return self._process.wait(within)

    def close(self) -> None:
        """Kill it at once; `gone` waits for its family."""
        self._left = self.family()
        self.kill()

    def gone(self) -> None:
        """After `close`: wait until nothing of its family is left, as its lifeline promises."""
        try:
            until(lambda: not alive(self._left), 20)
        except AssertionError:
            for pid, _ in alive(self._left):
                os.kill(pid, signal.SIGKILL)
            raise


class Product:
    """Everything that one data directory and one environment belong to. Use it as a context manager."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.logs = directory / "logs"
        self.logs.mkdir(parents=True)
        self.settings = {"DATA_DIR": str(self.data), "ALLOWED_NETWORKS": "127.0.0.0/8", **settings}
        self.processes: list[Process] = []
        self.port = free_ports(1)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.close()
        with contextlib.ExitStack() as stack:
            for process in self.processes:
                stack.callback(process.gone)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """SQLite's file."""
        return self.data / "postwagen.sqlite3"

    def environment(self, **more: str) -> dict[str, str]:
        """Nothing of ours but what is said here."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTWAGEN_")}
        ours = {**self.settings, **more}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            **{f"POSTWAGEN_{name}": value for name, value in ours.items()},
        }

    def start(self, *arguments: str, **more: str) -> Process:
        """Begin `postwagen …`, with more settings for it alone, and leave it running."""
        log = self.logs / f"{len(self.processes)}-{'-'.join(word for word in arguments if word.isalpha())}.log"
        process = Process((*COMMAND, *arguments), self.environment(**more), log)
        self.processes.append(process)
        return process

    def serve(self) -> Process:
        """`postwagen serve`, with its pages there."""
        process = self.start("serve", "--port", str(self.port))
        process.await_words("Ctrl-C stops everything")
        return process

    def parts(self, workers: int) -> list[Process]:
        """Web, beat and workers on their own, on the database and broker that the settings name; the workers."""
        Vault.open(self.data / "secret.key")
        web = self.start("serve", "--only", "web", "--port", str(self.port))
        web.await_words("Postwagen runs at")
        self.start("serve", "--only", "beat")
        started = [self.start("serve", "--only", "worker") for _ in range(workers)]
        for each in started:
            each.await_words("worker_starts")
        return started

    def run(self, *arguments: str, stdin: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            (*COMMAND, *arguments), env=self.environment(**more), input=stdin or "", capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    def made(self, *arguments: str, stdin: str | None = None) -> dict[str, Any]:
        """A command that must succeed, with --json; what it said."""
        ran = self.run(*arguments, "--json", stdin=stdin)
        assert ran.returncode == 0, ran.stderr
        shown = json.loads(ran.stdout)
        assert isinstance(shown, dict)
        return shown

    def said(self) -> str:
        """All logs."""
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(self.logs.iterdir()))


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP for the block, then SIGCONT, whatever happens."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
