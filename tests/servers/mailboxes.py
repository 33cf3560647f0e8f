"""Mailboxes filled and read over a bare socket: what judges our client shares no line of code with it."""

from __future__ import annotations

import calendar
import contextlib
import dataclasses
import hashlib
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Self

from imapclient.imap_utf7 import decode as decode_name
from imapclient.imap_utf7 import encode as encode_name

from tests.corpus import as_dovecot_keeps
from tests.servers.accounts import Account

_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n\Z")
_LIST: Final = re.compile(rb'\* LIST \(([^)]*)\) (?:"[^"]*"|NIL) (.*)\r\n\Z', re.DOTALL)
_UID: Final = re.compile(rb"\bUID (\d+)")
_FLAGS: Final = re.compile(rb"\bFLAGS \(([^)]*)\)")
_DATE: Final = re.compile(rb'\bINTERNALDATE "([^"]+)"')
_AT_ONCE: Final = 200
_OCTETS_AT_ONCE: Final = 8_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Mail:
    """What is to lie in a folder; `date` as APPEND writes it, None: now."""

    octets: bytes
    flags: tuple[str, ...] = ()
    date: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What lies in a folder. `kept` is the digest of what a Dovecot makes of these octets when it gets them again."""

    digest: bytes
    kept: bytes
    flags: frozenset[str]
    instant: int
    size: int


Folder = dict[int, Seen]
"""UID → message."""
State = dict[str, Folder]
"""Full decoded folder name → its messages."""


class Client:
    """One logged-in connection. Use it as a context manager."""

    def __init__(self, port: int, account: Account) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._stream.readline()
        self.tell(b"LOGIN %b %b" % (_quoted(account.user.encode()), _quoted(account.password.encode())))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    # ------------------------------------------------------------------ commands

    def ask(self, command: bytes) -> tuple[bytes, list[list[bytes]]]:
        """The tagged answer's text and all untagged responses, literals as parts of their own."""
        self._number += 1
        tag = b"t%d" % self._number
        self._socket.sendall(tag + b" " + command + b"\r\n")
        return self._finish(tag)

    def tell(self, command: bytes) -> list[list[bytes]]:
        """The same for commands that must succeed."""
        text, responses = self.ask(command)
        assert text.startswith(b"OK"), (command[:200], text)
        return responses

    def _finish(self, tag: bytes) -> tuple[bytes, list[list[bytes]]]:
        responses: list[list[bytes]] = []
        while True:
            parts = self._response()
            if parts[0].startswith(tag + b" "):
                return parts[0][len(tag) + 1 :].rstrip(), responses
            responses.append(parts)

    def _response(self) -> list[bytes]:
        line = self._stream.readline()
        assert line, "the server ended the connection"
        parts = [line]
        while found := _LITERAL.search(line):
            parts.append(self._stream.read(int(found[1])))
            line = self._stream.readline()
            parts.append(line)
        return parts

    # ------------------------------------------------------------------ filling

    def create(self, name: str) -> None:
        """Make a folder, unless it is there."""
        if name == "INBOX":
            return
        text, _ = self.ask(b"CREATE " + folder(name))
        assert text.startswith(b"OK") or b"EXISTS" in text, (name, text)

    def fill(self, name: str, mails: Iterable[Mail]) -> int:
        """Append all of them, many in one command; the number."""
        count = 0
        for batch in _batches(mails):
            self._number += 1
            tag = b"t%d" % self._number
            pieces = [tag + b" APPEND " + folder(name)]
            for mail in batch:
                date = b' "' + mail.date.encode() + b'"' if mail.date else b""
                pieces.append(b" (%b)%b {%d+}\r\n" % (" ".join(mail.flags).encode(), date, len(mail.octets)))
                pieces.append(mail.octets)
            self._socket.sendall(b"".join([*pieces, b"\r\n"]))
            text, _ = self._finish(tag)
            assert text.startswith(b"OK"), (name, text)
            count += len(batch)
        return count

    def store(self, name: str, uids: str, change: str) -> None:
        """`change` is like `+FLAGS (\\Seen)`."""
        self.tell(b"SELECT " + folder(name))
        self.tell(f"UID STORE {uids} {change}".encode())
        self.tell(b"UNSELECT")

    def delete(self, name: str, uids: str) -> None:
        """Expunge these messages."""
        self.tell(b"SELECT " + folder(name))
        self.tell(b"UID STORE %b +FLAGS.SILENT (\\Deleted)" % uids.encode())
        self.tell(b"UID EXPUNGE " + uids.encode())
        self.tell(b"UNSELECT")

    # ------------------------------------------------------------------ reading

    def folders(self) -> dict[str, frozenset[str]]:
        """Every folder that can be opened → its attributes in lower case."""
        found: dict[str, frozenset[str]] = {}
        for parts in self.tell(b'LIST "" "*"'):
            line = b"".join(parts[:1])
            listed = _LIST.match(line)
            if not listed:
                continue
            raw = parts[1] if len(parts) > 1 else _unquoted(listed[2])
            attributes = frozenset(listed[1].decode().lower().split())
            if not attributes & {"\\noselect", "\\nonexistent"}:
                found[decode_name(raw)] = attributes
        return found

    def subscribed(self) -> set[str]:
        """The names that LSUB lists."""
        found = (
            re.match(rb'\* LSUB \([^)]*\) (?:"[^"]*"|NIL) (.*)\r\n\Z', parts[0]) for parts in self.tell(b'LSUB "" "*"')
        )
        return {decode_name(_unquoted(each[1])) for each in found if each}

    def read(self, name: str) -> Folder:
        """All messages of a folder; nothing is marked."""
        opened = self.tell(b"EXAMINE " + folder(name))
        empty = any(parts[0].startswith(b"* 0 EXISTS") for parts in opened)
        sizes = {} if empty else dict(map(_size, self.tell(b"FETCH 1:* (UID RFC822.SIZE)")))
        found: Folder = {}
        for uids in _groups(sizes):
            self._number += 1
            tag = b"t%d" % self._number
            wish = b"%b UID FETCH %b (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n" % (
                tag,
                ",".join(map(str, uids)).encode(),
            )
            self._socket.sendall(wish)
            while not (parts := self._response())[0].startswith(tag + b" "):
                if b"BODY[]" in parts[0]:
                    uid, message = _message(parts)
                    found[uid] = message
            assert parts[0].startswith(tag + b" OK"), parts[0]
        assert set(found) == set(sizes), (name, set(sizes) - set(found))
        return found


