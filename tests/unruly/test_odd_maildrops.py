"""What POP3 servers do. Whatever is not delivered is named, and nothing is deleted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from migrator.engine import settle, wrappers
from migrator.sessions.pop3 import translate
from tests.servers.command import Postwagen, adds_up
from tests.unruly.conftest import Told, letter
from tests.unruly.imap import OrderlyImap
from tests.unruly.listening import Hangup
from tests.unruly.pop3 import OrderlyPop3

MAILS = [letter(number) for number in range(8)]
ODD = 3


@pytest.fixture
def postwagen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postwagen:
    monkeypatch.setattr(settle, "LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * len(wrappers.DELAYS))
    monkeypatch.setattr(translate, "EXCLUSIVE", timedelta(milliseconds=10))
    return Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)


def collected(postwagen: Postwagen, old: OrderlyPop3, new: OrderlyImap) -> Told:
    source = f"pop3://info%40old.example@127.0.0.1:{old.port}?security=none"
    ran = postwagen.call(
        "copy", source, f"imap://info%40new.example@127.0.0.1:{new.port}?security=none", "--json", "--quiet"
    )
    told = Told(ran.code, ran.json)
    assert adds_up(told.json), told.json
    assert not any(line.startswith(b"DELE") for line in old.heard)
    assert {mail.octets for mail in new.boxes[b"INBOX"].mails} <= set(old.mails), told.json
    return told


def assert_all_arrive_once(postwagen: Postwagen, old: OrderlyPop3) -> None:
    with old, OrderlyImap() as new:
        for _ in range(2):
            told = collected(postwagen, old, new)
            assert told.code == 0, told.json
        assert sorted(mail.octets for mail in new.boxes[b"INBOX"].mails) == sorted(old.mails)


def assert_the_odd_one_is_named(postwagen: Postwagen, old: OrderlyPop3) -> None:
    with old, OrderlyImap() as new:
        for _ in range(2):
            told = collected(postwagen, old, new)
            assert (told.code, told.json["messages"]["failed"]) == (1, 1), told.json
        assert len(new.marks()) == len(old.mails) - 1


def test_an_orderly_maildrop_is_collected(postwagen: Postwagen) -> None:
    assert_all_arrive_once(
        postwagen, OrderlyPop3(*MAILS, b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n", b".first\r\n\r\nx\r\n")
    )


class NoUidl(OrderlyPop3):
    capabilities = (b"TOP", b"USER")

    def on_uidl(self, talk: int, *number: bytes) -> bytes:
        return b"-ERR unknown command\r\n"


def test_without_uidl_messages_are_known_by_their_octets(postwagen: Postwagen) -> None:
    assert_all_arrive_once(postwagen, NoUidl(*MAILS, MAILS[2], MAILS[2]))


class OneNameForTwo(OrderlyPop3):
    def uidl(self, at: int) -> bytes:
        return b"same" if at in (1, 2) else super().uidl(at)


def test_two_messages_of_one_name_both_arrive(postwagen: Postwagen) -> None:
    assert_all_arrive_once(postwagen, OneNameForTwo(*MAILS))


class NamesAnew(OrderlyPop3):
    def uidl(self, at: int) -> bytes:
        return b"%d-" % self.talks + super().uidl(at)


def test_names_that_change_with_each_session_double_nothing(postwagen: Postwagen) -> None:
    assert_all_arrive_once(postwagen, NamesAnew(*MAILS))


class SizesLie(OrderlyPop3):
    lie = 0

    def size(self, at: int) -> int:
        return max(0, len(self.mails[at]) + self.lie)


@pytest.mark.parametrize("lie", [-2, 2, 100, -1000, 10**9])
def test_sizes_are_hints(postwagen: Postwagen, lie: int) -> None:
    old = SizesLie(*MAILS)
    old.lie = lie
    assert_all_arrive_once(postwagen, old)


class ListsFewer(OrderlyPop3):
    """LIST leaves the last messages out."""

    def on_list(self, talk: int, *number: bytes) -> bytes:
        lines = super().on_list(talk, *number).split(b"\r\n")
        return b"\r\n".join([*lines[:-4], *lines[-2:]])


class NamesFewer(ListsFewer):
    """So does UIDL; only STAT tells of them."""

    def on_uidl(self, talk: int, *number: bytes) -> bytes:
        lines = super().on_uidl(talk, *number).split(b"\r\n")
        return b"\r\n".join([*lines[:-4], *lines[-2:]])


def test_messages_that_one_command_leaves_out_are_found_by_another_or_no_success(postwagen: Postwagen) -> None:
    assert_all_arrive_once(postwagen, ListsFewer(*MAILS))
    with NamesFewer(*MAILS) as old, OrderlyImap() as new:
        told = collected(postwagen, old, new)
        assert told.code == 1
        assert (told.json["messages"]["copied"], told.json["messages"]["failed"]) == (6, 2), told.json


class RefusesOne(OrderlyPop3):
    refusal = b"-ERR [SYS/PERM] message is damaged\r\n"

    def on_retr(self, talk: int, number: bytes) -> bytes:
        return self.refusal if int(number) == ODD + 1 else super().on_retr(talk, number)


@pytest.mark.parametrize("refusal", [RefusesOne.refusal, b"-ERR no such message\r\n", b"-ERR\r\n"])
def test_a_message_that_is_refused_is_named(postwagen: Postwagen, refusal: bytes) -> None:
    old = RefusesOne(*MAILS)
    old.refusal = refusal
    assert_the_odd_one_is_named(postwagen, old)


class BreaksAtOne(OrderlyPop3):
    def on_retr(self, talk: int, number: bytes) -> bytes:
        if int(number) == ODD + 1:
            raise Hangup(super().on_retr(talk, number)[:100])
        return super().on_retr(talk, number)


def test_a_message_that_breaks_every_connection_is_named(postwagen: Postwagen) -> None:
    assert_the_odd_one_is_named(postwagen, BreaksAtOne(*MAILS))


class HangsUp(OrderlyPop3):
    at = 0

    def on_retr(self, talk: int, number: bytes) -> bytes:
        if talk == 0 and len(self.heard) >= self.at:
            raise Hangup
        return super().on_retr(talk, number)


@pytest.mark.parametrize("at", [6, 8, 12])
def test_a_connection_that_breaks_once_costs_nothing(postwagen: Postwagen, at: int) -> None:
    old = HangsUp(*MAILS)
    old.at = at
    assert_all_arrive_once(postwagen, old)


class InUse(OrderlyPop3):
    refusal = b"-ERR [IN-USE] maildrop is locked by another session\r\n"

    def on_pass(self, talk: int, *password: bytes) -> bytes:
        return self.refusal if talk < 2 else b"+OK\r\n"


@pytest.mark.parametrize("code", [b"IN-USE", b"LOGIN-DELAY", b"SYS/TEMP"])
def test_a_maildrop_that_is_in_use_is_no_wrong_password(postwagen: Postwagen, code: bytes) -> None:
    old = InUse(*MAILS)
    old.refusal = b"-ERR [%b] later\r\n" % code
    with old, OrderlyImap() as new:
        told = collected(postwagen, old, new)
        for _ in range(3):
            if told.code:
                assert told.error == "server_busy"
                told = collected(postwagen, old, new)
        assert told.code == 0


class WrongPassword(OrderlyPop3):
    def on_pass(self, talk: int, *password: bytes) -> bytes:
        return b"-ERR authentication failed\r\n"


def test_a_wrong_password_is_said_once(postwagen: Postwagen) -> None:
    with WrongPassword(*MAILS) as old, OrderlyImap() as new:
        assert collected(postwagen, old, new).code == 4
        assert old.heard.count(b"PASS") == 1
