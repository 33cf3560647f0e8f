"""A POP3 source over several sessions: what was read is not read again, and a UIDL means the same message each time."""

from __future__ import annotations

import pytest

from migrator.engine.wrappers import Reopening, RetryingSource
from migrator.errors import ConnectionLost
from migrator.mail.messages import MessageKey
from migrator.ports import Letter, Page, Source, Want
from migrator.sessions.endpoint import parse_url
from migrator.sessions.memory import FakeClock, FakeStop
from migrator.sessions.pop3.session import Pop3Session
from migrator.sessions.pop3.source import Pop3Source
from tests.engine.world import Silent
from tests.unit.sessions.maildrop import Maildrop
from tests.unit.sessions.scripted_pop3 import CUT, ScriptedPop3, endpoint, talking_to

MAIL = [(b"u%d-x" % number, b"Subject: %d\r\n\r\n" % number + b"x" * number * 500 + b"\r\n") for number in range(1, 6)]


def retrying() -> RetryingSource:
    def opened() -> Source:
        return Pop3Source(Pop3Session(endpoint()))

    return RetryingSource(Reopening[Source]("source", opened, stop=FakeStop(), clock=FakeClock(), observer=Silent()))


def wants() -> list[Want]:
    return [Want("INBOX", MessageKey(0, 0, uidl.decode()), len(octets)) for uidl, octets in MAIL]


@pytest.mark.parametrize("capabilities", [(b"UIDL", b"PIPELINING"), (b"UIDL",)])
def test_cut_in_the_middle_of_a_message_only_the_rest_is_read_again(capabilities: tuple[bytes, ...]) -> None:
    cut = {b"RETR 3": b"+OK\r\nSubject: 3\r\n\r\nxxx" + CUT}
    with Maildrop(MAIL, says=[cut], capabilities=capabilities) as drop:
        source = retrying()
        found = [b"".join(letter.chunks()) for letter in source.read(wants()) if isinstance(letter, Letter)]
        source.close()
    assert found == [octets for _, octets in MAIL]
    assert len(drop.connections) == 2
    read = [command for command in drop.connections[1].commands if command.startswith(b"RETR")]
    assert read == [b"RETR 3", b"RETR 4", b"RETR 5"]


def test_numbers_that_change_between_sessions_change_nothing() -> None:
    """The mailbox is another one after the cut: new mail in front, the last one gone, the order turned round."""
    with Maildrop(MAIL, says=[{b"RETR 3": CUT}]) as drop:
        drop.before[2] = lambda: setattr(drop, "mail", [(b"new", b"new\r\n"), *reversed(MAIL[:4])])
        source = retrying()
        found = {
            answer.want.key.name: b"".join(answer.chunks()) if isinstance(answer, Letter) else b"gone"
            for answer in source.read(wants())
        }
        source.close()
    assert found == {uidl.decode(): octets for uidl, octets in MAIL[:4]} | {"u5-x": b"gone"}


@pytest.mark.parametrize("command", [b"LIST", b"UIDL"])
def test_a_listing_that_is_cut_is_no_short_listing(monkeypatch: pytest.MonkeyPatch, command: bytes) -> None:
    server = ScriptedPop3([b"a\r\n", b"b\r\n"], says={command: b"+OK\r\n1 5\r\n" + CUT})
    with talking_to(server, monkeypatch) as session, pytest.raises(ConnectionLost):
        Pop3Source(session).folders()


def test_lines_of_any_length_and_dots_come_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"Subject: x\r\n\r\n" + b"." * 3_000_000 + b"\r\n.\r\n..\r\n\r\n" + b"y" * 3_000_000 + b"\nz\r\rz\n\r\n"
    with talking_to(ScriptedPop3([long]), monkeypatch) as session:
        (letter,) = Pop3Source(session).read([Want("INBOX", MessageKey(0, 0, "u1"), 5)])
        assert isinstance(letter, Letter)
        assert b"".join(letter.chunks()) == long
        letter.close()


def test_a_message_that_uidl_leaves_out_is_known_by_its_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedPop3([b"a\r\n", b"b\r\n"], says={b"UIDL": b"+OK\r\n2 u2\r\n.\r\n"})
    with talking_to(server, monkeypatch) as session:
        source = Pop3Source(session)
        assert source.folders()[0].messages == 2
    assert [command for command in server.commands if command.startswith(b"RETR")] == [b"RETR 1"]


def test_a_uidl_that_is_only_the_messages_number_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """When mail is deleted all others get other numbers: new mail would be taken for mail that was read long ago."""
    before = ScriptedPop3([b"a\r\n", b"b\r\n", b"c\r\n"], uidls=[b"1", b"2", b"u3"])
    with talking_to(before, monkeypatch) as session:
        first = _keys(Pop3Source(session))
    after = ScriptedPop3([b"b\r\n", b"new\r\n", b"c\r\n"], uidls=[b"1", b"2", b"u3"])
    with talking_to(after, monkeypatch) as session:
        second = _keys(Pop3Source(session))
    assert second[0] == first[1], "the same message, under another number"
    assert second[1] not in first
    assert second[2] == first[2] == "u3"


def _keys(source: Pop3Source) -> list[str]:
    return [row.key.name for item in source.survey("INBOX") if isinstance(item, Page) for row in item.rows]


@pytest.mark.parametrize(
    ("url", "port", "security"),
    [
        ("pop3s://a@h", 995, "tls"), ("pop3://a@h", 110, "starttls"), ("pop3://a@h?security=none", 110, "none"),
        ("pop3s://a@h?security=starttls", 995, "starttls"),
    ],
)  # fmt: skip
def test_clear_text_only_by_its_name(url: str, port: int, security: str) -> None:
    end = parse_url(url, lambda: "")
    assert (end.protocol, end.port, end.security) == ("pop3", port, security)
