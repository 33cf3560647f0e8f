"""Migrations and models say the same."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from migrator.db import migrations
from migrator.db.models import Base
from migrator.db.store import Database
from migrator.errors import UsageError


def test_the_migrations_make_exactly_what_the_models_say(database_everywhere: Database) -> None:
    assert database_everywhere.is_current()
    with database_everywhere.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, Base.metadata)
    assert difference == [], 'run: python -m migrator.db.migrations "what changed"'


def test_they_can_be_taken_back_to_nothing_and_done_again(database_everywhere: Database) -> None:
    db = database_everywhere
    with db.engine.connect() as connection, connection.begin():
        command.downgrade(migrations.config(connection), "base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    assert not db.is_current()
    db.upgrade()
    assert db.is_current()


@pytest.mark.servers
def test_several_processes_may_upgrade_postgresql_at_once(postgres_url: str) -> None:
    databases = [Database(postgres_url) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(Database.upgrade, databases))
    assert all(db.is_current() for db in databases)
    for db in databases:
        db.dispose()


def test_a_failing_migration_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = Database(f"sqlite:///{tmp_path}/x.sqlite3")
    migrations.upgrade(db.engine, "0001")
    before = schema(db)
    upgrade = command.upgrade

    def fail_at_the_end(*arguments: object) -> None:
        upgrade(*arguments)
        raise RuntimeError("the power went out")

    monkeypatch.setattr(command, "upgrade", fail_at_the_end)
    with pytest.raises(RuntimeError, match="power"):
        db.upgrade()
    assert schema(db) == before
    db.dispose()


def schema(db: Database) -> dict[str, list[str]]:
    """Tables and indexes, each with the words of its definition in alphabetical order: that of clauses is no matter."""
    with db.engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: sorted(re.findall(r"\w+", sql)) for name, sql in rows}


def test_a_new_file_is_made_at_once_as_all_the_steps_together_make_it(tmp_path: Path) -> None:
    stepwise, at_once = (Database(f"sqlite:///{tmp_path}/{name}.sqlite3") for name in ("steps", "once"))
    migrations.upgrade(stepwise.engine)
    at_once.upgrade()
    assert at_once.is_current()
    assert "entries" in schema(at_once)
    assert schema(at_once) == schema(stepwise)
    for db in (stepwise, at_once):
        db.dispose()


def test_tables_of_a_newer_version_are_refused_in_one_sentence(database_everywhere: Database) -> None:
    with database_everywhere.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert not database_everywhere.is_current()
    with pytest.raises(UsageError, match="newer version"):
        database_everywhere.upgrade()
