"""A folder that a pass cannot see to its end: what is known to be missing of it is named, the rest is counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from migrator.archive.file import ArchiveFile
from migrator.archive.manifest import Signer, lines, verify
from migrator.archive.source import pass_at
from migrator.archive.target import ArchiveTarget
from migrator.errors import ConnectionLost, FolderRefused, PostwagenError
from migrator.mail.folders import FolderInfo
from migrator.ports import Letter, Opened, Page, Unread, Want
from migrator.sessions.memory import MemorySource
from tests.engine.test_archive_snapshot import by_recipe, health, record
from tests.engine.test_archiving import KEY, Chest
from tests.engine.world import World, days, mail

pytestmark = pytest.mark.slow


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    """An inbox, and a folder of six messages, of which the second has no body; pages of two."""
    world.old.make("Kunden")
    world.old.behaviour.page_rows = 2
    for number in range(3):
        world.old.put("INBOX", mail(f"a{number}"), instant=days(number))
    for number in range(6):
        world.old.put("Kunden", mail(f"k{number}"), instant=days(number))
    world.old.behaviour.nil_bodies.add(("Kunden", 2))
    return Chest(world, tmp_path)


def breaking(*, opens: bool = True, listed: int = 99, read: int = 6, error: PostwagenError | None = None) -> type:
    """A source that lists so many messages of `Kunden`, gives those up to so many, and then refuses the folder."""
    refusal = error or FolderRefused("The server does not go on with Kunden.")

    class Breaking(MemorySource):
        def survey(self, folder: str) -> Iterator[Opened | Page]:
            if folder == "Kunden" and not opens:
                raise refusal
            count = 0
            for item in super().survey(folder):
                if folder == "Kunden" and isinstance(item, Page):
                    if count >= listed:
                        raise refusal
                    count += len(item.rows)
                yield item

        def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
            for want in wants:
                if want.folder == "Kunden" and want.key.uid > read:
                    raise refusal
                yield from super().read([want])

    return Breaking


def named(chest: Chest) -> list[tuple[int, str]]:
    """UID and reason of what is missing."""
    found = health(chest)
    assert all(item.folder == "Kunden" and item.size > 0 for item in found.missing)
    return sorted((int(item.key.rpartition("/")[2]), item.reason) for item in found.missing)


def announced(chest: Chest) -> list[tuple[str, int]]:
    return [(item.folder, item.messages) for item in health(chest).unseen]


def assert_adds_up(chest: Chest) -> None:
    """Everywhere the same number: named and unnamed, in the record, in a check and in a manifest."""
    found, kept = health(chest), record(chest)
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        written = list(lines(file, pass_at(file, None), Signer(bytes(32))))
    facts = verify(written)
    missing = [json.loads(line)["missing"] for line in written[1:-1] if b'"missing"' in line]
    counted = sum(item.get("messages", 1) for item in missing)
    assert found.lacking == kept.missing == facts.missing == counted == json.loads(written[-1])["missing"]
    assert found.found == kept.found == found.messages + found.lacking
    assert [item["key"] for item in missing if "key" in item] == [item.key for item in found.missing]
    assert found.damaged == []
    assert found.is_whole == (not found.missing and not found.unseen)


def test_what_the_pass_before_missed_is_still_named_and_what_came_since_is_counted(chest: Chest) -> None:
    by_recipe(chest)
    assert named(chest) == [(2, "empty_at_source")]
    assert_adds_up(chest)
    for number in range(2):
        chest.world.old.put("Kunden", mail(f"new{number}"), instant=days(20))
    chest.world.source_of = breaking(opens=False)
    for _ in range(2):  # from a record of a failure too
        by_recipe(chest)
        assert named(chest) == [(2, "empty_at_source")]
        assert announced(chest) == [("Kunden", 2)]
        assert_adds_up(chest)
    assert health(chest).found == 3 + 8
    chest.world.source_of = MemorySource
    by_recipe(chest)
    assert (named(chest), announced(chest)) == ([(2, "empty_at_source")], [])
    assert_adds_up(chest)


def test_a_server_that_announces_no_number_is_not_said_to_have_no_more(chest: Chest) -> None:
    class Mute(breaking(opens=False)):
        def folders(self) -> Sequence[FolderInfo]:
            shut = {"Kunden": None}
            return [replace(info, messages=shut.get(info.name, info.messages)) for info in super().folders()]

    by_recipe(chest)
    chest.world.old.put("Kunden", mail("new"), instant=days(20))
    chest.world.source_of = Mute
    by_recipe(chest)
    assert (named(chest), announced(chest)) == ([(2, "empty_at_source")], [("Kunden", 0)])
    assert "does not say how many" in health(chest).unseen[0].error
    assert_adds_up(chest)


@pytest.mark.parametrize("error", [None, ConnectionLost("The connection broke.", end="source")])
def test_what_was_listed_before_the_folder_broke_is_named_one_by_one(
    chest: Chest, error: PostwagenError | None
) -> None:
    chest.world.source_of = breaking(listed=4, read=3, error=error)
    chest.world.old.make("Später")
    by_recipe(chest)
    assert named(chest) == [(2, "empty_at_source"), (4, "folder_refused")]
    assert announced(chest) == [("Kunden", 2)], "nobody ever saw the last page"
    assert [octets for octets, _, _ in chest.view()["Kunden"]] == [mail("k0"), mail("k2")]
    assert_adds_up(chest)


def test_a_listing_that_breaks_leaves_what_it_listed(chest: Chest) -> None:
    chest.world.source_of = breaking(listed=2)
    by_recipe(chest)
    assert (named(chest), announced(chest)) == ([(2, "empty_at_source")], [("Kunden", 4)])
    assert_adds_up(chest)


def test_what_could_be_read_this_time_is_missing_no_longer(chest: Chest) -> None:
    by_recipe(chest)
    chest.world.old.behaviour.nil_bodies.clear()
    chest.world.old.put("Kunden", mail("new"), instant=days(20))
    chest.world.source_of = breaking()
    by_recipe(chest)
    assert named(chest) == [(7, "folder_refused")]
    assert announced(chest) == [("Kunden", 0)]
    assert_adds_up(chest)


def test_under_another_uidvalidity_what_was_missing_has_another_key(chest: Chest) -> None:
    by_recipe(chest)
    chest.world.old.renumber("Kunden")
    for number in range(2):
        chest.world.old.put("Kunden", mail(f"new{number}"), instant=days(20))

    class Once(MemorySource):
        """New mail can be read once: then, when all keys are new, and not when it is carried."""

        given: ClassVar[set[int]] = set()

        def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
            for want in wants:
                if want.key.uid > 6 and want.key.uid in self.given:
                    raise FolderRefused("The server does not go on with Kunden.")
                self.given.add(want.key.uid)
                yield from super().read([want])

    chest.world.source_of = Once
    by_recipe(chest)
    validity = chest.world.old.folder("Kunden").validity
    assert {item.key.partition("/")[0] for item in health(chest).missing} == {str(validity)}
    assert named(chest) == [(2, "empty_at_source"), (7, "folder_refused"), (8, "folder_refused")]
    assert_adds_up(chest)


def test_a_folder_that_has_never_been_here_and_could_not_be_carried_is_missing_too(chest: Chest) -> None:
    with ArchiveFile(chest.path, KEY, writable=True, create=True) as file:
        left = [("Kunden", 6, "failed: folder_collision"), ("Spam", 3, "excluded: Spam")]
        named_so = [{"folder": name, "messages": count, "rule": rule} for name, count, rule in left]
        ArchiveTarget(file).finish({"left_out": named_so})
    assert announced(chest) == [("Kunden", 6)]
    assert [item.folder for item in health(chest).left_out] == ["Spam"]
    assert not health(chest).is_whole
    assert_adds_up(chest)


def test_mail_that_was_read_before_the_folder_broke_is_kept(chest: Chest) -> None:
    chest.world.source_of = breaking(read=5)
    by_recipe(chest)
    assert [octets for octets, _, _ in chest.view()["Kunden"]] == [mail(f"k{number}") for number in (0, 2, 3, 4)]
    assert named(chest) == [(2, "empty_at_source"), (6, "folder_refused")]
    assert_adds_up(chest)
