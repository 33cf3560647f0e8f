"""The messages that were not carried: as a page, and as a CSV file that no spreadsheet program executes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from flask import Response, render_template, request

from migrator.jobs import queries
from migrator.jobs.views import FailureView
from web import spreadsheets
from web.babel import gettext as _
from web.downloads import spoken
from web.jobs import bp, page
from web.jobs.folders import names_of
from web.jobs.pages import JOB
from web.paging import cursor
from web.services import services
from web.texts.failures import FATES, failure_text
from web.texts.work import work

PAGE: Final = 100


@bp.get(f"/jobs/{JOB}/failures")
def failures(job_id: int) -> str:
    """One page of them."""
    job = page.wanted(job_id)
    found, following = queries.failures(services().db, job_id, limit=PAGE, cursor=cursor(request.args.get("cursor")))
    names, from_archive = names_of(job), job.source.archive_id is not None
    lines = [
        (failure, names.whole(failure.folder), failure_text(failure.reason, from_archive=from_archive))
        for failure in found
    ]
    return render_template(
        "jobs/failures.html", job=job, failures=lines, following=following, left=work(job).left, kept_words=_kept
    )


@bp.get(f"/jobs/{JOB}/failures.csv")
def failures_csv(job_id: int) -> Response:
    """All of them, for a spreadsheet program of the reader's country."""
    page.wanted(job_id)
    rows = spoken(_rows(job_id))
    name = f"postwagen-{job_id}-failures.csv"
    return Response(rows, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _rows(job_id: int) -> Iterator[str]:
    heads = [_("Folder"), _("Message number"), "Message-ID", _("Reason"), _("Code"), _("Detail"), _("Size in bytes"),
             _("Time"), _("Quarantine")]  # fmt: skip
    return spreadsheets.lines(itertools.chain([heads], map(_cells, queries.every_failure(services().db, job_id))))


def _cells(failure: FailureView) -> list[str]:
    return [failure.folder, failure.key, failure.message_id, str(failure_text(failure.reason).short), failure.reason,
            failure.detail, str(failure.size), spreadsheets.moment(failure.at), _kept(failure)]  # fmt: skip


def _kept(failure: FailureView) -> str:
    """What became of its octets."""
    return str(FATES.get(failure.fate, ""))
