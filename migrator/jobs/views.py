"""What pages, API and command show of jobs: plain values, read by `queries`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migrator.jobs.states import JobKind, JobState


@dataclass(frozen=True, slots=True)
class Counts:
    """The sum that always adds up: found = copied + already_there + skipped + failed + open."""

    found: int = 0
    copied: int = 0
    already_there: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def open(self) -> int:
        """What is still to do; never negative, even while a survey is counting."""
        return max(0, self.found - self.done)

    @property
    def done(self) -> int:
        """What has its answer."""
        return self.copied + self.already_there + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class FolderView:
    """One folder of a job. `state`: open, working, done, failed, excluded. `levels` drive the indent (1 = top)."""

    id: int
    source: str
    levels: int
    target: str
    role: str | None
    reason: str
    state: str
    counts: Counts
    octets: int
    octets_found: int
    dropped_flags: int
    flag_changes: int
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FailureView:
    """One message that was not carried."""

    folder: str
    key: str
    message_id: str
    reason: str
    detail: str
    size: int
    at: datetime | None = None
    kept: int | None = None
    """Its number in quarantine, where its octets are there."""
    gone: str = ""
    """Why they are there no more: `carried`, `expired`, or empty."""

    @property
    def fate(self) -> str:
        """What became of its octets: `kept`, `carried`, `expired`, or empty."""
        return "kept" if self.kept is not None else self.gone


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one reason, for the card above the folders."""

    reason: str
    count: int
    folders: Sequence[str]
    largest: int
    detail: str


@dataclass(frozen=True, slots=True)
class SkipView:
    """One message, or (key empty) a whole folder's `count` messages, left behind by a rule."""

    folder: str
    key: str
    rule: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class WarningView:
    """Something to know that failed nothing."""

    code: str
    folder: str
    detail: str


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of a job's history."""

    at: datetime
    name: str
    from_state: str
    to_state: str
    actor: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SampleView:
    """Progress at a moment, for the plots."""

    at: datetime
    messages: int
    octets: int
    open_messages: int


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as everybody may see it: never a credential, only whether one is stored."""

    protocol: str
    host: str
    port: int
    security: str
    user: str
    address: str | None
    fingerprint: str | None
    has_ca: bool
    credential_stored: bool
    """Also where none is needed: an archive's key lies with the archive."""
    credential_wiped_at: datetime | None
    archive_id: int | None = None


@dataclass(frozen=True, slots=True)
class JobLine:
    """One row of the list of jobs."""

    id: int
    kind: JobKind
    state: JobState
    address: str
    source_host: str
    target_host: str
    counts: Counts
    octets: int
    percent: float
    """0 to 100, rounded down to a tenth; 100 only when SUCCEEDED."""
    eta_seconds: int | None
    error: dict[str, Any] | None
    wish: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waiting_until: datetime | None


@dataclass(frozen=True, slots=True)
class JobView(JobLine):
    """Everything that one job's page and JSON show."""

    source: EndpointView = field(kw_only=True)
    target: EndpointView = field(kw_only=True)
    options: dict[str, Any] = field(kw_only=True)
    octets_found: int = field(kw_only=True)
    octets_per_second: float = field(kw_only=True)
    messages_per_second: float = field(kw_only=True)
    working_seconds: float = field(kw_only=True)
    folders: Sequence[FolderView] = field(kw_only=True)
    failure_groups: Sequence[FailureGroup] = field(kw_only=True)
    failures: Sequence[FailureView] = field(kw_only=True)
    """The first 100."""
    skips: Sequence[SkipView] = field(kw_only=True)
    """The first 100."""
    warnings: Sequence[WarningView] = field(kw_only=True)
    events: Sequence[EventView] = field(kw_only=True)
    """The newest 50, newest first."""
    samples: Sequence[SampleView] = field(kw_only=True)
    """At most 120, evenly thinned, oldest first."""
    result: dict[str, Any] | None = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class StatusView:
    """What a customer sees: no host, no protocol word, no folder names, no failures' text."""

    address: str
    kind: JobKind
    state: JobState
    percent: float
    counts: Counts
    octets: int
    octets_found: int
    eta_seconds: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waiting_until: datetime | None
    needs_person: bool
    error_code: str
    expires_at: datetime
