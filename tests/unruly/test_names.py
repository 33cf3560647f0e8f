"""51 nasty folder names from a server with `/` to servers with `.` and the prefix `INBOX.`: all arrive, none collides,
all are named back."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from imapclient.imap_utf7 import encode

from migrator.demo.servers import DovecotServer
from tests.servers.command import Postwagen, url
from tests.servers.fixtures import fresh_account
from tests.servers.mailboxes import read_all
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import OrderlyImap

NAMES = (
    "a.b", "a_b", "a_b (2)", "A_B", "a.b/c.d", "a.b/c_d", ".hidden", "trailing.", "..", "...", "1.2.3", "1_2_3",
    "Kunden", "kunden", "KUNDEN", "Kunden/Müller & Söhne", "Kunden/Mu\u0308ller & So\u0308hne", "Ärger", "A\u0308rger",
    "INBOX/below", "inbox/too", "INBOX.below", "below", "Inbox2", "100 %", "50%off", "stars * and ?", "~root", "~",
    'say "no"', "it's", "back\\slash", "{5}", "(paren)", "[brackets]", "semi;colon", "comma, dot. and more", "&", "&-",
    "&AOQ-", "#news", "^caret", "  two  blanks  ", " ", "日本語", "Папка", "Ελληνικά", "🚚 Post", "n" * 120,
    "d/e/e/p/e/r/a/n/d/d/e/e/p", "2024:Q1",
)  # fmt: skip


class Old(OrderlyImap):
    """Each folder has one message, whose Message-ID says its number; messages of empty parents are none."""

    def __init__(self) -> None:
        super().__init__()
        for number, name in enumerate(NAMES):
            self.box(encode(name)).add(letter(number))


class CourierLike(OrderlyImap):
    """Everything lies below `INBOX.`; names are compared without case, and several signs are refused."""

    delimiter, prefix = b".", b"INBOX."

    def refuses_folder(self, name: bytes) -> bytes:
        levels = name.split(b".")
        if not name.startswith(b"INBOX.") or b"" in levels:
            return b"Invalid mailbox name"
        if re.search(rb'[/%*"\\~]|  |^ | $', name) or any(level != level.strip() for level in levels):
            return b"Invalid character in mailbox name"
        known = {other.lower(): other for other in self.boxes}
        return b"[ALREADYEXISTS] it is there" if name.lower() in known else b""


def test_there_are_51_of_them() -> None:
    assert len(set(NAMES)) == 51


def named_back(folders: list[dict[str, object]]) -> dict[str, str]:
    """The target of each source, as the report names them."""
    return {str(item["source"]): str(item["target"]) for item in folders}


def test_all_nasty_names_arrive_apart_and_are_named_back(copy: Copy) -> None:
    with Old() as old, CourierLike() as new:
        told = copy(old, new)
        assert told.code == 0, [item for item in told.json["folders"] if item["failed"]]
        found = named_back(told.json["folders"])
        assert set(found) == {*NAMES, "INBOX"}
        assert max(Counter(found.values()).values()) == 1
        for number, name in enumerate(NAMES):
            assert new.marks(encode(found[name])) == [b"<%d@unruly.example>" % number], name
        renamed = " ".join(told.json["warnings"])
        for name in NAMES:
            as_it_was = {f"INBOX/{name}", re.sub(r"(?i)^inbox/", "INBOX/", name)}
            kept = found[name].replace(".", "/") in as_it_was
            assert kept or f"The folder {name} is called {found[name]} " in renamed, name
        again = copy(old, new)
        assert again.json["messages"] == {**again.json["messages"], "already_there": 51, "copied": 0}
        assert named_back(again.json["folders"]) == found


@pytest.mark.servers
def test_a_real_server_takes_all_nasty_names(old_dovecot: DovecotServer, tmp_path: Path) -> None:
    account = fresh_account(old_dovecot)
    postwagen = Postwagen(tmp_path / "data", "secret", account.password)
    with Old() as old:
        source = f"imap://info%40old.example@127.0.0.1:{old.port}?security=none"
        for copied in (51, 0):
            ran = postwagen.call("copy", source, url(old_dovecot, account), "--json")
            assert ran.code == 0, ran
            assert ran.json["messages"]["copied"] == copied
        found = named_back(ran.json["folders"])
        assert max(Counter(found.values()).values()) == 1
        proven = postwagen.call("verify", source, url(old_dovecot, account), "--json")
        assert proven.code == 0, proven
    there = read_all(old_dovecot.imap_port, account)
    for number, name in enumerate(NAMES):
        assert [seen.digest for seen in there[found[name]].values()] == [sha256(letter(number)).digest()], name
