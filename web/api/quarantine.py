"""What the new server would not take, by API: its octets, and putting it in."""

from __future__ import annotations

from typing import Final

import structlog
from flask import Response, abort, url_for

from migrator.db.vault import CannotUnseal
from migrator.jobs import operations
from migrator.jobs.quarantine import operations as quarantine
from migrator.jobs.quarantine import queries
from web.api import bp, problems, reading
from web.api.access import actor
from web.api.schemas import ReplayIn
from web.api.views import shown
from web.downloads import streamed
from web.jobs.pages import JOB
from web.jobs.quarantine import EML
from web.services import services

log = structlog.get_logger(__name__)

_ITEM: Final = "<int(max=9223372036854775807):item_id>"


@bp.get(f"/quarantine/{_ITEM}")
def mail(item_id: int) -> Response:
    """One message's octets, as they were at the old server."""
    here = services()
    try:
        found = queries.mail(here.db, here.vault, item_id)
        if found is None:
            abort(404)
        answer = streamed(found.octets, found.name, EML)
    except (CannotUnseal, queries.Damaged):
        return problems.problem(409, "damaged", "The octets in the database are not those that were kept.")
    log.info("mail_fetched", item=item_id, by=actor())
    return answer


@bp.post(f"/jobs/{JOB}/replay")
def replay(job_id: int) -> Response:
    """A new job that puts in what lies in quarantine of this job's mailbox."""
    wanted = reading.body(ReplayIn, optional=True)
    here = services()
    try:
        new = quarantine.replay(
            here.db,
            here.vault,
            job_id,
            actor=actor(),
            target_password=wanted.target_password or "",
            options={} if wanted.repair is None else {"repair": wanted.repair},
        )
    except operations.NotFound:
        abort(404)
    except operations.WrongState as error:
        return problems.problem(409, "wrong_state", error.message, state=error.state)
    except operations.CredentialsWiped as error:
        return problems.problem(409, "credentials_wiped", error.message)
    except quarantine.NothingKept as error:
        return problems.problem(409, "nothing_kept", error.message)
    except operations.Invalid as error:
        return problems.invalid([problems.field_error(*problem) for problem in error.problems])
    here.enqueue(new)
    answer = shown(new, 201)
    answer.headers["Location"] = url_for("api.show", job_id=new)
    return answer
