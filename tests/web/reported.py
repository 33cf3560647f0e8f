"""Jobs that have ended, with exceptions of every kind, for tests of their reports: rows are written past all rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from migrator.db.models import Failure, Folder, Job, JobFolder, JobWarning, Skipped
from migrator.db.store import Database

AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(A1)",
    "-2",
    "<script>alert(1)</script>",
    "\u202egpj.exe\u2066",
    "a\r\nSet-Cookie: x=y",
    "\x01\x1b[31m\x7f",
    '";"x',
    "{{ 7*7 }}%(count)s</para>",
)


@dataclass(frozen=True)
class Numbers:
    """One folder: where it goes (empty: it stays behind), and its sum."""

    source: str
    target: str
    copied: int = 0
    there: int = 0
    skipped: int = 0
    failed: int = 0
    open: int = 0
    error: dict[str, Any] | None = None


FOLDERS = (
    Numbers("INBOX", "INBOX", 14_190, 9, 4, 3),
    Numbers("Gesendete Objekte", "Gesendet", 2_904, 20),
    Numbers("Kunden/Müller", "INBOX.Kunden.Müller", 410),
    Numbers("Клиенты/Счета", "Клиенты.Счета", 73, 0, 0, 1),
    Numbers("Πελάτες", "Πελάτες", 18),
    Numbers("Spamverdacht", "", skipped=25),
)
FAILURES = (
    ("INBOX", 7_701, "<20261104.8812@mail.example>", "too_big", 84_200_000, "NO [TOOBIG] message size exceeds limit"),
    ("INBOX", 7_702, "", "short_at_source", 70_112, "4,096 of 70,112 octets"),
    ("INBOX", 7_703, "<ünïcode.🚚@почта.example>", "refused", 9_120, "NO [CANNOT] Invalid header"),
    ("Клиенты/Счета", 12, "<" + "very-long-" * 30 + "@mail.example>", "substitute_at_source", 1_204, ""),
)  # fmt: skip


def report_on(
    db: Database, job_id: int, *, folders: Sequence[Numbers] = FOLDERS,
    failures: Sequence[tuple[str, int, str, str, int, str]] = FAILURES, skips: int = 4, **columns: Any,
) -> int:  # fmt: skip
    """Fill a job that is there: folders with their sums, failures, single skips, warnings."""
    with db.writing() as session:
        job = session.get_one(Job, job_id)
        values = {
            "state": "incomplete",
            "started_at": AT,
            "finished_at": AT.replace(hour=13),
            "working_seconds": 60.0,
        }
        for name, value in (values | columns).items():
            setattr(job, name, value)
        rows: dict[str, Folder] = {}
        for position, one in enumerate(folders):
            session.add(_folder(job_id, position, one))
            rows[one.source] = Folder(mailbox_id=job.mailbox_id, side="old", name=one.source)
        session.add_all(rows.values())
        session.flush()
        session.add_all(
            Failure(job_id=job_id, folder_id=rows[folder].id, origin_validity=1, origin_uid=uid, message_id=message_id,
                    reason=reason, size=size, detail=detail, at=AT)
            for folder, uid, message_id, reason, size, detail in failures
        )  # fmt: skip
        session.add_all(
            Skipped(job_id=job_id, folder_id=rows[folders[0].source].id, origin_validity=1, origin_uid=50 + number,
                    rule="gone_at_source")
            for number in range(skips)
        )  # fmt: skip
        session.add(JobWarning(job_id=job_id, at=AT, code="date_not_kept", folder=folders[0].source, detail="17"))
    return job_id


def _folder(job_id: int, position: int, one: Numbers) -> JobFolder:
    found = one.copied + one.there + one.skipped + one.failed + one.open
    return JobFolder(
        job_id=job_id, position=position, source_name=one.source, target_name=one.target, excluded=not one.target,
        reason="same_name" if one.target else "excluded: Spam*", state="failed" if one.error else "done", found=found,
        announced=found, copied=one.copied, already_there=one.there, skipped=one.skipped, failed=one.failed,
        octets=one.copied * 40_000, octets_found=found * 40_000, error=one.error,
    )  # fmt: skip
