"""The Celery application: a queue of job ids, nothing more.

The database is the truth, the queue is a hint: no results, no acks_late, nothing is lost with a message.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from celery.signals import setup_logging

from migrator.settings import Settings, load
from worker.schedule import schedule

QUEUE: Final = "postwagen"
"""What any worker may do; the jobs of a storage node have a queue of their own."""
NO_BROKER: Final = "redis://127.0.0.1:1/0"
"""Nobody listens there: for processes that run without a broker."""


def queue_of(node: str) -> str:
    """The queue of a storage node; that of all workers where none is named."""
    return f"{QUEUE}.{node}" if node else QUEUE


def make_app(settings: Settings) -> Celery:
    """Celery for these settings. JSON only, so a message can never run code; see docs/decisions/ for the broker."""
    made = Celery("postwagen", include=["worker.tasks"], set_as_current=False)
    made.conf.update(
        broker_url=settings.broker_url or NO_BROKER,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 3600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "global_keyprefix": "postwagen.",
        },
        task_default_queue=QUEUE,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,  # the lease is the recovery; a message that runs twice finds the lease taken
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1},
        worker_pool="threads",
        worker_concurrency=settings.worker_threads,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # an id waits in the queue, where any worker can take it
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        beat_schedule=schedule(settings),
        beat_scheduler="worker.schedule:HereScheduler",
        timezone="UTC",
    )
    return made


@setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Celery sets up no logging as soon as somebody listens here; `migrator.logs` does."""


app = make_app(load())
