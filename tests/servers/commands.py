"""What an IMAP client sends, cut into lines and literals. Pure.

A message that holds the line `A1 STORE 1 +FLAGS (\\Deleted)` is not a command; a fault or an assertion that looks for
verbs must know the difference.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r?\n\Z")
_TWO_WORDS = frozenset({b"UID"})


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """Octets `start` to `end` of the stream: one whole line, or a part of a literal."""

    start: int
    end: int
    tag: bytes
    verb: bytes
    """Upper case; `UID FETCH` is one verb. Empty for lines that are no command (`DONE`, base64)."""
    line: bytes
    """The line itself with its line end; empty for literals."""
    opens: bool
    """It begins a command."""
    asks: bool
    """It ends with a synchronising literal: the client now waits for `+`."""
    complete: bool
    """It ends a command."""


class CommandStream:
    """Feed it octets as they come; it gives pieces as soon as they are whole. An unfinished line waits inside."""

    def __init__(self) -> None:
        self.position = 0
        """Where the line that has not ended begins: all before it was given as pieces."""
        self._line = b""
        self._literal = 0
        self._tag = b""
        self._verb = b""
        self._within = False

    def feed(self, octets: bytes) -> Iterator[Piece]:
        rest = octets
        while rest:
            if self._literal:
                taken, rest = rest[: self._literal], rest[self._literal :]
                self._literal -= len(taken)
                yield self._piece(len(taken), line=b"", opens=False, asks=False, complete=False)
                continue
            head, end, rest = rest.partition(b"\n")
            self._line += head + end
            if end:
                line, self._line = self._line, b""
                yield self._whole_line(line)

    def _whole_line(self, line: bytes) -> Piece:
        opens = not self._within
        if opens:
            words = line.split()
            self._tag = words[0] if words else b""
            count = 2 if len(words) > 2 and words[1].upper() in _TWO_WORDS else 1
            self._verb = b" ".join(words[1 : 1 + count]).upper()
        found = _LITERAL.search(line)
        self._literal = int(found[1]) if found else 0
        self._within = found is not None
        asks = found is not None and not found[2]
        return self._piece(len(line), line=line, opens=opens, asks=asks, complete=found is None)

    def _piece(self, length: int, *, line: bytes, opens: bool, asks: bool, complete: bool) -> Piece:
        start, self.position = self.position, self.position + length
        return Piece(start, self.position, self._tag, self._verb, line, opens, asks, complete)


def commands(octets: bytes) -> list[tuple[bytes, bytes]]:
    """Verb and first line (without its end) of every command a client sent."""
    stream = CommandStream()
    return [(piece.verb, piece.line.rstrip()) for piece in stream.feed(octets) if piece.opens and piece.verb]
