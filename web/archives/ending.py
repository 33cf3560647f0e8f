"""The end of an archive: closing the transfer, taking that back, and destruction, with what exactly it will do."""

from __future__ import annotations

from datetime import datetime, time

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.jobs.keeping import operations
from migrator.jobs.keeping.views import ArchiveView
from migrator.jobs.orders import Invalid
from web import formats
from web.archives import ARCHIVE, actions, bp, pages, present
from web.babel import get_timezone
from web.babel import gettext as _
from web.services import services
from web.texts.forms import problem_text


@bp.post(f"/archives/{ARCHIVE}/close")
def close(archive_id: int) -> AnyResponse:
    """The transfer is closed: nothing comes by itself any more, and the archive expires."""
    archive, here, typed = present.wanted(archive_id), services(), request.form.get("until", "").strip()
    try:
        expires = operations.close(here.db, archive_id, settings=here.settings, until=_end_of_day(typed))
    except Invalid as error:
        return make_response(pages.whole_page(archive, problems=actions.problems_of(error), until=typed), 422)
    except (operations.ArchiveDestroyed, operations.NoSuchArchive) as error:
        flash(problem_text("", error.code, error.message), "failed")
    else:
        flash(_("The transfer is closed. The archive is destroyed on %(date)s by itself.", date=formats.day(expires)),
              "done")  # fmt: skip
    return actions.back(archive_id)


@bp.post(f"/archives/{ARCHIVE}/reopen")
def reopen(archive_id: int) -> AnyResponse:
    """The transfer goes on after all."""
    present.wanted(archive_id)
    text = _("The transfer is open again: the archive does not expire.")
    return actions.attempt(archive_id, lambda: operations.reopen(services().db, archive_id), text)


@bp.get(f"/archives/{ARCHIVE}/destroy")
def destroy(archive_id: int) -> AnyResponse:
    """What destruction will do, and the form that asks for the reason."""
    archive = present.wanted(archive_id)
    if archive.destroyed_at is not None:
        return redirect(url_for("archives.show", archive_id=archive_id), 303)
    return make_response(_form(archive, {}))


@bp.post(f"/archives/{ARCHIVE}/destroy")
def carry_out(archive_id: int) -> AnyResponse:
    """Destroy the key, now and for good."""
    archive, reason = present.wanted(archive_id), request.form.get("reason", "").strip()
    problems = _problems(archive, reason)
    if problems:
        return make_response(_form(archive, problems), 422)
    return actions.attempt(
        archive_id,
        lambda: operations.destroy(
            services().db,
            archive_id,
            actor=actions.actor(),
            reason=reason,
            even_the_only_copy=request.form.get("only_copy") == "yes",
        ),
        _("The archive is destroyed. Its file is removed next; the proof then stands here."),
    )


def _problems(archive: ArchiveView, reason: str) -> dict[str, str]:
    problems = {} if reason else {"reason": problem_text("reason", "missing", "")}
    if not archive.is_called(request.form.get("address", "")):
        problems["address"] = problem_text("", "address_differs", "")
    return problems


def _form(archive: ArchiveView, problems: dict[str, str]) -> str:
    typed = {name: request.form.get(name, "") for name in ("reason", "address")}
    return render_template("archives/destroy.html", archive=archive, typed=typed, problems=problems)


def _end_of_day(text: str) -> datetime | None:
    """The end of that day in the reader's zone. Raises Invalid."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone
        return datetime.combine(day, time(23, 59, 59), tzinfo=get_timezone())
    except (ValueError, OverflowError):
        raise Invalid([("until", "invalid", "This is no date.")]) from None
