"""Archives that the service keeps: made once per account, passes by themselves, retention, destruction."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from migrator.db.models import Archive, Endpoint, Job
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import ArchiveUnusable, Fenced
from migrator.jobs import archives as files
from migrator.jobs import assignment, checking, fetching, lease, operations, queries
from migrator.jobs.keeping import operations as keeping
from migrator.jobs.keeping import queries as kept
from migrator.jobs.keeping import rows
from migrator.jobs.keeping.views import ArchiveState, PassFacts
from migrator.jobs.lease import Lease
from migrator.jobs.operations import CredentialsWiped, Invalid
from migrator.jobs.orders import ArchiveEnd, Keeping
from migrator.jobs.states import JobEvent, JobKind, JobState
from migrator.sessions.memory import FakeStop
from migrator.settings import Settings
from tests.making import NOW, OLD_PASSWORD, endpoint, order, row

Make = Callable[..., int]
NIGHTLY = Keeping(every_hours=24, window=(22, 5))
WISH = Keeping(leave_days=14, leave_wish="Anna Müller, by telephone on 2026-11-20")
DAY = timedelta(days=1)


def archiving(user: str = "anna@example.org", **changes: object) -> operations.NewJob:
    return order(user, **{"kind": JobKind.ARCHIVE, "target": ArchiveEnd(), **changes})


def by_pop3(**changes: object) -> operations.NewJob:
    return archiving(source=endpoint(protocol="pop3", port=995), **changes)


def the(db: Database, number: int = 1) -> Archive:
    with db.reading() as session:
        return session.get_one(Archive, number)


def password_of(db: Database, job_id: int) -> bool:
    with db.reading() as session:
        return session.get_one(Endpoint, row(db, job_id).source_id).credential is not None


def taken(db: Database, job_id: int, now: datetime = NOW) -> Lease:
    held = lease.take(db, job_id, "worker", 20, now)
    assert held is not None
    return held


def done(db: Database, job_id: int, now: datetime = NOW, *, passes: int = 1) -> None:
    """The job ends well, as if a worker had worked."""
    held = taken(db, job_id, now)
    found = [PassFacts(number, now, now, 10, 1, 5000) for number in range(1, passes + 1)]
    keeping.record_passes(db, held, 4096, found)
    lease.fire(db, held, JobEvent.SUCCEED, now)


def waiting(db: Database, kind: JobKind) -> list[int]:
    with db.reading() as session:
        return list(session.scalars(select(Job.id).where(Job.kind == kind, Job.state == JobState.QUEUED)))


# ---- orders --------------------------------------------------------------------------------------------------------


def test_an_account_has_one_archive_with_a_key_that_stands_nowhere_in_clear(
    db: Database, make: Make, vault: Vault
) -> None:
    first, second, other = make(archiving()), make(archiving()), make(archiving("bert@example.org"))
    work = [assignment.work(db, vault, one, Path("/archives")) for one in (first, second, other)]
    assert work[0].target.path == work[1].target.path != work[2].target.path
    key = files.key_of(work[0].target)
    assert len(key) == 32
    assert key != files.key_of(work[2].target)
    with db.reading() as session:
        everything = str(session.execute(text("SELECT * FROM archives")).all())
    assert base64.b64encode(key).decode() not in everything
    assert repr(key)[2:-1] not in everything
    assert "anna" not in the(db).file, "the file's name tells nothing"
    assert row(db, first).mailbox_id == row(db, second).mailbox_id != row(db, other).mailbox_id


def test_a_play_in_shares_the_ledger_of_a_direct_copy_of_the_same_account(db: Database, make: Make) -> None:
    copied, archived = make(), make(archiving())
    played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1), options={"restore": True}))
    verified = make(order(kind=JobKind.VERIFY, source=ArchiveEnd(1)))
    assert row(db, played).mailbox_id == row(db, copied).mailbox_id == row(db, verified).mailbox_id
    assert row(db, archived).mailbox_id != row(db, copied).mailbox_id


def test_a_check_has_one_end_and_lies_in_the_mailbox_of_the_passes(db: Database, make: Make) -> None:
    archived = make(archiving())
    checked = make(order(kind=JobKind.CHECK, source=ArchiveEnd(1), target=None))
    found = queries.job(db, checked, NOW)
    assert found is not None
    assert found.source.archive_id == found.target.archive_id == 1
    assert row(db, checked).mailbox_id == row(db, archived).mailbox_id


@pytest.mark.parametrize(
    ("new", "problems"),
    [
        (archiving(target=endpoint("new")), [("target.protocol", "unknown")]),
        (archiving(target=None), [("target.protocol", "unknown")]),
        (archiving(target=ArchiveEnd(77)), [("target.archive", "not_found")]),
        (archiving("bert@example.org", target=ArchiveEnd(1)), [("target.archive", "other_account")]),
        (archiving(options={"restore": True}), [("options.restore", "unknown")]),
        (archiving(keeping=WISH), [("keep.leave_days", "not_pop3")]),
        (by_pop3(keeping=Keeping(leave_days=14)), [("keep.leave_wish", "missing")]),
        (by_pop3(keeping=Keeping(every_hours=0, window=(22, 24))),
         [("keep.every_hours", "invalid"), ("keep.window", "invalid")]),
        (order(keeping=NIGHTLY), [("keep", "unknown")]),
        (order(kind=JobKind.PLAY_IN), [("source.protocol", "unknown")]),
        (order(kind=JobKind.PLAY_IN, source=ArchiveEnd()), [("source.archive", "missing")]),
        (order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1), options={"at": "yesterday", "messages": ["x"]}),
         [("options.at", "invalid"), ("options.messages", "invalid")]),
        (order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1), options={"at": "2026-11-22T18:00"}),
         [("options.at", "invalid")]),
        (order(kind=JobKind.CHECK, source=ArchiveEnd(1)), [("target.protocol", "unknown")]),
        (by_pop3(kind=JobKind.REMOVE), [("target.archive", "missing"), ("options.wish", "missing")]),
        (order(source=ArchiveEnd(1)), [("source.protocol", "unknown")]),
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_is_refused_by_field_and_stores_nothing(
    new: operations.NewJob, problems: list[tuple[str, str]], db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    make(archiving())
    with pytest.raises(Invalid) as caught:
        operations.create(db, vault, new, settings=settings)
    assert [problem[:2] for problem in caught.value.problems] == problems
    with db.reading() as session:
        assert len(session.scalars(select(Job)).all()) == 1


def test_a_new_key_for_the_vault_wraps_the_archives_keys_anew(db: Database, make: Make, vault: Vault) -> None:
    before = files.key_of(assignment.work(db, vault, make(archiving()), Path("/a")).target)
    vault.rotate()
    assert operations.reseal(db, vault) == 2, "the old server's password and the archive's key"
    sealed = the(db).sealed_key
    assert sealed is not None
    assert vault.is_newest(sealed)
    assert files.key_of(kept.opening(db, vault, 1, Path("/a"))) == before


# ---- storage nodes -------------------------------------------------------------------------------------------------


def test_a_new_archive_goes_to_the_living_node_with_the_most_room_and_stays_there(db: Database, make: Make) -> None:
    lease.show_worker(db, "a", NOW, node="north", free_octets=10**9)
    lease.show_worker(db, "b", NOW, node="south", free_octets=10**10)
    lease.show_worker(db, "dead", NOW - timedelta(minutes=5), node="west", free_octets=10**12)
    first = make(archiving())
    lease.show_worker(db, "a", NOW, node="north", free_octets=10**11)
    again, other, plain = make(archiving()), make(archiving("bert@example.org")), make()
    assert [queries.node_of(db, one) for one in (first, again, other, plain)] == ["south", "south", "north", ""]
    found = dict(lease.to_dispatch(db, NOW + timedelta(minutes=1), sweep_seconds=5))
    assert found == {first: "south", again: "south", other: "north", plain: ""}


def test_where_no_worker_has_shown_itself_it_is_this_machine(db: Database, make: Make, settings: Settings) -> None:
    assert queries.node_of(db, make(archiving())) == settings.node == "main"


# ---- passes by themselves ------------------------------------------------------------------------------------------


def test_nightly_passes_keep_the_password_and_are_ordered_once_each(
    db: Database, make: Make, settings: Settings
) -> None:
    first = make(archiving(keeping=NIGHTLY, options={"exclude": ["INBOX.Spam"]}))
    done(db, first)
    assert password_of(db, first), "the next pass needs it"
    due = the(db).next_pass_at
    assert due is not None
    assert NOW < due < NOW + 2 * DAY
    keeping.tick(db, settings, due - timedelta(seconds=1))
    assert waiting(db, JobKind.ARCHIVE) == []
    for _ in range(2):
        keeping.tick(db, settings, due)
    (ordered,) = waiting(db, JobKind.ARCHIVE)
    after = the(db).next_pass_at
    assert after is not None
    assert due < after <= due + 2 * DAY
    keeping.tick(db, settings, after)
    assert waiting(db, JobKind.ARCHIVE) == [ordered], "one that still waits is enough"
    assert (ordered, "main") in lease.to_dispatch(db, due, sweep_seconds=5)
    assert row(db, ordered).source_id == row(db, first).source_id
    assert row(db, ordered).options == {"exclude": ["INBOX.Spam"]}


def test_without_a_rhythm_the_password_is_wiped_when_the_pass_has_ended(db: Database, make: Make) -> None:
    first = make(archiving())
    done(db, first)
    assert not password_of(db, first)


def test_ending_the_rhythm_wipes_the_password_unless_a_pass_is_under_way(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    def end() -> None:
        keeping.keep(db, vault, 1, Keeping(), settings=settings, actor="anna")

    first = make(archiving(keeping=NIGHTLY))
    held = taken(db, first)
    end()
    assert password_of(db, first)
    lease.fire(db, held, JobEvent.SUCCEED, NOW)
    assert not password_of(db, first)
    second = make(archiving(keeping=NIGHTLY))
    done(db, second)
    end()
    assert not password_of(db, second)
    assert kept.archive(db, 1).next_pass_at is None


def test_a_rhythm_that_begins_later_asks_for_the_password_only_where_it_is_gone(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    def begin(password: str | None = None) -> None:
        keeping.keep(db, vault, 1, NIGHTLY, password=password, settings=settings, actor="anna", now=NOW)

    first = make(archiving())
    begin()
    done(db, first)
    assert password_of(db, first)
    keeping.keep(db, vault, 1, Keeping(), settings=settings, actor="anna")
    with pytest.raises(Invalid) as caught:
        begin()
    assert caught.value.problems[0][:2] == ("source.password", "missing")
    begin("another-Geheim-1")
    keeping.tick(db, settings, NOW + 2 * DAY)
    (ordered,) = waiting(db, JobKind.ARCHIVE)
    assert assignment.work(db, vault, ordered, Path("/a")).source.credential() == "another-Geheim-1"


def test_passwords_at_rest_stay_for_the_passes_to_come(db: Database, make: Make) -> None:
    first = make(archiving(keeping=NIGHTLY))
    done(db, first)
    assert operations.wipe_expired(db, days=0, now=NOW + 30 * DAY) == 0
    assert password_of(db, first)


def test_removals_follow_each_pass_with_the_wish_that_was_recorded(
    db: Database, make: Make, settings: Settings
) -> None:
    first = make(by_pop3(keeping=WISH))
    keeping.tick(db, settings, NOW)
    assert waiting(db, JobKind.REMOVE) == [], "not before the pass has ended"
    done(db, first)
    for _ in range(2):
        keeping.tick(db, settings, NOW)
    (removal,) = waiting(db, JobKind.REMOVE)
    options = row(db, removal).options
    assert options["after_days"] == 14
    assert "Anna Müller, by telephone" in options["wish"]
    assert "staff@hoster.example" in options["wish"]
    done(db, removal)
    keeping.tick(db, settings, NOW + 2 * DAY)
    assert len(waiting(db, JobKind.REMOVE)) == 1, "what was too young is looked at again"


def test_the_same_wish_again_keeps_its_first_record(db: Database, make: Make, vault: Vault, settings: Settings) -> None:
    make(by_pop3(keeping=WISH))
    first = the(db).leave_wish
    for again in (WISH, replace(WISH, leave_days=30), replace(WISH, leave_wish=first)):
        keeping.keep(db, vault, 1, again, settings=settings, actor="bert")
        assert the(db).leave_wish == first
    keeping.keep(db, vault, 1, replace(WISH, leave_wish="Anna, by letter"), settings=settings, actor="bert")
    assert "by letter (recorded by bert" in the(db).leave_wish


def test_a_removal_waits_while_a_pass_is_due(db: Database, make: Make, settings: Settings) -> None:
    first = make(by_pop3(keeping=replace(WISH, every_hours=24)))
    done(db, first)
    due = the(db).next_pass_at
    assert due is not None
    keeping.tick(db, settings, due)
    keeping.tick(db, settings, due)
    assert (len(waiting(db, JobKind.ARCHIVE)), waiting(db, JobKind.REMOVE)) == (1, [])


def removal_waits(db: Database, make: Make, settings: Settings) -> int:
    """A removal that was ordered by itself, for the wish that was recorded."""
    done(db, make(by_pop3(keeping=WISH)))
    keeping.tick(db, settings, NOW)
    (removal,) = waiting(db, JobKind.REMOVE)
    return removal


@pytest.mark.parametrize("how", ["withdrawn", "another wish", "another order", "closed"])
def test_a_wish_that_was_withdrawn_deletes_nothing_any_more(
    db: Database, make: Make, vault: Vault, settings: Settings, how: str
) -> None:
    removal = removal_waits(db, make, settings)
    other = replace(WISH, leave_days=30)
    if how == "withdrawn":
        keeping.keep(db, vault, 1, Keeping(), settings=settings, actor="berta", now=NOW)
    elif how == "another wish":
        keeping.keep(db, vault, 1, other, settings=settings, actor="berta", now=NOW)
    elif how == "another order":
        make(by_pop3(keeping=other))
    else:
        keeping.close(db, 1, settings=settings, now=NOW)
    assert row(db, removal).state == JobState.CANCELLED
    keeping.tick(db, settings, NOW)
    left = [row(db, one).options["after_days"] for one in waiting(db, JobKind.REMOVE)]
    assert left == ([30] if how == "another wish" else [])


def test_a_removal_that_runs_is_asked_to_stop_when_the_wish_is_withdrawn(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    removal = removal_waits(db, make, settings)
    held = taken(db, removal)
    keeping.keep(db, vault, 1, Keeping(), settings=settings, actor="berta", now=NOW)
    assert lease.renew(db, held, 20, NOW) == "cancel"


def test_what_a_person_ordered_once_is_not_taken_back_with_the_rhythm(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    done(db, make(by_pop3(keeping=WISH)))
    wanted = {"after_days": 0, "wish": "Anna, by letter"}
    ordered = make(by_pop3(kind=JobKind.REMOVE, target=ArchiveEnd(1), options=wanted))
    keeping.keep(db, vault, 1, Keeping(), settings=settings, actor="berta", now=NOW)
    assert row(db, ordered).state == JobState.QUEUED


def test_archives_that_stand_still_never_stand_in_the_way_of_others(
    db: Database, make: Make, settings: Settings
) -> None:
    first = make(by_pop3())
    with db.writing() as session:
        for number in range(2, 503):  # a removal is due, and has to wait for a pass that is blocked
            still = {"address": "b", "node": "main", "file": f"{number}.pwa", "created_at": NOW, "next_removal_at": NOW}
            archive = Archive(account=f"pop3://b{number}", **still)
            session.add(archive)
            session.flush()
            end = rows.end_of(session, archive)
            blocked = {"kind": JobKind.ARCHIVE, "state": JobState.BLOCKED, "created_at": NOW}
            session.add(Job(mailbox_id=row(db, first).mailbox_id, source_id=end.id, target_id=end.id, **blocked))
    done(db, make(archiving(source=endpoint("old", "zoe@example.org", protocol="pop3", port=995))))
    keeping.close(db, 503, settings=settings, now=NOW)
    keeping.tick(db, settings, NOW + 91 * DAY)
    assert the(db, 503).destroyed_at is not None


# ---- what was found ------------------------------------------------------------------------------------------------


def test_points_in_time_are_kept_once_and_shown_newest_first(db: Database, make: Make) -> None:
    assert kept.archive(db, 1) is None
    first = make(archiving())
    assert [line.state for line in kept.archives(db)[0]] == [ArchiveState.EMPTY]
    done(db, first)
    done(db, make(archiving()), passes=2)
    found = kept.archive(db, 1)
    assert found is not None
    assert found.latest is not None
    assert (found.state, found.octets, found.passes, found.latest.number) == (ArchiveState.KEPT, 4096, 2, 2)
    assert [(point.number, point.found, point.missing) for point in found.points] == [(2, 10, 1), (1, 10, 1)]
    (line,), following = kept.archives(db, search="ANNA example.org")
    assert (line.id, following) == (1, None)
    assert kept.archives(db, search="nobody") == ([], None)


def test_who_lost_the_lease_writes_nothing_about_an_archive(db: Database, make: Make) -> None:
    held = taken(db, make(archiving()))
    taken(db, held.job_id, NOW + timedelta(minutes=1))
    with pytest.raises(Fenced):
        keeping.record_passes(db, held, 1, [PassFacts(1, NOW, NOW, 1, 0, 1)])
    with pytest.raises(Fenced):
        keeping.record_check(db, held, {"healthy": True}, NOW)
    assert kept.archive(db, 1).points == []


# ---- retention and destruction -------------------------------------------------------------------------------------


def test_an_archive_expires_three_months_after_its_transfer_is_closed_and_never_before(
    db: Database, make: Make, settings: Settings
) -> None:
    done(db, make(archiving(keeping=NIGHTLY)))
    keeping.tick(db, settings, NOW + 5000 * DAY)
    assert the(db).destroyed_at is None, "an open transfer never expires"
    with pytest.raises(Invalid):
        keeping.close(db, 1, settings=settings, until=NOW + 89 * DAY, now=NOW)
    assert keeping.close(db, 1, settings=settings, now=NOW) == NOW + 90 * DAY
    assert the(db).next_pass_at is None
    for late in waiting(db, JobKind.ARCHIVE):
        operations.cancel(db, late, actor="anna", now=NOW)
    keeping.tick(db, settings, NOW + 90 * DAY - timedelta(seconds=1))
    assert the(db).sealed_key is not None
    assert keeping.tick(db, settings, NOW + 90 * DAY) == [(1, "main")]
    gone = the(db)
    assert (gone.sealed_key, gone.destroyed_reason, gone.destroyed_at) == (None, "retention", NOW + 90 * DAY)


def test_what_may_be_the_only_copy_does_not_expire_until_all_of_it_was_played_in(
    db: Database, make: Make, settings: Settings
) -> None:
    done(db, make(by_pop3(keeping=WISH)))
    keeping.tick(db, settings, NOW)
    (removal,) = waiting(db, JobKind.REMOVE)
    lease.fire(db, taken(db, removal), JobEvent.SUCCEED, NOW, result={"removed": 3, "unknown": 0})
    keeping.close(db, 1, settings=settings, now=NOW)
    late = NOW + 91 * DAY

    def play(**options: object) -> None:
        played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1), options=options))
        lease.fire(db, taken(db, played, late), JobEvent.SUCCEED, late)

    play(dry_run=True)
    play(include=["INBOX"])
    keeping.tick(db, settings, late)
    assert the(db).destroyed_at is None
    assert kept.archive(db, 1).is_only_copy
    play()
    assert not kept.archive(db, 1).is_only_copy
    keeping.tick(db, settings, late)
    assert the(db).destroyed_at == late


def test_a_removal_that_was_repeated_or_cut_off_leaves_its_mark_on_the_archive(
    db: Database, make: Make, settings: Settings
) -> None:
    removal = removal_waits(db, make, settings)
    held = taken(db, removal)
    assert kept.archive(db, 1).is_only_copy, "nobody knows yet what it has deleted"
    lease.fire(db, held, JobEvent.FALL_SHORT, NOW, result={"removed": 3, "unknown": 1, "noted": 4})
    operations.retry(db, removal, actor="staff", now=NOW)
    lease.fire(db, taken(db, removal), JobEvent.SUCCEED, NOW, result={"removed": 0, "unknown": 0, "noted": 4})
    assert kept.archive(db, 1).is_only_copy


def test_a_removal_that_could_not_log_in_counts_until_a_later_one_says_that_nothing_was_deleted(
    db: Database, make: Make, settings: Settings
) -> None:
    removal = removal_waits(db, make, settings)
    lease.fire(db, taken(db, removal), JobEvent.BLOCK, NOW, error={"code": "login_refused"})
    operations.cancel(db, removal, actor="staff", now=NOW)
    assert kept.archive(db, 1).is_only_copy
    keeping.tick(db, settings, NOW + DAY)
    (later,) = waiting(db, JobKind.REMOVE)
    lease.fire(db, taken(db, later, NOW + DAY), JobEvent.SUCCEED, NOW, result={"removed": 0, "unknown": 0, "noted": 0})
    assert not kept.archive(db, 1).is_only_copy


def test_a_closed_archive_gets_no_passes_by_themselves_by_way_of_an_order(
    db: Database, make: Make, settings: Settings
) -> None:
    done(db, make(archiving()))
    keeping.close(db, 1, settings=settings, now=NOW)
    with pytest.raises(Invalid):
        make(archiving(keeping=NIGHTLY))
    keeping.reopen(db, 1)
    make(archiving(keeping=NIGHTLY))
    assert the(db).next_pass_at is not None


def test_points_in_time_that_the_file_has_no_more_are_not_shown(db: Database, make: Make) -> None:
    """An older copy of the file was put back."""
    done(db, make(archiving()), passes=3)
    done(db, make(archiving()), NOW + DAY, passes=2)
    found = kept.archive(db, 1)
    assert found is not None
    assert [(point.number, point.ended_at) for point in found.points] == [(2, NOW + DAY), (1, NOW + DAY)]


def test_an_older_copy_of_the_file_is_not_played_in_checked_or_fetched_as_if_it_were_the_latest(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    first = make(archiving())
    end = assignment.work(db, vault, first, settings.archive_dir).target

    def one_pass() -> None:
        target = files.open_target(end, "imap://anna", files.Limits())
        target.finish({})
        target.close()

    one_pass()
    older = Path(end.path).read_bytes()
    one_pass()
    done(db, first, passes=2)
    played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1)))
    now = assignment.work(db, vault, played, settings.archive_dir).source
    files.open_source(now, None).close()
    Path(end.path).write_bytes(older)
    with pytest.raises(ArchiveUnusable, match="older copy"):
        files.open_source(now, None)
    with pytest.raises(ArchiveUnusable, match="older copy"):
        checking.check(now, None, FakeStop())
    with pytest.raises(ArchiveUnusable, match="older copy"):
        fetching.zip_of(db, vault, settings, 1, kind="eml")
    with pytest.raises(ArchiveUnusable, match="older copy"):
        fetching.manifest_of(db, vault, settings, 1)
    files.open_source(now, datetime.now(UTC)).close()


def test_a_transfer_that_goes_on_after_all_takes_its_archive_out_of_danger(
    db: Database, make: Make, settings: Settings
) -> None:
    done(db, make(archiving()))
    keeping.close(db, 1, settings=settings, now=NOW)
    keeping.reopen(db, 1)
    assert keeping.tick(db, settings, NOW + 5000 * DAY) == []
    assert kept.archive(db, 1).state is ArchiveState.KEPT
    later = keeping.close(db, 1, settings=settings, until=NOW + 365 * DAY, now=NOW)
    assert later == NOW + 365 * DAY


def test_destroying_ends_the_key_at_once_and_the_jobs_that_wait_for_it(
    db: Database, make: Make, vault: Vault, settings: Settings
) -> None:
    done(db, make(archiving(keeping=NIGHTLY)))
    played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1)))
    work = assignment.work(db, vault, played, Path("/a"))
    with pytest.raises(Invalid):
        keeping.destroy(db, 1, actor="anna", reason=" ")
    keeping.destroy(db, 1, actor="anna", reason="The customer asked for it.", now=NOW)
    assert (the(db).sealed_key, the(db).source_id) == (None, None)
    assert row(db, played).state == JobState.CANCELLED
    assert not password_of(db, 1)
    with pytest.raises(keeping.ArchiveDestroyed):
        kept.opening(db, vault, 1, Path("/a"))
    with pytest.raises(keeping.ArchiveDestroyed):
        files.key_of(work.source)
    for refused in (
        lambda: keeping.destroy(db, 1, actor="anna", reason="again"),
        lambda: keeping.close(db, 1, settings=settings),
        lambda: keeping.reopen(db, 1),
        lambda: keeping.let_customer_fetch(db, 1, True),
    ):
        with pytest.raises(keeping.ArchiveDestroyed):
            refused()
    assert the(db, row_of_new(db, make)).account == the(db).account, "the next pass makes a new one"


def row_of_new(db: Database, make: Make) -> int:
    make(archiving())
    (newest, *_), _ = kept.archives(db)
    assert newest.state is ArchiveState.EMPTY
    return newest.id


def test_what_a_worker_works_with_is_not_destroyed_under_its_hands(
    db: Database, make: Make, settings: Settings
) -> None:
    held = taken(db, make(archiving()))
    with pytest.raises(keeping.ArchiveBusy):
        keeping.destroy(db, 1, actor="anna", reason="wrong customer", now=NOW)
    with db.writing() as session:
        session.execute(update(Archive).values(expires_at=NOW, closed_at=NOW))
    keeping.tick(db, settings, NOW)
    assert the(db).destroyed_at is None
    lease.fire(db, held, JobEvent.FAIL, NOW)
    keeping.tick(db, settings, NOW)
    assert the(db).destroyed_at == NOW


def test_the_file_is_removed_by_its_node_only_and_leaves_a_signed_dated_proof(
    db: Database, make: Make, vault: Vault, settings: Settings, tmp_path: Path
) -> None:
    done(db, make(archiving()))
    name = the(db).file
    beside = [tmp_path / f"{name}{end}" for end in ("", "-wal", "-shm", ".lock")]
    for file in beside:
        file.write_bytes(b"x")

    def clear(node: str) -> bool:
        return keeping.clear(
            db, 1, node, lambda file: files.remove_file(tmp_path, file), lambda proof: files.signed(vault, proof), NOW
        )

    assert not clear("main"), "it is not destroyed"
    keeping.destroy(db, 1, actor="anna", reason="The customer asked for it.", now=NOW - timedelta(minutes=1))
    assert not clear("elsewhere")
    assert all(file.exists() for file in beside)
    assert keeping.tick(db, settings, NOW) == [(1, "main")]
    beside[0].unlink()  # as if killed in the middle
    assert clear("main")
    assert not any(file.exists() for file in beside)
    assert keeping.tick(db, settings, NOW) == []
    proof = the(db).proof
    assert proof is not None
    assert (proof["reason"], proof["destroyed_by"], proof["messages"]) == ("The customer asked for it.", "anna", 9)
    assert (proof["destroyed_at"], proof["file_removed_at"]) == ("2026-11-22T11:59:00+00:00", NOW.isoformat())
    assert files.is_signed(vault, proof)
    assert not files.is_signed(vault, proof | {"destroyed_at": "2026-11-21T12:00:00+00:00"})
    assert not clear("main"), "once"


def test_of_two_who_remove_a_file_at_once_the_first_leaves_the_proof(
    db: Database, make: Make, vault: Vault, tmp_path: Path
) -> None:
    done(db, make(archiving()))
    keeping.destroy(db, 1, actor="anna", reason="over", now=NOW)

    def clear(remove: Callable[[str], None], now: datetime) -> bool:
        return keeping.clear(db, 1, "main", remove, partial(files.signed, vault), now)

    def overtaken(_file: str) -> None:
        assert clear(partial(files.remove_file, tmp_path), NOW)

    assert not clear(overtaken, NOW + DAY)
    proof = the(db).proof
    assert proof is not None
    assert proof["file_removed_at"] == NOW.isoformat()


# ---- the customer --------------------------------------------------------------------------------------------------


def test_nothing_is_called_removed_while_the_disk_of_the_archives_is_not_there(
    db: Database, make: Make, vault: Vault, tmp_path: Path
) -> None:
    done(db, make(archiving()))
    make(archiving("bert@example.org"))
    for number in (1, 2):
        keeping.destroy(db, number, actor="berta", reason="asked for", now=NOW)

    def clear(number: int) -> bool:
        remove = partial(files.remove_file, tmp_path / "not mounted")
        return keeping.clear(db, number, "main", remove, partial(files.signed, vault), NOW)

    with pytest.raises(ArchiveUnusable, match="is not there"):
        clear(1)
    assert (the(db).file_removed_at, the(db).proof) == (None, None)
    assert clear(2), "it never had a file"


def test_a_customer_fetches_by_a_link_that_is_open_and_only_where_staff_allow_it(db: Database, make: Make) -> None:
    archived = make(archiving())
    token = operations.create_status_link(db, archived, now=NOW)
    assert kept.fetchable(db, token, NOW) is None
    keeping.let_customer_fetch(db, 1, True)
    assert kept.fetchable(db, token, NOW) is None, "nothing is in it yet"
    done(db, archived)
    assert kept.fetchable(db, token, NOW) == 1
    played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1)))
    assert kept.fetchable(db, operations.create_status_link(db, played, now=NOW), NOW) == 1
    assert kept.fetchable(db, operations.create_status_link(db, make(), now=NOW), NOW) is None
    assert kept.fetchable(db, token, NOW + 31 * DAY) is None
    assert kept.fetchable(db, "guessed", NOW) is None
    keeping.let_customer_fetch(db, 1, False)
    assert kept.fetchable(db, token, NOW) is None


# ---- retrying ------------------------------------------------------------------------------------------------------


def test_a_play_in_needs_only_the_new_servers_password_and_an_archive_that_lives(
    db: Database, make: Make, vault: Vault
) -> None:
    done(db, make(archiving()))
    played = make(order(kind=JobKind.PLAY_IN, source=ArchiveEnd(1)), state=JobState.BLOCKED)
    operations.wipe_credentials(db, played)
    with pytest.raises(CredentialsWiped):
        operations.retry(db, played, actor="anna")
    with pytest.raises(Invalid):
        operations.replace_password(db, vault, played, "source", "x", actor="anna")
    operations.replace_password(db, vault, played, "target", OLD_PASSWORD, actor="anna")
    assert operations.retry(db, played, actor="anna") is JobState.QUEUED
