"""The database: one engine, short transactions for reading and for writing.

SQLite (traps.md, J): BEGIN IMMEDIATE for every writer, one writer at a time in a process, WAL, synchronous=FULL.
PostgreSQL: READ COMMITTED for writing, a read-only snapshot for reading.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from migrator.errors import DatabaseUnavailable, DiskFull, UsageError

_STEPS: Final = Path(__file__).with_name("migrations") / "versions"
_REVISION_TABLE: Final = (
    "CREATE TABLE alembic_version "
    "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
"""As Alembic makes it."""
_BUSY_SECONDS: Final = 30
"""How long a SQLite writer waits for another process; the worst wait measured with six writers was 2.3 s."""


class Database:
    """Where the truth is kept. May be shared by threads; a forked process makes its own."""

    def __init__(self, url: str) -> None:
        """Open nothing yet. Raises UsageError when SQLite's file cannot be made."""
        address = make_url(url)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _make_private_file(address)
        self.engine: Engine = _sqlite_engine(address) if self.is_sqlite else _postgres_engine(address)
        self.url_shown = address.render_as_string(hide_password=True)
        self._readers, self._writers = self.engine, self.engine
        if self.is_sqlite:
            self._writers = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        else:
            self._readers = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writing = threading.Lock()
        self._writer: int | None = None

    def __repr__(self) -> str:
        return f"Database({self.url_shown})"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads: one consistent view, rolled back at the end. Raises DatabaseUnavailable."""
        with self._trouble_told(), Session(self._readers, expire_on_commit=False, autoflush=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """ONE transaction: committed at the end of the block, rolled back when the block raises.

        Keep it short: on SQLite nobody else writes meanwhile. Never nest: the inner one would wait for the outer one.
        Raises DatabaseUnavailable; when that came out of the commit, it may have happened all the same.
        """
        with (
            self._trouble_told(),
            self._alone(),
            Session(self._writers, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def upgrade(self) -> None:
        """Bring the tables to the newest revision. Several processes may do so at once: one works, the others wait.

        Raises UsageError when the database cannot be reached.
        """
        try:
            with self._trouble_told(), self._alone():
                if self._is_plainly_current() or self._made_anew():
                    return
                from migrator.db import migrations

                migrations.upgrade(self.engine)
        except DiskFull:
            raise
        except DatabaseUnavailable as error:
            raise UsageError(error.message, detail=error.detail) from None

    def _is_plainly_current(self) -> bool:
        """Whether the tables say the number of the newest step: then Alembic, large and slow, need not be asked."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars()) == [_newest()]

    def _made_anew(self) -> bool:
        """Whether this was an empty SQLite file; then it has all tables now, as all the steps together make them."""
        if not self.is_sqlite:
            return False
        from migrator.db.models import Base

        with self._writers.connect() as connection, connection.begin():
            if inspect(connection).get_table_names():
                return False
            Base.metadata.create_all(connection, checkfirst=False)
            connection.execute(text(_REVISION_TABLE))
            connection.execute(text("INSERT INTO alembic_version VALUES (:number)"), {"number": _newest()})
        return True

    def is_current(self) -> bool:
        """Whether the tables are those of this version."""
        from migrator.db import migrations

        with self._trouble_told():
            return migrations.is_current(self.engine)

    def dispose(self) -> None:
        """Close all connections. Those in use are closed when they are given back."""
        self.engine.dispose()

    @contextmanager
    def _trouble_told(self) -> Iterator[None]:
        """The one place that translates the drivers' errors that are no fault of ours; others are defects."""
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise _translated(error, self.url_shown) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """SQLite: one writer of this process at a time, so that threads queue here and not in SQLite's polling."""
        if not self.is_sqlite:
            yield
            return
        me = threading.get_ident()
        if self._writer == me:
            raise RuntimeError("a writing transaction inside another one would wait for itself for ever")
        with self._writing:
            self._writer = me
            try:
                yield
            finally:
                self._writer = None


def _newest() -> str:
    """The number of the newest step of `migrations`."""
    return max(step.name[:4] for step in _STEPS.glob("[0-9][0-9][0-9][0-9]_*.py"))


def _translated(error: SQLAlchemyError, shown: str) -> DatabaseUnavailable:
    reason = "".join(str(getattr(error, "orig", error)).strip().splitlines()[:1])[:500]
    if any(words in reason for words in ("disk is full", "No space left", "disk full")):
        return DiskFull(f"The disk under the database {shown} is full.", detail=reason)
    return DatabaseUnavailable(f"The database {shown} cannot be used.", detail=reason)


# ---- SQLite --------------------------------------------------------------------------------------------------------


def _make_private_file(address: URL) -> None:
    """A new database comes into being whole: readable for us only, and in WAL mode already.

    SQLite would make it with the process's umask, and two that switch a new file to WAL at once get in each other's
    way. A file that is there is not opened here: closing it would drop the locks of this process's connections.
    """
    if not address.database or address.database == ":memory:":
        raise UsageError("The database must be a file: threads and processes share it.")
    path = Path(address.database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            os.close(descriptor)
            with contextlib.closing(sqlite3.connect(name)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(name)
            Path(name).unlink()
    except OSError as error:
        raise UsageError(f"The database {path} cannot be written: {error.strerror}.") from None
    if not os.access(path, os.R_OK | os.W_OK):
        raise UsageError(f"The database {path} cannot be written: permission denied.")


def _sqlite_engine(address: URL) -> Engine:
    engine = create_engine(
        address,
        pool_size=16,
        max_overflow=64,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Once per connection. The driver's own transactions are switched off: `_begin_sqlite` says which kind."""
    connection.isolation_level = None
    # secure_delete: a wiped password is overwritten, whatever this build's default is
    # cache_size (KiB): each of a pool's connections has one of its own, and the system keeps the file's pages anyway
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "secure_delete=ON",
                   "cache_size=-800"):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


# ---- PostgreSQL ----------------------------------------------------------------------------------------------------


def _postgres_engine(address: URL) -> Engine:
    from migrator.db.models import conditions_for_postgresql

    conditions_for_postgresql()
    return create_engine(
        address,
        pool_size=8,
        max_overflow=32,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )
