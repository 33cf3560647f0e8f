"""Folders side by side: at the same time, each once, whatever becomes of one of the lanes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from migrator.engine.lanes import in_lanes
from migrator.engine.run import Ends
from migrator.errors import ConnectionLost, Defect, Fenced, ServerBusy, Stopped, TargetFull
from migrator.mail.folders import FolderInfo
from migrator.ports import FolderPair, Opened, Page
from migrator.sessions.memory import MemorySource
from tests.engine.world import World, always_side_by_side, assert_at_rest, assert_same, assert_sums, mail

WITHIN = 20.0
ONE, OTHER = (FolderPair(FolderInfo(name, (name,)), (name,), None) for name in ("one", "other"))


def two(lanes: int) -> list[list[FolderPair]]:
    return [[ONE], [OTHER]] if lanes > 1 else [[ONE, OTHER]]


def filled(world: World) -> World:
    world.old.make("Sent")
    for name in ("INBOX", "Sent"):
        for number in range(6):
            world.old.put(name, mail(f"{name}{number}"))
    world.lanes = 2
    return world


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_two_folders_are_filled_at_the_same_time(
    world: World, monkeypatch: pytest.MonkeyPatch, reads_ahead: bool
) -> None:
    always_side_by_side(monkeypatch)
    filled(world).reads_ahead = reads_ahead
    met, seen = threading.Barrier(2, timeout=WITHIN), set[int]()

    def meet(step: str) -> None:
        if step == "target.commit" and threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            met.wait()

    world.run(meet)
    assert len(seen) == 2
    assert_same(world, {"INBOX": ("INBOX",), "Sent": ("Sent",)})
    assert_sums(world)
    assert_at_rest(world)


def test_where_the_server_takes_one_connection_only_it_carries_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    always_side_by_side(monkeypatch)
    filled(world)

    @contextmanager
    def refused() -> Iterator[Ends]:
        raise ServerBusy("Too many connections.", end="target")
        yield

    real = world.ends

    def ends(*arguments: object) -> Ends:
        return replace(real(*arguments), another=refused)

    monkeypatch.setattr(world, "ends", ends)
    world.run()
    assert [event.fields["end"] for event in world.heard if event.name == "fewer_connections"] == ["target"]
    assert_same(world, {"INBOX": ("INBOX",), "Sent": ("Sent",)})
    assert_sums(world)


def test_what_breaks_one_lane_does_not_stop_the_other(world: World) -> None:
    carried = []

    def carry(_: Ends, share: Sequence[FolderPair]) -> None:
        if share == [ONE]:
            raise ConnectionLost("broke")
        carried.extend(share)

    with pytest.raises(ConnectionLost):
        in_lanes(world.ends(), two, 2, carry)
    assert carried == [OTHER]


@pytest.mark.parametrize("who", [ONE, OTHER])
@pytest.mark.parametrize("error", [Fenced("taken over"), KeyboardInterrupt(), ValueError("x"), Defect("a bug")])
def test_who_has_lost_the_right_to_work_stops_all_lanes(world: World, who: FolderPair, error: BaseException) -> None:
    stopped = threading.Event()

    def carry(ends: Ends, share: Sequence[FolderPair]) -> None:
        if who in share:
            raise error
        while not ends.stop.wanted():
            assert not stopped.wait(0.001)
        assert not ends.stop.may_commit()
        raise Stopped("Stopped between two batches.")

    with pytest.raises(type(error)):
        in_lanes(world.ends(), two, 2, carry)


def test_a_stop_weighs_more_than_what_hit_one_end(world: World) -> None:
    def carry(_: Ends, share: Sequence[FolderPair]) -> None:
        raise ConnectionLost("broke") if share == [ONE] else Stopped("paused")

    with pytest.raises(Stopped):
        in_lanes(world.ends(), two, 2, carry)


def test_further_ends_are_closed_whatever_happens(world: World) -> None:
    closed = []

    @contextmanager
    def another() -> Iterator[Ends]:
        try:
            yield world.ends()
        finally:
            closed.append(True)

    def carry(_: Ends, share: Sequence[FolderPair]) -> None:
        raise ConnectionLost("broke")

    with pytest.raises(ConnectionLost):
        in_lanes(replace(world.ends(), another=another), two, 2, carry)
    assert closed == [True]


class Breaking(MemorySource):
    """Every connection breaks in these folders."""

    names: frozenset[str] = frozenset()

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        if folder in self.names:
            raise ConnectionLost("broke")
        yield from super().survey(folder)


def test_a_folder_that_breaks_every_connection_fails_alone_though_it_is_the_last_of_its_lane(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    always_side_by_side(monkeypatch)
    filled(world).source_of = type("Some", (Breaking,), {"names": frozenset({"Sent"})})
    outcome = world.run()
    assert [(info.name, error["code"]) for info, error in outcome.failed_folders] == [("Sent", "connection_lost")]
    assert_same(world, {"INBOX": ("INBOX",)})
    assert_sums(world)


def test_a_server_that_breaks_every_connection_fails_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    always_side_by_side(monkeypatch)
    filled(world).source_of = type("All", (Breaking,), {"names": frozenset({"INBOX", "Sent"})})
    with pytest.raises(ConnectionLost):
        world.run()


def test_what_only_a_person_can_mend_weighs_more_than_what_time_does(world: World) -> None:
    def carry(_: Ends, share: Sequence[FolderPair]) -> None:
        raise ConnectionLost("broke") if share == [ONE] else TargetFull("full")

    ends = world.ends()
    with pytest.raises(TargetFull):
        in_lanes(ends, two, 2, carry)
    assert [event.fields for event in world.heard if event.name == "lane_failed"] == [{"code": "connection_lost"}]


def test_a_server_that_refuses_a_connection_is_not_asked_for_more(world: World) -> None:
    asked = []

    @contextmanager
    def refused() -> Iterator[Ends]:
        asked.append(True)
        raise ServerBusy("Too many connections.", end="target")
        yield

    pairs = [FolderPair(FolderInfo(str(number), (str(number),)), (str(number),), None) for number in range(9)]
    carried: list[FolderPair] = []
    in_lanes(
        replace(world.ends(), another=refused),
        lambda lanes: [pairs[at::lanes] for at in range(lanes)],
        9,
        lambda _, share: carried.extend(share),
    )
    assert (len(asked), carried) == (1, pairs)
