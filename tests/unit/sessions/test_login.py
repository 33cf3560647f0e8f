"""Logging in: which mechanism, what is sent, and what a refusal means."""

from __future__ import annotations

import base64

import pytest

from migrator.errors import (
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    LoginRefused,
    NotImap,
    PostwagenError,
    ServerBusy,
    UsageError,
)
from migrator.mail.folders import Namespace
from migrator.ports import Meter
from migrator.providers import profile
from migrator.sessions import octets as octets_module
from migrator.sessions.imap import session as session_module
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.translate import login_error
from tests.unit.sessions.scripted import CUT, ScriptedServer, endpoint, talking_to

Patch = pytest.MonkeyPatch
PLAIN = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
BARE = b"* CAPABILITY IMAP4rev1\r\n"
DISABLED = b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n"


def commands(monkeypatch: Patch, capabilities: bytes, **more: object) -> list[bytes]:
    """What a login sends."""
    server = ScriptedServer(CAPABILITY=capabilities)
    with talking_to(server, monkeypatch, **more):
        pass
    return server.commands


def refusal(monkeypatch: Patch, server: ScriptedServer, **more: object) -> PostwagenError:
    with pytest.raises(PostwagenError) as caught, talking_to(server, monkeypatch, **more):
        pass
    assert "geheim" not in str(caught.value.as_dict())
    return caught.value


def secret(user: str, password: str, authzid: str = "") -> bytes:
    return base64.b64encode(f"{authzid}\0{user}\0{password}".encode())


# ---- mechanisms ----------------------------------------------------------------------------------------------------


def test_plain_is_chosen_where_it_is_offered(monkeypatch: Patch) -> None:
    sent = commands(monkeypatch, PLAIN)
    assert b"AUTHENTICATE PLAIN\r\n" + secret("anna", "geheim") in sent
    assert not any(line.startswith(b"LOGIN") for line in sent)


def test_login_is_chosen_where_plain_is_not_offered(monkeypatch: Patch) -> None:
    assert b'LOGIN "anna" "geheim"' in commands(monkeypatch, BARE)


def test_a_person_may_choose_login(monkeypatch: Patch) -> None:
    assert b'LOGIN "anna" "geheim"' in commands(monkeypatch, PLAIN, auth="login")


def test_quotes_and_backslashes_in_a_password_are_escaped(monkeypatch: Patch) -> None:
    assert rb'LOGIN "anna" "a\"b\\c"' in commands(monkeypatch, BARE, credential=lambda: 'a"b\\c')


def test_a_password_with_umlauts_goes_as_a_literal(monkeypatch: Patch) -> None:
    sent = commands(monkeypatch, BARE, credential=lambda: "größe")
    assert "LOGIN {4}\r\nanna {7}\r\ngröße".encode() in sent


def test_a_password_with_line_ends_goes_as_a_literal_and_becomes_no_command(monkeypatch: Patch) -> None:
    sent = commands(monkeypatch, BARE, credential=lambda: "a\r\nA1 LOGOUT")
    assert b"LOGIN {4}\r\nanna {12}\r\na\r\nA1 LOGOUT" in sent


def test_a_password_with_umlauts_and_another_user_go_with_plain(monkeypatch: Patch) -> None:
    sent = commands(monkeypatch, PLAIN, credential=lambda: "größe", authzid="chef")
    assert b"AUTHENTICATE PLAIN\r\n" + secret("anna", "größe", "chef") in sent


def test_another_users_mailbox_needs_plain(monkeypatch: Patch) -> None:
    assert isinstance(refusal(monkeypatch, ScriptedServer(CAPABILITY=BARE), authzid="b"), UsageError)


@pytest.mark.parametrize("capabilities", [PLAIN, BARE])
def test_a_password_cannot_hold_a_nul(monkeypatch: Patch, capabilities: bytes) -> None:
    server = ScriptedServer(CAPABILITY=capabilities)
    assert isinstance(refusal(monkeypatch, server, credential=lambda: "a\0b"), UsageError)


def test_where_login_is_disabled_no_password_is_sent(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=DISABLED)
    assert isinstance(refusal(monkeypatch, server), LoginRefused)
    assert set(server.verbs()) == {"CAPABILITY"}


def test_where_plain_is_not_understood_login_is_tried(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=PLAIN, AUTHENTICATE=b"%t BAD what?\r\n", challenge=b"none")
    with talking_to(server, monkeypatch):
        assert b'LOGIN "anna" "geheim"' in server.commands


# ---- refusals ------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_a_refused_login(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=BARE, LOGIN=b"%t NO [AUTHENTICATIONFAILED] geheim is wrong\r\n")
    error = refusal(monkeypatch, server)
    assert isinstance(error, LoginRefused)
    assert error.exit_code == 4


@pytest.mark.parametrize(
    "text",
    [
        b"[UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=30)",
        b"[ALERT] Too many simultaneous connections. (Failure)",
        b"[UNAVAILABLE] Temporary authentication failure.",
    ],
)
def test_too_many_connections_are_no_wrong_password(monkeypatch: Patch, text: bytes) -> None:
    error = refusal(monkeypatch, ScriptedServer(CAPABILITY=BARE, LOGIN=b"%t NO " + text + b"\r\n"))
    assert isinstance(error, ServerBusy)


