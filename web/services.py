"""What the pages need from the rest, gathered once at start: a test puts fakes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import current_app

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import queries
from migrator.jobs.advising import AdviceReport
from migrator.jobs.operations import NewEndpoint
from migrator.jobs.probe import ProbeReport
from migrator.settings import Settings


class Probe(Protocol):
    """Connect, log in, look; never writes, never raises for what the other side does."""

    def __call__(self, endpoint: NewEndpoint, *, role: str, settings: Settings) -> ProbeReport: ...


class Advise(Protocol):
    """Look at both doors of an old server, IMAP and POP3; never writes, never raises for what the other side does."""

    def __call__(
        self, endpoint: NewEndpoint, *, settings: Settings, fetches_by_pop3: bool | None = None
    ) -> AdviceReport: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that handlers hand on to operations and queries."""

    settings: Settings
    db: Database
    vault: Vault
    enqueue: Callable[[int], None]
    probe: Probe
    advise: Advise


def services() -> Services:
    """The services of the application that answers this request."""
    found = current_app.extensions["postwagen"]
    assert isinstance(found, Services)
    return found


def default_enqueue(db: Database, job_id: int) -> None:
    """Tell a worker, on the storage node of its archive where it has one; pages start without Celery."""
    from worker.queue import enqueue

    enqueue(job_id, queries.node_of(db, job_id))
