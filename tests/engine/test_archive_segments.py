"""Octets lie in an archive one behind the other, in rows that fill a page each; of any length, they come back."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from migrator.archive import blobs, storing
from migrator.archive.file import PAGE_OCTETS, SEGMENT_OCTETS, ArchiveFile
from migrator.archive.reading import IN_MEMORY, letter_of
from migrator.archive.sealing import TAG_OCTETS
from migrator.archive.target import ArchiveTarget
from migrator.engine.prints import Printing
from migrator.errors import ArchiveDamaged, ArchiveUnusable
from migrator.mail.messages import HEAD_OCTETS, TAIL_OCTETS, MessageKey, take_prints
from migrator.ports import Batch, Letter, Parcel, Stored, Want
from tests.corpus import letters
from tests.engine.test_archiving import KEY
from tests.spoiling import change

CUTS = (SEGMENT_OCTETS, 2 * SEGMENT_OCTETS, blobs.CHUNK_OCTETS, storing.RUN_OCTETS)
BEYOND_THE_TEXT = 60
"""At most so much longer is a text of chance, packed and sealed in one or two chunks, than it was."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anna.pwa"


@pytest.fixture
def file(path: Path) -> Iterator[ArchiveFile]:
    with ArchiveFile(path, KEY, writable=True, create=True) as made:
        yield made


def noise(count: int) -> bytes:
    """Nothing compresses it; the same each time."""
    return random.Random(count).randbytes(count)


def put(file: ArchiveFile, texts: Iterator[bytes], *, at_once: int) -> list[int]:
    """Append them, so many a batch; their blobs."""
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    batches = (Batch(folder, some) for some in _batches(texts, at_once))
    rows = [result.key.uid for result in target.append(batches, may_commit=lambda: True) if isinstance(result, Stored)]
    return [file.one("SELECT blob FROM message WHERE id = ?", (row,))[0] for row in rows]


def _batches(texts: Iterator[bytes], at_once: int) -> Iterator[Sequence[Parcel]]:
    held: list[Parcel] = []
    for number, octets in enumerate(texts, 1):
        want = Want("INBOX", MessageKey(1, number), len(octets))
        letter = Letter(want, octets[:HEAD_OCTETS], len(octets), lambda octets=octets: iter((octets,)))
        held.append(Parcel(number, letter, (), None))
        if len(held) == at_once:
            yield held
            held = []
    if held:
        yield held


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("at_once", [1, 7])
def test_octets_of_every_length_around_a_cut_come_back(file: ArchiveFile, cut: int, at_once: int) -> None:
    lengths = range(cut - BEYOND_THE_TEXT, cut + 3)
    found = put(file, map(noise, lengths), at_once=at_once)
    sealed = {file.one("SELECT octets FROM blob WHERE id = ?", (blob,))[0] for blob in found}
    assert cut in sealed or cut + 16 in sealed, "one ends exactly at the cut"
    for blob, length in zip(found, lengths, strict=True):
        assert b"".join(blobs.read(file, blob)) == noise(length)


def test_what_begins_exactly_where_a_segment_ends_begins_the_next_one(file: ArchiveFile) -> None:
    first, *_ = put(file, iter([noise(SEGMENT_OCTETS - 16 - 13)]), at_once=1)
    length = file.one("SELECT octets FROM blob WHERE id = ?", (first,))[0]
    fits = SEGMENT_OCTETS - 16 - 13 + SEGMENT_OCTETS - length
    one, other = put(file, iter([noise(fits), b"Subject: small\r\n\r\n"]), at_once=2)
    assert file.one("SELECT octets FROM blob WHERE id = ?", (one,)) == (SEGMENT_OCTETS,)
    (segment,) = file.one("SELECT segment FROM blob WHERE id = ?", (one,))
    assert file.one("SELECT segment, start FROM blob WHERE id = ?", (other,)) == (segment + 1, 0)
    assert b"".join(blobs.read(file, other)) == b"Subject: small\r\n\r\n"


def test_a_full_segment_takes_exactly_one_page(path: Path) -> None:
    with ArchiveFile(path, KEY, writable=True, create=True) as file:
        put(file, iter([noise(500)]), at_once=1)
    before = path.stat().st_size
    with ArchiveFile(path, KEY, writable=True) as file:
        put(file, iter([noise(blobs.CHUNK_OCTETS * 8)]), at_once=1)
        (segments,) = file.one("SELECT count(*) FROM segment WHERE length(sealed) = ?", (SEGMENT_OCTETS,))
    assert segments == blobs.CHUNK_OCTETS * 8 // SEGMENT_OCTETS
    assert (path.stat().st_size - before) // PAGE_OCTETS <= segments + 3, "one is not full, one leads there"


