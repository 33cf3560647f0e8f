"""What a run makes of odd messages, odd servers and people who change things meanwhile."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest import mock

import pytest

from migrator.engine import readback
from migrator.engine.run import Options
from migrator.errors import ConnectionLost, FolderRecreated, ServerBusy, Stopped, TargetFull
from migrator.mail.folders import Namespace, Role
from migrator.planning.mapping import MappingRules
from migrator.ports import Absence
from migrator.sessions.memory import Behaviour, Break, FakeStop, altered_as_cyrus_does
from tests.engine.world import Witness, World, assert_at_rest, assert_same, assert_sums, days, lying, mail

INBOX = {"INBOX": ("INBOX",)}


def put(world: World, count: int, folder: str = "INBOX") -> None:
    for number in range(count):
        world.old.put(folder, mail(f"{folder}{number}"), "\\Seen", instant=days(number))


def bodies(world: World, folder: str = "INBOX") -> list[bytes]:
    world.clock.now += 1000.0
    return sorted(message.octets for message in world.new.folder(folder).messages.values())


# ---- messages that cannot be read ----------------------------------------------------------------------------------


def test_a_message_that_vanishes_between_survey_and_read_is_skipped_by_name(world: World) -> None:
    put(world, 3)
    world.old.behaviour.vanishing = {("INBOX", 2)}
    world.run()
    assert_same(world, INBOX)
    assert (world.total("copied"), world.total("skipped"), world.total("found")) == (2, 1, 3)
    assert_sums(world)
    assert_at_rest(world)


@pytest.mark.parametrize("absence", [Absence.EMPTY, Absence.SHORT, Absence.SUBSTITUTE])
def test_a_message_that_is_not_delivered_is_reported_and_tried_again_by_the_next_job(
    world: World, absence: Absence
) -> None:
    put(world, 3)
    world.old.behaviour.absent = {("INBOX", 2): absence}
    world.run()
    world.run()
    assert world.failures() == {"INBOX/2": absence.value}
    assert_sums(world)
    world.old.behaviour.absent = {}
    world.run()
    assert len(bodies(world)) == 2, "the same job tries only once"
    world.next_job()
    world.run()
    assert_same(world, INBOX)
    assert world.failures() == {}
    assert_at_rest(world)


def test_a_message_with_a_nil_body_stops_nobody(world: World) -> None:
    put(world, 3)
    world.old.behaviour.nil_bodies = {("INBOX", 1)}
    world.run()
    assert world.failures() == {"INBOX/1": "empty_at_source"}
    assert len(bodies(world)) == 2


def test_a_message_whose_reading_breaks_the_connection_each_time_is_reported_and_the_others_are_carried(
    world: World,
) -> None:
    put(world, 6)
    world.old.behaviour.breaks_reading = {("INBOX", 2), ("INBOX", 5)}
    world.run()
    assert world.failures() == {"INBOX/2": "short_at_source", "INBOX/5": "short_at_source"}
    assert len(bodies(world)) == 4
    assert_sums(world)


def test_a_source_that_breaks_at_every_third_read_is_emptied_all_the_same(world: World) -> None:
    put(world, 9)
    world.old.behaviour.lost_at_reads = set(range(3, 100, 3))
    world.run()
    assert_same(world, INBOX)
    assert_at_rest(world)


# ---- messages that cannot be written -------------------------------------------------------------------------------


def test_a_refused_message_is_reported_never_stops_its_folder_and_is_tried_again_by_the_next_job(world: World) -> None:
    put(world, 5)
    world.new.behaviour.refuses = lambda octets: b"INBOX2" in octets
    world.run()
    assert world.failures() == {"INBOX/3": "refused"}
    assert world.total("copied") == 4
    assert_sums(world)
    assert_at_rest(world)
    world.new.behaviour.refuses = lambda _: False
    world.next_job()
    world.run()
    assert_same(world, INBOX)
    assert (world.total("copied"), world.total("already_there")) == (1, 4)
    assert_at_rest(world)


def test_an_empty_message_is_refused_alone(world: World) -> None:
    put(world, 3)
    world.old.put("INBOX", b"", instant=days(7))
    world.new.behaviour.refuses_empty = True
    world.run()
    assert world.failures() == {"INBOX/4": "empty"}
    assert len(bodies(world)) == 3
    assert_sums(world)


def test_an_empty_message_that_the_target_takes_is_carried(world: World) -> None:
    world.old.put("INBOX", b"", instant=days(7))
    world.run()
    assert_same(world, INBOX)
    assert_at_rest(world)


def test_what_is_too_big_for_the_target_is_reported_without_sending_it(world: World) -> None:
    put(world, 2)
    world.old.put("INBOX", mail("big", size=2000), instant=days(5))
    world.new.behaviour.max_octets = 1000
    world.run()
    assert world.failures() == {"INBOX/3": "too_big"}
    assert world.new.appends == 1
    assert_sums(world)


def test_what_a_person_left_behind_by_size_is_skipped(world: World) -> None:
    put(world, 2)
    world.old.put("INBOX", mail("big", size=2000), instant=days(5))
    world.run(max_octets=1000)
    assert world.failures() == {}
    assert (world.total("copied"), world.total("skipped")) == (2, 1)
    assert_sums(world)


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("whole_batches", [False, True])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_message_that_breaks_the_connection_each_time_is_isolated_and_the_others_are_carried(
    world: World, after_commit: bool, whole_batches: bool, at_once: int
) -> None:
    put(world, 6)
    how = Break(after_commit=after_commit, stored=False)
    world.new.behaviour.whole_batches = whole_batches
    world.new.behaviour.at_once = at_once
    world.new.behaviour.poison = lambda octets: how if b"INBOX3" in octets else None
    world.run()
    assert world.failures() == {"INBOX/4": "connection_lost_on_append"}
    assert len(bodies(world)) == 5
    assert_sums(world)
    assert_at_rest(world)


def test_two_such_messages_in_one_folder_are_both_isolated_in_the_end(world: World) -> None:
    put(world, 6)
    how = Break(after_commit=True, stored=False)
    world.new.behaviour.poison = lambda octets: how if b"INBOX3" in octets or b"INBOX1" in octets else None
    for _ in range(3):
        try:
            world.run()
        except ConnectionLost:
            continue
        break
    assert world.failures() == {
        "INBOX/2": "connection_lost_on_append",
        "INBOX/4": "connection_lost_on_append",
    }
    assert len(bodies(world)) == 4
    assert_sums(world)


def test_a_message_that_is_stored_although_the_answer_is_lost_each_time_is_there_once(world: World) -> None:
    put(world, 4)
    world.new.behaviour.breaks = {number: Break(after_commit=True, seconds=9.0) for number in range(1, 4)}
    world.run()
    assert_same(world, INBOX)
    assert world.failures() == {}
    assert_at_rest(world)


@pytest.mark.parametrize("seconds", [0.0, 1.0, 29.0, 32.5])
@pytest.mark.parametrize("whole_batches", [False, True])
def test_a_zombie_is_waited_for_even_while_we_look_whether_it_has_come(
    world: World, seconds: float, whole_batches: bool
) -> None:
    put(world, 4)
    world.new.behaviour.whole_batches = whole_batches
    world.new.behaviour.breaks = {1: Break(after_commit=True, seconds=seconds)}
    world.run()
    assert_same(world, INBOX)
    assert_sums(world)
    assert_at_rest(world)


def test_other_folders_are_carried_while_one_is_in_doubt(world: World) -> None:
    world.old.make("B")
    put(world, 2)
    put(world, 2, "B")
    world.new.behaviour.breaks = {1: Break(after_commit=True, seconds=9.0)}
    world.run()
    done = [str(event.fields["folder"]) for event in world.heard if event.name == "folder_done"]
    assert done == ["B", "INBOX"]
    assert_same(world, {"INBOX": ("INBOX",), "B": ("B",)})


def test_a_server_that_is_busy_five_times_refuses_no_message(world: World) -> None:
    put(world, 1)
    left = [4]

    def busy(step: str) -> None:
        if step == "target.append" and left[0]:
            left[0] -= 1
            raise ServerBusy("Come back later.")

    world.run(busy)
    assert world.failures() == {}
    assert_same(world, INBOX)


def test_a_full_mailbox_stops_the_run_and_after_more_quota_the_rest_follows(world: World) -> None:
    put(world, 6)
    world.new.behaviour.quota = sum(len(message.octets) for message in world.old.folder("INBOX").messages.values()) // 2
    with pytest.raises(TargetFull):
        world.run()
    carried = len(bodies(world))
    assert 0 < carried < 6
    assert "intended" not in {row[6] for row in world.ledger_rows() if len(row) > 6}
    world.new.behaviour.quota = None
    world.run()
    assert_same(world, INBOX)
    assert world.total("copied") == 6
    assert_sums(world)
    assert_at_rest(world)


def test_keywords_that_the_target_does_not_keep_are_counted_even_over_several_slices(world: World) -> None:
    for number in range(6):
        world.old.put("INBOX", mail(str(number)), "\\Seen", "$Strange", instant=days(number))
    world.new.behaviour.keywords = frozenset({"$Work"})
    with pytest.raises(Stopped):
        world.run(stop=FakeStop(6))
    assert 0 < len(bodies(world)) < 6
    world.run()
    assert {message.flags for message in world.new.folder("INBOX").messages.values()} == {frozenset({"\\Seen"})}
    assert world.total("dropped_flags") == 6
    assert_at_rest(world)


def test_system_flags_that_nobody_knows_never_reach_the_target(world: World) -> None:
    world.old.put("INBOX", mail("odd"), "\\Recent", "\\Unseen", "\\X-Odd", "\\seen", "a) {3+}", instant=days(1))
    world.run()
    assert [message.flags for message in world.new.folder("INBOX").messages.values()] == [frozenset({"\\Seen"})]


# ---- between runs --------------------------------------------------------------------------------------------------


def test_the_same_job_again_counts_what_it_copied_as_copied_and_the_next_one_as_there(world: World) -> None:
    put(world, 3)
    world.run()
    world.run()
    assert (world.total("copied"), world.total("already_there")) == (3, 0)
    world.next_job()
    world.run()
    assert (world.total("copied"), world.total("already_there")) == (0, 3)


def test_mail_that_comes_between_runs_is_carried_and_mail_that_goes_stays_at_the_target(world: World) -> None:
    put(world, 3)
    world.run()
    world.old.put("INBOX", mail("new"), instant=days(9))
    gone = world.old.remove("INBOX", 1)
    world.next_job()
    world.run()
    assert sorted(bodies(world)) == sorted(
        [gone.octets, *(item.octets for item in world.old.folder("INBOX").messages.values())]
    )
    assert (world.total("copied"), world.total("already_there")) == (1, 2)
    assert_at_rest(world)


def test_what_the_customer_deleted_or_moved_at_the_target_does_not_come_back(world: World) -> None:
    put(world, 4)
    world.new.make("Kiste")
    world.run()
    world.new.remove("INBOX", 1)
    world.new.move("INBOX", 3, "Kiste")
    for _ in range(2):
        world.next_job()
        world.run()
        assert len(bodies(world)) == 2
        assert len(bodies(world, "Kiste")) == 1
        assert world.total("already_there") == 4
    assert_at_rest(world)


def test_flags_are_merged_three_ways(world: World) -> None:
    world.old.put("INBOX", mail("both"), "\\Seen", "$Work", instant=days(0))
    world.run()
    ours, theirs = world.old.folder("INBOX").messages[1], world.new.folder("INBOX").messages[1]
    ours.flags = frozenset({"\\Seen", "\\Answered"})
    theirs.flags = frozenset({"$Work", "\\Flagged"})
    world.next_job()
    world.run()
    assert theirs.flags == {"\\Answered", "\\Flagged"}
    assert world.total("flag_changes") == 1
    assert_at_rest(world)


def test_flags_that_changed_while_the_keys_were_not_known_are_carried_all_the_same(world: World) -> None:
    put(world, 2)
    world.new.behaviour.reports_keys = False

    def die_before_the_keys_are_learnt(step: str) -> None:
        if step == "target.listing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(die_before_the_keys_are_learnt)
    world.old.folder("INBOX").messages[1].flags |= {"\\Flagged"}
    world.run()
    assert_same(world, INBOX)
    assert_at_rest(world)


def test_flags_changed_are_counted_once_even_if_the_folder_needs_two_passes(world: World) -> None:
    put(world, 1)
    world.run()
    world.old.folder("INBOX").messages[1].flags |= {"\\Flagged"}
    world.old.put("INBOX", mail("new"), instant=days(9))
    world.new.behaviour.breaks = {world.new.appends + 1: Break()}
    world.next_job()
    world.run()
    assert_same(world, INBOX)
    assert world.total("flag_changes") == 1


# ---- UIDVALIDITY ---------------------------------------------------------------------------------------------------


def test_a_target_folder_made_anew_asks_and_then_keeps_or_replays(world: World) -> None:
    put(world, 4)
    world.run()
    world.new.recreate("INBOX")
    world.next_job()
    with pytest.raises(FolderRecreated) as caught:
        world.run()
    assert "4 of 4" in caught.value.message
    assert bodies(world) == []
    world.run(recreated="replay")
    assert_same(world, INBOX)
    assert_at_rest(world)


def test_a_target_folder_made_anew_and_kept_stays_empty_and_takes_new_mail(world: World) -> None:
    put(world, 4)
    world.run()
    world.new.recreate("INBOX")
    world.next_job()
    world.run(recreated="keep")
    assert bodies(world) == []
    world.old.put("INBOX", mail("new"), instant=days(9))
    world.run()
    assert bodies(world) == [mail("new")]
    assert_at_rest(world)


def test_a_target_folder_made_anew_before_its_keys_were_known_asks_as_well(world: World) -> None:
    put(world, 4)
    world.new.behaviour.reports_keys = False

    def die(step: str) -> None:
        if step == "target.listing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(die)
    world.new.recreate("INBOX")
    with pytest.raises(FolderRecreated):
        world.run()
    world.run(recreated="replay")
    assert_same(world, INBOX)
    assert_at_rest(world)


def test_a_forgotten_message_takes_nobody_elses_place(world: World) -> None:
    """A twin was lost with the old folder and is kept lost; the next twin is in doubt, and it is there."""
    world.old.put("INBOX", mail("twin"), instant=days(0))
    world.run()
    world.new.recreate("INBOX")
    world.next_job()
    world.run(recreated="keep")
    world.old.put("INBOX", mail("twin"), instant=days(0))
    world.new.behaviour.breaks = {world.new.appends + 1: Break(after_commit=True)}
    world.run()
    assert bodies(world) == [mail("twin")]
    assert_at_rest(world)


def test_a_source_whose_sizes_lie_and_that_is_renumbered_doubles_nothing(world: World) -> None:
    put(world, 4)
    world.old.behaviour.size_of = lambda octets: len(octets) + 7
    world.run()
    world.old.renumber("INBOX")
    world.next_job()
    world.run()
    assert_same(world, INBOX)
    assert world.total("already_there") == 4
    assert_at_rest(world)


def test_a_source_that_was_renumbered_is_news_only_once_even_if_messages_went_meanwhile(world: World) -> None:
    put(world, 4)
    world.run()
    world.old.remove("INBOX", 2)
    world.old.renumber("INBOX")
    world.next_job()
    world.run()
    assert ("source_validity_changed", "INBOX") in world.warnings()
    world.next_job()
    world.run()
    assert (world.total("already_there"), world.total("copied"), len(bodies(world))) == (3, 0, 4)
    assert world.warnings() == set()
    world.old.renumber("INBOX")
    world.next_job()
    world.run()
    assert (world.total("already_there"), world.total("copied"), len(bodies(world))) == (3, 0, 4)
    assert ("source_validity_changed", "INBOX") in world.warnings()


def test_a_source_that_is_renumbered_while_it_is_read_is_begun_anew_at_once(world: World) -> None:
    put(world, 4)

    def renumber(_: str) -> None:
        world.old.renumber("INBOX")

    witness = Witness(0, renumber)
    reads: list[str] = []

    def at_the_second_read(step: str) -> None:
        if step == "source.read":
            reads.append(step)
            if len(reads) == 2:
                witness._what(step)

    assert world.run(at_the_second_read).failed_folders == []
    assert ("source_validity_changed", "INBOX") in world.warnings()
    assert_same(world, INBOX)
    assert_sums(world)
    assert_at_rest(world)


# ---- folders -------------------------------------------------------------------------------------------------------


def test_a_folder_that_the_target_refuses_fails_alone(world: World) -> None:
    world.old.make("Bad")
    world.old.make("Good")
    put(world, 2, "Bad")
    put(world, 2, "Good")
    world.new.behaviour.refuses_name = lambda name: name.startswith("Bad")
    outcome = world.run()
    assert [info.name for info, _ in outcome.failed_folders] == ["Bad"]
    assert_same(world, {"Good": ("Good",)})


def test_a_name_that_the_target_refuses_is_made_plainer_and_said_so(world: World) -> None:
    world.old.make("A.B")
    put(world, 2, "A.B")
    world.new.behaviour.refuses_name = lambda name: "." in name
    world.run()
    assert_same(world, {"A_B": ("A.B",)})
    assert ("folder_renamed", "A.B") in world.warnings()
    assert_at_rest(world)


def test_a_plainer_name_that_another_folder_has_already_has_a_number(world: World) -> None:
    world.old.make("A.B")
    world.old.make("A_B")
    put(world, 2, "A.B")
    put(world, 3, "A_B")
    world.new.behaviour.refuses_name = lambda name: "." in name
    world.run()
    assert_same(world, {"A_B": ("A_B",), "A_B (2)": ("A.B",)})
    assert_at_rest(world)


def test_twins_in_two_folders_that_are_merged_both_arrive_even_if_the_first_folder_fails_half_way(
    world: World,
) -> None:
    """Without UIDPLUS the first folder's copies have no key yet when the second folder looks for its own."""
    world.old.make("Gesendet")
    world.old.make("Sent", role=Role.SENT)
    world.new.make("Sent", role=Role.SENT)
    for name in ("Gesendet", "Sent"):
        for _ in range(2):
            world.old.put(name, mail("twin"), instant=days(0))
    world.new.behaviour.reports_keys = False
    world.old.behaviour.page_rows = 2
    world.old.put("Sent", mail("last"), instant=days(1))
    pages: list[str] = []

    def fail_in_the_first_folder(step: str) -> None:
        pages.append(step)
        if step == "source.page" and pages.count(step) == 2:
            world.old.folders["Sent"].selectable = False
            raise ConnectionLost("x")

    world.run(fail_in_the_first_folder)
    world.old.folders["Sent"].selectable = True
    world.run()
    assert_same(world, {"Sent": ("Sent", "Gesendet")})
    assert_at_rest(world)


