"""Why single messages were not carried, which rule left what behind, what to know besides. One entry per code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from web.babel import LazyString, ngettext
from web.babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class FailureText:
    """`title` stands behind a number, `short` in a list; `body` explains, `remedy` says what to do."""

    title: LazyString
    short: LazyString
    body: LazyString
    remedy: LazyString


AGAIN: Final = _("Retry the job: only what is missing is fetched again.")
AT_SOURCE: Final = _("The old server has only this; ask its provider whether the message can be repaired.")


REASONS: Final[Mapping[str, FailureText]] = {
    "too_big": FailureText(
        _("larger than the new server accepts"),
        _("too large"),
        _("The new server refuses messages of this size."),
        _("Raise the limit on the new server, then retry the job."),
    ),
    "too_large": FailureText(
        _("larger than this job's limit"),
        _("too large"),
        _("The job was given a largest size, and these exceed it."),
        _("Create a job with a higher limit for the same mailbox: only what is missing is carried."),
    ),
    "refused": FailureText(
        _("refused by the new server"),
        _("refused"),
        _("The new server's answer stands with each message in the list."),
        AGAIN,
    ),
    "empty": FailureText(
        _("empty, therefore refused by the new server"),
        _("empty"),
        _("The message has no content at all, and the new server takes no empty ones."),
        _("There is nothing to carry; delete the message on the old server if it is in the way."),
    ),
    "gone_at_source": FailureText(
        _("deleted on the old server meanwhile"),
        _("deleted meanwhile"),
        _("Somebody moved or deleted them while the job was running."),
        AGAIN,
    ),
    "empty_at_source": FailureText(
        _("delivered empty by the old server"),
        _("delivered empty"),
        _("The old server lists the message but delivers no content."),
        AT_SOURCE,
    ),
    "short_at_source": FailureText(
        _("delivered incompletely by the old server"),
        _("incomplete"),
        _("The old server delivers less than it announces."),
        AT_SOURCE,
    ),
    "substitute_at_source": FailureText(
        _("replaced by a notice of the old server"),
        _("only a notice"),
        _("Instead of the message the old server delivers a text that says it cannot be read."),
        AT_SOURCE,
    ),
    "later": FailureText(
        _("not delivered yet by the old server"),
        _("not delivered yet"),
        _("The old server asked us to come back for them."),
        AGAIN,
    ),
    "ambiguous": FailureText(
        _("possibly there already"),
        _("doubtful"),
        _("The connection broke while they were written, and several messages on the new server look like them."),
        _("Look at the folder on the new server; we do not write them again, so that nothing is doubled."),
    ),
    "in_doubt": FailureText(
        _("possibly there already, and not to be seen"),
        _("doubtful"),
        _("The connection broke while they were written, and the new server does not let us read what is there."),
        _("Retry the job later: then we look again. We do not write them twice."),
    ),
    "not_seen_again": FailureText(
        _("accepted by the new server and then not there"),
        _("not there"),
        _("The new server confirmed that it stored them, and does not list them."),
        _("Look at the folder on the new server and at its filters; we do not write them again by ourselves."),
    ),
    "damaged_at_target": FailureText(
        _("damaged by the new server"),
        _("damaged"),
        _("The new server confirmed that it stored them, and keeps something else, or does not give them back."),
        _("Look at them on the new server and at its filters; we do not write them again by ourselves."),
    ),
    "connection_lost_on_append": FailureText(
        _("cut off while being written"),
        _("cut off"),
        _("At these messages the connection to the new server broke again and again."),
        AGAIN,
    ),
    "unreadable": FailureText(
        _("not readable on the old server"),
        _("not readable"),
        _("The old server answers with an error when these messages are fetched."),
        AT_SOURCE,
    ),
    "folder_refused": FailureText(
        _("in a folder that cannot be opened or created"),
        _("folder not usable"),
        _("The server refuses the folder; the other folders were carried."),
        _("Give the folder another name in a new job, or rename it on the old server."),
    ),
}

UNKNOWN_REASON: Final = FailureText(
    _("not carried for another reason"),
    _("another reason"),
    _("The technical answer stands with each message in the list."),
    AGAIN,
)


_DAMAGED: Final = FailureText(
    _("damaged in the archive"),
    _("damaged"),
    _("The archive holds only a part of these messages, or what it holds does not open any more."),
    _("As long as the old server answers, another pass fetches them anew; then play in once more."),
)
_IN_ARCHIVE: Final[Mapping[str, FailureText]] = {
    "empty_at_source": _DAMAGED,
    "short_at_source": _DAMAGED,
    "unreadable": _DAMAGED,
}


def failure_text(reason: str, *, from_archive: bool = False) -> FailureText:
    """The texts for a reason; one that is not known yet is said to be another one."""
    said = _IN_ARCHIVE.get(reason) if from_archive else None
    return said or REASONS.get(reason, UNKNOWN_REASON)


STAYS: Final[Mapping[str, LazyString]] = {
    "keep_all": _("the policy is to keep everything"),
    "no_uidl": _("the server gives it no name that can be trusted"),
    "uidl_not_unique": _("another message has the same name on the server"),
    "not_archived": _("not in the archive yet"),
    "pass_not_complete": _("archived by a pass that is not complete yet"),
    "archive_differs": _("the archive holds it with another size"),
    "too_young": _("its days are not over yet"),
    "archive_unreadable": _("does not open in the archive"),
    "refused": _("the server refused to delete it"),
    "changed": _("changed on the server meanwhile"),
}
"""Why a message stays on a POP3 server although collected mail is deleted there."""


def stays_text(reason: str) -> LazyString | str:
    """Why it stays; one not known is shown as it is."""
    return STAYS.get(reason, reason.replace("_", " "))


# ---- rules that leave something behind -----------------------------------------------------------------------------

RULES: Final[Mapping[str, LazyString]] = {
    "gone_at_source": _("deleted on the old server meanwhile"),
    "not_included": _("not among the folders chosen"),
    "shared_folder": _("shared folder of somebody else"),
    "virtual_folder": _("shows mail of other folders once more"),
    "also_in": _("lies in another of Gmail's folders, where it is carried"),
    "chats": _("Gmail's chats, which are no mail"),
    "folder_internal_data": _("the old server's own data, which is no mail"),
    "no_mail_folder": _("holds calendars, contacts or tasks, which are no mail"),
    "excluded": _("left behind by your choice"),
    "larger than": _("larger than this job's limit"),
    "dry_run": _("would be carried: this was a rehearsal"),
}


def rule_text(rule: str) -> LazyString | str:
    """Why something stays behind. A rule may name what it found after a colon; one not known is shown as it is."""
    begin = "larger than" if rule.startswith("larger than ") else rule.partition(":")[0]
    return RULES.get(begin, rule)


# ---- why a folder goes where it goes -------------------------------------------------------------------------------

TARGET_REASONS: Final[Mapping[str, LazyString]] = {
    "rule": _("by hand"),
    "role": _("same use"),
    "same_name": _("same name"),
    "renamed": _("name adapted to the new server"),
    "under": _("below the chosen folder"),
}


def target_reason(reason: str) -> LazyString | str:
    """Why this target folder."""
    return TARGET_REASONS.get(reason) or rule_text(reason)


FATES: Final[Mapping[str, LazyString]] = {
    "kept": _("kept in quarantine"),
    "carried": _("put in since"),
    "expired": _("forgotten after its time"),
    "renumbered": _("kept under another number"),
}
"""What became of a failed message's octets."""


