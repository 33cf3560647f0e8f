"""One flipped byte anywhere in an archive: nothing stops, nothing false is given out, and every loss is told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.archive.check import Health, check
from migrator.archive.file import PAGE_OCTETS, ArchiveFile
from migrator.archive.source import ArchiveSource, pass_at
from migrator.errors import ArchiveDamaged, ArchiveUnusable, DatabaseUnavailable
from migrator.mail.folders import Namespace
from migrator.ports import Letter, Page, Want
from tests.engine.test_archiving import KEY, Chest, shown
from tests.engine.world import World, days, mail

FLIPS = 150
Shown = Counter[tuple[str, str, bytes, frozenset[str]]]


def filled(world: World, tmp_path: Path, messages: int) -> Chest:
    """So many in three folders after three passes, some of them moved, marked and gone by now."""
    made, some = Chest(world, tmp_path), random.Random(3)
    for name in ("Kunden", "Ä & Ö"):
        world.old.make(name)
    for number in range(messages):
        folder = ("INBOX", "Kunden", "Ä & Ö")[number % 3]
        body = some.randbytes(some.choice((100, 900, 4000))).hex()
        world.old.put(folder, mail(f"m{number}", body=body), *(["\\Seen"] * (number % 2)), instant=days(number))
    made.archive()
    for number in range(1, 6):
        world.old.remove("Kunden", number)
        world.old.move("INBOX", number, "Ä & Ö")
    made.archive()
    world.old.put("INBOX", mail("late"), "\\Flagged", instant=days(70))
    made.archive()
    return made


def offsets(path: Path) -> list[int]:
    """Spread over the file, so that every kind of page has some."""
    return sorted(random.Random(11).sample(range(path.stat().st_size), FLIPS))


def delivered(path: Path) -> tuple[Shown, int]:
    """What playing in would get, and of how many more messages it would say that they failed."""
    found, failed = Shown(), 0
    with ArchiveFile(path, KEY, writable=False) as file:
        source = ArchiveSource(file, pass_at(file, None), Namespace())
        for info in source.folders():
            for page in source.survey(info.name):
                if not isinstance(page, Page):
                    continue
                rows = {row.key: row for row in page.rows}
                for answer in source.read([Want(info.name, row.key, row.size) for row in page.rows]):
                    if isinstance(answer, Letter):
                        key = answer.want.key
                        found[info.name, str(key), b"".join(answer.chunks()), rows[key].flags] += 1
                    else:
                        failed += 1
    return found, failed


def checked(path: Path) -> Health:
    with ArchiveFile(path, KEY, writable=False) as file:
        return check(file)


def flipped(chest: Chest, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    whole, path = chest.path.read_bytes(), tmp_path / "flipped.pwa"
    for offset in offsets(chest.path):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x41]) + whole[offset + 1 :])
        yield offset, path


@pytest.mark.timeout(300)
def test_one_flipped_byte_anywhere_costs_little_and_what_it_costs_is_told(world: World, tmp_path: Path) -> None:
    chest = filled(world, tmp_path, 50)
    wanted, _ = delivered(chest.path)
    assert sum(wanted.values()) == sum(map(len, shown(chest.world.old).values())) == 46
    assert checked(chest.path).is_whole
    opened = harmless = 0
    for offset, path in flipped(chest, tmp_path):
        try:
            found, failed = delivered(path)
            health = checked(path)
        except (ArchiveDamaged, ArchiveUnusable, DatabaseUnavailable):
            with pytest.raises((ArchiveDamaged, ArchiveUnusable, DatabaseUnavailable)):
                checked(path)
            continue
        opened += 1
        assert not found - wanted, f"{offset}: something false was given out"
        lost = wanted - found
        assert failed >= sum(lost.values()), f"{offset}: {sum(lost.values())} lost and {failed} reported"
        named = {(item.folder, item.key) for item in health.damaged if item.key}
        unnamed = sum(not item.key for item in health.damaged)
        unsaid = [(folder, key) for folder, key, _, _ in lost if (folder, key) not in named]
        assert len(unsaid) <= unnamed, f"{offset}: {unsaid} is lost, and {health.damaged} is said"
        there = {(folder, key) for folder, key, _, _ in found}
        assert not named & there, f"{offset}: what is called damaged can be read"
        assert health.whole == sum(found.values()), offset
        harmless += not lost
    assert opened > FLIPS * 0.9, "most flips cost some messages, not the archive"
    assert harmless > FLIPS * 0.2


@pytest.mark.timeout(300)
def test_a_destroyed_page_costs_its_own_rows(world: World, tmp_path: Path) -> None:
    """Each page in turn holds noise: SQLite itself reads no such table to its end."""
    chest = filled(world, tmp_path, 600)
    wanted, _ = delivered(chest.path)
    whole, path = chest.path.read_bytes(), tmp_path / "torn.pwa"
    unreadable, costs = [], list[int]()
    for page in range(1, len(whole) // PAGE_OCTETS):
        start = page * PAGE_OCTETS
        noise = random.Random(page).randbytes(PAGE_OCTETS)
        path.write_bytes(whole[:start] + noise + whole[start + PAGE_OCTETS :])
        try:
            found, failed = delivered(path)
        except (ArchiveDamaged, ArchiveUnusable):
            unreadable.append(page)
            continue
        lost = wanted - found
        assert not found - wanted
        assert failed >= sum(lost.values()), page
        costs.append(sum(lost.values()))
    assert len(unreadable) <= 3, "the schema and the key's check"
    assert sum(cost == 596 for cost in costs) <= 4, "the first page of each table that mail is read by"
    assert sum(cost > 20 for cost in costs) <= 15, "pages that lead to others, or hold entries of many messages"
    assert sum(0 < cost <= 20 for cost in costs) > 70, "a page of octets costs those that lie in it"
    assert costs.count(0) >= 8, "indexes can be made anew"
