"""An archive's file: SQLite, opened for one writer or for readers, with short transactions (docs/archive-format.md)."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from migrator.archive.beside import Beside
from migrator.archive.salvage import salvage
from migrator.archive.sealing import ID_OCTETS, ArchiveSeal
from migrator.errors import ArchiveDamaged, ArchiveUnusable, DatabaseUnavailable, Defect, DiskFull, LedgerBusy

APPLICATION_ID = 0x50574131
"""`PWA1`: what kind of file this is (SQLite's header)."""
VERSION = 2
PAGE_OCTETS = 16384
SEGMENT_OCTETS = PAGE_OCTETS - 40
"""So much is in a row that fills a page and needs no other (SQLite's file format, 1.6): one page lost costs no more."""
WAL_OCTETS = 16 * 1024 * 1024
_CHECK = b"this is the key"
_AWAY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
         sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM)  # fmt: skip
"""SQLite's codes for a file that is not damaged but cannot be used now."""
_AWAY_HINT = (
    "See whether its directory is there and can be written, then run the same again: it goes on where it stopped."
)
DAMAGED_HINT = (
    "`postwagen check archive:PATH` says what it costs. Where that does not open it either, put a copy of the file "
    "back; the next pass adds what that one lacks."
)
Answer = TypeVar("Answer")

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE pass (id INTEGER PRIMARY KEY, began INTEGER NOT NULL, ended INTEGER, sealed BLOB);
CREATE TABLE folder (
    id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE, from_pass INTEGER NOT NULL, gone_pass INTEGER,
    sealed BLOB NOT NULL
);
CREATE TABLE blob (
    id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE, salt BLOB NOT NULL,
    segment INTEGER NOT NULL, start INTEGER NOT NULL, octets INTEGER NOT NULL
);
CREATE TABLE segment (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, origin BLOB NOT NULL, blob INTEGER NOT NULL, sealed BLOB NOT NULL,
    UNIQUE (folder, origin)
);
CREATE TABLE placement (
    id INTEGER PRIMARY KEY, message INTEGER NOT NULL, from_pass INTEGER NOT NULL, gone_pass INTEGER,
    sealed BLOB NOT NULL
);
CREATE INDEX placement_of ON placement (message, from_pass);
"""


class ArchiveFile:
    """One open archive, used by one thread at a time. Use it as a context manager, or close it."""

    def __init__(self, path: Path, key: bytes, *, writable: bool, create: bool = False) -> None:
        """Raises ArchiveUnusable, LedgerBusy (another writer), DatabaseUnavailable, DiskFull."""
        self.path = path
        self._key = key
        self._beside: Beside | None = None
        self._may_salvage = not writable
        self._writer = ThreadPoolExecutor(1, "archive-writer")
        self._is_closed = False
        self._last: Future[Any] | None = None
        """What was given to the writer's thread last."""
        self._lock = _locked(path) if writable else None
        try:
            with self._told():
                if create and not path.exists():
                    _make(path, key)
                _refuse_other_files(path, self._look())
                self._sql = self._connect(writable)
                archive_id = self._meta("archive_id")
                self.id = archive_id
                self.seal = ArchiveSeal(key, archive_id)
                self._check_key()
        except BaseException:
            self.close()
            raise
        self.validity = int.from_bytes(archive_id[:4], "big") & 0x7FFFFFFF | 1
        """Stands for UIDVALIDITY: another archive has another one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def twin(self) -> ArchiveFile:
        """The same archive open once more for reading, for another thread."""
        return ArchiveFile(self.path, self._key, writable=False)

    def close(self) -> None:
        """Put the WAL into the file and give the lock back. Never raises."""
        self._is_closed = True
        self._writer.shutdown()
        with suppress(AttributeError, sqlite3.Error), closing(self._sql), suppress(sqlite3.Error):
            roll_back(self._sql)
            if self._lock is not None:
                self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self._beside is not None:
            self._beside.close()
            self._beside = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ---- opening -------------------------------------------------------------------------------------------------

    def _look(self) -> bytes:
        try:
            self._beside = Beside(self.path)
            return self._beside.head(100)
        except OSError as error:
            raise ArchiveUnusable(f"The archive {self.path} cannot be read: {error.strerror}.") from None

    def _connect(self, writable: bool) -> sqlite3.Connection:
        if writable:
            sql = _opened(self.path, "mode=rw")
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA synchronous = FULL")
            sql.execute("PRAGMA cell_size_check = ON")  # pages are looked at before they are written: damage may spread
            sql.execute("PRAGMA cache_size = -4000")  # KiB: about a transaction; else its pages are written twice
            sql.execute(f"PRAGMA wal_autocheckpoint = {WAL_OCTETS // PAGE_OCTETS}")  # each one waits for the disk twice
            return sql
        sql = _opened(self.path, "mode=ro")
        try:
            sql.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError:  # on a read-only disk: readers need files of their own beside it
            sql.close()
            if octets_in(self.path.with_name(self.path.name + "-wal")):
                raise
            sql = _opened(self.path, "immutable=1")
        sql.execute("PRAGMA cache_size = -500")  # KiB: what is read is read once, and every lane has the file open
        return sql

    def _check_key(self) -> None:
        try:
            self.seal.unseal_row(self._meta("check"), b"check")
        except ArchiveDamaged:
            if self._opens_anything():  # so it was that entry which is damaged
                return
            raise ArchiveUnusable(f"This is not the key of the archive {self.path}.") from None

    def _opens_anything(self) -> bool:
        for address, sealed in self.sql.execute("SELECT address, sealed FROM folder").fetchall():
            with suppress(ArchiveDamaged, TypeError):
                self.seal.unseal_row(sealed, b"folder" + address)
                return True
        return False

    def _meta(self, name: str) -> bytes:
        row = self.sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise ArchiveUnusable(f"{self.path} is no whole archive: {name} is missing.")
        return row[0] if isinstance(row[0], bytes) else b""

    @property
    def account(self) -> str:
        """Whose mail lies in it (an Endpoint's identity), or empty."""
        row = self.one("SELECT value FROM meta WHERE name = 'account'")
        return self.seal.unseal_row(row[0], b"account").decode() if row else ""

    def claim(self, account: str) -> None:
        """From now on it holds this account's mail. Raises ArchiveUnusable where it holds somebody else's.

        Where not even a folder was seen yet (the host was misspelt, say), it holds nobody's.
        """
        known = self.account
        if known == account:
            return
        if known and self.one("SELECT 1 FROM folder LIMIT 1") is not None:
            raise ArchiveUnusable(
                f"The archive {self.path} holds the mail of {known}.", hint="Name another file for this mailbox."
            )
        with self.writing() as sql:
            sealed = self.seal.seal_row(account.encode(), b"account")
            sql.execute("INSERT OR REPLACE INTO meta VALUES ('account', ?)", (sealed,))

    # ---- transactions --------------------------------------------------------------------------------------------

    @property
    def sql(self) -> sqlite3.Connection:
        """The connection, when the writer's thread has done all that was given to it."""
        if self._last is not None:
            wait((self._last,))
        return self._sql

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """ONE transaction: all of it or nothing, on the disk when it ends."""
        with self._told():
            sql = self.sql
            if sql.in_transaction:
                raise Defect("Something was asked of an archive while messages are being appended to it.")
            self.begin(sql)
            try:
                yield sql
                self.commit(sql)
            finally:
                roll_back(sql)

    def behind(self, work: Callable[[sqlite3.Connection], Answer]) -> Future[Answer]:
        """Do this in the writer's thread, after what was given to it before; it raises what `writing` would."""
        done = self._writer.submit(self._worked, work)
        self._last = done
        return done

    def _worked(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        with self._told():
            return work(self._sql)

    def give_up(self) -> None:
        """What was done in the writer's thread and not committed never was; closing the file says the same."""
        if not self._is_closed:
            self.behind(roll_back).result()

    def begin(self, sql: sqlite3.Connection) -> None:
        """A transaction; it ends with `commit` or `roll_back`."""
        sql.execute("BEGIN IMMEDIATE")

    def commit(self, sql: sqlite3.Connection) -> None:
        """Put it on the disk."""
        sql.execute("COMMIT")
        self._let_go()

    def _let_go(self) -> None:
        """Others need the memory in which the system keeps what was written."""
        if self._beside is not None:
            self._beside.let_go(WAL_OCTETS)

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        """A query's rows."""
        with self._told():
            yield from self.sql.execute(statement, values)

    def one(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        """A query's first row, or None."""
        with self._told():
            return self.sql.execute(statement, values).fetchone()

    def again(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` answers; where damage is in its way, what it answers of all that could be salvaged."""
        try:
            return ask()
        except ArchiveDamaged:
            if not self.salvage():
                raise
            return ask()

    def salvage(self) -> bool:
        """Read from now on what can be read, row by row (`archive.salvage`). False: that was done, or we write."""
        if not self._may_salvage:
            return False
        self._may_salvage = False
        with self._told():
            salvage(self.sql)
        return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors that are no fault of ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(f"The disk under the archive {self.path} is full.", detail=str(error)) from error
            if code in _AWAY:
                raise DatabaseUnavailable(
                    f"The archive {self.path} cannot be used.", hint=_AWAY_HINT, detail=str(error)
                ) from error
            raise ArchiveDamaged(
                f"The archive {self.path} is damaged.", hint=DAMAGED_HINT, detail=str(error)
            ) from error


def roll_back(sql: sqlite3.Connection) -> None:
    """Whatever was not committed never was."""
    if sql.in_transaction:
        sql.execute("ROLLBACK")


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{_quoted(path)}?{mode}"
    sql = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
    sql.text_factory = bytes  # a damaged row may hold any type: what is no text must not stop its reader
    return sql


def octets_in(file: Path) -> int:
    """Its size; 0: it is not there."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _make(path: Path, key: bytes) -> None:
    """Whole or not at all: made beside it, then put in place in one step. The caller has locked it."""
    try:
        _make_beside(path, key)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"The disk under the archive {path} is full.", detail=str(error.strerror)) from error
        raise ArchiveUnusable(f"The archive {path} cannot be made: {error.strerror}.") from None


def _make_beside(path: Path, key: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    try:
        archive_id = secrets.token_bytes(ID_OCTETS)
        check = ArchiveSeal(key, archive_id).seal_row(_CHECK, b"check")
        with closing(sqlite3.connect(name, isolation_level=None)) as sql:
            sql.execute(f"PRAGMA page_size = {PAGE_OCTETS}")
            sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            sql.execute(f"PRAGMA user_version = {VERSION}")
            sql.executescript(f"BEGIN; {SCHEMA}")  # one wait for the disk instead of forty
            sql.executemany("INSERT INTO meta VALUES (?, ?)", [("archive_id", archive_id), ("check", check)])
            sql.execute("COMMIT")
        try:
            path.hardlink_to(name)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            if not path.exists():
                Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _locked(path: Path) -> int:
    """Only one writes; the lock ends with the process, however it ends."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ArchiveUnusable(f"The archive {path} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise LedgerBusy(f"Another run writes into the archive {path} now.") from None
    return lock


def _refuse_other_files(path: Path, head: bytes) -> None:
    """What is no archive of ours is never touched. `head`: its first 100 octets, which are SQLite's header."""
    if head[:16] != b"SQLite format 3\0" or int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise ArchiveUnusable(f"{path} is no archive of ours.", hint="It was left as it is; name another file.")
    version = int.from_bytes(head[60:64], "big")
    if version != VERSION:
        raise ArchiveUnusable(
            f"{path} has version {version} of the format; this program knows {VERSION}.",
            hint="Read it with the program that wrote it, or name another file for a new archive.",
        )
