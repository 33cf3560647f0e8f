"""What people ask of jobs: orders, wishes, links, passwords."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from migrator.db.models import Endpoint, JobEventRow, Mailbox
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import assignment, lease, operations, queries
from migrator.jobs.lease import Lease
from migrator.jobs.operations import CredentialsWiped, Invalid, NotFound, WrongState
from migrator.jobs.states import ENDED, JobEvent, JobKind, JobState
from migrator.settings import Settings
from tests.making import NEW_PASSWORD, NOW, OLD_PASSWORD, endpoint, job, order, row

Make = Callable[..., int]
ARCHIVES = Path("archives")


@pytest.fixture
def make(database: Database, vault: Vault, settings: Settings) -> Make:
    return lambda *given, **columns: job(database, vault, settings, *given, **columns)


def held(db: Database, job_id: int) -> Lease:
    found = lease.take(db, job_id, "worker", 20, NOW)
    assert found is not None
    return found


def stored(db: Database) -> list[bool]:
    with db.reading() as session:
        return [end.credential is not None for end in session.query(Endpoint).order_by(Endpoint.id)]


# ---- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_comes_back_as_work_with_its_passwords_which_stand_nowhere_in_the_database(
    database_everywhere: Database, vault: Vault, settings: Settings
) -> None:
    db = database_everywhere
    new = order(source=endpoint(host="Mail.Old.Example.", fingerprint="AB" * 32), options={"include": ["INBOX"]})
    made = operations.create(db, vault, new, settings=settings)
    work = assignment.work(db, vault, made, ARCHIVES)
    assert (work.kind, work.options) == (JobKind.COPY, {"include": ["INBOX"]})
    assert (work.source.host, work.source.fingerprint) == ("mail.old.example", "ab" * 32)
    assert (work.source.credential(), work.target.credential()) == (OLD_PASSWORD, NEW_PASSWORD)
    assert OLD_PASSWORD not in repr(work) + repr(new)
    with db.reading() as session:
        tables = (
            session.execute(text("SELECT * FROM endpoints")).all() + session.execute(text("SELECT * FROM jobs")).all()
        )
    assert OLD_PASSWORD not in str(tables)


def test_a_bad_order_stores_nothing(database: Database, vault: Vault, settings: Settings) -> None:
    with pytest.raises(Invalid) as caught:
        operations.create(database, vault, order(source=endpoint(host="127.0.0.1")), settings=settings)
    assert caught.value.problems[0][:2] == ("source.host", "forbidden")
    assert stored(database) == []


def test_later_jobs_of_the_same_two_accounts_share_the_mailbox_and_no_other_pair_does(
    make: Make, database: Database
) -> None:
    first, second = make(), make(order(kind=JobKind.VERIFY))
    other = make(order(target=endpoint("new", "berta@example.org")))
    assert row(database, first).mailbox_id == row(database, second).mailbox_id != row(database, other).mailbox_id
    with database.reading() as session:
        assert [box.address for box in session.query(Mailbox)] == ["anna@example.org", "berta@example.org"]


# ---- wishes ----------------------------------------------------------------------------------------------------------


def test_a_running_job_is_left_a_wish_and_its_worker_fires_the_event(make: Make, database: Database) -> None:
    lease_ = held(database, make())
    assert operations.pause(database, lease_.job_id, actor="anna", now=NOW) is JobState.RUNNING
    assert lease.renew(database, lease_, 20, NOW) == "pause"
    assert operations.resume(database, lease_.job_id, actor="anna", now=NOW) is JobState.RUNNING
    assert lease.renew(database, lease_, 20, NOW) == ""
    assert operations.cancel(database, lease_.job_id, actor="anna", now=NOW) is JobState.RUNNING
    assert operations.pause(database, lease_.job_id, actor="bert", now=NOW) is JobState.RUNNING
    assert lease.renew(database, lease_, 20, NOW) == "cancel", "to cancel outweighs to pause"
    assert lease.fire(database, lease_, JobEvent.CANCEL, NOW) is JobState.CANCELLED
    with database.reading() as session:
        names = [(event.name, event.actor) for event in session.query(JobEventRow).order_by(JobEventRow.id)]
    assert names[2:5] == [("asked_to_pause", "anna"), ("asked_to_resume", "anna"), ("asked_to_cancel", "anna")]


@pytest.mark.parametrize(
    "wish, event, state",
    [
        (operations.pause, JobEvent.YIELD, JobState.PAUSED),
        (operations.pause, JobEvent.WAIT, JobState.PAUSED),
        (operations.pause, JobEvent.BLOCK, JobState.BLOCKED),
        (operations.pause, JobEvent.FALL_SHORT, JobState.INCOMPLETE),
        (operations.pause, JobEvent.SUCCEED, JobState.SUCCEEDED),
        (operations.cancel, JobEvent.YIELD, JobState.CANCELLED),
        (operations.cancel, JobEvent.WAIT, JobState.CANCELLED),
        (operations.cancel, JobEvent.PAUSE, JobState.CANCELLED),
        (operations.cancel, JobEvent.BLOCK, JobState.CANCELLED),
        (operations.cancel, JobEvent.FALL_SHORT, JobState.CANCELLED),
        (operations.cancel, JobEvent.FAIL, JobState.CANCELLED),
        (operations.cancel, JobEvent.SUCCEED, JobState.SUCCEEDED),
    ],
)
def test_a_wish_that_its_worker_has_not_read_when_the_slice_ends_is_not_lost(
    wish: Callable[..., JobState], event: JobEvent, state: JobState, make: Make, database: Database
) -> None:
    lease_ = held(database, make())
    wish(database, lease_.job_id, actor="anna", now=NOW)
    later, error = NOW + timedelta(minutes=1), {"code": "connect_refused"}
    assert lease.fire(database, lease_, event, NOW, error=error, not_before=later) is state
    found = row(database, lease_.job_id)
    assert (found.state, found.wish) == (state, "")
    if state in (JobState.PAUSED, JobState.CANCELLED):
        assert (found.error, found.not_before) == (None, None)
    assert stored(database) == [state not in ENDED] * 2


def test_a_pause_that_is_taken_back_after_its_worker_has_read_it_lets_the_job_go_on(
    make: Make, database: Database
) -> None:
    lease_ = held(database, make())
    operations.pause(database, lease_.job_id, actor="anna", now=NOW)
    assert lease.renew(database, lease_, 20, NOW) == "pause"
    operations.resume(database, lease_.job_id, actor="anna", now=NOW)
    assert lease.fire(database, lease_, JobEvent.PAUSE, NOW) is JobState.QUEUED
    assert (lease_.job_id, "") in lease.to_dispatch(database, NOW, sweep_seconds=5)


def test_a_running_job_cannot_be_retried_or_resumed(make: Make, database: Database) -> None:
    running = held(database, make()).job_id
    for ask in (operations.retry, operations.resume):
        with pytest.raises(WrongState) as caught:
            ask(database, running, actor="anna", now=NOW)
        assert caught.value.state is JobState.RUNNING


def test_a_job_whose_worker_is_dead_stops_at_once_and_the_dead_one_is_fenced_out(
    make: Make, database: Database
) -> None:
    lease_ = held(database, make())
    later = NOW + timedelta(seconds=21)
    assert operations.pause(database, lease_.job_id, actor="anna", now=later) is JobState.PAUSED
    assert operations.resume(database, lease_.job_id, actor="anna", now=later) is JobState.QUEUED
    assert lease.take(database, lease_.job_id, "new", 20, later) is not None
    assert lease.renew(database, lease_, 20, later) is None


def test_a_retry_begins_afresh_and_lays_its_options_over_the_others(make: Make, database: Database) -> None:
    blocked = make(
        order(options={"include": ["INBOX"], "recreated": "keep"}),
        state=JobState.BLOCKED,
        error={"code": "folder_recreated"},
        failures_in_a_row=3,
        not_before=NOW,
    )
    asked = operations.retry(database, blocked, actor="anna", options={"recreated": "replay"}, now=NOW)
    found = row(database, blocked)
    assert (asked, found.error, found.failures_in_a_row, found.not_before) == (JobState.QUEUED, None, 0, None)
    assert found.options == {"include": ["INBOX"], "recreated": "replay"}
    with pytest.raises(Invalid):
        operations.retry(database, blocked, actor="anna", options={"recreated": "maybe"})


def test_a_cancelled_job_has_no_passwords_any_more(make: Make, database: Database) -> None:
    make(order("bert@example.org"))
    operations.cancel(database, make(), actor="anna")
    assert stored(database) == [True, True, False, False]


def test_what_does_not_exist_is_not_found(database: Database, vault: Vault) -> None:
    for action in (
        lambda: operations.pause(database, 7, actor="anna"),
        lambda: operations.create_status_link(database, 7),
        lambda: operations.wipe_credentials(database, 7),
        lambda: assignment.work(database, vault, 7, ARCHIVES),
    ):
        with pytest.raises(NotFound):
            action()


# ---- passwords -------------------------------------------------------------------------------------------------------


def test_a_blocked_job_goes_on_with_another_password(make: Make, database: Database, vault: Vault) -> None:
    blocked = make(state=JobState.BLOCKED)
    operations.replace_password(database, vault, blocked, "source", "better", actor="anna")
    operations.retry(database, blocked, actor="anna")
    work = assignment.work(database, vault, blocked, ARCHIVES)
    assert (work.source.credential(), work.target.credential()) == ("better", NEW_PASSWORD)


def test_without_passwords_a_job_does_not_go_on_until_they_are_entered_again(
    make: Make, database: Database, vault: Vault
) -> None:
    failed = make(state=JobState.FAILED)
    operations.wipe_credentials(database, failed)
    for action in (
        lambda: operations.retry(database, failed, actor="anna"),
        lambda: assignment.work(database, vault, failed, ARCHIVES),
    ):
        with pytest.raises(CredentialsWiped):
            action()
    operations.replace_password(database, vault, failed, "source", "a", actor="anna")
    operations.replace_password(database, vault, failed, "target", "b", actor="anna")
    assert operations.retry(database, failed, actor="anna") is JobState.QUEUED


def test_a_job_that_ended_for_good_takes_no_password(make: Make, database: Database, vault: Vault) -> None:
    with pytest.raises(WrongState):
        operations.replace_password(database, vault, make(state=JobState.SUCCEEDED), "source", "better", actor="anna")


def test_passwords_of_jobs_at_rest_are_wiped_on_time_and_of_no_others(
    database_everywhere: Database, vault: Vault, settings: Settings
) -> None:
    db = database_everywhere
    for state in JobState:
        job(db, vault, settings, order(f"{state}@example.org"), state=state)
    assert operations.wipe_expired(db, days=14, now=NOW + timedelta(days=14)) == 0
    assert operations.wipe_expired(db, days=14, now=NOW + timedelta(days=14, seconds=1)) == len(JobState) - 2
    assert operations.wipe_expired(db, days=14, now=NOW + timedelta(days=15)) == 0
    with db.reading() as session:
        kept = {end.user for end in session.query(Endpoint) if end.credential is not None}
    assert kept == {"queued@example.org", "running@example.org"}


def test_after_a_rotation_every_password_is_sealed_anew_and_the_old_key_can_go(
    make: Make, database: Database, vault: Vault, settings: Settings
) -> None:
    made = make()
    vault.rotate()
    assert operations.reseal(database, vault) == 2
    assert operations.reseal(database, vault) == 0
    newest = settings.secret_key_file.read_text().splitlines()[0]
    settings.secret_key_file.write_text(newest)
    assert assignment.work(database, vault, made, ARCHIVES).source.credential() == OLD_PASSWORD


# ---- the customer's link ---------------------------------------------------------------------------------------------


def test_a_status_link_works_until_it_is_revoked_or_expires(make: Make, database: Database) -> None:
    made = make()
    token = operations.create_status_link(database, made, days=30, now=NOW)
    found = queries.status_by_token(database, token, NOW)
    assert found is not None
    assert (found.address, found.expires_at) == ("anna@example.org", NOW + timedelta(days=30))
    assert queries.status_by_token(database, token, NOW + timedelta(days=30)) is None
    assert queries.status_by_token(database, "never made", NOW) is None
    assert operations.revoke_status_links(database, made) == 1
    assert queries.status_by_token(database, token, NOW) is None
