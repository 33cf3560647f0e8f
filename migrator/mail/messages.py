"""Messages: keys, rows of a survey, digests. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

HEAD_OCTETS = 64 * 1024
"""How much of a message's beginning is kept at hand for reading its headers."""
TAIL_OCTETS = 40
"""And of its end: enough for what a server may take for the announcement of a literal."""
_MARK = re.compile(rb"\r\nX-TUID: [^\r\n]{12}(?=\r\n|\Z)")
_INTERNAL = re.compile(rb"(?im)^Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA")


class MessageKey(NamedTuple):
    """A message's identity at one end: (UIDVALIDITY, UID), or a name (POP3's UIDL) with both zero.

    (A tuple, as `Row` and `ports.Want` are: looked up a dozen times for each message, for a quarter of the cost.)
    """

    validity: int
    uid: int
    name: str = ""

    def __str__(self) -> str:
        return self.name or f"{self.validity}/{self.uid}"


_SUM = 1 << 128


def key_octets(key: MessageKey) -> bytes:
    """What stands for a key where keys are summed or addressed: `validity/uid/name`."""
    return f"{key.validity}/{key.uid}/{key.name}".encode("utf-8", "surrogatepass")


def sum_of(keys: Iterable[bytes], start: int = 0) -> int:
    """The same for the same keys in any order, each as often; another one else. Less than 2 to the 128."""
    for key in keys:
        start += int.from_bytes(hashlib.sha256(key).digest()[:16], "big")
    return start % _SUM


class Row(NamedTuple):
    """One message as a survey or listing shows it. `size` is the server's word, a hint; `instant` is aware UTC."""

    key: MessageKey
    size: int
    flags: frozenset[str]
    instant: datetime | None
    same: int = 0
    """What the server calls it in whatever folder shows it (X-GM-MSGID); 0: it says no such thing."""
    shown_in: str = ""
    """The folder that has shown it before (`engine.once`)."""


class Prints(NamedTuple):
    """A message's octets in short: exact, forgiving, and of its header.

    `digest` is SHA-256 of the octets. `soft` is SHA-256 of the octets as targets are known to alter them (CR and LF
    left out, NUL as 0x80: quirks.md, 42; in the header, what is not ASCII as X: Cyrus), or the digest once more where
    there is nothing to alter. `header` is SHA-256 of the header block in the same forgiving form. `message_id` is
    SHA-256 of the Message-ID, or empty. `delicate`: holds octets that targets are known to alter (NUL, CR CR, a lone CR
    at the end, a LF without CR).
    """

    digest: bytes
    soft: bytes
    header: bytes
    message_id: bytes
    size: int
    delicate: bool

    @property
    def suspect(self) -> bool:
        """What is not ASCII in its header, or no end of its last line: few targets alter that. (Or it is delicate.)"""
        return self.soft != self.digest


PIECE_OCTETS = 128 * 1024
"""Of larger pieces each octet costs twice as much: the system is asked for memory for whatever is made of them."""
_MANY_OCTETS, _LONG_LINE = 4096, 32
"""In less, and in shorter lines, to look for lines of one length costs more than it saves."""
_ENDS = (b"\r\n\r\n", b"\n\n", b"\r\r")
_LINE_END = re.compile(rb"[\r\n]")
_MUNGED = bytes(range(128)) + b"X" * 128


def readable(octets: bytes) -> str:
    """Octets of somebody else's for people: at most 500 characters, no control characters."""
    text = octets.strip(b"\x00\r\n ").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "·" for char in text)[:500]


def header_block(head: bytes) -> bytes:
    """The octets before the first empty line (or all that is there)."""
    end = len(head)
    for mark in _ENDS:
        at = head.find(mark, 0, end)
        end = at if at >= 0 else end
    return head[:end]


