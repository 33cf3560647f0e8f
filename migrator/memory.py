"""Memory that was freed is given back to the system: a job's peak is what it holds, not what it ever held.

Messages are of all sizes, and glibc keeps what was freed in one heap for each thread; measured, that was 10 MB of 110.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
"""glibc's malloc.h."""
LARGE: Final = 1024 * 1024
"""What is larger has pages of its own, which go when it goes; for smaller things that costs more than it saves."""
SLACK: Final = 4 * 1024 * 1024
"""So much that was freed may be kept."""


@functools.cache
def be_thrifty() -> None:
    """Once in a process; where the C library knows no such thing, nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for what, value in ((_MMAP_THRESHOLD, LARGE), (_TRIM_THRESHOLD, SLACK), (_ARENA_MAX, 1)):
            mallopt(what, value)
