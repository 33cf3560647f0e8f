"""Pages that are read: the list and one job, each with what its poll brings."""

from __future__ import annotations

from flask import Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from web import live
from web.jobs import bp, listing, page

JOB = "<int(max=9223372036854775807):job_id>"
"""A database knows no larger number."""


@bp.get("/")
def home() -> AnyResponse:
    """Staff begin with the jobs."""
    return redirect(url_for("jobs.index"))


@bp.get("/jobs")
def index() -> str:
    """The list, by urgency."""
    return render_template("jobs/list.html", **listing.context(listing.asked()))


@bp.get("/jobs/live")
def live_list() -> Response:
    """Figures and rows that have changed."""
    return live.answer(listing.changed(listing.asked()))


@bp.get(f"/jobs/{JOB}")
def show(job_id: int) -> str:
    """One job."""
    return page.whole_page(page.wanted(job_id))


@bp.get(f"/jobs/{JOB}/live")
def poll(job_id: int) -> Response:
    """The parts of one job's page that have changed."""
    job = page.wanted(job_id)
    return live.answer(page.pieces(job).values(), title=f"{page.title(job)} · Postwagen")
