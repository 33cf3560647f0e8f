"""The API's values of archives: what comes in is checked strictly, what goes out has exactly these fields."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from migrator.jobs.keeping.views import ArchiveState
from web.api.option_schemas import Strict
from web.api.schemas import Keep, Password


class KeepIn(Keep):
    """In place of what came by itself until now; an empty object ends it and wipes the password."""

    password: Annotated[
        Password | None, Field(repr=False, description="Of the old server, where none is stored for it any more.")
    ] = None


class CustomerIn(Strict):
    """Whether the customer may fetch the archive by the link to one of its jobs."""

    may_fetch: bool


class CloseIn(Strict):
    """The transfer is closed; `until`: keep the archive longer than the service does anyway."""

    until: datetime | None = None


class DestroyIn(Strict):
    """The reason stands in the proof of destruction. What may be the only copy is destroyed only by saying so."""

    reason: Annotated[str, Field(min_length=1, max_length=1_000)]
    even_the_only_copy: bool = False


class PointInTime(BaseModel):
    """One complete pass. `missing`: messages of the old server that are not in the archive; `job` says why."""

    number: int
    began_at: datetime
    ended_at: datetime
    found: int
    missing: int
    octets: int
    job: int | None


class ArchiveInList(BaseModel):
    """An archive without its points in time."""

    id: int
    state: ArchiveState
    address: str
    account: Annotated[str, Field(description="Whose mail: protocol, user, host and port of the old server.")]
    node: Annotated[str, Field(description="The storage node that has the file.")]
    octets: Annotated[int, Field(description="Of the file.")]
    passes: int
    latest: PointInTime | None
    every_hours: int | None
    next_pass_at: datetime | None
    checked_at: datetime | None
    healthy: Annotated[bool | None, Field(description="What the last check said; null: never checked.")]
    expires_at: datetime | None
    destroyed_at: datetime | None


class ArchiveFolder(BaseModel):
    """A folder of the latest point in time."""

    name: str
    messages: int


class Archive(ArchiveInList):
    """Everything of one archive. `points`: the newest 400, newest first."""

    created_at: datetime
    created_by: str
    window: tuple[int, int] | None
    leave_days: int | None
    leave_wish: str
    password_stored: bool
    customer_may_fetch: bool
    is_only_copy: Annotated[
        bool,
        Field(description="Mail was deleted at the old server by wish and not played in since."),
    ]
    closed_at: datetime | None
    check: dict[str, Any] | None
    destroyed_by: str
    destroyed_reason: str
    file_removed_at: datetime | None
    proof: Annotated[dict[str, Any] | None, Field(description="Of destruction, signed by the service.")]
    points: list[PointInTime]
    folders: list[ArchiveFolder]
    jobs: list[int]


class ArchiveList(BaseModel):
    """One page, newest first. `next_cursor` is null on the last one."""

    archives: list[ArchiveInList]
    next_cursor: str | None
