"""What the one-shot commands' JSON shows in full, where pages show the first hundred."""

from __future__ import annotations

from migrator.db.store import Database
from migrator.jobs.queries import every_skip
from migrator.jobs.report import whole_folders
from migrator.jobs.views import JobView, SkipView


def skips(db: Database, job: JobView) -> list[SkipView]:
    """Everything that a rule left behind: whole folders first, then messages."""
    return whole_folders(job) + list(every_skip(db, job.id))
