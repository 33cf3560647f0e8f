"""What a job does to messages, in words: carries, compares, archives, plays in; a rehearsal only counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import FolderView, JobLine, JobView
from web.babel import LazyString, lazy_pgettext, ngettext
from web.babel import lazy_gettext as _
from web.formats import number
from web.texts import kinds
from web.texts.jobs import STATES
from web.texts.kinds import Work

Part = tuple[str, LazyString, int]
"""Meaning, word, number."""


COUNTLESS: Final = frozenset({JobKind.CHECK, JobKind.REMOVE})
"""Kinds of work that go through no folders: they have a result and no sum."""

_WORK: Final[Mapping[JobKind, Work]] = {
    JobKind.COPY: kinds.COPY,
    JobKind.VERIFY: kinds.VERIFY,
    JobKind.ARCHIVE: kinds.ARCHIVE,
    JobKind.PLAY_IN: kinds.PLAY_IN,
    JobKind.CHECK: kinds.CHECK,
    JobKind.REMOVE: kinds.REMOVE,
}


def is_rehearsal(job: Any) -> bool:
    """Whether it writes nothing. A line of the list does not know."""
    return bool(getattr(job, "options", {}).get("dry_run"))


def work(job: JobLine) -> Work:
    """The words for this job."""
    if is_rehearsal(job) and job.kind is not JobKind.VERIFY:
        return replace(kinds.REHEARSAL, route=_WORK[job.kind].route, again=_WORK[job.kind].again)
    if job.kind is JobKind.VERIFY and not getattr(job, "source_host", "server"):
        return kinds.VERIFY_ARCHIVE
    return _WORK[job.kind]


def route(job: JobLine) -> str:
    """From where to where, in words; an archive has no host."""
    return str(work(job).route) % {"source": job.source_host, "target": job.target_host}


def is_countless(job: Any) -> bool:
    """Whether it has no sum of messages."""
    return job.kind in COUNTLESS


def promise(job: JobLine) -> LazyString:
    """What holds for the mail, whatever happens."""
    said = work(job).promise
    return said.get(job.state, said[JobState.RUNNING])


COMPARED: Final[Mapping[str, LazyString]] = {
    "digests": _("Every message was read on both servers and is the same, octet for octet."),
    "fingerprints": _("The headers of every message were read on both servers and are the same."),
    "counts": _("Only the numbers of messages were compared, not what is in them."),
}
"""What a comparison without a difference has proven, by how closely it looked."""


_CARRIED: Final[Mapping[JobKind, LazyString]] = {
    JobKind.COPY: _("copied"),
    JobKind.ARCHIVE: _("archived"),
    JobKind.PLAY_IN: _("played in"),
}


def parts(job: JobView, folder: FolderView | None = None) -> list[Part]:
    """The sum, of the job or of one folder: all parts together are what was found. The same parts for every folder."""
    counts = folder.counts if folder else job.counts
    rest: Part = ("rest", lazy_pgettext("sum", "open"), counts.open)
    if job.kind is JobKind.VERIFY:
        same: Part = ("done", lazy_pgettext("sum", "the same"), counts.already_there + counts.copied)
        differ: Part = ("failed", lazy_pgettext("sum", "different"), counts.failed)
        return [same, *([("idle", _("skipped"), counts.skipped)] if job.counts.skipped else []), differ, rest]
    there: Part = ("done", _("already there"), counts.already_there)
    if is_rehearsal(job):
        carry = _rehearsed(job, folder)
        return [("working", _("to be copied"), carry), there, ("idle", _("skipped"), counts.skipped - carry), rest]
    failed: Part = ("failed", lazy_pgettext("sum", "failed"), counts.failed)
    if job.kind is JobKind.ARCHIVE:
        there = ("done", _("in the archive already"), counts.already_there)
    carried: Part = ("working", _CARRIED.get(job.kind, _CARRIED[JobKind.COPY]), counts.copied)
    return [carried, there, ("idle", _("skipped"), counts.skipped), failed, rest]


def _rehearsed(job: JobView, folder: FolderView | None) -> int:
    would = (job.result or {}).get("would_copy")
    if not isinstance(would, dict):
        return 0
    return int(would.get(folder.source, 0)) if folder else sum(would.values())


def failed_text(job: JobLine, count: int) -> str:
    """How many are missing, or differ."""
    if job.kind is JobKind.VERIFY:
        return ngettext("%(count)s message differs", "%(count)s messages differ", count, count=number(count))
    return ngettext("%(count)s message failed", "%(count)s messages failed", count, count=number(count))


def achieved_text(job: JobLine) -> str:
    """What the job has done so far, for a line of the list."""
    if job.kind is JobKind.VERIFY:
        count = job.counts.already_there + job.counts.copied
        return ngettext(
            "%(count)s message proven to be the same", "%(count)s messages proven to be the same", count,
            count=number(count),
        )  # fmt: skip
    if is_countless(job):
        return str(STATES[job.state].word)
    count = job.counts.copied
    if job.kind is JobKind.ARCHIVE:
        return ngettext("%(count)s message archived", "%(count)s messages archived", count, count=number(count))
    if job.kind is JobKind.PLAY_IN:
        return ngettext("%(count)s message played in", "%(count)s messages played in", count, count=number(count))
    return ngettext("%(count)s message carried", "%(count)s messages carried", count, count=number(count))
