"""What staff ask of an archive beside playing it in: every one is a form that posts, and leads back to a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.jobs import operations as jobs
from migrator.jobs.keeping import operations
from migrator.jobs.orders import ArchiveEnd, Invalid, NewJob
from migrator.jobs.states import JobKind
from web.archives import ARCHIVE, bp, pages, present
from web.babel import gettext as _
from web.jobs import keeping
from web.security import current_user
from web.services import services
from web.texts.forms import problem_text


@bp.post(f"/archives/{ARCHIVE}/check")
def check(archive_id: int) -> AnyResponse:
    """Have everything in it read once."""
    present.wanted(archive_id)
    new = NewJob(JobKind.CHECK, ArchiveEnd(archive_id), None, {}, actor())
    return attempt(archive_id, lambda: order(new), _("The check begins as soon as a worker is free."))


@bp.post(f"/archives/{ARCHIVE}/keep")
def keep(archive_id: int) -> AnyResponse:
    """Have passes and removals come by themselves, or no more."""
    archive, here, typed = present.wanted(archive_id), services(), keeping.read(request.form)
    password = request.form.get("source.password") or None
    try:
        operations.keep(here.db, here.vault, archive_id, typed.keeping(), password=password, settings=here.settings,
                        actor=actor())  # fmt: skip
    except Invalid as error:
        return make_response(pages.whole_page(archive, keep=typed, problems=problems_of(error)), 422)
    except (operations.ArchiveDestroyed, operations.NoSuchArchive) as error:
        flash(problem_text("", error.code, error.message), "failed")
    else:
        flash(_("Saved."), "done")
    return back(archive_id)


@bp.post(f"/archives/{ARCHIVE}/customer")
def customer(archive_id: int) -> AnyResponse:
    """Whether the customer may fetch it by the link to one of its jobs."""
    present.wanted(archive_id)
    allowed = request.form.get("allowed") == "yes"
    text = _("The customer may fetch this archive now.") if allowed else _("The customer can no longer fetch it.")
    return attempt(archive_id, lambda: operations.let_customer_fetch(services().db, archive_id, allowed), text)


# ---- for the other modules -----------------------------------------------------------------------------------------


def order(new: NewJob) -> str:
    """Give the order and tell a worker; the address of the job's page. Raises Invalid."""
    here = services()
    job_id = jobs.create(here.db, here.vault, new, settings=here.settings)
    here.enqueue(job_id)
    return url_for("jobs.show", job_id=job_id)


def attempt(archive_id: int, ask: Callable[[], Any], text: str) -> AnyResponse:
    """Carry it out and say what happened; to the address that it gives, else back to the archive's page."""
    try:
        there = ask()
    except Invalid as error:
        flash(" ".join(problems_of(error).values()), "failed")
    except (
        operations.ArchiveBusy, operations.ArchiveDestroyed, operations.NoSuchArchive, operations.OnlyCopy
    ) as error:  # fmt: skip
        flash(problem_text("", error.code, error.message), "needs")
    else:
        flash(text, "done")
        if isinstance(there, str):
            return redirect(there, 303)
    return back(archive_id)


def back(archive_id: int) -> AnyResponse:
    """To the archive's page."""
    return redirect(url_for("archives.show", archive_id=archive_id), 303)


def actor() -> str:
    """Who asks."""
    user = current_user()
    return user.email if user else ""


def problems_of(error: Invalid) -> dict[str, str]:
    """Field path → sentence, the first of each."""
    found: dict[str, str] = {}
    for path, code, message in error.problems:
        found.setdefault(path, problem_text(path, code, message))
    return found
