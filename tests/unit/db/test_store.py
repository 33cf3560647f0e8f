"""The database: short transactions, one writer at a time, nothing half done."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from migrator.db.models import Mailbox, Worker
from migrator.db.store import Database
from migrator.errors import DatabaseUnavailable, DiskFull, Remedy, UsageError
from tests.making import NOW

_SUICIDE = "SELECT pg_terminate_backend(pg_backend_pid())"


def test_what_a_block_wrote_is_there_and_what_a_failing_block_wrote_is_not(database_everywhere: Database) -> None:
    db = database_everywhere

    def write(name: str, *, fail: bool) -> None:
        with db.writing() as session:
            session.add(Worker(name=name, seen_at=NOW))
            session.flush()
            if fail:
                raise InterruptedError

    write("kept", fail=False)
    with pytest.raises(InterruptedError):
        write("lost", fail=True)
    with db.reading() as session:
        assert session.scalars(select(Worker.name)).all() == ["kept"]


def test_times_come_back_aware_and_naive_ones_are_refused(database_everywhere: Database) -> None:
    db = database_everywhere
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    with db.writing() as session:
        session.add(Worker(name="w", seen_at=elsewhere))
    with db.reading() as session:
        assert session.get_one(Worker, "w").seen_at == NOW
        assert session.get_one(Worker, "w").seen_at.tzinfo is UTC
    with pytest.raises(StatementError), db.writing() as session:
        session.add(Worker(name="naive", seen_at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_reader_sees_one_moment_even_while_others_write(database_everywhere: Database) -> None:
    db = database_everywhere
    count = select(func.count()).select_from(Worker)
    with db.reading() as reader:
        assert reader.scalar(count) == 0
        with db.writing() as session:
            session.add(Worker(name="w", seen_at=NOW))
        assert reader.scalar(count) == 0
    with db.reading() as reader:
        assert reader.scalar(count) == 1


def test_six_writers_that_read_first_never_meet_a_lock_and_lose_nothing(database_everywhere: Database) -> None:
    db = database_everywhere
    with db.writing() as session:
        session.add(Mailbox(address="0", route="count", created_at=NOW))
    others = [db, Database(db.engine.url.render_as_string(hide_password=False))]  # as two processes would

    def count_up(number: int) -> None:
        for _ in range(20):
            with others[number % 2].writing() as session:
                row = session.scalars(select(Mailbox).with_for_update()).one()
                row.address = str(int(row.address) + 1)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count_up, range(6)))
    others[1].dispose()
    with db.reading() as session:
        assert session.scalars(select(Mailbox.address)).one() == "120"


def test_a_writing_block_inside_another_one_is_refused_instead_of_waiting_for_ever(database: Database) -> None:
    with database.writing(), pytest.raises(RuntimeError, match="wait for itself"), database.writing():
        pass
    with database.writing() as session:
        session.add(Worker(name="the lock is free again", seen_at=NOW))


def test_sqlite_runs_as_it_must_so_that_power_may_fail(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/x.sqlite3")  # not the one of tests, which is in a hurry
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000, "secure_delete": 1}
    with db.reading() as session:
        assert {name: session.scalar(text(f"PRAGMA {name}")) for name in expected} == expected
    db.dispose()


def test_sqlites_file_is_ours_alone(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path}/new/x.sqlite3")
    with db.writing() as session:
        session.execute(text("CREATE TABLE t (x)"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "new").iterdir()}
    db.dispose()
    assert modes == {"x.sqlite3": 0o600, "x.sqlite3-wal": 0o600, "x.sqlite3-shm": 0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_database_that_cannot_be_used_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Database(f"sqlite:///{tmp_path}/file/x.sqlite3")
    db = Database("postgresql+psycopg://app:geheim@127.0.0.1:1/x")
    with pytest.raises(UsageError, match="cannot be used") as caught:
        db.upgrade()
    assert "geheim" not in f"{caught.value.as_dict()} {db!r} {db.url_shown}"


def test_several_may_upgrade_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.sqlite3"
    begin = threading.Barrier(4)

    def upgrade(_: int) -> bool:
        db = Database(url)
        begin.wait()
        db.upgrade()
        current = db.is_current()
        db.dispose()
        return current

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(upgrade, range(4))) == [True] * 4


def test_a_database_that_goes_away_is_an_error_that_waits_for_it(database_everywhere: Database) -> None:
    with database_everywhere.reading() as session:
        session.execute(text("SELECT 1"))
    with pytest.raises(DatabaseUnavailable) as caught, database_everywhere.writing() as session:
        session.execute(text("SELECT * FROM no_such_table" if database_everywhere.is_sqlite else _SUICIDE))
    assert caught.value.remedy is Remedy.LATER
    assert caught.value.detail
    with database_everywhere.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_a_full_disk_has_its_own_name(database: Database) -> None:
    def fill() -> None:
        with database.writing() as session:
            pages = session.scalar(text("PRAGMA page_count"))
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.execute(text("CREATE TABLE big (octets BLOB)"))
            session.execute(text("INSERT INTO big VALUES (zeroblob(1000000))"))

    with pytest.raises(DiskFull):
        fill()


def test_a_mistake_of_ours_stays_a_mistake_of_ours(database_everywhere: Database) -> None:
    with pytest.raises(IntegrityError), database_everywhere.writing() as session:
        session.execute(text("INSERT INTO workers (name, seen_at) VALUES (NULL, NULL)"))
