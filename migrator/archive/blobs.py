"""Messages' octets in an archive: equal ones once, compressed, cut, sealed (docs/archive-format.md)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO, Final, cast

import zstandard

from migrator.archive.file import SEGMENT_OCTETS, ArchiveFile
from migrator.archive.sealing import TAG_OCTETS, ArchiveSeal
from migrator.errors import ArchiveDamaged
from migrator.mail.messages import exact_prints, header_block
from migrator.ports import Letter

CHUNK_OCTETS: Final = 256 * 1024
"""So much compressed text is sealed at once, but for a blob's last chunk."""
AT_ONCE_OCTETS: Final = 1024 * 1024
"""What is no larger is packed in one go."""
LEVEL: Final = 3
_SEALED_OCTETS: Final = CHUNK_OCTETS + TAG_OCTETS
_PLACE: Final = "SELECT address, salt, segment, start, octets FROM blob WHERE id = ?"
_SEGMENTS: Final = "SELECT sealed FROM segment WHERE id BETWEEN ? AND ? ORDER BY id"
_MOST: Final = 1 << 48
"""No place has a number as high."""


class _Own(threading.local):
    """Each thread's tables, made once: two threads in one would end in the middle of a C library."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=LEVEL)
        self.unpacker = zstandard.ZstdDecompressor()
        """Only for what is unpacked in one go: two streams at a time would disturb each other."""


_OWN: Final = _Own()


def prepared(letter: Letter) -> Letter:
    """For who reads ahead: with its prints, for an archive alters nothing; and packed, instead of as it came.

    What is large stays as it is, and is packed piece by piece.
    """
    prints, packed = exact_prints(letter.head, letter.chunks()), _packed(letter)
    head = header_block(letter.head)
    if packed is None:
        return letter._replace(head=head, prints=prints)
    letter.close()

    def unpacked() -> Iterator[bytes]:
        yield zstandard.decompress(packed)

    return Letter(letter.want, head, letter.size, unpacked, prints=prints, packed=packed, tail=letter.tail)


def _packed(letter: Letter) -> bytes | None:
    """Its octets as one Zstandard frame (RFC 8878); None: it is large."""
    return _OWN.packer.compress(b"".join(letter.chunks())) if letter.size <= AT_ONCE_OCTETS else None


def digest_of(chunks: Iterable[bytes]) -> bytes:
    """SHA-256 of all of it."""
    made = hashlib.sha256()
    for chunk in chunks:
        made.update(chunk)
    return made.digest()


def pieces(seal: ArchiveSeal, address: bytes, salt: bytes, letter: Letter) -> Iterator[bytes]:
    """A letter's octets packed and sealed, chunk by chunk; at least one."""
    blob, position = seal.blob(address, salt), 0
    cut = _compressed(letter)
    piece = next(cut)
    for following in cut:
        yield blob.seal(piece, position, last=False)
        piece, position = following, position + 1
    yield blob.seal(piece, position, last=True)


def read(archive: ArchiveFile, blob: int) -> Iterator[bytes]:
    """The octets, in pieces. Raises ArchiveDamaged."""
    pieces = _unsealed(archive, blob)
    first = next(pieces)
    with _damage_told():
        if not _is_small(first, CHUNK_OCTETS):
            yield from _unpacked(chain((first,), pieces))
        elif octets := _at_once(first, pieces):
            yield octets


def whole(archive: ArchiveFile, blob: int, at_most: int) -> bytes | None:
    """The octets at once; None: they are more than `at_most`. Raises ArchiveDamaged."""
    pieces = _unsealed(archive, blob)
    first = next(pieces)
    with _damage_told():
        return _at_once(first, pieces) if _is_small(first, at_most) else None


def _is_small(first: bytes, at_most: int) -> bool:
    """Whether the frame that begins so says how much is in it, and that it is no more."""
    return 0 <= zstandard.frame_content_size(first) <= at_most


def _at_once(first: bytes, pieces: Iterator[bytes]) -> bytes:
    """Without a stream's buffers."""
    return _OWN.unpacker.decompress(b"".join((first, *pieces)))


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """In bounded pieces: a little may unpack to a lot."""
    with zstandard.ZstdDecompressor().stream_reader(cast("IO[bytes]", _Pieces(pieces))) as reader:
        while octets := reader.read(CHUNK_OCTETS):
            yield octets


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except zstandard.ZstdError:
        raise ArchiveDamaged("The octets of a message do not unpack.") from None


def _unsealed(archive: ArchiveFile, blob: int) -> Iterator[bytes]:
    """At least one piece."""
    found = archive.one(_PLACE, (blob,))
    if found is None:
        raise ArchiveDamaged("The octets of a message are missing.")
    address, salt, *place = found
    if not all(isinstance(octets, bytes) for octets in (address, salt)):
        raise ArchiveDamaged("The octets of a message are not whole.")
    if not all(isinstance(number, int) and 0 <= number < _MOST for number in place) or not place[2]:
        raise ArchiveDamaged("The octets of a message are at an impossible place.")
    segment, start, octets = place
    seal = archive.seal.blob(address, salt)
    for position, done in enumerate(range(0, octets, _SEALED_OCTETS)):
        length = min(_SEALED_OCTETS, octets - done)
        sealed = _cut(archive, segment, start + done, length)
        yield seal.unseal(sealed, position, last=done + length == octets)


def _cut(archive: ArchiveFile, segment: int, start: int, length: int) -> memoryview:
    """So many octets, `start` octets behind the beginning of this segment."""
    further, start = divmod(start, SEGMENT_OCTETS)
    first = segment + further
    last = first + (start + length - 1) // SEGMENT_OCTETS
    rows = list(archive.rows(_SEGMENTS, (first, last)))
    whole = b"".join([sealed for (sealed,) in rows if isinstance(sealed, bytes)])
    cut = memoryview(whole)[start : start + length]
    if len(cut) < length:
        raise ArchiveDamaged("A part of a message is missing.")
    return cut


class _Pieces:
    """An iterator of octets as the file that zstandard wants."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """At most `size` octets; none at the end."""
        if not self._held:
            self._held = next(self._pieces, b"")
        octets = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(octets) :]
        return octets


def _compressed(letter: Letter) -> Iterator[bytes]:
    """One Zstandard frame (RFC 8878), cut into pieces of CHUNK_OCTETS; at least one."""
    whole = letter.packed or _packed(letter)
    if whole is not None:
        for at in range(0, len(whole), CHUNK_OCTETS):
            yield whole[at : at + CHUNK_OCTETS]
        return
    stream = _OWN.packer.compressobj(size=letter.size)
    held = bytearray()
    for chunk in letter.chunks():
        held += stream.compress(chunk)
        while len(held) > CHUNK_OCTETS:
            yield bytes(held[:CHUNK_OCTETS])
            del held[:CHUNK_OCTETS]
    held += stream.flush()
    while held:
        yield bytes(held[:CHUNK_OCTETS])
        del held[:CHUNK_OCTETS]
