"""A lifeline: a pipe whose writing end only `postwagen serve` holds. When it ends, serve has ended, however it ended.

Every child of serve watches the reading end, so even `kill -9` of serve leaves no orphan.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

GRACE_SECONDS: Final = 10.0
_ORPHANED: Final = 3
"""Exit code of a child that could not stop in time."""


def ask_to_stop() -> None:
    """What SIGTERM does in this process: a warm stop."""
    os.kill(os.getpid(), signal.SIGTERM)


def hold(descriptor: int, on_end: Callable[[], None] = ask_to_stop, *, grace: float = GRACE_SECONDS) -> None:
    """Watch the lifeline in a thread. When it ends, call `on_end`; `grace` seconds later the process ends anyway."""

    def watch() -> None:
        while os.read(descriptor, 1):  # nothing is ever written: it returns when the last writer is gone
            pass
        threading.Thread(target=on_end, name="lifeline-end", daemon=True).start()
        threading.Event().wait(grace)
        os._exit(_ORPHANED)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
