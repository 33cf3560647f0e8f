"""The tables are the same on both databases."""

from __future__ import annotations

from typing import cast

import pytest
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from migrator.db.models import Archive, Base, LedgerEntry, conditions_for_postgresql


@pytest.mark.parametrize(
    ("table", "name", "condition"),
    [
        (LedgerEntry, "ix_entries_unsettled", "stand = 'intended'"),
        (Archive, "uq_archives_account", "destroyed_at IS NULL"),
    ],
)
def test_an_index_of_some_rows_is_of_the_same_rows_on_postgresql(table: type[Base], name: str, condition: str) -> None:
    conditions_for_postgresql()
    (index,) = [index for index in cast("Table", table.__table__).indexes if index.name == name]
    assert str(CreateIndex(index).compile(dialect=postgresql.dialect())).endswith(f"WHERE {condition}")
