"""Chosen messages out of an archive, and what the customer deleted by accident."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from migrator.archive.file import ArchiveFile
from migrator.archive.source import ArchiveSource, passes
from migrator.engine.chosen import ChosenSource
from migrator.engine.restore import release_deleted
from migrator.engine.run import Options
from migrator.errors import UsageError
from migrator.mail.folders import Namespace
from migrator.planning.mapping import MappingRules
from migrator.sessions.memory import FakeStop, MemorySource
from tests.engine.test_archiving import KEY, Chest
from tests.engine.world import Died, Witness, World, assert_same, assert_sums, days, mail

pytestmark = pytest.mark.slow

Chosen = list[tuple[str, str]]


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """Two folders, the first with twins; archived and played in."""
    world.old.make("Kunden")
    for number in range(4):
        world.old.put("INBOX", mail(f"m{number % 3}"), "\\Seen", instant=days(number % 3))
        world.old.put("Kunden", mail(f"k{number}"), instant=days(number))
    made = Chest(world, tmp_path)
    made.archive()
    play(made)
    assert world.total("copied") == 8
    return made


def play(
    chest: Chest,
    *,
    messages: Chosen | None = None,
    restore: bool = False,
    rules: MappingRules | None = None,
    witness: Witness | None = None,
    same_job: bool = False,
    number: int | None = None,
) -> None:
    """One job, as the recipe does it."""
    world, rules = chest.world, rules or MappingRules()

    def source() -> ArchiveSource:
        file = ArchiveFile(chest.path, KEY, writable=False)
        return ArchiveSource(file, passes(file)[number - 1 if number else -1], Namespace())

    world.source_of = lambda _: source() if messages is None else ChosenSource(source(), messages)
    if not same_job:
        world.next_job()
    if restore:
        world.take_over()
        release_deleted(world.ends(witness, FakeStop()), Options(rules=rules))
    world.run(witness, rules=rules, recreated="keep" if restore else "ask")


def archive_again(chest: Chest) -> None:
    """The next pass."""
    chest.world.source_of = MemorySource
    chest.archive()


def there(chest: Chest, folder: str) -> list[bytes]:
    return sorted(message.octets for message in chest.world.new.folder(folder).messages.values())


def delete(chest: Chest, folder: str, octets: bytes) -> None:
    messages = chest.world.new.folder(folder).messages
    del messages[next(uid for uid, message in messages.items() if message.octets == octets)]


def key_of(chest: Chest, folder: str, uid: int) -> tuple[str, str]:
    return folder, f"{chest.world.old.folder(folder).validity}/{uid}"


def test_without_restore_what_the_customer_deleted_stays_deleted(chest: Chest) -> None:
    delete(chest, "Kunden", mail("k1"))
    play(chest)
    play(chest, messages=[key_of(chest, "Kunden", 2)])
    assert mail("k1") not in there(chest, "Kunden")


def test_one_message_is_restored_and_nothing_else(chest: Chest) -> None:
    delete(chest, "Kunden", mail("k1"))
    delete(chest, "Kunden", mail("k2"))
    for _ in range(2):
        play(chest, messages=[key_of(chest, "Kunden", 2)], restore=True)
        assert there(chest, "Kunden") == sorted(mail(name) for name in ("k0", "k1", "k3"))
        assert_sums(chest.world)
    assert set(chest.world.tallies()) == {"Kunden"}
    assert chest.world.total("found") == chest.world.total("already_there") == 1


def test_one_folder_is_restored_and_restoring_twice_doubles_nothing(chest: Chest) -> None:
    for name in ("k0", "k1", "k2", "k3"):
        delete(chest, "Kunden", mail(name))
    delete(chest, "INBOX", mail("m2"))
    for number in (4, 0):
        play(chest, restore=True, rules=MappingRules(include=("Kunden",)))
        assert chest.world.total("copied") == number
        assert_same(chest.world, {"Kunden": ("Kunden",)})
    assert mail("m2") not in there(chest, "INBOX"), "the other folder was not asked for"


def test_of_twins_the_one_that_is_gone_is_restored(chest: Chest) -> None:
    for restored in (None, [key_of(chest, "INBOX", 1), key_of(chest, "INBOX", 4)]):
        delete(chest, "INBOX", mail("m0"))
        play(chest, messages=restored, restore=True)
        assert there(chest, "INBOX").count(mail("m0")) == 2


def test_what_is_still_there_is_not_doubled_not_even_under_another_key(chest: Chest) -> None:
    folder = chest.world.new.folder("Kunden")
    uid = next(uid for uid, message in folder.messages.items() if message.octets == mail("k1"))
    chest.world.new.move("Kunden", uid, "Kunden")
    assert uid not in folder.messages
    play(chest, restore=True)
    assert (chest.world.total("copied"), chest.world.total("already_there")) == (0, 8)
    assert there(chest, "Kunden").count(mail("k1")) == 1
    play(chest)
    assert chest.world.total("already_there") == 8


def test_the_customers_flags_and_moves_stay(chest: Chest) -> None:
    new = chest.world.new
    folder = new.folder("INBOX")
    uid = next(uid for uid, message in folder.messages.items() if message.octets == mail("m1"))
    folder.messages[uid] = dataclasses.replace(folder.messages[uid], flags=frozenset({"\\Flagged", "meins"}))
    new.make("Ablage")
    other = next(uid for uid, message in folder.messages.items() if message.octets == mail("m2"))
    new.move("INBOX", other, "Ablage")
    delete(chest, "Kunden", mail("k1"))
    play(chest, restore=True)
    assert folder.messages[uid].flags == {"\\Flagged", "meins"}
    assert there(chest, "Ablage") == [mail("m2")]
    assert there(chest, "INBOX").count(mail("m2")) == 1, "it is back in its old place, and once"


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_folder_that_was_deleted_as_a_whole_is_restored(chest: Chest, made_anew: bool) -> None:
    del chest.world.new.folders["Kunden"]
    if made_anew:
        chest.world.new.make("Kunden")
        chest.world.new.put("Kunden", mail("k3"), instant=days(3))
    play(chest, messages=[key_of(chest, "Kunden", 2)], restore=True)
    assert there(chest, "Kunden") == sorted([mail("k1"), mail("k3")] if made_anew else [mail("k1")])
    play(chest)
    assert len(there(chest, "Kunden")) == (2 if made_anew else 1), "what was not chosen stays deleted"
    play(chest, restore=True)
    assert_same(chest.world, {"Kunden": ("Kunden",)})


def test_under_another_mapping_what_was_carried_counts_as_there_with_restore_too(chest: Chest) -> None:
    elsewhere = MappingRules(by_hand=(("Kunden", "Akten"),))
    delete(chest, "Kunden", mail("k1"))
    for restore in (False, True):
        play(chest, rules=elsewhere, restore=restore)
        assert (chest.world.total("copied"), chest.world.total("already_there")) == (0, 8)
        assert there(chest, "Akten") == []


def test_an_earlier_point_in_time_is_restored(chest: Chest) -> None:
    chest.world.old.remove("Kunden", 2)
    archive_again(chest)
    delete(chest, "Kunden", mail("k1"))
    play(chest, restore=True)
    assert mail("k1") not in there(chest, "Kunden"), "the latest pass does not have it"
    for number in (1, 0):
        play(chest, messages=[key_of(chest, "Kunden", 2)], restore=True, number=1)
        assert (chest.world.total("copied"), there(chest, "Kunden").count(mail("k1"))) == (number, 1)


def test_unknown_messages_are_named_before_anything_is_done(chest: Chest) -> None:
    with pytest.raises(UsageError, match=r"Kunden 1/99, Ordner 1/1"):
        play(chest, messages=[("Kunden", "1/99"), ("Ordner", "1/1"), key_of(chest, "INBOX", 1)], restore=True)
    assert chest.world.total("found") == 0


def test_a_new_message_that_equals_a_deleted_one_is_not_taken_for_it(chest: Chest) -> None:
    """Only chosen messages are listed: the others were not given new keys."""
    chest.world.old.put("Kunden", mail("k0"), instant=days(0))
    archive_again(chest)
    play(chest, messages=[key_of(chest, "Kunden", 5)])
    assert there(chest, "Kunden").count(mail("k0")) == 2


def test_wherever_restoring_died_the_same_again_restores_and_doubles_nothing(chest: Chest) -> None:
    for name in ("k0", "k1", "k2"):
        delete(chest, "Kunden", mail(name))
    seen = Witness()
    play(chest, restore=True, witness=seen)
    for number in range(1, len(seen.steps) + 1, 2):
        for name in ("k0", "k1", "k2"):
            delete(chest, "Kunden", mail(name))
        with pytest.raises(Died):
            play(chest, restore=True, witness=Witness(number))
        chest.world.clock.now += 1000.0
        play(chest, restore=True, same_job=True)
        chest.world.clock.now += 1000.0
        assert_same(chest.world, {"Kunden": ("Kunden",), "INBOX": ("INBOX",)})
