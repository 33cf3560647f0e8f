"""The report of a job: every exception, read in pages, named at both ends; on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migrator.db.ledger import SqlLedger
from migrator.db.models import Failure, Folder, JobDifference, JobFolder, Skipped
from migrator.db.store import Database
from migrator.jobs import queries
from migrator.jobs.reporting import ItemKind, Report
from migrator.jobs.states import JobKind, JobState
from migrator.ports import Difference
from tests.making import NOW, add, row

Make = Callable[..., int]


def report(db: Database, job_id: int) -> Report:
    found = queries.report(db, job_id, NOW)
    assert found is not None
    return found


def folder(job_id: int, name: str, target: str, **columns: object) -> JobFolder:
    return JobFolder(job_id=job_id, position=0, source_name=name, target_name=target, excluded=not target,
                     reason="excluded: x" if not target else "same_name", **columns)  # fmt: skip


def test_every_failure_and_every_skip_is_read_however_many_there_are(
    db: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "AT_ONCE", 3)
    job_id, other = make(), make(new=None)
    box = Folder(mailbox_id=row(db, job_id).mailbox_id, side="old", name="Kunden/Müller")
    add(db, box)
    for number in (job_id, other):
        add(db, *(Failure(job_id=number, folder_id=box.id, origin_validity=7, origin_uid=uid, reason="refused", at=NOW)
                  for uid in range(1, 8)))  # fmt: skip
        add(db, *(Skipped(job_id=number, folder_id=box.id, origin_validity=7, origin_uid=uid, rule="gone_at_source")
                  for uid in range(1, 7)))  # fmt: skip
    add(db, folder(job_id, "Kunden/Müller", "INBOX.Kunden.Müller"), folder(job_id, "Spam", "", found=40))
    found = report(db, job_id)
    for _again in range(2):
        assert [(one.folder, one.target, one.key) for one in found.failures()] == [
            ("Kunden/Müller", "INBOX.Kunden.Müller", f"7/{uid}") for uid in range(1, 8)
        ]
        assert [(one.folder, one.key, one.count) for one in found.skips()] == [
            ("Spam", "", 40), *(("Kunden/Müller", f"7/{uid}", 1) for uid in range(1, 7))
        ]  # fmt: skip
    assert [(one.folder, one.code, one.count) for one in found.skips_by_rule()] == [
        ("Spam", "excluded: x", 40),
        ("Kunden/Müller", "gone_at_source", 6),
    ]


def test_a_difference_is_named_at_both_ends_wherever_the_message_is(db: Database, make: Make) -> None:
    kinds = {"missing": "Kunden/Müller", "extra": "INBOX.Kunden.Müller", "duplicate": "INBOX.Nowhere"}
    found = [{"folder": name, "key": "1/2", "kind": kind, "detail": "d"} for kind, name in kinds.items()]
    result = {"proven": False, "discrepancies": found, "discrepancies_total": 3}
    job_id = make(kind=JobKind.VERIFY.value, state=JobState.INCOMPLETE, result=result)
    add(db, folder(job_id, "Kunden/Müller", "INBOX.Kunden.Müller"))
    add(db, *(JobDifference(job_id=job_id, **one) for one in found))
    here = report(db, job_id)
    assert [(one.code, one.folder, one.target) for one in here.differences()] == [
        ("missing", "Kunden/Müller", "INBOX.Kunden.Müller"),
        ("extra", "Kunden/Müller", "INBOX.Kunden.Müller"),
        ("duplicate", "", "INBOX.Nowhere"),
    ]
    assert here.differences_total == 3


def test_a_folder_that_broke_is_an_exception_with_the_messages_that_have_no_answer(db: Database, make: Make) -> None:
    job_id = make(state=JobState.INCOMPLETE)
    error = {"code": "folder_refused", "message": "m", "detail": "NO [CANNOT]", "end": "target"}
    add(db, folder(job_id, "A", "A", found=9, copied=4, state="failed", error=error))
    (one,) = report(db, job_id).items()
    assert (one.kind, one.folder, one.code, one.detail, one.count, one.end) == (
        ItemKind.FOLDER, "A", "folder_refused", "NO [CANNOT]", 5, "target",
    )  # fmt: skip


def test_what_a_rehearsal_would_carry_is_skipped_and_said(db: Database, make: Make) -> None:
    job_id = make(state=JobState.SUCCEEDED, options={"dry_run": True},
                  result={"dry_run": True, "would_copy": {"A": 7, "B": 0}})  # fmt: skip
    assert [(one.folder, one.code, one.count) for one in report(db, job_id).items()] == [("A", "dry_run", 7)]


@pytest.mark.parametrize("state", JobState)
def test_a_report_is_final_when_the_job_has_ended(db: Database, make: Make, state: JobState) -> None:
    ended = {JobState.SUCCEEDED, JobState.INCOMPLETE, JobState.FAILED, JobState.CANCELLED}
    assert report(db, make(state=state)).final == (state in ended)


def test_no_report_is_made_of_what_is_not_there_or_goes_through_no_folders(db: Database, make: Make) -> None:
    assert queries.report(db, 999, NOW) is None
    for kind in (JobKind.CHECK, JobKind.REMOVE):
        assert queries.report(db, make(kind=kind.value), NOW) is None


def test_a_comparison_that_is_made_again_replaces_what_it_found_before(db: Database, make: Make) -> None:
    job_id = make(kind=JobKind.VERIFY.value)
    ledger = SqlLedger(db, job_id=job_id, mailbox_id=row(db, job_id).mailbox_id, fence=0)
    found = [Difference("INBOX", f"1/{number}", "missing", "") for number in range(queries.AT_ONCE * 2 + 1)]
    ledger.differ(found)
    assert list(queries.every_difference(db, job_id)) == found
    ledger.differ(found[:1])
    assert list(queries.every_difference(db, job_id)) == found[:1]