def test_too_many_connections_said_with_bye_are_no_wrong_password(monkeypatch: Patch) -> None:
    bye = b"* BYE [ALERT] Too many simultaneous connections\r\n" + CUT
    error = refusal(monkeypatch, ScriptedServer(CAPABILITY=BARE, LOGIN=bye))
    assert isinstance(error, ServerBusy)


def test_too_many_connections_said_as_greeting_are_no_wrong_password(monkeypatch: Patch) -> None:
    server = ScriptedServer()
    server.greeting = b"* BYE Too many connections from your host\r\n"
    assert isinstance(refusal(monkeypatch, server), ServerBusy)


@pytest.mark.parametrize("capabilities", [PLAIN, BARE], ids=["plain", "login"])
@pytest.mark.parametrize("answer", [b"%t NO %s", b"%t BAD %s", b"* BYE too many connections: %s", b"* BYE %s"])
@pytest.mark.parametrize("password", ["geheim", 'ge"heim\\1', "gehéim-ß", "geheim" * 200], ids=str.__len__)
def test_a_server_that_repeats_the_login_tells_nobody_the_password(
    monkeypatch: Patch, password: str, answer: bytes, capabilities: bytes
) -> None:
    octets = password.encode()
    told = (
        octets,
        octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"'),
        secret("anna", password),
        base64.b64encode(octets),
    )
    for text in told:
        said = answer.replace(b"%s", b"you said anna " + text) + b"\r\n"
        server = ScriptedServer(CAPABILITY=capabilities, LOGIN=said, AUTHENTICATE=said)
        with pytest.raises(PostwagenError) as caught, talking_to(server, monkeypatch, credential=lambda: password):
            pass
        assert text[:8].decode() not in str(caught.value.as_dict())
        assert isinstance(caught.value, ServerBusy) == (b"too many" in said)


@pytest.mark.parametrize("status", [b"NO", b"BAD"])
def test_an_account_without_mailbox_is_a_refused_login(monkeypatch: Patch, status: bytes) -> None:
    """Exchange says OK to the login and this to the next command (quirks.md, 1)."""
    text = b"%t " + status + b" User is authenticated but not connected.\r\n"
    server = ScriptedServer(NAMESPACE=text, NOOP=text, CAPABILITY=PLAIN)
    error = refusal(monkeypatch, server)
    assert isinstance(error, LoginRefused)
    assert "no mailbox" in error.message


def test_a_server_that_hangs_up_during_login_is_a_lost_connection(monkeypatch: Patch) -> None:
    assert isinstance(refusal(monkeypatch, ScriptedServer(CAPABILITY=BARE, LOGIN=CUT)), ConnectionLost)


# ---- who is there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "greeting",
    [
        b"220 mail.old.example ESMTP ready\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"+OK POP3\r\n",
    ],
    ids=["smtp", "http", "ssh", "pop3"],
)
def test_another_protocol_is_said_to_be_another_protocol(monkeypatch: Patch, greeting: bytes) -> None:
    server = ScriptedServer()
    server.greeting = greeting
    error = refusal(monkeypatch, server)
    assert isinstance(error, NotImap)
    assert server.commands == []


def test_a_port_that_says_nothing_is_given_up_in_time(monkeypatch: Patch) -> None:
    monkeypatch.setattr(session_module, "CONNECT_SECONDS", 0.03)
    monkeypatch.setattr(octets_module, "POLL_SECONDS", 0.01)
    server = ScriptedServer()
    server.greeting = b""
    error = refusal(monkeypatch, server)
    assert isinstance(error, ConnectTimeout)


def test_a_port_that_hangs_up_at_once_is_no_imap_server_now(monkeypatch: Patch) -> None:
    server = ScriptedServer()
    server.greeting = b""
    server.ours.close()
    monkeypatch.setattr(session_module, "connect", lambda *_: server.theirs)
    with pytest.raises(ConnectError):
        ImapSession(endpoint())


# ---- after the login -----------------------------------------------------------------------------------------------


def test_capabilities_are_asked_again_after_the_login(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=[PLAIN, b"* CAPABILITY IMAP4rev1 UIDPLUS\r\n"])
    with talking_to(server, monkeypatch) as session:
        assert session.capabilities == {"IMAP4REV1", "UIDPLUS"}


def test_what_greeting_and_login_announce_is_not_asked_for(monkeypatch: Patch) -> None:
    server = ScriptedServer(AUTHENTICATE=b"%t OK [CAPABILITY IMAP4rev1 UIDPLUS ID] welcome\r\n")
    server.greeting = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"
    meter = Meter()
    with talking_to(server, monkeypatch, meter=meter) as session:
        assert session.capabilities == {"IMAP4REV1", "UIDPLUS", "ID"}
        assert server.verbs() == ["AUTHENTICATE", "ID", "NOOP", "LIST"]
        assert server.commands[0] == b"AUTHENTICATE PLAIN " + secret("anna", "geheim")
        assert meter.round_trips == 3, "the login, ID with NOOP, LIST for the namespace"