def read_all(port: int, account: Account) -> State:
    """Everything in an account."""
    with Client(port, account) as client:
        return {name: client.read(name) for name in sorted(client.folders())}


def fill_all(port: int, account: Account, content: dict[str, Sequence[Mail]]) -> None:
    """Make the folders and fill them."""
    with Client(port, account) as client:
        for name, mails in content.items():
            client.create(name)
            client.fill(name, mails)


# ------------------------------------------------------------------ judging

Multiset = Counter[tuple[bytes, frozenset[str], int]]


def as_it_lies(content: Folder) -> Multiset:
    """Digest, flags and instant of every message, twins counted."""
    return Counter((each.digest, each.flags, each.instant) for each in content.values())


def as_it_must_arrive(content: Folder) -> Multiset:
    """The same for messages that are carried into a Dovecot."""
    return Counter((each.kept, each.flags, each.instant) for each in content.values())


def differences(source: State, target: State, where: Callable[[str], str] = str) -> list[str]:
    """What is not as it must be, in words; empty: equal in every folder, and nothing too much anywhere.

    `where` gives a source folder's name at the target; several may share one.
    """
    wanted: dict[str, Multiset] = {}
    for name, content in source.items():
        wanted.setdefault(where(name), Counter()).update(as_it_must_arrive(content))
    found: list[str] = []
    for name in sorted({*wanted, *target}):
        must, lies = wanted.get(name, Counter()), as_it_lies(target.get(name, {}))
        if must == lies:
            continue
        missing, extra = must - lies, lies - must
        found.append(
            f"{name}: {missing.total()} missing, {extra.total()} too much (of {must.total()});"
            f" missing {[(d.hex()[:8], sorted(f), t) for d, f, t in list(missing)[:3]]};"
            f" too much {[(d.hex()[:8], sorted(f), t) for d, f, t in list(extra)[:3]]}"
        )
    return found


# ------------------------------------------------------------------ octets


def folder(name: str) -> bytes:
    """A folder's name as an argument."""
    return _quoted(bytes(encode_name(name)))


