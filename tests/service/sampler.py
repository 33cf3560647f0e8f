"""Looks again and again where others could look: /proc of all our processes, files, the embedded broker."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any, Final, Self

import redis

from tests.service.marks import Watch
from tests.worker.crew import descendants

BY_CONTRACT: Final = (b"POSTWAGEN_SOURCE_PASSWORD=", b"POSTWAGEN_TARGET_PASSWORD=")
"""The only variables that are left out, and those of one-shot commands only: passwords may be given to them so."""
_ONE_SHOT: Final = (b"copy", b"verify", b"check")


class Sampler:
    """A thread that looks every few hundredths of a second. Use it as a context manager.

    `spools` is where the product makes its temporary files, which have no name.
    """

    def __init__(self, watch: Watch, *directories: Path, spools: Path) -> None:
        self.watch = watch
        self.seen: set[str] = set()
        """The last words of `python -m MODULE PART` of every process that was looked at."""
        self.spooled = 0
        """How often a message's spool file was looked at."""
        self._directories = directories
        self._spools = spools
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.files()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        turn = 0
        try:
            while not self._over.wait(0.05):
                for pid, _ in descendants(os.getpid()):
                    with contextlib.suppress(OSError):
                        self._process(Path(f"/proc/{pid}"))
                if turn % 10 == 0:
                    self.files()
                turn += 1
        except BaseException as error:  # noqa: BLE001 - told where somebody listens
            self._failure = error

    # ---- processes -------------------------------------------------------------------------------------------------

    def _process(self, process: Path) -> None:
        words = (process / "cmdline").read_bytes()
        if b"migrator.cli" not in words and b".main" not in words:
            return
        self.watch.look("argument lists", words)
        arguments = words.split(b"\0")
        one_shot = any(word in arguments for word in _ONE_SHOT)
        for variable in (process / "environ").read_bytes().split(b"\0"):
            if not (one_shot and variable.startswith(BY_CONTRACT)):
                self.watch.look("environments", variable)
        self.seen.update(word.decode() for word in arguments if word.isalpha() or word == b"web.main")
        if b"broker" in arguments:
            self._broker(int(arguments[arguments.index(b"--port") + 1]))
        self._nameless(process / "fd")

    def _nameless(self, descriptors: Path) -> None:
        for descriptor in descriptors.iterdir():
            with contextlib.suppress(OSError):
                if descriptor.readlink().is_relative_to(self._spools):
                    self.watch.look("spool files", descriptor.read_bytes())
                    self.spooled += 1

    # ---- broker, files ---------------------------------------------------------------------------------------------

    def _broker(self, port: int) -> None:
        with contextlib.suppress(redis.ConnectionError, redis.ResponseError), redis.Redis(port=port) as client:
            self.watch.look("broker", dump(client))

    def files(self) -> None:
        """Every file below the directories."""
        for directory in self._directories:
            for path in [path for path in directory.rglob("*") if path.is_file()]:
                with contextlib.suppress(OSError):
                    self.watch.look(f"files: {path.name}", path.read_bytes())


def dump(client: Any) -> bytes:
    """Everything that a Redis holds."""
    read = {
        b"none": lambda key: "gone since its name was listed",
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"hash": client.hgetall,
    }
    return repr([(key, read[client.type(key)](key)) for key in client.keys("*")]).encode()
