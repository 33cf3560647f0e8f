"""The JSON of the one-shot commands (design: interface.md). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from migrator.errors import PostwagenError
from migrator.jobs.states import JobKind
from migrator.jobs.views import Counts, FailureView, FolderView, JobView, SkipView
from migrator.ports import Difference


def report(
    job: JobView,
    failures: Sequence[FailureView],
    skips: Sequence[SkipView],
    differences: Iterable[Difference],
    result: dict[str, Any],
    error: PostwagenError | None,
    cost: dict[str, float],
) -> dict[str, Any]:
    """One object with everything that happened. Always found = copied + already_there + skipped + failed.

    `cost`: what it took, by name (`seconds`, …).

    What a run that was stopped or failed left undone is `open`, and not yet found.
    """
    would_copy: dict[str, int] = result.get("would_copy", {})
    left = [*skips, *rehearsed(result)]
    shown: dict[str, Any] = {
        "verb": job.kind.value,
        "outcome": outcome(job, result, error),
        "messages": counts(job.counts),
        "octets": job.octets,
        **{name: round(number, 3) for name, number in cost.items()},
        "folders": [folder(item) for item in job.folders],
        "failures": [
            {name: getattr(item, name) for name in ("folder", "key", "message_id", "reason", "detail")}
            | {"quarantined": item.kept is not None}
            for item in failures
        ],
        "skips": [{"folder": s.folder, "key": s.key or None, "rule": s.rule, "count": s.count} for s in left],
        "warnings": [warning_text(item.code, item.folder, item.detail) for item in job.warnings],
        "error": error.as_dict() if error else None,
    }
    if job.kind is JobKind.VERIFY:
        shown["discrepancies"] = [one._asdict() for one in differences]
    if result.get("dry_run"):
        shown |= {"dry_run": True, "would_copy": sum(would_copy.values())}
    return shown


def whole_folders(job: JobView) -> list[SkipView]:
    """Folders that a rule left behind as a whole."""
    return [
        SkipView(folder=folder.source, key="", rule=folder.reason, count=folder.counts.skipped)
        for folder in job.folders
        if folder.state == "excluded"
    ]


def rehearsed(result: dict[str, Any]) -> list[SkipView]:
    """What a rehearsal would have carried and therefore skipped, by folder."""
    would_copy: dict[str, int] = result.get("would_copy", {})
    return [SkipView(name, "", "dry_run", number) for name, number in would_copy.items() if number]


def outcome(job: JobView, result: dict[str, Any], error: PostwagenError | None) -> str:
    """succeeded, incomplete, failed or stopped."""
    if error is not None:
        return error.outcome
    return "succeeded" if whole(job.counts, result, failures=bool(job.failure_groups)) else "incomplete"


def whole(counts: Counts, result: dict[str, Any], *, failures: bool) -> bool:
    """Whether nothing has failed and nothing was left without an answer. `failures`: a message is named that has."""
    answered = counts.failed == 0 and counts.found == counts.done and not failures
    return answered and not result.get("failed_folders") and bool(result.get("proven", True))


def exit_code(job: JobView, result: dict[str, Any], error: PostwagenError | None) -> int:
    """As interface.md promises."""
    if error is not None:
        return error.exit_code
    return 0 if outcome(job, result, error) == "succeeded" else 1


def counts(numbers: Counts) -> dict[str, int]:
    """The sum's parts; with `open` where something is left to do."""
    parts = {name: getattr(numbers, name) for name in ("copied", "already_there", "skipped", "failed")}
    return {"found": numbers.done, **parts, **({"open": numbers.open} if numbers.open else {})}


def folder(item: FolderView) -> dict[str, Any]:
    """One folder with its full names at both ends."""
    shown: dict[str, Any] = {"source": item.source, "target": item.target or None, "role": item.role}
    shown |= counts(item.counts)
    shown |= {"octets": item.octets, "flags_dropped": item.dropped_flags, "flags_changed": item.flag_changes}
    if item.error:
        shown["error"] = item.error
    return shown


_WARNINGS = {
    "folder_renamed": "The folder {folder} is called {detail} at the new server, which does not take its name.",
    "folders_merged": "The folder {folder} is merged with another one of the same role: {detail}.",
    "altered_by_target": "In {folder}: the new server altered a message ({detail}); everything else in it is the same.",
    "damaged_by_target": "In {folder}: the new server stored other octets than it was sent ({detail}).",
    "not_seen_again": "In {folder}: {detail} messages that the new server accepted were not in its listing afterwards.",
    "date_not_kept": "In {folder}: the new server did not keep the date of {detail} messages.",
    "flags_not_kept": "In {folder}: the new server did not keep the flags of {detail} messages.",
    "not_in_quarantine": "In {folder}: {detail} messages that failed could not be put into quarantine; "
    "the old server is the only one that has them.",
    "perhaps_doubled": "In {folder}: the new server lists {detail} messages that look like second copies of ours.",
    "left_in_quarantine": "{detail} messages stay in quarantine for now: they were to go to other folders than the "
    "last ones of theirs. Replay once more when these are in.",
    "announced_not_shown": "In {folder}: the old server goes on announcing {detail} messages more than it shows. "
    "Ask the old provider.",
    "shorter_than_announced": "In {folder}: the old server delivered {detail} messages shorter than it announces them. "
    "Some servers announce wrong sizes; look at one of them if this one is not known for it.",
    "message_repaired": "In {folder}: a message that was refused as it is was sent with the least change: {detail}.",
    "flags_dropped": "In {folder}: the new server does not take these flags of so many messages: {detail}.",
    "source_validity_changed": "The folder {folder} was renumbered at the old server; its messages were recognised.",
    "target_validity_changed": "The folder {folder} was made anew at the new server: {detail}.",
}


def warning_text(code: str, folder: str, detail: str) -> str:
    """A warning as an English sentence."""
    return _WARNINGS.get(code, "{folder}: {detail}").format(folder=folder, detail=detail)
