"""How much may be on its way to a server before its answers have come. Pure: who measures tells.

A line is full when what is on its way keeps the server at work until our next octets arrive; more than that only puts
more in doubt when the line breaks, and takes memory. So the window is what the server has shown to do in two of its
fastest round trips, within bounds: it grows while that makes it do more. After a connection broke, the next one is
used modestly for a while, each command behind the answer of the one before, and so is one that refuses what stood
behind another command: some servers cannot stand more (quirks.md, 14), and no answer says which.
"""

from __future__ import annotations

from typing import NamedTuple

MIB = 1024 * 1024
AT_ONCE = 2
"""However large: the server never waits for us."""
ROUND_TRIPS = 2.0
MODEST_ANSWERS, MORE_MODEST = 50, 4
"""So many answers after the first sign, so many times as many after each further one."""


class Bounds(NamedTuple):
    """Of a window: octets, and commands where they are small."""

    least_octets: int
    most_octets: int
    least_commands: int
    most_commands: int


APPENDING = Bounds(3 * MIB, 8 * MIB, 10, 64)
"""What is on its way is held until it was answered."""
READING = Bounds(16 * MIB, 64 * MIB, 12, 48)
"""Groups of messages that were asked for, which may be one command more each: they wait at the server, not here."""


class Manners:
    """How a connection is used. Shared by its windows."""

    def __init__(self, losses: int = 0, *, modest: bool = False) -> None:
        """`losses`: so many connections to this server have broken before. `modest`: never more than one command."""
        self._signs = losses
        self._modest = modest
        self._answers, self._patience = 0, _patience(losses)

    @property
    def is_modest(self) -> bool:
        """Whether a command is to wait for the answer of the one before."""
        return self._modest or self._answers < self._patience

    def heard(self) -> None:
        """A command was answered."""
        self._answers += 1

    def misunderstood(self) -> bool:
        """A command that came behind another one was answered by BAD: none will for now. Whether that is new."""
        hurried = not self.is_modest
        if hurried:
            self._signs += 1
            self._patience = self._answers + _patience(self._signs)
        return hurried


def _patience(signs: int) -> int:
    return MODEST_ANSWERS * MORE_MODEST ** (signs - 1) if signs else 0


class Moment(NamedTuple):
    """How much was answered at a time: octets of messages, commands."""

    at: float
    octets: int
    commands: int


class Window:
    """Of one connection, in one direction."""

    def __init__(self, manners: Manners, bounds: Bounds) -> None:
        self._manners = manners
        self._bounds = bounds
        self._octets, self._commands = float(bounds.least_octets), float(bounds.least_commands)
        self._answered_octets = self._answered_commands = 0

    def admits(self, commands: int, octets: int) -> bool:
        """Whether one command more may be on its way: behind so many, so many octets with its own."""
        if not commands:
            return True
        if self._manners.is_modest:
            return False
        return commands < AT_ONCE or (commands < self._commands and octets <= self._octets)

    def moment(self, at: float) -> Moment:
        """Now, in seconds of a clock that never goes back."""
        return Moment(at, self._answered_octets, self._answered_commands)

    def answered(self, begun: Moment, octets: int, at: float, nearest: float) -> None:
        """A command of so many octets was answered. `begun`: when it was sent. `nearest`: the fastest answer that this
        server ever gave."""
        self._manners.heard()
        self._answered_octets += octets
        self._answered_commands += 1
        seconds = at - begun.at
        if seconds > 0:
            share = ROUND_TRIPS * min(1.0, nearest / seconds)
            done_octets, done_commands = self._answered_octets - begun.octets, self._answered_commands - begun.commands
            self._octets = min(max(self._octets, done_octets * share), self._bounds.most_octets)
            self._commands = min(max(self._commands, done_commands * share), self._bounds.most_commands)
