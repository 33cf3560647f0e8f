"""Alembic runs this file for every command. It works on the connection that it is given, in its transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from migrator.db.models import Base, Instant


def render(kind: str, value: Any, _: AutogenContext) -> str | Literal[False]:
    """Revisions must not change with the models: they name the database's own types."""
    if kind == "type" and isinstance(value, Instant):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_item=render,
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
