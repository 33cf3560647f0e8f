"""POP3 servers that say odd things (quirks.md, 62 and 63; traps.md, O): nothing is marked, deleted or mistaken."""

from __future__ import annotations

import base64
import hashlib

import pytest

from migrator.errors import (
    ConnectionLost,
    ConnectRefused,
    LoginRefused,
    NotImap,
    PostwagenError,
    ServerBusy,
    TlsMissing,
    UsageError,
)
from migrator.mail.messages import MessageKey
from migrator.ports import Absence, Letter, Page, Unread, Want
from migrator.sessions.pop3.source import Pop3Source
from tests.unit.sessions.scripted_pop3 import CUT, ScriptedPop3, talking_to

Patch = pytest.MonkeyPatch
A, B, C = (b"Subject: %s\r\n\r\n.\r\n..\r\n.x\r\nend\r\n" % name for name in (b"a", b"b", b"c"))
HARMLESS = {b"CAPA", b"USER", b"PASS", b"AUTH", b"LIST", b"UIDL", b"STAT", b"TOP", b"RETR", b"RSET", b"QUIT", b"STLS"}


def names(source: Pop3Source) -> list[str]:
    return [row.key.name for page in source.survey("INBOX") if isinstance(page, Page) for row in page.rows]


def read(source: Pop3Source) -> list[bytes | Absence]:
    wants = [
        Want("INBOX", row.key, row.size)
        for page in source.survey("INBOX")
        if isinstance(page, Page)
        for row in page.rows
    ]
    return [
        b"".join(answer.chunks()) if isinstance(answer, Letter) else answer.absence for answer in source.read(wants)
    ]


# ---- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "capabilities", [(b"UIDL", b"PIPELINING"), (b"UIDL",), None, (b"TOP", b"PIPELINING"), (b"TOP",)]
)
def test_messages_come_octet_for_octet_with_and_without_pipelining(
    monkeypatch: Patch, capabilities: tuple[bytes, ...] | None
) -> None:
    server = ScriptedPop3([A, B, C], capabilities=capabilities)
    with talking_to(server, monkeypatch) as session:
        source = Pop3Source(session)
        assert [info.messages for info in source.folders()] == [3]
        assert names(source) == ["u1", "u2", "u3"]
        assert read(source) == [A, B, C]
    assert {command.split()[0] for command in server.commands} <= HARMLESS
    assert server.commands[-2:] == [b"RSET", b"QUIT"], "what was read is not marked as read"


def test_without_uidl_a_message_is_known_by_its_octets_and_twins_are_numbered(monkeypatch: Patch) -> None:
    with talking_to(ScriptedPop3([A, B, A], says={b"UIDL": b"-ERR what?\r\n"}), monkeypatch) as session:
        source = Pop3Source(session)
        digest = hashlib.sha256(A).hexdigest()
        assert names(source) == [
            f"sha256:{digest}/1", f"sha256:{hashlib.sha256(B).hexdigest()}/1", f"sha256:{digest}/2",
        ]  # fmt: skip
        assert read(source) == [A, B, A]


def test_a_uidl_that_two_messages_share_is_not_trusted_for_either(monkeypatch: Patch) -> None:
    with talking_to(ScriptedPop3([A, B, C], uidls=[b"same", b"other", b"same"]), monkeypatch) as session:
        source = Pop3Source(session)
        first, second, third = names(source)
        assert second == "other"
        assert first.startswith("sha256:")
        assert third.startswith("sha256:")
        assert read(source) == [A, B, C]


@pytest.mark.parametrize("uidl", [b"x" * 300, b"\xe4\xf6", b"a b"])
def test_a_uidl_that_no_ledger_can_hold_is_kept_as_its_digest(monkeypatch: Patch, uidl: bytes) -> None:
    with talking_to(ScriptedPop3([A], uidls=[uidl]), monkeypatch) as session:
        assert names(Pop3Source(session)) == ["uidl-sha256:" + hashlib.sha256(uidl).hexdigest()]


def test_sizes_that_lie_or_are_missing_hide_nothing(monkeypatch: Patch) -> None:
    listing = b"+OK\r\n1 7\r\n2\r\n3 99999999999999999999\r\n.\r\n"
    with talking_to(ScriptedPop3([A, B, C], says={b"LIST": listing}), monkeypatch) as session:
        assert read(Pop3Source(session)) == [A, B, C]


