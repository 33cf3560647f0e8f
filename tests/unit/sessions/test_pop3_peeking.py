"""Reading without a mark: by TOP where that gives the whole message, else by RETR with RSET behind it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrator.mail.messages import MessageKey
from migrator.ports import Absence, Letter, Want
from migrator.sessions.pop3 import reading
from migrator.sessions.pop3.reading import is_whole
from migrator.sessions.pop3.source import Pop3Source
from tests.unit.sessions.scripted_pop3 import ScriptedPop3, stuffed, talking_to

MAIL = [b"Subject: %d\r\n\r\n.x\r\n" % number + b"line\r\n" * number for number in range(100)]
TOP = (b"TOP", b"UIDL", b"PIPELINING")


def read(server: ScriptedPop3, monkeypatch: pytest.MonkeyPatch, sizes: Sequence[int] = ()) -> list[bytes | Absence]:
    """All that the server has, in its order. `sizes`: as LIST announces them."""
    announced = sizes or [len(letter) for letter in server.letters]
    wants = [Want("INBOX", MessageKey(0, 0, f"u{number}"), size) for number, size in enumerate(announced, 1)]
    with talking_to(server, monkeypatch) as session:
        found: dict[str, bytes | Absence] = {}
        for answer in Pop3Source(session).read(wants):
            assert answer.want.key.name not in found
            is_here = isinstance(answer, Letter)
            found[answer.want.key.name] = b"".join(answer.chunks()) if is_here else answer.absence
    return [found[want.key.name] for want in wants]


def said(server: ScriptedPop3, verb: bytes) -> list[bytes]:
    return [command for command in server.commands if command.split()[0] == verb]


@pytest.mark.parametrize("capabilities", [TOP, TOP[:2]])
def test_where_top_gives_everything_nothing_is_ever_retrieved(
    monkeypatch: pytest.MonkeyPatch, capabilities: Sequence[bytes]
) -> None:
    server = ScriptedPop3(MAIL, capabilities=capabilities)
    assert read(server, monkeypatch) == MAIL
    assert said(server, b"RETR") == []
    behind = b"".join(b"-" if command == b"RSET" else b"T" for command in server.commands if command[:1] in b"TR")
    assert max(map(len, behind.split(b"-"))) == reading.WINDOW_MESSAGES, "for servers that mark there too"


@pytest.mark.parametrize("capabilities", [TOP[1:], TOP[1:2], None])
def test_without_top_each_mark_is_taken_back_before_the_next_message(
    monkeypatch: pytest.MonkeyPatch, capabilities: Sequence[bytes] | None
) -> None:
    server = ScriptedPop3(MAIL, capabilities=capabilities)
    assert read(server, monkeypatch) == MAIL
    retrieved = [number for number, command in enumerate(server.commands) if command.startswith(b"RETR")]
    assert len(retrieved) == len(MAIL)
    assert all(server.commands[number + 1] == b"RSET" for number in retrieved)


def cut_off(letter: bytes) -> bytes:
    """A server that gives at most 200 octets of a message by TOP."""
    return b"+OK\r\n" + stuffed(letter[:200])


@pytest.mark.parametrize(
    "answer",
    [cut_off, lambda _: b"-ERR not today\r\n", lambda letter: b"+OK\r\n" + stuffed(letter + b"-- \r\nBuy!\r\n")],
    ids=["cut", "refused", "more"],
)
def test_what_top_does_not_give_as_announced_is_retrieved(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    assert callable(answer)
    says = {b"TOP %d %d" % (number, reading.ALL_LINES): answer(MAIL[number - 1]) for number in (50, 60, 70)}
    server = ScriptedPop3(MAIL, capabilities=TOP, says=says)
    assert read(server, monkeypatch) == MAIL
    assert said(server, b"RETR") == [b"RETR 50", b"RETR 60", b"RETR 70"]


def test_a_server_whose_top_or_whose_sizes_are_of_no_use_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedPop3(MAIL, capabilities=TOP)
    assert read(server, monkeypatch, [len(letter) + 5 for letter in MAIL]) == MAIL
    assert len(said(server, b"TOP")) == reading.WINDOW_MESSAGES
    assert len(said(server, b"RETR")) == len(MAIL)


def letter(octets: bytes, announced: int) -> Letter:
    return Letter(Want("INBOX", MessageKey(0, 0, "u"), announced), octets, len(octets), lambda: iter((octets,)))


@pytest.mark.parametrize("octets", [b"a: b\r\n\r\nc\r\n.\r\n" * 50, b"x\r\n"])
def test_a_message_is_whole_however_line_ends_are_counted_and_never_when_a_line_lacks(octets: bytes) -> None:
    stored = octets.replace(b"\r\n", b"\n")
    for announced in (len(octets), len(octets) - 2, len(stored), len(stored) - 1):
        assert is_whole(letter(octets, announced))
    lines = octets.splitlines(keepends=True)
    for announced in (0, len(octets), len(stored)):
        assert not is_whole(letter(b"".join(lines[:-1]), announced))
        assert not is_whole(letter(b"".join(lines[: len(lines) // 2]), announced))


@pytest.mark.parametrize(
    ("wire", "octets"),
    [(b"..x\r\ny\r\n", b"..x\r\ny\r\n"), (b"...x\r\n", b"...x\r\n"), (b".x\r\ny\r\n", b".x\r\ny\r\n")],
)
@pytest.mark.parametrize("stuffs", [True, False])
@pytest.mark.parametrize("capabilities", [TOP, TOP[1:]])
def test_a_dot_in_front_is_kept_also_where_the_server_forgets_to_stuff_it(
    monkeypatch: pytest.MonkeyPatch, wire: bytes, octets: bytes, stuffs: bool, capabilities: Sequence[bytes]
) -> None:
    sent = b"+OK\r\n" + b"." * stuffs + wire + b".\r\n"
    says = {b"TOP": sent, b"RETR": sent}
    server = ScriptedPop3([octets], capabilities=capabilities, says=says)
    assert read(server, monkeypatch) == [octets]