# ---- to know -------------------------------------------------------------------------------------------------------

WARNINGS: Final[Mapping[str, LazyString]] = {
    "folder_renamed": _("A folder's name was adapted to the new server"),
    "folders_merged": _("Folders were merged into one"),
    "source_validity_changed": _("The old server renumbered a folder; its mail was matched anew"),
    "target_validity_changed": _("The new server renumbered a folder; its mail was matched anew"),
    "not_seen_again": _("The new server accepted messages and does not list them"),
    "date_not_kept": _("The new server did not keep the date of messages"),
    "flags_not_kept": _("The new server did not keep marks like “read” of messages"),
    "not_in_quarantine": _("Failed messages could not be put into quarantine; only the old server has them"),
    "perhaps_doubled": _("The new server lists messages that look like second copies of ours"),
    "left_in_quarantine": _("Messages stay in quarantine until another replay: they go to other folders"),
    "announced_not_shown": _("The old server announces more messages than it shows"),
    "shorter_than_announced": _("The old server delivered messages shorter than it announces them; some always do"),
    "message_repaired": _("A message that was refused as it is was sent with the least change"),
    "flags_dropped": _("The new server does not take some marks of messages"),
    "altered_by_target": _("The new server altered messages slightly when storing them"),
    "damaged_by_target": _("The new server stored messages differently than they were sent"),
}
_COUNTED: Final = frozenset({
    "not_seen_again", "date_not_kept", "flags_not_kept", "not_in_quarantine", "left_in_quarantine",
    "announced_not_shown", "shorter_than_announced", "perhaps_doubled",
})  # fmt: skip
"""Warnings whose detail is a number of messages."""


def warning_text(code: str) -> LazyString | str:
    """What the report says besides."""
    return WARNINGS.get(code, code.replace("_", " "))


def warning_line(code: str, folder: str, detail: str) -> str:
    """Where it was, and how often or what."""
    counted = code in _COUNTED and detail.isdigit()
    shown = ngettext("%(num)d message", "%(num)d messages", int(detail)) if counted else detail
    return " · ".join(part for part in (folder, shown) if part)


# ---- differences that a comparison finds ---------------------------------------------------------------------------

DIFFERENCES: Final[Mapping[str, LazyString]] = {
    "missing": _("missing on the new server"),
    "extra": _("only on the new server"),
    "altered": _("altered"),
    "flags": _("other marks"),
    "date": _("another date"),
    "duplicate": _("there twice"),
}
