"""What the driver is handed without SQLAlchemy is what SQLAlchemy would hand it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Table, create_engine, insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from migrator.db.cells import as_driver_takes
from migrator.db.models import Archive, Base, LedgerEntry, conditions_for_postgresql

TABLE = cast("Table", LedgerEntry.__table__)
ROW = {
    "origin_folder_id": 1, "origin_validity": 2**32 - 1, "origin_uid": 7, "origin_name": "ä b", "target_folder_id": 2,
    "stand": "confirmed", "how": "appended", "target_validity": 5, "target_uid": 9, "digest": bytes(range(32)),
    "soft": b"", "header": b"\0", "message_id": b"x", "size": 2**40, "delicate": True,
    "instant": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "flags": "\\Seen a%20b", "floor": 3, "note": "", "job_id": 1,
}  # fmt: skip
NOTHING = {"target_validity": None, "target_uid": None, "instant": None, "delicate": False, "origin_uid": 8}


def test_rows_are_kept_as_sqlalchemy_keeps_them(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a'}")
    rows: list[dict[str, Any]] = [{**ROW, "id": 1}, {**ROW, **NOTHING, "id": 2}]
    columns = tuple(TABLE.columns)
    names, places = ", ".join(column.name for column in columns), ", ".join("?" * len(columns))
    kept = []
    with engine.connect() as connection:
        Base.metadata.create_all(connection)
        connection.execute(insert(TABLE), rows)
        kept.append(connection.execute(text("SELECT *, typeof(delicate), typeof(digest) FROM entries")).all())
        connection.execute(text("DELETE FROM entries"))
        connection.exec_driver_sql(
            f"INSERT INTO entries ({names}) VALUES ({places})",
            as_driver_takes(columns, rows, connection.dialect),
        )
        kept.append(connection.execute(text("SELECT *, typeof(delicate), typeof(digest) FROM entries")).all())
    engine.dispose()
    assert kept[0] == kept[1]


def test_a_row_that_lacks_a_column_is_not_written() -> None:
    with pytest.raises(KeyError):
        as_driver_takes(tuple(TABLE.columns), [ROW], create_engine("sqlite://").dialect)


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
