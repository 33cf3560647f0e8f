"""Playing an archive in: what, from which point in time, and to which new server. Also rehearsed, or only compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.jobs import queries
from migrator.jobs.fitting import fitting_archive
from migrator.jobs.keeping.views import ArchiveView
from migrator.jobs.operations import Invalid, NewEndpoint
from migrator.jobs.orders import ArchiveEnd, NewJob
from migrator.jobs.orders import check as check_order
from migrator.jobs.probe import ProbeReport
from migrator.jobs.states import JobKind
from web import formats
from web.archives import ARCHIVE, actions, bp, present
from web.babel import gettext as _
from web.jobs import fits, forms
from web.jobs.answers import Answer, answer_of
from web.jobs.forms import EndForm, as_glob
from web.limits import CHECKS_PER_ADDRESS, limiter
from web.security import is_fragment
from web.services import services
from web.texts.forms import FIELDS, problem_text

_SEPARATORS = "./\\"


@dataclass(frozen=True, slots=True)
class PlayForm:
    """As it was typed. `place`: auto (a single folder goes below one of its own), own, under."""

    target: EndForm = field(default_factory=EndForm)
    folder: str = ""
    at: str = ""
    place: str = "auto"
    under: str = ""
    restore: bool = False

    def options(self, archive: ArchiveView, *, compared: bool) -> dict[str, Any]:
        """What the job is told. `compared`: nothing is written, so nothing is restored either."""
        under = {"own": "", "under": self.under}.get(self.place, restored_folder() if self.folder else "")
        options: dict[str, Any] = {
            "include": with_children(archive, self.folder) if self.folder else [],
            "at": self.at,
            "under": under,
            "restore": self.restore and not compared,
        }
        return {name: value for name, value in options.items() if value}


def restored_folder() -> str:
    """The folder below which a single folder is played in; its name holds no sign that parts levels anywhere."""
    return _("Restored %(date)s", date=formats.local(formats.now()).date().isoformat())


def with_children(archive: ArchiveView, folder: str) -> list[str]:
    """Patterns for a folder and everything below it, whatever sign parts its levels."""
    levels = {name: level for name, level, _count in archive.folders}
    below = {
        name[len(folder)]
        for name, level in levels.items()
        if name.startswith(folder) and len(name) > len(folder) + 1 and name[len(folder)] in _SEPARATORS
        and level > levels.get(folder, 1)
    }  # fmt: skip
    return [as_glob(folder), *(f"{as_glob(folder + sign)}*" for sign in sorted(below))]


@bp.get(f"/archives/{ARCHIVE}/play-in")
def play_in(archive_id: int) -> AnyResponse:
    """The form, for a folder or a point in time where the address names one."""
    archive = present.wanted(archive_id)
    if not archive.points or not present.is_living(archive):
        flash(_("There is nothing to play in from this archive."), "needs")
        return actions.back(archive_id)
    folder, at = (request.args.get(name, "") for name in ("folder", "at"))
    under = _("Archive of the old provider") if archive.by_pop3 else ""  # a POP3 program fetches the inbox only
    form = PlayForm(target=EndForm(user=archive.address), folder=folder, at=at, under=under)
    return make_response(_page(archive, form))


@bp.post(f"/archives/{ARCHIVE}/play-in")
def order(archive_id: int) -> AnyResponse:
    """Give the order: to the job's page, or back to the form with everything that is wrong."""
    archive, typed = present.wanted(archive_id), _read(request.form)
    if typed.place == "under" and not typed.under:
        return _refused(archive, typed, {"options.under": problem_text("options.under", "missing", "")})
    try:
        there = actions.order(_new(archive, typed))
    except Invalid as error:
        return _refused(archive, typed, actions.problems_of(error))
    flash(_("The job is created and begins as soon as a worker is free."), "done")
    return Response(status=204, headers={"HX-Redirect": there}) if is_fragment() else redirect(there, 303)


@bp.post(f"/archives/{ARCHIVE}/play-in/test")
@limiter.limit(CHECKS_PER_ADDRESS)
def test(archive_id: int) -> Response:
    """Try the new server: connect, log in, count. Nothing is written there."""
    archive, typed, here = present.wanted(archive_id), _read(request.form), services()
    new = _new(archive, typed)
    answers, problems = {}, {}
    try:
        check_order(new, here.settings.allowed_networks)
    except Invalid as error:
        problems = {path: text for path, text in actions.problems_of(error).items() if path.startswith("target.")}
    if not problems and not isinstance(new.target, ArchiveEnd) and new.target is not None:
        report = here.probe(new.target, role="target", settings=here.settings)
        answers["target"] = answer_of(
            "target", typed.target, report, _misfits(archive, typed, new.target, report), formats.now()
        )
    if is_fragment():
        return make_response(render_template("archives/tested.html", **_context(archive, typed, problems, answers)))
    return make_response(_page(archive, typed, problems, answers))


# ---- inside --------------------------------------------------------------------------------------------------------


def _read(form: Mapping[str, str]) -> PlayForm:
    return PlayForm(
        target=forms.read(form).target,
        folder=form.get("folder", ""),
        at=form.get("at", ""),
        place=form.get("place", "auto"),
        under=form.get("under", "").strip(),
        restore="restore" in form,
    )


def _new(archive: ArchiveView, typed: PlayForm) -> NewJob:
    what = request.form.get("what", "play-in")
    options = typed.options(archive, compared=what == "verify")
    return NewJob(
        kind=JobKind.VERIFY if what == "verify" else JobKind.PLAY_IN,
        source=ArchiveEnd(archive.id),
        target=forms.endpoint(typed.target, request.form.get("target.password", "")),
        options={**options, **({"dry_run": True} if what == "rehearse" else {})},
        created_by=actions.actor(),
    )


def _misfits(archive: ArchiveView, typed: PlayForm, target: NewEndpoint, report: ProbeReport) -> tuple[str, ...]:
    """What will not fit of a point in time; of a single folder nobody knows how large it is."""
    points = {"": archive.latest} | {present.moment(point): point for point in archive.points}
    point = points.get(typed.at)
    if point is None or not report.ok or typed.folder:
        return ()
    carried = 0 if typed.restore else queries.carried(services().db, archive.account, target.identity)
    return fits.sentences(fitting_archive(point.octets, report, target.host, carried))


def _context(
    archive: ArchiveView, typed: PlayForm, problems: dict[str, str], answers: dict[str, Answer]
) -> dict[str, Any]:
    return {
        "archive": archive,
        "form": typed,
        "problems": problems,
        "answers": answers,
        "fields": FIELDS,
        "parts": ("target",),
        "kept": {"target": ""},
        "end": "target",
        "check_address": url_for("archives.test", archive_id=archive.id),
        "points": present.point_choices(archive),
        "folders": present.folder_choices(archive),
        "restored": restored_folder(),
    }


def _page(
    archive: ArchiveView,
    typed: PlayForm,
    problems: dict[str, str] | None = None,
    answers: dict[str, Answer] | None = None,
) -> str:
    return render_template("archives/play-in.html", **_context(archive, typed, problems or {}, answers or {}))


def _refused(archive: ArchiveView, typed: PlayForm, problems: dict[str, str]) -> Response:
    if is_fragment():
        context = _context(archive, typed, problems, {})
        return make_response(render_template("jobs/new/problems.html", oob=True, **context))
    return make_response(_page(archive, typed, problems), 422)
