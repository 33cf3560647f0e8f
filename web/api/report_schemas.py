"""The report of a job, described. It is written while it is read (web/reports), and a test holds it against this."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from migrator.jobs.states import JobKind, JobState
from migrator.planning.verification import Kind

Text = Annotated[str, Field(description="For people, in the language that was asked for.")]
Name = Annotated[str, Field(description="A folder's full name at its end, or empty.")]


class Sum(BaseModel):
    """Always `found` = `copied` + `already_there` + `skipped` + `failed` + `open`; nothing is open when all is done."""

    found: int
    copied: int
    already_there: int
    skipped: int
    failed: int
    open: int


class ReportEnd(BaseModel):
    """Where the job reads or writes. `archive`: the number of the archive, which has no host."""

    protocol: str
    host: str
    port: int
    security: str
    user: str
    archive: int | None


class ReportFolder(Sum):
    """One folder by both its names. `target` is empty where it stays behind; `reason` says why."""

    source: Name
    target: Name
    role: str | None
    state: str
    reason: str
    octets: int


class ReportError(BaseModel):
    """What ended or stopped the job."""

    code: str
    text: Text


class ReportWarning(BaseModel):
    """Something to know that failed nothing."""

    code: str
    folder: Name
    detail: str
    text: Text


class FolderError(BaseModel):
    """A folder that could not be gone through; `count` messages of it are open."""

    folder: Name
    code: str
    text: Text
    detail: str
    count: int


class ReportFailure(BaseModel):
    """A message that was not carried. `key`: UIDVALIDITY/UID on the old server. `detail`: the server's own words."""

    folder: Name
    target: Name
    key: str
    message_id: str
    size: int
    reason: str
    text: Text
    detail: str
    at: datetime | None
    quarantine: Annotated[
        Literal["kept", "carried", "expired", "renumbered"] | None,
        Field(description="What became of its octets there."),
    ]


class ReportDiscrepancy(BaseModel):
    """A difference that a comparison found. `key` is the target's for `extra` and `duplicate`."""

    folder: Name
    target: Name
    key: str
    kind: Kind
    text: Text
    detail: str


class ReportSkip(BaseModel):
    """A message, or (`key` null) `count` messages of a folder, left behind by a rule."""

    folder: Name
    target: Name
    key: str | None
    rule: str
    text: Text
    count: int


class Report(BaseModel):
    """What a job did, with every exception. No subjects, no senders."""

    job: int
    kind: Literal[JobKind.COPY, JobKind.ARCHIVE, JobKind.PLAY_IN, JobKind.VERIFY]
    state: JobState
    final: Annotated[bool, Field(description="Whether the job has ended; if not, the numbers change.")]
    as_of: datetime
    address: str
    source: ReportEnd
    target: ReportEnd
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    working_seconds: float
    dry_run: bool
    messages: Sum
    octets: int
    error: ReportError | None
    folders: list[ReportFolder]
    warnings: list[ReportWarning]
    discrepancies_total: int
    folder_errors: list[FolderError]
    failures: list[ReportFailure]
    discrepancies: list[ReportDiscrepancy]
    skips: list[ReportSkip]
