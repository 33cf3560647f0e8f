"""`python -m web.main --lifeline FD --host HOST --port PORT`: the web process that `postwagen serve` starts.

One gunicorn worker with threads: pages wait for the database and for other mail servers, hardly ever for the
processor. With `--lifeline FD` it ends when serve does.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any, Final

import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # published without types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # published without types

from migrator import lifeline, logs
from migrator.errors import PostwagenError
from migrator.settings import Settings, load

log = structlog.get_logger(__name__)

THREADS: Final = 16


class Log(Logger):
    """Gunicorn's words go through our own logging; only what is worth a warning."""

    def setup(self, cfg: Any) -> None:
        """Instead of handlers of its own."""
        self.error_log.setLevel(max(logging.getLogger().level, logging.WARNING))
        self.access_log.disabled = True


class Server(BaseApplication):
    """Gunicorn without its command line and configuration files."""

    def __init__(self, settings: Settings, host: str, port: int, descriptor: int | None) -> None:
        self._settings = settings
        self._descriptor = descriptor
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        """Everything that differs from gunicorn's defaults."""
        chosen: dict[str, Any] = {
            "bind": [self._bind],
            "workers": 1,
            "threads": THREADS,
            "worker_class": "gthread",
            "timeout": 120,  # testing a connection waits for somebody else's server
            "graceful_timeout": 5,
            "keepalive": 5,
            "limit_request_line": 8190,  # a poll names what the page shows already
            "control_socket_disable": True,
            "logger_class": Log,
            "post_fork": self._hold_lifeline,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application; made in the worker process, which opens connections of its own."""
        from web import create_app

        return create_app(self._settings)

    def _hold_lifeline(self, _server: Any, _worker: Any) -> None:
        if self._descriptor is not None:
            lifeline.hold(self._descriptor)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m web.main")
    parser.add_argument("--lifeline", type=int, metavar="FD", help="end when this pipe ends")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8025)
    given = parser.parse_args(arguments)
    try:
        settings = load()
        logs.configure(settings, part="web")
        if given.lifeline is not None:
            lifeline.hold(given.lifeline)
        Server(settings, given.host, given.port, given.lifeline).run()
    except PostwagenError as error:
        log.error("cannot_start", error=error.message)  # noqa: TRY400 - a wrong setting needs no traceback
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
