"""For machines that watch: alive, ready, metrics."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from flask import Flask

from migrator.accounts import operations as accounts
from migrator.db.models import Worker
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import lease
from migrator.jobs.orders import ArchiveEnd
from migrator.jobs.states import JobKind
from migrator.settings import Settings, load
from tests import making
from tests.web.gallery import Gallery
from web import create_app


def test_alive_asks_nothing_of_the_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Database, "reading", lambda _: pytest.fail("a slow database must restart nobody"))
    assert app.test_client().get("/healthz").json == {"status": "alive"}


def test_ready_is_who_has_current_tables_and_a_worker(app: Flask, database: Database) -> None:
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "database": True, "workers": 0})
    lease.show_worker(database, "worker@here", datetime.now(UTC))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "database": True, "workers": 1})


def test_a_silent_worker_does_not_count(app: Flask, database: Database) -> None:
    with database.writing() as session:
        session.add(Worker(name="gone", seen_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert app.test_client().get("/readyz").status_code == 503


def test_without_tables_nothing_is_ready(settings: Settings, vault: Vault, tmp_path: object) -> None:
    empty = Database(f"sqlite:///{settings.data_dir / 'empty.sqlite3'}")
    app = create_app(settings, db=empty, vault=vault)
    assert app.test_client().get("/readyz").json == {"status": "not ready", "database": False, "workers": 0}
    empty.dispose()


def test_without_a_database_nothing_is_ready_and_everything_is_alive(vault: Vault, settings: Settings) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    client = create_app(settings, db=away, vault=vault).test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    page = client.get("/login")
    assert page.status_code == 503
    assert "Just a moment" in page.text


def test_metrics_are_for_this_machine(app: Flask, shown: Gallery) -> None:
    text = app.test_client().get("/metrics").text
    assert 'postwagen_jobs{state="running"} 2.0' in text
    assert "postwagen_workers_alive 1.0" in text
    assert "postwagen_jobs_needing_a_person 7.0" in text


def test_metrics_tell_the_room_of_each_storage_node(
    app: Flask, database: Database, vault: Vault, settings: Settings
) -> None:
    lease.show_worker(database, "a", datetime.now(UTC), node="north", free_octets=5 * 10**9)
    making.job(
        database, vault, settings, making.order(kind=JobKind.ARCHIVE, target=ArchiveEnd()), now=datetime.now(UTC)
    )
    text = app.test_client().get("/metrics").text
    assert 'postwagen_archives{node="north"} 1.0' in text
    assert 'postwagen_archive_octets{node="north"} 0.0' in text
    assert 'postwagen_archive_free_octets{node="north"} 5e+09' in text


@pytest.mark.parametrize(
    ("public_url", "peer", "headers"),
    [
        ("http://localhost:8025", "192.0.2.1", {}),
        ("http://localhost:8025", "127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}),
        ("http://localhost:8025", "127.0.0.1", {"Forwarded": "for=192.0.2.1"}),
        ("https://move.example", "127.0.0.1", {}),
        ("https://move.example", "127.0.0.1", {"Host": "127.0.0.1:8025"}),
    ],
)
def test_metrics_are_for_nobody_else(
    settings: Settings, database: Database, vault: Vault, public_url: str, peer: str, headers: dict[str, str]
) -> None:
    """A proxy on this machine asks from loopback too: then a token is needed."""
    app = create_app(dataclasses.replace(settings, public_url=public_url), db=database, vault=vault)
    client = app.test_client()
    assert client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer}).status_code == 404
    token = accounts.create_token(database, "prometheus")
    with_token = {**headers, "Authorization": f"Bearer {token}"}
    assert client.get("/metrics", headers=with_token, environ_overrides={"REMOTE_ADDR": peer}).status_code == 200


def test_an_application_opens_what_it_is_not_given(settings: Settings) -> None:
    made = load({}, data_dir=settings.data_dir / "own")
    app = create_app(made)
    assert app.test_client().get("/healthz").status_code == 200
    assert made.secret_key_file.exists()
