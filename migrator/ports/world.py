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
