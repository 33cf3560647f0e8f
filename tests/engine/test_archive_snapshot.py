"""An archive knows what the source was when a pass looked at it, and what of it is not here, and why."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from migrator.archive.check import Health, Lacking, check
from migrator.archive.file import ArchiveFile
from migrator.archive.record import MOST_UNLOOKED, PassRecord
from migrator.archive.source import passes
from migrator.archive.target import ArchiveTarget
from migrator.db.models import Failure, Skipped
from migrator.engine.run import Options
from migrator.errors import ArchiveUnusable, FolderRefused
from migrator.jobs.recipes import RECIPES
from migrator.jobs.states import JobKind
from migrator.planning import batches
from migrator.planning.mapping import MappingRules
from migrator.ports import Opened, Page
from migrator.sessions.memory import MemorySource
from tests.engine.test_archiving import KEY, Chest, _ledger, _put_back, shown
from tests.engine.world import Died, Telling, Witness, World, days, mail

pytestmark = pytest.mark.slow


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """Two folders; a message too large for the rule, one that cannot be read, and a folder without any."""
    world.old.make("Kunden")
    world.old.make("Leer")
    for number in range(4):
        world.old.put("INBOX", mail(f"a{number}"), instant=days(number))
    world.old.put("Kunden", mail("large", size=5000), instant=days(9))
    world.old.put("Kunden", mail("small"), instant=days(9))
    world.old.put("Kunden", mail("nil"), instant=days(9))
    world.old.behaviour.nil_bodies.add(("Kunden", 3))
    return Chest(world, tmp_path)


def pass_into(chest: Chest, witness: Witness | None = None, **options: object) -> None:
    """As the recipe does it."""
    world = chest.world
    world.mailbox = 2
    world.next_job()
    file = ArchiveFile(chest.path, KEY, writable=True, create=True)
    try:
        target = ArchiveTarget(file)
        world.target_of = lambda: target
        world.run(
            witness, **{"rules": MappingRules(verbatim=True), "recreated": "replay", "quiet_seconds": 0, **options}
        )
        target.finish({"left_out": [{"folder": "Spam", "messages": 3, "rule": "excluded"}]})
    finally:
        file.close()
        world.target_of, world.mailbox = None, 1


def record(chest: Chest) -> PassRecord:
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        found = passes(file)[-1].record
    assert found is not None
    return found


def health(chest: Chest) -> Health:
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        return check(file)


def numbers(chest: Chest) -> dict[str, tuple[int, int, int]]:
    """Found, kept and missing by folder."""
    return {item.info.name: (item.found, item.kept, len(item.missing)) for item in record(chest).folders}


def test_a_pass_keeps_what_it_found_and_what_it_did_not_keep_and_why(chest: Chest) -> None:
    pass_into(chest, max_octets=4000)
    assert numbers(chest) == {"INBOX": (4, 4, 0), "Kunden": (3, 1, 2), "Leer": (0, 0, 0)}
    found = health(chest)
    assert [(item.folder, item.key.rpartition("/")[2], item.reason) for item in found.missing] == [
        ("Kunden", "1", "larger than 4000 octets"),
        ("Kunden", "3", "empty_at_source"),
    ]
    assert found.missing[0].size > 4000
    assert (found.found, found.messages, found.whole, found.is_whole) == (7, 5, 5, False)
    assert [item.folder for item in found.left_out] == ["Spam"]


def test_mail_that_vanishes_while_the_pass_looks_is_neither_found_nor_missing(chest: Chest) -> None:
    chest.world.old.behaviour.vanishing.add(("INBOX", 2))
    pass_into(chest)
    assert numbers(chest)["INBOX"] == (3, 3, 0)
    before = record(chest).folders[0]
    chest.world.old.behaviour.vanishing.clear()
    pass_into(chest)
    assert record(chest).folders[0] == before, "the sum over the keys never knew the one that went"


def test_the_snapshot_is_whole_wherever_the_pass_died_and_went_on(chest: Chest) -> None:
    pass_into(chest, max_octets=4000)
    kept, ledger, seen = chest.path.read_bytes(), _ledger(chest.world), Witness()
    chest.world.old.put("INBOX", mail("new"), instant=days(30))
    chest.world.old.put("Kunden", mail("larger", size=9000), instant=days(31))
    pass_into(chest, seen, max_octets=4000)
    wanted = record(chest)
    assert numbers(chest) == {"INBOX": (5, 5, 0), "Kunden": (4, 1, 3), "Leer": (0, 0, 0)}
    for number in range(1, len(seen.steps) + 1, 2):
        chest.path.write_bytes(kept)
        with chest.world.db.writing() as session:
            session.execute(delete(Failure))
            session.execute(delete(Skipped))
        _put_back(chest.world, ledger)
        with pytest.raises(Died):
            pass_into(chest, Witness(number), max_octets=4000)
        pass_into(chest, max_octets=4000)
        now = record(chest)
        assert [(f.found, f.keys, f.kept, f.missing) for f in now.folders] == [
            (f.found, f.keys, f.kept, f.missing) for f in wanted.folders
        ], seen.steps[number - 1]


def test_rows_that_vanish_from_the_archive_are_noticed_and_counted(chest: Chest) -> None:
    pass_into(chest)
    with sqlite3.connect(chest.path) as sql:
        sql.execute("DELETE FROM message WHERE id IN (1, 3)")
        sql.execute("DELETE FROM placement WHERE message IN (1, 3)")
    sql.close()
    found = health(chest)
    assert [(item.folder, item.key) for item in found.damaged] == [("INBOX", ""), ("INBOX", "")]
    assert (found.found, found.messages, found.whole) == (7, 4, 4)
    chest.world.source_of = lambda _: chest.source()
    chest.world.next_job()
    chest.world.run()
    assert (chest.world.total("copied"), chest.world.total("failed")) == (4, 2), "playing in says so too"


def test_a_message_that_was_exchanged_for_a_copy_of_another_is_noticed(chest: Chest) -> None:
    pass_into(chest)
    with sqlite3.connect(chest.path) as sql:
        sql.execute("DELETE FROM placement WHERE message = 1")
        sql.execute("UPDATE placement SET message = 1, id = 100 WHERE message = 2")
    sql.close()
    assert health(chest).damaged


def test_an_older_archive_that_was_put_back_is_filled_again(chest: Chest) -> None:
    pass_into(chest)
    older = chest.path.read_bytes()
    chest.world.old.put("INBOX", mail("between"), instant=days(20))
    pass_into(chest)
    chest.path.write_bytes(older)
    chest.world.old.put("INBOX", mail("later"), instant=days(21))
    pass_into(chest)
    assert chest.view()["INBOX"] == shown(chest.world.old)["INBOX"]
    assert numbers(chest)["INBOX"] == (6, 6, 0)


@pytest.mark.parametrize("and_new_mail", [False, True])
def test_flags_that_an_older_archive_does_not_know_yet_are_written_again(chest: Chest, and_new_mail: bool) -> None:
    pass_into(chest)
    chest.world.old.put("INBOX", mail("next"), instant=days(20))
    pass_into(chest)
    older = chest.path.read_bytes()
    chest.world.old.folder("Kunden").messages[2].flags = frozenset({"\\Flagged"})
    pass_into(chest)
    chest.path.write_bytes(older)
    if and_new_mail:  # in a folder that is looked at first
        chest.world.old.put("INBOX", mail("later"), instant=days(21))
    for _ in range(2):
        pass_into(chest)
        there = {name: [flags for _, flags, _ in found] for name, found in chest.view().items()}
        assert sum("\\Flagged" in flags for flags in there["Kunden"]) == 1
        assert len(there["INBOX"]) == 5 + and_new_mail


def test_the_newest_copy_may_be_put_back_after_a_pass_into_an_older_one(chest: Chest) -> None:
    """What the ledger learnt from the one says nothing about the other: their rows must never be mistaken."""
    pass_into(chest)
    older = chest.path.read_bytes()
    lost = chest.world.old.put("INBOX", mail("first"), instant=days(20))
    pass_into(chest)
    newest = chest.path.read_bytes()
    chest.path.write_bytes(older)
    chest.world.old.remove("INBOX", lost)
    chest.world.old.put("INBOX", mail("second"), instant=days(21))
    pass_into(chest)
    chest.path.write_bytes(newest)
    pass_into(chest)
    assert chest.view()["INBOX"] == shown(chest.world.old)["INBOX"]


def test_of_an_archive_that_was_not_put_back_nothing_is_read_twice(chest: Chest) -> None:
    pass_into(chest)
    chest.world.old.folder("Kunden").messages[2].flags = frozenset({"\\Flagged"})
    pass_into(chest)
    chest.world.old.put("INBOX", mail("later"), instant=days(21))
    pass_into(chest)
    assert (chest.world.total("copied"), chest.world.total("already_there")) == (1, 6)


def test_mail_that_comes_back_under_its_old_key_is_in_the_archive_again(chest: Chest) -> None:
    pass_into(chest)
    kept = chest.world.old.folder("INBOX").messages.pop(2)
    pass_into(chest)
    assert numbers(chest)["INBOX"] == (3, 3, 0)
    chest.world.old.folder("INBOX").messages[2] = kept
    pass_into(chest)
    assert numbers(chest)["INBOX"] == (4, 4, 0)
    assert len(chest.view(2)["INBOX"]) == 3


def test_a_pass_that_finds_nothing_new_costs_less_than_64_kib(chest: Chest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 500)
    for number in range(10_000):
        chest.world.old.put("INBOX", mail(f"n{number}"), instant=days(number % 3000))
    pass_into(chest, max_octets=4000)
    before = chest.path.stat().st_size
    pass_into(chest, max_octets=4000)
    assert numbers(chest)["INBOX"] == (10_004, 10_004, 0)
    assert chest.path.stat().st_size - before < 64 * 1024


def test_an_archive_without_a_complete_pass_is_not_called_whole(chest: Chest) -> None:
    file = ArchiveFile(chest.path, KEY, writable=True, create=True)
    ArchiveTarget(file)
    file.close()
    assert not health(chest).is_whole


def test_a_check_looks_at_the_pass_of_a_time(chest: Chest) -> None:
    pass_into(chest, max_octets=4000)
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        found = check(file, passes(file)[0].ended)
    assert found.missing == [
        Lacking("Kunden", found.missing[0].key, found.missing[0].size, "larger than 4000 octets"),
        Lacking("Kunden", found.missing[1].key, len(mail("nil")), "empty_at_source"),
    ]


class Locked(MemorySource):
    """A source that lists a folder and does not open it."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        if folder == "Kunden":
            raise FolderRefused("The server does not open Kunden.")
        yield from super().survey(folder)


