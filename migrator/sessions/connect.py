"""A connected, secured socket: resolve, guard, connect, TLS (1.2 at least), pins. Shared by all protocols."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import select
import socket
import ssl
import time
from collections.abc import Callable

from migrator.errors import (
    ConnectError,
    ConnectRefused,
    ConnectTimeout,
    HostForbidden,
    HostUnknown,
    NotImap,
    Stopped,
    TlsRefused,
)
from migrator.sessions.endpoint import Endpoint

CONNECT_SECONDS = 15.0
PORT_HINTS = {
    "imap": NotImap.hint,
    "pop3": "Check the port: POP3 with TLS is 995, POP3 with STLS is 110.",
}
POLL_SECONDS = 1.0
"""How often a waiting connection or handshake asks whether somebody wants us to stop."""

AddressRule = Callable[[str, int], bool]
"""Says whether an address and port may be reached (`guard.allowed` with the service's networks)."""

_REASONS = {
    9: ("tls_expired", "The certificate of {host} is not valid yet."),
    10: ("tls_expired", "The certificate of {host} has expired."),
    62: ("tls_wrong_host", "The certificate of {host} is made for another name."),
    64: ("tls_wrong_host", "The certificate of {host} is made for another address."),
}


def connect(
    endpoint: Endpoint, may_reach: AddressRule | None, wants_stop: Callable[[], bool] = lambda: False
) -> socket.socket:
    """A connected socket, Nagle off. Raises HostUnknown, HostForbidden, ConnectRefused, ConnectTimeout, Stopped."""
    last: ConnectError | None = None
    for address in _addresses(endpoint):
        if may_reach is not None and not may_reach(address, endpoint.port):
            last = HostForbidden(f"{endpoint.host}:{endpoint.port} must not be reached from here.")
            continue
        try:
            sock = _knock(address, endpoint.port, wants_stop)
        except TimeoutError:
            last = ConnectTimeout(f"{endpoint.host}:{endpoint.port} does not answer.")
        except OSError as error:
            last = ConnectRefused(f"{endpoint.host}:{endpoint.port} refuses connections.", detail=str(error))
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise last or HostUnknown(f"The host {endpoint.host} is unknown.")


def _knock(address: str, port: int, wants_stop: Callable[[], bool]) -> socket.socket:
    """`socket.create_connection` in short waits. Raises OSError (TimeoutError among them) and Stopped."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        sock.setblocking(False)
        problem = sock.connect_ex((address, port))
        if problem == errno.EINPROGRESS:
            problem = _await_answer(sock, wants_stop)
        if problem:
            raise OSError(problem, os.strerror(problem))
        sock.settimeout(CONNECT_SECONDS)
    except BaseException:
        sock.close()
        raise
    return sock


def _await_answer(sock: socket.socket, wants_stop: Callable[[], bool]) -> int:
    """Why the connection did not come to be, or 0."""
    deadline = time.monotonic() + CONNECT_SECONDS
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while not poll.poll(POLL_SECONDS * 1000):
        if wants_stop():
            raise Stopped("Stopped while connecting.")
        if time.monotonic() >= deadline:
            raise TimeoutError
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def _addresses(endpoint: Endpoint) -> list[str]:
    if endpoint.address:
        return [endpoint.address]
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise HostUnknown(f"The host {endpoint.host} is unknown.", detail=str(error)) from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """TLS 1.2 at least; certificates verified, unless one certificate is pinned, which is then the only one taken."""
    try:
        context = ssl.create_default_context(cadata=endpoint.ca_pem or None)
    except (ssl.SSLError, ValueError) as error:
        raise TlsRefused(
            "The CA certificate given is no certificate.", hint="Give a file in PEM form.", detail=str(error)
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.fingerprint:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def secure(sock: socket.socket, endpoint: Endpoint, wants_stop: Callable[[], bool] = lambda: False) -> ssl.SSLSocket:
    """TLS on a fresh socket. Raises TlsRefused, NotImap, ConnectTimeout, Stopped; the socket is closed then."""
    secured: ssl.SSLSocket | None = None
    try:
        context = tls_context(endpoint)
        secured = context.wrap_socket(sock, server_hostname=endpoint.host, do_handshake_on_connect=False)
        shake_hands(secured, wants_stop)
        check_pin(secured, endpoint)
    except BaseException as error:
        (secured or sock).close()
        if isinstance(error, OSError):
            raise tls_error(error, endpoint) from error
        raise
    return secured


def shake_hands(secured: ssl.SSLSocket, wants_stop: Callable[[], bool]) -> None:
    """The handshake, in short waits. Raises TimeoutError, Stopped."""
    deadline = time.monotonic() + CONNECT_SECONDS
    secured.settimeout(POLL_SECONDS)
    while True:
        if wants_stop():
            raise Stopped("Stopped while connecting.")
        try:
            secured.do_handshake()
        except TimeoutError:
            if time.monotonic() >= deadline:
                raise
        else:
            secured.settimeout(CONNECT_SECONDS)
            return


def check_pin(secured: ssl.SSLSocket, endpoint: Endpoint) -> None:
    """Compare the certificate with the pin, if there is one."""
    if not endpoint.fingerprint:
        return
    certificate = secured.getpeercert(binary_form=True) or b""
    seen = hashlib.sha256(certificate).hexdigest()
    if not hmac.compare_digest(seen, endpoint.fingerprint):
        raise TlsRefused(
            f"{endpoint.host} shows another certificate than the pinned one.",
            hint=f"It shows sha256:{seen}. Ask the provider whether it is theirs before you pin it.",
            code="tls_wrong_pin",
        )


def tls_error(error: OSError, endpoint: Endpoint) -> ConnectError:
    """A failed handshake in our words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code, text = _REASONS.get(error.verify_code, ("tls_untrusted", "The certificate of {host} is not trusted."))
        return TlsRefused(text.format(host=endpoint.host), detail=error.verify_message, code=code)
    if isinstance(error, TimeoutError):
        return ConnectTimeout(f"{endpoint.host}:{endpoint.port} does not answer the TLS handshake.")
    if isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):  # as servers do that restart
        where = f"{endpoint.host}:{endpoint.port}"
        return ConnectRefused(f"{where} closes the connection during the TLS handshake.", detail=str(error))
    reason = getattr(error, "reason", "") or str(error)
    if "WRONG_VERSION_NUMBER" in reason or "UNKNOWN_PROTOCOL" in reason or "HTTP" in reason:
        return NotImap(
            f"{endpoint.host}:{endpoint.port} speaks no TLS.", hint=PORT_HINTS[endpoint.protocol], detail=reason
        )
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        return TlsRefused(
            f"{endpoint.host} offers only TLS older than 1.2.",
            hint="That is no longer safe; ask the provider for a server with TLS 1.2. No password was sent.",
            detail=reason,
            code="tls_too_old",
        )
    where = f"{endpoint.host}:{endpoint.port}"
    return NotImap(f"The TLS handshake with {where} failed.", hint=PORT_HINTS[endpoint.protocol], detail=reason)
