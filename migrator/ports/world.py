"""The world around: time, being stopped, being watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Time, and waiting that can be cut short."""

    def monotonic(self) -> float: ...

    def wait(self, seconds: float, stop: StopSignal) -> None:
        """Wait, but no longer than until `stop.wanted()`."""


class StopSignal(Protocol):
    """Pause, cancel, shutdown, lost lease or end of slice."""

    def wanted(self) -> bool: ...

    def may_commit(self) -> bool:
        """Whether an append may still be completed: the lease is ours and nobody asked us to stop."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling: `name` is stable, `fields` are plain values, never a secret, never a subject."""

    name: str
    fields: dict[str, str | int | float] = field(default_factory=dict)


class Observer(Protocol):
    """Whoever watches: log, history, progress bars."""

    def note(self, event: Event) -> None: ...


class Budget(Protocol):
    """So many octets may be read of an account a day."""

    def spend(self, octets: int) -> None:
        """So much was read. Raises DailyLimit when that was the last of it; later something is left again."""

    def close(self) -> None:
        """Keep what was counted."""


@dataclass(slots=True)
class RoundTrips:
    """How many answers one connection has waited for, one after the other; those that came together count once."""

    waited: int = 0


@dataclass(frozen=True, slots=True)
class Meter:
    """What a run has cost."""

    connections: list[RoundTrips] = field(default_factory=list)
    """To IMAP servers, each with its connecting and its login."""

    def connection(self) -> RoundTrips:
        """One more."""
        trips = RoundTrips()
        self.connections.append(trips)
        return trips

    @property
    def round_trips(self) -> int:
        """Of all connections together, though some waited at the same time."""
        return sum(trips.waited for trips in self.connections)
