"""The octets of one connection: one reader and one writer, shared by all protocols of ours."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable

from migrator.errors import ConnectionLost, Stopped
from migrator.mail.messages import readable
from migrator.ports import RoundTrips

LINE_LIMIT = 50_000_000
"""A line of 500,000 UIDs is legal; imaplib's own limit of 1,000,000 octets is not enough."""
RECEIVE = SEND = 256 * 1024
TOGETHER = 64 * 1024
"""So many octets of small pieces are sent at once: four records of TLS, which receivers read in a few goes."""
POLL_SECONDS = 1.0
"""How often a waiting read asks whether somebody wants us to stop;"""
READS_UNASKED = 4
"""and after how many reads that brought something."""


class Silence(ConnectionLost):
    """The server did not answer in time."""


class Octets:
    """One connection's octets. Not thread-safe.

    `wants_stop` is asked about once a second while we wait and between chunks: then `Stopped` is raised, and the
    connection must be dropped.
    """

    def __init__(
        self, sock: socket.socket, *, timeout: float, wants_stop: Callable[[], bool], trips: RoundTrips | None = None
    ) -> None:
        self._sock = sock
        self.trips = trips or RoundTrips()
        self._buffer = bytearray()
        self.timeout = timeout
        self.wants_stop = wants_stop
        self.dropped = False
        self._arrival = memoryview(bytearray(RECEIVE))
        """Where octets arrive: to ask for so much room each time, and give most of it back, costs more than to copy."""
        self._held = bytearray()
        """To be sent before anything else."""

    def replace_socket(self, sock: socket.socket) -> None:
        """After STARTTLS. Octets that came before the handshake are refused: they are not protected."""
        self._sock = sock
        if self._buffer:
            raise ConnectionLost("The server sent data before the TLS handshake; the connection was dropped.")

    def _arrived(self) -> bytes:
        """What comes next; at least one octet."""
        count = self._receive(self._arrival, 0, 1)
        return self._arrival[:count].tobytes()

    def _receive(self, place: memoryview, at: int, enough: int) -> int:
        """What comes next, put there from `at` on, until there is enough. How much is there then."""
        self._in_short_waits()
        receive, size, waited, reads = self._sock.recv_into, len(place), 0.0, 0
        while at < enough:
            if reads % READS_UNASKED == 0 and self.wants_stop():
                raise Stopped("Stopped while waiting for the server.")
            try:
                count = receive(place[at:], size - at)  # TLS would look at the place to know its length
            except TimeoutError:
                waited, reads = waited + POLL_SECONDS, 0
                if waited >= self.timeout:
                    raise Silence(f"The server did not answer for {self.timeout:.0f} seconds.") from None
                continue
            except (OSError, ssl.SSLError) as error:
                raise ConnectionLost("The connection broke.", detail=str(error)) from error
            if not count:
                raise ConnectionLost("The server closed the connection.")
            at, waited, reads = at + count, 0.0, reads + 1
        return at

    def _in_short_waits(self) -> None:
        """Others (a handshake, imaplib) may have set another time; setting it is a system call."""
        if self._sock.gettimeout() != POLL_SECONDS:
            self._sock.settimeout(POLL_SECONDS)

    def readline(self) -> bytes:
        """One line with its end."""
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LINE_LIMIT:
                raise ConnectionLost("The server sent a line without end.")
            self._buffer += self._arrived()
        line = bytes(self._buffer[: at + 1])
        del self._buffer[: at + 1]
        return line

    def read_into(self, place: memoryview) -> None:
        """Exactly as many octets as fit there. (Of TLS each call brings a record, of 4 KiB from many servers.)"""
        at = min(len(place), len(self._buffer))
        if at:
            place[:at] = self._buffer[:at]
            del self._buffer[:at]
        self._receive(place, at, len(place))

    def some(self) -> bytes:
        """What is there already, or what comes next; at least one octet."""
        if not self._buffer:
            return self._arrived()
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    def give_back(self, octets: bytes) -> None:
        """What `some` gave too much."""
        self._buffer[:0] = octets

    def read(self, size: int) -> bytes:
        """Exactly `size` octets."""
        while len(self._buffer) < size:  # as they come: an absurd size takes no memory before its octets are there
            self._buffer += self._arrived()
        octets = bytes(self._buffer[:size])
        del self._buffer[:size]
        return octets

    def hold(self, data: bytes) -> None:
        """Send it together with what comes behind it, or with `flush`. What is large is sent at once."""
        if len(self._held) + len(data) > TOGETHER:
            self.flush()
        if len(data) > TOGETHER:
            self.send(data)
        else:
            self._held += data

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, bytearray()
            self.send(held)

    def send(self, data: bytes | bytearray) -> None:
        """Send all of it, in pieces, so that a stop is noticed; a stalled peer ends in ConnectionLost."""
        self.flush()
        view = memoryview(data)
        waited = 0.0
        while view:
            if self.wants_stop():
                raise Stopped("Stopped while sending.")
            try:
                self._in_short_waits()
                sent = self._sock.send(view[:SEND])
            except TimeoutError:
                waited += POLL_SECONDS
                if waited >= self.timeout:
                    raise ConnectionLost(f"The server took no data for {self.timeout:.0f} seconds.") from None
                continue
            except (OSError, ssl.SSLError) as error:
                raise ConnectionLost("The connection broke.", detail=str(error)) from error
            waited = 0.0
            view = view[sent:]

    def drop(self) -> None:
        """Close without a word. Never raises."""
        self.dropped = True
        with contextlib.suppress(OSError):
            self._sock.close()


def without(text: str, told: Iterable[bytes]) -> str:
    """A server's words without what we told it: some servers repeat the command that they refuse, in parts too."""
    secrets = sorted({readable(octets) for octets in told} - {""}, key=len, reverse=True)
    for secret in secrets:
        text = text.replace(secret, "…")
    return "(withheld: it repeats the password)" if any(secret[:8] in text for secret in secrets) else text
