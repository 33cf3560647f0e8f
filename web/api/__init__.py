"""The API under /api/v1: JSON, bearer tokens, RFC 9457 for everything that goes wrong, described by OpenAPI 3.1."""

from __future__ import annotations

from flask import Blueprint

PREFIX = "/api/v1"
bp = Blueprint("api", __name__, url_prefix=PREFIX)


def load() -> Blueprint:
    """The blueprint with all its handlers."""
    from web.api import access, archives, quarantine, reports, views

    _ = access, archives, quarantine, reports, views  # they register themselves
    return bp
