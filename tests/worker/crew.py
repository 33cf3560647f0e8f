"""Processes of Postwagen for tests: started one by one, ended by their ids, never more than a test long."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from migrator.settings import Settings, child_environment

STAND_INS = Path(__file__).parent / "stand_ins"
"""For PYTHONPATH: a runner for tests, and pages for tests."""
Found = TypeVar("Found")


def until(condition: Callable[[], Found], seconds: float = 30.0) -> Found:
    """Ask again and again what another process must bring about; its answer as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


def descendants(pid: int) -> set[tuple[int, str]]:
    """All processes below this one, each as number and start time, so that a number used again is no match."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                if after_name[0] != "Z":
                    parents[int(entry.name)] = (int(after_name[1]), after_name[19])
    found: set[int] = {pid}
    while more := {child for child, (parent, _) in parents.items() if parent in found and child not in found}:
        found |= more
    return {(child, parents[child][1]) for child in found - {pid} if child in parents}


def alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those that still run."""
    left: set[tuple[int, str]] = set()
    for pid, start in processes:
        with contextlib.suppress(OSError):
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if after_name[0] != "Z" and after_name[19] == start:
                left.add((pid, start))
    return left


class Crew:
    """Broker, workers and beat on these settings, with the runner for tests, on one lifeline."""

    def __init__(self, settings: Settings) -> None:
        self.environment = child_environment(settings) | {"PYTHONPATH": str(STAND_INS)}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.lifeline, self.our_end = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.cut_lifeline()
        os.close(self.lifeline)

    def cut_lifeline(self) -> None:
        """What the end of serve does."""
        if self.our_end >= 0:
            os.close(self.our_end)
            self.our_end = -1

    def start(self, *arguments: str, pass_also: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.main", *arguments, "--lifeline", str(self.lifeline)],
            env=self.environment,
            pass_fds=(self.lifeline, *pass_also),
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def broker(self, port: int = 0) -> tuple[subprocess.Popen[bytes], int]:
        """An embedded broker that listens; its port."""
        reading, writing = os.pipe()
        process = self.start("broker", "--port", str(port), "--ready", str(writing), pass_also=(writing,))
        os.close(writing)
        with open(reading, "rb") as ready:
            assert select.select([ready], [], [], 30)[0]
            return process, int(ready.readline())

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker")

    def beat(self) -> subprocess.Popen[bytes]:
        return self.start("beat")


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for the whole group, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment_of(settings: Settings, more: Mapping[str, str]) -> dict[str, str]:
    """What serve is started with in tests."""
    return child_environment(settings) | {"PYTHONPATH": str(STAND_INS)} | dict(more)
