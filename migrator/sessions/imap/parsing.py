"""IMAP responses out of octets as they come (RFC 9051, 2.2.2 and 9): octets in, events out. Pure, no socket, no file.

A response is a line; where that ends with `{n}`, n octets follow (a literal), then another line of the same response.
What a literal holds is passed on as it comes: a large message never stands in memory.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from migrator.errors import ConnectionLost
from migrator.sessions.octets import LINE_LIMIT

LITERAL_LIMIT = 2**32 - 1
"""IMAP's numbers have 32 bits (RFC 9051, 9); whoever announces more is out of step, or wants to fill our disk."""
_LITERAL = re.compile(rb"\{(\d{1,19})\+?\}\r?\n\Z")
_TEXT = re.compile(rb"(?i)(?:\*|\S+) (?:OK|NO|BAD|BYE|PREAUTH)\b|\+")
"""Lines that end in human text: `{5}` at their end is no literal."""
_BEHIND_A_LITERAL = (b" ", b")", b"\r", b"\n", b"\0")


class Line(NamedTuple):
    """A line of a response, with its end."""

    text: bytes
    literal: int | None
    """So many octets follow, in pieces, then another line; None: the response ends here."""


Event = Line | bytes
"""A line, or a piece of the literal that the last line announced."""


class ResponseParser:
    """Of one connection. Feed it, and take events until there is none; how the octets are cut makes no difference,
    but to the cutting of literals."""

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0
        self._begun: list[bytes] = []
        """Of a line whose end has not come."""
        self._begun_octets = 0
        self._missing = 0
        """So many octets of a literal."""
        self._is_within = False
        """The next line goes on with a response."""

    def feed(self, octets: bytes) -> None:
        """What came, when `event` has said None."""
        assert self._at == len(self._octets)
        self._octets, self._at = octets, 0

    def passed_by(self, octets: int) -> None:
        """So many octets of a literal came straight to whoever takes its pieces, when `event` had said None."""
        assert self._at == len(self._octets)
        self._missing -= octets

    def event(self) -> Event | None:
        """The next one; None: more octets are needed.

        NUL octets before a response are padding (quirks.md, 58). Raises ConnectionLost when nothing that follows could
        be believed: a literal that goes on behind its end (quirks.md, 47), whose rest would be read as answers; a line
        without end; a literal larger than IMAP allows.
        """
        octets, at = self._octets, self._at
        if at == len(octets):
            return None
        if self._missing:
            piece = octets[at : at + self._missing]
            self._missing -= len(piece)
            self._at = at + len(piece)
            return piece
        end = octets.find(b"\n", at) + 1
        if not end:
            self._keep(octets[at:])
            self._at = len(octets)
            return None
        self._at = end
        text = octets[at:end]
        if self._begun:
            self._keep(text)
            text = b"".join(self._begun)
            self._begun, self._begun_octets = [], 0
        return self._line(text)

    def _keep(self, octets: bytes) -> None:
        self._begun.append(octets)
        self._begun_octets += len(octets)
        if self._begun_octets > LINE_LIMIT:
            raise ConnectionLost("The server sent a line without end.")

    def _line(self, text: bytes) -> Line:
        if self._is_within:
            if not text.startswith(_BEHIND_A_LITERAL):
                raise ConnectionLost("The server sent more of a message than it had announced.")
        else:
            text = text.lstrip(b"\0")
        found = _LITERAL.match(text, text.rfind(b"{")) if b"}" in text[-3:] else None
        if found is None or not (self._is_within or _is_numbered(text) or _TEXT.match(text) is None):
            self._is_within = False
            return Line(text, None)
        self._is_within, self._missing = True, int(found[1])
        if self._missing > LITERAL_LIMIT:
            raise ConnectionLost(f"The server announced {self._missing} octets at once, more than IMAP allows.")
        return Line(text, self._missing)


def _is_numbered(text: bytes) -> bool:
    """`* 12 FETCH …`, as nearly all lines with a literal begin."""
    return text[:2] == b"* " and text[2:3].isdigit()