def test_letters_of_a_few_kilobytes_take_hardly_more_than_their_octets_packed(path: Path) -> None:
    with ArchiveFile(path, KEY, writable=True, create=True) as file:
        put(file, letters(2000), at_once=100)
    packed = sum(len(zstandard.compress(octets, blobs.LEVEL)) for octets in letters(2000))
    assert path.stat().st_size < packed * 1.08


def test_an_archive_of_another_version_is_refused_and_left_as_it_is(path: Path, file: ArchiveFile) -> None:
    file.close()
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA user_version = 1")
    before = path.read_bytes()
    for writable in (False, True):
        with pytest.raises(ArchiveUnusable, match="has version 1 of the format; this program knows 2"):
            ArchiveFile(path, KEY, writable=writable)
    assert path.read_bytes() == before


def test_a_segment_that_is_lost_costs_what_lies_in_it_and_nothing_else(path: Path, file: ArchiveFile) -> None:
    found = put(file, map(noise, (100, 40_000, 200, 300)), at_once=4)
    (lost,) = file.one("SELECT segment + 1 FROM blob WHERE id = ?", (found[1],))
    change(path, "DELETE FROM segment WHERE id = ?", lost)
    for blob, size in zip(found, (100, None, 200, 300), strict=True):
        if size is None:
            with pytest.raises(ArchiveDamaged, match="A part of a message is missing"):
                list(blobs.read(file, blob))
        else:
            assert sum(map(len, blobs.read(file, blob))) == size


def test_two_chunks_that_change_places_are_found(path: Path, file: ArchiveFile) -> None:
    (blob,) = put(file, iter([noise(3 * blobs.CHUNK_OCTETS)]), at_once=1)
    assert file.one("SELECT segment, start FROM blob") == (1, 0)
    chunk = blobs.CHUNK_OCTETS + TAG_OCTETS
    whole = b"".join(sealed for (sealed,) in file.rows("SELECT sealed FROM segment ORDER BY id"))
    swapped = whole[chunk : 2 * chunk] + whole[:chunk] + whole[2 * chunk :]
    for number, at in enumerate(range(0, len(whole), SEGMENT_OCTETS), 1):
        change(path, "UPDATE segment SET sealed = ? WHERE id = ?", swapped[at : at + SEGMENT_OCTETS], number)
    with pytest.raises(ArchiveDamaged, match="A part of a message is damaged"):
        list(blobs.read(file, blob))


def test_a_large_message_is_read_chunk_by_chunk(file: ArchiveFile, monkeypatch: pytest.MonkeyPatch) -> None:
    (blob,) = put(file, iter([noise(12 * blobs.CHUNK_OCTETS)]), at_once=1)
    asked: list[tuple[int, int]] = []
    rows = file.rows
    monkeypatch.setattr(file, "rows", lambda statement, values=(): asked.append(values) or rows(statement, values))
    assert b"".join(blobs.read(file, blob)) == noise(12 * blobs.CHUNK_OCTETS)
    at_most = blobs.CHUNK_OCTETS // SEGMENT_OCTETS + 2
    assert len(asked) == 13
    assert all(last - first < at_most for first, last in asked)


@pytest.mark.parametrize("table", ["blob", "segment", "message", "placement"])
@pytest.mark.parametrize("number", [1 << 61, (1 << 63) - 1])
def test_nothing_is_written_behind_a_row_that_no_archive_comes_to(
    path: Path, file: ArchiveFile, table: str, number: int
) -> None:
    """Who reads takes such a number for damage: what was stored there could not be read."""
    put(file, iter([noise(100)]), at_once=1)
    change(path, f"UPDATE {table} SET id = ? WHERE id = (SELECT max(id) FROM {table})", number)
    with pytest.raises(ArchiveDamaged, match=f"table {table} has an impossible row"):
        put(file, iter([noise(200)]), at_once=1)


@pytest.mark.parametrize("size", [0, 1, HEAD_OCTETS, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY])
def test_a_letter_that_is_read_back_is_what_it_was_and_is_not_read_once_more_for_its_prints(
    file: ArchiveFile, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    octets = (b"Message-ID: <a@b>\r\n\r\n" + noise(size))[:size]
    (blob,) = put(file, iter([octets]), at_once=1)
    letter = letter_of(file, Want("INBOX", MessageKey(1, 1), size), blob)
    again: list[int] = []
    read = blobs.read
    monkeypatch.setattr(blobs, "read", lambda archive, which: again.append(which) or read(archive, which))
    whole = Printing()(letter)
    assert again == []
    assert (whole.size, whole.prints) == (size, take_prints(octets[:HEAD_OCTETS], iter([octets])))
    assert letter.head == octets[:HEAD_OCTETS]
    assert whole.end == octets[-TAIL_OCTETS:]
    assert b"".join(whole.chunks()) == octets
