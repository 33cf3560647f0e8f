"""Child processes that never outlive us, not even when we are killed with -9.

A server that we start (Dovecot, pymap, PostgreSQL, Redis) is not our own child but that of a small *keeper*: this very
file, run as a program in a session of its own. The keeper holds the reading end of a pipe whose writing end only we
have. When that pipe ends (we closed it, we ended, we were killed) or when its parent changes, the keeper asks the
server to end, then kills the server's whole process group. Should the keeper itself be killed, the kernel tells the
server (Linux: PR_SET_PDEATHSIG). Everything goes by process id, nothing by name.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NoReturn, Self

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_LOOK_AT_PARENT: Final = 1.0
"""Seconds between two looks whether our parent is still there: the second sign beside the pipe, for a parent that
forked while it held the pipe."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and how to end it. Holds no secret: the argument list can be read by everyone on the machine."""

    argv: tuple[str, ...]
    log: Path
    """Standard output and error go here (appended, mode 0600)."""
    user: tuple[int, int] | None = None
    """User and group id to become before running; only root can ask for that."""
    directory: Path | None = None
    """Working directory; ours if None."""
    end_signal: int = signal.SIGTERM
    """What asks the program to end; its process group is killed when it does not within `grace` seconds."""
    grace: float = 3.0
    remove: Path | None = None
    """A directory to remove once the program ended."""


class Child:
    """A running `Program` behind its keeper.

    Ends with `stop()` (idempotent), at the end of a `with` block, or with this process, whichever comes first.
    """

    def __init__(self, program: Program) -> None:
        wish = dataclasses.asdict(program) | {"parent": os.getpid()}
        self._program = program
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, json.dumps(wish, default=str)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def keeper_pid(self) -> int:
        return self._keeper.pid

    def ended(self, within: float = 0.0) -> bool:
        """Whether the program is gone; waits for that up to `within` seconds and returns as soon as it happens."""
        out = self._keeper.stdout
        if out is None or out.closed or self._keeper.poll() is not None:
            return True
        readable, _, _ = select.select([out], [], [], within)
        return bool(readable)  # nothing is ever written there: readable means closed

    def stop(self) -> None:
        """End the program and wait until its processes are gone. May be called again."""
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
        try:
            self._keeper.wait(self._program.grace + 5.0)
        except subprocess.TimeoutExpired:  # a stuck keeper: the kernel then tells the program
            self._keeper.kill()
            self._keeper.wait()
        if self._keeper.stdout is not None:
            self._keeper.stdout.close()

    def log(self) -> str:
        """What the program has written so far."""
        try:
            return self._program.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


# ------------------------------------------------------------------ the keeper's side, in a process of its own


def end_with_parent() -> None:
    """For `preexec_fn`: this process gets SIGTERM when its parent ends, however that ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    """Tell the kernel how we belong together (Linux; elsewhere the pipe alone must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become(program: Program) -> NoReturn:
    """In the forked process: turn into the program. Never returns."""
    try:
        os.setpgid(0, 0)
        log = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if program.directory is not None:
            os.chdir(program.directory)
        if program.user is not None:
            os.setgroups([])
            os.setgid(program.user[1])
            os.setuid(program.user[0])
        _prctl(_PR_SET_PDEATHSIG, program.end_signal)  # after setuid, which clears it
        os.execvp(program.argv[0], program.argv)
    except OSError as error:
        print(f"cannot run {program.argv[0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def _gone(pid: int) -> bool:
    """Whether the program ended; takes in its exit and that of everything it left to us."""
    while True:
        try:
            found, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if found in (0, pid):
            return found == pid


def _watch(pid: int, parent: int, bell: int) -> bool:
    """Wait until the program ends (True) or nobody holds our pipe any more (False)."""
    while os.getppid() == parent:
        readable, _, _ = select.select([0, bell], [], [], _LOOK_AT_PARENT)
        if bell in readable:
            os.read(bell, 4096)
            if _gone(pid):
                return True
        if 0 in readable and not os.read(0, 4096):
            return False
    return False


def _ask_to_end(pid: int, program: Program, bell: int) -> None:
    """Signal the program and wait until it is gone, at most its time of grace."""
    os.kill(pid, program.end_signal)
    deadline = time.monotonic() + program.grace
    while not _gone(pid) and (left := deadline - time.monotonic()) > 0:
        if select.select([bell], [], [], left)[0]:
            os.read(bell, 4096)


def _sweep(pid: int) -> None:
    """Kill what is left of the program's group and wait for it; on Linux the orphans of the program are ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _keep(program: Program, parent: int) -> None:
    """Run the program until it ends or the reason for it does; leave nothing of it behind."""
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        _become(program)
    if not _watch(pid, parent, bell):
        _ask_to_end(pid, program, bell)
    _sweep(pid)
    if program.remove is not None:
        shutil.rmtree(program.remove, ignore_errors=True)


def main(wish: str) -> None:
    """Be a keeper. Not for people: `Child` starts it."""
    said = json.loads(wish)
    paths = {name: Path(said[name]) if said[name] else None for name in ("directory", "remove")}
    _keep(
        Program(
            argv=tuple(said["argv"]),
            log=Path(said["log"]),
            user=tuple(said["user"]) if said["user"] else None,
            end_signal=said["end_signal"],
            grace=said["grace"],
            **paths,
        ),
        said["parent"],
    )


if __name__ == "__main__":
    main(sys.argv[1])
