"""Jobs in every state, as they look in life: `python -m tests.web.gallery` serves them, to be looked at.

It prints the addresses. Everything is in a directory of its own that is removed at the end; the jobs do not run.
"""

from __future__ import annotations

import dataclasses
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migrator.accounts import operations as accounts
from migrator.db.models import (
    Endpoint,
    Failure,
    Folder,
    Job,
    JobDifference,
    JobEventRow,
    JobFolder,
    JobSample,
    JobWarning,
    Skipped,
    Worker,
)
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import LoginRefused
from migrator.jobs import operations
from migrator.jobs.advising import AdviceReport, door_of
from migrator.jobs.operations import NewEndpoint, NewJob
from migrator.jobs.probe import ProbeReport
from migrator.jobs.states import JobKind, JobState
from migrator.mail.folders import FolderInfo, Namespace, Role
from migrator.mail.messages import MessageKey
from migrator.planning.advice import NOT_TRIED, advise
from migrator.planning.limits import Large, Largest
from migrator.settings import Settings, load
from tests import making

STAFF = "jana.petersen@nordhafen.example"
PASSWORD = "wagen rot sieben"
MB = 1_000_000

Numbers = tuple[str, int, str, str | None, int, int, float]
"""Source name, levels, target, role, messages, octets, share done."""

FOLDERS: tuple[Numbers, ...] = (
    ("INBOX", 1, "INBOX", "inbox", 14_206, 4_200 * MB, 0.997),
    ("Gesendete Objekte", 1, "Gesendet", "sent", 9_292, 2_900 * MB, 1),
    ("Sent", 1, "Gesendet", "sent", 26, 6 * MB, 1),
    ("Entwürfe", 1, "Entwürfe", "drafts", 41, 12 * MB, 1),
    ("Angebote", 1, "Angebote", None, 2_104, 918 * MB, 1),
    ("Angebote/2024", 2, "Angebote/2024", None, 1_266, 402 * MB, 1),
    ("Angebote/2025", 2, "Angebote/2025", None, 1_890, 511 * MB, 1),
    ("Kunden", 1, "Kunden", None, 214, 61 * MB, 1),
    ("Kunden/Öttinger Bau GmbH", 2, "Kunden/Öttinger Bau GmbH", None, 1_822, 377 * MB, 1),
    ("Kunden/Schröder & Partner", 2, "Kunden/Schröder & Partner", None, 743, 264 * MB, 0.483),
    ("Lieferanten", 1, "Lieferanten", None, 5_480, 1_400 * MB, 0),
    ("Archiv 2019–2023", 1, "Archiv", "archive", 6_009, 1_200 * MB, 0),
    ("Spamverdacht", 1, "", "junk", 25, 26 * MB, 0),
)


@dataclass
class Gallery:
    """What was filled, for whoever looks at it."""

    jobs: dict[str, int]
    archives: dict[str, int]
    status: dict[str, str]
    setup: str


def fill(
    db: Database, vault: Vault, settings: Settings, *, archives: bool = False, now: datetime | None = None
) -> Gallery:
    """One job per state and kind of trouble; where asked, one archive per state too, with its jobs."""
    from tests.web.archived import ArchiveMaker

    at = now or datetime.now(UTC)
    staff = accounts.create_user(db, STAFF, "Jana Petersen", PASSWORD, now=at)
    made = Maker(db, vault, settings, at)
    jobs = {
        "running": made.running(),
        "blocked": made.blocked("kanzlei-brandt.example", "info", "login_refused", "source",
                                "a003 NO [AUTHENTICATIONFAILED] Authentication failed."),
        "full": made.blocked("hofgut-steinbach.example", "buero", "target_full", "target",
                             "NO [OVERQUOTA] Quota exceeded (mailbox for user is full)"),
        "recreated": made.blocked("baeckerei-lindner.example", "bestellung", "folder_recreated", "target", ""),
        "certificate": made.blocked("fahrrad-wenzel.example", "werkstatt", "tls_expired", "source",
                                    "certificate has expired (_ssl.c:992)"),
        "failed": made.failed(),
        "incomplete": made.incomplete(),
        "counting": made.simple(JobState.RUNNING, "optik-hansen.example", "praxis", started=12),
        "waiting": made.waiting(),
        "queued": made.simple(JobState.QUEUED, "zimmerei-petermann.example", "a.kowalski"),
        "paused": made.partly(JobState.PAUSED, "lokalradio-weser.example", "redaktion"),
        "succeeded": made.partly(JobState.SUCCEEDED, "gartenbau-thiele.example", "thiele"),
        "cancelled": made.partly(JobState.CANCELLED, "musikhaus-falk.example", "noten"),
        "verified": made.verified(),
        "proven": made.proven(),
    }  # fmt: skip
    kept, of_archives = ArchiveMaker(db, vault, settings, at).all() if archives else ({}, {})
    jobs |= of_archives
    with db.writing() as session:
        session.merge(Worker(name="worker@here", seen_at=at + timedelta(days=1)))
    status = {name: operations.create_status_link(db, job_id) for name, job_id in jobs.items()}
    return Gallery(jobs, kept, status, accounts.create_link(db, staff, hours=1))


