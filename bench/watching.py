"""A process of ours, watched from outside: its time, its share of the CPU, its memory at the peak, what it wrote."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOOK_SECONDS = 0.01
Look = Callable[[], None]
LOOKS_PER_TREE = 10
"""New processes are looked for less often: that costs ten times as much, and the watched one pays for it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took. `peak` is the sum over the process tree, in octets; `cpu` is that of the whole tree too."""

    seconds: float
    cpu: float
    peak: int
    out: str


def postwagen(arguments: Sequence[str], environment: Mapping[str, str], look: Look = lambda: None) -> Cost:
    """Run our command to its end; `look` is called every 10 ms. Raises RuntimeError where it fails."""
    return watched([sys.executable, "-m", "migrator.cli", *arguments], {**clean_environment(), **environment}, look)


def clean_environment() -> dict[str, str]:
    """Ours, without anything that is meant for the command, or for who develops it: an installed command is not
    compiled anew each time."""
    meant = ("POSTWAGEN_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(meant)}


def watched(command: Sequence[str], environment: Mapping[str, str] | None = None, look: Look = lambda: None) -> Cost:
    """Run any command to its end, in this tree. Raises RuntimeError where it fails."""
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT, env=environment
        ) as process,
    ):
        peak, looks, tree = 0, 0, list[int]()
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            tree = tree if looks % LOOKS_PER_TREE else _tree(process.pid)
            peak, looks = max(peak, sum(_peak(pid) for pid in tree)), looks + 1
            look()
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        out = said.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}: {out[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, peak, out)


def _tree(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found.extend(map(int, children.read_text().split()))
    return found


def _peak(pid: int) -> int:
    """The high-water mark of a process's memory, where /proc tells."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


class Written:
    """How much is written into a SQLite file: its WAL's greatest length, and the pages that changed in the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._before = path.read_bytes()
        self._longest = 0

    def look(self) -> None:
        """Call it often."""
        with contextlib.suppress(OSError):
            self._longest = max(self._longest, self._wal.stat().st_size)

    def octets(self) -> int:
        """So much since this object was made."""
        after, page = self._path.read_bytes(), int.from_bytes(self._before[16:18], "big")
        pages = range(0, max(len(after), len(self._before)), page)
        changed = sum(after[at : at + page] != self._before[at : at + page] for at in pages)
        return self._longest + changed * page
