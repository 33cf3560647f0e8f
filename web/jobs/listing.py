"""The list of jobs: what needs a person on top, then what runs, waits, is done. One set of queries per page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request, url_for

from migrator.jobs import queries
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import JobLine
from web import formats
from web.babel import gettext as _
from web.jobs import present
from web.live import Piece, piece
from web.paging import cursor
from web.services import services
from web.texts.jobs import GROUPS, STATES, Group, until_text
from web.texts.work import achieved_text, failed_text, is_countless, work
from web.typed import one_line

PAGE = 50
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    q: str
    view: str
    cursor: str | None


def asked() -> Asked:
    """Unknown views show all groups."""
    view = request.args.get("view", "")
    return Asked(
        q=one_line(request.args.get("q", ""), 200),
        view=view if any(group.name == view for group in GROUPS) else "",
        cursor=cursor(request.args.get("cursor")),
    )


def context(what: Asked) -> dict[str, Any]:
    """Everything that the page needs. Raises UsageError for a cursor that is none of ours."""
    now = formats.now()
    counts = queries.counts_by_state(services().db)
    groups, more, shown = [], [], 0
    for group in GROUPS:
        if what.view not in ("", group.name):
            continue
        lines, following = _lines(group, what, now)
        shown += len(lines)
        if lines:
            count = None if what.q else _count(group, counts)
            groups.append((group, [row(line) for line in lines], count))
        if following:
            more.append((_more(group, what), _address(group, what, following)))
    return {
        "groups": groups,
        "more": more,
        "shown": shown,
        "total": sum(counts.values()),
        "pieces": _pieces(what, counts, now),
        "all_groups": GROUPS,
        "q": what.q,
        "view": what.view,
    }


def changed(what: Asked) -> list[Piece]:
    """All pieces, rows among them, in any order: the page keeps its own, so that nothing jumps under the mouse."""
    found = context(what)
    return [*found["pieces"].values(), *(one for _group, rows, _count in found["groups"] for one in rows)]


def _lines(group: Group, what: Asked, now: datetime) -> tuple[list[JobLine], str | None]:
    limit = PAGE if what.view else group.limit
    return queries.jobs(
        services().db, now, states=group.states, search=what.q, limit=limit, cursor=what.cursor if what.view else None
    )


def _count(group: Group, counts: dict[JobState, int]) -> int:
    return sum(counts[state] for state in group.states)


def _more(group: Group, what: Asked) -> str:
    return _("Show more") if what.view else _("All of “%(group)s”", group=group.word)


def _address(group: Group, what: Asked, following: str) -> str:
    return url_for("jobs.index", view=group.name, q=what.q or None, cursor=following if what.view else None)


def _pieces(what: Asked, counts: dict[JobState, int], now: datetime) -> dict[str, Piece]:
    figures = [(group, _count(group, counts)) for group in GROUPS]
    address = url_for("jobs.live_list", view=what.view or None, q=what.q or None, cursor=what.cursor)
    return {
        "clock": piece("jobs/pieces/clock.html", "clock", at=now),
        "views": piece("jobs/pieces/views.html", "views", figures=figures, view=what.view),
        "live": piece("jobs/pieces/live.html", "live", seconds=SECONDS, address=address),
    }


def row(job: JobLine) -> Piece:
    """One line of the table."""
    label, when = _("created"), job.created_at
    if job.finished_at:
        label, when = _("ended"), job.finished_at
    elif job.started_at:
        label, when = _("begun"), job.started_at
    return piece(
        "jobs/pieces/row.html",
        f"job-{job.id}",
        is_row=True,
        job=job,
        text=STATES[job.state],
        headline=_headline(job),
        achieved=achieved_text(job),
        kind=str(work(job).kind) if job.kind is not JobKind.COPY else "",
        countless=is_countless(job),
        note=_note(job),
        when=when,
        when_label=label,
    )


def _headline(job: JobLine) -> str:
    """What is wrong, in one line."""
    if job.state is not JobState.INCOMPLETE:
        return present.headline(job)
    if job.kind is JobKind.CHECK:
        return _("The archive is not whole")
    if job.kind is JobKind.REMOVE:
        return _("Not certain of all messages whether they are deleted")
    return failed_text(job, job.counts.failed)


def _note(job: JobLine) -> str:
    if job.state is JobState.RUNNING and not job.wish:
        if job.eta_seconds is None:
            return "" if job.counts.found else _("is being counted")
        return _("%(about)s left", about=formats.about(job.eta_seconds))
    if job.state is JobState.PAUSED:
        return _("paused")
    return until_text(job)
