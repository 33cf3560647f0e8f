"""Deleting over POP3: exactly what was chosen, and nothing whenever anything is not as it was (traps.md, O)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from migrator.errors import ConnectionLost, PostwagenError, ServerRefused, Stopped
from migrator.ports import Listed, Removal
from migrator.sessions.pop3.remover import Pop3Remover
from migrator.sessions.pop3.session import Pop3Session
from tests.unit.sessions.maildrop import Maildrop
from tests.unit.sessions.scripted_pop3 import CUT, endpoint

MAIL = [
    (b"ua", b"Subject: a\r\n\r\nx\r\n"),
    (b"ub", b"Subject: b\r\n\r\nxx\r\n"),
    (b"uc", b"Subject: c\r\n\r\nxxx\r\n"),
]
A, B, C = (Listed(number, uidl.decode(), len(octets)) for number, (uidl, octets) in enumerate(MAIL, 1))
Says = Mapping[bytes, bytes]


def remover(may_commit: Callable[[], bool] = lambda: True) -> Pop3Remover:
    return Pop3Remover(Pop3Session(endpoint(), wants_stop=lambda: False), may_commit)


def removal(drop: Maildrop, *chosen: Listed) -> Removal:
    with drop:
        done = remover().remove(chosen)
    assert not drop.said(b"RETR")
    assert not drop.said(b"TOP")
    return done


@pytest.mark.parametrize("capabilities", [(b"UIDL", b"PIPELINING"), (b"UIDL",)])
def test_exactly_the_chosen_ones_are_deleted(capabilities: tuple[bytes, ...]) -> None:
    drop = Maildrop(MAIL, capabilities=capabilities)
    assert removal(drop, A, C) == Removal(removed=[A, C], refused=[], changed=[])
    assert drop.uidls == [b"ub"]
    assert drop.connections[0].commands[-3:] == [b"DELE 1", b"DELE 3", b"QUIT"]


def test_today_s_numbers_count_not_those_of_the_time_of_choosing() -> None:
    drop = Maildrop([(b"new", b"new\r\n"), MAIL[2], MAIL[0], MAIL[1]])
    assert removal(drop, A, B).removed == [A, B]
    assert drop.uidls == [b"new", b"uc"]


def test_more_than_a_window_goes_as_well() -> None:
    mail = [(b"u%d-x" % number, b"x\r\n") for number in range(1, 251)]
    chosen = [Listed(number, f"u{number}-x", 3) for number in range(1, 250)]
    drop = Maildrop(mail)
    assert len(removal(drop, *chosen).removed) == 249
    assert drop.uidls == [b"u250-x"]


def test_one_that_the_server_refuses_is_only_that_one() -> None:
    drop = Maildrop(MAIL, says=[{b"DELE 1": b"-ERR no\r\n"}])
    assert removal(drop, A, B) == Removal(removed=[B], refused=[A], changed=[])
    assert drop.uidls == [b"ua", b"uc"]


def test_where_all_are_refused_nothing_is_committed() -> None:
    drop = Maildrop(MAIL, says=[{b"DELE": b"-ERR read only\r\n"}])
    assert removal(drop, A, B) == Removal(refused=[A, B], changed=[])
    assert drop.connections[0].commands[-2:] == [b"RSET", b"QUIT"]


def test_one_that_is_gone_meanwhile_is_left_out() -> None:
    drop = Maildrop(MAIL[1:])
    assert removal(drop, A, B) == Removal(removed=[B], refused=[], changed=[A])
    assert drop.uidls == [b"uc"]


@pytest.mark.parametrize(
    "says",
    [
        {b"LIST": b"+OK\r\n1 17\r\n2 999\r\n3 19\r\n.\r\n"},
        {b"LIST": b"+OK\r\n1 17\r\n2\r\n3 19\r\n.\r\n"},
        {b"UIDL": b"+OK\r\n1 ua\r\n2 ub\r\n3 ub\r\n.\r\n"},
        {b"UIDL": b"+OK\r\n1 x1\r\n2 x2\r\n3 x3\r\n.\r\n"},
        {b"UIDL": b"-ERR what?\r\n"},
    ],
    ids=["another size", "no size", "a shared uidl", "all renamed", "no uidl any more"],
)
def test_where_one_is_not_as_it_was_none_is_deleted(says: Says) -> None:
    drop = Maildrop(MAIL, says=[says])
    assert removal(drop, A, B) == Removal(changed=(A, B))
    assert (drop.uidls, drop.said(b"DELE")) == ([b"ua", b"ub", b"uc"], [])


@pytest.mark.parametrize("answer", [b"-ERR some were not removed\r\n", CUT, b"hm\r\n", b"+ go on\r\n"])
def test_without_a_yes_to_quit_nothing_counts_as_deleted(answer: bytes) -> None:
    drop = Maildrop(MAIL, says=[{b"QUIT": answer, b"DELE 2": b"-ERR no\r\n"}])
    assert removal(drop, A, B) == Removal(refused=[B], changed=[], unknown=[A])


@pytest.mark.parametrize("answer", [CUT, b"+OK\r\n" + CUT, b"what?\r\n", b"+ go on\r\n"])
def test_a_connection_that_breaks_between_dele_and_quit_deletes_nothing(answer: bytes) -> None:
    drop = Maildrop(MAIL, says=[{b"DELE 2": answer}])
    with drop, pytest.raises(ConnectionLost):
        remover().remove([A, B, C])
    assert drop.uidls == [b"ua", b"ub", b"uc"]
    assert not drop.said(b"QUIT"), "after an answer that nobody understood QUIT might commit"


@pytest.mark.parametrize("yes", [0, 1, 2])
def test_a_wish_to_stop_takes_every_mark_back(yes: int) -> None:
    """Asked before each of two DELEs, and before QUIT."""
    answers = iter([True] * yes)
    drop = Maildrop(MAIL, capabilities=[b"UIDL"])
    with drop, pytest.raises(Stopped):
        remover(lambda: next(answers, False)).remove([A, B])
    assert (drop.uidls, len(drop.said(b"DELE"))) == ([b"ua", b"ub", b"uc"], yes)
    assert drop.connections[0].commands[-2:] == [b"RSET", b"QUIT"]


def test_an_answer_that_is_on_its_way_is_heard_whoever_wants_us_to_stop() -> None:
    drop = Maildrop(MAIL)
    with drop:
        session = Pop3Session(endpoint(), wants_stop=lambda: bool(drop.said(b"DELE")))
        done = Pop3Remover(session).remove([A])
    assert (done.removed, drop.uidls) == ([A], [b"ub", b"uc"])


def test_told_to_stop_the_session_still_says_rset(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []
    drop = Maildrop(MAIL)
    with drop:
        session = Pop3Session(endpoint(), wants_stop=lambda: bool(stopped))
        stopped.append(True)
        session.close()
    assert drop.connections[0].commands[-2:] == [b"RSET", b"QUIT"]


def test_a_refused_rset_is_followed_by_no_quit() -> None:
    drop = Maildrop(MAIL, says=[{b"RSET": b"-ERR what?\r\n"}], capabilities=[b"UIDL"])
    answers = iter([True, False])
    with drop, pytest.raises(Stopped):
        remover(lambda: next(answers)).remove([A, B])
    assert (drop.uidls, drop.said(b"QUIT")) == ([b"ua", b"ub", b"uc"], [])


def test_a_server_that_lists_nothing_says_why() -> None:
    with Maildrop(MAIL, says=[{b"LIST": b"-ERR\r\n", b"STAT": b"-ERR broken\r\n"}]), pytest.raises(ServerRefused):
        remover().listed()


def test_listing_gives_odd_rows_no_name_and_no_size() -> None:
    listing, names = b"+OK\r\n1 17\r\n2 x\r\n3 99999999999999999999\r\n.\r\n", b"+OK\r\n1 \xe4\r\n3 uc\r\n.\r\n"
    with Maildrop(MAIL, says=[{b"LIST": listing, b"UIDL": names}]):
        found = remover().listed()
    assert found == [Listed(1, "", 17), Listed(2, "", None), Listed(3, "uc", None)]


@pytest.mark.parametrize(
    ("capability", "warnings"),
    [(b"EXPIRE 0", ("expires_what_was_read",)), (b"EXPIRE 30 USER", ("expires_after_days",)), (b"EXPIRE NEVER", ())],
)
def test_a_server_that_deletes_by_itself_is_named(capability: bytes, warnings: tuple[str, ...]) -> None:
    with Maildrop(MAIL, capabilities=[b"UIDL", capability]):
        assert remover().warnings == warnings


def test_a_chosen_name_that_stands_twice_is_no_choice() -> None:
    drop = Maildrop(MAIL)
    assert removal(drop, A, A) == Removal(changed=(A, A))
    assert drop.uidls == [b"ua", b"ub", b"uc"]


def test_errors_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is no answer: it ends as a lost connection, with nothing deleted."""
    monkeypatch.setattr("migrator.sessions.pop3.remover.ANSWER_SECONDS", 0.0)
    monkeypatch.setattr("migrator.sessions.octets.POLL_SECONDS", 0.05)
    drop = Maildrop(MAIL, says=[{b"DELE 1": b""}], capabilities=[b"UIDL"])
    with drop, pytest.raises(PostwagenError):
        remover().remove([A])
    assert (drop.uidls, drop.said(b"QUIT")) == ([b"ua", b"ub", b"uc"], [])
