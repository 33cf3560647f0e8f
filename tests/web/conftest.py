"""The front end with a database of its own, and a browser that does what browsers do: it sends the form's token."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from migrator.accounts import operations as accounts
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import DATABASE_NAME, Settings, load
from tests import making
from tests.web import gallery
from tests.web.script import Script
from tests.web.templates import compiled_once
from web import create_app

Filled = tuple[Path, gallery.Gallery]
EMAIL = "jana.petersen@nordhafen.example"
PASSWORD = "wagen rot sieben"


class Browser:
    """A client that reads pages before it posts."""

    def __init__(self, client: FlaskClient, language: str = "en") -> None:
        self.client = client
        self.headers = {"Accept-Language": language}

    def get(self, path: str, **more: Any) -> TestResponse:
        headers = {**self.headers, **more.pop("headers", {})}
        return self.client.get(path, headers=headers, **more)

    def live(self, path: str, **more: Any) -> TestResponse:
        """As htmx asks."""
        return self.get(path, headers={"HX-Request": "true"}, **more)

    def token(self) -> str:
        page = self.get("/jobs/new").text
        if "csrf_token" not in page:
            page = self.get("/login").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, "no page with a form"
        return found.group(1)

    def post(self, path: str, data: dict[str, Any] | None = None, *, htmx: bool = False, **more: Any) -> TestResponse:
        headers = {**self.headers, **({"HX-Request": "true"} if htmx else {}), **more.pop("headers", {})}
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, headers=headers, **more)

    def log_in(self, email: str = EMAIL, password: str = PASSWORD, **more: Any) -> TestResponse:
        return self.post("/login", {"email": email, "password": password, **more})


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hashes of passwords that cost nothing: what they must cost is tested where they are made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def templates() -> Iterator[None]:
    """Compiled once, not for every app anew."""
    with compiled_once():
        yield


@pytest.fixture
def queue() -> list[int]:
    """The ids that were put into the queue."""
    return []


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(
        settings,
        public_url="http://localhost:8025",
        hoster_name="Nordhafen Hosting",
        hoster_contact="hilfe@nordhafen.example",
    )


@pytest.fixture
def app(settings: Settings, database: Database, vault: Vault, queue: list[int]) -> Flask:
    return create_app(
        settings, db=database, vault=vault, enqueue=queue.append, probe=gallery.fake_probe, advise=gallery.fake_advise
    )


@pytest.fixture
def anybody(app: Flask) -> Browser:
    """Somebody without a login."""
    return Browser(app.test_client())


@pytest.fixture
def account(database: Database) -> int:
    return accounts.create_user(database, EMAIL, "Jana Petersen", PASSWORD)


@pytest.fixture
def staff(app: Flask, account: int) -> Browser:
    """Somebody who is logged in."""
    browser = Browser(app.test_client())
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def make(database: Database, vault: Vault, settings: Settings) -> Callable[..., int]:
    """A job in the database, with whatever columns."""

    def made(user: str = "anna@example.org", **columns: Any) -> int:
        return making.job(database, vault, settings, making.order(user), **columns)

    return made


FRESH = 60.0
"""Seconds for which a filled gallery is as good as a new one: the speed of its running job is that of two minutes."""


@pytest.fixture(scope="session")
def filled(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Filled]:
    """A database with the gallery, to be copied; filled anew when it has become old."""
    kept: dict[bool, tuple[float, Filled]] = {}

    def recent(*, archives: bool = False) -> Filled:
        if archives not in kept or time.monotonic() - kept[archives][0] > FRESH:
            folder = tmp_path_factory.mktemp("gallery")
            path = folder / DATABASE_NAME
            shutil.copy(migrated_sqlite, path)
            mine = load({}, data_dir=folder)
            database = Database(mine.database_url)
            shown = gallery.fill(database, Vault.open(mine.secret_key_file), mine, archives=archives)
            database.dispose()
            kept[archives] = time.monotonic(), (path, shown)
        return kept[archives][1]

    return recent


@pytest.fixture
def shown(app: Flask, database: Database, settings: Settings, filled: Callable[..., Filled]) -> gallery.Gallery:
    """Jobs in every state."""
    path, shown = filled()
    database.dispose()
    shutil.copy(path, settings.data_dir / DATABASE_NAME)
    return shown


@pytest.fixture
def stored(app: Flask, database: Database, settings: Settings, filled: Callable[..., Filled]) -> gallery.Gallery:
    """Archives in every state, and their jobs, beside all of that."""
    path, shown = filled(archives=True)
    database.dispose()
    shutil.copy(path, settings.data_dir / DATABASE_NAME)
    return shown


@pytest.fixture
def keeper(app: Flask, stored: gallery.Gallery) -> Browser:
    """Staff who look after archives."""
    browser = Browser(app.test_client())
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def viewer(app: Flask, shown: gallery.Gallery) -> Browser:
    """Staff of the gallery."""
    browser = Browser(app.test_client())
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def token(database: Database) -> str:
    return accounts.create_token(database, "ordering system")


@pytest.fixture
def script(app: Flask, token: str) -> Script:
    return Script(app.test_client(), token)
