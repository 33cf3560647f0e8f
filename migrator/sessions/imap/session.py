"""One open, authenticated IMAP connection: opened, secured and logged in by IMAPClient on our wire."""

from __future__ import annotations

import contextlib
import imaplib
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from migrator.errors import (
    ConnectionLost,
    ConnectRefused,
    ConnectTimeout,
    FolderRefused,
    NotImap,
    PostwagenError,
    ServerRefused,
    TlsMissing,
)
from migrator.mail.folders import Namespace
from migrator.ports import Meter
from migrator.providers.profile import profile_of
from migrator.sessions.connect import CONNECT_SECONDS, AddressRule, check_pin, connect, secure, tls_context, tls_error
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.imap import translate
from migrator.sessions.imap.login import log_in
from migrator.sessions.imap.replies import (
    flags_of,
    folder_argument,
    folder_name,
    listed_argument,
    listed_names,
    number_of,
    status_numbers,
    tokens,
)
from migrator.sessions.imap.window import APPENDING, READING, Manners, Window
from migrator.sessions.imap.wire import Answer, Part, Wire, WireIMAP4, answer_of
from migrator.sessions.octets import Silence

READ_SECONDS = 120.0
_ID = b'ID ("name" "Postwagen" "vendor" "Postwagen")'
"""RFC 2971."""
_ASK_FOR_THE_PORT = (
    "Check the port: IMAP with TLS is 993, IMAP with STARTTLS is 143. If it is right, run the same again later."
)

