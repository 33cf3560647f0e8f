"""A letter's prints: cheap ones for what is carried, forgiving ones for what is compared with what lies elsewhere."""

from __future__ import annotations

from migrator.mail.messages import Prints, plain_prints, take_prints
from migrator.ports import Letter


def prints_of(letter: Letter) -> Prints:
    """A letter's prints; of a plain one, `soft` says no more than the digest."""
    return plain_prints(letter.head, letter.chunks()) or take_prints(letter.head, letter.chunks())


def forgiving(letter: Letter, prints: Prints | None) -> Prints:
    """Prints whose `soft` is equal to that of the same letter altered."""
    return prints if prints and prints.soft != prints.digest else take_prints(letter.head, letter.chunks())