def test_messages_in_doubt_are_settled_for_the_folder_they_came_from(world: World) -> None:
    """Two folders merged by hand; what came from the first one is settled while the second one is carried."""
    world.old.make("A")
    world.old.make("B")
    put(world, 1, "A")
    put(world, 1, "B")
    world.options = Options(rules=MappingRules(by_hand=(("A", "X"), ("B", "X"))))
    world.new.behaviour.breaks = {1: Break(after_commit=True, seconds=5.0)}
    world.run()
    assert_same(world, {"X": ("A", "B")})
    assert_sums(world)
    assert_at_rest(world)


def test_prefixes_and_delimiters_of_both_ends_are_translated(world: World) -> None:
    world.old.namespace = Namespace("INBOX.", ".")
    world.old.make("INBOX.Projekte.Küche")
    put(world, 2, "INBOX.Projekte.Küche")
    world.run()
    assert_same(world, {"Projekte/Küche": ("INBOX.Projekte.Küche",)})


# ---- octets --------------------------------------------------------------------------------------------------------


def test_what_the_target_alters_is_noted_and_said(world: World) -> None:
    world.old.put("INBOX", b"Subject: a\r\n\r\nx\0y\r\r\nz\r", instant=days(0))
    world.new.behaviour = Behaviour(alters=lambda octets: octets.replace(b"\0", b"\x80"))
    world.run()
    assert ("altered_by_target", "INBOX") in world.warnings()
    assert_at_rest(world)


