"""Pages for archives: list, one archive, playing in, downloads, schedule, closing and destruction with its proof."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("archives", __name__)

ARCHIVE = "<int(max=9223372036854775807):archive_id>"
"""A database knows no larger number."""


def load() -> Blueprint:
    """The blueprint with all its handlers."""
    from web.archives import actions, downloads, ending, pages, playing

    _ = actions, downloads, ending, pages, playing  # they register themselves
    return bp
