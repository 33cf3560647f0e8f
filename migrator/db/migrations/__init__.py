"""Migrations: how the tables of every version came to be (Alembic, without an alembic.ini).

After a change of `models.py`, `python -m migrator.db.migrations "what changed"` writes the next revision; read it
before you keep it. Run inside ONE transaction, so a failed one leaves nothing half done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from migrator.errors import UsageError

_DIRECTORY: Final = Path(__file__).resolve().parent
_ADVISORY_LOCK: Final = 0x506F7374
"""PostgreSQL: any number that nobody else uses in this database ("Post")."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, in code; `env.py` takes the connection from it."""
    made = Config()
    made.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to `revision`. Whoever comes second waits, and finds the work done.

    Raises UsageError when the tables are those of a newer version.
    """
    if is_current(engine) and revision == "head":
        return
    sqlite = engine.dialect.name == "sqlite"
    with engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
        if sqlite:
            _foreign_keys(connection, "OFF")  # tables are altered by making them anew; no effect inside a transaction
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
                try:
                    command.upgrade(config(connection), revision)
                except CommandError as error:
                    raise UsageError("The database was made by a newer version.", detail=str(error)) from None
                if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise RuntimeError(f"the migration broke a reference: {broken}")
        finally:
            if sqlite:
                _foreign_keys(connection, "ON")


def is_current(engine: Engine) -> bool:
    """Whether the tables are at the newest revision."""
    newest = set(ScriptDirectory.from_config(config()).get_heads())
    with engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == newest


def _foreign_keys(connection: Connection, switch: str) -> None:
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA foreign_keys={switch}")
