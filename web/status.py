"""The customer's page: where the move stands, what happens next. No login, no server, no folder, no failure text."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from migrator.errors import PostwagenError
from migrator.jobs import fetching, queries
from migrator.jobs.keeping import queries as archives
from migrator.jobs.states import JobState
from migrator.jobs.views import StatusView
from web import formats, live
from web.babel import gettext as _
from web.downloads import streamed
from web.limits import FETCHES_PER_ADDRESS, GUESSES_PER_ADDRESS, failed, limiter
from web.live import Piece, piece
from web.services import services
from web.texts.customer import amount, headline, lead, soon, words_of
from web.texts.work import is_countless

log = structlog.get_logger(__name__)

bp = Blueprint("status", __name__)

S = JobState
SECONDS: Final = 10
_LIVE: Final = frozenset({S.QUEUED, S.RUNNING, S.PAUSED, S.BLOCKED, S.FAILED})
_MEANINGS: Final = {S.RUNNING: "working", S.SUCCEEDED: "done", S.INCOMPLETE: "needs"}


@bp.get("/status/<token>")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def show(token: str) -> str:
    """The whole page."""
    view = _wanted(token)
    title, polls = _title(view), SECONDS if view.state in _LIVE else 0
    return render_template("status/show.html", piece=_piece(view, token), title=title, seconds=polls)


@bp.get("/status/<token>/live")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
def poll(token: str) -> Response:
    """What has changed, with the percentage in the title."""
    view = _wanted(token)
    return live.answer([_piece(view, token)], title=_title(view))


@bp.get("/status/<token>/archive.zip")
@limiter.limit(GUESSES_PER_ADDRESS, deduct_when=failed)
@limiter.limit(FETCHES_PER_ADDRESS)
def archive(token: str) -> Response:
    """All mail of the latest point in time, where staff have allowed it."""
    archive_id = _fetchable(token)
    found = archives.archive(services().db, archive_id) if archive_id is not None else None
    if archive_id is None or found is None or found.latest is None:
        abort(_gone())
    kind, here = "eml" if request.args.get("kind") == "eml" else "mbox", services()
    day = formats.local(found.latest.ended_at).date().isoformat()
    try:
        stream = fetching.zip_of(here.db, here.vault, here.settings, archive_id, kind=kind)
        answer = streamed(stream, f"{found.address}-{day}.zip", "application/zip")
    except PostwagenError as error:
        log.error("archive_not_fetched", archive=archive_id, error=error.instance_code)  # noqa: TRY400 - not a defect
        abort(_not_now())
    log.info("archive_fetched", archive=archive_id, by="customer")
    return answer


def _fetchable(token: str) -> int | None:
    return archives.fetchable(services().db, token, formats.now())


def _gone() -> Response:
    """Unknown, revoked and expired links look the same, and so does one that leads to no archive."""
    return make_response(render_template("status/gone.html"), 404)


def _not_now() -> Response:
    body = _("Your e-mails cannot be fetched at the moment. Please try again later, or ask us.")
    shown = {"title": _("Just a moment"), "body": body, "symbol": "pause", "meaning": "idle", "customer": True}
    return make_response(render_template("problem.html", **shown), 503)


def _wanted(token: str) -> StatusView:
    """The job of this link, or 404."""
    view = queries.status_by_token(services().db, token, formats.now())
    if view is None:
        abort(_gone())
    return view


def _title(view: StatusView) -> str:
    begin = f"{formats.whole(view.percent)} % · " if view.state is S.RUNNING and not is_countless(view) else ""
    return f"{begin}{headline(view)} · {services().settings.hoster_name}"


def _piece(view: StatusView, token: str) -> Piece:
    now = formats.now()
    return piece(
        "status/piece.html",
        "status",
        view=view,
        meaning=_MEANINGS.get(view.state, "idle"),
        domain=view.address.rpartition("@")[2],
        headline=headline(view),
        lead=lead(view),
        soon=soon(view),
        amount=amount(view),
        until=formats.clock(now + timedelta(seconds=view.eta_seconds)) if view.eta_seconds is not None else "",
        at=now,
        ask=view.error_code in ("login_refused", "credentials_wiped") and view.needs_person,
        words=words_of(view),
        countless=is_countless(view),
        fetch=url_for("status.archive", token=token) if _fetchable(token) is not None else "",
        address=url_for("status.poll", token=token),
        seconds=SECONDS if view.state in _LIVE else 0,
    )
