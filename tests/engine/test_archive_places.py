"""An archive where files cannot be made as usual: read-only media, file systems without links, full disks."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from migrator.archive.check import check
from migrator.archive.file import ArchiveFile
from migrator.errors import ArchiveUnusable, DiskFull
from tests.engine.test_archiving import KEY, Chest, shown
from tests.engine.world import World, days, mail


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    for number in range(5):
        world.old.put("INBOX", mail(f"m{number}"), instant=days(number))
    return Chest(world, tmp_path)


def nothing_can_be_made_beside(chest: Chest) -> None:
    """As on a read-only disk: SQLite finds no place for the file that readers share."""
    for name in ("anna.pwa-shm", "anna.pwa-wal"):
        chest.path.with_name(name).unlink(missing_ok=True)
    chest.path.with_name("anna.pwa-shm").mkdir()


def test_an_archive_on_a_read_only_disk_is_checked_and_played_in(chest: Chest) -> None:
    chest.archive()
    nothing_can_be_made_beside(chest)
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        assert check(file).is_whole
    assert chest.view() == shown(chest.world.old)


def test_a_disk_on_which_sqlite_may_write_nothing_at_all_is_read_all_the_same(
    chest: Chest, monkeypatch: pytest.MonkeyPatch
) -> None:
    chest.archive()
    connect = sqlite3.connect

    class Refusing:
        """Opens, and fails with the first thing that it is asked, whatever that is."""

        def execute(self, _: str) -> None:
            raise sqlite3.OperationalError("attempt to write a readonly database")

        def close(self) -> None:
            pass

    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda address, **more: Refusing() if address.endswith("?mode=ro") else connect(address, **more),
    )
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        assert check(file).is_whole


def test_a_twin_shows_the_same_moment_though_a_pass_has_ended_meanwhile(chest: Chest) -> None:
    chest.archive()
    with contextlib.closing(chest.source()) as source:
        chest.world.old.put("INBOX", mail("later"))
        chest.world.next_job()
        chest.archive()
        with contextlib.closing(source.twin()) as twin, contextlib.closing(chest.source()) as newest:
            counts = [[info.messages for info in one.folders()] for one in (source, twin, newest)]
    assert counts == [[5], [5], [6]]


ANOTHER_PASS = """
import sys
from pathlib import Path
from migrator.archive.file import ArchiveFile
with ArchiveFile(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), writable=True) as file, file.writing() as sql:
    sql.execute("INSERT INTO meta VALUES ('seen', x'00')")
"""


def another_pass(chest: Chest) -> None:
    """A process of its own writes into the archive, and ends."""
    subprocess.run([sys.executable, "-c", ANOTHER_PASS, chest.path, KEY.hex()], check=True, timeout=60)


@pytest.mark.parametrize("how", ["a twin", "another job", "nobody"])
def test_whoever_opens_an_archive_beside_a_reader_leaves_the_reader_its_lock(chest: Chest, how: str) -> None:
    chest.archive()
    wal = chest.path.with_name(chest.path.name + "-wal")
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        assert file.one("SELECT count(*) FROM pass") == (1,)
        if how == "another job":
            ArchiveFile(chest.path, KEY, writable=False).close()
        with file.twin() if how == "a twin" else contextlib.nullcontext():
            another_pass(chest)
            assert wal.exists(), "somebody reads: the process that wrote must leave the WAL where it is"
        assert file.one("SELECT value FROM meta WHERE name = 'seen'") == (b"\0",)
    with ArchiveFile(chest.path, KEY, writable=True):
        pass
    assert not wal.exists()


def test_a_file_system_without_links_takes_archives(chest: Chest, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(_self: Path, _target: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    chest.archive()
    assert chest.view() == shown(chest.world.old)
    assert sorted(path.name for path in chest.path.parent.glob(".anna*")) == []


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EACCES, ArchiveUnusable)])
def test_an_archive_that_cannot_be_made_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "mkstemp", fails)
    with pytest.raises(error, match=r"anna\.pwa"):
        ArchiveFile(tmp_path / "anna.pwa", KEY, writable=True, create=True)
