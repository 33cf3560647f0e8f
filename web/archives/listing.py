"""The list of archives: one set of queries per page."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from migrator.jobs.keeping import queries
from migrator.jobs.keeping.views import ArchiveLine
from web import formats
from web.babel import gettext as _
from web.paging import cursor
from web.services import services
from web.texts.archives import STATES, account_words, check_text
from web.typed import one_line

PAGE = 50


def context() -> dict[str, Any]:
    """Everything that the page needs. Raises UsageError for a cursor that is none of ours."""
    q = one_line(request.args.get("q", ""), 200)
    after = cursor(request.args.get("cursor"))
    lines, following = queries.archives(services().db, search=q, limit=PAGE, cursor=after)
    more = url_for("archives.index", q=q or None, cursor=following) if following else ""
    return {"rows": [_row(line) for line in lines], "q": q, "more": more, "first": after is None}


def _row(archive: ArchiveLine) -> dict[str, Any]:
    return {
        "archive": archive,
        "text": STATES[archive.state],
        "check": check_text(archive),
        "server": account_words(archive.account)[1],
        "next": next_pass(archive) if archive.next_pass_at is not None else "–",
        "ends": ends(archive),
    }


def next_pass(archive: ArchiveLine) -> str:
    """When the next pass begins, or that none comes by itself."""
    if archive.next_pass_at is None:
        return _("none by itself") if archive.destroyed_at is None else "–"
    return formats.capital(formats.when(archive.next_pass_at))


def ends(archive: ArchiveLine) -> str:
    """When it expires, or was destroyed."""
    if archive.destroyed_at is not None:
        return _("destroyed %(date)s", date=formats.short_day(archive.destroyed_at))
    if archive.expires_at is not None:
        return formats.short_day(archive.expires_at)
    return _("not yet")
