"""The API's handler for reports: JSON, CSV or PDF, as the query or the Accept header says."""

from __future__ import annotations

from flask import Response, request

from web.api import bp, problems, reading
from web.jobs.pages import JOB
from web.jobs.report import wanted
from web.reports.answers import FORMS, answer


@bp.get(f"/jobs/{JOB}/report")
def report(job_id: int) -> Response:
    """The report of a job."""
    form = _form()
    if form is None:
        return problems.problem(406, "not_acceptable", f"A report is one of {', '.join(FORMS.values())}.")
    made = answer(wanted(job_id), form)
    made.headers.add("Vary", "Accept, Accept-Language")
    return made


def _form() -> str | None:
    """The query's word, else the media type that is liked best; None: none of ours is."""
    given = reading.query("format").get("format")
    if given in FORMS:
        return given
    if given is not None:
        detail = f"It must be one of {', '.join(FORMS)}."
        wrong = {"parameter": "format", "code": "invalid", "detail": detail}
        raise reading.refuse(problems.invalid([wrong], "The query does not fit."))
    if not request.accept_mimetypes:
        return "json"
    best = request.accept_mimetypes.best_match(FORMS.values())
    return next((form for form, media in FORMS.items() if media == best), None)
