"""Time as it really is, for whoever runs the engine."""

from __future__ import annotations

import time

from migrator.ports import StopSignal


class RealClock:
    """Fulfils `ports.Clock`."""

    def monotonic(self) -> float:
        """Seconds."""
        return time.monotonic()

    def wait(self, seconds: float, stop: StopSignal) -> None:
        """Wait in small pieces, so that a stop is never far."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not stop.wanted():
            time.sleep(min(left, 0.2))