def by_recipe(chest: Chest) -> dict[str, object]:
    """One pass, by the recipe of a job."""
    world = chest.world
    world.mailbox = 2
    world.next_job()
    file = ArchiveFile(chest.path, KEY, writable=True, create=True)
    try:
        target = ArchiveTarget(file)
        world.target_of = lambda: target
        world.take_over()
        return RECIPES[JobKind.ARCHIVE](world.ends(None, None), Options(), {})
    finally:
        file.close()
        world.target_of, world.mailbox = None, 1


def test_a_folder_that_cannot_be_looked_at_keeps_no_other_from_being_a_point_in_time(chest: Chest) -> None:
    world = chest.world
    assert by_recipe(chest)["failed_folders"] == 0
    before = chest.view()
    world.old.put("Kunden", mail("never seen"), instant=days(10))
    world.old.put("INBOX", mail("seen"), instant=days(10))
    world.source_of = Locked
    assert by_recipe(chest)["failed_folders"] == 1
    assert chest.view()["Kunden"] == before["Kunden"], "as the pass before left it"
    assert len(chest.view()["INBOX"]) == len(before["INBOX"]) + 1
    found = health(chest)
    assert [(item.folder, item.messages) for item in found.unseen] == [("Kunden", 1)], "the new one"
    assert [(item.folder, item.reason) for item in found.missing] == [("Kunden", "empty_at_source")], "as before"
    assert not found.is_whole
    assert found.damaged == []
    world.source_of = MemorySource
    by_recipe(chest)
    assert health(chest).unseen == []


