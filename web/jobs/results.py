"""What a check of an archive and a removal at the old server found, as their cards show it. Pure."""

from __future__ import annotations

from typing import Any, Final

from migrator.jobs.states import JobKind
from migrator.jobs.views import JobView
from web.babel import ngettext
from web.texts.failures import failure_text, stays_text

_MOST: Final = 100


def checked(job: JobView) -> dict[str, Any]:
    """The card of a check; empty before it has ended."""
    result = job.result if job.kind is JobKind.CHECK else None
    return {"result": result, **found(result or {})}


def found(check: dict[str, Any]) -> dict[str, Any]:
    """What a check says of an archive: damaged and missing messages by name, and how many there are of both.

    `shown`: for how many the lines stand.
    """
    damaged = [
        (str(one.get("folder", "")), str(one.get("key", "")), str(one.get("detail", "")))
        for one in check.get("damaged", ())[:_MOST]
    ]
    missing = [
        (str(one.get("folder", "")), str(one.get("key", "")), failure_text(str(one.get("reason", ""))).short,
         int(one.get("size") or 0))
        for one in check.get("missing", ())[:_MOST]
    ]  # fmt: skip
    unseen = check.get("unseen", ())[: _MOST - len(missing)]
    shown = len(damaged) + len(missing) + sum(int(one.get("messages") or 0) for one in unseen)
    missing += [
        (str(one.get("folder", "")), "", _unlisted(int(one.get("messages") or 0), str(one.get("error", ""))), 0)
        for one in unseen
    ]
    if check.get("structure"):
        damaged.insert(0, ("", "", str(check["structure"])))
    return {
        "damaged": damaged,
        "missing": missing,
        "damaged_total": int(check.get("damaged_total", len(damaged))),
        "missing_total": int(check.get("missing_total", len(missing))),
        "shown": shown,
        "proven": bool(check.get("proven")),
        "healthy": bool(check.get("healthy")),
    }


def _unlisted(count: int, error: str) -> str:
    """A folder that could not be seen to its end."""
    more = ngettext("%(num)d more was announced, and not listed", "%(num)d more were announced, and not listed", count)
    return f"{more} ({error})" if error else more


def removed(job: JobView) -> dict[str, Any]:
    """The card of a removal: what was deleted, and of everything else why it stays."""
    result = job.result if job.kind is JobKind.REMOVE else None
    stays = (result or {}).get("kept", {})
    lines = sorted(((stays_text(reason), int(count)) for reason, count in stays.items()), key=lambda line: -line[1])
    return {"result": result, "stays": lines}
