"""Folders that were never carried go in one stream; what is odd about one of them is none of the others' business."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import pytest
from sqlalchemy import update

from migrator.db.models import JobFolder
from migrator.engine import together
from migrator.engine.unchanged import MOST_UNLOOKED
from migrator.errors import ConnectionLost, FolderRefused, TargetFull
from migrator.mail.folders import FolderInfo
from migrator.planning import batches
from migrator.planning.mapping import MappingRules
from migrator.ports import Changes, FolderPair, Letter, Opened, Page, Traits, Unread, Want
from migrator.sessions.memory import Break, MemorySource, MemoryTarget
from tests.engine.world import Telling, World, assert_at_rest, assert_same, assert_sums, days, mail

NAMES = ("INBOX", "A", "B", "C")
ALL = {name: (name,) for name in NAMES}


@pytest.fixture
def filled(world: World) -> World:
    """Four folders of five messages each."""
    for name in NAMES:
        if name != "INBOX":
            world.old.make(name)
        for number in range(5):
            world.old.put(name, mail(f"{name}{number}"), "\\Seen", instant=days(number))
    return world


@pytest.fixture
def appends(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The target folders of each run of appending."""
    seen: list[set[str]] = []
    append = MemoryTarget.append

    def watched(self: MemoryTarget, batches: object, **more: object) -> object:
        seen.append(set())

        def noted() -> Iterator[object]:
            for batch in batches:  # type: ignore[attr-defined]  # an iterable
                seen[-1].add(batch.folder.name)
                yield batch

        return append(self, noted(), **more)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(MemoryTarget, "append", watched)
    return seen


def test_all_folders_are_appended_in_one_stream_and_again_nothing_is(filled: World, appends: list[set[str]]) -> None:
    filled.run()
    assert appends == [set(NAMES)]
    assert_same(filled, ALL)
    assert_sums(filled)
    assert_at_rest(filled)


def test_folders_that_are_known_are_carried_one_by_one(filled: World, appends: list[set[str]]) -> None:
    filled.run()
    appends.clear()
    for name in NAMES:
        filled.old.put(name, mail(f"{name} new"), instant=days(9))
    filled.run()
    assert appends == [{name} for name in NAMES]
    assert_same(filled, ALL)


def test_a_folder_that_the_source_refuses_fails_alone(filled: World, appends: list[set[str]]) -> None:
    class Shut(MemorySource):
        def survey(self, folder: str) -> Iterator[Opened | Page]:
            if folder == "A":
                raise FolderRefused("not yours", code="folder_refused")
            yield from super().survey(folder)

    filled.source_of = Shut
    outcome = filled.run()
    assert [info.name for info, _ in outcome.failed_folders] == ["A"]
    assert outcome.carried_folders == 3
    assert appends == [{"INBOX", "B", "C"}]
    assert_same(filled, {name: (name,) for name in NAMES if name != "A"})
    assert_sums(filled)


def test_a_folder_that_hides_messages_at_its_end_keeps_what_was_copied_of_it(filled: World) -> None:
    class Hiding(MemorySource):
        def survey(self, folder: str) -> Iterator[Opened | Page]:
            yield from super().survey(folder)
            if folder == "A":
                raise FolderRefused("hides 3 messages")

    filled.source_of = Hiding
    outcome = filled.run()
    assert [info.name for info, _ in outcome.failed_folders] == ["A"]
    assert_same(filled, ALL)
    assert_sums(filled)


def test_a_message_that_breaks_connections_hinders_its_own_folder_only(filled: World, appends: list[set[str]]) -> None:
    poisoned = mail("B2")
    filled.new.behaviour.poison = lambda octets: Break() if octets == poisoned else None
    filled.run()
    assert filled.failures() == {"B/3": "connection_lost_on_append"}
    assert sum("C" in names for names in appends) == sum("INBOX" in names for names in appends) == 1
    filled.old.remove("B", 3)
    assert_same(filled, ALL)
    assert_sums(filled)


@pytest.mark.parametrize(
    "broken", [Break(), Break(after_commit=True, stored=False), Break(after_commit=True, seconds=9)]
)
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_break_in_the_stream_loses_and_doubles_nothing(filled: World, broken: Break, nth: int) -> None:
    filled.new.behaviour.breaks[nth] = broken
    filled.run()
    assert_same(filled, ALL)
    assert_sums(filled)
    assert_at_rest(filled)


def test_a_mailbox_that_gets_full_ends_everything_and_is_gone_on_with(filled: World) -> None:
    filled.new.behaviour.quota = sum(len(mail("A0")) for _ in range(12))
    with pytest.raises(TargetFull):
        filled.run()
    filled.new.behaviour.quota = None
    filled.run()
    assert_same(filled, ALL)
    assert_sums(filled)


def test_folders_that_are_merged_are_not_in_one_stream(filled: World, appends: list[set[str]]) -> None:
    filled.options = filled.options.__class__(rules=MappingRules(by_hand=(("B", "A"), ("C", "A"))))
    filled.run()
    assert appends[0] == {"INBOX", "A"}
    assert appends[1:] == [{"A"}, {"A"}]
    assert_same(filled, {"INBOX": ("INBOX",), "A": ("A", "B", "C")})


