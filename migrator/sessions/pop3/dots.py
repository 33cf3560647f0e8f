"""Multi-line responses (RFC 1939, 3): the dots that a server put in are taken out again, octet for octet. Pure."""

from __future__ import annotations

_MARK = b"\r\n."
_END = b"\r\n.\r\n"


class DotReader:
    """Takes octets as they arrive and gives those of the message, until the line that is a single dot.

    Lines may be of any length; only CRLF ends one. The CRLF before the last dot belongs to the message. A line that
    begins with one dot was not stuffed, and stays as it is: Dovecot 2.3 forgets the dot that begins a mail.
    """

    def __init__(self) -> None:
        self.ended = False
        self.opened_with_two = False
        """The message came with two dots in front. One was taken out, although it may have been the message's."""
        self.rest = b""
        """What came behind the end: the next response."""
        self._held = b"\r\n"  # the response's first line begins a line too
        self._virtual = 2

    def feed(self, data: bytes) -> bytes:
        """The message's octets that are certain by now."""
        octets, out, start = self._held + data, [], 0
        while (at := octets.find(_MARK, start)) >= 0:
            after = octets[at + 3 : at + 5]
            if after == b"\r\n":
                self.ended, self.rest = True, octets[at + 5 :]
                out.append(octets[start : at + 2])
                return self._real(b"".join(out))
            if len(after) < 2 and b"\r\n".startswith(after):  # it may be the end
                out.append(octets[start:at])
                self._held = octets[at:]
                return self._real(b"".join(out))
            stuffed = after.startswith(b".")
            self.opened_with_two |= stuffed and self._virtual > 0 and at == 0
            out.append(octets[start : at + 2])
            start = at + 3 if stuffed else at + 2
        keep = next((length for length in (2, 1) if octets.endswith(_END[:length], start)), 0)
        out.append(octets[start : len(octets) - keep])
        self._held = octets[len(octets) - keep :]
        return self._real(b"".join(out))

    def _real(self, octets: bytes) -> bytes:
        """Without the CRLF that we put before the first line."""
        cut = min(self._virtual, len(octets))
        self._virtual -= cut
        return octets[cut:]
