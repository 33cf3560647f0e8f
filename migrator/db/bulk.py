"""One statement for many rows, handed to the driver as it stands: SQLAlchemy's own way costs half as much again.

PostgreSQL is given all rows as one text, where that was prepared: its driver takes 20 us for each statement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Boolean, LargeBinary, TableValuedAlias, bindparam, column, func
from sqlalchemy.engine import Connection, CursorResult, Dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.types import TypeEngine

from migrator.db.models.base import Instant

_Convert = Callable[[Any], Any]
_ROWS = "rows"


class Bulk:
    """An INSERT or UPDATE whose every value is a `bindparam`. What the columns' types make of a value is made here."""

    def __init__(self, statement: Insert | Update, at_once: Insert | Update | None = None) -> None:
        """`at_once`: the same for PostgreSQL, out of `given` rows."""
        self._statement = statement
        self._at_once = at_once
        self._made: dict[str, tuple[str, Callable[[Sequence[Mapping[str, Any]]], list[Any]]]] = {}
        """By dialect: the text, and what makes the driver's rows of ours."""

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> CursorResult[Any]:
        """Each of `rows` has a value for each of the statement's parameters."""
        dialect = connection.dialect
        if dialect.name not in self._made:
            self._made[dialect.name] = self._compiled(dialect)
        text, as_the_driver_takes_them = self._made[dialect.name]
        values = as_the_driver_takes_them(rows)
        return connection.exec_driver_sql(text, values[0] if len(values) == 1 else values)

    def _compiled(self, dialect: Dialect) -> tuple[str, Callable[[Sequence[Mapping[str, Any]]], list[Any]]]:
        if self._at_once is not None and dialect.name == "postgresql":
            return str(self._at_once.compile(dialect=dialect)), lambda rows: [{_ROWS: json.dumps(rows, default=_told)}]
        compiled = self._statement.compile(dialect=dialect)
        converted = {
            name: convert for name, value in compiled.binds.items() if (convert := _converter(value.type, dialect))
        }
        if compiled.positiontup is None:  # the driver wants names

            def named(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
                return [{**row, **{name: convert(row[name]) for name, convert in converted.items()}} for row in rows]

            return str(compiled), named
        names = compiled.positiontup
        chosen, at = itemgetter(*names), [(names.index(name), convert) for name, convert in converted.items()]

        def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
            made = [list(chosen(row)) for row in rows]
            for values in made:
                for place, convert in at:
                    values[place] = convert(values[place])
            return [tuple(values) for values in made]

        return str(compiled), in_order


def given(columns: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """PostgreSQL: the rows that `Bulk` is given, with these columns."""
    shown = func.json_to_recordset(bindparam(_ROWS, type_=JSON)).table_valued(
        *(column(name, kind) for name, kind in columns.items())
    )
    return shown.render_derived(name="given", with_types=True)


def _told(value: bytes | datetime) -> str:
    """What JSON has no form for, as PostgreSQL reads it."""
    return "\\x" + value.hex() if isinstance(value, bytes) else _utc(value).isoformat()


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """None: the driver takes such values as they are. Octets too: every driver of ours takes `bytes`."""
    if dialect.name == "sqlite" and isinstance(kind, Instant | Boolean):
        return _instant_for_sqlite if isinstance(kind, Instant) else int
    return None if isinstance(kind, LargeBinary) else kind.dialect_impl(dialect).bind_processor(dialect)


def _instant_for_sqlite(value: datetime | None) -> str | None:
    """As `Instant` and SQLAlchemy make it, for less."""
    return None if value is None else _utc(value).isoformat(" ", "microseconds").removesuffix("+00:00")


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without zone must not reach the database")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def own_insert(session: Session, table: Any) -> Any:
    """The dialect's own INSERT; only the dialect in use is imported."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_of_dialect
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_of_dialect  # type: ignore[assignment]  # the same verbs
    return insert_of_dialect(table)