class Maker:
    """Writes rows past all rules."""

    def __init__(self, db: Database, vault: Vault, settings: Settings, now: datetime) -> None:
        self.db, self.vault, self.settings, self.now = db, vault, settings, now
        self.random = random.Random(7)

    # ---- kinds of jobs ---------------------------------------------------------------------------------------------

    def running(self) -> int:
        job_id = self.simple(
            JobState.RUNNING, "mueller-soehne.example", "verkauf", host="imap.ionos.de", started=51 * 60
        )
        failures = [("INBOX", "too_big", 84_200_000 - n * 3 * MB, "message exceeds fixed maximum message size")
                    for n in range(9)]  # fmt: skip
        failures += [("Gesendete Objekte", "empty_at_source", 0, "")] * 2
        failures += [("Gesendete Objekte", "refused", 48_112, "NO Message contains NUL characters")]
        self.folders(job_id, FOLDERS, failures)
        self.fail(job_id, failures)
        self.sample(job_id, 51 * 60, 12_277 * MB, 43_093, 8_900 * MB, per_second=4_100_000)
        minutes = (("take", 51), ("wait", 34), ("take", 28))
        self.events(job_id, [(name, at * 60, "worker@here", {}) for name, at in minutes])
        with self.db.writing() as session:
            session.add(JobWarning(job_id=job_id, at=self.now, code="folders_merged", folder="Sent",
                                   detail="Gesendete Objekte → Gesendet"))  # fmt: skip
        return job_id

    def blocked(self, domain: str, user: str, code: str, end: str, detail: str) -> int:
        error = {"code": code, "message": "In English for machines.", "remedy": "", "detail": detail, "end": end}
        job_id = self.partly(JobState.BLOCKED, domain, user, error=error)
        self.events(job_id, [("block", 1_200, "worker@here", {"error": code})])
        return job_id

    def failed(self) -> int:
        error = {"code": "defect", "message": "Something went wrong that must not.", "remedy": "",
                 "detail": "KeyError in match, line 88"}  # fmt: skip
        job_id = self.simple(JobState.FAILED, "praxis-dr-aydin.example", "empfang", started=900, error=error)
        self.events(job_id, [("take", 900, "worker@here", {}), ("fail", 880, "worker@here", {"error": "defect"})])
        return job_id

    def incomplete(self) -> int:
        job_id = self.partly(JobState.INCOMPLETE, "stadtwerke-elmstedt.example", "rechnung", failed=3)
        self.fail(job_id, [("Posteingang", "refused", 9_120, "NO [CANNOT] Invalid header"),
                           ("Posteingang", "substitute_at_source", 1_204, "The message could not be retrieved"),
                           ("=cmd|' /C calc'!A0", "short_at_source", 70_112, "4,096 of 70,112 octets")])  # fmt: skip
        making.kept(self.db, self.vault, job_id, MessageKey(1, 7_700), b"Subject: odd\r\n\r\nodd\r\n",
                    folder="Posteingang")  # fmt: skip
        return job_id

    def waiting(self) -> int:
        error = {"code": "server_busy", "message": "The server is busy or limits us.", "remedy": "",
                 "detail": "NO [THROTTLED] Account exceeded command or bandwidth limits", "end": "source"}  # fmt: skip
        return self.partly(JobState.QUEUED, "weingut-ehrlich.example", "hof", host="imap.gmail.com", error=error,
                           not_before=self.now + timedelta(hours=9))  # fmt: skip

    def partly(self, state: JobState, domain: str, user: str, *, failed: int = 0, **columns: Any) -> int:
        ended = state in (JobState.SUCCEEDED, JobState.CANCELLED, JobState.INCOMPLETE)
        share = 1.0 if state in (JobState.SUCCEEDED, JobState.INCOMPLETE) else 0.61
        job_id = self.simple(state, domain, user, started=5_400, working_seconds=1_312.0,
                             finished_at=self.now - timedelta(hours=1) if ended else None, **columns)  # fmt: skip
        failures = [("Posteingang", "refused", 0, "")] * failed
        self.folders(job_id, (("Posteingang", 1, "INBOX", "inbox", 3_310, 812 * MB, share),
                              ("Gesendet", 1, "Gesendet", "sent", 1_204, 402 * MB, share),
                              ("Papierkorb", 1, "", "trash", 212, 40 * MB, 0)), failures)  # fmt: skip
        self.sample(job_id, 4_000, 1_214 * MB, 4_514, int(1_214 * MB * share))
        return job_id

    def verified(self) -> int:
        differences = [{"folder": "Angebote", "key": "1/17", "kind": "missing", "detail": "<a@b.example>"},
                       {"folder": "INBOX", "key": "3/902", "kind": "extra", "detail": "Date: 20 Nov 2026"},
                       {"folder": "INBOX", "key": "3/11", "kind": "flags", "detail": r"\Seen"}]  # fmt: skip
        result = {"proven": False, "discrepancies": differences, "discrepancies_total": 3}
        columns = {"kind": JobKind.VERIFY.value, "failed": 1, "result": result}
        job_id = self.partly(JobState.INCOMPLETE, "tanzschule-vogt.example", "kurse", **columns)
        self.only_compared(job_id)
        making.add(self.db, *(JobDifference(job_id=job_id, **one) for one in differences))
        return job_id

    def proven(self) -> int:
        """A comparison without a difference, on a server where everything lies below `INBOX.`."""
        result = {"proven": True, "discrepancies": [], "discrepancies_total": 0}
        job_id = self.simple(JobState.SUCCEEDED, "buchladen-kern.example", "laden", started=300, working_seconds=41.0,
                             kind=JobKind.VERIFY.value, result=result, finished_at=self.now)  # fmt: skip
        self.folders(job_id, (("INBOX", 1, "INBOX", "inbox", 1_310, 212 * MB, 1),
                              ("INBOX.Gesendet", 1, "Gesendet", "sent", 404, 92 * MB, 1),
                              ("INBOX.Verlage", 1, "Verlage", None, 12, 4 * MB, 1),
                              ("INBOX.Verlage.Aufbau", 2, "Verlage/Aufbau", None, 88, 31 * MB, 1)), ())  # fmt: skip
        self.only_compared(job_id)
        return job_id

    def only_compared(self, job_id: int) -> None:
        """Nothing was carried: what was found to be the same was there already."""
        with self.db.writing() as session:
            session.query(JobSample).filter_by(job_id=job_id).delete()
            session.query(Skipped).filter_by(job_id=job_id).delete()
            for folder in session.query(JobFolder).filter_by(job_id=job_id, excluded=False):
                folder.already_there, folder.copied = folder.found - folder.failed, 0
                folder.skipped = folder.octets = folder.dropped_flags = 0

    # ---- rows ------------------------------------------------------------------------------------------------------

    def simple(
        self, state: JobState, domain: str, user: str, *, host: str = "", started: int = 0, **columns: Any
    ) -> int:
        name = f"{user}@{domain}"
        source, target = self.end(host or f"imap.{domain}", name), self.end("mail.nordhafen.example", name)
        new = NewJob(JobKind.COPY, source, target, {}, STAFF)
        begun = self.now - timedelta(seconds=started)
        created = begun - timedelta(seconds=20)
        job_id = operations.create(self.db, self.vault, new, settings=self.settings, now=created)
        values = {"state": state.value, "started_at": begun if started else None, **columns}
        if state is JobState.RUNNING:
            values["lease_until"] = self.now + timedelta(days=1)
        with self.db.writing() as session:
            job = session.get_one(Job, job_id)
            for column, value in values.items():
                setattr(job, column, value)
            if state in (JobState.SUCCEEDED, JobState.CANCELLED):
                for end in (job.source_id, job.target_id):
                    row = session.get_one(Endpoint, end)
                    row.credential, row.credential_wiped_at = None, self.now
        return job_id

    def end(self, host: str, user: str) -> NewEndpoint:
        return NewEndpoint("imap", host, 993, "tls", user, "Geheim-4711")

    def folders(self, job_id: int, numbers: Sequence[Numbers], failures: Sequence[tuple[str, str, int, str]]) -> None:
        with self.db.writing() as session:
            for position, (name, levels, target, role, messages, octets, share) in enumerate(numbers):
                excluded = not target
                failed = sum(failure[0] == name for failure in failures)
                done = math.floor(messages * share)
                there = done // 29 if share else 0
                skipped = min(12, done // 400)
                session.add(
                    JobFolder(
                        job_id=job_id, position=position, source_name=name, levels=levels, target_name=target,
                        role=role, excluded=excluded,
                        reason="excluded: Spam*" if excluded else ("role" if role else "same_name"),
                        state="done" if share == 1 else "working" if share else "open", announced=messages,
                        announced_octets=octets, found=0 if excluded else messages,
                        copied=max(0, done - there - skipped - failed), already_there=there, skipped=skipped,
                        failed=failed, octets=int(octets * share), octets_found=0 if excluded else octets,
                        dropped_flags=214 if position == 0 else 0,
                    )
                )  # fmt: skip
            job = session.get_one(Job, job_id)
            folder = session.query(Folder).filter_by(mailbox_id=job.mailbox_id, side="old").first()
            folder = folder or Folder(mailbox_id=job.mailbox_id, side="old", name="Posteingang")
            session.add(folder)
            session.flush()
            session.add(
                Skipped(job_id=job_id, folder_id=folder.id, origin_validity=1, origin_uid=5, rule="gone_at_source")
            )

    def fail(self, job_id: int, failures: Sequence[tuple[str, str, int, str]]) -> None:
        with self.db.writing() as session:
            job = session.get_one(Job, job_id)
            for number, (name, reason, size, detail) in enumerate(failures):
                folder = session.query(Folder).filter_by(mailbox_id=job.mailbox_id, side="old", name=name).first()
                folder = folder or Folder(mailbox_id=job.mailbox_id, side="old", name=name)
                session.add(folder)
                session.flush()
                session.add(
                    Failure(
                        job_id=job_id, folder_id=folder.id, origin_validity=1, origin_uid=7_700 + number,
                        at=self.now - timedelta(minutes=number), reason=reason, detail=detail, size=size,
                        message_id=f"<{number}.4711@mail.example>",
                    )
                )  # fmt: skip

    def sample(
        self, job_id: int, seconds: int, all_octets: int, messages: int, octets: int, *, per_second: int = 0
    ) -> None:
        """Points over so many seconds; `per_second` is the speed of the last two minutes."""
        steps, recent = 90, 120
        weights = [0.02 if 30 <= n < 40 else 1 + 0.35 * math.sin(n / 3) + self.random.uniform(-0.25, 0.25)
                   for n in range(steps)]  # fmt: skip
        total, done, before = sum(weights), 0.0, octets - recent * per_second
        points = []
        for number, weight in enumerate(weights):
            done += weight / total
            points.append((recent + (seconds - recent) * (1 - (number + 1) / steps), before * done))
        points += [(back, octets - back * per_second) for back in range(recent - 10, -1, -10)]
        with self.db.writing() as session:
            for back, so_far in points:
                copied = int(messages * so_far / all_octets)
                session.add(JobSample(job_id=job_id, at=self.now - timedelta(seconds=back), messages=copied,
                                      octets=int(so_far), open_messages=messages - copied))  # fmt: skip

    def events(self, job_id: int, events: Sequence[tuple[str, int, str, dict[str, Any]]]) -> None:
        with self.db.writing() as session:
            for name, back, actor, fields in events:
                session.add(JobEventRow(job_id=job_id, at=self.now - timedelta(seconds=back), name=name, actor=actor,
                                        fields=fields))  # fmt: skip


LARGEST = Largest(
    10 * MB,
    (Large("Lieferanten", "7/5101", 84 * MB), Large("Kunden/Öttinger Bau GmbH", "9/1804", 61 * MB),
     Large("INBOX", "1/13990", 58 * MB), Large("Lieferanten", "7/88", 22 * MB)),
)  # fmt: skip
"""The old server's largest messages."""


# ---- fakes for the new-job form ------------------------------------------------------------------------------------


def fake_probe(endpoint: NewEndpoint, *, role: str, settings: Settings) -> ProbeReport:
    """Answers at once: refuses the password "falsch", knows the folders above."""
    if endpoint.password == "falsch":
        error = LoginRefused(f"{endpoint.host} does not accept this user and password.",
                             detail="a002 NO [AUTHENTICATIONFAILED] Authentication failed.", end=role)  # fmt: skip
        return ProbeReport(ok=False, error=error, seconds=2.1)
    if role == "target":
        names = [("INBOX", Role.INBOX), ("Gesendet", Role.SENT), ("Entwürfe", Role.DRAFTS), ("Papierkorb", Role.TRASH)]
        infos = [FolderInfo(name, (name,), used, messages=0, octets=0) for name, used in names]
        return ProbeReport(ok=True, error=None, folders=4, messages=0, octets=0, tls="TLS 1.3", folder_list=infos,
                           namespace=Namespace(), quota=(0, 10_000 * MB), max_octets=50 * MB, seconds=0.4)  # fmt: skip
    infos = [FolderInfo(name, tuple(name.split("/")), Role(used) if used else None, messages=count, octets=octets)
             for name, _, _, used, count, octets, _ in FOLDERS]  # fmt: skip
    return ProbeReport(ok=True, error=None, folders=13, messages=43_118, octets=12_277 * MB, tls="TLS 1.3",
                       notes=["UIDPLUS", "SPECIAL-USE"], folder_list=infos, largest=LARGEST, seconds=0.8)  # fmt: skip


def fake_advise(endpoint: NewEndpoint, *, settings: Settings, fetches_by_pop3: bool | None = None) -> AdviceReport:
    """Both doors open with the right password; POP3 shows the inbox only."""
    given = fake_probe(endpoint, role="source", settings=settings)
    reports = {endpoint.protocol: given}
    if given.ok:
        inbox = FolderInfo("INBOX", ("INBOX",), Role.INBOX, messages=14_180, octets=4_100 * MB)
        reports.setdefault("pop3", ProbeReport(ok=True, error=None, folders=1, messages=14_180, folder_list=[inbox]))
    doors = {protocol: door_of(report) for protocol, report in reports.items()}
    advice = advise(doors.get("imap", NOT_TRIED), doors.get("pop3", NOT_TRIED), fetches_by_pop3)
    return AdviceReport(given, advice, reports)


def fake_zip(*_here: Any, **_chosen: Any) -> Iterator[bytes]:
    """A zip file with nothing in it."""
    return iter([b"PK\x05\x06", bytes(18)])


def main(port: int) -> None:
    """Serve the gallery on loopback until Ctrl-C."""
    from werkzeug.serving import make_server

    from web import create_app

    with tempfile.TemporaryDirectory() as scratch:
        settings = dataclasses.replace(
            load({}, data_dir=Path(scratch)),
            public_url=f"http://127.0.0.1:{port}",
            hoster_name="Nordhafen Hosting",
            hoster_contact="hilfe@nordhafen.example",
        )
        db, vault = Database(settings.database_url), Vault.open(settings.secret_key_file)
        db.upgrade()
        made = fill(db, vault, settings, archives=True)
        print(f"http://127.0.0.1:{port}/login  {STAFF}  {PASSWORD}", flush=True)  # noqa: T201
        for name, job_id in made.jobs.items():
            print(f"{name}: /jobs/{job_id}  /status/{made.status[name]}", flush=True)  # noqa: T201
        for name, archive_id in made.archives.items():
            print(f"{name}: /archives/{archive_id}", flush=True)  # noqa: T201
        app = create_app(settings, db=db, vault=vault, enqueue=lambda _: None, probe=fake_probe, advise=fake_advise)
        make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8099)
