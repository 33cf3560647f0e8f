"""Jobs in a database: every test of them runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests.making import job


@pytest.fixture
def db(database_everywhere: Database) -> Database:
    return database_everywhere


@pytest.fixture
def make(db: Database, vault: Vault, settings: Settings) -> Callable[..., int]:
    """A job as `tests.making.job` makes it; gives its id."""
    return lambda *given, **columns: job(db, vault, settings, *given, **columns)
