"""A message of an archive as a Letter."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.archive import blobs
from migrator.archive.file import ArchiveFile
from migrator.mail.messages import HEAD_OCTETS, tail_of
from migrator.ports import Letter, Want

PIECE = 256 * 1024
IN_MEMORY = 1 * 1024 * 1024
"""What is larger is unpacked anew whenever somebody reads it."""


def letter_of(archive: ArchiveFile, want: Want, blob: int) -> Letter:
    """Its octets, all of which were unsealed once. Raises ArchiveDamaged."""
    octets = blobs.whole(archive, blob, IN_MEMORY)
    if octets is not None:
        return Letter(want, octets[:HEAD_OCTETS], len(octets), lambda: _cut(octets), tail=tail_of((octets,)))
    head, tail, count = b"", b"", 0
    for chunk in blobs.read(archive, blob):
        head += chunk[: HEAD_OCTETS - len(head)]
        tail = tail_of((tail, chunk))
        count += len(chunk)

    def chunks() -> Iterator[bytes]:
        return blobs.read(archive, blob)

    return Letter(want, head, count, chunks, tail=tail)


def _cut(octets: bytes) -> Iterator[bytes]:
    """In pieces: whoever reads them may make copies of each."""
    return (octets[at : at + PIECE] for at in range(0, len(octets), PIECE))
