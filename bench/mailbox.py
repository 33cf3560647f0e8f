"""The mailbox that is measured: 10,000 messages in 13 folders, about 450 MB, the same each time.

It is written as a Maildir of its own for a Dovecot of ours: appending it would take longer than what is measured.
"""

from __future__ import annotations

import os
import random
from base64 import encodebytes
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.demo.servers import DovecotServer
from tests.corpus import letters, realistic_corpus
from tests.servers.fixtures import Account
from tests.servers.mailboxes import Client

SEED = 1
FOLDERS = {
    "INBOX": 34, "Sent": 20, "Archive": 12, "Archive/2023": 6, "Archive/2024": 6, "Trash": 5, "Kunden": 4,
    "Kunden/Angebote": 3, "Kunden/Rechnungen": 3, "Projekte": 3, "Listen": 2, "Junk": 1, "Drafts": 1,
}  # fmt: skip
"""Name → its share of the messages."""
_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "$Forwarded": "a", "NonJunk": "b"}
_KEYWORDS = "0 $Forwarded\n1 NonJunk\n"
_FLAGS = (
    ("\\Seen",), ("\\Seen",), ("\\Seen",), ("\\Answered", "\\Seen"), (), ("\\Seen", "NonJunk"), ("\\Flagged", "\\Seen"),
    ("$Forwarded", "\\Seen"),
)  # fmt: skip
_SCAN_LINES = 16_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the mailbox: where it lies, its octets, flags and internal date."""

    folder: str
    octets: bytes
    flags: tuple[str, ...]
    at: datetime


def messages(count: int, seed: int = SEED) -> Iterator[Message]:
    """All of them, folder by folder; one in 200 is a scan of more than 1 MB. Flat in memory."""
    rng = random.Random(seed)
    scan = encodebytes(rng.randbytes(_SCAN_LINES * 57)).replace(b"\n", b"\r\n")
    plain = realistic_corpus(count, seed)
    at, number, names = datetime(2015, 1, 1, tzinfo=UTC).timestamp(), 0, list(FOLDERS)
    for name in names:
        share = count * FOLDERS[name] // 100 if name != names[-1] else count - number
        for _ in range(share):
            octets = next(plain)
            if number % 200 == 100:
                octets += b"\r\n".join((b"", b"--scan", scan[rng.randrange(100) * 78 :]))
            at += rng.randrange(60, 60_000)
            yield Message(name, octets, _FLAGS[rng.randrange(len(_FLAGS))], datetime.fromtimestamp(int(at), UTC))
            number += 1


def texts(count: int) -> Iterator[Message]:
    """Letters of some KB without attachments."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    for octets in letters(count):
        yield Message("INBOX", octets, (), at)


def small(count: int) -> Iterator[Message]:
    """Messages of about 1 KB in the inbox: what is not octets counts."""
    at, body = datetime(2020, 1, 1, tzinfo=UTC), b"A line of a small message, as monitoring sends them.\r\n" * 15
    for number in range(count):
        head = b"Message-ID: <%d@small.example>\r\nSubject: number %d\r\n\r\n" % (number, number)
        yield Message("INBOX", head + body, ("\\Seen",), at)


def giants(count: int) -> Iterator[Message]:
    """Messages of 60 MB."""
    at = datetime(2020, 1, 1, tzinfo=UTC)
    scan = encodebytes(random.Random(SEED).randbytes(57 * 20_000)).replace(b"\n", b"\r\n")
    for number in range(count):
        yield Message("INBOX", b"Subject: giant %d\r\n\r\n" % number + scan * (60_000_000 // len(scan)), (), at)


def write(server: DovecotServer, account: Account, mailbox: Iterator[Message]) -> tuple[int, int]:
    """Put it where that server keeps this account's mail. Returns messages and octets as IMAP counts them."""
    with Client(server.imap_port, account) as client:
        client.folders()  # the first login makes the mail directory
    root = server.mail_directory(account.user) / "Maildir"
    count = octets = 0
    made: set[Path] = set()
    for count, message in enumerate(mailbox, 1):
        place = root if message.folder == "INBOX" else root / ("." + message.folder.replace("/", "."))
        if place not in made:
            made.add(place)
            _make(place)
        _write(place / "cur", count, message)
        octets += len(message.octets)
    server.premises.hand_over(server.mail_directory(account.user))
    return count, octets


def _make(place: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "maildirfolder").touch()
    (place / "dovecot-keywords").write_text(_KEYWORDS)


def _write(directory: Path, number: int, message: Message) -> None:
    """As Dovecot stores it: line ends without CR, both sizes in the name, the internal date as the file's time."""
    stored = message.octets.replace(b"\r\n", b"\n")
    letters = "".join(sorted(_LETTERS[flag] for flag in message.flags))
    at = int(message.at.timestamp())
    path = directory / f"{at}.M{number}P1.bench,S={len(stored)},W={len(message.octets)}:2,{letters}"
    path.write_bytes(stored)
    os.utime(path, (at, at))
