"""The lease: one worker per job, one job per mailbox, and whoever lost it touches nothing more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import pytest

from migrator.db.models import Endpoint, JobEventRow
from migrator.db.store import Database
from migrator.errors import Defect, Fenced
from migrator.jobs import lease, operations, queries
from migrator.jobs.lease import Lease
from migrator.jobs.states import ENDED, JobEvent, JobKind, JobState, after
from tests.making import NOW, order, row

Result = TypeVar("Result")
Make = Callable[..., int]
LATER = NOW + timedelta(seconds=21)


def taken(db: Database, job_id: int, owner: str = "first") -> Lease:
    found = lease.take(db, job_id, owner, 20, NOW)
    assert found is not None
    return found


def at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run them in threads that begin together."""
    begin = threading.Barrier(len(actions))

    def run(action: Callable[[], Result]) -> Result:
        begin.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def history(db: Database, job_id: int) -> list[str]:
    with db.reading() as session:
        found = session.query(JobEventRow).filter_by(job_id=job_id).order_by(JobEventRow.id)
        return [event.name for event in found]


# ---- taking ----------------------------------------------------------------------------------------------------------


def test_of_many_who_take_the_same_job_at_once_one_gets_it(db: Database, make: Make) -> None:
    for _ in range(5):
        wanted = make()
        found = at_once([lambda n=n, j=wanted: lease.take(db, j, f"worker {n}", 20, NOW) for n in range(4)])
        (winner,) = [one for one in found if one]
        assert (row(db, wanted).lease_owner, row(db, wanted).fence) == (winner.owner, winner.fence)
        assert history(db, wanted) == ["create", "take"]
        lease.fire(db, winner, JobEvent.SUCCEED, NOW)


def test_of_two_jobs_of_one_mailbox_taken_at_once_one_waits(db: Database, make: Make) -> None:
    for number in range(5):
        user = f"u{number}@example.org"
        ids = [make(order(user)), make(order(user, kind=JobKind.VERIFY))]
        found = at_once([lambda j=one: lease.take(db, j, "w", 20, NOW) for one in ids])
        assert sum(one is not None for one in found) == 1


def test_the_second_job_of_a_mailbox_can_be_taken_when_the_first_is_over_or_its_lease_dead(
    db: Database, make: Make
) -> None:
    first, second, elsewhere = make(), make(order(kind=JobKind.VERIFY)), make(order("bert@example.org"))
    held = taken(db, first)
    assert lease.take(db, second, "second", 20, NOW) is None
    assert lease.take(db, elsewhere, "second", 20, NOW) is not None
    assert lease.take(db, second, "second", 20, LATER) is not None
    assert lease.renew(db, held, 20, LATER) is None, "it must not come back beside the second one"


def test_waiting_jobs_are_not_taken_before_their_time(db: Database, make: Make) -> None:
    waiting = make(not_before=NOW + timedelta(seconds=10))
    assert lease.take(db, waiting, "w", 20, NOW) is None
    assert lease.take(db, waiting, "w", 20, NOW + timedelta(seconds=10)) is not None
    assert row(db, waiting).not_before is None


@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.QUEUED, JobState.RUNNING}))
def test_what_neither_waits_nor_runs_is_not_taken(state: JobState, db: Database, make: Make) -> None:
    assert lease.take(db, make(state=state), "w", 20, NOW) is None


def test_a_job_that_does_not_exist_is_not_taken(db: Database) -> None:
    assert lease.take(db, 4711, "w", 20, NOW) is None


# ---- holding and losing ----------------------------------------------------------------------------------------------


def test_a_renewed_lease_lives_on_and_brings_the_wish(db: Database, make: Make) -> None:
    held = taken(db, make())
    assert lease.renew(db, held, 20, NOW + timedelta(seconds=15)) == ""
    assert lease.take(db, held.job_id, "thief", 20, NOW + timedelta(seconds=30)) is None
    operations.pause(db, held.job_id, actor="anna", now=NOW + timedelta(seconds=30))
    assert lease.renew(db, held, 20, NOW + timedelta(seconds=30)) == "pause"


def test_whoever_was_taken_over_is_fenced_out_of_everything(db: Database, make: Make) -> None:
    old = taken(db, make())
    new = lease.take(db, old.job_id, "successor", 20, LATER)
    assert new is not None
    assert new.fence == old.fence + 1
    assert lease.renew(db, old, 20, LATER) is None
    with pytest.raises(Fenced):
        lease.note(db, old, "late", {}, LATER)
    for event in (JobEvent.SUCCEED, JobEvent.YIELD, JobEvent.CANCEL):
        with pytest.raises(Fenced):
            lease.fire(db, old, event, LATER)
    found = row(db, old.job_id)
    assert (found.state, found.lease_owner, found.fence) == (JobState.RUNNING, "successor", new.fence)
    assert history(db, old.job_id) == ["create", "take", "take"]
    assert lease.fire(db, new, JobEvent.SUCCEED, LATER) is JobState.SUCCEEDED


