"""The report as a file to keep, the same for pages and API."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response

from migrator.jobs.reporting import Report
from web.downloads import attached, spoken, streamed
from web.reports.document import document
from web.reports.pdf import pdf
from web.reports.sheet import sheet
from web.services import services

FORMS = {"json": "application/json", "csv": "text/csv", "pdf": "application/pdf"}
"""Name and media type of every form."""


def answer(report: Report, form: str) -> Response:
    """The file. JSON and CSV are made while they are sent, so that no list is too long."""
    name = f"{report.job.address}-report-{report.job.id}.{form}"
    if form == "pdf":
        return attached([pdf(report, services().settings.hoster_name)], name, FORMS[form])
    stream: Iterator[bytes] = document(report) if form == "json" else sheet(report)
    return streamed(spoken(stream), name, FORMS[form])