def test_a_message_that_is_refused_is_reported_and_the_others_are_read(monkeypatch: Patch) -> None:
    with talking_to(ScriptedPop3([A, B, C], says={b"RETR 2": b"-ERR cannot open\r\n"}), monkeypatch) as session:
        assert read(Pop3Source(session)) == [A, Absence.EMPTY, C]


def test_a_message_that_is_not_listed_any_more_is_gone(monkeypatch: Patch) -> None:
    with talking_to(ScriptedPop3([A]), monkeypatch) as session:
        answers = list(Pop3Source(session).read([Want("INBOX", MessageKey(0, 0, "old"), 5)]))
    assert [answer.absence for answer in answers if isinstance(answer, Unread)] == [Absence.GONE]


def test_a_cut_in_the_middle_of_a_message_is_a_lost_connection_and_no_short_message(monkeypatch: Patch) -> None:
    server = ScriptedPop3([A, B], says={b"RETR 2": b"+OK\r\nSubject: b\r\n\r\n" + CUT})
    found: list[Letter | Unread] = []
    with talking_to(server, monkeypatch) as session, pytest.raises(ConnectionLost):
        found.extend(Pop3Source(session).read([Want("INBOX", MessageKey(0, 0, f"u{n}"), 9) for n in (1, 2)]))
    assert b"QUIT" not in server.commands


def test_reading_that_is_left_in_the_middle_drops_the_connection(monkeypatch: Patch) -> None:
    with talking_to(ScriptedPop3([A, B, C]), monkeypatch) as session:
        answers = Pop3Source(session).read([Want("INBOX", MessageKey(0, 0, f"u{n}"), 9) for n in (1, 2, 3)])
        next(iter(answers))
        answers.close()
        assert session.octets.dropped


def test_a_server_that_deletes_what_was_read_gets_no_quit(monkeypatch: Patch) -> None:
    server = ScriptedPop3([A], capabilities=[b"UIDL", b"EXPIRE 0"])
    with talking_to(server, monkeypatch) as session:
        assert session.expires_at_once
        assert read(Pop3Source(session)) == [A]
    assert server.commands[-1] == b"RSET"


# ---- logging in ----------------------------------------------------------------------------------------------------


def test_user_and_pass_where_nothing_else_is_offered(monkeypatch: Patch) -> None:
    server = ScriptedPop3()
    with talking_to(server, monkeypatch):
        pass
    assert server.commands[:4] == [b"CAPA", b"USER anna", b"PASS geheim", b"CAPA"]


def test_plain_where_it_is_offered_in_two_lines(monkeypatch: Patch) -> None:
    server = ScriptedPop3(capabilities=[b"SASL LOGIN PLAIN"], says={b"AUTH PLAIN": b"+ \r\n"})
    with talking_to(server, monkeypatch, credential=lambda: "gehäim"):
        pass
    assert server.commands[1:3] == [b"AUTH PLAIN", base64.b64encode("\0anna\0gehäim".encode())]


