"""For machines that watch: is the process alive, is the service ready, how much is there to do."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from migrator.accounts import queries as accounts
from migrator.errors import DatabaseUnavailable
from migrator.jobs import queries
from migrator.jobs.keeping import queries as archives
from migrator.jobs.states import JobState
from web import formats
from web.security import is_local
from web.services import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """This process answers. Nothing else is asked, so that a slow database restarts nobody."""
    return jsonify(status="alive")


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """The tables are those of this version, and at least one worker shows itself."""
    try:
        current = services().db.is_current()
        workers = queries.workers_alive(services().db, formats.now()) if current else 0
    except DatabaseUnavailable:
        current, workers = False, 0
    ready = current and workers > 0
    return jsonify(status="ready" if ready else "not ready", database=current, workers=workers), 200 if ready else 503


@bp.get("/metrics")
def metrics() -> Response:
    """Prometheus text, for this machine or for whoever has an API token."""
    if not (is_local() or _has_token()):
        abort(404)
    return Response(generate_latest(_measured()), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and accounts.token_owner(services().db, token.strip()) is not None


def _measured() -> CollectorRegistry:
    """Read from the database at this moment, so that every web process says the same."""
    registry = CollectorRegistry()
    counts = queries.counts_by_state(services().db)
    jobs = Gauge("postwagen_jobs", "Jobs by state", ["state"], registry=registry)
    for state, count in counts.items():
        jobs.labels(state.value).set(count)
    workers = Gauge("postwagen_workers_alive", "Worker processes that showed themselves lately", registry=registry)
    workers.set(queries.workers_alive(services().db, formats.now()))
    needs = Gauge("postwagen_jobs_needing_a_person", "Jobs blocked, incomplete or failed", registry=registry)
    needs.set(sum(counts[state] for state in (JobState.BLOCKED, JobState.INCOMPLETE, JobState.FAILED)))
    _measure_archives(registry)
    return registry


def _measure_archives(registry: CollectorRegistry) -> None:
    """By storage node: watch the room like that of any disk."""
    names = {
        "archives": Gauge("postwagen_archives", "Archives kept", ["node"], registry=registry),
        "octets": Gauge("postwagen_archive_octets", "What archives take", ["node"], registry=registry),
        "free_octets": Gauge("postwagen_archive_free_octets", "Room left where they lie", ["node"], registry=registry),
    }
    for node in archives.nodes(services().db, formats.now()):
        for name, gauge in names.items():
            value = getattr(node, name)
            if value is not None:
                gauge.labels(node.node).set(value)
