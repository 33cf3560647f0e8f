"""As whom a server of ours runs, and where it keeps its things."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import random
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

_LONGEST_DIRECTORY: Final = 60
"""A unix socket's path has at most 107 octets; Dovecot appends up to 40 to its directory."""
_PORTS: Final = range(12_000, 32_000)
"""Below every usual range of outgoing ports, so that no client's own port is in the way."""


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """Who runs a server."""

    uid: int
    gid: int
    user: str
    group: str

    @property
    def ids(self) -> tuple[int, int] | None:
        """What a `Program` must become; None if that is what we are."""
        return None if self.uid == os.geteuid() else (self.uid, self.gid)


@dataclasses.dataclass(frozen=True, slots=True)
class Premises:
    """A directory of the server's own. `throw_away`: it lies apart and is to be removed when the server ends."""

    owner: Owner
    home: Path
    throw_away: bool

    @property
    def remove(self) -> Path | None:
        return self.home if self.throw_away else None

    def hand_over(self, path: Path | None = None) -> None:
        """As root: make the owner the owner of `path` (of all, if None) and of everything in it."""
        if os.geteuid() == 0:
            for part in (path or self.home, *(path or self.home).rglob("*")):
                os.chown(part, self.owner.uid, self.owner.gid, follow_symlinks=False)


def take_premises(directory: Path, name: str) -> Premises:
    """`directory`/`name`, or a short directory in /tmp when the owner could not reach that or its path is too long.

    Mode 0700. The owner is nobody in place of root, else who we are.
    """
    directory = directory.absolute()
    owner = _owner()
    short = len(os.fsencode(directory / name)) <= _LONGEST_DIRECTORY
    if short and (owner.ids is None or reachable_by_all(directory)):
        home = directory / name
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        premises = Premises(owner, home, throw_away=False)
    else:
        premises = Premises(owner, Path(tempfile.mkdtemp(prefix="postwagen-", dir="/tmp")), throw_away=True)
    premises.hand_over()
    return premises


def program_path(name: str, *directories: str) -> str | None:
    """Where a server's program lies: on the path, where servers usually lie, or in one of `directories`."""
    usual = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin", *directories)
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(usual))


def free_ports(count: int) -> list[int]:
    """Ports of loopback nobody listens on at the moment."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_PORTS, 2_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free loopback port")


def reachable_by_all(directory: Path) -> bool:
    """Whether nobody could come into that directory."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (directory, *directory.parents) if part.exists())


def _owner() -> Owner:
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        uid, gid = entry.pw_uid, entry.pw_gid
    else:
        uid, gid = os.geteuid(), os.getegid()
    return Owner(uid, gid, _name(pwd.getpwuid, uid), _name(grp.getgrgid, gid))


def _name(look_up: Callable[[int], tuple[object, ...]], number: int) -> str:
    """The name, or the number itself where a container knows no name for it."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
