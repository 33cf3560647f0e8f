"""Fixtures for all tests: settings, vault and databases of the test's own."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from migrator.db import migrations
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings, load

pytest_plugins = ["tests.servers.fixtures"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected lives as long as we do: no garbage is looked for in it, during or after."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


_LONG = ("service", "servers", "e2e", "worker", "engine", "contract")
"""Directories of files that take long, in that order; all others, whose files are short, come after them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long comes first: the short files at the end let no worker wait for the other one."""
    tests = config.rootpath / "tests"

    def turn(item: pytest.Item) -> int:
        kind = item.path.relative_to(tests).parts[0]
        return _LONG.index(kind) if kind in _LONG else len(_LONG)

    items.sort(key=turn)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The defaults, in a data directory of the test's own."""
    return load({}, data_dir=tmp_path / "data")


@pytest.fixture
def vault(settings: Settings) -> Vault:
    """A vault with a key of the test's own."""
    return Vault.open(settings.secret_key_file)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest revision, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrations.upgrade(database.engine)  # step by step, as those who upgrade have it
    database.dispose()
    return path


@pytest.fixture
def database(settings: Settings, migrated_sqlite: Path) -> Iterator[Database]:
    """SQLite, where these settings say, migrated and empty."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_sqlite, settings.data_dir / "postwagen.sqlite3")
    made = Database(settings.database_url)
    event.listen(made.engine, "connect", _hurry)
    yield made
    made.dispose()


def _hurry(connection: Any, _record: Any) -> None:
    """Do not wait for the disk: no test takes the power away."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database_everywhere(request: pytest.FixtureRequest) -> Iterator[Database]:
    """The same test on SQLite and on PostgreSQL, migrated and empty."""
    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    made = Database(request.getfixturevalue("migrated_postgres_url"))
    yield made
    made.dispose()