def test_a_header_that_the_target_alters_without_changing_its_length_is_noted_and_said(world: World) -> None:
    world.old.put("INBOX", "Subject: Grüße\r\n\r\nGrüße\r\n".encode(), instant=days(0))
    world.old.make("Sent")
    world.old.put("Sent", "Subject: a\r\n\r\nGrüße\r\n".encode(), instant=days(0))
    world.new.behaviour.alters, world.new.behaviour.like_cyrus = altered_as_cyrus_does, True
    world.run()
    assert world.warnings() == {("altered_by_target", "INBOX")}
    assert_at_rest(world)


@pytest.mark.parametrize("like_cyrus", [True, False])
@pytest.mark.parametrize("ahead", [True, False])
def test_only_for_who_may_alter_a_header_it_is_looked_at_twice(world: World, like_cyrus: bool, ahead: bool) -> None:
    octets = mail("1").replace(b"Subject: ", b"Subject: \xfc")
    world.old.put("INBOX", octets)
    world.new.behaviour.like_cyrus, world.reads_ahead = like_cyrus, ahead
    world.run()
    (entry,) = world.prints()
    assert entry.digest == hashlib.sha256(octets).digest()
    assert (entry.soft == entry.digest) == (not like_cyrus)


def test_if_one_header_of_many_was_altered_all_are_named_and_else_only_a_few_are_read_back(world: World) -> None:
    def put_more(*numbers: int) -> None:
        for number in numbers:
            world.old.put("INBOX", f"Subject: Grüße {number}\r\n\r\nx\r\n".encode(), instant=days(0))

    world.new.behaviour.like_cyrus = True
    put_more(*range(100))
    with mock.patch.object(readback, "candidates", wraps=readback.candidates) as reading:
        world.run()
        assert [len(call.args[2]) for call in reading.call_args_list] == [7]  # of 100 those 1, 2, 4, 8, 16, 32, 64
    assert world.warnings() == set()
    world.new.behaviour.alters = altered_as_cyrus_does
    put_more(*range(100, 150))
    world.next_job()
    world.run()
    assert len(world.warning_details("altered_by_target")) == 50
    assert_at_rest(world)


