"""Quarantine: where the octets are kept, sealed, of what the target would not take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from migrator.mail.messages import Row
from migrator.ports.ends import Letter, Source


@dataclass(frozen=True, slots=True)
class Detained:
    """A message that the target would not take, as the source listed it, and why."""

    row: Row
    reason: str
    detail: str
    message_id: str = ""


class Quarantine(Protocol):
    """Of one mailbox. What lies there waits until the cause is gone; nothing in it was ever written at the target."""

    def detain(self, folder: str, target: str, found: Sequence[Detained]) -> list[Detained]:
        """These of one source folder, which were to go to that target folder. Gives those whose octets are not here."""

    def has_room(self, octets: int) -> bool:
        """Whether so many more are taken."""

    def keep(self, letter: Letter) -> None:
        """The octets of one that was detained. The caller closes the letter."""

    def settle(self) -> None:
        """Let go of what was carried meanwhile."""

    def places(self) -> Mapping[str, str]:
        """Where the last of each source folder of which something lies here was to go."""

    def elsewhere(self) -> int:
        """How many messages were to go elsewhere than `places` says; they are not in `source`."""

    def source(self) -> Source:
        """What lies here, as the end of a run: with the keys of the old server, and as part of what it has."""
