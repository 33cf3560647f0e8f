"""One open, authenticated POP3 connection (RFC 1939, 2449, 2595, 5034)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from migrator.errors import (
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    NotImap,
    PostwagenError,
    ServerRefused,
    TlsMissing,
    UsageError,
)
from migrator.mail.messages import readable
from migrator.sessions.connect import CONNECT_SECONDS, PORT_HINTS, AddressRule, connect, secure
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.octets import Octets, Silence, without
from migrator.sessions.pop3 import translate

READ_SECONDS = 120.0
_TIMESTAMP = re.compile(rb"<[^<>\s]+@[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class Reply:
    """A status line: `+OK`, `-ERR` or `+` (go on), with its text as the server wrote it."""

    status: str
    text: str

    @property
    def ok(self) -> bool:
        return self.status == "+OK"


class Pop3Session:
    """One connection, logged in. Whatever leaves it out of step drops it."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        wants_stop: Callable[[], bool] = lambda: False,
        may_reach: AddressRule | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.endpoint = endpoint
        self.capabilities: dict[str, str] = {}
        """Capability in upper case → its arguments; empty where the server knows no CAPA."""
        self.unproven = 0
        """So often TOP did not give what LIST had announced (`reading`)."""
        self.tls = ""
        self.heeds_stop = True
        """Whether waiting ends when somebody wants us to stop; off where an answer must be heard to its end."""
        self._where = f"{endpoint.host}:{endpoint.port}"
        sock = connect(endpoint, may_reach, wants_stop)
        if endpoint.security == "tls":
            sock = secure(sock, endpoint, wants_stop)
        self.octets = Octets(sock, timeout=CONNECT_SECONDS, wants_stop=lambda: self.heeds_stop and wants_stop())
        try:
            greeting = self._greet()
            if endpoint.security == "starttls":
                self._ask_capabilities()
                self.octets.timeout = CONNECT_SECONDS
                if not self.command(b"STLS").ok:
                    raise TlsMissing(f"{self._where} does not offer STLS.", hint=_NO_STLS)
                sock = secure(sock, endpoint, wants_stop)
                self.octets.replace_socket(sock)
            self.tls = sock.version() or "" if hasattr(sock, "version") else ""
            self._ask_capabilities()
            self._login(greeting)
            self._ask_capabilities()
            self.octets.timeout = read_seconds
        except BaseException:
            self.octets.drop()
            raise

    # ---- opening -------------------------------------------------------------------------------------------------

    def _greet(self) -> bytes:
        try:
            line = self.octets.readline()
        except Silence:
            raise ConnectTimeout(
                f"{self._where} accepts the connection and says nothing.", hint=PORT_HINTS["pop3"]
            ) from None
        except ConnectionLost as error:
            raise ConnectRefused(
                f"{self._where} closes the connection without a greeting.", hint=PORT_HINTS["pop3"], detail=error.detail
            ) from None
        if line.startswith(b"-ERR"):
            text = readable(line[4:])
            raise translate.busy(text) or ConnectRefused(f"{self._where} turns us away.", detail=text)
        if not line.startswith(b"+OK"):
            raise NotImap(f"{self._where} speaks no POP3.", hint=PORT_HINTS["pop3"], detail=readable(line))
        return line

    def _ask_capabilities(self) -> None:
        """CAPA; a server that does not know it has none (RFC 2449)."""
        self.capabilities = {}
        if self.command(b"CAPA").ok:
            for line in self.lines():
                word, _, arguments = readable(line).partition(" ")
                self.capabilities[word.upper()] = arguments.upper()

    def _login(self, greeting: bytes) -> None:
        endpoint = self.endpoint
        user, password = _octets(endpoint.user), _octets(endpoint.credential())
        if set(user + password) & set(b"\r\n\0"):
            raise UsageError("User names and passwords cannot hold line ends or the character NUL.")
        sasl = self.capabilities.get("SASL", "").split()
        way = endpoint.auth or ("plain" if "PLAIN" in sasl else "login")
        if endpoint.authzid and way != "plain":
            raise UsageError("Logging in for another user (authzid=, master=) needs AUTH PLAIN.")
        plain = b"%s\0%s\0%s" % (_octets(endpoint.authzid), user, password)
        bearer = b"user=%s\x01auth=Bearer %s\x01\x01" % (user, password)
        try:
            if way == "apop":
                reply = self._apop(greeting, user, password)
            elif way == "plain":
                reply = self._sasl(b"PLAIN", plain)
            elif way == "xoauth2":
                reply = self._sasl(b"XOAUTH2", bearer)
            else:
                reply = self._user_and_pass(user, password)
            if not reply.ok:
                raise translate.login_error(reply.text, endpoint.host)
        except PostwagenError as error:  # some servers repeat what they refuse
            error.detail = without(error.detail, (password, *map(base64.b64encode, (password, plain, bearer))))
            raise

    def _user_and_pass(self, user: bytes, password: bytes) -> Reply:
        reply = self.command(b"USER " + user)
        return self.command(b"PASS " + password) if reply.ok else reply

    def _apop(self, greeting: bytes, user: bytes, password: bytes) -> Reply:
        """APOP (RFC 1939, 7): MD5 protects nothing any more, so only who asks for it by name gets it."""
        stamp = _TIMESTAMP.search(greeting)
        if stamp is None:
            raise UsageError(f"{self.endpoint.host} does not offer APOP.", hint="Leave auth= out.")
        digest = hashlib.md5(stamp.group(0) + password, usedforsecurity=False).hexdigest()
        return self.command(b"APOP %s %s" % (user, digest.encode()))

    def _sasl(self, mechanism: bytes, message: bytes) -> Reply:
        """AUTH in two lines, which all take, Microsoft only so (RFC 5034; quirks.md, 63)."""
        reply = self.command(b"AUTH " + mechanism)
        if reply.status != "+":
            return reply
        reply = self.command(base64.b64encode(message))
        if reply.status == "+":  # the reason of a refusal, in a challenge that wants an empty answer (XOAUTH2)
            refused = self.command(b"")
            return Reply(refused.status, refused.text or reply.text)
        return reply

    # ---- commands ------------------------------------------------------------------------------------------------

    def command(self, line: bytes) -> Reply:
        """Send one line; its status line."""
        self.octets.send(line + b"\r\n")
        return self.reply()

    def reply(self) -> Reply:
        """The next status line. Raises ConnectionLost where none stands."""
        line = self.octets.readline()
        status, _, text = line.partition(b" ")
        status = status.strip().upper()
        if status in (b"+OK", b"-ERR", b"+"):
            return Reply(status.decode(), readable(text))
        self.octets.drop()
        raise ConnectionLost("The server said something that is no POP3.", detail=readable(line))

    def lines(self) -> Iterator[bytes]:
        """The lines of a short multi-line response, without their ends and stuffed dots."""
        while (line := self.octets.readline()).rstrip(b"\r\n") != b".":
            yield line.rstrip(b"\r\n").removeprefix(b".")

    def listing(self, command: bytes) -> dict[int, bytes] | None:
        """LIST or UIDL: message number → what stands behind it; None where the server refuses."""
        if not self.command(command).ok:
            return None
        found: dict[int, bytes] = {}
        for line in self.lines():
            number, _, value = line.strip().partition(b" ")
            if number.isdigit() and int(number) > 0:
                found[int(number)] = value.strip()
        return found

    def close(self) -> None:
        """End without a trace: RSET takes back every mark, of reading too (Dovecot). Never raises.

        A server that expires what was read (EXPIRE 0, RFC 2449) gets no QUIT: without UPDATE it deletes nothing.
        """
        if not self.octets.dropped:
            with contextlib.suppress(PostwagenError, OSError):
                self.heeds_stop = False  # RSET must reach the server above all when we are told to stop
                self.octets.timeout = 2.0
                if self.command(b"RSET").ok and not self.expires_at_once:
                    self.command(b"QUIT")
        self.octets.drop()

    @property
    def expires_at_once(self) -> bool:
        """Whether the server says that it deletes what was read (EXPIRE 0)."""
        return self.expires_after == 0

    @property
    def expires_after(self) -> int | None:
        """After how many days the server deletes mail by itself (RFC 2449, 6.7); None: never, or it does not say."""
        days = self.capabilities.get("EXPIRE", "").split()[:1]
        return int(days[0]) if days and days[0].isdecimal() else None


_NO_STLS = "Use port 995 with TLS. Clear text is possible only by asking for it: security=none. No password was sent."


def _octets(text: str) -> bytes:
    """As UTF-8 (RFC 6856); what came in as other octets goes out as those."""
    return text.encode("utf-8", "surrogateescape")


def refused(reply: Reply, what: str) -> PostwagenError:
    """A command that must not fail was refused."""
    return translate.busy(reply.text) or ServerRefused(f"The server refused: {what}.", detail=reply.text)
