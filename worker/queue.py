"""Putting job ids into the queue. `enqueue` is the only name that web imports from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from celery import Celery

log = structlog.get_logger(__name__)

RUN_SLICE: Final = "postwagen.run_slice"
CLEAR: Final = "postwagen.clear"


def enqueue(job_id: int, node: str = "") -> None:
    """Tell a worker, one of this storage node where one is named, that this job is due; call it after the commit.

    Never raises when the broker is down: the sweep finds the row, a few seconds later.
    """
    send(job_id, node)


def send(job_id: int, node: str = "", *, task: str = RUN_SLICE) -> bool:
    """Like `enqueue`; says whether the broker took it. Another task is given the number of what it works on."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from worker.app import queue_of

    app = _app()
    if app is None:
        log.info("no_broker", job=job_id)
        return False
    try:
        app.send_task(task, args=[int(job_id)], queue=queue_of(node))
    except (OperationalError, RedisError, OSError) as error:
        log.warning("broker_unreachable", job=job_id, error=type(error).__name__)
        return False
    return True


def waiting(node: str = "") -> int:
    """How many ids wait in a queue now; 0 when the broker cannot be asked."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from worker.app import queue_of

    app = _app()
    if app is None:
        return 0
    try:
        with app.connection_for_write() as connection:
            channel: Any = connection.channel()  # Redis's own, with a client
            return int(channel.client.llen(queue_of(node)))
    except (OperationalError, RedisError, OSError):
        return 0


def _app() -> Celery | None:
    """The application, imported at first use; None without a broker."""
    from worker.app import NO_BROKER, app

    return None if app.conf.broker_url == NO_BROKER else app
