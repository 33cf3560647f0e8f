"""A database for the whole session, emptied for every test; small batches, so that little mail has many steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from migrator.db.models import Base
from migrator.db.store import Database
from migrator.planning import batches
from tests.engine.world import World


@pytest.fixture(scope="session")
def ledger_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """SQLite in a file, as the service has it, but not waiting for the disk: here only processes of ours die."""
    db = Database(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db")

    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(db.engine, "connect", hurry)
    Base.metadata.create_all(db.engine)
    yield db
    db.dispose()


@pytest.fixture
def world(ledger_database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two empty accounts and an empty ledger; two messages to a batch."""
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 2)
    return World(ledger_database)
