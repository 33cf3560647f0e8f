"""Room for archives: a pass that would not fit is refused before it starts, and a full disk in the middle costs
nothing."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.archive.file import PAGE_OCTETS, ArchiveFile
from migrator.archive.target import ArchiveTarget
from migrator.errors import ArchiveUnusable, DiskFull, NoRoom
from migrator.jobs.archives import Limits, fitting
from migrator.mail.folders import FolderInfo
from migrator.planning.mapping import MappingRules
from migrator.sessions.memory import MemorySource
from tests.engine.test_archiving import KEY, Chest, shown
from tests.engine.world import World, assert_sums, days, mail

MEGABYTE = 1_000_000


class Taciturn(MemorySource):
    """A source that says the size of no folder (a server without STATUS=SIZE)."""

    def folders(self) -> Sequence[FolderInfo]:
        return [dataclasses.replace(info, octets=None) for info in super().folders()]


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """Forty messages of 50,000 octets that nothing compresses."""
    made = Chest(world, tmp_path)
    for number in range(40):
        world.old.put("INBOX", mail(f"m{number}") + noise(number), instant=days(number))
    return made


def noise(seed: int) -> bytes:
    """50,000 octets that nothing compresses to less than a half."""
    return random.Random(seed).randbytes(25_000).hex().encode()


def archive(chest: Chest, *, left: int | None = None, pages: int | None = None) -> None:
    """A pass with so many octets of room by our own limits, or so many pages until the disk is full."""
    chest.world.mailbox = 2
    chest.world.next_job()
    file = ArchiveFile(chest.path, KEY, writable=True, create=True)
    if pages is not None:
        file.sql.execute(f"PRAGMA max_page_count = {pages}")
    try:
        quota = sum(path.stat().st_size for path in chest.path.parent.glob("*.pwa")) + (left or 0)
        fits = fitting(chest.path, Limits(quota=quota)) if left is not None else lambda _octets: None
        target = ArchiveTarget(file, fits)
        chest.world.target_of = lambda: target
        chest.world.run(rules=MappingRules(verbatim=True), recreated="replay", quiet_seconds=0)
        target.finish({})
    finally:
        file.close()
        chest.world.target_of, chest.world.mailbox = None, 1


def test_a_pass_that_would_not_fit_is_refused_before_its_first_octet(chest: Chest) -> None:
    with pytest.raises(NoRoom, match="2 MB more, and 1 MB are left for it: 1 MB are lacking"):
        archive(chest, left=MEGABYTE)
    assert chest.rows()["message"] == chest.rows()["folder"] == 0
    archive(chest, left=4 * MEGABYTE)
    assert chest.view() == shown(chest.world.old)


def test_what_is_archived_already_is_not_counted_again(chest: Chest) -> None:
    archive(chest, left=4 * MEGABYTE)
    chest.world.old.put("INBOX", mail("new"), instant=days(50))
    archive(chest, left=100_000)
    assert chest.view() == shown(chest.world.old)


def test_a_server_that_announces_no_sizes_is_stopped_at_the_limit_with_everything_before_it_kept(chest: Chest) -> None:
    chest.world.source_of = Taciturn
    with pytest.raises(NoRoom):
        archive(chest, left=MEGABYTE // 2)
    kept = chest.rows()["message"]
    assert 0 < kept < 40
    with pytest.raises(ArchiveUnusable, match="No pass"):
        chest.source()
    archive(chest, left=4 * MEGABYTE)
    assert chest.view() == shown(chest.world.old)
    assert chest.rows()["message"] == chest.rows()["blob"] == 40


def test_a_disk_that_is_full_in_the_middle_costs_nothing(chest: Chest) -> None:
    archive(chest, pages=None)
    chest.path.unlink()
    chest.world.mailbox = 2
    with pytest.raises(DiskFull):
        archive(chest, pages=1_000_000 // PAGE_OCTETS)
    with pytest.raises(ArchiveUnusable, match="No pass"):
        chest.source()
    archive(chest)
    assert chest.view() == shown(chest.world.old)
    assert chest.rows() == {"pass": 1, "folder": 1, "message": 40, "placement": 40, "blob": 40}
    assert_sums(chest.world)


def test_a_full_disk_in_a_later_pass_leaves_every_earlier_point_in_time(chest: Chest) -> None:
    archive(chest)
    before = shown(chest.world.old)
    for number in range(40):
        chest.world.old.put("INBOX", mail(f"later{number}") + noise(100 + number), instant=days(number))
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        pages = file.one("PRAGMA page_count")[0]
    with pytest.raises(DiskFull):
        archive(chest, pages=pages + 4)
    assert chest.view() == before
    archive(chest)
    assert chest.view() == shown(chest.world.old)
    assert chest.view(1) == before


def test_the_reserve_of_the_disk_stays_free(tmp_path: Path) -> None:
    fits = fitting(tmp_path / "anna.pwa", Limits(reserve=10**18))
    with pytest.raises(NoRoom) as caught:
        fits(1)
    assert "0 MB are left for it" in caught.value.message
    assert caught.value.exit_code == 6
    fitting(tmp_path / "anna.pwa", Limits())(1)
