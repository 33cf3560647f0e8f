"""Pages that are read: the list, and one archive with everything that can be done with it."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from migrator.jobs.keeping.views import ArchiveView, recorded
from migrator.planning.leaving import OFFERED_DAYS
from web.archives import ARCHIVE, bp, listing, present
from web.downloads import attached, json_text
from web.jobs import keeping
from web.jobs.keeping import KeepForm
from web.texts.archives import KINDS, STATES, check_text, meaning


@bp.get("/archives")
def index() -> str:
    """The list, newest first."""
    return render_template("archives/list.html", **listing.context())


@bp.get(f"/archives/{ARCHIVE}")
def show(archive_id: int) -> str:
    """One archive."""
    return whole_page(present.wanted(archive_id))


@bp.get(f"/archives/{ARCHIVE}/proof.json")
def proof(archive_id: int) -> Response:
    """The signed proof of destruction, as it was signed."""
    found = present.wanted(archive_id)
    if not found.proof:
        return Response(status=404)
    return attached([json_text(found.proof)], f"{archive_id}-destruction.json", "application/json")


def whole_page(
    archive: ArchiveView, *, keep: KeepForm | None = None, problems: dict[str, str] | None = None, until: str = ""
) -> str:
    """Everything; with what was typed where that did not fit."""
    points = archive.points if request.args.get("points") == "all" else archive.points[: present.FIRST_POINTS]
    context: dict[str, Any] = {
        "facts": present.facts(archive),
        "points": [(point, present.moment(point)) for point in points],
        "jobs": present.jobs(archive),
        "check": present.check(archive),
        "choices": present.point_choices(archive),
        "folders": present.folder_choices(archive),
        "keep": keep or keeping.of(archive),
        "leaving": present.leaving(archive),
        "wish": recorded(archive.leave_wish),
        "ending": present.prospects(archive),
    }
    return render_template(
        "archives/show.html",
        archive=archive,
        text=STATES[archive.state],
        meaning=meaning(archive),
        checked=check_text(archive),
        living=present.is_living(archive),
        kinds=KINDS,
        problems=problems or {},
        until=until,
        hours=keeping.HOURS,
        offered_days=OFFERED_DAYS,
        **context,
    )
