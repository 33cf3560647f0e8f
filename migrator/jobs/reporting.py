"""The report of a job: what was done, and every exception by an identity that tells no subject and no sender. Pure.

The sum stands in the job's view; exceptions may be many, so they come as iterators that begin anew with each call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from migrator.jobs.report import rehearsed, whole_folders
from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import FailureView, JobView, SkipView
from migrator.planning.verification import Kind as DifferenceKind
from migrator.ports import Difference

REPORTED: Final = frozenset({JobKind.COPY, JobKind.ARCHIVE, JobKind.PLAY_IN, JobKind.VERIFY})
"""Kinds of work that go through folders; the others have a result of their own."""
FINAL: Final = frozenset({JobState.SUCCEEDED, JobState.INCOMPLETE, JobState.FAILED, JobState.CANCELLED})
_AT_THE_TARGET: Final = frozenset({DifferenceKind.EXTRA, DifferenceKind.DUPLICATE})
"""Differences whose folder and key are the target's."""


class ItemKind(StrEnum):
    """What an exception is."""

    FOLDER = "folder"
    FAILURE = "failure"
    DIFFERENCE = "difference"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Item:
    """One exception. `folder` is the source's full name and `target` where it went; either may be unknown (empty).

    `code`: of the folder's error, the reason, the difference or the rule. `key` is empty where `count` messages of a
    folder are meant.
    """

    kind: ItemKind
    folder: str
    target: str
    code: str
    key: str = ""
    message_id: str = ""
    size: int | None = None
    detail: str = ""
    count: int = 1
    at: datetime | None = None
    end: str = ""
    """At which end the folder's error was met: source, target or empty."""
    fate: str = ""
    """What became of a failed message's octets (`FailureView.fate`)."""


@dataclass(frozen=True, slots=True)
class Report:
    """A job as it stood at a moment."""

    job: JobView
    at: datetime
    skip_counts: Sequence[SkipView]
    """Single messages that were skipped, counted by folder and rule."""
    stored_failures: Callable[[], Iterator[FailureView]]
    stored_differences: Callable[[], Iterator[Difference]]
    stored_skips: Callable[[], Iterator[SkipView]]

    @property
    def final(self) -> bool:
        """Whether the job has ended; otherwise this is the report as of a moment."""
        return self.job.state in FINAL

    @property
    def differences_total(self) -> int:
        """How many differences a comparison found."""
        result = self.job.result or {}
        return int(result.get("discrepancies_total", len(result.get("discrepancies", ()))))

    def items(self) -> Iterator[Item]:
        """Every exception: folders that failed, messages that failed, differences, what was skipped."""
        return itertools.chain(self.folder_errors(), self.failures(), self.differences(), self.skips())

    def folder_errors(self) -> Iterator[Item]:
        """Folders that could not be gone through, with the number of messages that have no answer for it."""
        for folder in self.job.folders:
            if folder.error:
                error = folder.error
                yield Item(
                    ItemKind.FOLDER, folder.source, folder.target, str(error.get("code", "")),
                    detail=str(error.get("detail") or error.get("message") or ""), count=folder.counts.open,
                    end=str(error.get("end", "")),
                )  # fmt: skip

    def failures(self) -> Iterator[Item]:
        """All messages that were not carried, each with its reason."""
        targets = self._targets()
        for one in self.stored_failures():
            yield Item(
                ItemKind.FAILURE, one.folder, targets.get(one.folder, ""), one.reason, key=one.key,
                message_id=one.message_id, size=one.size, detail=one.detail, at=one.at, fate=one.fate,
            )  # fmt: skip

    def differences(self) -> Iterator[Item]:
        """All that a comparison found."""
        targets = self._targets()
        sources = {target: source for source, target in reversed(targets.items()) if target}
        for one in self.stored_differences():
            yield _difference(one, targets, sources)

    def skips(self) -> Iterator[Item]:
        """What rules left behind: whole folders first, then message by message."""
        return self._skipped(itertools.chain(self._whole(), self.stored_skips()))

    def skips_by_rule(self) -> Iterator[Item]:
        """The same as numbers: one item per folder and rule."""
        return self._skipped(itertools.chain(self._whole(), self.skip_counts))

    def _skipped(self, skips: Iterable[SkipView]) -> Iterator[Item]:
        targets = self._targets()
        for one in skips:
            target = targets.get(one.folder, "")
            yield Item(ItemKind.SKIP, one.folder, target, one.rule, key=one.key, count=one.count)

    def _whole(self) -> list[SkipView]:
        return whole_folders(self.job) + rehearsed(self.job.result or {})

    def _targets(self) -> dict[str, str]:
        return {folder.source: folder.target for folder in self.job.folders}


def _difference(one: Difference, targets: dict[str, str], sources: dict[str, str]) -> Item:
    """Named by the folder at the end where the message is, and named back to the other one."""
    there = one.kind in _AT_THE_TARGET
    source, target = (sources.get(one.folder, ""), one.folder) if there else (one.folder, targets.get(one.folder, ""))
    return Item(ItemKind.DIFFERENCE, source, target, one.kind, key=one.key, detail=one.detail)
