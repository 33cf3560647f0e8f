"""Fetching an archive: all mail of a point in time or one folder of it as a zip file, and its signed manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import structlog
from flask import Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.errors import PostwagenError, UsageError
from migrator.jobs import fetching
from migrator.jobs.keeping.views import ArchiveView
from web import formats
from web.archives import ARCHIVE, bp, present
from web.downloads import streamed
from web.security import current_user
from web.services import services
from web.texts.archives import KINDS
from web.texts.errors import error_text
from web.texts.forms import problem_text
from web.typed import one_line

log = structlog.get_logger(__name__)


@bp.get(f"/archives/{ARCHIVE}/export")
def export(archive_id: int) -> AnyResponse:
    """The mail of a point in time, streamed."""
    archive = present.wanted(archive_id)
    kind = request.args.get("kind", "")
    folder = request.args.get("folder") or None
    name = f"{archive.address}-{_day(archive)}{'-' + folder if folder else ''}-{kind}.zip"
    return _sent(archive, lambda: mail(archive_id, kind=kind, at=asked_moment(), folder=folder), name,
                 "application/zip")  # fmt: skip


@bp.get(f"/archives/{ARCHIVE}/manifest")
def manifest(archive_id: int) -> AnyResponse:
    """The signed list of everything that a point in time holds, a line each."""
    archive = present.wanted(archive_id)
    here = services()
    return _sent(
        archive,
        lambda: fetching.manifest_of(here.db, here.vault, here.settings, archive_id, at=asked_moment()),
        f"{archive.address}-{_day(archive)}-manifest.jsonl",
        "application/jsonl",
    )


def mail(archive_id: int, **chosen: Any) -> Iterator[bytes]:
    """The zip file, as `fetching.zip_of` gives it. Raises UsageError for an unknown format too."""
    if chosen["kind"] not in KINDS:
        raise UsageError("There is no such format.", code="invalid")
    here = services()
    return fetching.zip_of(here.db, here.vault, here.settings, archive_id, **chosen)


def asked_moment() -> datetime | None:
    """The point in time that the address names; None: the latest. Raises UsageError."""
    text = request.args.get("at", "")
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - without a zone, and therefore refused below
    if found is not None and found.tzinfo is None:
        raise UsageError("This is no point in time.", code="invalid")
    return found


def said(error: PostwagenError) -> str:
    """Why it cannot be fetched, in the reader's language."""
    code = error.instance_code
    if code in ("invalid", "not_found"):
        return problem_text("", code, error.message)
    text = error_text(code)
    return f"{text.title}. {text.body}"


# ---- inside --------------------------------------------------------------------------------------------------------


def _sent(archive: ArchiveView, make: Callable[[], Iterator[bytes]], name: str, mimetype: str) -> AnyResponse:
    try:
        answer: Response = streamed(make(), name, mimetype)
    except PostwagenError as error:
        flash(said(error), "failed")
        return redirect(url_for("archives.show", archive_id=archive.id), 303)
    user = current_user()
    log.info("archive_fetched", archive=archive.id, by=user.email if user else "")
    return answer


def _day(archive: ArchiveView) -> str:
    """The day of the point in time, for a file's name."""
    at = one_line(request.args.get("at", ""), 10)
    if at or archive.latest is None:
        return at or "empty"
    return formats.local(archive.latest.ended_at).date().isoformat()
