"""What goes wrong in a `FaultProxy`, as values with a little memory: no sockets, no clock.

A fault looks at the octets that are about to go one way on one connection and answers with a `Verdict`: how many may
go now, and what happens after them. It counts for each connection by itself, from the moment it was armed.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from tests.servers.commands import Piece

_REMEMBERED = 4096


class Direction(enum.Enum):
    """Which way octets go."""

    UP = "client to server"
    DOWN = "server to client"


class Act(enum.Enum):
    """What happens once the octets of a verdict went on."""

    NOTHING = "nothing"
    CUT = "both sides are closed"
    ZOMBIE = "the client is cut off; what is left goes to the server late"
    SWALLOW = "all goes to the server, nothing comes back"


@dataclasses.dataclass(slots=True)
class View:
    """One direction of one connection: `offset` octets went on already, `waiting` did not yet."""

    offset: int = 0
    waiting: bytearray = dataclasses.field(default_factory=bytearray)
    recent: bytes = b""
    """The last octets that went on."""
    line_start: int = 0
    """UP only: where the line that has not ended begins."""
    pieces: list[Piece] = dataclasses.field(default_factory=list)
    """UP only: the pieces not yet gone on entirely."""

    @property
    def end(self) -> int:
        return self.offset + len(self.waiting)

    def went(self, count: int) -> None:
        """Note that `count` waiting octets went on."""
        self.recent = bytes(self.recent + self.waiting[:count])[-_REMEMBERED:]
        del self.waiting[:count]
        self.offset += count
        self.pieces = [piece for piece in self.pieces if piece.end > self.offset]


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """`upto`: octets before this offset may go. Then `act`; `tag` is that of the command which caused it."""

    upto: int
    act: Act = Act.NOTHING
    tag: bytes = b""


class Fault:
    """Armed `times` times; a fresh `Watch` looks at each connection."""

    def __init__(self, direction: Direction, times: int) -> None:
        self.direction = direction
        self.left = times

    def watch(self, view: View) -> Watch:
        raise NotImplementedError


class Watch:
    """A fault's memory of one connection."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def look(self, view: View) -> Verdict:
        raise NotImplementedError


class CutAfter(Fault):
    """Close both sides after exactly `octets` more octets in that direction."""

    def __init__(self, direction: Direction, octets: int, times: int) -> None:
        super().__init__(direction, times)
        self.octets = octets

    def watch(self, view: View) -> Watch:
        return _WatchOctets(self, view.offset + self.octets)


class _WatchOctets(Watch):
    def __init__(self, fault: Fault, last: int) -> None:
        super().__init__(fault)
        self._last = last

    def look(self, view: View) -> Verdict:
        if view.end >= self._last and view.waiting:
            return Verdict(self._last, Act.CUT)
        return Verdict(view.end)


class CutWhen(Fault):
    """Close both sides before or after the nth `pattern` in that direction."""

    def __init__(self, direction: Direction, pattern: bytes, *, after: bool, nth: int, times: int) -> None:
        super().__init__(direction, times)
        if not after and pattern[:1] in {b"", b"\r", b"\n"}:
            raise ValueError("cutting before a pattern that begins with a line end would hold back every line's end")
        if len(pattern) > _REMEMBERED:
            raise ValueError(f"a pattern has at most {_REMEMBERED} octets")
        self.pattern = pattern
        self.after = after
        self.nth = nth

    def watch(self, view: View) -> Watch:
        return _WatchPattern(self, view.end)


class _WatchPattern(Watch):
    def __init__(self, fault: CutWhen, start: int) -> None:
        super().__init__(fault)
        self._wish = fault
        self._from = start
        self._seen = 0

    def look(self, view: View) -> Verdict:
        pattern = self._wish.pattern
        known = view.recent + bytes(view.waiting)
        base = view.end - len(known)
        while (at := known.find(pattern, max(0, self._from - base))) >= 0:
            self._seen += 1
            self._from = base + at + len(pattern)
            if self._seen == self._wish.nth:
                return Verdict(self._from if self._wish.after else base + at, Act.CUT)
        if self._wish.after:
            return Verdict(view.end)
        return Verdict(view.end - _begun(known[max(0, self._from - base) :], pattern))


def _begun(octets: bytes, pattern: bytes) -> int:
    """How many of the last octets may be the beginning of the pattern."""
    longest = min(len(pattern) - 1, len(octets))
    return next((count for count in range(longest, 0, -1) if octets.endswith(pattern[:count])), 0)


class AtCommand(Fault):
    """Act when the nth command with that verb is complete; ZOMBIE holds back all of it that can be held back."""

    def __init__(self, verb: bytes, act: Act, *, nth: int, times: int, delay: float = 0.0) -> None:
        super().__init__(Direction.UP, times)
        self.verb = verb.upper()
        self.act = act
        self.nth = nth
        self.delay = delay

    def watch(self, view: View) -> Watch:
        return _WatchCommand(self, view.line_start)


class _WatchCommand(Watch):
    def __init__(self, fault: AtCommand, start: int) -> None:
        super().__init__(fault)
        self._wish = fault
        self._from = start
        self._seen = 0
        self._ours = False
        self._upto = start

    def look(self, view: View) -> Verdict:
        for piece in self._fresh(view.pieces):
            self._from = piece.end
            if piece.opens and piece.verb == self._wish.verb:
                self._seen += 1
                self._ours = self._seen == self._wish.nth
            if not self._ours or piece.asks:
                self._upto = piece.end  # a client that waits for "+" would wait for ever otherwise
            if self._ours and piece.complete:
                zombie = self._wish.act is Act.ZOMBIE
                return Verdict(self._upto if zombie else piece.end, self._wish.act, piece.tag)
        return Verdict(max(self._upto, view.offset))

    def _fresh(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        return [piece for piece in pieces if piece.end > self._from]
