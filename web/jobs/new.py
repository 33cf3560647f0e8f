"""A new job: both ends are typed and tried, the folders previewed, the order given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.jobs import operations
from migrator.jobs.orders import check as check_order
from migrator.jobs.probe import ProbeReport
from migrator.jobs.states import JobKind
from migrator.planning.leaving import OFFERED_DAYS
from web import formats
from web.babel import gettext as _
from web.jobs import advised, bp, checked, fits, forms, keeping, page, present
from web.jobs.answers import Answer, answer_of, preview_lines
from web.limits import CHECKS_PER_ADDRESS, limiter
from web.security import current_user, is_fragment
from web.services import services
from web.texts.forms import FIELDS, problem_text

Problems = dict[str, str]
"""Field path → sentence."""


@dataclass(slots=True)
class Draft:
    """The form on its way: what was typed, what checks found, what is wrong."""

    form: forms.JobForm
    reports: dict[str, ProbeReport | None]
    answers: dict[str, Answer] = field(default_factory=dict)
    problems: Problems = field(default_factory=dict)
    doors: str = ""
    """What both doors of the old server have shown, signed."""
    limits: list[fits.Shown] | None = None
    """What will not fit, where somebody has looked already."""

    def shown(self) -> dict[str, Any]:
        """What the templates need."""
        preview = checked.look_ahead(self.form, self.reports)
        kept = {end: request.form.get(f"{end}.checked", "") if self.reports[end] else "" for end in forms.ENDS}
        return {
            "form": self.form,
            "answers": self.answers,
            "problems": self.problems,
            "fields": FIELDS,
            "parts": (*forms.ENDS, "keep"),
            "kept": {**kept, **{end: answer.kept for end, answer in self.answers.items()}},
            "preview": preview,
            "lines": preview_lines(preview) if preview else [],
            "limits": fits.look(self.form, self.reports) if self.limits is None else self.limits,
            "sizes": forms.SIZES,
            "connections": forms.CONNECTIONS,
            "advised": advised.read(self.form.source, self.doors, request.form.get("source.pop3", "")),
            "hours": keeping.HOURS,
            "offered_days": OFFERED_DAYS,
        }


@bp.get("/jobs/new")
def new() -> AnyResponse:
    """An empty form, or one like another job's."""
    number = request.args.get("like", "")
    known = number.isascii() and number.isdigit() and len(number) < 19
    job = page.wanted(int(number)) if known else None
    if job is not None and job.kind not in (JobKind.COPY, JobKind.VERIFY, JobKind.ARCHIVE):
        return redirect(url_for("archives.play_in", archive_id=present.archive_of(job)), 303)
    do = "archive" if request.args.get("do") == "archive" else "copy"
    form = forms.like(job) if job is not None else forms.JobForm(do=do)
    return make_response(_page(Draft(form, dict.fromkeys(forms.ENDS))))


@bp.post("/jobs/new")
def create() -> AnyResponse:
    """Give the order: to the job's page, or back to the form with everything that is wrong."""
    draft = _draft()
    user = current_user()
    new = forms.order(draft.form, request.form, user.email if user else "")
    here = services()
    try:
        job_id = operations.create(here.db, here.vault, new, settings=here.settings)
    except operations.Invalid as error:
        draft.problems = _problems(error)
        return _refused(draft)
    here.enqueue(job_id)
    flash(_("The job is created and begins as soon as a worker is free."), "done")
    return _go(url_for("jobs.show", job_id=job_id))


@bp.post("/jobs/new/check/<end>")
@limiter.limit(CHECKS_PER_ADDRESS)
def check(end: str) -> Response:
    """Try one end: connect, log in, count. Nothing is written anywhere."""
    if end not in forms.ENDS:
        abort(404)
    draft = _draft()
    typed = getattr(draft.form, end)
    wanted = forms.endpoint(typed, request.form.get(f"{end}.password", ""))
    draft.problems = _check_first(end, wanted)
    if draft.problems:
        draft.reports[end] = None
        return _answered(draft, end)
    report = _ask(end, wanted, draft)
    draft.reports[end] = report if report.ok else None
    draft.limits = fits.look(draft.form, draft.reports)
    misfits = fits.in_short(draft.limits) if end == "target" else ()
    draft.answers[end] = answer_of(end, typed, report, misfits, formats.now())
    return _answered(draft, end)


@bp.post("/jobs/new/preview")
def preview() -> Response:
    """The folders once more, after somebody changed a target or a tick; no server is asked."""
    if not is_fragment():
        return make_response(_page(_draft()))
    return make_response(render_template("jobs/new/previewed.html", **_draft().shown()))


@bp.post("/jobs/new/advice")
def advice() -> Response:
    """The advice once more, after somebody answered the question about POP3; no server is asked."""
    if not is_fragment():
        return make_response(_page(_draft()))
    return make_response(render_template("jobs/new/advice.html", **_draft().shown()))


# ---- inside --------------------------------------------------------------------------------------------------------


def _draft() -> Draft:
    form = forms.read(request.form)
    reports = {end: checked.read(getattr(form, end), request.form.get(f"{end}.checked", "")) for end in forms.ENDS}
    return Draft(form, reports, doors=request.form.get("source.doors", ""))


def _ask(end: str, wanted: operations.NewEndpoint, draft: Draft) -> ProbeReport:
    """Try this end; at the old one both doors, for the advice."""
    here = services()
    if end == "target":
        return here.probe(wanted, role=end, settings=here.settings)
    answer = advised.ANSWERS.get(request.form.get("source.pop3", ""))
    found = here.advise(wanted, settings=here.settings, fetches_by_pop3=answer)
    draft.doors = advised.sign(draft.form.source, found)
    return found.given


def _check_first(end: str, wanted: operations.NewEndpoint) -> Problems:
    """What can be seen of one end without asking the server."""
    try:
        check_order(forms.order_of(wanted, wanted), services().settings.allowed_networks)
    except operations.Invalid as error:
        return {path: text for path, text in _problems(error).items() if path.startswith(f"{end}.")}
    return {}


def _problems(error: operations.Invalid) -> Problems:
    found: Problems = {}
    for path, code, message in error.problems:
        place = "form" if code == "same_account" else path
        found.setdefault(place, problem_text(path, code, message))
    return found


def _page(draft: Draft) -> str:
    return render_template("jobs/new.html", **draft.shown())


def _refused(draft: Draft) -> Response:
    """Only the sentences are sent to htmx, so that the passwords typed stay where they are."""
    if is_fragment():
        return make_response(render_template("jobs/new/problems.html", oob=True, **draft.shown()))
    return make_response(_page(draft), 422)


def _answered(draft: Draft, end: str) -> Response:
    if is_fragment():
        return make_response(render_template("jobs/new/checked.html", end=end, oob=True, **draft.shown()))
    return make_response(_page(draft))


def _go(address: str) -> AnyResponse:
    if is_fragment():
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)