def _quoted(octets: bytes) -> bytes:
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _unquoted(octets: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", octets[1:-1]) if octets.startswith(b'"') else octets


def _size(parts: list[bytes]) -> tuple[int, int]:
    uid, size = _UID.search(parts[0]), re.search(rb"RFC822.SIZE (\d+)", parts[0])
    assert uid, parts
    assert size, parts
    return int(uid[1]), int(size[1])


def _message(parts: list[bytes]) -> tuple[int, Seen]:
    """A FETCH response with one literal or none (an empty or quoted body)."""
    text = b" ".join([parts[0], *parts[2:]])
    octets = parts[1] if len(parts) > 1 else b""
    uid, flags, date = _UID.search(text), _FLAGS.search(text), _DATE.search(text)
    assert uid, text
    assert flags, text
    assert date, text
    kept = as_dovecot_keeps(octets)
    digest = hashlib.sha256(octets).digest()
    return int(uid[1]), Seen(
        digest=digest,
        kept=digest if kept == octets else hashlib.sha256(kept).digest(),
        flags=frozenset(flags[1].decode().split()) - {"\\Recent"},
        instant=instant(date[1].decode()),
        size=len(octets),
    )


def instant(date: str) -> int:
    """`31-Dec-1999 23:59:00 +0545` as seconds since 1970."""
    day, clock, zone = date.split()
    number, month, year = day.split("-")
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    hour, minute, second = map(int, clock.split(":"))
    shift = (int(zone[1:3]) * 60 + int(zone[3:])) * (-60 if zone[0] == "-" else 60)
    return calendar.timegm((int(year), names.index(month) + 1, int(number), hour, minute, second)) - shift


def _batches(mails: Iterable[Mail]) -> Iterator[list[Mail]]:
    batch: list[Mail] = []
    octets = 0
    for mail in mails:
        if batch and (len(batch) >= _AT_ONCE or octets + len(mail.octets) > _OCTETS_AT_ONCE):
            yield batch
            batch, octets = [], 0
        batch.append(mail)
        octets += len(mail.octets)
    if batch:
        yield batch


def _groups(sizes: dict[int, int]) -> Iterator[list[int]]:
    group: list[int] = []
    octets = 0
    for uid, size in sorted(sizes.items()):
        if group and (len(group) >= _AT_ONCE or octets + size > _OCTETS_AT_ONCE):
            yield group
            group, octets = [], 0
        group.append(uid)
        octets += size
    if group:
        yield group


def until(reached: Callable[[], bool], *, within: float = 30.0) -> None:
    """Return as soon as it is so; TimeoutError else."""
    deadline = time.monotonic() + within
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError("not seen in time")
        with contextlib.suppress(InterruptedError):
            time.sleep(0.01)


# ------------------------------------------------------------------ content

FLAGS: Final = (
    (),
    ("\\Seen",),
    ("\\Seen", "\\Answered"),
    ("\\Flagged", "$Forwarded"),
    ("\\Deleted", "\\Seen"),
    ("\\Draft",),
    ("Projekt_A", "$label1", "NonJunk"),
    ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$MDNSent"),
)
DATES: Final = (
    "01-Jan-1980 00:00:00 +0000",
    "29-Feb-1984 12:00:00 +1400",
    "29-Feb-2000 23:59:59 -1200",
    "31-Dec-1999 23:59:00 +0545",
    " 5-Mar-2001 01:02:03 +0100",
    "25-Mar-2035 02:30:00 +0100",
    "19-Jan-2038 03:14:08 +0000",
    "01-Jan-2100 00:00:00 -0930",
    "30-Jun-2015 23:59:59 +0000",
)
COURIER_NAMES: Final = {
    "INBOX": "INBOX",
    "INBOX.Gesendet": "Sent",
    "INBOX.Entwürfe": "Drafts",
    "INBOX.Papierkorb": "Trash",
    "INBOX.Spam": "Junk",
    "INBOX.Kunden": "Kunden",
    "INBOX.Kunden.Müller & Söhne": "Kunden/Müller & Söhne",
    "INBOX.Kunden.Müller & Söhne.2024": "Kunden/Müller & Söhne/2024",
    "INBOX.Kunden.Müller & Söhne.2024.Q1.Januar.Woche 1": "Kunden/Müller & Söhne/2024/Q1/Januar/Woche 1",
    "INBOX.Gesendet.2023": "Sent/2023",
    "INBOX.Papierkorb.Gesendet": "Trash/Gesendet",
    'INBOX.Er sagte "Hallo"': 'Er sagte "Hallo"',
    "INBOX.back\\slash": "back\\slash",
    "INBOX.&": "&",
    "INBOX.&-": "&-",
    "INBOX.&AOQ-": "&AOQ-",
    "INBOX.日本語": "日本語",
    "INBOX.🚚 Umzug": "🚚 Umzug",
    "INBOX.Mu\u0308ller zerlegt": "Mu\u0308ller zerlegt",
    "INBOX.(Klammern) {5}": "(Klammern) {5}",
    "INBOX.{10+}": "{10+}",
    "INBOX.NIL": "NIL",
    "INBOX.[Gmail]": "[Gmail]",
    "INBOX.2024:Q1": "2024:Q1",
    "INBOX.groß": "groß",
    "INBOX.GROSS": "GROSS",
    "INBOX.a'b;c|d": "a'b;c|d",
    "INBOX.leer": "leer",
    "INBOX." + "lang " * 30 + "Ende": "lang " * 30 + "Ende",
}
"""Folders at an old provider below `INBOX.` → the same at one with `/`."""


def dressed(octets: Iterable[bytes]) -> Iterator[Mail]:
    """The messages with flags and dates that go round at different speeds; one in ten with the date of its arrival."""
    for number, each in enumerate(octets):
        date = None if number % 10 == 9 else DATES[number % len(DATES)]
        yield Mail(each, FLAGS[number // 3 % len(FLAGS)], date)


def spread(mails: Iterable[Mail], names: Sequence[str], *, empty: str = "") -> dict[str, list[Mail]]:
    """Deal the messages out; the first folder gets half of them, `empty` none."""
    dealt: dict[str, list[Mail]] = {name: [] for name in names}
    others = [name for name in names[1:] if name != empty]
    for number, mail in enumerate(mails):
        dealt[names[0] if number % 2 or not others else others[number // 2 % len(others)]].append(mail)
    return dealt
