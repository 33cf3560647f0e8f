"""What a one-shot command shows on standard error while it works, and its summary at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from migrator.db.store import Database
from migrator.jobs import queries
from migrator.jobs.oneshot.command import Finished
from migrator.jobs.report import outcome, warning_text
from migrator.jobs.views import JobView
from migrator.ports import Event

if TYPE_CHECKING:
    from rich.table import Table  # heavy, and a quiet run needs none of it

REFRESH_SECONDS = 0.5


class Silence:
    """Shows nothing. Fulfils `ports.Observer`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to clean up."""

    def note(self, event: Event) -> None:
        """Nothing."""

    def begun(self, db: Database, job_id: int) -> None:
        """Nothing."""


class Bars(Silence):
    """One bar over all messages, from committed rows; only on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", justify="left"),
            BarColumn(),
            MofNCompleteColumn(),
            DownloadColumn(binary_units=False),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("connecting …", total=None)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        self._progress.stop()

    def begun(self, db: Database, job_id: int) -> None:
        """The job has a row: watch it."""
        if self._console.is_terminal:
            self._thread = threading.Thread(target=self._watch, args=(db, job_id), daemon=True)
            self._thread.start()

    def note(self, event: Event) -> None:
        """Say what a person wants to know at once."""
        texts = {
            "folder_started": "{folder}",
            "reconnecting": "reconnecting to the {end} …",
            "waiting_for_quiet": "waiting until the new server has settled …",
        }
        if event.name in texts:
            self._progress.update(self._task, description=texts[event.name].format(**event.fields)[:40])
        if event.name == "reconnecting" and self._console.is_terminal:
            self._console.log(f"connection to the {event.fields['end']} lost: {event.fields['code']}")

    def _watch(self, db: Database, job_id: int) -> None:
        while not self._done.wait(REFRESH_SECONDS):
            job = queries.job(db, job_id, datetime.now(UTC))
            if job is not None:
                self._progress.update(self._task, completed=job.counts.done, total=max(job.counts.found, 1))


def summary(finished: Finished) -> None:
    """The result for people, on standard output."""
    from rich.console import Console

    job, console = finished.job, Console(highlight=False)
    console.print(folder_table(job))
    for line in _lines(finished):
        console.print(line, markup=False, soft_wrap=True)


def _lines(finished: Finished) -> Iterator[str]:
    job = finished.job
    for warning in job.warnings:
        yield f"Note: {warning_text(warning.code, warning.folder, warning.detail)}"
    for folder in job.folders:
        if folder.error:
            yield f"Failed: {folder.error['message']} {folder.error['remedy']}"
    for failure in job.failures[:20]:
        yield f"Failed: {failure.folder} {failure.key}: {failure.reason} {failure.detail}"
    for item in finished.result.get("discrepancies", [])[:20]:
        yield f"Differs: {item['folder']} {item['key']}: {item['kind']} {item['detail']}"
    if finished.result.get("dry_run"):
        yield f"Dry run, nothing was written: {sum(finished.result['would_copy'].values())} messages would be copied."
    counts = job.counts
    yield (
        f"{outcome(job, finished.result, finished.error)}: {counts.found} found = {counts.copied} copied"
        f" + {counts.already_there} already there + {counts.skipped} skipped + {counts.failed} failed"
        + (f" + {counts.open} open" if counts.open else "")
        + f"; {job.octets / 1e6:.1f} MB in {finished.seconds:.1f} s"
    )


def folder_table(job: JobView) -> Table:
    """Folders and their numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("folder", "target"):
        table.add_column(name, overflow="fold")
    for name in ("found", "copied", "there", "skipped", "failed", "MB"):
        table.add_column(name, justify="right")
    for item in job.folders:
        counts = item.counts
        numbers = (counts.found, counts.copied, counts.already_there, counts.skipped, counts.failed)
        target = item.target or f"({item.reason})"
        table.add_row(item.source, target, *map(str, numbers), f"{item.octets / 1e6:.1f}")
    return table
