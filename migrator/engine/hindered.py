"""Messages that travel alone: they were on a connection that broke, or are sent with the least change that may help."""

from __future__ import annotations

from dataclasses import dataclass, replace

from migrator.engine.prints import forgiving
from migrator.mail.messages import HEAD_OCTETS, MessageKey, find_message_id, header_block, readable, tail_of
from migrator.mail.repair import Cures, applicable, cured, next_cures
from migrator.ports import Letter

ALONE_TRIES = 3
"""So often a message may break the connection while it travels alone; then it is refused."""


@dataclass(frozen=True, slots=True)
class _Hindrance:
    """What is known of one of them. `refusal`: what the server said of the message as it is; `could`: what might be
    changed in it, None before that is known; `tried`: what was changed so far, at last what is changed now."""

    message_id: str
    losses: int = 0
    could: Cures | None = None
    tried: tuple[Cures, ...] = ()
    refusal: str = ""


class Hindered:
    """Of one folder, in one run."""

    def __init__(self) -> None:
        self._known: dict[MessageKey, _Hindrance] = {}
        self.times = 0
        """How often any of them was."""

    def __contains__(self, key: MessageKey) -> bool:
        return key in self._known

    def __bool__(self) -> bool:
        return bool(self._known)

    def broke(self, letter: Letter) -> None:
        """It was on a connection that broke."""
        known = self._of(letter)
        self._keep(letter, replace(known, losses=known.losses + 1))

    def is_curable(self, letter: Letter, refusal: str) -> bool:
        """Whether something is left to be tried after this refusal; it is sent so the next time."""
        known = self._of(letter)
        could = applicable(letter.chunks()) if known.could is None else known.could
        cures = next_cures(could, known.tried, refusal)
        if cures is not None:
            more = replace(known, could=could, tried=(*known.tried, cures), refusal=known.refusal or refusal)
            self._keep(letter, more)
        return cures is not None

    def breaks_connections(self, key: MessageKey) -> bool:
        """Whether it has broken so many that it is given up."""
        return key in self._known and self._known[key].losses > ALONE_TRIES

    def message_id(self, key: MessageKey) -> str:
        """For the report."""
        return self._known[key].message_id

    def cures(self, key: MessageKey) -> Cures:
        """What is changed in it now."""
        tried = self._known[key].tried if key in self._known else ()
        return tried[-1] if tried else frozenset()

    def refusal(self, key: MessageKey) -> str:
        """What the server said of it as it is; empty if it was never refused."""
        return self._known[key].refusal if key in self._known else ""

    def _of(self, letter: Letter) -> _Hindrance:
        return self._known.get(letter.want.key) or _Hindrance(message_id_of(letter))

    def _keep(self, letter: Letter, hindrance: _Hindrance) -> None:
        self._known[letter.want.key] = hindrance
        self.times += 1


def message_id_of(letter: Letter) -> str:
    """Its Message-ID, for the report."""
    return readable(find_message_id(header_block(letter.head)))


def cured_letter(letter: Letter, cures: Cures) -> Letter:
    """The same with these changes; closing it closes that one."""
    size, head, tail = 0, b"", b""
    for chunk in cured(letter.chunks(), cures):
        size += len(chunk)
        head = head if len(head) >= HEAD_OCTETS else (head + chunk)[:HEAD_OCTETS]
        tail = tail_of([tail, chunk])
    made = Letter(letter.want, head, size, lambda: cured(letter.chunks(), cures), letter.close, tail=tail)
    return made._replace(prints=forgiving(made, None))
