"""The gallery's archives, in every state, and the jobs that fill, check, empty and play them in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from migrator.db.models import Archive, ArchivePass, Endpoint, Job
from migrator.jobs import operations
from migrator.jobs.operations import NewEndpoint, NewJob
from migrator.jobs.orders import ArchiveEnd
from migrator.jobs.states import JobKind, JobState
from tests.web.gallery import FOLDERS, MB, STAFF, Maker

WISH = "Frau Weber, Telefonat am 3. November"
PROOF_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
SIGNATURE = "hgyY0il+MGCjP0JzlnLWG1PPOt7+09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr/MuM0KAg=="
DAMAGED = [{"folder": "Angebote/2024", "key": "7/1204", "detail": "The octets of this message do not open."},
           {"folder": "", "key": "", "detail": "The entry of a folder is damaged."}]  # fmt: skip
MISSING = [{"folder": "INBOX", "key": "3/902", "size": 48_112_000, "reason": "short_at_source"},
           {"folder": "Gesendete Objekte", "key": "4/11", "size": 0, "reason": "empty_at_source"}]  # fmt: skip
DONE = tuple((*folder[:6], 1.0) for folder in FOLDERS)
WHOLE: dict[str, Any] = {"messages": 43_118, "kept": 44_020, "blobs": 43_950, "octets": 12_277 * MB, "damaged": [],
                         "damaged_total": 0, "missing": [], "missing_total": 0, "found": 43_118,
                         "structure": "", "healthy": True, "proven": True}  # fmt: skip
BROKEN = WHOLE | {
    "damaged": DAMAGED,
    "damaged_total": 2,
    "missing": MISSING,
    "missing_total": 2,
    "healthy": False,
    "proven": False,
}


class ArchiveMaker(Maker):
    """Writes rows past all rules, as the gallery's maker does."""

    def all(self) -> tuple[dict[str, int], dict[str, int]]:
        """Archives and jobs, by name."""
        kept, archived = self.kept()
        damaged, broken = self.damaged()
        by_pop3, removed = self.by_pop3()
        empty, archiving = self.empty()
        archives = {"kept": kept, "damaged": damaged, "pop3": by_pop3, "empty": empty, "closed": self.closed(),
                    "destroyed": self.destroyed(gone=True), "destroying": self.destroyed(gone=False)}  # fmt: skip
        jobs = {"archived": archived, "archiving": archiving, "broken": broken, "removed": removed}
        return archives, jobs | dict(self.others(kept))

    # ---- archives --------------------------------------------------------------------------------------------------

    def kept(self) -> tuple[int, int]:
        """Nightly passes, twenty points in time, checked; the customer may fetch it."""
        job_id, archive_id = self.archived("mueller-bau.example", "verkauf", DONE[:12], octets=8_410 * MB)
        self.points(archive_id, job_id, 20)
        self.change(archive_id, every_hours=24, window_from=0, window_until=5, customer_may_fetch=True,
                    next_pass_at=self.now + timedelta(hours=11), source_id=self.source_of(job_id), check=WHOLE,
                    checked_at=self.now - timedelta(days=2))  # fmt: skip
        return archive_id, job_id

    def damaged(self) -> tuple[int, int]:
        """Checked, and not whole."""
        job_id, archive_id = self.archived("schreinerei-voss.example", "info", DONE[:6], octets=212 * MB)
        self.points(archive_id, job_id, 3, missing=2)
        self.change(archive_id, check=BROKEN, checked_at=self.now - timedelta(hours=3))
        check = self.ordered(NewJob(JobKind.CHECK, ArchiveEnd(archive_id), None, {}, STAFF), JobState.INCOMPLETE,
                             result=BROKEN, finished_at=self.now - timedelta(hours=3))  # fmt: skip
        return archive_id, check

    def by_pop3(self) -> tuple[int, int]:
        """Collected by POP3; collected mail is deleted after 14 days, by a wish."""
        end = NewEndpoint("pop3", "pop.hotel-seeblick.example", 995, "tls", "rezeption@hotel-seeblick.example",
                          "Geheim-4711")  # fmt: skip
        job_id, archive_id = self.archived("", "", (("INBOX", 1, "INBOX", "inbox", 1_204, 96 * MB, 1),), end=end)
        self.points(archive_id, job_id, 9)
        self.change(archive_id, every_hours=6, leave_days=14, source_id=self.source_of(job_id),
                    leave_wish=f"{WISH} (recorded by {STAFF}, 2026-11-03 09:12 UTC)",
                    next_pass_at=self.now + timedelta(hours=2))  # fmt: skip
        result = {"listed": 1_204, "removed": 1_150, "kept": {"too_young": 49, "no_uidl": 3}, "unknown": 2,
                  "warnings": [], "wish": WISH}  # fmt: skip
        new = NewJob(JobKind.REMOVE, end, ArchiveEnd(archive_id), {"after_days": 14, "wish": WISH}, "schedule")
        return archive_id, self.ordered(new, JobState.INCOMPLETE, result=result, finished_at=self.now)

    def empty(self) -> tuple[int, int]:
        """The first pass is under way."""
        job_id, archive_id = self.archived("optik-reuter.example", "praxis", (), state=JobState.RUNNING)
        self.folders(job_id, (("INBOX", 1, "INBOX", "inbox", 3_310, 812 * MB, 0.6),
                              ("Gesendet", 1, "Gesendet", "sent", 1_204, 402 * MB, 0)), ())  # fmt: skip
        self.sample(job_id, 600, 1_214 * MB, 4_514, 487 * MB, per_second=900_000)
        return archive_id, job_id

    def closed(self) -> int:
        """Closed, and to be destroyed by itself."""
        job_id, archive_id = self.archived("gartenbau-lutz.example", "buero", DONE[:4], octets=1_900 * MB)
        self.points(archive_id, job_id, 6)
        self.change(archive_id, closed_at=self.now - timedelta(days=30), expires_at=self.now + timedelta(days=60))
        return archive_id

    def destroyed(self, *, gone: bool) -> int:
        """The key is gone, and the file too or not yet."""
        domain = "tanzhaus-ried.example" if gone else "steinmetz-kahl.example"
        job_id, archive_id = self.archived(domain, "kontakt", DONE[:2], octets=640 * MB)
        self.points(archive_id, job_id, 4)
        reason = "Löschverlangen nach Art. 17 DSGVO, Brief vom 12. November"
        proof = {
            "format": "postwagen-destruction-1", "archive": archive_id, "account": "imap://…",
            "file": f"{'a7' * 16}.pwa",
            "octets": 640 * MB, "points_in_time": 4, "messages": 23_496, "destroyed_by": STAFF, "reason": reason,
            "public_key": PROOF_KEY, "signature": SIGNATURE,
        }  # fmt: skip
        self.change(archive_id, sealed_key=None, destroyed_at=self.now - timedelta(hours=2), destroyed_by=STAFF,
                    destroyed_reason=reason, proof=proof if gone else None,
                    file_removed_at=self.now - timedelta(hours=1) if gone else None)  # fmt: skip
        return archive_id

    # ---- jobs ------------------------------------------------------------------------------------------------------

    def others(self, archive_id: int) -> Iterator[tuple[str, int]]:
        """Jobs that play in and check, and a pass for which there is no room."""
        user, ended = "verkauf@mueller-bau.example", {"finished_at": self.now - timedelta(minutes=30)}
        new = self.end("mail.nordhafen.example", user)
        at = (self.now - timedelta(days=3)).isoformat()
        running = NewJob(JobKind.PLAY_IN, ArchiveEnd(archive_id), new, {"at": at, "restore": True}, STAFF)
        job_id = self.ordered(running, JobState.RUNNING, started_at=self.now - timedelta(minutes=12))
        self.folders(job_id, FOLDERS[:12], [("INBOX", "empty_at_source", 0, "")])
        self.fail(job_id, [("INBOX", "empty_at_source", 0, "The octets of this message do not open.")])
        self.sample(job_id, 700, 12_277 * MB, 43_093, 8_900 * MB, per_second=9_000_000)
        yield "playing in", job_id
        options = {"include": ["Angebote", "Angebote/*"], "under": "Restored 2026-11-22"}
        done = NewJob(JobKind.PLAY_IN, ArchiveEnd(archive_id), new, options, STAFF)
        job_id = self.ordered(done, JobState.SUCCEEDED, working_seconds=41.0, **ended)
        self.folders(job_id, DONE[4:7], ())
        yield "played in", job_id
        check = NewJob(JobKind.CHECK, ArchiveEnd(archive_id), None, {}, STAFF)
        yield "checking", self.ordered(check, JobState.RUNNING, started_at=self.now - timedelta(minutes=2))
        yield "checked", self.ordered(check, JobState.SUCCEEDED, result=WHOLE, working_seconds=512.0, **ended)
        full = {"code": "archive_no_room", "message": "The archive needs up to 900 MB more.", "remedy": "",
                "detail": "", "end": "target"}  # fmt: skip
        job_id, _ = self.archived("druckerei-ost.example", "satz", (), state=JobState.BLOCKED, error=full)
        self.folders(job_id, (("INBOX", 1, "INBOX", "inbox", 3_310, 812 * MB, 0.2),), ())
        yield "no room", job_id

    def archived(
        self, domain: str, user: str, folders: Any, *, octets: int = 0, end: NewEndpoint | None = None,
        state: JobState = JobState.SUCCEEDED, **columns: Any,
    ) -> tuple[int, int]:  # fmt: skip
        """A job that filled an archive, and the archive."""
        source = end or self.end(f"imap.{domain}", f"{user}@{domain}")
        ended = {"finished_at": self.now - timedelta(hours=9)} if state is JobState.SUCCEEDED else {}
        job_id = self.ordered(NewJob(JobKind.ARCHIVE, source, ArchiveEnd(), {}, STAFF), state,
                              started_at=self.now - timedelta(minutes=600 if ended else 10), working_seconds=600.0,
                              **ended, **columns)  # fmt: skip
        if folders:
            self.folders(job_id, folders, ())
        with self.db.reading() as session:
            archive_id = session.get_one(Endpoint, session.get_one(Job, job_id).target_id).archive_id
        assert archive_id is not None
        self.change(archive_id, octets=octets)
        return job_id, archive_id

    def ordered(self, new: NewJob, state: JobState, **columns: Any) -> int:
        """A job of that order, in that state."""
        created = self.now - timedelta(minutes=610)
        job_id = operations.create(self.db, self.vault, new, settings=self.settings, now=created)
        if state is JobState.RUNNING:
            columns["lease_until"] = self.now + timedelta(days=1)
        with self.db.writing() as session:
            job = session.get_one(Job, job_id)
            for column, value in (
                {"state": state.value, "started_at": self.now - timedelta(hours=1)} | columns
            ).items():
                setattr(job, column, value)
        return job_id

    # ---- rows ------------------------------------------------------------------------------------------------------

    def source_of(self, job_id: int) -> int:
        with self.db.reading() as session:
            return session.get_one(Job, job_id).source_id

    def change(self, archive_id: int, **columns: Any) -> None:
        with self.db.writing() as session:
            row = session.get_one(Archive, archive_id)
            for column, value in columns.items():
                setattr(row, column, value)

    def points(self, archive_id: int, job_id: int, number: int, *, missing: int = 0) -> None:
        """One a night; the newest is that of the job."""
        with self.db.writing() as session:
            for back in range(number):
                ended = self.now - timedelta(days=back, hours=9)
                session.add(
                    ArchivePass(
                        archive_id=archive_id, number=number - back, job_id=job_id if back == 0 else None,
                        began_at=ended - timedelta(minutes=7), ended_at=ended, found=43_118 - 212 * back,
                        missing=missing if back == 0 else 0, octets=(12_277 - 31 * back) * MB,
                    )
                )  # fmt: skip
