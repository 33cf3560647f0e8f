"""Folders as people see them: levels as levels, the inbox by its name, without the prefix that a server puts first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import FolderView, JobView
from web import formats
from web.babel import gettext as _
from web.texts.errors import error_text, shown_host
from web.texts.failures import rule_text
from web.texts.jobs import FOLDER_STATES, ROLES, StateText

_SEPARATORS: Final = "./\\"
_DEEPEST: Final = 6
_INBOX: Final = "INBOX"


class Names:
    """The folders of one mailbox, by full name with the number of levels; what it gives is for the eye only."""

    def __init__(self, folders: Iterable[tuple[str, int]]) -> None:
        known = list(folders)
        self._known = {name for name, _levels in known}
        self._prefix = _prefix(known)
        word = str(ROLES["inbox"])
        others = {self._bare(name).casefold() for name in self._known if name.upper() != _INBOX}
        self._inbox = _INBOX if word.casefold() in others else word

    def line(self, name: str, levels: int) -> tuple[str, int]:
        """The last level with its indent where the parent stands in the list too, else all of it."""
        if levels > 1:
            for place in range(len(name) - 2, len(self._prefix), -1):
                if name[place] in _SEPARATORS and name[:place] in self._known:
                    return name[place + 1 :], min(levels - 1, _DEEPEST)
        return self.whole(name), 0

    def whole(self, name: str) -> str:
        """All levels in one line."""
        return self._inbox if name.upper() == _INBOX else self._bare(name)

    def _bare(self, name: str) -> str:
        bare = name.removeprefix(self._prefix)
        return name if bare.upper() == _INBOX else bare


def names_of(job: JobView) -> Names:
    """The names of the folders of a job's old server."""
    return Names((folder.source, folder.levels) for folder in job.folders)


def _prefix(known: list[tuple[str, int]]) -> str:
    """What stands before the first level everywhere: `INBOX.` where every top level but the inbox begins with it."""
    top = [name for name, levels in known if levels == 1 and name.upper() != _INBOX]
    begin = top[0][: len(_INBOX) + 1] if top else ""
    fits = begin[:-1].upper() == _INBOX and begin[-1:] in tuple(_SEPARATORS)
    return begin if fits and all(name.startswith(begin) and name != begin for name in top) else ""


# ---- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FolderLine:
    """One row of the table of folders."""

    folder: FolderView
    name: str
    indent: int
    role: str
    percent: float
    text: StateText
    word: str
    rule: str
    error: str


def folder_lines(job: JobView) -> list[FolderLine]:
    """Folders in their order, each below its parent."""
    names = names_of(job)
    return [_folder_line(job, folder, names) for folder in job.folders]


def _folder_line(job: JobView, folder: FolderView, names: Names) -> FolderLine:
    text, word = _state(job, folder)
    name, indent = names.line(folder.source, folder.levels)
    error = str(error_text(str(folder.error.get("code", ""))).title) if folder.error else ""
    return FolderLine(
        folder=folder,
        name=name,
        indent=indent,
        role=_role_beside(folder),
        percent=_percent(folder),
        text=text,
        word=word,
        rule=str(rule_text(folder.reason)),
        error=error % {"host": shown_host(folder.error or {}, job.source_host, job.target_host)} if error else "",
    )


def _state(job: JobView, folder: FolderView) -> tuple[StateText, str]:
    """Its state; a folder that was begun does not run while the job does not."""
    if folder.state == "done" and folder.counts.failed:
        number = formats.number(folder.counts.failed)
        differs = job.kind is JobKind.VERIFY
        word = _("done, %(count)s differ", count=number) if differs else _("done, %(count)s missing", count=number)
        return FOLDER_STATES["failed"], word
    state = "begun" if folder.state == "working" and job.state is not JobState.RUNNING else folder.state
    text = FOLDER_STATES.get(state, FOLDER_STATES["open"])
    return text, str(text.word)


def _role_beside(folder: FolderView) -> str:
    """The role as a tag, unless the target's name says it already."""
    word = str(ROLES.get(folder.role or "", ""))
    return "" if word.casefold() == folder.target.casefold() else word


def _percent(folder: FolderView) -> float:
    if folder.state == "done":
        return 100.0
    return min(99.0, 100 * folder.counts.done / folder.counts.found) if folder.counts.found else 0.0
