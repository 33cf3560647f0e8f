"""The API's handlers. Whatever makes a job due is told to a worker after the commit."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, abort, url_for
from pydantic import BaseModel

from migrator.db.store import Database
from migrator.errors import UsageError
from migrator.jobs import operations, orders, queries
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import JobView
from web import formats
from web.api import advice_schemas, bp, openapi, problems, reading, schemas
from web.api.access import actor
from web.jobs.pages import JOB
from web.limits import CHECKS_PER_ADDRESS, limiter
from web.paging import cursor
from web.services import services
from web.typed import one_line


@bp.get("/openapi.json")
def description() -> Response:
    """This API, described."""
    return Response(json.dumps(openapi.document()), mimetype="application/json")


@bp.post("/jobs")
def create() -> Response:
    """A new job."""
    wanted = reading.body(schemas.NewJobIn)
    here = services()
    try:
        job_id = operations.create(here.db, here.vault, wanted.ordered(actor()), settings=here.settings)
    except operations.Invalid as error:
        return problems.invalid([problems.field_error(*problem) for problem in error.problems])
    here.enqueue(job_id)
    answer = shown(job_id, 201)
    answer.headers["Location"] = url_for("api.show", job_id=job_id)
    return answer


@bp.post("/check")
@limiter.limit(CHECKS_PER_ADDRESS)
def check() -> Response:
    """Both doors of an old server, which way its mailbox goes, where its folders go, what will not fit there."""
    wanted = reading.body(advice_schemas.CheckIn)
    here, source = services(), wanted.source.ordered()
    target = wanted.target.ordered() if wanted.target is not None else None
    options = wanted.options.ordered()
    try:
        if target is None:
            orders.check_source(source, here.settings.allowed_networks)
            orders.check_options(options, JobKind.COPY)
        else:
            orders.check(orders.NewJob(JobKind.COPY, source, target, options, ""), here.settings.allowed_networks)
    except operations.Invalid as error:
        return problems.invalid([problems.field_error(*problem) for problem in error.problems])
    new = here.probe(target, role="target", settings=here.settings) if target is not None else None
    found = here.advise(source, settings=here.settings, fetches_by_pop3=wanted.fetches_by_pop3)
    before = queries.carried(here.db, source.identity, target.identity) if target is not None else 0
    rules = orders.mapping_rules(options)
    try:
        return _json(advice_schemas.checked(found, source, target, new=new, rules=rules, carried=before))
    except UsageError as error:
        return problems.invalid([problems.field_error("options.map", "unknown_folder", error.message)])


@bp.get("/jobs")
def index() -> Response:
    """Jobs, newest first, page by page."""
    given = reading.query("state", "q", "limit", "cursor")
    lines, following = queries.jobs(
        services().db,
        formats.now(),
        states=reading.states(given),
        search=one_line(given.get("q", ""), 200),
        limit=reading.limit(given, default=50),
        cursor=cursor(given.get("cursor")),
    )
    found = [schemas.JobInList(**schemas.line_values(line)) for line in lines]
    return _json(schemas.JobList(jobs=found, next_cursor=following))


@bp.get(f"/jobs/{JOB}")
def show(job_id: int) -> Response:
    """One job."""
    reading.query()
    return shown(job_id)


@bp.get(f"/jobs/{JOB}/failures")
def failures(job_id: int) -> Response:
    """The messages that were not carried, page by page."""
    given = reading.query("limit", "cursor")
    _job(job_id)
    found, following = queries.failures(
        services().db, job_id, limit=reading.limit(given, default=100), cursor=cursor(given.get("cursor"))
    )
    return _json(schemas.FailureList(failures=[schemas.Failure.of(one) for one in found], next_cursor=following))


@bp.post(f"/jobs/{JOB}/pause")
def pause(job_id: int) -> Response:
    """Stop for now."""
    reading.body(schemas.NothingIn, optional=True)
    return _ask(operations.pause, job_id)


@bp.post(f"/jobs/{JOB}/resume")
def resume(job_id: int) -> Response:
    """Go on."""
    reading.body(schemas.NothingIn, optional=True)
    return _ask(operations.resume, job_id)


@bp.post(f"/jobs/{JOB}/cancel")
def cancel(job_id: int) -> Response:
    """End for good."""
    reading.body(schemas.NothingIn, optional=True)
    return _ask(operations.cancel, job_id)


@bp.post(f"/jobs/{JOB}/retry")
def retry(job_id: int) -> Response:
    """Try again, with other options and passwords where they are given."""
    wanted = reading.body(schemas.RetryIn, optional=True)
    return _ask(partial(_retry, wanted), job_id, wanted.options.ordered() if wanted.options else None)


def shown(job_id: int, status: int = 200) -> Response:
    """A job as JSON."""
    return _json(schemas.job_out(_job(job_id)), status)


# ---- inside --------------------------------------------------------------------------------------------------------


def _job(job_id: int) -> JobView:
    view = queries.job(services().db, job_id, formats.now())
    if view is None:
        abort(404)
    return view


def _retry(wanted: schemas.RetryIn, db: Database, job_id: int, **more: Any) -> JobState:
    given = {"source": wanted.source_password, "target": wanted.target_password}
    for end, password in given.items():
        if password is not None:
            operations.replace_password(db, services().vault, job_id, end, password, actor=more["actor"])
    return operations.retry(db, job_id, **more)


def _ask(operation: Callable[..., JobState], job_id: int, options: dict[str, Any] | None = None) -> Response:
    try:
        state = operation(services().db, job_id, actor=actor(), options=options)
    except operations.NotFound:
        abort(404)
    except operations.WrongState as error:
        return problems.problem(409, "wrong_state", error.message, state=error.state)
    except operations.CredentialsWiped as error:
        return problems.problem(409, "credentials_wiped", error.message, state=_job(job_id).state)
    except operations.Invalid as error:
        return problems.invalid([problems.field_error(*problem) for problem in error.problems])
    if state is JobState.QUEUED:
        services().enqueue(job_id)
    return shown(job_id)


def _json(value: BaseModel, status: int = 200) -> Response:
    return Response(value.model_dump_json(), status, mimetype="application/json")