def pair(*path: str, messages: int = 1) -> FolderPair:
    return FolderPair(FolderInfo("/".join(path), path, messages=messages), path, None)


class Told:
    """A target of which only the traits are asked."""

    def __init__(self, **traits: bool) -> None:
        self.traits = Traits(**traits)


def test_which_folders_go_together() -> None:
    one, other, large = pair("A"), pair("B"), pair("C", messages=together.MOST_MESSAGES + 1)
    fit = together.fit_together
    assert fit([one, other], Told()) == [one, other]  # type: ignore[arg-type]  # only its traits are asked
    assert fit([one], Told()) == []  # type: ignore[arg-type]  # as above
    assert fit([one, pair("a "), other], Told()) == []  # type: ignore[arg-type]  # some servers take them for one
    assert fit([large, one, other], Told()) == []  # type: ignore[arg-type]  # it is enough by itself
    assert fit([one, other, large], Told()) == [one, other]  # type: ignore[arg-type]  # as above
    assert fit([one, other], Told(reports_keys=False)) == []  # type: ignore[arg-type]  # each needs a look afterwards
    assert fit([one, other], Told(keeps_history=True)) == []  # type: ignore[arg-type]  # nothing is waited for there
    many = [pair(f"N{number}") for number in range(together.MOST_FOLDERS + 5)]
    assert fit(many, Told()) == many[: together.MOST_FOLDERS]  # type: ignore[arg-type]  # as above


def test_which_folders_are_listed_together() -> None:
    def lots(*numbers: int | None) -> list[list[int | None]]:
        infos = [FolderInfo("x", ("x",), messages=number) for number in numbers]
        return [[info.messages for info in lot] for lot in batches.listed_together(infos)]

    most = batches.ROWS_TOGETHER
    assert lots(1, 2, 3) == [[1, 2, 3]]
    assert lots(1, None, 2, 0, 3) == [[1], [None], [2, 0, 3]]
    assert lots(1, most, 2, most - 2, 1) == [[1], [most], [2, most - 2], [1]]
    assert lots(most + 1, 1) == [[most + 1], [1]]
    assert [len(lot) for lot in lots(*[1] * (batches.FOLDERS_TOGETHER + 1))] == [batches.FOLDERS_TOGETHER, 1]


# ---- folders in which nothing has changed --------------------------------------------------------------------------