def rewrites(octets: bytes) -> bytes:
    """What no forgiving digest knows: a line of the body is written anew, the size is another one."""
    return octets.replace(b"Hallo", b"Sehr geehrte Damen und Herren")


@pytest.mark.parametrize("keeps_dates", [True, False])
def test_a_target_that_rewrites_bodies_gets_every_message_in_doubt_once(world: World, keeps_dates: bool) -> None:
    put(world, 4)
    world.new.behaviour.alters = rewrites
    world.new.behaviour.keeps_dates = keeps_dates
    world.new.behaviour.breaks = {1: Break(after_commit=True, seconds=4.0), 3: Break(after_commit=True)}
    world.run()
    assert bodies(world) == sorted(rewrites(message.octets) for message in world.old.folder("INBOX").messages.values())
    assert set(world.failures().values()) <= {"damaged_at_target"} | (set() if keeps_dates else {"ambiguous"})
    assert len(world.failures()) == 4
    assert_sums(world)
    assert_at_rest(world)


@pytest.mark.parametrize("body", ["other", "them"])
def test_a_near_twin_of_a_stranger_in_doubt_is_not_taken_for_the_message(world: World, body: str) -> None:
    """Somebody delivers a message with the same header and another body while ours is in doubt and was never stored."""
    world.old.put("INBOX", mail("near", body="ours"), instant=days(0))
    world.new.behaviour.breaks = {1: Break(after_commit=True, stored=False)}

    def deliver(step: str) -> None:
        if step == "target.commit" and not world.new.folder("INBOX").messages:
            world.new.put("INBOX", mail("near", body=body), instant=datetime(2026, 11, 22, tzinfo=UTC))

    world.run(deliver)
    assert bodies(world) == [mail("near", body=body)]
    assert world.failures() == {"INBOX/1": "ambiguous"}
    assert_sums(world)


