"""Programs of servers that are unpacked and not installed: where they are, and what must be said to start them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from migrator.demo.premises import Premises, reachable_by_all
from migrator.demo.servers import ServerUnavailableError
from tools.test_servers import unpacked


def shelf(name: str) -> Path:
    """Where the server is unpacked. Raises ServerUnavailableError."""
    found = unpacked(name)
    if found is None:
        raise ServerUnavailableError(f"{name} is not unpacked (python tools/test_servers.py does that)")
    return found


def programs(where: Path, premises: Premises, settings: Mapping[str, str]) -> tuple[Path, tuple[str, ...]]:
    """The server's own `/` and the beginning of each argument list: `env` with its libraries and `settings`.

    A library that lies in the premises takes the place of the unpacked one. What the owner could not reach where it was
    unpacked is copied.
    """
    root = where
    if premises.owner.ids and not reachable_by_all(where):
        root = premises.home / "programs"
        shutil.copytree(where, root, symlinks=True)
    libraries = [premises.home, *sorted({path.parent for path in root.rglob("*.so*")})]
    environment = {"LD_LIBRARY_PATH": ":".join(map(str, libraries)), **settings}
    return root, ("env", *(f"{key}={value}" for key, value in environment.items()))
