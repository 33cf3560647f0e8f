"""Ends that change between two runs, hide what they have, or break at the same place every time.

Each of these once lost, doubled or misreported mail.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.engine.audit import audit
from migrator.engine.run import Options, run
from migrator.errors import ConnectionLost, FolderRefused, ServerBusy, Stopped
from migrator.mail.folders import Namespace, Role
from migrator.planning.mapping import MappingRules
from migrator.planning.verification import Level
from migrator.ports import Absence
from migrator.sessions.memory import Break, FakeStop, MemoryMessage
from migrator.sessions.memory_server import MemoryFolder, MemoryServer
from tests.engine.world import Died, World, assert_at_rest, assert_same, assert_sums, days, mail


def fill(world: World, folder: str, count: int) -> None:
    if folder not in world.old.folders:
        world.old.make(folder)
    for number in range(count):
        world.old.put(folder, mail(f"{folder}{number}"), instant=days(number))


def there(world: World) -> int:
    """Messages at the new server, in whatever folder."""
    world.clock.now += 1000
    world.new.arrive()
    return sum(len(folder.messages) for folder in world.new.folders.values())


def die_at(name: str) -> Callable[[str], None]:
    """A witness that lets the process die at the first step of this name."""

    def witness(step: str) -> None:
        if step == name:
            raise Died(step)

    return witness


def dropping(world: World, drops: Callable[[list[int]], list[int]]) -> None:
    """The new server says OK and keeps nothing of these UIDs."""
    real = MemoryServer.store

    def store(self: MemoryServer, name: str, messages: list[MemoryMessage]) -> list[int]:
        uids = real(self, name, messages)
        for uid in drops(uids):
            self.folders[name].messages.pop(uid)
        return uids

    world.new.store = store.__get__(world.new)


# ---- in doubt, and the mapping is another one today ----------------------------------------------------------------


def test_what_was_in_doubt_is_carried_when_a_rule_sends_its_folder_elsewhere(world: World) -> None:
    fill(world, "Alt", 2)
    with pytest.raises(Died):
        world.run(die_at("target.append"))
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "Neu"),)))
    world.clock.now += 1000
    world.run()
    assert_sums(world)
    assert there(world) == 2
    assert_at_rest(world)


@pytest.mark.parametrize("arrived", [True, False])
def test_what_was_in_doubt_is_there_once_when_the_new_server_names_another_folder_for_the_role(
    world: World, arrived: bool
) -> None:
    world.old.make("Sent", role=Role.SENT)
    for number in range(2):
        world.old.put("Sent", mail(f"s{number}"), instant=days(number))
    with pytest.raises(Died):
        world.run(die_at("target.stored" if arrived else "target.append"))
    world.new.folders["Sent"].role = None
    world.new.make("Sent Items", role=Role.SENT)
    world.clock.now += 1000
    world.run()
    assert_sums(world)
    assert there(world) == 2


def test_what_was_in_doubt_in_a_folder_that_is_not_there_any_more_is_carried(world: World) -> None:
    fill(world, "Alt", 2)
    with pytest.raises(Died):
        world.run(die_at("target.append"))
    del world.new.folders["Alt"]
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "Neu"),)))
    world.run()
    assert_sums(world)
    assert there(world) == 2


def test_a_folder_in_doubt_that_is_listed_in_another_case_is_looked_into_and_not_taken_for_gone(world: World) -> None:
    """Yahoo lists `Inbox` and opens `INBOX` (quirks.md, 23): taken for gone, its mail would be sent again."""
    fill(world, "Alt", 2)
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "INBOX"),)))
    with pytest.raises(Died):
        world.run(die_at("target.stored"))
    world.new.folders = _Caseless({"Inbox": world.new.folders["INBOX"]})
    world.new.folders["Inbox"].name = "Inbox"
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "Neu"),)))
    world.clock.now += 1000
    world.run()
    assert_sums(world)
    assert there(world) == 2


def test_a_folder_in_doubt_that_cannot_be_opened_stays_in_doubt_and_stops_no_other(world: World) -> None:
    fill(world, "Alt", 2)
    fill(world, "B", 1)
    with pytest.raises(Died):
        world.run(die_at("target.stored"))
    world.new.folders["Alt"].selectable = False
    world.options = Options(rules=MappingRules(by_hand=(("Alt", "Neu"),)))
    world.clock.now += 1000
    world.run()
    assert set(world.failures().values()) == {"in_doubt"}
    assert len(world.new.folders["B"].messages) == 1
    assert_sums(world)


# ---- in doubt, and the new server does not let us see --------------------------------------------------------------


def test_a_candidate_that_is_listed_and_not_delivered_is_not_taken_for_absent(world: World) -> None:
    fill(world, "INBOX", 1)
    world.new.behaviour.breaks = {1: Break(after_commit=True, stored=True)}
    world.new.behaviour.nil_bodies = {("INBOX", uid) for uid in range(1, 9)}
    world.run()
    assert (there(world), world.failures()) == (1, {"INBOX/1": "in_doubt"})
    assert_sums(world)
    world.new.behaviour.nil_bodies = set()
    world.next_job()
    world.run()
    assert (there(world), world.failures(), world.total("copied")) == (1, {}, 1)


def test_a_message_that_breaks_the_line_when_sent_and_when_read_back_is_there_once(world: World) -> None:
    fill(world, "INBOX", 1)
    world.new.behaviour.poison = lambda _: Break(after_commit=True, stored=True)
    world.new.behaviour.breaks_reading = {("INBOX", uid) for uid in range(1, 99)}
    world.run()
    assert (there(world), world.failures()) == (1, {"INBOX/1": "in_doubt"})
    assert_sums(world)


def test_doubt_in_a_folder_that_then_fails_is_waited_for_by_the_next_folder_too(world: World) -> None:
    fill(world, "A", 3)
    fill(world, "B", 1)
    world.options = Options(rules=MappingRules(by_hand=(("A", "X"), ("B", "X"))))
    world.new.behaviour.breaks = {1: Break(), 3: Break(after_commit=True, stored=True, seconds=20.0)}
    refused: list[str] = []

    def touch(step: str) -> None:
        if step == "read" and world.new.appends >= 3 and not refused:
            refused.append(step)
            raise FolderRefused("the old server closes this folder")

    ends = world.ends()
    world.old.behaviour.touch = touch
    world.clock.now = 100.0
    run(ends, world.options)
    world.old.behaviour.touch = lambda _: None
    world.next_job()
    world.run()
    assert_same(world, {"X": ("A", "B")})


def test_a_twin_in_doubt_does_not_take_its_brothers_place_when_the_target_is_renumbered(world: World) -> None:
    fill(world, "INBOX", 6)
    for number in range(2):
        world.old.put("INBOX", mail("twin"), instant=days(1))
        if number == 0:
            world.run()
    with pytest.raises(Died):
        world.run(die_at("target.append"))
    world.new.renumber("INBOX")
    world.clock.now += 1000
    world.run()
    assert_same(world, {"INBOX": ("INBOX",)})
    assert_at_rest(world)


# ---- accepted, and not kept ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reports_keys", [True, False])
def test_what_the_new_server_drops_after_its_ok_is_not_called_copied(world: World, reports_keys: bool) -> None:
    fill(world, "INBOX", 3)
    world.new.behaviour.reports_keys = reports_keys
    dropping(world, lambda uids: uids)
    world.run()
    assert (world.total("copied"), world.total("failed")) == (0, 3)
    assert set(world.failures().values()) == {"not_seen_again"}
    assert ("not_seen_again", "INBOX") in world.warnings()
    assert_sums(world)
    world.next_job()
    world.run()
    assert set(world.failures().values()) == {"not_seen_again"}, "every job says so, and none sends it again"
    assert there(world) == 0


def test_what_was_dropped_in_a_slice_that_was_stopped_is_noticed_by_the_next_one(world: World) -> None:
    fill(world, "INBOX", 8)
    dropping(world, lambda uids: uids[:1] if world.new.appends == 1 else [])
    with pytest.raises(Stopped):
        world.run(stop=FakeStop(at=8))
    world.run()
    assert ("not_seen_again", "INBOX") in world.warnings()
    assert (world.total("copied"), world.total("failed")) == (7, 1)
    assert_sums(world)


def test_mail_that_a_server_without_uidplus_rewrites_beyond_recognition_is_there_all_the_same(world: World) -> None:
    fill(world, "INBOX", 3)
    world.new.behaviour.reports_keys = world.new.behaviour.keeps_dates = False
    count = iter(range(1000))
    world.new.behaviour.alters = lambda octets: b"X-Scanned: %d\r\nMessage-ID: <new>\r\n\r\n" % next(count) + octets
    world.run()
    assert (world.total("copied"), world.total("failed"), there(world)) == (3, 0, 3)


def test_what_is_dropped_in_a_folder_into_which_two_are_merged_is_booked_for_its_own(world: World) -> None:
    fill(world, "A", 3)
    fill(world, "B", 3)
    world.options = Options(rules=MappingRules(by_hand=(("A", "X"), ("B", "X"))))
    dropping(world, lambda uids: uids[:1])
    world.run()
    for name in ("A", "B"):
        row = world.tallies()[name]
        assert row.failed > 0
        assert row.copied + row.failed == 3
    assert world.total("copied") == there(world)
    assert_sums(world)


def test_what_the_customer_deletes_later_is_no_failure_of_ours(world: World) -> None:
    fill(world, "INBOX", 3)
    world.run()
    world.new.remove("INBOX", 1)
    world.next_job()
    fill(world, "INBOX", 1)
    world.run()
    assert (world.failures(), world.warnings()) == ({}, set())


# ---- a source that renumbers and rewrites --------------------------------------------------------------------------


def test_a_source_that_renumbers_its_folder_and_rewrites_its_mail_doubles_nothing(world: World) -> None:
    fill(world, "INBOX", 50)
    world.run()
    for message in world.old.folder("INBOX").messages.values():
        message.octets = b"X-Store: 2\r\n" + message.octets
    world.old.renumber("INBOX")
    world.next_job()
    world.run()
    assert there(world) == 50


def test_a_message_that_could_not_be_read_while_its_folder_was_recognised_is_recognised_later(world: World) -> None:
    fill(world, "INBOX", 5)
    world.run()
    world.old.renumber("INBOX")
    world.old.behaviour.absent = {("INBOX", 3): Absence.EMPTY}
    world.next_job()
    world.run()
    world.old.behaviour.absent = {}
    world.next_job()
    world.run()
    assert (there(world), world.total("already_there")) == (5, 5)


# ---- folders -------------------------------------------------------------------------------------------------------


class _Enough(BaseException):
    pass


def test_a_listing_that_breaks_at_the_same_page_each_time_is_given_up(world: World) -> None:
    fill(world, "INBOX", 6)
    world.old.behaviour.page_rows = 2
    count = {"pages": 0, "opens": 0}

    def touch(step: str) -> None:
        if step == "open":
            count["opens"], count["pages"] = count["opens"] + 1, 0
            if count["opens"] > 100:
                raise _Enough
        if step == "page":
            count["pages"] += 1
            if count["pages"] == 3:
                raise ConnectionLost("the server dies at this message")

    ends = world.ends()
    world.old.behaviour.touch = touch
    with pytest.raises(ConnectionLost):
        run(ends, world.options)


def _closes(world: World, *names: str) -> None:
    real = world.old.folder

    def folder(name: str) -> MemoryFolder:
        if name in names:
            raise ConnectionLost("BYE")
        return real(name)

    world.old.folder = folder


def test_a_folder_that_breaks_every_connection_fails_alone(world: World) -> None:
    fill(world, "A", 2)
    fill(world, "B", 2)
    _closes(world, "A")
    outcome = world.run()
    assert [info.name for info, _ in outcome.failed_folders] == ["A"]
    assert len(world.new.folders["B"].messages) == 2


def test_a_folder_that_is_busy_is_left_for_later_and_not_called_failed(world: World) -> None:
    fill(world, "A", 2)
    fill(world, "B", 2)
    real = world.old.folder

    def folder(name: str) -> MemoryFolder:
        if name == "A":
            raise ServerBusy("[INUSE] come back")
        return real(name)

    world.old.folder = folder  # as a server in a bad hour
    with pytest.raises(ServerBusy):
        world.run()
    assert len(world.new.folders["B"].messages) == 2, "the others were carried"
    world.old.folder = real
    world.run()
    assert_same(world, {"A": ("A",), "B": ("B",)})
    assert world.total("failed") == 0


def test_a_server_that_breaks_in_every_folder_is_a_lost_connection(world: World) -> None:
    fill(world, "A", 2)
    fill(world, "B", 2)
    _closes(world, "A", "B", "INBOX")
    with pytest.raises(ConnectionLost):
        world.run()


def test_a_folder_that_goes_between_two_slices_is_ended_and_the_sum_adds_up(world: World) -> None:
    fill(world, "Alt", 8)
    with pytest.raises(Stopped):
        world.run(stop=FakeStop(at=9))
    del world.old.folders["Alt"]
    world.run()
    assert_sums(world)
    assert world.tallies()["Alt"].state == "done"


def test_a_folder_that_is_excluded_when_the_job_is_retried_adds_up(world: World) -> None:
    fill(world, "Alt", 3)
    world.run()
    world.options = Options(rules=MappingRules(exclude=("Alt",)))
    world.run()
    assert_sums(world)


class _Caseless(dict[str, MemoryFolder]):
    """Folders of a server that takes `a` and `A` for one."""

    def _known(self, name: str) -> str:
        return next((known for known in dict.__iter__(self) if known.casefold() == name.casefold()), name)

    def __getitem__(self, name: str) -> MemoryFolder:
        return super().__getitem__(self._known(name))

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(self._known(name), default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._known(str(name)))


@pytest.mark.parametrize("caseless", [True, False])
def test_folders_that_a_server_takes_for_one_stay_two(world: World, caseless: bool) -> None:
    if caseless:
        world.new.folders = _Caseless(world.new.folders)
    fill(world, "Projekte", 1)
    fill(world, "projekte", 1)
    world.run()
    assert ("folder_renamed", "projekte") in world.warnings()
    assert [len(world.new.folders[name].messages) for name in ("Projekte", "projekte (2)")] == [1, 1]
    world.next_job()
    assert audit(world.ends(), world.options, Level.DIGESTS).discrepancies == []


# ---- proofs --------------------------------------------------------------------------------------------------------


def test_a_folder_that_has_a_number_is_proven_under_it(world: World) -> None:
    fill(world, "a_b", 1)
    fill(world, "a.b", 1)
    world.old.namespace, world.new.namespace = Namespace("", "/"), Namespace("", ".")
    world.run()
    world.next_job()
    found = audit(world.ends(), world.options, Level.DIGESTS)
    assert found.discrepancies == []
    assert set(world.new.folders) == {"INBOX", "a_b", "a_b (2)"}


def test_a_folder_that_was_given_a_plainer_name_is_proven_under_it(world: World) -> None:
    fill(world, "Rechnungen 2.0", 2)
    world.new.behaviour.refuses_name = lambda name: "." in name
    world.run()
    assert "Rechnungen 2_0" in world.new.folders
    world.next_job()
    assert audit(world.ends(), world.options, Level.DIGESTS).discrepancies == []


# ---- flags and other words -----------------------------------------------------------------------------------------


def test_a_keyword_that_is_only_written_in_another_case_is_no_change(world: World) -> None:
    world.new.behaviour.keywords = frozenset({"$Work"})
    uid = world.old.put("INBOX", mail("a"), "$Work", instant=days(1))
    world.run()
    world.old.folder("INBOX").messages[uid].flags = frozenset({"$work"})
    world.next_job()
    world.run()
    (message,) = world.new.folder("INBOX").messages.values()
    assert message.flags == {"$Work"}


@pytest.mark.parametrize("odd", ["foo bar", "foo\x1cbar", "foo%20bar", "50%"])
def test_a_flag_with_a_blank_in_it_is_one_flag_and_touches_no_other(world: World, odd: str) -> None:
    uid = world.old.put("INBOX", mail("a"), instant=days(1))
    world.old.folder("INBOX").messages[uid].flags = frozenset({odd})
    world.run()
    (message,) = world.new.folder("INBOX").messages.values()
    message.flags = message.flags | {"foo"}  # the customer's own
    world.next_job()
    world.run()
    assert "foo" in message.flags
    assert world.total("flag_changes") == 0


def test_dates_before_1970_are_replaced_by_the_date_header(world: World) -> None:
    dated = b"Date: Mon, 05 Mar 2001 01:02:03 +0100\r\n" + mail("a")
    world.old.put("INBOX", dated, instant=datetime(1901, 1, 1, tzinfo=UTC))
    world.run()
    (message,) = world.new.folder("INBOX").messages.values()
    assert message.instant == datetime(2001, 3, 5, 0, 2, 3, tzinfo=UTC)
