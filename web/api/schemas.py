"""The API's values: what comes in is checked strictly and by name, what goes out has exactly these fields.

The same models are the OpenAPI description.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from migrator.jobs.operations import NewEndpoint, NewJob
from migrator.jobs.orders import ArchiveEnd, Keeping, usual_port
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import Counts, EndpointView, FailureView, FolderView, JobLine, JobView
from web.api.option_schemas import Options, Strict

Securities = Literal["tls", "starttls", "none"]


Password = Annotated[str, Field(min_length=1, max_length=4_096, json_schema_extra={"writeOnly": True})]


class Endpoint(Strict):
    """Where and how to log in. The password is stored sealed and never given back."""

    protocol: Annotated[Literal["imap", "pop3"], Field(description="`pop3` for the source only: its inbox.")]
    host: Annotated[str, Field(min_length=1, max_length=255, examples=["imap.example.org"])]
    port: Annotated[int, Field(ge=1, le=65_535, description="Without it 993, 143, 995 or 110.")] | None = None
    security: Annotated[Securities, Field(description="`starttls` is required then; `none` is clear text.")] = "tls"
    user: Annotated[str, Field(min_length=1, max_length=320)]
    password: Annotated[Password, Field(repr=False)]
    ca_pem: Annotated[str, Field(max_length=100_000, description="PEM text of an authority to trust.")] | None = None
    fingerprint: Annotated[str, Field(max_length=200, description="`sha256:` and 64 hexadecimal digits.")] | None = None
    address: Annotated[str, Field(max_length=64, description="Connect there; the host stays for TLS.")] | None = None
    auth: Literal["", "login", "plain", "apop", "xoauth2"] = ""
    authzid: Annotated[str, Field(max_length=320)] = ""

    def ordered(self) -> NewEndpoint:
        """As an order names it."""
        values = self.model_dump()
        return NewEndpoint(**{**values, "port": self.port or usual_port(self.protocol, self.security)})


class ArchiveRef(Strict):
    """An archive that the service keeps, as an end of a job."""

    protocol: Literal["archive"]
    archive: Annotated[
        int, Field(ge=1, le=2**63 - 1, description="Its number. Without it, for `archive`: that of the old account.")
    ] | None = None  # fmt: skip

    def ordered(self) -> ArchiveEnd:
        """As an order names it."""
        return ArchiveEnd(self.archive)


_Hour = Annotated[int, Field(ge=0, le=23)]


class Keep(Strict):
    """What comes by itself for an archive until its transfer is closed. Left out: nothing."""

    every_hours: Annotated[int, Field(ge=1, le=744, description="A pass so often; 24 is nightly.")] | None = None
    window: Annotated[tuple[_Hour, _Hour], Field(description="Hours of the day between which it begins.")] | None = None
    leave_days: Annotated[
        int,
        Field(ge=0, le=3_650, description="POP3: delete at the old server so many days after collection; 0: at once."),
    ] | None = None  # fmt: skip
    leave_wish: Annotated[str, Field(max_length=500, description="Who asked for that, and when.")] = ""

    def ordered(self) -> Keeping:
        """As operations take it."""
        return Keeping(self.every_hours, self.window, self.leave_days, self.leave_wish)


def _kind_of_end(value: Any) -> str:
    protocol = value.get("protocol") if isinstance(value, dict) else getattr(value, "protocol", "")
    return "[archive]" if protocol == "archive" else "[server]"


End = Annotated[
    Annotated[Endpoint, Tag("[server]")] | Annotated[ArchiveRef, Tag("[archive]")], Discriminator(_kind_of_end)
]


class NewJobIn(Strict):
    """An order. `archive`: from a server into an archive; `play-in`: out of one; `check`: read one from end to end;
    `remove`: delete at a POP3 server what an archive holds for certain, by the customer's wish."""

    kind: Literal["copy", "verify", "archive", "play-in", "check", "remove"]
    source: End
    target: Annotated[End | None, Field(description="For `archive` it may be left out; `check` has none.")] = None
    options: Options = Field(default_factory=Options)
    keep: Annotated[Keep | None, Field(description="For `archive` only.")] = None

    def ordered(self, created_by: str) -> NewJob:
        """As operations take it."""
        to_archive = self.kind == "archive" and self.target is None
        return NewJob(
            kind=JobKind(self.kind),
            source=self.source.ordered(),
            target=ArchiveEnd() if to_archive else self.target.ordered() if self.target else None,
            options=self.options.ordered(),
            created_by=created_by,
            keeping=self.keep.ordered() if self.keep else Keeping(),
        )


class RetryIn(Strict):
    """Options that are laid over those of the order, and passwords in place of those that were refused or wiped."""

    options: Options | None = None
    source_password: Annotated[Password | None, Field(repr=False)] = None
    target_password: Annotated[Password | None, Field(repr=False)] = None


class ReplayIn(Strict):
    """How what lies in quarantine is put in. The old server is not asked."""

    repair: Annotated[
        bool | None, Field(description="Send what is refused for its form with the least change; null: as the job did.")
    ] = None
    target_password: Annotated[
        Password | None, Field(repr=False, description="Needed where that of the job was wiped.")
    ] = None


class NothingIn(Strict):
    """No field at all."""


