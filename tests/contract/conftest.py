"""The benches: memory, and real servers in the shapes in which they are met."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from migrator.demo import servers
from migrator.demo.servers import DovecotServer, LocalServer, ServerUnavailableError
from tests.contract.benches import Bench, ImapBench, MemoryBench
from tests.servers.fixtures import Account, fresh_account

REAL = ("dovecot_slash", "dovecot_below_inbox", "dovecot_bare", "pymap")
real_servers = [pytest.param(name, marks=pytest.mark.servers) for name in REAL]


@pytest.fixture(scope="session")
def bare_dovecot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DovecotServer]:
    """A server that knows nothing but IMAP4rev1: no UIDPLUS, MULTIAPPEND, LITERAL+, NAMESPACE or LIST-EXTENDED."""
    try:
        server = servers.start_dovecot(tmp_path_factory.mktemp("bare"), {}, imap_capability="IMAP4rev1", tls=False)
    except ServerUnavailableError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def pymap_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalServer, Account]]:
    """One pymap with one account for all tests: each uses folders of its own."""
    account = Account(f"u{secrets.token_hex(5)}@old.example", secrets.token_urlsafe(12))
    with servers.start_pymap(tmp_path_factory.mktemp("pymap"), account.user, account.password) as server:
        yield server, account


def _bench(name: str, request: pytest.FixtureRequest, stack: ExitStack) -> Bench:
    if name == "memory":
        return MemoryBench()
    if name == "pymap":
        pymap, account = request.getfixturevalue("pymap_for_all")
        return ImapBench(pymap.imap_port, account, stack, pymap=True)
    fixture = {"dovecot_slash": "new_dovecot", "dovecot_below_inbox": "old_dovecot", "dovecot_bare": "bare_dovecot"}
    server: DovecotServer = request.getfixturevalue(fixture[name])
    return ImapBench(server.imap_port, fresh_account(server), stack)


@pytest.fixture(params=["memory", *real_servers])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Every end."""
    with ExitStack() as stack:
        yield _bench(request.param, request, stack)


@pytest.fixture(params=real_servers)
def imap_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Every end with a wire."""
    with ExitStack() as stack:
        yield _bench(request.param, request, stack)


@pytest.fixture
def dovecot_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A fresh account at a hoster's Dovecot."""
    with ExitStack() as stack:
        yield _bench("dovecot_slash", request, stack)
