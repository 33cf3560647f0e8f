"""Reading an archive from end to end: the CHECK of an archive that the service keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from migrator.jobs import archives
from migrator.ports import StopSignal
from migrator.sessions.endpoint import Endpoint

MOST_NAMED: Final = 1000
"""So many of each kind are named in a job's result; the manifest and the command line name all."""


def check(end: Endpoint, at: datetime | None, stop: StopSignal) -> dict[str, Any]:
    """What is here, what is damaged, what is missing. Raises ArchiveUnusable, ArchiveDamaged, Stopped."""
    from migrator.archive.check import check as look

    with archives.opened(end) as file:
        archives.refuse_older(file, end, at)
        health = look(file, at, wants_stop=stop.wanted)
    return {
        "found": health.found,
        "messages": health.messages,
        "whole": health.whole,
        "kept": health.kept,
        "blobs": health.blobs,
        "octets": health.octets,
        "moment": health.moment.isoformat() if health.moment else None,
        "structure": health.structure,
        **_named("damaged", health.damaged),
        **_named("missing", health.missing),
        "missing_total": health.lacking,
        **_named("left_out", health.left_out),
        **_named("unseen", health.unseen),
        "healthy": not health.damaged and not health.structure,
        "proven": health.is_whole,
    }


def _named(name: str, found: Sequence[Any]) -> dict[str, Any]:
    return {name: [asdict(one) for one in found[:MOST_NAMED]], f"{name}_total": len(found)}
