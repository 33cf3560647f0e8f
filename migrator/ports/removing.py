"""Deleting what was collected (POP3 only)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as a POP3 server lists it: its number in this session, its UIDL ("": none), the octets announced."""

    number: int
    uidl: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Removal:
    """How a removal ended; each message that was chosen stands in exactly one of these."""

    removed: Sequence[Listed] = ()
    refused: Sequence[Listed] = ()
    """The server refused to delete it."""
    changed: Sequence[Listed] = ()
    """It was not there any more as it was chosen, or another one was not: nothing was asked."""
    unknown: Sequence[Listed] = ()
    """The server did not say that it deleted it: to be looked at again."""


class Remover(Protocol):
    """Deletes what a person asked for and an archive has proven, over a connection of its own. It reads no message."""

    @property
    def warnings(self) -> Sequence[str]:
        """Codes: what the server says of deleting mail by itself."""

    def listed(self) -> Sequence[Listed]:
        """What lies there now."""

    def remove(self, chosen: Sequence[Listed]) -> Removal:
        """Delete exactly these. Whatever is raised, nothing was deleted. Ends the connection."""

    def close(self) -> None:
        """Log out without a trace. Never raises."""