def test_of_the_old_and_the_new_holder_who_end_at_once_only_the_new_one_does(db: Database, make: Make) -> None:
    old = taken(db, make())
    new = lease.take(db, old.job_id, "successor", 20, LATER)
    assert new is not None

    def end(held: Lease, event: JobEvent) -> bool:
        try:
            lease.fire(db, held, event, LATER)
        except Fenced:
            return False
        return True

    assert at_once([lambda: end(old, JobEvent.FAIL), lambda: end(new, JobEvent.SUCCEED)]) == [False, True]
    assert row(db, old.job_id).state == JobState.SUCCEEDED


def test_a_lease_that_ran_out_is_lost_though_nobody_took_it_but_the_end_may_still_be_told(
    db: Database, make: Make
) -> None:
    held = taken(db, make())
    assert lease.renew(db, held, 20, LATER) is None
    assert lease.fire(db, held, JobEvent.YIELD, LATER) is JobState.QUEUED


# ---- ending a slice --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [event for event in JobEvent if after(JobState.RUNNING, event)])
def test_every_ending_leaves_the_lease_and_only_a_final_one_wipes_the_passwords(
    event: JobEvent, db: Database, make: Make
) -> None:
    held = taken(db, make())
    if event is JobEvent.TAKE:
        with pytest.raises(Defect):
            lease.fire(db, held, event, NOW)
        return
    state = lease.fire(db, held, event, NOW)
    found = row(db, held.job_id)
    assert (found.state, found.lease_owner, found.lease_until, found.wish) == (state, "", None, "")
    with db.reading() as session:
        wiped = {end.credential is None and end.credential_wiped_at is not None for end in session.query(Endpoint)}
    assert wiped == {state in ENDED}
    finished = {JobState.SUCCEEDED, JobState.INCOMPLETE, JobState.FAILED, JobState.CANCELLED}
    assert (found.finished_at is not None) == (state in finished)


def test_an_ending_keeps_error_result_and_working_time(db: Database, make: Make) -> None:
    held = taken(db, make())
    error = {"code": "server_busy", "message": "Later."}
    until = NOW + timedelta(minutes=1)
    lease.fire(db, held, JobEvent.WAIT, NOW, error=error, not_before=until, working_seconds=1.5, failures_in_a_row=2)
    found = row(db, held.job_id)
    assert (found.error, found.not_before, found.working_seconds) == (error, until, 1.5)
    again = lease.take(db, held.job_id, "second", 20, until)
    assert again is not None
    assert lease.failures_in_a_row(db, again) == 2
    lease.fire(db, again, JobEvent.SUCCEED, until, working_seconds=2.0, result={"proven": True}, fields={"n": 1})
    found = row(db, held.job_id)
    assert (found.error, found.result, found.working_seconds) == (None, {"proven": True}, 3.5)
    assert (found.started_at, found.finished_at) == (NOW, until)


def test_a_remark_stands_in_the_history_and_changes_nothing(db: Database, make: Make) -> None:
    held = taken(db, make())
    lease.note(db, held, "reconnecting", {"end": "source"}, NOW)
    view = queries.job(db, held.job_id, NOW)
    assert view is not None
    assert (view.state, view.events[0].name, view.events[0].fields) == (
        JobState.RUNNING,
        "reconnecting",
        {"end": "source"},
    )


# ---- the sweep -------------------------------------------------------------------------------------------------------


def test_the_sweep_finds_what_nobody_works_on_and_nothing_else(db: Database, make: Make) -> None:
    now = NOW + timedelta(seconds=60)

    def one(user: str, **columns: object) -> int:
        return make(order(f"{user}@example.org"), **columns)

    running = {"state": JobState.RUNNING, "lease_until": now + timedelta(seconds=5), "fence": 1}
    lost = one("lost")
    dead = one("dead", **running | {"lease_until": now - timedelta(seconds=1)})
    due = one("due", not_before=now, dispatched_at=None)
    one("alive", **running)
    one("later", not_before=now + timedelta(seconds=1))
    one("just queued", dispatched_at=now - timedelta(seconds=5))
    one("paused", state=JobState.PAUSED)
    one("busy", **running)
    one("busy")
    assert sorted(lease.to_dispatch(db, now, sweep_seconds=5)) == [(one, "") for one in sorted([lost, dead, due])]
    lease.mark_dispatched(db, lost, now)
    assert sorted(lease.to_dispatch(db, now, sweep_seconds=5)) == [(one, "") for one in sorted([dead, due])]
    assert lease.to_dispatch(db, now, sweep_seconds=5, limit=1) == [(dead, "")]


def test_workers_count_as_alive_while_they_show_themselves(db: Database) -> None:
    lease.show_worker(db, "long silent", NOW - timedelta(days=2))
    lease.show_worker(db, "silent", NOW - timedelta(seconds=21))
    lease.show_worker(db, "a", NOW - timedelta(seconds=60))
    lease.show_worker(db, "a", NOW)
    lease.show_worker(db, "b", NOW)
    assert queries.workers_alive(db, NOW) == 2
    lease.hide_worker(db, "b")
    assert queries.workers_alive(db, NOW) == 1
