"""docs/job-states.md, made from the table of states. Pure; `make docs` writes it, a test holds it to the table."""

from __future__ import annotations

from typing import Final

from migrator.jobs.states import ENDED, MEANING, TRANSITIONS, JobEvent, JobState

_BY: Final[dict[JobEvent, str]] = {
    JobEvent.TAKE: "a worker",
    JobEvent.YIELD: "its worker: the slice is over, or the worker ends",
    JobEvent.WAIT: "its worker: later helps (a busy server, a broken line)",
    JobEvent.SUCCEED: "its worker",
    JobEvent.FALL_SHORT: "its worker",
    JobEvent.BLOCK: "its worker: only a person helps",
    JobEvent.FAIL: "its worker: nothing helps",
    JobEvent.PAUSE: "a person; a running job's worker fires it for them",
    JobEvent.RESUME: "a person",
    JobEvent.CANCEL: "a person; a running job's worker fires it for them",
    JobEvent.RETRY: "a person",
}

_INTRODUCTION: Final = """\
# The states of a job

Generated from `migrator/jobs/states.py` by `make docs`; change the table there.

A job is one kind of work for one mailbox. Every move is `UPDATE … WHERE id AND state AND fence` plus a row of history,
in one transaction: of two who try, one wins, and the other one is told. Whoever holds an older fence is fenced out.
"Please pause" and "please cancel" are wishes noted beside a running job, no states: its worker reads them when it
renews the lease, and fires the event. Waiting is `queued` with a time in `not_before`.
"""


def job_states_markdown() -> str:
    """The whole document."""
    return "\n".join([_INTRODUCTION, *_drawing(), "", "## States", "", *_states(), "", "## Moves", "", *_moves(), ""])


def _drawing() -> list[str]:
    """Arrows between the same two states share one line."""
    arrows: dict[tuple[JobState, JobState], list[JobEvent]] = {}
    for (before, event), state in TRANSITIONS.items():
        arrows.setdefault((before, state), []).append(event)
    return [
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {JobState.QUEUED}: create",
        *(f"    {before} --> {state}: {', '.join(events)}" for (before, state), events in arrows.items()),
        *(f"    {state} --> [*]" for state in JobState if state in ENDED),
        "```",
    ]


def _states() -> list[str]:
    return [
        "| State | Means | Passwords |",
        "|---|---|---|",
        *(f"| `{state}` | {MEANING[state]} | {_passwords(state)} |" for state in JobState),
    ]


def _passwords(state: JobState) -> str:
    if state in ENDED:
        return "wiped on the way in"
    return "kept" if state in (JobState.QUEUED, JobState.RUNNING) else "wiped after `POSTWAGEN_KEEP_CREDENTIALS_DAYS`"


def _moves() -> list[str]:
    return [
        "| Event | Fired by | From → to |",
        "|---|---|---|",
        *(f"| `{event}` | {_BY[event]} | {_paths(event)} |" for event in JobEvent),
    ]


def _paths(event: JobEvent) -> str:
    moves = [(before, state) for (before, known), state in TRANSITIONS.items() if known is event]
    return ", ".join(f"`{before}` → `{state}`" for before, state in moves)