def find_message_id(header: bytes) -> bytes:
    """The value of the first Message-ID field, unfolded and stripped; empty where there is none."""
    at = header.lower().find(b"message-id")
    if at < 0:
        return b""
    if header[at + 10 : at + 11] == b":" and header[at - 1 : at] in (b"", b"\n"):  # as nearly all are written,
        end = header.find(b"\r", at)
        if end == header.find(b"\n", at) - 1 and header[end + 2 : end + 3] not in (b" ", b"\t"):  # and in one line
            return header[at + 11 : end].strip()
        value = _unfolded(header[at + 11 :])
        found = _LINE_END.search(value)
        return value[: found.start() if found else len(value)].strip()
    for line in _unfolded(header).splitlines():
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() == b"message-id":
            return value.strip()
    return b""


def _unfolded(header: bytes) -> bytes:
    return header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")


def _without_cr(octets: bytes) -> bytes:
    return octets.replace(b"\r", b"")


def _softened(without_cr: bytes) -> bytes:
    """Octets as targets are known to alter them. (Replacing one octet is thrice as fast as a table or a count.)"""
    return without_cr.replace(b"\n", b"").replace(b"\x00", b"\x80")


def _munged(header: bytes) -> bytes:
    """A header's octets as Cyrus alters them."""
    return header if header.isascii() else header.translate(_MUNGED)


def _bare_header(head: bytes) -> bytes:
    """The header, CR left out before its end is looked for: so it is as long when a target has altered CRs."""
    bare = _without_cr(head)
    end = bare.find(b"\n\n")
    return bare if end < 0 else bare[:end]


def _is_paired(piece: bytes, without_cr: bytes) -> bool:
    """The usual case: CR and LF all stand in pairs."""
    return without_cr.replace(b"\n", b"\r\n") == piece


def _is_all_paired(octets: bytes) -> bool:
    """The same. Lines of one length, as base64 has them (RFC 2045, 6.8), are seen by where their ends stand."""
    start, end, length = _even_lines(octets)
    if start == end:
        return _is_paired(octets, _without_cr(octets))
    lines = bytearray(memoryview(octets)[start:end])
    count = len(lines) // length
    if lines[length - 2 :: length] != b"\r" * count:
        return False
    lines[length - 2 :: length] = lines[length - 1 :: length] = b" " * count
    if b"\r" in lines or b"\n" in lines:  # lines within lines, perhaps
        return _is_paired(octets, _without_cr(octets))
    return _is_all_paired(octets[:start]) and _is_all_paired(octets[end:])


