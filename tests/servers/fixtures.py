"""Fixtures for tests with real servers. Each server starts once per session, at its first use.

Isolation comes from fresh accounts, fresh databases and a flushed Redis, not from fresh servers. A server that is not
installed skips the test, naming the package; with POSTWAGEN_TEST_SERVERS=required it fails it.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn, Protocol

import pytest

from migrator.db.store import Database
from migrator.demo import servers
from migrator.demo.servers import DovecotServer, LocalServer, ServerUnavailableError
from tests.servers import running
from tests.servers.accounts import Account
from tests.servers.running import Postgres, Redis
from tools.test_servers import find


@dataclasses.dataclass(frozen=True, slots=True)
class DovecotPair:
    """An old and a new provider, and one fresh mailbox of the same name at each."""

    old: DovecotServer
    new: DovecotServer
    old_account: Account
    new_account: Account


class StartDovecot(Protocol):
    """`start_dovecot` without its first two arguments; ends with the test."""

    def __call__(self, **options: object) -> DovecotServer: ...


def fresh_account(server: DovecotServer, user: str | None = None) -> Account:
    """A new account on a running server; its mailbox has only what the server gives to everybody."""
    account = Account(user or f"u{secrets.token_hex(5)}@old.example", secrets.token_urlsafe(12))
    server.add_user(account.user, account.password)
    return account


def missing(error: ServerUnavailableError) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    if os.environ.get("POSTWAGEN_TEST_SERVERS") == "required":
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


# ------------------------------------------------------------------ mail servers


@pytest.fixture(scope="session")
def mbsync() -> None:
    """isync is here, beside which we are measured."""
    if find("mbsync") is None:
        missing(ServerUnavailableError("mbsync is not installed (Debian: apt-get install isync)"))


@pytest.fixture(scope="session")
def old_dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DovecotServer]:
    """An old provider: everything lies below `INBOX.`, special folders have German names, POP3 as well."""
    try:
        server = servers.start_dovecot(
            tmp_path_factory.mktemp("old"),
            {},
            separator=".",
            prefix="INBOX.",
            special_use={"Gesendet": "\\Sent", "Entwürfe": "\\Drafts", "Papierkorb": "\\Trash", "Spam": "\\Junk"},
            pop3=True,
        )
    except ServerUnavailableError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture(scope="session")
def new_dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DovecotServer]:
    """A hoster's server: `/`, no prefix, the five special folders."""
    try:
        server = servers.start_dovecot(tmp_path_factory.mktemp("new"), {})
    except ServerUnavailableError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture
def dovecot_pair(old_dovecot: DovecotServer, new_dovecot: DovecotServer) -> DovecotPair:
    """Both servers, with a fresh mailbox at each."""
    old_account = fresh_account(old_dovecot)
    return DovecotPair(old_dovecot, new_dovecot, old_account, fresh_account(new_dovecot, old_account.user))


@pytest.fixture
def dovecot(tmp_path: Path) -> Iterator[StartDovecot]:
    """Starts a Dovecot of its own with special options (quota, capabilities, ...), without accounts."""
    with ExitStack() as stack:

        def start(**options: object) -> DovecotServer:
            begin: Callable[..., DovecotServer] = servers.start_dovecot
            try:
                server = begin(tmp_path / secrets.token_hex(2), {}, **options)
            except ServerUnavailableError as error:
                missing(error)
            return stack.enter_context(server)

        yield start


@pytest.fixture
def pymap_account() -> Account:
    """The one account of `pymap_server`."""
    return Account(f"u{secrets.token_hex(5)}@old.example", secrets.token_urlsafe(12))


@pytest.fixture
def pymap_server(tmp_path: Path, pymap_account: Account) -> Iterator[LocalServer]:
    """A pymap of the test's own: it has one account and forgets nothing else."""
    with servers.start_pymap(tmp_path, pymap_account.user, pymap_account.password) as server:
        yield server


# ------------------------------------------------------------------ databases, broker, browser


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The session's cluster."""
    try:
        cluster = running.start_postgres(tmp_path_factory.mktemp("postgres"))
    except ServerUnavailableError as error:
        missing(error)
    with cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A new, empty database of the test's own; dropped afterwards."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> Iterator[str]:
    """An empty database of the newest revision, to be copied: its name."""
    name = postgres.create_database()
    database = Database(postgres.url(name))
    database.upgrade()  # step by step, as those who upgrade have it
    database.dispose()
    yield name
    postgres.drop_database(name)


@pytest.fixture
def migrated_postgres_url(postgres: Postgres, migrated_postgres: str) -> Iterator[str]:
    """A new database of the test's own, migrated and empty; dropped afterwards."""
    name = postgres.create_database(migrated_postgres)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """The session's Redis."""
    try:
        server = running.start_redis(tmp_path_factory.mktemp("redis"))
    except ServerUnavailableError as error:
        missing(error)
    with server:
        yield server


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An empty Redis; nobody else uses it during the test."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """For Playwright: `chromium.launch(executable_path=chromium_path)`."""
    path = running.chromium_path()
    if path is None:
        missing(ServerUnavailableError("Chromium is not installed (Debian: apt-get install chromium)"))
    return path
