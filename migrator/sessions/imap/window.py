"""How much may be on its way to a server before its answers have come. Pure: who measures tells.

A line is full when what is on its way keeps the server at work until our next octets arrive; more than that only puts
more in doubt when the line breaks, and takes memory. So the window is what the server has shown to take in two of its
fastest round trips, within bounds: it grows while that makes it take more. After a connection broke, the next one is
used modestly for a while, each command behind the answer of the one before: some servers cannot stand more (quirks.md,
14), and no answer says which.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 1024 * 1024
LEAST_OCTETS, MOST_OCTETS = 3 * MIB, 8 * MIB
LEAST_COMMANDS, MOST_COMMANDS = 10, 64
"""Where they are small."""
AT_ONCE = 2
"""However large: the server never waits for us."""
ROUND_TRIPS = 2.0
MODEST_ANSWERS, MORE_MODEST = 50, 4
"""So many answers after the first loss, so many times as many after each further one."""


@dataclass(slots=True)
class Window:
    """Of one connection. `losses`: so many connections to this server have broken before. `modest`: never more than one
    command."""

    losses: int = 0
    modest: bool = False
    _octets: float = field(default_factory=lambda: LEAST_OCTETS)
    _commands: float = field(default_factory=lambda: LEAST_COMMANDS)
    _answers: int = 0

    @property
    def is_modest(self) -> bool:
        """Whether a command is to wait for the answer of the one before."""
        patience = MODEST_ANSWERS * MORE_MODEST ** (self.losses - 1) if self.losses else 0
        return self.modest or self._answers < patience

    def admits(self, commands: int, octets: int) -> bool:
        """Whether one command more may be on its way: behind so many, so many octets with its own."""
        if not commands:
            return True
        if self.is_modest:
            return False
        return commands < AT_ONCE or (commands < self._commands and octets <= self._octets)

    def heard(self) -> None:
        """A command was answered."""
        self._answers += 1

    def answered(self, seconds: float, octets: int, commands: int, nearest: float) -> None:
        """A command was answered so many seconds after it was begun, and so much has been answered meanwhile, it
        itself too. `nearest`: the fastest answer that this server ever gave."""
        self.heard()
        if seconds > 0:
            share = ROUND_TRIPS * min(1.0, nearest / seconds)
            self._octets = _within(LEAST_OCTETS, max(self._octets, octets * share), MOST_OCTETS)
            self._commands = _within(LEAST_COMMANDS, max(self._commands, commands * share), MOST_COMMANDS)


def _within(least: float, number: float, most: float) -> float:
    return min(max(number, least), most)
