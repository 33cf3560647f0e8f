"""What pages, API and command show of jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from migrator.db.models import Failure, Folder, JobFolder, JobSample, JobWarning, Skipped
from migrator.db.store import Database
from migrator.errors import UsageError
from migrator.jobs import assignment, operations, queries
from migrator.jobs.connections import UNLIMITED
from migrator.jobs.lease import Lease
from migrator.jobs.states import JobState
from migrator.jobs.views import Counts, JobView
from tests.making import NEW_PASSWORD, NOW, OLD_PASSWORD, add, endpoint, order, row

Make = Callable[..., int]


def view(db: Database, job_id: int) -> JobView:
    found = queries.job(db, job_id, NOW)
    assert found is not None
    return found


def folder(job_id: int, position: int, name: str, **columns: Any) -> JobFolder:
    return JobFolder(job_id=job_id, position=position, source_name=name, target_name=name, **columns)


def with_failures(db: Database, job_id: int, count: int) -> None:
    mailbox_id = row(db, job_id).mailbox_id
    folders = [Folder(mailbox_id=mailbox_id, side="old", name=name) for name in ("INBOX", "Sent")]
    add(db, *folders)
    add(
        db,
        *(
            Failure(
                job_id=job_id,
                folder_id=folders[uid % 2].id,
                origin_validity=1,
                origin_uid=uid,
                at=NOW,
                reason="too_big" if uid % 3 else "refused",
                detail="5.3.4",
                size=uid,
            )
            for uid in range(1, count + 1)
        ),
        Skipped(job_id=job_id, folder_id=folders[0].id, origin_validity=1, origin_uid=99, rule="empty_at_source"),
    )


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_and_pages_lose_and_double_nothing(db: Database, make: Make) -> None:
    ids = [make(order(f"u{number}@example.org")) for number in range(7)]
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        lines, cursor = queries.jobs(db, NOW, limit=3, cursor=cursor)
        seen += [line.id for line in lines]
        pages += 1
    assert (seen, pages) == (ids[::-1], 3)
    with pytest.raises(UsageError):
        queries.jobs(db, NOW, cursor="none of ours")


def test_it_is_filtered_by_state_and_searched_by_address_host_and_number(db: Database, make: Make) -> None:
    anna = make(order("Anna@example.org"), state=JobState.BLOCKED)
    bert = make(order("bert@example.org", source=endpoint("old", "b_rt", host="imap.provider.example")))

    def found(search: str = "", *states: JobState) -> list[int]:
        return [line.id for line in queries.jobs(db, NOW, search=search, states=states)[0]]

    assert found("anna") == [anna]
    assert found("PROVIDER.example bert") == [bert]
    assert found("b_r") == [bert]
    assert found("%") == []
    assert found(str(bert)) == [bert]
    assert found("example", JobState.BLOCKED, JobState.FAILED) == [anna]
    assert queries.counts_by_state(db) == {
        state: int(state in (JobState.QUEUED, JobState.BLOCKED)) for state in JobState
    }


# ---- one job ---------------------------------------------------------------------------------------------------------


def test_a_job_shows_its_folders_and_their_sum_adds_up(db: Database, make: Make) -> None:
    made = make(state=JobState.RUNNING)
    add(
        db,
        folder(made, 1, "INBOX", state="done", announced=5, found=4, copied=3, failed=1, octets=300, octets_found=400),
        folder(made, 2, "Sent", state="open", announced=6, announced_octets=600),
        folder(made, 3, "Spam", excluded=True, reason="exclude", announced=7, announced_octets=9999),
    )
    found = view(db, made)
    assert found.counts == Counts(found=17, copied=3, skipped=7, failed=1) == asdict_counts(found)
    assert [(line.source, line.state, line.counts.found) for line in found.folders] == [
        ("INBOX", "done", 4),
        ("Sent", "open", 6),
        ("Spam", "excluded", 7),
    ]
    assert (found.octets, found.octets_found, found.percent) == (300, 1000, 40.0)
    assert [(skip.folder, skip.rule, skip.count) for skip in found.skips] == [("Spam", "exclude", 7)]
    assert queries.counts(db, made) == found.counts


def asdict_counts(found: JobView) -> Counts:
    """The sum of what the folders show."""
    shown = [asdict(line.counts) for line in found.folders]
    return Counts(**{name: sum(line[name] for line in shown) for name in shown[0]})


def test_failures_are_grouped_by_reason_and_paged_whole(db: Database, make: Make) -> None:
    made = make()
    with_failures(db, made, 250)
    found = view(db, made)
    assert [(group.reason, group.count, list(group.folders), group.largest) for group in found.failure_groups] == [
        ("too_big", 167, ["INBOX", "Sent"], 250),
        ("refused", 83, ["INBOX", "Sent"], 249),
    ]
    assert (len(found.failures), found.failures[0].key, found.failures[0].folder) == (100, "1/1", "Sent")
    assert [(skip.key, skip.rule) for skip in found.skips] == [("1/99", "empty_at_source")]
    keys, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page, cursor = queries.failures(db, made, limit=100, cursor=cursor)
        keys += [failure.key for failure in page]
        pages += 1
    assert (keys, pages) == ([f"1/{uid}" for uid in range(1, 251)], 3)


@pytest.mark.parametrize("count", [0, 1, 120, 121, 1000])
def test_samples_are_thinned_evenly_with_first_and_last(count: int, db: Database, make: Make) -> None:
    made = make()
    begin = NOW - timedelta(hours=3)
    add(
        db,
        *(
            JobSample(job_id=made, at=begin + timedelta(seconds=n), messages=n, octets=n, open_messages=0)
            for n in range(count)
        ),
    )
    shown = [sample.messages for sample in view(db, made).samples]
    assert len(shown) <= 120
    assert shown == sorted(shown)
    assert shown[:1] + shown[-1:] == ([0, count - 1] if count else [])
    if 0 < count <= 120:
        assert len(shown) == count


def test_a_running_job_shows_speed_and_rest_a_waiting_one_until_when(db: Database, make: Make) -> None:
    made = make(state=JobState.RUNNING)
    add(
        db,
        folder(made, 1, "INBOX", state="working", found=10, copied=5, octets=500, octets_found=1000),
        JobSample(job_id=made, at=NOW - timedelta(seconds=10), messages=3, octets=300, open_messages=7),
        JobSample(job_id=made, at=NOW, messages=5, octets=500, open_messages=5),
    )
    found = view(db, made)
    assert (found.octets_per_second, found.messages_per_second, found.eta_seconds) == (20.0, 0.2, 25)
    assert queries.jobs(db, NOW)[0][0].eta_seconds == 25
    waiting = view(db, make(order("b@example.org"), not_before=NOW + timedelta(minutes=1)))
    assert (waiting.waiting_until, waiting.eta_seconds) == (NOW + timedelta(minutes=1), None)


def test_history_is_newest_first_and_warnings_are_shown(db: Database, make: Make) -> None:
    made = make(state=JobState.PAUSED)
    operations.resume(db, made, actor="anna", now=NOW)
    add(db, JobWarning(job_id=made, at=NOW, code="flags_dropped", folder="INBOX", detail="$Junk"))
    found = view(db, made)
    assert [(event.name, event.actor) for event in found.events] == [
        ("resume", "anna"),
        ("create", "staff@hoster.example"),
    ]
    assert [(warning.code, warning.detail) for warning in found.warnings] == [("flags_dropped", "$Junk")]


def test_nothing_that_is_shown_holds_a_password(db: Database, make: Make) -> None:
    made = make(order(source=endpoint("old", ca_pem=None, fingerprint="ab" * 32)))
    token = operations.create_status_link(db, made, now=NOW)
    shown = repr([view(db, made), queries.jobs(db, NOW), queries.status_by_token(db, token, NOW)])
    assert OLD_PASSWORD not in shown
    assert NEW_PASSWORD not in shown
    assert view(db, made).source.credential_stored


def test_a_customer_sees_no_host_and_no_text_of_an_error(db: Database, make: Make) -> None:
    made = make(state=JobState.BLOCKED, error={"code": "login_refused", "message": "LOGIN failed at mail.old.example"})
    found = queries.status_by_token(db, operations.create_status_link(db, made, now=NOW), NOW)
    assert found is not None
    assert (found.needs_person, found.error_code) == (True, "login_refused")
    assert "mail.old" not in repr(found)


def test_a_job_that_does_not_exist_is_none(db: Database) -> None:
    assert queries.job(db, 4711, NOW) is None
    assert queries.jobs(db, NOW) == ([], None)
    assert queries.counts(db, 4711) == Counts()


# ---- for workers -----------------------------------------------------------------------------------------------------


def test_somebody_waits_only_when_a_free_worker_could_work_on_it(db: Database, make: Make) -> None:
    running = {"state": JobState.RUNNING, "lease_until": NOW + timedelta(seconds=9)}
    ours = Lease(make(**running), 1, 0, "w")
    make()
    make(order("later@example.org"), not_before=NOW + timedelta(seconds=1))
    make(order("paused@example.org"), state=JobState.PAUSED)
    make(order("new@example.org"), now=NOW - timedelta(seconds=4))
    assert not assignment.somebody_waits(db, ours, UNLIMITED, NOW)
    assert assignment.somebody_waits(db, ours, UNLIMITED, NOW + timedelta(seconds=1)) == "worker"
