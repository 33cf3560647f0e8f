"""What the one-shot commands' JSON shows in full, where pages show the first hundred."""

from __future__ import annotations

from sqlalchemy import select

from migrator.db.models import Folder, Skipped
from migrator.db.store import Database
from migrator.jobs import rows
from migrator.jobs.views import JobView, SkipView


def skips(db: Database, job: JobView) -> list[SkipView]:
    """Everything that a rule left behind: whole folders first, then messages."""
    whole = [
        SkipView(folder=folder.source, key="", rule=folder.reason, count=folder.counts.skipped)
        for folder in job.folders
        if folder.state == "excluded"
    ]
    query = (
        select(Skipped, Folder.name)
        .join(Folder, Folder.id == Skipped.folder_id)
        .where(Skipped.job_id == job.id)
        .order_by(Skipped.id)
    )
    with db.reading() as session:
        return whole + [SkipView(folder=name, key=rows.key(row), rule=row.rule) for row, name in session.execute(query)]
