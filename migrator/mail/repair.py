"""The least change that makes a refused message acceptable, where a server refuses it for its form. Pure.

Nothing here is done unless an operator has allowed it: octets are carried as they are, and a signed message that was
changed is no longer what was signed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum


class Cure(StrEnum):
    """One change of a message's octets."""

    FINAL_CRLF = "final_crlf"
    """CR LF is put behind the last line (quirks.md, 24)."""
    LINE_ENDS = "line_ends"
    """A LF without CR becomes CR LF (RFC 5322, 2.3)."""
    NUL = "nul"
    """NUL becomes 0x80, as Dovecot stores it (RFC 9051, 4.3.1; quirks.md, 42 and 46)."""


Cures = frozenset[Cure]
_BARE_LF = re.compile(rb"(?<!\r)\n")
_BLAMED = {
    Cure.NUL: re.compile(r"\bnul\b|\bnull\b|8-?bit zero", re.IGNORECASE),
    Cure.LINE_ENDS: re.compile(r"newline|bare (lf|cr)|line end|linefeed", re.IGNORECASE),
    Cure.FINAL_CRLF: re.compile(r"additional arguments found after last", re.IGNORECASE),
}


def applicable(chunks: Iterable[bytes]) -> Cures:
    """What could be changed in it."""
    found: set[Cure] = set()
    last = b""
    for chunk in chunks:
        if b"\0" in chunk:
            found.add(Cure.NUL)
        if _BARE_LF.search(chunk, 1) or (chunk[:1] == b"\n" and last != b"\r"):
            found.add(Cure.LINE_ENDS)
        last = chunk[-1:] or last
    if last != b"\n":
        found.add(Cure.FINAL_CRLF)
    return frozenset(found)


def next_cures(could: Cures, tried: Collection[Cures], refusal: str) -> Cures | None:
    """What is tried after this refusal: what it names, else one change after the other, at last all, each only once;
    None: nothing is left."""
    blamed = [cure for cure, words in _BLAMED.items() if words.search(refusal)]
    order = [frozenset({cure}) for cure in (*blamed, *Cure)] + [could]
    ways = [cures for cures in dict.fromkeys(order) if cures <= could and cures]
    return next((cures for cures in ways if cures not in tried), None)


def cured(chunks: Iterable[bytes], cures: Cures) -> Iterator[bytes]:
    """Its octets with these changes."""
    last = b""
    for chunk in chunks:
        made = chunk.replace(b"\0", b"\x80") if Cure.NUL in cures else chunk
        if Cure.LINE_ENDS in cures:
            seam = made[:1] if made[:1] == b"\n" else b""  # its CR may stand at the end of the chunk before
            made = (b"\r" if seam and last != b"\r" else b"") + seam + _BARE_LF.sub(b"\r\n", made[len(seam) :])
        last = chunk[-1:] or last
        yield made
    if Cure.FINAL_CRLF in cures and last != b"\n":
        yield b"\r\n"
