"""What a job does to messages, in words: a copy carries them, a comparison proves them, a rehearsal only counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import JobLine, JobView
from web.babel import LazyString, lazy_pgettext, ngettext
from web.babel import lazy_gettext as _
from web.formats import number

S = JobState
Part = tuple[str, LazyString, int]
"""Meaning, word, number."""


@dataclass(frozen=True, slots=True)
class Work:
    """The words of one kind of job."""

    kind: LazyString
    route: LazyString
    goal: LazyString
    """Title of the plot of what is left."""
    again: LazyString
    cancelled: LazyString
    retried: LazyString
    cancel: LazyString
    """What cancelling will do."""
    promise: Mapping[JobState, LazyString]
    events: Mapping[str, LazyString]
    """Where the history says it differently."""


_UNCHANGED: Final = _("Nothing was changed on the old server. Another run continues where this one stopped.")
_COPY: Final = Work(
    kind=_("Copy"),
    route=_("%(source)s to %(target)s"),
    goal=_("Still to carry"),
    again=_("Copy once more"),
    cancelled=_("The job is cancelled. What was carried stays on the new server."),
    retried=_("The job is tried again: only what is missing is carried."),
    cancel=_(
        "The job ends for good and its passwords are wiped. What was carried stays on the new server; nothing is "
        "changed at the old one."
    ),
    promise={
        S.SUCCEEDED: _(
            "Every message is carried, was there already or is skipped by a named rule. The old server was not changed."
        ),
        S.CANCELLED: _("What was carried stays on the new server. The old server was not changed."),
        S.INCOMPLETE: _UNCHANGED,
        S.FAILED: _UNCHANGED,
        S.BLOCKED: _UNCHANGED,
        S.RUNNING: _(
            "Nothing is changed on the old server. Pausing and cancelling take a few seconds; the next run continues "
            "there."
        ),
    },
    events={},
)
_NOTHING_WRITTEN: Final = _("Messages were only read: neither server was changed.")
_VERIFY: Final = Work(
    kind=_("Verify"),
    route=_("%(source)s against %(target)s"),
    goal=_("Still to compare"),
    again=_("Compare once more"),
    cancelled=_("The comparison is cancelled. Neither server was changed."),
    retried=_("Both servers are compared once more."),
    cancel=_("The comparison ends for good and its passwords are wiped. Neither server was changed."),
    promise={
        S.SUCCEEDED: _("Nothing of the old server is missing on the new one. Neither server was changed."),
        **dict.fromkeys((S.CANCELLED, S.INCOMPLETE, S.FAILED, S.BLOCKED), _NOTHING_WRITTEN),
        S.RUNNING: _("Messages are only read: neither server is changed."),
    },
    events={
        "succeed": _("Finished: nothing is missing on the new server"),
        "fall_short": _("Finished, the servers differ"),
        "folder_failed": _("A folder could not be compared"),
    },
)
_REHEARSAL: Final = Work(
    kind=_("Rehearsal"),
    route=_COPY.route,
    goal=_("Still to count"),
    again=_COPY.again,
    cancelled=_("The rehearsal is cancelled. Neither server was changed."),
    retried=_("The rehearsal is tried again."),
    cancel=_("The rehearsal ends for good and its passwords are wiped. Neither server was changed."),
    promise={
        **dict.fromkeys(
            (S.SUCCEEDED, S.CANCELLED, S.INCOMPLETE, S.FAILED, S.BLOCKED),
            _("This was a rehearsal: nothing was written on either server."),
        ),
        S.RUNNING: _("This is a rehearsal: nothing is written on either server."),
    },
    events={"succeed": _("Finished: this is what a copy would carry")},
)


def is_rehearsal(job: Any) -> bool:
    """Whether it writes nothing. A line of the list does not know."""
    return bool(getattr(job, "options", {}).get("dry_run"))


def work(job: JobLine) -> Work:
    """The words for this job."""
    if job.kind is JobKind.VERIFY:
        return _VERIFY
    return _REHEARSAL if is_rehearsal(job) else _COPY


def promise(job: JobLine) -> LazyString:
    """What holds for the mail, whatever happens."""
    said = work(job).promise
    return said.get(job.state, said[S.RUNNING])


COMPARED: Final[Mapping[str, LazyString]] = {
    "digests": _("Every message was read on both servers and is the same, octet for octet."),
    "fingerprints": _("The headers of every message were read on both servers and are the same."),
    "counts": _("Only the numbers of messages were compared, not what is in them."),
}
"""What a comparison without a difference has proven, by how closely it looked."""


def parts(job: JobView) -> list[Part]:
    """The sum: all parts together are what was found."""
    counts = job.counts
    rest: Part = ("rest", lazy_pgettext("sum", "open"), counts.open)
    if job.kind is JobKind.VERIFY:
        same: Part = ("done", lazy_pgettext("sum", "the same"), counts.already_there + counts.copied)
        differ: Part = ("failed", lazy_pgettext("sum", "different"), counts.failed)
        return [same, *([("idle", _("skipped"), counts.skipped)] if counts.skipped else []), differ, rest]
    there: Part = ("done", _("already there"), counts.already_there)
    if is_rehearsal(job):
        would = (job.result or {}).get("would_copy")
        carry = sum(would.values()) if isinstance(would, dict) else 0
        return [("working", _("to be copied"), carry), there, ("idle", _("skipped"), counts.skipped - carry), rest]
    failed: Part = ("failed", lazy_pgettext("sum", "failed"), counts.failed)
    return [("working", _("copied"), counts.copied), there, ("idle", _("skipped"), counts.skipped), failed, rest]


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
    count = job.counts.copied
    return ngettext("%(count)s message carried", "%(count)s messages carried", count, count=number(count))
