"""The states of a job as a table: event, from, to. Pure. docs/job-states.md is generated from it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobKind(StrEnum):
    """One kind of work for one mailbox."""

    COPY = "copy"
    VERIFY = "verify"
    ARCHIVE = "archive"
    PLAY_IN = "play-in"
    CHECK = "check"
    """An archive is read from end to end."""
    REMOVE = "remove"
    """POP3 only, by the customer's wish: what the archive holds for certain is deleted at the old server."""


class JobState(StrEnum):
    """Where a job stands. Waiting is QUEUED with `not_before`; "please stop" is a flag, not a state."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED = "blocked"
    SUCCEEDED = "succeeded"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What can happen to a job."""

    TAKE = "take"
    YIELD = "yield"
    WAIT = "wait"
    SUCCEED = "succeed"
    FALL_SHORT = "fall_short"
    BLOCK = "block"
    FAIL = "fail"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


S, E = JobState, JobEvent

MEANING: Final[dict[JobState, str]] = {
    S.QUEUED: "waits for a worker, or until `not_before`",
    S.RUNNING: "a worker holds the lease; a dead lease is taken over",
    S.PAUSED: "a person stopped it; a person lets it go on",
    S.BLOCKED: "a person must act: wrong password, quota full, folder recreated",
    S.SUCCEEDED: "everything is carried or left behind by a named rule",
    S.INCOMPLETE: "ended, and some messages failed, each with its reason",
    S.FAILED: "ended without a result; nothing is lost, it can be retried",
    S.CANCELLED: "a person ended it; what was carried stays",
}

TRANSITIONS: Final[dict[tuple[JobState, JobEvent], JobState]] = {
    (S.QUEUED, E.TAKE): S.RUNNING,
    (S.RUNNING, E.TAKE): S.RUNNING,  # the lease was dead: a successor takes over
    (S.RUNNING, E.YIELD): S.QUEUED,
    (S.RUNNING, E.WAIT): S.QUEUED,
    (S.RUNNING, E.SUCCEED): S.SUCCEEDED,
    (S.RUNNING, E.FALL_SHORT): S.INCOMPLETE,
    (S.RUNNING, E.BLOCK): S.BLOCKED,
    (S.RUNNING, E.FAIL): S.FAILED,
    (S.QUEUED, E.PAUSE): S.PAUSED,
    (S.RUNNING, E.PAUSE): S.PAUSED,
    (S.PAUSED, E.RESUME): S.QUEUED,
    (S.BLOCKED, E.RETRY): S.QUEUED,
    (S.INCOMPLETE, E.RETRY): S.QUEUED,
    (S.FAILED, E.RETRY): S.QUEUED,
    (S.QUEUED, E.CANCEL): S.CANCELLED,
    (S.RUNNING, E.CANCEL): S.CANCELLED,
    (S.PAUSED, E.CANCEL): S.CANCELLED,
    (S.BLOCKED, E.CANCEL): S.CANCELLED,
    (S.INCOMPLETE, E.CANCEL): S.CANCELLED,
    (S.FAILED, E.CANCEL): S.CANCELLED,
}

ENDED: Final = frozenset({S.SUCCEEDED, S.CANCELLED})
"""Ended for good: nothing leads out of these, and the passwords are wiped on the way in."""


def after(state: JobState, event: JobEvent) -> JobState | None:
    """The state that `event` leads to, or None where it is not allowed."""
    return TRANSITIONS.get((state, event))
