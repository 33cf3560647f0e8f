"""Where everything is measured: two Dovecots of our own on loopback with TLS, and a mailbox on one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.bare import BareClient, Prepared
from bench.mailbox import Message, write
from migrator.demo.servers import DovecotServer, start_dovecot
from tests.servers.fixtures import Account, fresh_account


class Ground:
    """Two servers and what lies on them. They sync as Dovecot does by default, not as our test servers."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        fsync = "mail_fsync = optimized\n"
        self.old: DovecotServer = stack.enter_context(start_dovecot(directory / "old", {}, extra=fsync))
        self.new: DovecotServer = stack.enter_context(start_dovecot(directory / "new", {}, extra=fsync))
        self.directory = directory
        self._number = 0

    @staticmethod
    def opened(server: DovecotServer) -> Account:
        """A new account that was logged in to once: no run pays for making its folders."""
        account = fresh_account(server)
        with BareClient(server, account):
            return account

    def path(self, suffix: str) -> Path:
        """Nothing is there yet."""
        self._number += 1
        return self.directory / f"{self._number}.{suffix}"

    def environment(self, source: Account, target: Account | None = None) -> dict[str, str]:
        """What our command needs to know beside its arguments."""
        passwords = {"POSTWAGEN_SOURCE_PASSWORD": source.password}
        if target is not None:
            passwords["POSTWAGEN_TARGET_PASSWORD"] = target.password
        return {"POSTWAGEN_DATA_DIR": str(self.directory / "data"), **passwords}

    def written(self, mailbox: Iterable[Message]) -> Mailbox:
        """A mailbox at the old server."""
        return Mailbox(self, mailbox)

    def prepared(self, mailbox: Iterable[Message]) -> Prepared:
        """All octets of all its APPENDs."""
        with BareClient(self.new, fresh_account(self.new)) as client:
            return Prepared(self.path("prepared"), mailbox, client.folders())

    def append(self, prepared: Prepared) -> tuple[Account, float]:
        """A new account at the new server, filled by the bare client, and the seconds that it took."""
        account = self.opened(self.new)
        return account, timed(lambda client: client.append(prepared), self.new, account)


class Mailbox:
    """A mailbox at the old server. Everything of it was read once: whoever comes first would pay for the caches."""

    def __init__(self, ground: Ground, mailbox: Iterable[Message]) -> None:
        self.server = ground.old
        self.account = fresh_account(ground.old)
        names: dict[str, None] = {}

        def named() -> Iterator[Message]:
            for message in mailbox:
                names.setdefault(message.folder)
                yield message

        self.count, self.octets = write(ground.old, self.account, named())
        self.folders = list(names)
        self.drain()
        self.listing()

    def drain(self) -> float:
        """Seconds."""
        return timed(lambda client: client.drain(self.folders), self.server, self.account)

    def listing(self) -> float:
        """Seconds."""
        return timed(lambda client: client.listing(self.folders), self.server, self.account)


def timed(work: Callable[[BareClient], object], server: DovecotServer, account: Account) -> float:
    """Seconds, with the login."""
    began = time.monotonic()
    with BareClient(server, account) as client:
        work(client)
    return time.monotonic() - began
