"""What will not fit, as the forms show it before a job is ordered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from migrator.errors import UsageError
from migrator.jobs import queries
from migrator.jobs.fitting import fitting
from migrator.jobs.probe import ProbeReport
from migrator.planning.limits import Code, Finding, Severity
from web import formats
from web.babel import gettext as _
from web.jobs import forms
from web.jobs.folders import Names
from web.services import services
from web.texts import limits


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding in words. `named`: folders, or messages with their sizes; `more`: so many others."""

    severity: Severity
    detail: str
    remedy: str
    named: tuple[tuple[str, str], ...] = ()
    more: int = 0
    only_copy: bool = True
    """Whether it does not matter where the mailbox is only archived."""

    @property
    def meaning(self) -> str:
        """By which colour and icon."""
        return "failed" if self.severity is Severity.WILL_NOT_FIT else "needs"


def look(form: forms.JobForm, reports: Mapping[str, ProbeReport | None]) -> list[Shown]:
    """What is known as soon as the old server was tested; most of it needs the new one as well."""
    source, target = reports["source"], reports["target"]
    if source is None:
        return []
    hosts = form.source.host, form.target.host
    before = _carried(form) if target is not None else 0
    try:
        found = fitting(source, target, form.rules(), hosts=hosts, carried=before)
    except UsageError:
        found = fitting(source, target, forms.JobForm(under=form.under).rules(), hosts=hosts, carried=before)
    names = Names((info.name, len(info.path)) for info in source.folder_list)
    return [_shown(one, names) for one in found]


def sentences(found: Iterable[Finding]) -> tuple[str, ...]:
    """Each as one line."""
    return tuple(f"{limits.detail(one)} {limits.remedy(one)}" for one in found)


def _carried(form: forms.JobForm) -> int:
    source, target = (forms.endpoint(end, "").identity for end in (form.source, form.target))
    return queries.carried(services().db, source, target)


def _shown(found: Finding, names: Names) -> Shown:
    named = [(names.whole(one.folder), formats.size(one.size)) for one in found.large]
    named += [(names.whole(folder), "") for folder in found.folders]
    return Shown(
        severity=found.severity,
        detail=limits.detail(found, names.whole(found.folder) if found.folder else ""),
        remedy=limits.remedy(found),
        named=tuple(named),
        more=found.number - len(named) if named else 0,
        only_copy=found.code is not Code.COUNT_LOOKS_CAPPED,
    )


def in_short(found: Iterable[Shown]) -> tuple[str, ...]:
    """For the answer at the new server, where the list stands elsewhere."""
    return (_("Not everything will fit: see below."),) if any(one.meaning == "failed" for one in found) else ()
