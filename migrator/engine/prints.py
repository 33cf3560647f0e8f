"""A letter's prints: cheap ones for what is carried, forgiving ones for what is compared with what lies elsewhere."""

from __future__ import annotations

from migrator.mail.messages import Prints, header_block, plain_prints, take_prints
from migrator.ports import Letter


class Printing:
    """Takes the prints of what is carried, as forgiving as its target makes necessary."""

    def __init__(self) -> None:
        self.any_header = False
        """The target alters no header, whatever is in it (not `Traits.may_rewrite_headers`)."""

    def of(self, letter: Letter) -> Prints:
        """A letter's prints; of a plain one, `soft` says no more than the digest."""
        return letter.prints or self._taken(letter, header_block(letter.head))

    def __call__(self, letter: Letter) -> Letter:
        """The same letter with its prints; of its beginning only the header is held longer."""
        header = header_block(letter.head)
        return _printed(letter, header, letter.prints or self._taken(letter, header))

    def _taken(self, letter: Letter, header: bytes) -> Prints:
        plain = plain_prints(header, letter.chunks(), any_header=self.any_header)
        return plain or take_prints(letter.head, letter.chunks())


def with_forgiving_prints(letter: Letter) -> Letter:
    """The same letter, for who compares it with what somebody may have altered."""
    return _printed(letter, header_block(letter.head), forgiving(letter, letter.prints))


def forgiving(letter: Letter, prints: Prints | None) -> Prints:
    """Prints whose `soft` is equal to that of the same letter altered."""
    return prints if prints and prints.soft != prints.digest else take_prints(letter.head, letter.chunks())


def _printed(letter: Letter, header: bytes, prints: Prints) -> Letter:
    return Letter(letter.want, header, letter.size, letter.chunks, letter.close, prints, letter.packed, letter.tail)
