"""What lies in the mailboxes that are moved, and whether it has arrived: read with a client that is none of ours."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from migrator.demo.servers import DovecotServer
from tests.corpus import realistic_corpus
from tests.servers.fixtures import Account, DovecotPair, fresh_account
from tests.servers.mailboxes import Mail, differences, dressed, fill_all, read_all, spread
from tests.servers.proxy import FaultProxy

FOLDERS = ("INBOX", "INBOX.Gesendet", "INBOX.Kunden")
_PLACES = {"INBOX.Gesendet": "Sent", "INBOX.Entwürfe": "Drafts", "INBOX.Papierkorb": "Trash", "INBOX.Spam": "Junk"}


def place(name: str) -> str:
    """Where a folder of the old server must be found at the new one."""
    return _PLACES.get(name, name.removeprefix("INBOX."))


def fill(
    server: DovecotServer, account: Account, count: int, *, large: int = 0, seed: int = 1, max_size: int = 20_000
) -> None:
    """Twins, near-twins and mail without Message-ID in several folders; `large` of them of 100 KB more."""
    mails = list(dressed(realistic_corpus(count, seed, max_size=max_size, twins=0.15, without_id=0.15)))
    padding = b"\r\n" + b"Umzug " * 16 * 1024
    padded = [dataclasses.replace(mail, octets=mail.octets + padding) for mail in mails[:large]]
    fill_all(server.imap_port, account, spread([*padded, *mails[large:]], FOLDERS))


def giant(megabytes: int, seed: int = 7) -> Mail:
    """One message with an attachment of about so many million octets."""
    line = random.Random(seed).randbytes(38).hex().encode() + b"\r\n"
    head = b"From: <a@old.example>\r\nMessage-ID: <giant-%d@old.example>\r\nSubject: Bilder\r\n\r\n" % seed
    return Mail(head + line * (megabytes * 1_000_000 // len(line)), ("\\Seen",), "01-Feb-2020 10:00:00 +0100")


def another_pair(pair: DovecotPair) -> DovecotPair:
    """Fresh mailboxes on the same servers."""
    old_account = fresh_account(pair.old)
    return DovecotPair(pair.old, pair.new, old_account, fresh_account(pair.new, old_account.user))


def unequal(pair: DovecotPair) -> list[str]:
    """What differs between the mailboxes, in words; empty when the same multisets lie in every folder."""
    source = read_all(pair.old.imap_port, pair.old_account)
    return differences(source, read_all(pair.new.imap_port, pair.new_account), place)


def arrived(pair: DovecotPair) -> int:
    """How many messages lie in the new mailbox."""
    return sum(map(len, read_all(pair.new.imap_port, pair.new_account).values()))


def half_stored(pair: DovecotPair) -> list[Path]:
    """What the new server keeps of messages that were never completed."""
    return [path for path in pair.new.mail_directory(pair.new_account.user).rglob("tmp/*") if path.is_file()]


def relayed(proxy: FaultProxy) -> int:
    """Octets that clients have sent through a recording proxy."""
    return sum(len(each.up) for each in proxy.recordings)


def delivered(proxy: FaultProxy) -> int:
    """Octets that the server has sent through a recording proxy."""
    return sum(len(each.down) for each in proxy.recordings)
