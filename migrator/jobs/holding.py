"""Holding a lease while working: a heartbeat in a thread, and the stop signal that the engine asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

import structlog

from migrator.db.store import Database
from migrator.jobs import lease as leases
from migrator.jobs.lease import Lease

log = structlog.get_logger(__name__)

RENEWALS = 5
"""So many heartbeats fit into one lease."""
MARGIN = 0.25
"""The last quarter of a lease commits nothing any more: no append may be completed by whoever may be replaced."""


def boot_time() -> float:
    """Seconds that go on while the machine sleeps and while we are stopped (SIGSTOP)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Holder:
    """Renews a lease until the work is done. Fulfils `ports.StopSignal`.

    Why it stopped stands in `reason`: "pause", "cancel", "shutdown", "lost", what `slice_over` says ("worker", "room":
    another job waits for that), or empty.
    """

    def __init__(
        self,
        db: Database,
        lease: Lease,
        *,
        seconds: float,
        shutdown: threading.Event,
        slice_over: Callable[[], str] = str,
    ) -> None:
        self._db = db
        self._lease = lease
        self._seconds = seconds
        self._shutdown = shutdown
        self._slice_over = slice_over
        self._good_until = boot_time() + seconds * (1 - MARGIN)
        self._reason = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{lease.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def reason(self) -> str:
        """Why the work stops, or empty."""
        if self._reason:
            return self._reason
        if self._shutdown.is_set():
            return "shutdown"
        return ""

    def wanted(self) -> bool:
        """Whether the work is to stop at the next safe point."""
        return bool(self.reason) or boot_time() >= self._good_until + self._seconds * MARGIN

    def may_commit(self) -> bool:
        """Whether an append may be completed: the lease is certainly ours, and nobody wants us to stop."""
        return boot_time() < self._good_until and self.reason not in ("lost", "cancel", "pause", "shutdown")

    def _beat(self) -> None:
        while not self._done.wait(self._seconds / RENEWALS):
            asked = boot_time()
            try:
                wish = leases.renew(self._db, self._lease, self._seconds, datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - the database is away for a moment; the lease runs out by itself
                log.warning("lease_not_renewed", job=self._lease.job_id, error=type(error).__name__)
                continue
            if wish is None:
                self._reason = "lost"
                return
            self._good_until = asked + self._seconds * (1 - MARGIN)
            if wish:
                self._reason = wish
            elif over := self._slice_over():
                self._reason = over
