"""An archive's check says exactly what is damaged, and a stranger can read what is not."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.archive.blobs import CHUNK_OCTETS
from migrator.archive.check import Health, check
from migrator.archive.file import ArchiveFile
from migrator.archive.sealing import TAG_OCTETS
from migrator.errors import ArchiveDamaged
from tests.engine.test_archiving import KEY, Chest, shown
from tests.engine.world import World, days, mail
from tests.spoiling import change, flip

pytestmark = pytest.mark.slow

ANOTHERS_PLACE = (
    "UPDATE blob SET (segment, start, octets) = (SELECT segment, start, octets FROM blob WHERE id = 3) WHERE id = 1"
)
READER = Path(__file__).parents[2] / "docs" / "archive_reader.py"


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """Three messages, one of them in several chunks; one more that is gone by now."""
    made = Chest(world, tmp_path)
    world.old.make("Ä & Ö")
    large = mail("large") + base64.b64encode(bytes(range(256)) * 4096 * 3 + hash_like(3 * CHUNK_OCTETS))
    world.old.put("INBOX", mail("a"), "\\Seen", instant=days(1))
    world.old.put("INBOX", large, instant=days(2))
    world.old.put("Ä & Ö", mail("b"), "Wichtig", instant=days(3))
    world.old.put("Ä & Ö", mail("gone"), instant=days(4))
    made.archive()
    world.old.remove("Ä & Ö", 2)
    made.archive()
    return made


def hash_like(count: int) -> bytes:
    """Octets that nothing compresses, the same each time."""
    import random

    return random.Random(7).randbytes(count)


def health(chest: Chest) -> Health:
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        return check(file)


def test_an_archive_that_is_whole_says_so(chest: Chest) -> None:
    found = health(chest)
    assert (found.messages, found.kept, found.blobs, len(found.passes), found.damaged) == (3, 4, 4, 2, [])


@pytest.mark.parametrize("at", [0, CHUNK_OCTETS + TAG_OCTETS + 50, -1])
def test_one_flipped_bit_in_a_message_costs_that_message_and_is_named(chest: Chest, at: int) -> None:
    flip(chest.path, 2, at)
    (damage,) = health(chest).damaged
    assert (damage.folder, damage.key.rpartition("/")[2]) == ("INBOX", "2")
    chest.world.source_of = lambda _: chest.source()
    chest.world.next_job()
    chest.world.run()
    assert set(chest.world.failures().values()) == {"empty_at_source"}
    assert chest.world.total("copied") == 2, "the others are played in"


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("DELETE FROM segment WHERE id = 9", 1),
        ("DELETE FROM segment WHERE id = 1", 1),
        ("DELETE FROM segment WHERE id = (SELECT max(id) FROM segment)", 2),
        ("UPDATE segment SET id = -id WHERE id BETWEEN 9 AND 10", 1),
        ("UPDATE segment SET sealed = (SELECT sealed FROM segment WHERE id = 10) WHERE id = 9", 1),
        ("UPDATE segment SET sealed = substr(sealed, 2) WHERE id = 9", 1),
        ("UPDATE segment SET sealed = 7 WHERE id = 9", 1),
        ("UPDATE blob SET octets = octets - 1 WHERE id = 2", 1),
        ("UPDATE blob SET octets = octets + 1 WHERE id = 2", 1),
        (f"UPDATE blob SET octets = {CHUNK_OCTETS + TAG_OCTETS} WHERE id = 2", 1),
        ("UPDATE blob SET octets = 0 WHERE id = 2", 1),
        ("UPDATE blob SET octets = 1 << 62 WHERE id = 2", 1),
        ("UPDATE blob SET octets = 'many' WHERE id = 2", 1),
        ("UPDATE blob SET segment = -1 WHERE id = 2", 1),
        ("UPDATE blob SET segment = 9223372036854775807 WHERE id = 2", 1),
        ("UPDATE blob SET start = 9223372036854775807 WHERE id = 2", 1),
        ("UPDATE blob SET start = start + 1 WHERE id = 2", 1),
        ("UPDATE blob SET salt = 0 WHERE id = 2", 1),
        (ANOTHERS_PLACE, 1),
        ("UPDATE message SET blob = 99 WHERE id = 1", 1),
        ("UPDATE message SET blob = 3 - blob WHERE blob IN (1, 2)", 2),
        ("UPDATE message SET sealed = (SELECT sealed FROM message WHERE id = 2) WHERE id = 1", 1),
        ("UPDATE placement SET sealed = (SELECT sealed FROM placement WHERE id = 2) WHERE id = 1", 1),
        ("UPDATE placement SET from_pass = 0 WHERE id = 1", 1),
        ("UPDATE folder SET sealed = zeroblob(60) WHERE id = 2", 1),
        ("UPDATE message SET folder = 3 - folder WHERE id = 1", 2),
    ],
)
def test_parts_that_are_lost_or_put_elsewhere_are_found(chest: Chest, statement: str, count: int) -> None:
    change(chest.path, statement)
    assert len(health(chest).damaged) == count


def test_a_file_whose_tables_are_destroyed_is_damaged_as_a_whole(chest: Chest) -> None:
    octets = bytearray(chest.path.read_bytes())
    octets[1024 : 1024 * 40] = bytes(1024 * 39)
    chest.path.write_bytes(octets)
    with pytest.raises(ArchiveDamaged):
        health(chest)


def test_a_stranger_reads_it_with_the_documented_format_and_nothing_of_ours(chest: Chest, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("# a key\n" + base64.b64encode(KEY).decode() + "\n")
    ran = subprocess.run(
        [sys.executable, "-I", READER, chest.path, key], capture_output=True, text=True, check=True, cwd="/"
    )
    found: dict[str, list[tuple[bytes, frozenset[str], int]]] = {}
    for line in ran.stdout.splitlines():
        one = json.loads(line)
        octets = base64.b64decode(one["octets"])
        assert len(octets) == one["size"]
        found.setdefault(one["folder"], []).append((octets, frozenset(one["flags"]), one["instant"]))
    wanted = {
        name: [(octets, flags, int(instant.timestamp()) if instant else None) for octets, flags, instant in messages]
        for name, messages in shown(chest.world.old).items()
    }
    assert {name: sorted(messages) for name, messages in found.items()} == wanted
    assert len(READER.read_text().splitlines()) <= 60
