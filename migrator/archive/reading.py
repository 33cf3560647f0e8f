"""A message of an archive as a Letter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from migrator.archive import blobs
from migrator.archive.file import ArchiveFile
from migrator.mail.messages import HEAD_OCTETS, PIECE_OCTETS, header_block, plain_prints, tail_of, take_prints
from migrator.ports import Letter, Want

IN_MEMORY = 1024 * 1024
"""What is larger is unpacked anew whenever somebody reads it."""


def letter_of(archive: ArchiveFile, want: Want, blob: int) -> Letter:
    """Its octets, all of which were unsealed once. What is large has its prints already. Raises ArchiveDamaged."""
    octets = blobs.whole(archive, blob, IN_MEMORY)
    if octets is not None:
        return Letter(want, octets[:HEAD_OCTETS], len(octets), lambda: _cut(octets), tail=tail_of((octets,)))
    pieces, start, tail = blobs.read(archive, blob), b"", b""
    while len(start) < HEAD_OCTETS and (piece := next(pieces, b"")):
        start += piece

    def noting_the_end() -> Iterator[bytes]:
        nonlocal tail
        for piece in chain((start,), pieces):
            tail = tail_of((tail, piece))
            yield piece

    head = start[:HEAD_OCTETS]
    prints = plain_prints(header_block(head), noting_the_end())
    if prints is None:
        prints, tail = take_prints(head, blobs.read(archive, blob)), tail_of(blobs.read(archive, blob))
    return Letter(want, head, prints.size, lambda: blobs.read(archive, blob), prints=prints, tail=tail)


def _cut(octets: bytes) -> Iterator[bytes]:
    """In pieces: whoever reads them may make copies of each."""
    return (octets[at : at + PIECE_OCTETS] for at in range(0, len(octets), PIECE_OCTETS))
