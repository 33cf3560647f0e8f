"""Connecting and TLS: nothing is sent to whom we cannot trust, and every refusal says what is wrong."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Self

import pytest

from migrator.demo.certificates import Certificate, make_certificate
from migrator.errors import (
    ConnectError,
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    HostForbidden,
    HostUnknown,
    NotImap,
    PostwagenError,
    Stopped,
    TlsMissing,
    TlsRefused,
)
from migrator.sessions import connect as connect_module
from migrator.sessions.connect import connect
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap import session as session_module
from migrator.sessions.imap.session import ImapSession
from tests.unit.sessions.scripted import ScriptedServer, endpoint, talking_to

Patch = pytest.MonkeyPatch
HOST = "mail.old.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), [HOST])


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("old"), [HOST], expired=True)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("other"), ["other.example"])


def pem(certificate: Certificate) -> str:
    return certificate.cafile.read_text(encoding="ascii")


def digits(certificate: Certificate) -> str:
    return certificate.fingerprint.removeprefix("sha256:")


def speaking_tls(certificate: Certificate, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certfile, certificate.keyfile)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    return context


def opened(monkeypatch: Patch, server: ScriptedServer, **more: object) -> None:
    with talking_to(server, monkeypatch, **more):
        pass


def refusal(monkeypatch: Patch, server: ScriptedServer, **more: object) -> PostwagenError:
    """What opening raises; the password never reached the server."""
    with pytest.raises(PostwagenError) as caught:
        opened(monkeypatch, server, **more)
    assert not any(b"geheim" in command or b"AUTHENTICATE" in command for command in server.commands)
    return caught.value


def over_tls(certificate: Certificate, newest: ssl.TLSVersion | None = None) -> ScriptedServer:
    server = ScriptedServer()
    server.tls_first = speaking_tls(certificate, newest)
    return server


def with_starttls(certificate: Certificate, *, injected: bytes = b"") -> ScriptedServer:
    offered = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
    after = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
    server = ScriptedServer(CAPABILITY=[offered, after, after, after], STARTTLS=b"%t OK begin\r\n" + injected)
    server.tls_after_starttls = speaking_tls(certificate)
    return server


# ---- TLS -----------------------------------------------------------------------------------------------------------


def test_a_trusted_certificate_for_the_right_name_is_taken(monkeypatch: Patch, certificate: Certificate) -> None:
    server = over_tls(certificate)
    opened(monkeypatch, server, security="tls", ca_pem=pem(certificate))
    assert any(b"AUTHENTICATE" in command for command in server.commands)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_untrusted_certificate_is_refused(monkeypatch: Patch, certificate: Certificate, security: str) -> None:
    server = over_tls(certificate) if security == "tls" else with_starttls(certificate)
    error = refusal(monkeypatch, server, security=security)
    assert isinstance(error, TlsRefused)
    assert error.instance_code == "tls_untrusted"
    assert "fingerprint=" in error.advice


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_an_expired_certificate_is_refused(monkeypatch: Patch, expired: Certificate, security: str) -> None:
    server = over_tls(expired) if security == "tls" else with_starttls(expired)
    error = refusal(monkeypatch, server, security=security, ca_pem=pem(expired))
    assert isinstance(error, TlsRefused)
    assert error.instance_code == "tls_expired"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_for_another_host_is_refused(monkeypatch: Patch, elsewhere: Certificate, security: str) -> None:
    server = over_tls(elsewhere) if security == "tls" else with_starttls(elsewhere)
    error = refusal(monkeypatch, server, security=security, ca_pem=pem(elsewhere))
    assert isinstance(error, TlsRefused)
    assert error.instance_code == "tls_wrong_host"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_pinned_certificate_is_taken_whatever_else_is_wrong_with_it(
    monkeypatch: Patch, expired: Certificate, security: str
) -> None:
    server = over_tls(expired) if security == "tls" else with_starttls(expired)
    opened(monkeypatch, server, security=security, fingerprint=digits(expired))
    assert any(b"AUTHENTICATE" in command for command in server.commands)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_another_certificate_than_the_pinned_one_is_refused(
    monkeypatch: Patch, certificate: Certificate, expired: Certificate, security: str
) -> None:
    server = over_tls(certificate) if security == "tls" else with_starttls(certificate)
    error = refusal(monkeypatch, server, security=security, ca_pem=pem(certificate), fingerprint=digits(expired))
    assert isinstance(error, TlsRefused)
    assert error.instance_code == "tls_wrong_pin"
    assert certificate.fingerprint in error.advice


def test_a_ca_file_that_is_none_is_said_to_be_none(monkeypatch: Patch, certificate: Certificate) -> None:
    error = refusal(monkeypatch, over_tls(certificate), security="tls", ca_pem="nonsense")
    assert isinstance(error, TlsRefused)


def test_a_server_that_offers_only_old_tls_is_refused(monkeypatch: Patch, certificate: Certificate) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        server = over_tls(certificate, ssl.TLSVersion.TLSv1_1)
    error = refusal(monkeypatch, server, security="tls", ca_pem=pem(certificate))
    assert isinstance(error, ConnectError)
    assert error.instance_code == "tls_too_old"


@pytest.mark.parametrize(
    "greeting", [b"* OK IMAP in clear text\r\n", b"220 smtp\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_a_port_that_speaks_no_tls_is_said_to_speak_none(monkeypatch: Patch, greeting: bytes) -> None:
    server = ScriptedServer()
    server.greeting = greeting
    assert isinstance(refusal(monkeypatch, server, security="tls"), NotImap)


def test_a_port_that_does_not_answer_the_handshake_is_given_up_in_time(monkeypatch: Patch) -> None:
    monkeypatch.setattr(connect_module, "CONNECT_SECONDS", 0.03)
    server = ScriptedServer()
    server.greeting = b""
    assert isinstance(refusal(monkeypatch, server, security="tls"), ConnectTimeout)


# ---- STARTTLS ------------------------------------------------------------------------------------------------------


def test_starttls_is_done_before_anything_is_said(monkeypatch: Patch, certificate: Certificate) -> None:
    server = with_starttls(certificate)
    opened(monkeypatch, server, security="starttls", ca_pem=pem(certificate))
    verbs = server.verbs()
    assert verbs.index("STARTTLS") < verbs.index("AUTHENTICATE")
    assert set(verbs[: verbs.index("STARTTLS")]) == {"CAPABILITY"}


def test_what_the_greeting_announced_counts_for_nothing_after_the_handshake(
    monkeypatch: Patch, certificate: Certificate
) -> None:
    server = with_starttls(certificate)
    server.greeting = b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] ready\r\n"
    server.says["CAPABILITY"] = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
    opened(monkeypatch, server, security="starttls", ca_pem=pem(certificate))
    verbs = server.verbs()
    assert verbs.index("STARTTLS") < verbs.index("CAPABILITY") < verbs.index("AUTHENTICATE")
    assert all(line.startswith(b"AUTHENTICATE PLAIN\r\n") for line in server.commands if line.startswith(b"AUTH"))


def test_without_starttls_no_password_is_sent(monkeypatch: Patch) -> None:
    error = refusal(monkeypatch, ScriptedServer(), security="starttls")
    assert isinstance(error, TlsMissing)
    assert "security=none" in error.advice


def test_starttls_that_is_offered_and_refused_is_missing(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", STARTTLS=b"%t NO not today\r\n")
    assert isinstance(refusal(monkeypatch, server, security="starttls"), TlsMissing)


def test_what_is_injected_before_the_handshake_ends_the_connection(
    monkeypatch: Patch, certificate: Certificate
) -> None:
    server = with_starttls(certificate, injected=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA9 OK injected\r\n")
    error = refusal(monkeypatch, server, security="starttls", ca_pem=pem(certificate))
    assert isinstance(error, ConnectionLost | ConnectError)


def test_a_preauthenticated_connection_in_clear_text_is_no_way_around_tls(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=b"* CAPABILITY IMAP4rev1 STARTTLS\r\n")
    server.greeting = b"* PREAUTH welcome back\r\n"
    assert isinstance(refusal(monkeypatch, server, security="starttls"), TlsMissing)


# ---- sockets -------------------------------------------------------------------------------------------------------


@contextmanager
def listening(backlog: int = 5) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        yield listener.getsockname()[1]


def at(port: int, host: str = "127.0.0.1", address: str | None = None) -> Endpoint:
    return replace(endpoint(host=host, address=address), port=port)


def test_a_connection_has_nagle_switched_off() -> None:
    with listening() as port, connect(at(port), None) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_nothing_listens_there() -> None:
    with listening() as port:
        pass
    with pytest.raises(ConnectRefused):
        connect(at(port), None)


def test_a_host_without_an_address_is_unknown(monkeypatch: Patch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(HostUnknown):
        connect(at(993, "no.such.example"), None)


@pytest.mark.parametrize("host", ["a" * 64 + ".example", ".example", "ex..ample"])
def test_a_host_that_cannot_be_one_is_unknown(host: str) -> None:
    with pytest.raises(HostUnknown):
        connect(at(993, host), None)


def test_every_address_is_judged_and_the_first_allowed_one_is_taken(monkeypatch: Patch) -> None:
    asked: list[tuple[str, int]] = []

    def rule(address: str, port: int) -> bool:
        asked.append((address, port))
        return address == "127.0.0.1"

    with listening() as port:
        found = [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("127.0.0.9", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connect(at(port, "two.example"), rule) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
    assert asked == [("127.0.0.9", port), ("127.0.0.1", port)]


def test_a_forbidden_address_is_not_even_knocked_at() -> None:
    with listening() as port, pytest.raises(HostForbidden):
        connect(at(port), lambda *_: False)


def test_a_given_address_is_used_and_judged_instead_of_the_name() -> None:
    asked: list[str] = []

    def rule(address: str, _: int) -> bool:
        asked.append(address)
        return True

    with listening() as port, connect(at(port, "name.example", "127.0.0.1"), rule):
        pass
    assert asked == ["127.0.0.1"]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue is full: nobody is refused there, and nobody gets an answer."""
    with listening(backlog=0) as port, ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def test_a_host_that_does_not_answer_is_given_up_in_time(monkeypatch: Patch) -> None:
    monkeypatch.setattr(connect_module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(connect_module, "POLL_SECONDS", 0.1)
    with black_hole() as port, pytest.raises(ConnectTimeout):
        connect(at(port), None)


def test_whoever_waits_for_a_host_that_does_not_answer_can_be_stopped(monkeypatch: Patch) -> None:
    monkeypatch.setattr(connect_module, "POLL_SECONDS", 0.1)
    asked = iter((False, True))
    with black_hole() as port, pytest.raises(Stopped):
        connect(at(port), None, lambda: next(asked))


class Mute:
    """Where the other side should begin TLS, and says nothing any more."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def wrap_socket(self, _sock: socket.socket, *, server_side: bool) -> ssl.SSLSocket:
        assert server_side
        self._over.wait(20)
        raise OSError("nothing was said")


@pytest.mark.parametrize("stopped", [True, False])
def test_a_server_that_is_mute_after_starttls_is_left_in_time_or_when_somebody_wants_it(
    monkeypatch: Patch, certificate: Certificate, *, stopped: bool
) -> None:
    monkeypatch.setattr(connect_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(connect_module, "CONNECT_SECONDS", 60.0 if stopped else 0.2)
    server, mute, begun = with_starttls(certificate), Mute(), list[int]()
    server.tls_after_starttls = mute
    shake = ssl.SSLSocket.do_handshake

    def noted(self: ssl.SSLSocket) -> None:
        begun.append(1)
        shake(self)

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", noted)
    monkeypatch.setattr(session_module, "connect", lambda *_: server.theirs)
    with server, mute, pytest.raises(Stopped if stopped else ConnectTimeout):
        ImapSession(endpoint(security="starttls"), wants_stop=lambda: stopped and len(begun) > 1)
    assert len(begun) > 1


def test_the_rule_is_asked_at_every_connection() -> None:
    """The name may point inside the next time (traps.md, P)."""
    answers = iter((True, False))
    with listening() as port:
        with connect(at(port), lambda *_: next(answers)):
            pass
        with pytest.raises(HostForbidden):
            connect(at(port), lambda *_: next(answers))


def test_a_session_that_fails_to_open_leaves_no_socket_behind(monkeypatch: Patch) -> None:
    server = ScriptedServer(CAPABILITY=b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n")
    monkeypatch.setattr(session_module, "connect", lambda *_: server.theirs)
    with server, pytest.raises(PostwagenError):
        ImapSession(endpoint())
    assert server.theirs.fileno() == -1
