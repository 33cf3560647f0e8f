"""The words of every kind of job: what it does to messages, what it promises, what cancelling means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from migrator.jobs.states import JobState
from web.babel import LazyString
from web.babel import lazy_gettext as _

S = JobState


_AT_THE_OLD_SERVER: Final = _("At the old server they lie unchanged.")


@dataclass(frozen=True, slots=True)
class Work:
    """The words of one kind of job."""

    kind: LazyString
    route: LazyString
    """From where to where; `%(source)s` and `%(target)s` are servers."""
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
    left: LazyString = _AT_THE_OLD_SERVER
    """Where messages are that were not carried."""


_UNCHANGED: Final = _("Nothing was changed on the old server. Another run continues where this one stopped.")
COPY: Final = Work(
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
VERIFY: Final = Work(
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
_ONLY_READ: Final = _("Messages were only read: neither the archive nor the new server was changed.")
VERIFY_ARCHIVE: Final = Work(
    kind=VERIFY.kind,
    route=_("the archive against %(target)s"),
    goal=VERIFY.goal,
    again=VERIFY.again,
    cancelled=_("The comparison is cancelled. Neither the archive nor the new server was changed."),
    retried=_("Archive and new server are compared once more."),
    cancel=_("The comparison ends for good and its password is wiped. Nothing was changed."),
    promise={
        S.SUCCEEDED: _("Nothing of the archive is missing on the new server. Neither of them was changed."),
        **dict.fromkeys((S.CANCELLED, S.INCOMPLETE, S.FAILED, S.BLOCKED), _ONLY_READ),
        S.RUNNING: _("Messages are only read: neither the archive nor the new server is changed."),
    },
    events={**VERIFY.events, "fall_short": _("Finished, archive and new server differ")},
    left=_("Nothing was changed in the archive."),
)
REHEARSAL: Final = Work(
    kind=_("Rehearsal"),
    route=COPY.route,
    goal=_("Still to count"),
    again=COPY.again,
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
ARCHIVE: Final = Work(
    kind=_("Archive mailbox"),
    route=_("%(source)s into the archive"),
    goal=_("Still to archive"),
    again=_("Archive once more"),
    cancelled=_("The pass is cancelled. What was archived stays in the archive; the next pass continues there."),
    retried=_("The pass is tried again: only what is missing is fetched."),
    cancel=_(
        "This pass ends for good. What was archived stays in the archive, and the next pass continues there; nothing "
        "is changed at the old server."
    ),
    promise={
        S.SUCCEEDED: _(
            "Everything the old server had is in the archive or left out by a named rule: one more point in time that "
            "can be played in. The old server was not changed."
        ),
        S.CANCELLED: _("What was archived stays in the archive. The old server was not changed."),
        S.INCOMPLETE: _("What is missing is named below, each with its reason. The old server was not changed."),
        S.FAILED: _UNCHANGED,
        S.BLOCKED: _UNCHANGED,
        S.RUNNING: _(
            "The old server is only read, nothing is changed there. Pausing and cancelling take a few seconds; the "
            "next pass continues there."
        ),
    },
    events={
        "succeed": _("Finished: a new point in time is in the archive"),
        "fall_short": _("Finished: a new point in time, some messages are missing in it"),
        "folder_failed": _("A folder could not be archived"),
    },
)
_ARCHIVE_UNCHANGED: Final = _("The archive was not changed. Another run continues where this one stopped.")
PLAY_IN: Final = Work(
    kind=_("Play in"),
    route=_("from the archive to %(target)s"),
    goal=_("Still to play in"),
    again=_("Play in once more"),
    cancelled=_("Playing in is cancelled. What was played in stays on the new server."),
    retried=_("Playing in is tried again: only what is missing is carried."),
    cancel=_(
        "The job ends for good and its password is wiped. What was played in stays on the new server; the archive is "
        "not changed."
    ),
    promise={
        S.SUCCEEDED: _(
            "Every message of this point in time is on the new server, was there already or is skipped by a named "
            "rule. The archive was not changed."
        ),
        S.CANCELLED: _("What was played in stays on the new server. The archive was not changed."),
        S.INCOMPLETE: _ARCHIVE_UNCHANGED,
        S.FAILED: _ARCHIVE_UNCHANGED,
        S.BLOCKED: _ARCHIVE_UNCHANGED,
        S.RUNNING: _(
            "The archive is only read, and nothing is deleted on the new server. Pausing and cancelling take a few "
            "seconds; the next run continues there."
        ),
    },
    events={},
    left=_("Nothing was changed in the archive."),
)
CHECK: Final = Work(
    kind=_("Check archive"),
    route=_("from end to end"),
    goal=_("Still to check"),
    again=_("Check once more"),
    cancelled=_("The check is cancelled. The archive was not changed."),
    retried=_("The archive is checked once more."),
    cancel=_("The check ends without a result. The archive is not changed by it."),
    promise=dict.fromkeys(JobState, _("The archive is only read, nothing in it is changed.")),
    events={
        "succeed": _("Finished: the archive is whole"),
        "fall_short": _("Finished: a part of the archive is damaged or missing"),
    },
    left=_ARCHIVE_UNCHANGED,
)
_ONLY_PROVEN: Final = _("Only what the archive has just proven to hold is deleted at the old server.")
REMOVE: Final = Work(
    kind=_("Delete at the old server"),
    route=_("what was collected from %(source)s"),
    goal=_("Still to delete"),
    again=_("Delete once more"),
    cancelled=_("Deleting is cancelled. What was not deleted stays on the old server."),
    retried=_("Deleting is tried again."),
    cancel=_("The job ends for good. What was not deleted stays on the old server; the archive has all of it."),
    promise={
        **dict.fromkeys(JobState, _ONLY_PROVEN),
        S.SUCCEEDED: _("Only what the archive had just proven to hold was deleted at the old server."),
    },
    events={
        "succeed": _("Finished: what is due is deleted at the old server"),
        "fall_short": _("Finished; it is not certain of all messages whether they are deleted"),
    },
)
