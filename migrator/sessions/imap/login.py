"""Logging in over the wire: LOGIN or AUTHENTICATE PLAIN, whichever the server offers and does not break at."""

from __future__ import annotations

from base64 import b64encode

from migrator.errors import ConnectionLost, PostwagenError, UsageError
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import quoted
from migrator.sessions.imap.wire import Answer, Wire, announced
from migrator.sessions.octets import without


def log_in(wire: Wire, endpoint: Endpoint, offered: frozenset[str], *, prefers_login: bool) -> frozenset[str]:
    """Log in; gives the capabilities that the server announced with its OK, if it did.

    `offered`: its capabilities before; `prefers_login`: its PLAIN is known to be broken. No error holds the password.
    """
    closed = "LOGINDISABLED" in offered
    plain = _takes_plain(endpoint, offered, prefers_login=prefers_login and not closed and not endpoint.authzid)
    if endpoint.authzid and not plain:
        raise UsageError("Logging in for another user (authzid=, master=) needs AUTHENTICATE PLAIN.")
    if "\0" in endpoint.user + endpoint.credential():
        raise UsageError("User names and passwords cannot hold the character NUL.")
    try:
        answer = _authenticate_plain(wire, endpoint, "SASL-IR" in offered) if plain else _login(wire, endpoint)
        if plain and not endpoint.auth and not endpoint.authzid and not closed:
            answer = _login(wire, endpoint) if translate.blames_mechanism(answer) else answer
        if answer.status != "OK":
            raise translate.login_error(answer.text or answer.status, endpoint.host)
        return frozenset(announced(answer.whole))
    except ConnectionLost as error:  # some say with BYE that there are too many connections
        raise _discreet(translate.busy(error.detail) or error, endpoint) from None
    except PostwagenError as error:
        raise _discreet(error, endpoint) from None


def _takes_plain(endpoint: Endpoint, offered: frozenset[str], *, prefers_login: bool) -> bool:
    """Whether AUTHENTICATE PLAIN it is. Raises LoginRefused where the server takes neither."""
    if endpoint.auth == "plain" or (not endpoint.auth and "AUTH=PLAIN" in offered and not prefers_login):
        return True
    if "LOGINDISABLED" not in offered:
        return False
    if "AUTH=PLAIN" not in offered or endpoint.auth == "login":
        raise translate.login_error("LOGINDISABLED", endpoint.host)
    return True


def _discreet(error: PostwagenError, endpoint: Endpoint) -> PostwagenError:
    """A failed login's error without the password, in whatever form the server repeats it."""
    password = _octets(endpoint.credential())
    escaped = password.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    error.detail = without(error.detail, (password, escaped, b64encode(password), _sasl_plain(endpoint)))
    return error


def _sasl_plain(endpoint: Endpoint) -> bytes:
    """The message of RFC 4616 in base64."""
    return b64encode(_octets(f"{endpoint.authzid}\0{endpoint.user}\0{endpoint.credential()}"))


def _authenticate_plain(wire: Wire, endpoint: Endpoint, at_once: bool) -> Answer:
    """AUTHENTICATE PLAIN (RFC 4616); the password goes over the wire only, never into an exception.

    `at_once`: the server takes it in the same line (SASL-IR, RFC 4959).
    """
    if at_once:
        return wire.complete(wire.start(b"AUTHENTICATE PLAIN " + _sasl_plain(endpoint)))[0]
    tag = wire.start(b"AUTHENTICATE PLAIN")
    refused = wire.go_ahead(tag)
    if refused is not None:
        return refused
    wire.send(_sasl_plain(endpoint) + b"\r\n")
    return wire.complete(tag)[0]


def _login(wire: Wire, endpoint: Endpoint) -> Answer:
    """LOGIN; both arguments as quoted strings, or as literals where they hold more than ASCII."""
    arguments = [_octets(endpoint.user), _octets(endpoint.credential())]
    if all(argument.isascii() and not set(argument) & set(b"\r\n") for argument in arguments):
        return wire.complete(wire.start(b"LOGIN " + b" ".join(quoted(item) for item in arguments)))[0]
    tag = wire.begin(b"LOGIN ")
    for number, argument in enumerate(arguments):
        wire.send(b"%s{%d}\r\n" % (b" " if number else b"", len(argument)))
        ended = wire.go_ahead(tag)
        if ended is not None:
            return ended
        wire.send(argument)
    wire.send(b"\r\n")
    return wire.complete(tag)[0]


def _octets(text: str) -> bytes:
    """As UTF-8; what came in as other octets goes out as those."""
    return text.encode("utf-8", "surrogateescape")
