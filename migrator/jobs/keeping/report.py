"""Archives as JSON shows them, the same for API and commands: the values of `views` by name. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from migrator.jobs.keeping.views import ArchiveLine, ArchiveView, PassView

_NOT_ALIKE: Final = frozenset({"latest", "by_pop3", "credential_kept", "points", "folders"})
"""What stands under another name or in another form; over which protocol the mail came stands in `account`."""


def in_list(line: ArchiveLine) -> dict[str, Any]:
    """An archive without its points in time."""
    shown = {one.name: getattr(line, one.name) for one in fields(ArchiveLine) if one.name not in _NOT_ALIKE}
    return shown | {"latest": point(line.latest) if line.latest else None}


def alone(view: ArchiveView) -> dict[str, Any]:
    """Everything of one archive."""
    shown = {one.name: getattr(view, one.name) for one in fields(ArchiveView) if one.name not in _NOT_ALIKE}
    return in_list(view) | shown | {
        "password_stored": view.credential_kept,
        "points": [point(one) for one in view.points],
        "folders": [{"name": name, "messages": messages} for name, _, messages in view.folders],
    }  # fmt: skip


def point(view: PassView) -> dict[str, Any]:
    """A point in time. `missing`: messages of the old server that are not in the archive; `job` says why."""
    shown = {one.name: getattr(view, one.name) for one in fields(PassView) if one.name != "job_id"}
    return shown | {"job": view.job_id}
