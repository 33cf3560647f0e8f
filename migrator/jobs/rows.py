"""Rows of the database as the values of `views`. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from migrator.db.models import Endpoint, Failure, Job, JobEventRow, JobFolder, JobSample, Mailbox, Quarantined, Skipped
from migrator.errors import UsageError
from migrator.jobs import progress
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import Counts, EndpointView, EventView, FailureView, FolderView, SampleView
from migrator.mail.folders import SEPARATOR
from migrator.mail.messages import MessageKey

Row = tuple[Job, Mailbox, Endpoint, Endpoint]
"""A job with its mailbox, source and target."""


def job_line(row: Row, folders: Sequence[JobFolder], samples: Sequence[SampleView], now: datetime) -> dict[str, Any]:
    """The fields of a JobLine."""
    job, mailbox, source, target = row
    state, parts = JobState(job.state), carried(folders)
    return {
        "id": job.id,
        "kind": JobKind(job.kind),
        "state": state,
        "address": mailbox.address,
        "source_host": source.host,
        "target_host": target.host,
        "counts": progress.total(counts(folder) for folder in folders),
        "octets": sum(folder.octets for folder in folders),
        "percent": progress.percent(state, parts),
        "eta_seconds": progress.eta(state, parts, samples, now),
        "error": job.error,
        "wish": job.wish,
        "created_by": job.created_by,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "waiting_until": job.not_before if state is JobState.QUEUED else None,
    }


def counts(folder: JobFolder) -> Counts:
    """The folder's sum as it stands now."""
    return progress.folder_counts(
        state="excluded" if folder.excluded else folder.state,
        announced=folder.announced,
        found=folder.found,
        copied=folder.copied,
        already_there=folder.already_there,
        skipped=folder.skipped,
        failed=folder.failed,
    )


def carried(folders: Iterable[JobFolder]) -> list[progress.FolderProgress]:
    """Of the folders that are carried. Until the survey has counted, the source's own word holds."""
    parts: list[progress.FolderProgress] = []
    for folder in folders:
        if not folder.excluded:
            counted = folder.found > 0 or folder.state == "done"
            octets = folder.octets_found if counted else folder.announced_octets
            parts.append(progress.FolderProgress(counts(folder), folder.octets, octets))
    return parts


def octets_found(folders: Iterable[JobFolder]) -> int:
    """Octets of all folders that are carried, as far as anybody has said."""
    return sum(part.octets_found or 0 for part in carried(folders))


def endpoint_view(row: Endpoint) -> EndpointView:
    """Never the credential, only whether there is one."""
    return EndpointView(
        protocol=row.protocol,
        host=row.host,
        port=row.port,
        security=row.security,
        user=row.user,
        address=row.address,
        fingerprint=row.fingerprint,
        has_ca=row.ca_pem is not None,
        credential_stored=row.credential is not None or row.archive_id is not None,
        credential_wiped_at=row.credential_wiped_at,
        archive_id=row.archive_id,
    )


def folder_view(row: JobFolder) -> FolderView:
    """One line of the job's folders."""
    return FolderView(
        id=row.id,
        source=row.source_name,
        levels=row.levels,
        target=row.target_name.replace(SEPARATOR, "/"),  # an archive has no delimiter of its own
        role=row.role,
        reason=row.reason,
        state="excluded" if row.excluded else row.state,
        counts=counts(row),
        octets=row.octets,
        octets_found=row.octets_found or row.announced_octets or 0,
        dropped_flags=row.dropped_flags,
        flag_changes=row.flag_changes,
        error=row.error,
    )


def sample_view(row: JobSample) -> SampleView:
    """One point of the plots."""
    return SampleView(at=row.at, messages=row.messages, octets=row.octets, open_messages=row.open_messages)


def failure_view(row: Failure, folder: str, kept: Quarantined | None = None) -> FailureView:
    """One message that was not carried."""
    return FailureView(
        folder=folder,
        key=key(row),
        message_id=row.message_id,
        reason=row.reason,
        detail=row.detail,
        size=row.size,
        at=row.at,
        kept=kept.id if kept is not None and kept.sealed_key is not None else None,
        gone=kept.gone if kept is not None else "",
    )


def event_view(row: JobEventRow) -> EventView:
    """One line of history."""
    return EventView(
        at=row.at,
        name=row.name,
        from_state=row.from_state,
        to_state=row.to_state,
        actor=row.actor,
        fields=row.fields,
    )


def key(row: Failure | Skipped | Quarantined) -> str:
    """The key at the old server, as people see it: `validity/uid`, or a name."""
    return str(MessageKey(row.origin_validity, row.origin_uid, row.origin_name))


def to_cursor(row_id: int) -> str:
    """An opaque text that says after which row the next page begins."""
    return base64.urlsafe_b64encode(str(row_id).encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> int:
    """The row that `to_cursor` was given. Raises UsageError."""
    try:
        return int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise UsageError("This cursor is none of ours.", code="cursor_invalid") from None