def test_xoauth2_in_two_lines_as_microsoft_wants_it_and_its_refusal_is_read_to_the_end(monkeypatch: Patch) -> None:
    message = base64.b64encode(b"user=anna\x01auth=Bearer token\x01\x01")
    server = ScriptedPop3(
        says={b"AUTH XOAUTH2": b"+ \r\n", message: b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", b"": b"-ERR bad token\r\n"}
    )
    with (
        pytest.raises(LoginRefused) as caught,
        talking_to(server, monkeypatch, auth="xoauth2", credential=lambda: "token"),
    ):
        pass
    assert caught.value.detail == "bad token".replace("token", "…")


def test_apop_only_by_its_name(monkeypatch: Patch) -> None:
    server = ScriptedPop3()
    with talking_to(server, monkeypatch, auth="apop"):
        pass
    digest = hashlib.md5(b"<17.4@old.example>geheim", usedforsecurity=False).hexdigest()
    assert server.commands[1] == b"APOP anna " + digest.encode()
    with (
        pytest.raises(UsageError, match="does not offer APOP"),
        talking_to(ScriptedPop3(greeting=b"+OK hi\r\n"), monkeypatch, auth="apop"),
    ):
        pass


@pytest.mark.parametrize(
    ("says", "error", "detail"),
    [
        ({b"PASS geheim": b"-ERR [AUTH] no, not geheim\r\n"}, LoginRefused, "[AUTH] no, not …"),
        ({b"USER anna": b"-ERR unknown\r\n"}, LoginRefused, "unknown"),
        ({b"PASS geheim": b"-ERR [IN-USE] Mailbox is locked\r\n"}, ServerBusy, "locked"),
        ({b"PASS geheim": b"-ERR maildrop already locked\r\n"}, ServerBusy, "locked"),
        ({b"PASS geheim": b"-ERR [LOGIN-DELAY] minimum time between mail checks\r\n"}, ServerBusy, "minimum"),
        ({b"PASS geheim": b"-ERR [SYS/TEMP] later\r\n"}, ServerBusy, "later"),
        ({b"PASS geheim": b"* BAD what\r\n"}, ConnectionLost, "BAD what"),
    ],
)
def test_a_refused_login_is_told_from_a_mailbox_in_use(
    monkeypatch: Patch, says: dict[bytes, bytes], error: type[PostwagenError], detail: str
) -> None:
    with pytest.raises(error) as caught, talking_to(ScriptedPop3(says=says), monkeypatch):
        pass
    assert detail in caught.value.detail
    assert "geheim" not in str(caught.value.as_dict())


@pytest.mark.parametrize("auth", ["plain", "login", "xoauth2"])
@pytest.mark.parametrize("answer", [b"-ERR you said %s\r\n", b"-ERR too many logins: %s\r\n", b"what is %s?\r\n"])
@pytest.mark.parametrize("password", ["geheim", "gehéim-ß", "geheim" * 200], ids=str.__len__)
def test_a_server_that_repeats_the_login_tells_nobody_the_password(
    monkeypatch: Patch, password: str, answer: bytes, auth: str
) -> None:
    octets = password.encode()
    messages = {"plain": b"\0anna\0" + octets, "xoauth2": b"user=anna\x01auth=Bearer " + octets + b"\x01\x01"}
    sent = base64.b64encode(messages[auth]) if auth in messages else b"PASS " + octets
    for text in (octets, sent, base64.b64encode(octets)):
        said = answer.replace(b"%s", text)
        server = ScriptedPop3(says={b"AUTH PLAIN": b"+ \r\n", b"AUTH XOAUTH2": b"+ \r\n", sent: said})
        with (
            pytest.raises(PostwagenError) as caught,
            talking_to(server, monkeypatch, auth=auth, credential=lambda: password),
        ):
            pass
        shown = str(caught.value.as_dict())
        assert text.removeprefix(b"PASS ")[:8].decode() not in shown
        assert isinstance(caught.value, ServerBusy) == (b"too many" in said)


@pytest.mark.parametrize("word", ["an\r\nDELE 1", "a\nb", "a\0b"])
def test_a_user_name_or_password_cannot_speak_pop3(monkeypatch: Patch, word: str) -> None:
    for given in ({"user": word}, {"credential": lambda: word}):
        server = ScriptedPop3([A])
        with pytest.raises(UsageError), talking_to(server, monkeypatch, **given):
            pass
        assert not any(command.startswith((b"DELE", b"USER", b"PASS")) for command in server.commands)


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"* OK IMAP4rev1 ready\r\n", NotImap), (b"HTTP/1.1 400 Bad Request\r\n", NotImap),
        (b"-ERR too many connections\r\n", ServerBusy), (b"-ERR closed\r\n", ConnectRefused), (CUT, ConnectRefused),
    ],
)  # fmt: skip
def test_whoever_is_no_pop3_server_is_told_by_the_greeting(
    monkeypatch: Patch, greeting: bytes, error: type[PostwagenError]
) -> None:
    server = ScriptedPop3(greeting=greeting.removesuffix(CUT))
    if greeting == CUT:
        server.ours.close()
    with pytest.raises(error) as caught, talking_to(server, monkeypatch):
        pass
    if error is not ServerBusy:
        assert caught.value.advice


def test_without_stls_no_password_is_said(monkeypatch: Patch) -> None:
    server = ScriptedPop3(says={b"STLS": b"-ERR no\r\n"})
    with pytest.raises(TlsMissing), talking_to(server, monkeypatch, security="starttls"):
        pass
    assert server.commands == [b"CAPA", b"STLS"]


def test_what_was_said_before_the_handshake_is_refused(monkeypatch: Patch) -> None:
    server = ScriptedPop3(says={b"STLS": b"+OK go\r\n+OK injected\r\n"})
    with pytest.raises(PostwagenError), talking_to(server, monkeypatch, security="starttls"):
        pass
    assert not any(command.startswith((b"USER", b"PASS", b"AUTH")) for command in server.commands)
