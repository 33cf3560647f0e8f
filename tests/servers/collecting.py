"""Mail that was collected by POP3, compared message by message with what was put there and with what was played in."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.corpus import as_dovecot_keeps, as_dovecot_sends
from tests.servers.command import ROOT, Postwagen, Ran, url
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import Client, Mail, fill_all

READER: Final = ROOT / "docs" / "archive_reader.py"


@dataclasses.dataclass(slots=True)
class Collected:
    """How a collection ended. `wrong` names every message that is not what it must be."""

    archive: Ran
    play_in: Ran
    kinds: Counter[str] = dataclasses.field(default_factory=Counter)
    """How many messages differ from what was put there, and in what."""
    missing: list[int] = dataclasses.field(default_factory=list)
    """Which of those put there are not in the archive, from 0."""
    named: list[int] = dataclasses.field(default_factory=list)
    """Which of them the run names as failed."""
    wrong: list[str] = dataclasses.field(default_factory=list)


def collect(pair: DovecotPair, directory: Path, octets: Sequence[bytes]) -> Collected:
    """Put it into the old inbox, collect it into an archive over POP3, play that in, and look at each message.

    The archive is read by the stranger of docs/archive-format.md.
    """
    fill_all(pair.old.imap_port, pair.old_account, {"INBOX": [Mail(each) for each in octets]})
    command = Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)
    user, archive = pair.old_account.user.replace("@", "%40"), directory / "collected.pwa"
    way = f"pop3s://{user}@localhost:{pair.old.pop3s_port}?cafile={pair.old.cafile}"
    made = command.run("archive", way, str(archive), "--json", within=3600)
    played = command.run("play-in", str(archive), url(pair.new, pair.new_account), "--json", within=3600)
    found = Collected(made, played, named=[_number(each["key"]) for each in made.json["failures"]])
    arriving: Counter[bytes] = Counter()
    missing = set(range(len(octets)))
    for number, held in _archived(archive):
        missing.remove(number)
        arriving[hashlib.sha256(as_dovecot_keeps(held)).digest()] += 1
        if held != as_dovecot_sends(octets[number]):
            found.wrong.append(f"archived: {number}: {octets[number][:60]!r} became {held[:60]!r}")
        found.kinds.update(_kinds(octets[number], held))
    found.missing = sorted(missing)
    with Client(pair.new.imap_port, pair.new_account) as client:
        there = Counter(seen.digest for seen in client.read("INBOX").values())
    if there != arriving:
        found.wrong.append(f"played in: {(arriving - there).total()} missing, {(there - arriving).total()} too many")
    return found


def _archived(archive: Path) -> Iterator[tuple[int, bytes]]:
    """Which message, from 0, and its octets."""
    argv = [sys.executable, str(READER), str(archive), f"{archive}.key"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        for line in reader.stdout:
            shown = json.loads(line)
            yield _number(shown["key"]), base64.b64decode(shown["octets"])
    assert reader.returncode == 0


def _number(uidl: str) -> int:
    """Dovecot's UIDL begins with the UID in eight hexadecimal digits; we count from 0."""
    return int(uidl[:8], 16) - 1


def _kinds(put: bytes, held: bytes) -> Iterator[str]:
    """In what they differ; `octets` if in nothing that has a name here."""
    if put == held:
        return
    yield "any"
    if not put.endswith(b"\n"):
        yield "final line end added"
    if b"\n" in put.replace(b"\r\n", b""):
        yield "LF alone became CRLF"
    if b"\r\r\n" in put or put.endswith(b"\r"):
        yield "CR lost"
