"""What staff ask of a job: every one is a form that posts, and leads back to the job's page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, flash, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.jobs import operations
from migrator.jobs.states import JobState
from web.babel import gettext as _
from web.jobs import bp, page
from web.jobs.pages import JOB
from web.security import current_user, outside_url
from web.services import services
from web.texts.forms import problem_text
from web.texts.jobs import STATES
from web.texts.work import work


@bp.post(f"/jobs/{JOB}/pause")
def pause(job_id: int) -> AnyResponse:
    """Stop for now."""
    return _ask(operations.pause, job_id, _("The job pauses. What is in hand is finished first."))


@bp.post(f"/jobs/{JOB}/resume")
def resume(job_id: int) -> AnyResponse:
    """Go on."""
    return _ask(operations.resume, job_id, _("The job continues."))


@bp.post(f"/jobs/{JOB}/cancel")
def cancel(job_id: int) -> AnyResponse:
    """End for good."""
    return _ask(operations.cancel, job_id, work(page.wanted(job_id)).cancelled)


@bp.post(f"/jobs/{JOB}/retry")
def retry(job_id: int) -> AnyResponse:
    """Try again; with the answer to "replay or keep" where that was asked."""
    answer = request.form.get("recreated")
    options = {"recreated": answer} if answer in ("replay", "keep") else None
    return _ask(operations.retry, job_id, work(page.wanted(job_id)).retried, options)


@bp.post(f"/jobs/{JOB}/password")
def password(job_id: int) -> AnyResponse:
    """Other passwords, then go on."""
    try:
        for end in ("source", "target"):
            if request.form.get(end):
                _replace_password(job_id, end, request.form[end])
    except (operations.Invalid, operations.WrongState) as error:
        flash(problem(error), "failed")
        return redirect(url_for("jobs.show", job_id=job_id), 303)
    return _ask(operations.retry, job_id, _("The new password is stored; the job continues where it stopped."))


def _replace_password(job_id: int, end: str, typed: str) -> None:
    try:
        operations.replace_password(services().db, services().vault, job_id, end, typed, actor=actor())
    except operations.NotFound:
        page.wanted(job_id)  # says that there is none
        raise


@bp.post(f"/jobs/{JOB}/link")
def create_link(job_id: int) -> Response:
    """A customer's link, shown this once: therefore no redirect."""
    job = page.wanted(job_id)
    token = operations.create_status_link(services().db, job_id)
    return make_response(page.whole_page(job, outside_url(url_for("status.show", token=token))))


@bp.post(f"/jobs/{JOB}/links/revoke")
def revoke_links(job_id: int) -> AnyResponse:
    """Close all links of customers to this job."""
    page.wanted(job_id)
    operations.revoke_status_links(services().db, job_id)
    flash(_("All links to this job are revoked."), "done")
    return redirect(url_for("jobs.show", job_id=job_id), 303)


# ---- inside --------------------------------------------------------------------------------------------------------


def _ask(operation: Callable[..., JobState], job_id: int, said: object, options: dict[str, Any] | None = None) -> (
    AnyResponse
):  # fmt: skip
    """Carry it out, tell a worker where one is needed now, and say what happened."""
    try:
        state = operation(services().db, job_id, actor=actor(), options=options)
    except operations.NotFound:
        page.wanted(job_id)
        raise
    except (operations.WrongState, operations.CredentialsWiped, operations.Invalid) as error:
        flash(problem(error), "needs")
    else:
        if state is JobState.QUEUED:
            services().enqueue(job_id)
        flash(str(said), "done")
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def actor() -> str:
    """Who asks."""
    user = current_user()
    return user.email if user else ""


def problem(error: Exception) -> str:
    """Why it was not possible, in one sentence."""
    if isinstance(error, operations.WrongState):
        return _("That is not possible now: the job’s status is “%(state)s”.", state=STATES[error.state].word)
    if isinstance(error, operations.CredentialsWiped):
        return _("The passwords of this job were wiped on time. Enter them again, then it continues.")
    problems = getattr(error, "problems", [])
    return " ".join(problem_text(path, code, message) for path, code, message in problems) or str(error)
