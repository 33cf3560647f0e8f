"""Words for jobs: states with their meaning and icon, kinds, folders' roles, events of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from migrator.jobs.states import JobState
from web.babel import LazyString, gettext, lazy_pgettext
from web.babel import lazy_gettext as _
from web.formats import clock

S = JobState


@dataclass(frozen=True, slots=True)
class StateText:
    """How a state is shown: class of its meaning, icon, word. Never colour alone."""

    meaning: str
    icon: str
    word: LazyString


STATES: Final[Mapping[JobState, StateText]] = {
    S.QUEUED: StateText("idle", "idle", lazy_pgettext("state", "Queued")),
    S.RUNNING: StateText("working", "working", lazy_pgettext("state", "Running")),
    S.PAUSED: StateText("idle", "pause", lazy_pgettext("state", "Paused")),
    S.BLOCKED: StateText("needs", "needs", lazy_pgettext("state", "Needs a person")),
    S.SUCCEEDED: StateText("done", "done", lazy_pgettext("state", "Succeeded")),
    S.INCOMPLETE: StateText("failed", "failed", lazy_pgettext("state", "Incomplete")),
    S.FAILED: StateText("failed", "failed", lazy_pgettext("state", "Failed")),
    S.CANCELLED: StateText("idle", "slash", lazy_pgettext("state", "Cancelled")),
}

FOLDER_STATES: Final[Mapping[str, StateText]] = {
    "open": StateText("idle", "idle", lazy_pgettext("folder", "waiting")),
    "working": StateText("working", "working", lazy_pgettext("folder", "running")),
    "done": StateText("done", "done", lazy_pgettext("folder", "done")),
    "begun": StateText("idle", "idle", lazy_pgettext("folder", "begun")),
    "failed": StateText("failed", "failed", lazy_pgettext("folder", "failed")),
    "excluded": StateText("idle", "skip", lazy_pgettext("folder", "left behind")),
}

ROLES: Final[Mapping[str, LazyString]] = {
    "inbox": _("Inbox"),
    "sent": _("Sent"),
    "drafts": _("Drafts"),
    "junk": _("Spam"),
    "trash": _("Trash"),
    "archive": _("Archive"),
    "all": _("All mail"),
    "flagged": _("Flagged"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the list of jobs: what needs a person stands on top."""

    name: str
    states: tuple[JobState, ...]
    meaning: str
    icon: str
    word: LazyString
    note: LazyString
    limit: int


GROUPS: Final = (
    Group("needs", (S.BLOCKED, S.INCOMPLETE, S.FAILED), "needs", "needs", _("Needs somebody"),
          _("blocked, incomplete or failed"), 50),
    Group("running", (S.RUNNING,), "working", "working", _("Running"), _("at work now"), 50),
    Group("waiting", (S.QUEUED, S.PAUSED), "idle", "idle", _("Waiting"), _("for a worker, a time or a person"), 25),
    Group("done", (S.SUCCEEDED, S.CANCELLED), "done", "done", _("Done"), _("succeeded or cancelled"), 15),
)  # fmt: skip


# ---- history -------------------------------------------------------------------------------------------------------

_EVENTS: Final[Mapping[str, tuple[str, str, LazyString]]] = {
    "create": ("idle", "plus", _("Created")),
    "take": ("working", "play", _("A worker has begun")),
    "yield": ("idle", "idle", _("Made room for other jobs")),
    "wait": ("needs", "pause", _("Waits")),
    "succeed": ("done", "done", _("Finished: everything is carried or left behind by a rule")),
    "fall_short": ("failed", "failed", _("Finished, some messages are missing")),
    "block": ("needs", "needs", _("Stopped: a person must act")),
    "fail": ("failed", "failed", _("Failed")),
    "pause": ("idle", "pause", _("Paused")),
    "resume": ("working", "play", _("Resumed")),
    "cancel": ("idle", "slash", _("Cancelled")),
    "retry": ("working", "refresh", _("Retried")),
    "asked_to_pause": ("idle", "pause", _("Asked to pause")),
    "asked_to_cancel": ("idle", "slash", _("Asked to cancel")),
    "asked_to_resume": ("working", "play", _("Pause taken back")),
    "new_password": ("idle", "key", _("New password entered")),
    "credentials_wiped": ("idle", "shield", _("Passwords wiped")),
    "reconnecting": ("needs", "refresh", _("Connection lost, a new one is opened")),
    "waiting_for_quiet": ("idle", "idle", _("Waits until a folder is quiet, so that nothing is carried twice")),
    "folder_failed": ("failed", "failed", _("A folder could not be carried")),
    "source_validity_changed": ("needs", "search", _("The old server renumbered a folder")),
    "target_validity_changed": ("needs", "search", _("The new server renumbered a folder")),
}

BY_PEOPLE: Final = frozenset(
    {"create", "resume", "retry", "asked_to_pause", "asked_to_cancel", "asked_to_resume", "new_password"}
)
"""Events whose actor is a person or a token, and not a worker."""


def event_text(name: str) -> tuple[str, str, str]:
    """Meaning, icon and sentence of an event; one that is not known yet is shown by its name."""
    known = _EVENTS.get(name)
    return (known[0], known[1], str(known[2])) if known else ("idle", "idle", name.replace("_", " "))


def until_text(job: Any) -> str:
    """What a job that does not run waits for, in a few words."""
    if job.wish:
        return gettext("is being paused") if job.wish == "pause" else gettext("is being cancelled")
    if job.waiting_until is not None:
        return gettext("continues at %(time)s", time=clock(job.waiting_until))
    return gettext("waits for a worker") if job.state is S.QUEUED else ""