def test_what_stays_ambiguous_is_reported(world: World) -> None:
    """Two near-twins are sent, the answer is lost, one of them is there, and the target rewrites bodies."""
    world.old.put("INBOX", mail("near", body="Hallo rot"), instant=days(0))
    world.old.put("INBOX", mail("near", body="Hallo tau"), instant=days(0))
    world.new.behaviour.alters = rewrites
    world.new.behaviour.breaks = {1: Break(after_commit=True, stored=False)}

    def one_of_them(step: str) -> None:
        if step == "target.commit" and not world.new.folder("INBOX").messages:
            world.new.put("INBOX", rewrites(mail("near", body="Hallo rot")), instant=days(0))

    world.run(one_of_them)
    assert world.failures() == {"INBOX/1": "ambiguous", "INBOX/2": "ambiguous"}
    assert len(bodies(world)) == 1
    assert_sums(world)
    assert_at_rest(world)


def test_lying_takes_flags_and_dates_into_account(world: World) -> None:
    """The tests' own measure."""
    world.old.put("INBOX", mail("x"), "\\Seen", instant=days(0))
    world.new.put("INBOX", mail("x"), instant=days(0))
    assert lying(world.old, "INBOX") != lying(world.new, "INBOX")


# ---- across folders and jobs ----------------------------------------------------------------------------------------


