"""The API's handlers for archives: read, kept, fetched, closed, destroyed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from flask import Response, abort
from pydantic import BaseModel

from migrator.errors import ArchiveUnusable
from migrator.jobs import fetching
from migrator.jobs.keeping import operations, queries, report
from migrator.jobs.operations import Invalid
from web.api import archive_schemas as schemas
from web.api import bp, problems, reading
from web.api.access import actor
from web.api.schemas import NothingIn
from web.downloads import streamed
from web.paging import cursor
from web.services import services
from web.typed import one_line

ARCHIVE: Final = "<int(max=9223372036854775807):archive_id>"
FORMATS: Final = ("mbox", "eml", "maildir")


@bp.get("/archives")
def archives() -> Response:
    """Archives, newest first, page by page."""
    given = reading.query("q", "limit", "cursor")
    lines, following = queries.archives(
        services().db,
        search=one_line(given.get("q", ""), 200),
        limit=reading.limit(given, default=50),
        cursor=cursor(given.get("cursor")),
    )
    found = [schemas.ArchiveInList(**report.in_list(line)) for line in lines]
    return _json(schemas.ArchiveList(archives=found, next_cursor=following))


@bp.get(f"/archives/{ARCHIVE}")
def archive(archive_id: int) -> Response:
    """One archive."""
    reading.query()
    return _shown(archive_id)


@bp.put(f"/archives/{ARCHIVE}/keep")
def keep(archive_id: int) -> Response:
    """What comes by itself from now on."""
    wanted = reading.body(schemas.KeepIn)
    here = services()
    return _do(
        archive_id,
        lambda: operations.keep(
            here.db, here.vault, archive_id, wanted.ordered(), password=wanted.password, settings=here.settings,
            actor=actor(),
        ),
    )  # fmt: skip


@bp.post(f"/archives/{ARCHIVE}/customer")
def customer(archive_id: int) -> Response:
    """Let the customer fetch it, or no more."""
    wanted = reading.body(schemas.CustomerIn)
    return _do(archive_id, lambda: operations.let_customer_fetch(services().db, archive_id, wanted.may_fetch))


@bp.post(f"/archives/{ARCHIVE}/close")
def close(archive_id: int) -> Response:
    """The transfer is closed: from now on the archive has an expiry date."""
    until = reading.body(schemas.CloseIn, optional=True).until
    if until is not None and until.tzinfo is None:
        return problems.invalid([problems.field_error("until", "invalid", "Give the time with its zone.")])
    here = services()
    return _do(archive_id, lambda: operations.close(here.db, archive_id, settings=here.settings, until=until))


@bp.post(f"/archives/{ARCHIVE}/reopen")
def reopen(archive_id: int) -> Response:
    """The transfer goes on after all."""
    reading.body(NothingIn, optional=True)
    return _do(archive_id, lambda: operations.reopen(services().db, archive_id))


@bp.post(f"/archives/{ARCHIVE}/destroy")
def destroy(archive_id: int) -> Response:
    """Destroy the key now and for good."""
    wish = reading.body(schemas.DestroyIn).model_dump()
    return _do(archive_id, lambda: operations.destroy(services().db, archive_id, actor=actor(), **wish))


@bp.get(f"/archives/{ARCHIVE}/export")
def export(archive_id: int) -> Response:
    """All mail of a point in time as a zip file, streamed."""
    given = reading.query("format", "at", "folder")
    kind = given.get("format", "mbox")
    if kind not in FORMATS:
        raise _wrong("format", f"It must be one of {', '.join(FORMATS)}.")
    here = services()
    return _stream(
        lambda: fetching.zip_of(
            here.db, here.vault, here.settings, archive_id, kind=kind, at=_moment(given), folder=given.get("folder")
        ),
        "application/zip",
        f"archive-{archive_id}-{kind}.zip",
    )


@bp.get(f"/archives/{ARCHIVE}/manifest")
def manifest(archive_id: int) -> Response:
    """The signed manifest of a point in time, as JSON lines."""
    given = reading.query("at")
    here = services()
    return _stream(
        lambda: fetching.manifest_of(here.db, here.vault, here.settings, archive_id, at=_moment(given)),
        "application/jsonl",
        f"archive-{archive_id}-manifest.jsonl",
    )


# ---- inside --------------------------------------------------------------------------------------------------------


def _do(archive_id: int, operation: Callable[[], Any]) -> Response:
    try:
        operation()
    except Invalid as error:
        return problems.invalid([problems.field_error(*problem) for problem in error.problems])
    except operations.NoSuchArchive:
        abort(404)
    except operations.ArchiveDestroyed as error:
        return problems.problem(409, "archive_destroyed", error.message)
    except operations.ArchiveBusy as error:
        return problems.problem(409, "archive_busy", error.message)
    except operations.OnlyCopy as error:
        return problems.problem(409, "only_copy", error.message)
    return _shown(archive_id)


def _shown(archive_id: int) -> Response:
    view = queries.archive(services().db, archive_id)
    if view is None:
        abort(404)
    return _json(schemas.Archive(**report.alone(view)))


def _stream(opened: Callable[[], Iterator[bytes]], mimetype: str, name: str) -> Response:
    try:
        return streamed(opened(), name, mimetype)
    except operations.NoSuchArchive:
        abort(404)
    except operations.ArchiveDestroyed as error:
        return problems.problem(409, "archive_destroyed", error.message)
    except fetching.ArchiveElsewhere as error:
        return problems.problem(409, "archive_elsewhere", error.message)
    except ArchiveUnusable as error:
        return problems.problem(409, "archive_unusable", error.message)


def _moment(given: dict[str, str]) -> datetime | None:
    if "at" not in given:
        return None
    try:
        found = datetime.fromisoformat(given["at"])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _wrong("at", "It must be a time with its zone, like 2026-11-22T18:00:00Z.")
    return found


def _wrong(name: str, detail: str) -> Exception:
    wrong = {"parameter": name, "code": "invalid", "detail": detail}
    return reading.refuse(problems.invalid([wrong], "The query does not fit."))


def _json(value: BaseModel) -> Response:
    return Response(value.model_dump_json(), mimetype="application/json")
