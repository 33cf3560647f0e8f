"""The report of a job: as a page that prints, as a table, as JSON, and as a PDF for the customer."""

from __future__ import annotations

import itertools

from flask import Response, abort, render_template

from migrator.jobs import queries
from migrator.jobs.reporting import Report
from web import formats
from web.jobs import bp
from web.jobs.pages import JOB
from web.reports import words
from web.reports.answers import answer
from web.services import services
from web.texts.jobs import STATES
from web.texts.work import failed_text, promise


@bp.get(f"/jobs/{JOB}/report")
def report(job_id: int) -> str:
    """The page."""
    found = wanted(job_id)
    job, failed = found.job, sum(group.count for group in found.job.failure_groups)
    skips = [words.line(found, item) for item in words.skips(found)]
    return render_template(
        "jobs/report.html",
        job=job,
        report=found,
        words=words,
        hoster=services().settings.hoster_name,
        state=STATES[job.state],
        promise=promise(job),
        of=words.sum_of(found),
        folders=words.folders(found),
        reasons=words.reasons(found),
        folder_errors=[words.line(found, item) for item in found.folder_errors()],
        failures=[words.line(found, item) for item in itertools.islice(found.failures(), words.MOST)],
        failed=failed_text(job, failed),
        failures_left=words.left_out(failed),
        differences=[words.line(found, item) for item in itertools.islice(found.differences(), words.MOST)],
        differences_left=words.left_out(found.differences_total),
        skips=skips,
        skipped=sum(one.count for one in skips),
    )


@bp.get(f"/jobs/{JOB}/report.<any(csv, json, pdf):form>")
def report_file(job_id: int, form: str) -> Response:
    """A file to keep."""
    return answer(wanted(job_id), form)


def wanted(job_id: int) -> Report:
    """The report, or 404: also of a check or a removal, which go through no folders."""
    found = queries.report(services().db, job_id, formats.now())
    if found is None:
        abort(404)
    return found
