"""Servers beside Dovecot that tests move mailboxes from and to: which there are, and how their folders are called."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

from migrator.demo.servers import LocalServer, start_dovecot
from tests.servers.accounts import Account
from tests.servers.courier import start_courier
from tests.servers.cyrus import start_cyrus
from tests.servers.mailboxes import Client, Mail, folder


class Other(Protocol):
    """What tests need of such a server."""

    imap_port: int

    def add_user(self, user: str, password: str) -> None: ...


class Limited(Other, Protocol):
    """One whose mailboxes can be limited."""

    def set_quota(self, user: str, kilobytes: int) -> None: ...


def _the_same(octets: bytes) -> bytes:
    return octets


def _as_cyrus_keeps(octets: bytes) -> bytes:
    """In a header it puts X for every octet that is not ASCII (munge8bit, its default)."""
    header, end, body = octets.partition(b"\r\n\r\n")
    return bytes(octet if octet < 128 else ord("X") for octet in header) + end + body


def _as_courier_keeps(octets: bytes) -> bytes:
    """It ends every message with CRLF."""
    return octets if octets.endswith(b"\n") else octets + b"\r\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A server in one of its configurations.

    `prefix` begins every folder's name but the inbox's, `separator` stands between levels. `keeps`: octets as they are
    found again after an APPEND.
    """

    start: Callable[[Path], LocalServer]
    prefix: str
    separator: str
    keeps: Callable[[bytes], bytes] = _the_same

    def name(self, *path: str) -> str:
        """A folder as this server calls it."""
        return "INBOX" if path == ("INBOX",) else self.prefix + self.separator.join(path)


def _cyrus(prefix: str, separator: str) -> Kind:
    def start(home: Path) -> LocalServer:
        return start_cyrus(home, separator=separator, beside_inbox=not prefix)

    return Kind(start, prefix, separator, _as_cyrus_keeps)


KINDS: Final = {
    "Cyrus with / beside the inbox": _cyrus("", "/"),
    "Cyrus with / below the inbox": _cyrus("INBOX/", "/"),
    "Cyrus with . beside the inbox": _cyrus("", "."),
    "Cyrus with . below the inbox": _cyrus("INBOX.", "."),
    "Courier": Kind(start_courier, "INBOX.", ".", _as_courier_keeps),
    "Dovecot with . beside the inbox": Kind(
        lambda home: start_dovecot(home, {}, separator=".", special_use=False), "", "."
    ),
}


def new_account(server: Other) -> Account:
    """Somebody with an empty mailbox."""
    account = Account(f"u{secrets.token_hex(5)}@other.example", secrets.token_urlsafe(12))
    server.add_user(account.user, account.password)
    return account


class PatientClient(Client):
    """Appends one message after the other, and waits until it may send each: every server can do that."""

    def fill(self, name: str, mails: Iterable[Mail]) -> int:
        count = 0
        for mail in mails:
            count += 1
            self._number += 1
            tag, date = b"t%d" % self._number, b' "%b"' % mail.date.encode() if mail.date else b""
            flags = " ".join(mail.flags).encode()
            line = b"%b APPEND %b (%b)%b {%d}\r\n" % (tag, folder(name), flags, date, len(mail.octets))
            self._socket.sendall(line)
            assert (said := self._response()[0]).startswith(b"+"), said
            self._socket.sendall(mail.octets + b"\r\n")
            text, _ = self._finish(tag)
            assert text.startswith(b"OK"), (name, text)
        return count