imaplib._MAXLINE = 50_000_000  # type: ignore[attr-defined]  # noqa: SLF001 - 500,000 UIDs in one line are legal
logging.getLogger("imapclient").setLevel(logging.CRITICAL)  # it formats every line, passwords too, for debug logs


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder that is open on this connection."""

    name: str
    writable: bool
    validity: int
    uidnext: int
    messages: int
    permanent: tuple[str, ...] | None
    """PERMANENTFLAGS, or None where the server did not say (RFC 9051: then all FLAGS are permanent)."""
    flags: tuple[str, ...]


class _LostAtNamespace(ConnectionLost):
    """The connection broke when NAMESPACE was asked for: by chance, or because of it."""


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """IMAPClient on a socket that we opened, guarded and secured ourselves."""

    def __init__(self, sock: socket.socket, endpoint: Endpoint, wire: Wire) -> None:
        self._given = sock, wire
        super().__init__(endpoint.host, port=endpoint.port, use_uid=True, ssl=endpoint.security == "tls")
        self._imap.debug = 0
        self.folder_encode = True

    def _create_IMAP4(self) -> WireIMAP4:  # noqa: N802 - IMAPClient calls it so
        sock, wire = self._given
        return WireIMAP4(sock, self.host, wire)

    def _set_read_timeout(self) -> None:
        """The wire keeps time."""


class ImapSession:
    """One connection. Any error that is no plain refusal drops it: we never go on reading out of step."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        wants_stop: Callable[[], bool] = lambda: False,
        may_reach: AddressRule | None = None,
        read_seconds: float | None = None,
        meter: Meter | None = None,
        losses: int = 0,
    ) -> None:
        """`losses`: so many connections to this server have broken before."""
        self.endpoint = endpoint
        self.profile = profile_of(endpoint.host)
        self.manners = Manners(losses, modest=self.profile.modest)
        self.reading, self.appending = Window(self.manners, READING), Window(self.manners, APPENDING)
        self.selected: Selected | None = None
        self.opened_for_writing: set[str] = set()
        """Names of folders, since the connection was made."""
        self.capabilities: frozenset[str] = frozenset()
        self.namespace = Namespace()
        self.foreign: tuple[str, ...] = ()
        """Prefixes of other users' and shared namespaces."""
        self.names: dict[str, bytes] = {}
        """Folder names as the server wrote them, by the name that we know them by; filled by LIST."""
        self.subscribed: frozenset[str] = frozenset()
        """Of these, those that were subscribed."""
        self.tls = ""
        self.is_cyrus = False
        """Whether it greets as one."""
        self._trips = (meter or Meter()).connection()
        self._read_seconds = READ_SECONDS if read_seconds is None else read_seconds
        for asks_namespace in (True, True, False):
            try:
                self._open(may_reach, wants_stop, asks_namespace=asks_namespace)
                break
            except _LostAtNamespace:
                continue  # perhaps by chance; where it is not asked, that cannot be lost

    # ---- opening -----------------------------------------------------------------------------------------------

    def _open(self, may_reach: AddressRule | None, wants_stop: Callable[[], bool], *, asks_namespace: bool) -> None:
        sock = connect(self.endpoint, may_reach, wants_stop)
        if self.endpoint.security == "tls":
            sock = secure(sock, self.endpoint, wants_stop)
        self.wire = Wire(sock, timeout=CONNECT_SECONDS, wants_stop=wants_stop, trips=self._trips)
        try:
            with self._translated():
                self._greet(sock)
                self.capabilities = self._login()
                self.wire.timeout = self._read_seconds
                self._learn(asks_namespace)
        except BaseException:
            self.wire.drop()
            raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Foreign exceptions become ours here, and only here."""
        host = self.endpoint.host
        try:
            yield
        except PostwagenError:
            raise
        except (IMAPClientAbortError, imaplib.IMAP4.abort) as error:
            raise ConnectionLost(f"{host} ended the connection.", detail=str(error)[:300]) from None
        except (IMAPClientError, imaplib.IMAP4.error) as error:
            raise ServerRefused(f"{host} refused a command.", detail=str(error)[:300]) from None
        except OSError as error:
            raise ConnectionLost(f"The connection to {host} broke.", detail=str(error)) from None

    def _greet(self, sock: socket.socket) -> None:
        where = f"{self.endpoint.host}:{self.endpoint.port}"
        try:
            self.client = _Client(sock, self.endpoint, self.wire)
        except ConnectionLost as error:
            raise self._no_greeting(where, error) from None
        except (imaplib.IMAP4.error, ValueError, IndexError, AttributeError) as error:
            busy = translate.busy(str(error)) or translate.turned_away(str(error), where)
            raise busy or NotImap(f"{where} speaks no IMAP.", detail=str(error)[:200]) from None
        if self.endpoint.security == "starttls":
            self._starttls(where)
        self.is_cyrus = b"cyrus" in bytes(self.client.welcome or b"").lower()
        channel = self.client.socket()
        self.tls = channel.version() or "" if hasattr(channel, "version") else ""

    def _no_greeting(self, where: str, error: ConnectionLost) -> PostwagenError:
        """Nobody spoke: perhaps no mail server, perhaps one that restarts. So later may help."""
        if isinstance(error, Silence):
            return ConnectTimeout(f"{where} accepts the connection and says nothing.", hint=_ASK_FOR_THE_PORT)
        if error.detail and (busy := translate.busy(error.detail)):
            return busy
        return ConnectRefused(
            f"{where} closes the connection without a greeting.", hint=_ASK_FOR_THE_PORT, detail=error.detail
        )

    def _starttls(self, where: str) -> None:
        if not self.client.has_capability("STARTTLS"):
            raise TlsMissing(f"{where} does not offer STARTTLS.")
        try:
            self.client.starttls(tls_context(self.endpoint))
        except (IMAPClientError, imaplib.IMAP4.error) as error:
            raise TlsMissing(f"{where} offers STARTTLS and then refuses it.", detail=str(error)[:200]) from None
        except OSError as error:
            raise tls_error(error, self.endpoint) from None
        check_pin(self.client.socket(), self.endpoint)

    def _login(self) -> frozenset[str]:
        offered = frozenset(self.client._imap.capabilities)  # noqa: SLF001 - asked already, or told by the greeting
        return log_in(self.wire, self.endpoint, offered, prefers_login=self.profile.prefers_login)

    def _ask_capabilities(self) -> frozenset[str]:
        answer, responses = self.wire.complete(self.wire.start(b"CAPABILITY"))
        if answer.status != "OK":
            return frozenset()
        words: set[str] = set()
        for parts in responses:
            read = [item for item in tokens(parts) if isinstance(item, bytes)]
            if len(read) > 1 and read[1].upper() == b"CAPABILITY":
                words |= {item.decode("ascii", "replace").upper() for item in read[2:]}
        return frozenset(words)

    def _learn(self, asks_namespace: bool) -> None:
        """What the server can do after login; who we are, where it asks for that."""
        self.capabilities = self.capabilities or self._ask_capabilities()
        self.client._cached_capabilities = tuple(word.encode() for word in self.capabilities)  # noqa: SLF001 - it would ask again
        self.client._imap.state = "AUTH"  # noqa: SLF001 - we logged in over the wire
        introduced = self.wire.start(_ID) if "ID" in self.capabilities or self.profile.introduces else None
        if introduced is not None and self.manners.is_modest:
            self.wire.complete(introduced)
            introduced = None
        asks = asks_namespace and "NAMESPACE" in self.capabilities
        asked = self.wire.start(b"NAMESPACE" if asks else b"NOOP")
        if introduced is not None:
            self.wire.complete(introduced)
        try:
            answer, responses = self.wire.complete(asked)
        except ConnectionLost as loss:
            if not asks or translate.busy(loss.detail):
                raise
            raise _LostAtNamespace(loss.message, detail=loss.detail) from None
        refused = translate.not_connected(answer.text, self.endpoint.host)
        if refused:
            raise refused
        self.namespace = self._read_namespace(responses) or self._root_namespace()

    def _read_namespace(self, responses: Sequence[Sequence[Part]]) -> Namespace | None:
        found: Namespace | None = None
        for parts in responses:
            read = tokens(parts)
            if len(read) < 5 or not isinstance(read[1], bytes) or read[1].upper() != b"NAMESPACE":
                continue
            spaces = [
                (folder_name(item[0]), (item[1] or b"").decode("ascii", "replace"))
                for group in read[2:5]
                for item in ([group] if group is None else group)
                if isinstance(item, list) and len(item) >= 2 and isinstance(item[0], bytes)
            ]
            personal = read[2] if isinstance(read[2], list) else []
            if personal and spaces:
                found = Namespace(prefix=spaces[0][0], delimiter=spaces[0][1])
            self.foreign = tuple(prefix for prefix, _ in spaces[len(personal) :] if prefix)
        return found

    def _root_namespace(self) -> Namespace:
        answer, responses = self.command(b'LIST "" ""')
        for parts in responses:
            read = tokens(parts)
            if answer.status == "OK" and len(read) >= 5 and isinstance(read[3], bytes):
                return Namespace(prefix="", delimiter=read[3].decode("ascii", "replace"))
        return Namespace()

    # ---- commands ----------------------------------------------------------------------------------------------

    def command(self, command: bytes) -> tuple[Answer, list[list[Part]]]:
        """A short command and all it brings. A BAD drops nothing here: nothing of ours was in flight."""
        return self.wire.complete(self.wire.start(command))

    def open_folder(self, name: str, *, writable: bool, again: bool = False) -> Selected:
        """EXAMINE (or SELECT) a folder, unless it is open already. Raises FolderRefused."""
        current = self.selected
        if current and current.name == name and current.writable == writable and not again:
            return current
        try:
            return self.opened(self.begin_opening(name, writable=writable), name, writable=writable)
        except FolderRefused:
            if self.names:
                raise
            self.names = dict(listed_names(self.command(b'LIST "" "*"')[1]))  # nothing was listed since a reconnection
            if name not in self.names:
                raise
        return self.opened(self.begin_opening(name, writable=writable), name, writable=writable)

    def begin_opening(self, name: str, *, writable: bool) -> bytes:
        """Ask for it; the answer is read by `opened`, after those of commands that were sent before."""
        return self.wire.start((b"SELECT " if writable else b"EXAMINE ") + self.argument(name))

    def opened(self, tag: bytes, name: str, *, writable: bool) -> Selected:
        """The folder that was asked for. Raises FolderRefused: no folder is open then."""
        self.selected = None
        answer, responses = self.wire.complete(tag)
        if translate.asks_who_we_are(answer) and not self.wire.waiting:
            self.command(_ID)
            answer, responses = self.wire.complete(self.begin_opening(name, writable=writable))
        if answer.status != "OK":
            raise translate.folder_error(answer, name)
        self.selected = _selected(name, writable, responses)
        if writable:
            self.opened_for_writing.add(name)
        self.wire.expunged.clear()
        return self.selected

    def argument(self, name: str) -> bytes:
        """A folder's name as an argument: as the server itself wrote it, where it has listed it."""
        wire = self.names.get(name)
        return folder_argument(name) if wire is None else listed_argument(wire)

    def status(self, name: str, items: bytes) -> dict[str, int]:
        """STATUS of one folder; empty where the server refuses."""
        answer, responses = self.command(b"STATUS " + self.argument(name) + b" (" + items + b")")
        if answer.status != "OK":
            return {}
        found = [numbers for parts in responses if (numbers := status_numbers(parts))]
        return found[0][1] if found else {}

    def close(self) -> None:
        """Log out politely if the line is still good, without waiting for the farewell. Never raises."""
        if not self.wire.dropped:
            with contextlib.suppress(PostwagenError, OSError):
                self.wire.timeout = 2.0
                self.wire.start(b"LOGOUT")
        self.wire.drop()