def _even_lines(octets: bytes) -> tuple[int, int, int]:
    """Where, around their middle, lines of one length begin and end; and that length, with the LF. Or nowhere."""
    middle = octets.find(b"\n", len(octets) // 2)
    length = octets.find(b"\n", middle + 1) - middle
    if len(octets) < _MANY_OCTETS or middle < 0 or length < _LONG_LINE:
        return 0, 0, 0
    before, behind = octets[middle::-length], octets[middle::length]
    start = middle + 1 - length * (len(before) - len(before.lstrip(b"\n")) - 1)
    end = middle + 1 + length * (len(behind) - len(behind.lstrip(b"\n")) - 1)
    return (start, end, length) if end - start >= _LONG_LINE * length else (0, 0, 0)


def _header_print(header: bytes) -> bytes:
    return hashlib.sha256(_munged(_softened(_without_cr(header)))).digest()


def _name_print(message_id: bytes) -> bytes:
    return hashlib.sha256(message_id).digest() if message_id else b""


def _is_delicate(piece: bytes, without_cr: bytes, last: bytes) -> bool:
    """Whether it holds what targets alter. `last` is the octet before it."""
    if b"\x00" in piece:
        return True
    if last != b"\r" and _is_paired(piece, without_cr):
        return False
    seam = last + piece
    return b"\r\r" in seam or seam.count(b"\n", len(last)) != seam.count(b"\r\n")


def unmarked(head: bytes, chunks: Iterable[bytes]) -> Iterator[bytes] | None:
    """The message without the line that mbsync puts into the header of each one that it copies; None: it has none."""
    found = _MARK.search(header_block(head))
    return None if found is None else _cut(chunks, *found.span())


def _cut(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    at = 0
    for chunk in chunks:
        yield chunk[: max(0, start - at)] + chunk[max(0, end - at) :]
        at += len(chunk)


def is_internal(head: bytes) -> bool:
    """Whether UW-IMAP keeps its own data in it: no mail, although it is listed as one (quirks.md, 54)."""
    header = header_block(head)
    return _INTERNAL.search(header) is not None and b"X-IMAP:" in header


def exact_prints(head: bytes, chunks: Iterable[bytes]) -> Prints:
    """Prints for who alters no octet: the forgiving ones are as strict as the exact one, and nothing is delicate."""
    exact, size = hashlib.sha256(), 0
    for chunk in chunks:
        exact.update(chunk)
        size += len(chunk)
    header = header_block(head)
    return _strict(exact.digest(), header, hashlib.sha256(header).digest(), size)


def plain_prints(header: bytes, chunks: Iterable[bytes], *, any_header: bool = False) -> Prints | None:
    """Prints of a message that has nothing which targets are known to alter, for half the work: `soft` is its digest.

    None: it has something, no end of a line at its end, or a header that is not ASCII; `take_prints` must be asked.
    `header`: its `header_block`. `any_header`: for who alters no header that is not ASCII (all but Cyrus).
    """
    if not (any_header or header.isascii()):
        return None
    exact, size, last = hashlib.sha256(), 0, b""
    for chunk in chunks:
        exact.update(chunk)
        size += len(chunk)
        for at in range(0, len(chunk), PIECE_OCTETS):
            piece = chunk[at : at + PIECE_OCTETS]
            if not _is_plain(piece, last):
                return None
            last = piece[-1:]
    return _strict(exact.digest(), header, _header_print(header), size) if last == b"\n" else None


def _is_plain(piece: bytes, last: bytes) -> bool:
    """Whether CR and LF stand in pairs and there is no NUL. `last` is the octet before it: a pair may be parted."""
    if (last == b"\r") != piece.startswith(b"\n"):
        return False
    whole = piece[last == b"\r" : len(piece) - piece.endswith(b"\r")]
    return b"\x00" not in piece and _is_all_paired(whole)


def _strict(digest: bytes, header: bytes, header_print: bytes, size: int) -> Prints:
    return Prints(digest, digest, header_print, _name_print(find_message_id(header)), size, delicate=False)


def tail_of(chunks: Iterable[bytes]) -> bytes:
    """The last TAIL_OCTETS of it, or all there are."""
    tail = b""
    for chunk in chunks:
        tail = (tail + chunk[-TAIL_OCTETS:])[-TAIL_OCTETS:]
    return tail


def take_prints(head: bytes, chunks: Iterable[bytes]) -> Prints:
    """Read a message once and take all its prints. `head` is its beginning; `chunks` is all of it."""
    exact, soft = hashlib.sha256(), hashlib.sha256()
    size, delicate, last, munging = 0, False, b"", len(_bare_header(head))
    for chunk in chunks:
        exact.update(chunk)
        size += len(chunk)
        for at in range(0, len(chunk), PIECE_OCTETS):
            piece = chunk[at : at + PIECE_OCTETS]
            bare = _without_cr(piece)
            if munging:  # so many octets of the header are still to come
                soft.update(_munged(_softened(bare[:munging])))
                bare, munging = bare[munging:], max(0, munging - len(bare))
            soft.update(_softened(bare))
            delicate = delicate or _is_delicate(piece, bare, last)
            last = piece[-1:]
    header = header_block(head)
    identity = find_message_id(header)
    return Prints(
        digest=exact.digest(),
        soft=soft.digest(),
        header=_header_print(header),
        message_id=_name_print(identity),
        size=size,
        delicate=delicate or last.endswith(b"\r"),
    )
