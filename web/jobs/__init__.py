"""Pages for jobs: list, one job, new job, failures. Reading through queries, writing through operations."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("jobs", __name__)


def load() -> Blueprint:
    """The blueprint with all its handlers."""
    from web.jobs import actions, failures, new, pages, quarantine, report

    _ = actions, failures, new, pages, quarantine, report  # they register themselves
    return bp