def test_an_ambiguous_message_is_reported_for_its_own_folder_when_another_one_settles_it(world: World) -> None:
    """A and Z are merged into X; what came from A is settled in Z's turn, because M took longer than quiescence."""
    for name in ("A", "M", "Z"):
        world.old.make(name)
    world.old.put("A", mail("near", body="Hallo rot"), instant=days(0))
    put(world, 1, "M")
    put(world, 1, "Z")
    world.new.behaviour.alters = rewrites
    world.new.behaviour.keeps_dates = False
    world.new.behaviour.breaks = {1: Break(after_commit=True)}

    def dawdle_in_m(step: str) -> None:
        if step == "source.read" and world.new.appends == 1:
            world.clock.now += 100.0

    world.options = Options(rules=MappingRules(by_hand=(("A", "X"), ("Z", "X"))))
    world.run(dawdle_in_m)
    assert world.failures() == {"A/1": "ambiguous", "M/1": "damaged_at_target", "Z/1": "damaged_at_target"}
    assert len(bodies(world, "X")) == 2


def test_an_ambiguous_message_is_not_doubled_by_the_next_job(world: World) -> None:
    put(world, 1)
    world.new.behaviour.alters = rewrites
    world.new.behaviour.keeps_dates = False
    world.new.behaviour.breaks = {1: Break(after_commit=True)}
    world.run()
    assert world.failures() == {"INBOX/1": "ambiguous"}
    for _ in range(2):
        world.next_job()
        world.run()
        assert len(bodies(world)) == 1
        assert world.failures() == {"INBOX/1": "ambiguous"}, "every job says so"
        assert_sums(world)
    assert_at_rest(world)


