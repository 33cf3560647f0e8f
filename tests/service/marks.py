"""Secrets that can be recognised wherever they turn up: plain, in base64 at any offset, as hexadecimal, in UTF-16.

A mark is a word of letters and digits inside a password that has other signs around it, so URL encoding, JSON, HTML
and SASL PLAIN (base64 of NUL user NUL password) leave it as it is or show it at one of three offsets.
"""

from __future__ import annotations

import base64
import dataclasses
import re
import secrets
import threading
from collections.abc import Collection, Mapping


def forms(mark: str) -> list[bytes]:
    """Everything that gives the mark away."""
    plain = mark.encode("ascii")
    found = [plain, plain.hex().encode(), plain.hex().upper().encode(), mark.encode("utf-16-le")]
    for offset in range(3):
        inner = base64.b64encode(bytes(offset) + plain + bytes(-(offset + len(plain)) % 3))
        found.append(inner[(0, 2, 3)[offset] : len(inner) - (4 if (offset + len(plain)) % 3 else 0)])
    return [*found, plain[::-1]]


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A password and the word in it."""

    mark: str
    text: str = dataclasses.field(repr=False)


def secret(name: str, around: tuple[str, str] = ("ä&+ ", " %'\"<\\ß")) -> Secret:
    """A password with a fresh mark, between signs that every encoding treats in its own way."""
    mark = f"{name}{secrets.token_hex(9)}"
    return Secret(mark, f"{around[0]}{mark}{around[1]}")


class Watch:
    """Looks for marks, from any thread. `findings` are those that must not be there, `places` all that were looked at.

    `controls` are marks that must be found, each in the places that really were looked at.
    """

    def __init__(self, marks: Mapping[str, str], controls: Mapping[str, str]) -> None:
        self.findings: set[tuple[str, str]] = set()
        self.controls: set[tuple[str, str]] = set()
        self.places: set[str] = set()
        self._lock = threading.Lock()
        self._marks: dict[bytes, str] = {}
        self._secret: set[str] = set()
        for name, mark in marks.items():
            self.add(name, mark)
        for name, mark in controls.items():
            self._learn(name, mark)

    def add(self, name: str, mark: str) -> None:
        """A secret that came to be later, like a token."""
        self._secret.add(name)
        self._learn(name, mark)

    def _learn(self, name: str, mark: str) -> None:
        with self._lock:
            self._marks.update(dict.fromkeys(forms(mark), name))
            self._pattern = re.compile(b"|".join(map(re.escape, sorted(self._marks, key=len, reverse=True))))

    def look(self, place: str, text: bytes | str, *, shown: Collection[str] = ()) -> None:
        """`shown`: what may stand there by contract."""
        octets = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        found = {self._marks[match] for match in set(self._pattern.findall(octets))}
        with self._lock:
            self.places.add(place)
            for name in found - set(shown):
                (self.findings if name in self._secret else self.controls).add((place, name))