@pytest.fixture
def whole(filled: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """All four were carried, and the source tells in a word what is in each."""
    monkeypatch.setattr(Telling, "looked", [])
    filled.source_of = Telling
    filled.run()
    filled.next_job()
    Telling.looked.clear()
    return filled


def test_nothing_is_looked_at_where_nothing_has_changed_and_the_sum_is_told(whole: World) -> None:
    outcome = whole.run()
    assert Telling.looked == []
    assert outcome.carried_folders == 4
    assert (whole.total("found"), whole.total("already_there")) == (20, 20)
    assert_sums(whole)


@pytest.mark.parametrize("change", ["come", "gone", "flagged", "renumbered"])
def test_whatever_changes_in_a_folder_is_carried_and_all_else_is_not_looked_at(whole: World, change: str) -> None:
    """Where nothing is gone, the folder's other messages are not listed either."""
    if change == "come":
        whole.old.put("B", mail("new"), instant=days(9))
    elif change == "gone":
        whole.old.remove("B", 2)
    elif change == "flagged":
        messages = whole.old.folders["B"].messages
        messages[2] = dataclasses.replace(messages[2], flags=frozenset({"\\Flagged"}))
    else:
        whole.old.renumber("B")
    whole.run()
    assert set(Telling.looked) == (set() if change in ("come", "flagged") else {"B"})
    assert whole.total("octets_found") >= whole.total("octets")
    if change != "gone":
        assert_same(whole, ALL)
    assert_sums(whole)
    whole.next_job()
    Telling.looked.clear()
    whole.run()
    assert Telling.looked == []


def test_a_target_folder_that_was_made_anew_is_noticed(whole: World) -> None:
    whole.new.recreate("C")
    whole.run(recreated="replay")
    assert set(Telling.looked) == {"C"}
    assert_same(whole, ALL)


def test_a_folder_with_a_failure_is_looked_at_each_time(whole: World) -> None:
    whole.old.put("A", mail("nil"), instant=days(9))
    refused = mail("nil")
    whole.new.behaviour.refuses = lambda octets: octets == refused
    for looked in ([], ["A"], ["A"]):
        whole.run()
        assert Telling.looked == looked, "the first time it is enough to see what has changed"
        assert whole.total("failed") == 1
        whole.next_job()
        Telling.looked.clear()
    whole.new.behaviour.refuses = lambda _: False
    whole.run()
    assert_same(whole, ALL)


def test_a_folder_with_a_message_that_a_rule_left_behind_is_looked_at_each_time(whole: World) -> None:
    whole.old.put("A", mail("big", size=5000), instant=days(9))
    whole.run(max_octets=1000)
    assert whole.total("skipped") == 1
    whole.next_job()
    whole.run()
    assert_same(whole, ALL)


def test_of_a_source_that_tells_no_sizes_at_least_what_is_new_is_shown(whole: World) -> None:
    class Sizeless(Telling):
        def folders(self) -> Sequence[FolderInfo]:
            return [dataclasses.replace(info, octets=None) for info in super().folders()]

    whole.old.put("B", mail("new", size=5000), instant=days(9))
    whole.source_of = Sizeless
    whole.run()
    assert (Telling.looked, whole.total("octets_found"), whole.total("octets")) == ([], 5000, 5000)


def test_a_source_that_tells_changes_only_is_listed_whole_in_time(whole: World) -> None:
    for number in range(MOST_UNLOOKED):
        whole.old.put("B", mail(f"more {number}"), instant=days(9))
        whole.run()
        assert Telling.looked == []
        assert (whole.total("found"), whole.total("copied")) == (21 + number, 1)
        assert_sums(whole)
        whole.next_job()
    whole.old.put("B", mail("the last"), instant=days(9))
    whole.run()
    assert set(Telling.looked) == set(NAMES)
    assert_same(whole, ALL)


def test_a_change_that_cannot_be_carried_makes_the_folder_be_listed_the_next_time(whole: World) -> None:
    refused = mail("nil")
    whole.old.put("B", refused, instant=days(9))
    whole.new.behaviour.refuses = lambda octets: octets == refused
    whole.run()
    assert (Telling.looked, whole.total("failed"), whole.total("already_there")) == ([], 1, 20)
    assert_sums(whole)
    whole.next_job()
    whole.new.behaviour.refuses = lambda _: False
    whole.run()
    assert set(Telling.looked) == {"B"}
    assert_same(whole, ALL)


def test_a_break_amid_changes_loses_and_doubles_nothing(whole: World) -> None:
    for number in range(6):
        whole.old.put("B", mail(f"more {number}"), instant=days(9))
    whole.new.behaviour.breaks = {whole.new.appends + 1: Break(after_commit=True, seconds=5.0)}
    whole.run()
    assert_same(whole, ALL)
    assert_sums(whole)
    assert whole.total("copied") == 6


def test_a_folder_that_goes_elsewhere_now_is_looked_at(whole: World) -> None:
    whole.options = whole.options.__class__(rules=MappingRules(by_hand=(("B", "Z"),)))
    whole.run()
    assert set(Telling.looked) == {"B"}


def test_a_server_may_be_wrong_about_itself_so_every_folder_is_looked_at_again_in_time(whole: World) -> None:
    runs = 0
    while not Telling.looked:
        whole.run()
        whole.next_job()
        runs += 1
        assert runs < 20
    assert set(Telling.looked) == set(NAMES)
    assert runs == 7


def test_a_later_slice_of_the_same_job_says_what_the_job_has_copied(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Telling, "looked", [])
    filled.source_of = Telling
    filled.run()
    octets = filled.total("octets")
    Telling.looked.clear()
    for _ in range(9):
        filled.run()
    assert Telling.looked == []
    assert (filled.total("copied"), filled.total("already_there"), filled.total("octets")) == (20, 0, octets)


def test_a_job_that_is_tried_again_says_what_it_has_copied(whole: World) -> None:
    whole.old.put("B", mail("new"), instant=days(9))
    whole.run()
    with whole.db.writing() as session:
        session.execute(update(JobFolder).values(state="open"))
    Telling.looked.clear()
    whole.run()
    assert set(Telling.looked) == {"B"}
    assert (whole.total("copied"), whole.total("already_there")) == (1, 20)


def test_the_only_folder_that_has_changed_fails_alone_where_it_breaks_every_connection(whole: World) -> None:
    class Breaking(Telling):
        def survey(self, folder: str) -> Iterator[Opened | Page]:
            if folder == "B":
                self._broken = True
                raise ConnectionLost("it breaks")
            yield from super().survey(folder)

        def changes(self, folder: str, state: str) -> Changes | None:
            return None

    whole.old.put("B", mail("new"), instant=days(9))
    whole.source_of = Breaking
    assert [info.name for info, _ in whole.run().failed_folders] == ["B"]


def test_a_message_is_not_blamed_for_what_the_same_number_did_in_another_folder(filled: World) -> None:
    class Unlucky(MemorySource):
        once: ClassVar[list[int]] = [1]

        def _read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
            for want in wants:
                if want.folder == "B" and want.key.uid == 1 and self.once:
                    self.once.clear()
                    self._broken = True
                    raise ConnectionLost("a single loss")
                yield from super()._read([want])

    for name in ("A", "B"):
        filled.old.folders[name].validity = 7
    filled.reads_ahead, filled.source_of = True, Unlucky
    filled.old.behaviour.breaks_reading = {("A", 1)}
    filled.run()
    assert set(filled.failures()) == {"A/1"}
    assert_sums(filled)
