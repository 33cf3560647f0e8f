"""A broker, and processes that use it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests import making
from tests.worker.crew import Crew
from worker import queue
from worker.app import make_app

Put = Callable[[int], None]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Everything faster, so that a test does not wait for what production waits for."""
    return dataclasses.replace(settings, lease_seconds=2, sweep_seconds=1, worker_threads=2)


@pytest.fixture(params=["embedded", pytest.param("redis", marks=pytest.mark.servers)])
def any_broker(request: pytest.FixtureRequest) -> str:
    """Its kind."""
    return str(request.param)


@pytest.fixture
def embedded_url(settings: Settings) -> Iterator[str]:
    """An embedded broker of the test's own."""
    with Crew(settings) as crew:
        yield f"redis://127.0.0.1:{crew.broker()[1]}/0"


@pytest.fixture
def broker_url(any_broker: str, request: pytest.FixtureRequest) -> str:
    """The same test with the embedded broker and with Redis."""
    return str(request.getfixturevalue("embedded_url" if any_broker == "embedded" else "redis_url"))


@pytest.fixture
def crew(settings: Settings, broker_url: str) -> Iterator[Crew]:
    """Processes on that broker; nothing is started yet."""
    with Crew(dataclasses.replace(settings, broker_url=broker_url)) as made:
        yield made


@pytest.fixture
def put(settings: Settings, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """`enqueue` onto that broker."""
    app = make_app(dataclasses.replace(settings, broker_url=broker_url))
    monkeypatch.setattr(queue, "_app", lambda: app)
    yield queue.enqueue
    app.close()


@pytest.fixture
def make(database: Database, vault: Vault, settings: Settings) -> Callable[..., int]:
    """A job whose mailbox's name says what the runner for tests does with it."""

    def made(manner: str, **columns: object) -> int:
        from datetime import UTC, datetime

        new = making.order(f"{manner}@example.org")
        return making.job(database, vault, settings, new, now=datetime.now(UTC), **columns)

    return made
