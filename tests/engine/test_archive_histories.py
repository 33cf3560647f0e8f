"""Random lives of an old mailbox and of its archive: whatever happens, each pass shows what lay there then."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete

from migrator.archive.check import check
from migrator.archive.file import ArchiveFile
from migrator.db.models import LedgerEntry
from migrator.planning import batches
from migrator.sessions.memory import MemoryServer
from tests.engine.test_archiving import KEY, Chest, shown
from tests.engine.world import Died, Witness, World, days, mail

pytestmark = pytest.mark.slow

FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "Wichtig")
Shown = dict[str, Counter[object]]


class Life:
    """What people do in the old mailbox, and what happens to the file and the ledger."""

    def __init__(self, chest: Chest, seed: int) -> None:
        self.chest = chest
        self.old: MemoryServer = chest.world.old
        self.random = random.Random(seed)
        self.count = 0
        self.seen: dict[int, Shown] = {}
        """What each pass saw, by its number."""
        self.copies: list[tuple[bytes, dict[int, Shown]]] = []
        self.deeds: tuple[Callable[[str], object], ...] = (
            self.put, self.put, self.put_twin, self.remove, self.flag, self.flag, self.move, self.copy, self.make,
            self.delete, self.old.recreate, self.old.renumber, self.rename,
        )  # fmt: skip

    def some_folder(self) -> str:
        return self.random.choice(list(self.old.folders))

    def some_uid(self, name: str) -> int:
        return self.random.choice(list(self.old.folders[name].messages) or [0])

    def some_flags(self) -> frozenset[str]:
        return frozenset(self.random.sample(FLAGS, self.random.randrange(3)))

    # ---- people --------------------------------------------------------------------------------------------------

    def put(self, name: str) -> None:
        self.count += 1
        self.old.put(name, mail(f"n{self.count}"), *self.some_flags(), instant=days(self.count))

    def put_twin(self, name: str) -> None:
        self.old.put(name, mail("twin"), instant=days(1))

    def remove(self, name: str) -> None:
        if uid := self.some_uid(name):
            self.old.remove(name, uid)

    def flag(self, name: str) -> None:
        if uid := self.some_uid(name):
            there = self.old.folders[name].messages
            there[uid] = dataclasses.replace(there[uid], flags=self.some_flags())

    def move(self, name: str) -> None:
        if uid := self.some_uid(name):
            self.old.move(name, uid, self.some_folder())

    def copy(self, name: str) -> None:
        if uid := self.some_uid(name):
            self.old.folder(self.some_folder()).add(dataclasses.replace(self.old.folders[name].messages[uid]))

    def make(self, _: str) -> None:
        if (name := self.random.choice("ABC")) not in self.old.folders:
            self.old.make(name)

    def delete(self, name: str) -> None:
        if name != "INBOX":
            del self.old.folders[name]

    def rename(self, name: str) -> None:
        new = self.random.choice("ABCD")
        if name != "INBOX" and new not in self.old.folders:
            self.old.folders[new] = self.old.folders.pop(name)
            self.old.folders[new].name = new

    # ---- mishaps -------------------------------------------------------------------------------------------------

    def mishap(self) -> None:
        """Sometimes the ledger is lost, or any earlier copy of the file is put back, of whatever branch."""
        chance = self.random.random()
        if chance < 0.1:
            with self.chest.world.db.writing() as session:
                session.execute(delete(LedgerEntry))
        elif chance < 0.25 and self.copies:
            octets, seen = self.random.choice(self.copies)
            self.chest.path.write_bytes(octets)
            self.seen = dict(seen)

    def archive(self) -> None:
        """A pass that may die anywhere, again and again, until one is completed."""
        for attempt in range(9):
            dies = attempt < 8 and self.random.random() < 0.4
            try:
                self.chest.archive(witness=Witness(self.random.randrange(1, 120)) if dies else None)
                break
            except Died:
                continue
        number = self.chest.rows()["pass"]
        self.seen = {known: what for known, what in self.seen.items() if known < number}
        self.seen[number] = counted(shown(self.old))
        self.copies.append((self.chest.path.read_bytes(), dict(self.seen)))


def counted(found: dict[str, list[tuple[bytes, frozenset[str], object]]]) -> Shown:
    return {name: Counter(messages) for name, messages in found.items()}


@pytest.mark.parametrize("seed", [19, 30, 62, 88, 95])
def test_every_point_in_time_is_what_lay_there_whatever_happened_since(
    world: World, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2 == 0:  # then several batches have one transaction
        monkeypatch.setattr(batches, "BATCH_MESSAGES", 2)
    life = Life(Chest(world, tmp_path), seed)
    for _ in range(14):
        for _ in range(life.random.randrange(7)):
            life.random.choice(life.deeds)(life.some_folder())
        life.mishap()
        life.archive()
        assert {number: counted(life.chest.view(number)) for number in life.seen} == life.seen
        with ArchiveFile(life.chest.path, KEY, writable=False) as file:
            assert check(file).is_whole
