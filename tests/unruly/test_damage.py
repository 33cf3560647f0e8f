"""A target that is damaged after the copy: a proof by digests finds each damage and says what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.command import Postwagen
from tests.unruly.conftest import letter
from tests.unruly.imap import OrderlyImap

NUL = letter(90, b"a\0b ")


def flip(new: OrderlyImap) -> None:
    mail = new.boxes[b"INBOX"].mails[3]
    mail.octets = mail.octets.replace(b"The body", b"Tie body")


def lose(new: OrderlyImap) -> None:
    del new.boxes[b"INBOX"].mails[3]


def lose_a_twin(new: OrderlyImap) -> None:
    new.boxes[b"Sent"].mails.pop()


def swap_dates(new: OrderlyImap) -> None:
    one, other = new.boxes[b"INBOX"].mails[3:5]
    one.date, other.date = other.date, one.date


def drop_a_flag(new: OrderlyImap) -> None:
    new.boxes[b"INBOX"].mails[3].flags = ()


def move(new: OrderlyImap) -> None:
    new.boxes[b"Sent"].add(new.boxes[b"INBOX"].mails.pop(3).octets)


def alter_nul(new: OrderlyImap) -> None:
    mail = new.boxes[b"Sent"].mails[0]
    mail.octets = mail.octets.replace(b"\0", b"\x80")


def double(new: OrderlyImap) -> None:
    new.boxes[b"INBOX"].add(new.boxes[b"INBOX"].mails[3].octets)


DAMAGES: dict[Callable[[OrderlyImap], None], list[tuple[str, str, str]]] = {
    flip: [("INBOX", "altered", "damaged, other octets: 169 octets became 169")],
    lose: [("INBOX", "missing", "")],
    lose_a_twin: [("Sent", "missing", "")],
    swap_dates: [("INBOX", "date", " → "), ("INBOX", "date", " → ")],
    drop_a_flag: [("INBOX", "flags", "\\Seen → -")],
    move: [("INBOX", "missing", "lies in Sent")],
    alter_nul: [("Sent", "altered", "altered by the target in CR, LF or NUL only")],
}


def mailbox() -> OrderlyImap:
    old = OrderlyImap()
    for number in range(10):
        old.boxes[b"INBOX"].add(letter(number), [b"\\Seen"], b"%02d-Mar-2001 01:02:03 +0000" % (number + 1))
    sent = old.box(b"Sent", b"\\Sent")
    sent.add(NUL)
    for _ in range(3):
        sent.add(letter(91))
    return old


@pytest.fixture
def postwagen(tmp_path: Path) -> Postwagen:
    return Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)


def said(postwagen: Postwagen, verb: str, old: OrderlyImap, new: OrderlyImap, *more: str) -> tuple[int, dict[str, Any]]:
    ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
    ran = postwagen.call(verb, *ends, "--json", *more)
    return ran.code, ran.json


def differences(shown: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["folder"], item["kind"], item["detail"]) for item in shown["discrepancies"]]


@pytest.mark.parametrize("damage", list(DAMAGES), ids=lambda damage: damage.__name__)
def test_each_damage_is_found_and_named(postwagen: Postwagen, damage: Callable[[OrderlyImap], None]) -> None:
    with mailbox() as old, OrderlyImap() as new:
        assert said(postwagen, "copy", old, new)[0] == 0
        assert said(postwagen, "verify", old, new)[0] == 0
        damage(new)
        code, shown = said(postwagen, "verify", old, new)
        assert code == 1
        assert shown["outcome"] == "incomplete"
        found = differences(shown)
        assert len(found) == len(DAMAGES[damage]), found
        for (folder, kind, detail), wanted in zip(found, DAMAGES[damage], strict=True):
            assert (folder, kind) == wanted[:2]
            assert wanted[2] in detail
        assert shown["messages"]["failed"] == len(found)


def test_one_too_many_is_named_and_spoils_no_proof_but_is_a_duplicate(postwagen: Postwagen) -> None:
    with mailbox() as old, OrderlyImap() as new:
        said(postwagen, "copy", old, new)
        double(new)
        code, shown = said(postwagen, "verify", old, new)
        assert [kind for _, kind, _ in differences(shown)] == ["duplicate"]
        assert code == 1


def test_each_level_sees_what_it_says(postwagen: Postwagen) -> None:
    with mailbox() as old, OrderlyImap() as new:
        said(postwagen, "copy", old, new)
        flip(new)
        for level, code in (("counts", 0), ("fingerprints", 0), ("digests", 1)):
            assert said(postwagen, "verify", old, new, "--level", level)[0] == code
        lose(new)
        assert said(postwagen, "verify", old, new, "--level", "counts")[0] == 1


def test_nothing_is_written_by_a_proof(postwagen: Postwagen) -> None:
    with mailbox() as old, OrderlyImap() as new:
        said(postwagen, "copy", old, new)
        before = len(new.heard)
        said(postwagen, "verify", old, new)
        verbs = {line.split(b" ")[0] for line in new.heard[before:]} | {line.split(b" ")[0] for line in old.heard}
        assert not verbs & {b"APPEND", b"CREATE", b"SUBSCRIBE", b"STORE", b"DELETE", b"RENAME", b"EXPUNGE"}
