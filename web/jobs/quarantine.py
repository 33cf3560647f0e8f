"""What the new server would not take: handed out as .eml, and put in when the cause is gone."""

from __future__ import annotations

from typing import Final

import structlog
from flask import abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from migrator.db.vault import CannotUnseal
from migrator.jobs import operations
from migrator.jobs.quarantine import operations as quarantine
from migrator.jobs.quarantine import queries
from web.babel import gettext as _
from web.downloads import streamed
from web.jobs import bp, page
from web.jobs.actions import actor, problem
from web.jobs.pages import JOB
from web.services import services

log = structlog.get_logger(__name__)

EML: Final = "message/rfc822"


@bp.get("/quarantine/<int(max=9223372036854775807):item_id>.eml")
def mail(item_id: int) -> AnyResponse:
    """One message's octets, as they were at the old server."""
    here = services()
    try:
        found = queries.mail(here.db, here.vault, item_id)
    except CannotUnseal as error:
        return _back(error.message)
    if found is None:
        abort(404)
    try:
        answer = streamed(found.octets, found.name, EML)
    except queries.Damaged:
        return _back(_("The octets in the database are not those that were kept. Nothing of them is handed out."))
    log.info("mail_fetched", item=item_id, by=actor())
    return answer


@bp.post(f"/jobs/{JOB}/replay")
def replay(job_id: int) -> AnyResponse:
    """Put in what lies in quarantine, by a job of its own."""
    here = services()
    try:
        new = quarantine.replay(
            here.db,
            here.vault,
            job_id,
            actor=actor(),
            target_password=request.form.get("password", ""),
            options={"repair": True} if request.form.get("repair") == "yes" else None,
        )
    except operations.NotFound:
        page.wanted(job_id)  # says that there is none
        raise
    except quarantine.NothingKept:
        flash(_("Nothing of this mailbox lies in quarantine any more."), "needs")
    except (operations.WrongState, operations.CredentialsWiped, operations.Invalid) as error:
        flash(problem(error), "needs")
    else:
        here.enqueue(new)
        flash(_("This job puts in what lay in quarantine. The old server is not asked."), "done")
        return redirect(url_for("jobs.show", job_id=new), 303)
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def _back(said: str) -> AnyResponse:
    flash(said, "failed")
    return redirect(url_for("jobs.index"), 303)
