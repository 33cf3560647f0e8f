"""Proofs and dry runs: they say what is so, and write nothing."""

from __future__ import annotations

import pytest

from migrator.engine.audit import Audit, audit
from migrator.engine.rehearse import rehearse
from migrator.engine.run import Options
from migrator.planning.mapping import MappingRules
from migrator.planning.verification import Kind, Level
from migrator.ports import Absence
from tests.engine.world import World, assert_sums, days, mail


@pytest.fixture
def carried(world: World) -> World:
    """Three folders, two of which are merged at the target; all of it was carried."""
    for folder in ("INBOX", "Alt", "Neu"):
        if folder != "INBOX":
            world.old.make(folder)
        for number in range(4):
            world.old.put(folder, mail(f"{folder}{number % 3}"), "\\Seen", instant=days(number % 3))
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "Zusammen"), ("Neu", "Zusammen"))))
    world.run()
    world.next_job()
    return world


def _audit(world: World, level: Level = Level.DIGESTS) -> Audit:
    before = repr([world.new.octets(), world.new.folders, world.old.folders])
    found = audit(world.ends(), world.options, level)
    assert repr([world.new.octets(), world.new.folders, world.old.folders]) == before, "a proof writes nothing"
    assert_sums(world)
    return found


@pytest.mark.parametrize("level", list(Level))
def test_what_was_carried_is_proven_on_every_level_with_twins_and_merged_folders(carried: World, level: Level) -> None:
    found = _audit(carried, level)
    assert (found.proven, found.discrepancies) == (True, [])
    assert (carried.total("found"), carried.total("already_there")) == (12, 12)


@pytest.mark.parametrize("level", list(Level))
def test_a_message_that_is_missing_at_the_target_spoils_the_proof_on_every_level(carried: World, level: Level) -> None:
    folder = carried.new.folder("Zusammen")
    del folder.messages[min(folder.messages)]
    found = _audit(carried, level)
    assert not found.proven
    assert [item.kind for item in found.discrepancies] == [Kind.MISSING]
    assert carried.total("failed") == 1


def test_a_folder_that_is_missing_at_the_target_is_all_missing(carried: World) -> None:
    del carried.new.folders["Zusammen"]
    found = _audit(carried)
    assert [item.kind for item in found.discrepancies] == [Kind.MISSING] * 8
    assert {item.folder for item in found.discrepancies} == {"Alt", "Neu"}


def test_new_mail_at_the_new_server_spoils_no_proof_and_a_second_copy_does(carried: World) -> None:
    carried.new.put("INBOX", mail("what came today"), instant=days(99))
    assert [item.kind for item in _audit(carried).discrepancies] == [Kind.EXTRA]
    assert _audit(carried).proven
    carried.new.put("INBOX", mail("INBOX1"), "\\Seen", instant=days(1))
    found = _audit(carried)
    assert sorted(item.kind for item in found.discrepancies) == [Kind.DUPLICATE, Kind.EXTRA]
    assert not found.proven


def test_flags_that_the_customer_changed_there_are_named(carried: World) -> None:
    carried.new.put("INBOX", mail("INBOX9"), instant=days(9))
    carried.old.put("INBOX", mail("INBOX9"), "\\Flagged", instant=days(9))
    assert [(item.kind, item.detail) for item in _audit(carried).discrepancies] == [(Kind.FLAGS, "\\Flagged → -")]


def test_a_message_that_the_old_server_does_not_deliver_is_not_proven_and_says_why(carried: World) -> None:
    carried.old.behaviour.absent = {("INBOX", 2): Absence.EMPTY}
    found = _audit(carried)
    first = next(item for item in found.discrepancies if item.kind is Kind.MISSING)
    assert (first.key.split("/")[1], first.detail) == ("2", "listed and not delivered")
    assert not found.proven


def test_a_dry_run_counts_what_a_run_would_carry_and_writes_nothing_at_the_target(world: World) -> None:
    for number in range(5):
        world.old.put("INBOX", mail(f"m{number}", size=100 * number), instant=days(number))
    world.run(max_octets=250)
    world.next_job()
    world.old.put("INBOX", mail("new"), instant=days(9))
    world.old.make("Other")
    world.old.put("Other", mail("elsewhere"), instant=days(9))
    before = repr([world.new.octets(), world.new.folders])
    assert rehearse(world.ends(), Options(max_octets=250)) == {"INBOX": 1, "Other": 1}
    assert repr([world.new.octets(), world.new.folders]) == before
    assert (world.total("already_there"), world.total("skipped"), world.total("copied")) == (3, 4, 0)
    assert_sums(world)
    world.next_job()
    world.run(max_octets=250)
    assert world.total("copied") == 2, "and the run does just that"