@pytest.mark.parametrize("code", [b"[CAPABILITY UIDPLUS]", b"[CAPABILITY]", b"CAPABILITY IMAP4rev1"])
def test_what_is_no_list_of_capabilities_is_not_taken_for_one(monkeypatch: Patch, code: bytes) -> None:
    server = ScriptedServer(AUTHENTICATE=b"%t OK " + code + b" welcome\r\n")
    server.greeting = b"* OK " + code + b" ready\r\n"
    with talking_to(server, monkeypatch) as session:
        assert "MULTIAPPEND" in session.capabilities
        assert server.verbs().count("CAPABILITY") == 2


def test_a_server_that_does_not_understand_plain_in_one_line_is_told_by_login(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=PLAIN.replace(b"AUTH", b"SASL-IR AUTH"), AUTHENTICATE=b"%t BAD what?\r\n")
    with talking_to(server, monkeypatch):
        pass
    assert b'LOGIN "anna" "geheim"' in server.commands


def test_a_refusal_that_repeats_the_line_does_not_tell_the_password(monkeypatch: Patch) -> None:
    capabilities = PLAIN.replace(b"AUTH", b"SASL-IR AUTH")
    said = b"%t NO AUTHENTICATE PLAIN " + secret("anna", "geheim") + b" failed\r\n"
    error = refusal(monkeypatch, ScriptedServer(CAPABILITY=capabilities, AUTHENTICATE=said))
    assert isinstance(error, LoginRefused)
    assert secret("anna", "geheim").decode() not in str(error.as_dict())


def test_id_is_sent_where_it_is_understood_or_insisted_on(monkeypatch: Patch) -> None:
    assert any(line.startswith(b"ID (") for line in commands(monkeypatch, PLAIN.replace(b"AUTH", b"ID AUTH")))
    assert any(line.startswith(b"ID (") for line in commands(monkeypatch, PLAIN, host="imap.163.com"))
    assert not any(line.startswith(b"ID (") for line in commands(monkeypatch, PLAIN))


@pytest.mark.parametrize(
    "say,expected,foreign",
    [
        (b'* NAMESPACE (("" "/")) NIL NIL\r\n', Namespace("", "/"), ()),
        (b'* NAMESPACE (("INBOX." ".")) NIL (("shared." "."))\r\n', Namespace("INBOX.", "."), ("shared.",)),
        (
            b'* NAMESPACE (("" "/")("#mh/" "/")) (("~" "/")) (("" "/")("Public/" "/"))\r\n',
            Namespace("", "/"),
            ("~", "Public/"),
        ),
        (b'* NAMESPACE (("" NIL)) NIL NIL\r\n', Namespace("", ""), ()),
        (b'* NAMESPACE (("" "\\\\")) NIL NIL\r\n', Namespace("", "\\"), ()),
    ],
)
def test_the_namespace_says_how_names_are_written(
    monkeypatch: Patch, say: bytes, expected: Namespace, foreign: tuple[str, ...]
) -> None:
    capabilities = PLAIN.replace(b"AUTH", b"NAMESPACE AUTH")
    with talking_to(ScriptedServer(CAPABILITY=capabilities, NAMESPACE=say), monkeypatch) as session:
        assert session.namespace == expected
        assert set(foreign) <= set(session.foreign)


@pytest.mark.parametrize(
    "say", [b"* NAMESPACE NIL NIL NIL\r\n", b"%t BAD no\r\n", b"* NAMESPACE\r\n", b"* NAMESPACE x y z\r\n"]
)
def test_without_a_namespace_the_root_says_the_delimiter(monkeypatch: Patch, say: bytes) -> None:
    server = ScriptedServer(
        CAPABILITY=PLAIN.replace(b"AUTH", b"NAMESPACE AUTH"), NAMESPACE=say, LIST=b'* LIST (\\Noselect) "|" ""\r\n'
    )
    with talking_to(server, monkeypatch) as session:
        assert session.namespace == Namespace("", "|")


def test_logging_out_says_so_and_a_broken_line_is_left_alone(monkeypatch: Patch) -> None:
    server = ScriptedServer()
    with talking_to(server, monkeypatch) as session:
        session.close()
        session.close()
    assert server.verbs()[-1] == "LOGOUT"


def test_a_provider_that_refuses_plain_as_a_wrong_password_is_told_by_login(monkeypatch: Patch) -> None:
    monkeypatch.setitem(profile.CATALOGUE, "old.example", profile.ICLOUD)
    sent = commands(monkeypatch, PLAIN, host="imap.old.example")
    assert b'LOGIN "anna" "geheim"' in sent
    assert not any(line.startswith(b"AUTHENTICATE") for line in sent)


@pytest.mark.parametrize(
    ("host", "says"), [("imap.gmx.net", "GMX"), ("secureimap.t-online.de", "separate e-mail password")]
)
def test_whoever_is_refused_by_a_known_provider_hears_where_to_click(host: str, says: str) -> None:
    assert says in login_error("[AUTHENTICATIONFAILED] no", host).advice
    assert "app password" in login_error("no", "mail.example.org").advice
