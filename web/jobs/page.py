"""The page of one job as pieces: the same ones for the whole page and for what a poll brings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from flask import abort, render_template, url_for
from werkzeug.exceptions import NotFound

from migrator.jobs import queries
from migrator.jobs.quarantine import queries as quarantine
from migrator.jobs.reporting import REPORTED
from migrator.jobs.states import JobState
from migrator.jobs.views import JobView
from web import formats
from web.babel import gettext as _
from web.jobs import plots, present, results
from web.jobs.folders import folder_lines, names_of
from web.live import Piece, piece
from web.services import services
from web.texts.failures import failure_text
from web.texts.jobs import STATES, until_text
from web.texts.work import failed_text, is_countless, parts, promise, route, work

_AT_WORK: Final = (JobState.RUNNING, JobState.QUEUED)


def wanted(job_id: int) -> JobView:
    """The job, or 404."""
    job = queries.job(services().db, job_id, formats.now())
    if job is None:
        abort(NotFound.code)
    return job


def title(job: JobView) -> str:
    """What stands in the browser's tab: the percentage first, while it grows."""
    begin = f"{formats.whole(job.percent)} % · " if job.state is JobState.RUNNING and not is_countless(job) else ""
    return f"{begin}{work(job).kind}: {job.address}"


def whole_page(job: JobView, link: str = "") -> str:
    """Everything, with a link for the customer where one has just been made."""
    return render_template(
        "jobs/show.html",
        job=job,
        title=title(job),
        seconds=present.seconds_between_polls(job),
        pieces=pieces(job),
        link=link,
    )


def pieces(job: JobView) -> dict[str, Piece]:
    """Every part that may change while somebody looks."""
    now = formats.now()
    text = STATES[job.state]
    card = present.error_card(job)
    actions = present.actions(job)
    if card["error"] and card["can_retry"] and {"again", "recreated"} & set(card["helps"]):
        actions -= {"retry"}  # the card offers it, and says what it will do
    folders = folder_lines(job)
    return {
        "head": piece(
            "jobs/pieces/head.html", "head", job=job, text=text, actions=actions, waits=until_text(job),
            work=work(job), route=route(job), archive=present.archive_of(job),
            reported=job.kind in REPORTED,
        ),
        "error": piece("jobs/pieces/error.html", "error", job=job, **card),
        "progress": piece(
            "jobs/pieces/progress.html", "progress", job=job, bars=present.bars(job),
            figures=present.figures(job, now), parts=parts(job), promise=promise(job), countless=is_countless(job),
        ),
        "failures": failures_piece(job),
        "proof": piece("jobs/pieces/proof.html", "proof", **present.proof(job)),
        "checked": piece("jobs/pieces/checked.html", "checked", **results.checked(job)),
        "removed": piece("jobs/pieces/removed.html", "removed", **results.removed(job)),
        "folders": piece(
            "jobs/pieces/folders.html", "folders", lines=folders,
            done=sum(line.folder.state in ("done", "excluded") for line in folders),
            countless=is_countless(job), from_archive=job.source.archive_id is not None,
            into_archive=job.target.archive_id is not None,
        ),
        "notes": piece("jobs/pieces/notes.html", "notes", notes=present.notes(job)),
        "history": piece("jobs/pieces/history.html", "history", days=present.history(job)),
        "throughput": piece("jobs/pieces/plot.html", "throughput", plot=_throughput(job, now)),
        "remaining": piece("jobs/pieces/plot.html", "remaining", plot=_remaining(job, now)),
        "connection": piece("jobs/pieces/connection.html", "connection", facts=present.connection_facts(job)),
        "live": piece(
            "jobs/pieces/live.html", "live", seconds=present.seconds_between_polls(job),
            address=url_for("jobs.poll", job_id=job.id),
        ),
    }  # fmt: skip


def failures_piece(job: JobView) -> Piece:
    """Failures by reason; hidden while there are none."""
    goes_on = job.state in (JobState.RUNNING, JobState.QUEUED, JobState.PAUSED)
    kept = 0 if job.state in _AT_WORK or not job.failure_groups else quarantine.of_job(services().db, job.id)
    return piece(
        "jobs/pieces/failures.html",
        "failures",
        job=job,
        groups=[
            (group, failure_text(group.reason, from_archive=job.source.archive_id is not None))
            for group in job.failure_groups
        ],
        title=failed_text(job, sum(group.count for group in job.failure_groups)),
        names=names_of(job),
        kept=kept,
        note=f"{_('The job continues.')} {work(job).left}" if goes_on else work(job).left,
    )


# ---- plots ---------------------------------------------------------------------------------------------------------


def _throughput(job: JobView, now: datetime) -> dict[str, object]:
    points = plots.throughput(job.samples)
    drawing = plots.draw(points, shades=plots.waits(job.events, now))
    running = job.state is JobState.RUNNING
    shown = {"title": _("Throughput"), "meaning": "working"}
    if drawing is None or not any(value for _at, value in points):
        return {**shown, "unit": "", "line": ""}
    divisor, unit = (1e6, "MB/s") if drawing.y_values[0] >= 1e6 else (1e3, "kB/s")
    peak = formats.rate(max(value for _at, value in points))
    since = formats.clock(points[0][0])
    return {
        **shown,
        "unit": _("%(unit)s, since %(time)s", unit=unit, time=since),
        "now": formats.rate(job.octets_per_second) if running else "",
        "spoken": _("Throughput since %(time)s, at most %(peak)s", time=since, peak=peak),
        "y": [formats.axis(value / divisor) for value in drawing.y_values],
        **_paths(drawing),
    }


def _remaining(job: JobView, now: datetime) -> dict[str, object]:
    end = (now + timedelta(seconds=job.eta_seconds), 0.0) if job.eta_seconds is not None else None
    points = plots.remaining(job.samples)
    last = job.finished_at or (now if end else None)
    if last and points and points[-1][0] < last:
        points.append((last, float(job.counts.open)))
    drawing = plots.draw(points, until=end)
    shown = {"title": work(job).goal, "meaning": "working"}
    if drawing is None:
        return {**shown, "unit": "", "line": ""}
    spoken = _("Open messages fall from %(first)s to %(last)s", first=formats.number(points[0][1]),
               last=formats.number(points[-1][1]))  # fmt: skip
    return {
        **shown,
        "unit": _("messages"),
        "now": formats.number(job.counts.open),
        "spoken": spoken,
        "y": [formats.axis(value) for value in drawing.y_values],
        **_paths(drawing),
    }


def _paths(drawing: plots.Drawing) -> dict[str, object]:
    return {
        "line": drawing.line,
        "under": drawing.under,
        "guess": drawing.guess,
        "goal": drawing.goal,
        "shades": drawing.shades,
        "x": formats.clocks(drawing.x_moments),
    }
