"""Quiescence: a message in doubt is settled only after the target has been left alone for a while (traps.md, B).

A connection that broke after the commit point may still deliver: 6 ms later nothing is there, two seconds later all.
"""

from __future__ import annotations

from migrator.errors import Stopped
from migrator.ports import Clock, StopSignal


class InDoubt(Exception):
    """Something is in doubt here: come back when the target has been left alone for a while."""


class Quiet:
    """Since when nobody of ours can have anything in flight to the target."""

    def __init__(self, clock: Clock, stop: StopSignal, seconds: float) -> None:
        self._clock = clock
        self._stop = stop
        self.seconds = seconds
        self._since = clock.monotonic()

    def twin(self, stop: StopSignal) -> Quiet:
        """Another one that has lasted as long: for another connection, which may break on its own."""
        made = Quiet(self._clock, stop, self.seconds)
        made._since = self._since
        return made

    def begin(self) -> None:
        """A connection broke with something in flight: count from now."""
        self._since = self._clock.monotonic()

    def is_over(self) -> bool:
        """Whether enough time has gone by."""
        return self._clock.monotonic() - self._since >= self.seconds

    def wait(self) -> None:
        """Wait until it is over. Raises Stopped."""
        self.pause(self._since + self.seconds - self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Wait so long. Raises Stopped."""
        if seconds > 0:
            self._clock.wait(seconds, self._stop)
        if self._stop.wanted():
            raise Stopped("Stopped while waiting for the target to settle.")
