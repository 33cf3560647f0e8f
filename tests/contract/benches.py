"""The ends under contract: each bench is one account at one kind of server, our ends, and somebody else's eyes."""

from __future__ import annotations

import calendar
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol

from migrator.mail.folders import FolderPath, FolderRef, Namespace
from migrator.mail.messages import HEAD_OCTETS, MessageKey, Row
from migrator.ports import (
    AppendResult,
    Batch,
    Letter,
    Opened,
    Page,
    Parcel,
    Source,
    Target,
    Want,
)
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.source import ImapSource
from migrator.sessions.imap.target import ImapTarget
from migrator.sessions.memory import MemoryServer, MemorySource, MemoryTarget
from tests.corpus import DOVECOT_REFUSES, PYMAP_HANGS, PYMAP_REFUSES, as_dovecot_keeps, as_pymap_keeps
from tests.servers.fixtures import Account
from tests.servers.mailboxes import Client, Mail
from tests.servers.mailboxes import folder as folder_argument
from tests.servers.proxy import FaultProxy

INSTANT = datetime(2001, 3, 5, 1, 2, 3, tzinfo=UTC)
Fingerprint = tuple[bytes, frozenset[str], int]


def fingerprint(octets: bytes, flags: Iterable[str] = (), instant: datetime = INSTANT) -> Fingerprint:
    """How `Bench.lies` shows a message."""
    return hashlib.sha256(octets).digest(), frozenset(flags), calendar.timegm(instant.timetuple())


class Bench(Protocol):
    """One account. `put` and `lies` do not use our ends."""

    keeps: Callable[[bytes], bytes]
    """What this server makes of octets."""
    refuses: frozenset[str]
    """Names of the messages of the catalogue that it refuses, or that cannot be sent to it."""

    def source(self) -> Source: ...

    def target(self) -> Target: ...

    def put(self, name: str, octets: bytes, *flags: str, instant: datetime = INSTANT) -> None: ...

    def make(self, name: str) -> None: ...

    def lies(self, name: str) -> Counter[Fingerprint]: ...

    def remove(self, name: str, uid: int) -> None: ...

    def wire(self) -> list[bytes]:
        """The verbs that our ends have sent so far; empty where there is no wire."""
        ...


class MemoryBench:
    """In memory."""

    keeps = staticmethod(lambda octets: octets)
    refuses = frozenset({"empty-message"})

    def __init__(self) -> None:
        self.server = MemoryServer(Namespace("", "/"))
        self.server.behaviour.refuses_empty = True
        self.server.behaviour.refuses_name = lambda name: "\r" in name or "\n" in name

    def source(self) -> Source:
        return MemorySource(self.server)

    def target(self) -> Target:
        return MemoryTarget(self.server)

    def make(self, name: str) -> None:
        if name not in self.server.folders:
            self.server.make(name)

    def put(self, name: str, octets: bytes, *flags: str, instant: datetime = INSTANT) -> None:
        self.make(name)
        self.server.put(name, octets, *flags, instant=instant)

    def lies(self, name: str) -> Counter[Fingerprint]:
        messages = self.server.folder(name).messages.values()
        return Counter(fingerprint(item.octets, item.flags, item.instant or INSTANT) for item in messages)

    def remove(self, name: str, uid: int) -> None:
        self.server.remove(name, uid)

    def wire(self) -> list[bytes]:
        return []


class ImapBench:
    """An account at a real server; our ends speak through a proxy that records what they say."""

    def __init__(
        self,
        port: int,
        account: Account,
        stack: ExitStack,
        *,
        pymap: bool = False,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self._port = port
        self._account = account
        self._stack = stack
        self.proxy = stack.enter_context(FaultProxy("127.0.0.1", port, record=True))
        self.keeps = as_pymap_keeps if pymap else as_dovecot_keeps
        self.refuses = without | (PYMAP_REFUSES.keys() | PYMAP_HANGS.keys() if pymap else DOVECOT_REFUSES.keys())

    def endpoint(self, port: int | None = None) -> Endpoint:
        return Endpoint(
            "imap", "127.0.0.1", port or self.proxy.port, "none", self._account.user, lambda: self._account.password
        )

    def session(self) -> ImapSession:
        session = ImapSession(self.endpoint())
        self._stack.callback(session.close)
        return session

    def source(self) -> Source:
        return ImapSource(self.session())

    def target(self) -> Target:
        return ImapTarget(self.session())

    def client(self) -> Client:
        return Client(self._port, self._account)

    def make(self, name: str) -> None:
        with self.client() as client:
            if name.upper() != "INBOX":
                client.create(name)

    def put(self, name: str, octets: bytes, *flags: str, instant: datetime = INSTANT) -> None:
        self.make(name)
        with self.client() as client:
            client.fill(name, [Mail(octets, flags, f"{instant:%d-%b-%Y %H:%M:%S} +0000")])

    def lies(self, name: str) -> Counter[Fingerprint]:
        with self.client() as client:
            return Counter((item.digest, item.flags, item.instant) for item in client.read(name).values())

    def remove(self, name: str, uid: int) -> None:
        with self.client() as client:
            client.tell(b"SELECT " + folder_argument(name))
            client.tell(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
            client.tell(b"UID EXPUNGE %d" % uid)

    def wire(self) -> list[bytes]:
        return [verb for verb, _ in self.proxy.commands()]


# ---- what tests do with ends ---------------------------------------------------------------------------------------


def parcel(number: int, octets: bytes, flags: Sequence[str] = (), instant: datetime | None = INSTANT) -> Parcel:
    """A message to append."""
    want = Want("x", MessageKey(1, number + 1), len(octets))
    return Parcel(
        number, Letter(want, octets[:HEAD_OCTETS], len(octets), lambda: iter((octets,))), tuple(flags), instant
    )


def append(
    target: Target, folder: FolderRef, parcels: Sequence[Parcel], may_commit: Callable[[], bool] = lambda: True
) -> list[AppendResult]:
    """All results, in the order of the parcels."""
    results = list(target.append([Batch(folder, parcels)], may_commit=may_commit))
    return sorted(results, key=lambda result: result.parcel.entry)


def surveyed(source: Source, name: str) -> tuple[Opened, list[Row]]:
    """A folder as a source shows it."""
    items = list(source.survey(name))
    assert isinstance(items[0], Opened)
    return items[0], [row for item in items[1:] if isinstance(item, Page) for row in item.rows]


def octets_of(source: Source, name: str) -> dict[int, bytes]:
    """Every message of a folder, by UID."""
    _, rows = surveyed(source, name)
    found: dict[int, bytes] = {}
    for answer in source.read([Want(name, row.key, row.size) for row in rows]):
        assert isinstance(answer, Letter), answer
        found[answer.want.key.uid] = b"".join(answer.chunks())
        answer.close()
    return found


def named(target: Target, *levels: str) -> tuple[FolderPath, str]:
    """A folder's path, and its name at this end."""
    return levels, target.traits.namespace.to_name(levels)