# ---- out -----------------------------------------------------------------------------------------------------------


class Messages(BaseModel):
    """The sum. When the job has ended: found = copied + already_there + skipped + failed."""

    found: int
    copied: int
    already_there: int
    skipped: int
    failed: int

    @classmethod
    def of(cls, counts: Counts) -> Messages:
        """From the numbers of a job or folder."""
        return cls(
            found=counts.found,
            copied=counts.copied,
            already_there=counts.already_there,
            skipped=counts.skipped,
            failed=counts.failed,
        )


class Folder(Messages):
    """One folder: full names at their ends. `target` is empty where the folder stays behind, and `reason` says why."""

    source: str
    target: str
    role: str | None
    state: Literal["open", "working", "done", "failed", "excluded"]
    reason: str

    @classmethod
    def of_view(cls, view: FolderView) -> Folder:
        """From what queries give."""
        numbers = Messages.of(view.counts).model_dump()
        named = {name: getattr(view, name) for name in ("source", "target", "role", "state", "reason")}
        return cls(**named, **numbers)


Gone = Literal["carried", "expired", "renumbered"] | None


class Failure(BaseModel):
    """A message that was not carried. `key` is its UIDVALIDITY/UID on the old server.

    `quarantine`: the number under which its octets are kept; null where they are not, or no more: `gone` says why.
    """

    folder: str
    key: str
    message_id: str
    reason: str
    detail: str
    size: int
    quarantine: int | None
    gone: Gone

    @classmethod
    def of(cls, view: FailureView) -> Failure:
        """From what queries give."""
        return cls(
            folder=view.folder,
            key=view.key,
            message_id=view.message_id,
            reason=view.reason,
            detail=view.detail,
            size=view.size,
            quarantine=view.kept,
            gone=cast("Gone", view.gone or None),
        )


class EndpointOut(BaseModel):
    """An endpoint without its password."""

    protocol: str
    host: Annotated[str, Field(description="Empty where the end is an archive.")]
    port: int
    security: Securities
    user: str
    address: str | None
    fingerprint: str | None
    password_stored: bool
    archive: Annotated[int | None, Field(description="The number of the archive.")]

    @classmethod
    def of(cls, view: EndpointView) -> EndpointOut:
        """From what queries give."""
        return cls(
            protocol=view.protocol,
            host=view.host,
            port=view.port,
            security=view.security,  # type: ignore[arg-type]  # pydantic checks it
            user=view.user,
            address=view.address,
            fingerprint=view.fingerprint,
            password_stored=view.credential_stored,
            archive=view.archive_id,
        )


class ErrorOut(BaseModel):
    """Why the job stands where it stands."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str
    remedy: str


class JobInList(BaseModel):
    """A job without its folders and failures."""

    id: int
    kind: JobKind
    state: JobState
    wish: Annotated[Literal["", "pause", "cancel"], Field(description="What a running job was asked to do.")]
    address: str
    messages: Messages
    octets: Annotated[int, Field(description="Octets copied by this job.")]
    percent: Annotated[float, Field(ge=0, le=100, description="Rounded down; 100 only when succeeded.")]
    error: ErrorOut | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    waiting_until: datetime | None
    eta_seconds: int | None


class Job(JobInList):
    """Everything of one job. `failures`: the first 100; all of them at /jobs/{id}/failures."""

    source: EndpointOut
    target: EndpointOut
    options: dict[str, Any]
    octets_found: int
    folders: list[Folder]
    failures: list[Failure]
    warnings: list[dict[str, str]]
    result: Annotated[dict[str, Any], Field(description="What `verify`, `check` or `remove` found.")] | None


class JobList(BaseModel):
    """One page, newest first. `next_cursor` is null on the last one."""

    jobs: list[JobInList]
    next_cursor: str | None


class FailureList(BaseModel):
    """One page of failures."""

    failures: list[Failure]
    next_cursor: str | None


class FieldError(BaseModel):
    """One field or parameter that is wrong."""

    pointer: str | None = None
    parameter: str | None = None
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. `state` with 409, `errors` with 422, `incident` with 500 and 503."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None
    state: JobState | None = None
    incident: str | None = None


def line_values(line: JobLine) -> dict[str, Any]:
    """The fields that a job has in lists and alone."""
    return {
        "id": line.id,
        "kind": line.kind,
        "state": line.state,
        "wish": line.wish,
        "address": line.address,
        "messages": Messages.of(line.counts),
        "octets": line.octets,
        "percent": line.percent,
        "error": line.error,
        "created_by": line.created_by,
        "created_at": line.created_at,
        "started_at": line.started_at,
        "finished_at": line.finished_at,
        "waiting_until": line.waiting_until,
        "eta_seconds": line.eta_seconds,
    }


def job_out(view: JobView) -> Job:
    """One job as JSON has it."""
    return Job(
        **line_values(view),
        source=EndpointOut.of(view.source),
        target=EndpointOut.of(view.target),
        options=view.options,
        octets_found=view.octets_found,
        folders=[Folder.of_view(folder) for folder in view.folders],
        failures=[Failure.of(failure) for failure in view.failures],
        warnings=[{"code": one.code, "folder": one.folder, "detail": one.detail} for one in view.warnings],
        result=view.result,
    )
