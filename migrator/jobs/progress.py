"""How far a job is, and how long it will take: arithmetic on committed numbers. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from migrator.jobs.states import JobState
from migrator.jobs.views import Counts, SampleView

WINDOW: Final = timedelta(minutes=2)
"""Speed is that of the last so many minutes."""
_LONGEST_STEP: Final = 30.0
"""Seconds between two samples that still count as work; longer ones are pauses between slices."""


@dataclass(frozen=True, slots=True)
class FolderProgress:
    """What progress needs to know of one folder. `octets_found` None: nobody has said yet how much it is."""

    counts: Counts
    octets: int
    octets_found: int | None


@dataclass(frozen=True, slots=True)
class Speed:
    """Octets and messages per second of work."""

    octets: float = 0.0
    messages: float = 0.0


def folder_counts(
    *, state: str, announced: int, found: int, copied: int, already_there: int, skipped: int, failed: int
) -> Counts:
    """A folder's sum. Until its survey is over, what the source announced counts as found; an excluded one is
    skipped as a whole."""
    if state == "excluded":
        whole = max(found, announced, skipped)
        return Counts(found=whole, skipped=whole)
    if state in ("open", "working"):
        found = max(found, announced)
    return Counts(found=found, copied=copied, already_there=already_there, skipped=skipped, failed=failed)


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of sums."""
    all_of = list(parts)
    return Counts(
        found=sum(part.found for part in all_of),
        copied=sum(part.copied for part in all_of),
        already_there=sum(part.already_there for part in all_of),
        skipped=sum(part.skipped for part in all_of),
        failed=sum(part.failed for part in all_of),
    )


def percent(state: JobState, folders: Sequence[FolderProgress]) -> float:
    """0 to 100, rounded down to a tenth: by octets where all are known, else by messages; 100 only when SUCCEEDED."""
    if state is JobState.SUCCEEDED:
        return 100.0
    whole = _octets_found(folders)
    part: float = sum(map(_octets_done, folders))
    if not whole:
        whole = sum(folder.counts.found for folder in folders)
        part = sum(min(folder.counts.done, folder.counts.found) for folder in folders)
    if not whole:
        return 0.0
    return min(99.9, math.floor(1000 * part / whole) / 10)


def speed(samples: Sequence[SampleView]) -> Speed:
    """Over the newest samples, oldest first. Pauses between slices are left out."""
    recent = [sample for sample in samples if samples[-1].at - sample.at <= WINDOW] if samples else []
    seconds = octets = messages = 0.0
    for before, now in itertools.pairwise(recent):
        step = (now.at - before.at).total_seconds()
        if 0 < step <= _LONGEST_STEP:
            seconds += step
            octets += max(0, now.octets - before.octets)
            messages += max(0, now.messages - before.messages)
    return Speed(octets / seconds, messages / seconds) if seconds else Speed()


def eta(state: JobState, folders: Sequence[FolderProgress], samples: Sequence[SampleView], now: datetime) -> int | None:
    """Seconds of work that are left at the present speed; None when unknown, or when nobody works on it."""
    if state is not JobState.RUNNING or not samples or now - samples[-1].at > WINDOW:
        return None
    current = speed(samples)
    found = _octets_found(folders)
    if found and current.octets > 0:
        return math.ceil((found - sum(map(_octets_done, folders))) / current.octets)
    open_messages = sum(folder.counts.open for folder in folders)
    return math.ceil(open_messages / current.messages) if current.messages > 0 else None


def _octets_found(folders: Sequence[FolderProgress]) -> int:
    """All octets, or 0 when a folder that holds messages has not told yet."""
    if any(folder.octets_found is None and folder.counts.found for folder in folders):
        return 0
    return sum(folder.octets_found or 0 for folder in folders)


def _octets_done(folder: FolderProgress) -> float:
    """Octets copied, and what was already there, skipped or failed at the average size of what is not copied."""
    found, counts = folder.octets_found or 0, folder.counts
    others = counts.found - counts.copied
    if others <= 0:
        return min(found, folder.octets) if counts.open else found
    share = min(1.0, (counts.done - counts.copied) / others)
    return min(found, folder.octets + share * max(0, found - folder.octets))