def test_an_ambiguous_message_is_not_doubled_when_the_source_is_renumbered(world: World) -> None:
    put(world, 1)
    world.new.behaviour.alters = rewrites
    world.new.behaviour.keeps_dates = False
    world.new.behaviour.breaks = {1: Break(after_commit=True)}
    world.run()
    world.old.renumber("INBOX")
    world.next_job()
    world.run()
    assert len(bodies(world)) == 1


def test_flags_of_a_folder_that_is_mapped_elsewhere_now_touch_nobody_elses_message(world: World) -> None:
    """Some servers give every folder the same UIDVALIDITY; then a key of the old target folder fits a stranger."""
    world.old.make("A")
    world.new.make("Neu")
    world.old.put("A", mail("ours"), instant=days(0))
    world.run()
    world.new.folder("Neu").validity = world.new.folder("A").validity
    world.new.put("Neu", mail("stranger"), "\\Seen", instant=days(1))
    world.old.folder("A").messages[1].flags = frozenset({"\\Flagged", "\\Deleted"})
    world.options = Options(rules=MappingRules(by_hand=(("A", "Neu"),)))
    world.next_job()
    world.run()
    assert world.new.folder("Neu").messages[1].flags == {"\\Seen"}


# ---- what somebody carried before us --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours,theirs",
    [
        (b"Subject: a\r\n\r\nplain\r\n", b"Subject: a\r\n\r\nplain\r\n"),
        (b"Subject: a\r\n\r\nplain\r\n", b"Subject: a\n\nplain\n"),
        (b"Subject: a\r\n\r\nplain\r\n", b"Subject: a\r\n\r\nplain\r\n\r\n"),
        (b"Subject: a\n\nbare\n", b"Subject: a\r\n\r\nbare\r\n"),
        (b"Subject: a\r\n\r\nno end", b"Subject: a\r\n\r\nno end\r\n"),
        (b"Subject: a\r\n\r\nnul\0\r\n", b"Subject: a\r\n\r\nnul\x80\r\n"),
    ],
)
@pytest.mark.parametrize("reads_ahead", [False, True])
def test_what_lies_at_the_target_is_adopted_whatever_became_of_its_line_ends(
    world: World, ours: bytes, theirs: bytes, reads_ahead: bool
) -> None:
    world.reads_ahead = reads_ahead
    world.old.put("INBOX", ours, instant=days(1))
    world.new.put("INBOX", theirs, instant=days(1))
    world.run()
    assert bodies(world) == [theirs]
    assert world.total("already_there") == 1
