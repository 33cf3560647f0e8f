"""`python -m worker.main worker|beat|broker`: the processes that `postwagen serve` starts.

Settings come by the environment, never a secret by an argument. With `--lifeline FD` the process ends when serve does.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any, Final

import structlog

from migrator import lifeline, logs
from migrator.errors import PostwagenError
from migrator.settings import load

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Run one process until SIGTERM; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m worker.main")
    parser.add_argument("part", choices=("worker", "beat", "broker"))
    parser.add_argument("--lifeline", type=int, metavar="FD", help="end when this pipe ends")
    parser.add_argument("--port", type=int, default=0, help="broker: where to listen on loopback")
    parser.add_argument("--ready", type=int, metavar="FD", help="broker: write the port there")
    given = parser.parse_args(arguments)
    if given.lifeline is not None:
        lifeline.hold(given.lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # serve decides what Ctrl-C means
    try:
        logs.configure(load(), part=given.part)
        if given.part == "broker":
            from worker import broker

            broker.serve(given.port, given.ready)
            return 0
        return _work() if given.part == "worker" else _beat()
    except PostwagenError as error:
        log.error("cannot_start", error=error.message)  # noqa: TRY400 - a wrong setting needs no traceback
        return error.exit_code


def _work() -> int:
    """Celery's worker, its warm stop, and a heartbeat row beside it."""
    from celery.exceptions import SecurityWarning
    from celery.signals import worker_shutting_down

    from worker.app import QUEUE, app, queue_of
    from worker.tasks import place, shutdown

    def stop(**_: Any) -> None:
        shutdown.set()

    worker_shutting_down.connect(stop, weak=False)
    warnings.simplefilter("ignore", SecurityWarning)  # root could be harmed by pickles; ours are JSON with one number
    here = place()
    ended = threading.Event()
    heart = threading.Thread(target=_show, args=(ended,), name="heartbeat")
    heart.start()
    log.info("worker_starts", name=here.owner, threads=here.settings.worker_threads)
    queues = [QUEUE, queue_of(here.settings.node)]
    worker = app.Worker(queues=queues, quiet=True, without_gossip=True, without_mingle=True, without_heartbeat=True)
    try:
        worker.start()
    finally:
        shutdown.set()
        ended.set()
        heart.join()
        here.db.dispose()
    log.info("worker_ended", name=here.owner)
    return int(worker.exitcode or 0)


def _show(ended: threading.Event) -> None:
    """Write the heartbeat row until the worker has ended; a database that is away for a moment does no harm."""
    from migrator.errors import DatabaseUnavailable
    from migrator.jobs import archives, lease
    from worker.tasks import place

    here, hidden = place(), False
    while not hidden:
        try:
            if hidden := ended.is_set():
                lease.hide_worker(here.db, here.owner)
            else:
                node, room = here.settings.node, archives.free_octets(here.settings.archive_dir)
                lease.show_worker(here.db, here.owner, datetime.now(UTC), node=node, free_octets=room)
        except DatabaseUnavailable as error:
            log.warning("heartbeat_failed", error=type(error).__name__)
        ended.wait(HEARTBEAT_SECONDS)


def _beat() -> int:
    """Celery's beat, with our scheduler."""
    from celery.beat import Service

    from worker.app import app

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit  # beat's own way to stop: out of its sleep at once

    signal.signal(signal.SIGTERM, stop)
    app.loader.import_default_modules()
    log.info("beat_starts")
    Service(app, scheduler_cls=app.conf.beat_scheduler).start()
    log.info("beat_ended")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
