"""Starts child processes, restarts those that die, passes on what they say, and ends them in order.

Each child has a session of its own, so a terminal's Ctrl-C reaches only us, and its whole group can be ended. Each one
watches a lifeline (see `lifeline`): should we be killed, they end by themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Self

import structlog

log = structlog.get_logger(__name__)

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FIRST_BACKOFF: Final = 0.5
_LONGEST_BACKOFF: Final = 30.0
_SETTLED: Final = 30.0
"""A child that ran so long has settled: its next end counts as the first."""
_LONGEST_LINE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A child process to be: `{lifeline}` in its command becomes the descriptor's number."""

    name: str
    command: Sequence[str]
    stops_at: int
    """Parts with a lower number are stopped first; those with the same together."""
    grace: float = 10.0
    """Seconds that it may take to stop, before its group is killed."""


@dataclass(slots=True)
class _Child:
    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0
    rest: bytes = b""
    """An unfinished line."""

    @property
    def output(self) -> IO[bytes]:
        """What it says, standard output and error in one."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout


class Supervisor:
    """Runs parts until a signal says stop. One per process: it owns the process's signal handlers."""

    def __init__(self, environment: Mapping[str, str], *, as_json: bool) -> None:
        self._environment = dict(environment)
        self._as_json = as_json
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._lifeline, self._our_end = os.pipe()
        self._bell, self._ringer = os.pipe()
        self._stops = 0
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ringer, False)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        self._handlers = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)}
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or self._handlers[number] != signal.SIG_IGN:  # nohup wants us to go on
                signal.signal(number, self._count_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # only to ring the bell
        self._selector.register(self._bell, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of ours stays behind, whatever happened."""
        self._kill([child for child in self._children if child.process])
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for descriptor in (self._our_end, self._lifeline, self._bell, self._ringer):
            os.close(descriptor)

    @property
    def stopping(self) -> bool:
        """Whether we were told to stop."""
        return self._stops > 0

    def set_environment(self, name: str, value: str) -> None:
        """For children that are started from now on."""
        self._environment[name] = value

    def start(self, part: Part, *, pass_also: Sequence[int] = (), extra: Sequence[str] = ()) -> None:
        """Start it and keep it running. `extra` arguments and descriptors are for this first start only."""
        child = _Child(part)
        self._children.append(child)
        self._spawn(child, pass_also, extra)

    def wait_for(self, descriptor: int, seconds: float) -> bytes:
        """What comes out of a pipe; empty when nothing does in time, or when we are told to stop meanwhile."""
        self._selector.register(descriptor, selectors.EVENT_READ)
        deadline = time.monotonic() + seconds
        try:
            while not self._stops and (left := deadline - time.monotonic()) > 0:
                if self._turn(left, descriptor):
                    return os.read(descriptor, 100)
            return b""
        finally:
            self._selector.unregister(descriptor)

    def run(self, *, ready: Callable[[], bool], on_ready: Callable[[], None]) -> bool:
        """Keep everything running until told to stop; then stop. `ready` is asked until it is true, then `on_ready`.

        False: stopped the hard way, because we were told twice.
        """
        announced = False
        while not self._stops:
            if not announced and ready():
                announced = True
                on_ready()
            now = time.monotonic()
            for child in self._children:
                if child.process is None and child.again_at <= now:
                    self._spawn(child)
            waits = [child.again_at - now for child in self._children if child.process is None]
            self._turn(max(0.0, min([*waits, 60.0 if announced else 0.1])))
            self._look_for_dead()
        return self._stop()

    # ---- children --------------------------------------------------------------------------------------------------

    def _spawn(self, child: _Child, pass_also: Sequence[int] = (), extra: Sequence[str] = ()) -> None:
        child.process = subprocess.Popen(
            [*(word.replace("{lifeline}", str(self._lifeline)) for word in child.part.command), *extra],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=(self._lifeline, *pass_also),
            start_new_session=True,
        )
        child.started = time.monotonic()
        os.set_blocking(child.output.fileno(), False)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _look_for_dead(self) -> None:
        for child in self._children:
            if child.process is not None and _has_ended(child.process):
                lived = time.monotonic() - child.started
                code = self._bury(child)
                child.deaths = 1 if lived >= _SETTLED else child.deaths + 1
                pause = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (child.deaths - 1))
                child.again_at = time.monotonic() + pause
                log.warning("part_died", part_name=child.part.name, exit_code=code, again_in_seconds=pause)

    def _bury(self, child: _Child) -> int:
        """Kill what is left of its group, pass on its last words, take in its exit code."""
        process, output = child.process, child.output
        assert process is not None
        _kill_group(process.pid)  # before it is waited for: until then its number cannot be anybody else's
        code = process.wait()
        self._pass_on(child)
        if child.rest:
            self._say(child, child.rest)
            child.rest = b""
        self._deaf(output)
        output.close()
        child.process = None
        return code

    # ---- waiting and talking ---------------------------------------------------------------------------------------

    def _turn(self, seconds: float, wanted: int | None = None) -> bool:
        """Wait for anything to happen, pass on what children say. True: `wanted` can be read."""
        found = False
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, _Child):
                self._pass_on(key.data)
            elif key.fd == self._bell:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._bell, 4096)
            found = found or key.fd == wanted
        return found

    def _pass_on(self, child: _Child) -> None:
        """Whole lines only, so that two children never share one."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(child.output.fileno(), 65_536):
                *lines, child.rest = (child.rest + chunk).split(b"\n")
                for line in lines:
                    self._say(child, line)
                if len(child.rest) > _LONGEST_LINE:
                    self._say(child, child.rest)
                    child.rest = b""
            self._deaf(child.output)  # its end: nothing more to hear, even if it lives on

    def _deaf(self, output: IO[bytes]) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(output)

    def _say(self, child: _Child, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if not text:
            return
        if not self._as_json:
            text = f"{child.part.name:<6} | {text}"
        elif not text.startswith("{"):
            text = json.dumps({"part": child.part.name, "event": text, "level": "info"})
        with contextlib.suppress(OSError):  # whoever read our log has gone; that is no reason to end
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where logs come out

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _count_stop(self, _number: int, _frame: object) -> None:
        self._stops += 1

    def _stop(self) -> bool:
        """Stop everything in order. False: somebody lost patience, and everything was killed."""
        log.info("stopping")
        asked = self._stops
        for place in sorted({child.part.stops_at for child in self._children}):
            group = [child for child in self._children if child.part.stops_at == place and child.process]
            for child in group:
                if child.process and not _has_ended(child.process):
                    child.process.terminate()
            deadline = time.monotonic() + max((child.part.grace for child in group), default=0.0)
            while group and time.monotonic() < deadline and self._stops == asked:
                self._turn(max(0.0, min(0.5, deadline - time.monotonic())))
                group = [child for child in group if not self._gone(child)]
            if self._stops != asked:
                self._kill([child for child in self._children if child.process])
                log.warning("stopped_hard")
                return False
            self._kill(group)
        log.info("stopped")
        return True

    def _gone(self, child: _Child) -> bool:
        if child.process is not None and _has_ended(child.process):
            self._bury(child)
        return child.process is None

    def _kill(self, children: Sequence[_Child]) -> None:
        for child in children:
            log.warning("part_killed", part_name=child.part.name)
            self._bury(child)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has; it stays unburied, so that its number still means its group."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