def test_a_first_pass_in_which_no_folder_opens_is_no_point_in_time(world: World, tmp_path: Path) -> None:
    chest = Chest(world, tmp_path)
    world.old = type(world.old)(clock=world.clock)
    world.old.make("Kunden")
    world.old.put("Kunden", mail("a"), instant=days(1))

    class Shut(Locked):
        def survey(self, folder: str) -> Iterator[Opened | Page]:
            raise FolderRefused(f"The server does not open {folder}.")

    world.source_of = Shut
    assert by_recipe(chest)["failed_folders"] == 2
    with pytest.raises(ArchiveUnusable, match="No pass"):
        chest.view()


@pytest.fixture
def telling(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chest:
    """Two folders, both archived once."""
    monkeypatch.setattr(Telling, "looked", [])
    world.old.make("Kunden")
    for number in range(4):
        world.old.put("INBOX", mail(f"i{number}"), instant=days(number))
        world.old.put("Kunden", mail(f"k{number}"), "\\Seen", instant=days(number))
    world.source_of = Telling
    made = Chest(world, tmp_path)
    by_recipe(made)
    Telling.looked.clear()
    return made


def test_a_folder_that_the_source_says_is_the_same_is_taken_over_without_a_look(telling: Chest) -> None:
    by_recipe(telling)
    assert Telling.looked == []
    assert telling.view() == shown(telling.world.old)
    assert telling.world.total("already_there") == telling.world.total("found") == 8
    assert health(telling).is_whole


@pytest.mark.parametrize("change", ["come", "gone", "flagged", "renumbered", "swapped"])
def test_whatever_changes_in_a_folder_is_looked_at_and_the_others_are_not(telling: Chest, change: str) -> None:
    old = telling.world.old
    if change in ("come", "swapped"):
        old.put("Kunden", mail("new"), instant=days(9))
    if change in ("gone", "swapped"):
        old.remove("Kunden", 2)
    if change == "flagged":
        messages = old.folders["Kunden"].messages
        messages[1] = dataclasses.replace(messages[1], flags=frozenset({"\\Flagged"}))
    if change == "renumbered":
        old.renumber("Kunden")
    by_recipe(telling)
    assert set(Telling.looked) == {"Kunden"}
    assert telling.view() == shown(old)
    assert health(telling).is_whole


def test_a_source_may_be_wrong_about_itself_so_every_folder_is_looked_at_again_after_some_passes(
    telling: Chest,
) -> None:
    for _ in range(MOST_UNLOOKED):
        by_recipe(telling)
    assert Telling.looked == []
    by_recipe(telling)
    assert sorted(set(Telling.looked)) == ["INBOX", "Kunden"]
    Telling.looked.clear()
    by_recipe(telling)
    assert Telling.looked == []


def test_a_folder_of_which_something_is_missing_is_looked_at_each_time(telling: Chest) -> None:
    telling.world.old.behaviour.nil_bodies.add(("Kunden", 5))
    telling.world.old.put("Kunden", mail("nil"), instant=days(9))
    for _ in range(2):
        Telling.looked.clear()
        by_recipe(telling)
        assert set(Telling.looked) == {"Kunden"}


def test_what_vanished_from_the_archive_is_not_taken_over(telling: Chest) -> None:
    with sqlite3.connect(telling.path) as sql:
        sql.execute("DELETE FROM placement WHERE id = (SELECT max(id) FROM placement)")
    sql.close()
    by_recipe(telling)
    assert len(set(Telling.looked)) == 1