def _selected(name: str, writable: bool, responses: Sequence[Sequence[Part]]) -> Selected:
    numbers = {"UIDVALIDITY": 0, "UIDNEXT": 0, "EXISTS": 0}
    permanent: tuple[str, ...] | None = None
    flags: tuple[str, ...] = ()
    for parts in responses:
        line = parts[0]
        assert isinstance(line, bytes)
        words = line.split()
        if len(words) > 2 and words[2].upper() == b"EXISTS" and words[1].isdigit():
            numbers["EXISTS"] = number_of(words[1])
        elif len(words) > 2 and words[1].upper() == b"FLAGS":
            read = tokens(parts)
            flags = tuple(flags_of(read[2])) if len(read) > 2 else ()
        elif line[:5].upper() == b"* OK ":
            code = answer_of(line[2:]).text
            upper = code.upper()
            for key in ("UIDVALIDITY", "UIDNEXT"):
                if upper.startswith(f"[{key} "):
                    numbers[key] = number_of(code[len(key) + 2 :].split("]")[0].strip().encode())
            bare = line.replace(b"\0", b"")
            at = bare.upper().find(b"[PERMANENTFLAGS")
            if upper.startswith("[PERMANENTFLAGS") and at >= 0:
                read = tokens([bare[at + 15 :].rpartition(b")")[0] + b")"])
                permanent = tuple(flags_of(read[0])) if read else ()
    return Selected(
        name, writable, numbers["UIDVALIDITY"], numbers["UIDNEXT"], numbers["EXISTS"], permanent, flags
    )  # fmt: skip
