"""What a check found out, kept in the form itself: signed, so that only we can have written it.

So the preview needs neither a second login nor a memory on the server, and works with any number of web processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from migrator.errors import UsageError
from migrator.jobs.probe import PreviewRow, ProbeReport, preview
from migrator.mail.folders import FolderInfo, Namespace, Role
from migrator.planning.limits import Large, Largest
from web.jobs.forms import EndForm, JobForm

_MOST_FOLDERS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Preview:
    """Where every folder goes; `provisional` while the new server has not been asked."""

    rows: Sequence[PreviewRow]
    provisional: bool
    messages: int
    octets: int | None
    problem: str = ""


def sign(form: EndForm, report: ProbeReport) -> str:
    """A check's result for a hidden field; empty when it failed."""
    if not report.ok:
        return ""
    folders = [
        [info.name, info.path, info.role, info.selectable, info.holds_mail, info.shared, info.messages, info.octets]
        for info in report.folder_list[:_MOST_FOLDERS]
    ]
    space = report.namespace
    limits = [report.quota, report.counted, report.max_octets, list(report.max_octets_in.items())]
    found = report.largest
    largest = [found.above, [astuple(one) for one in found.named], found.more, sorted(found.unknown)] if found else None
    seen = [form.who, folders, [space.prefix, space.delimiter], report.messages, report.octets, limits, largest]
    return str(_signer().dumps(seen))


def read(form: EndForm, text: str) -> ProbeReport | None:
    """The result of the last check, if it was made for this account."""
    try:
        who, folders, space, messages, octets, limits, largest = _signer().loads(text)
    except BadData:
        return None
    if who != form.who:
        return None
    quota, counted, max_octets, max_octets_in = limits
    return ProbeReport(
        ok=True,
        error=None,
        messages=messages,
        octets=octets,
        folder_list=[_info(*values) for values in folders],
        namespace=Namespace(*space),
        quota=_pair(quota) if quota else None,
        counted={name: _pair(numbers) for name, numbers in counted.items()},
        max_octets=max_octets,
        max_octets_in={tuple(path): number for path, number in max_octets_in},
        largest=_largest(*largest) if largest is not None else None,
    )


def look_ahead(form: JobForm, reports: Mapping[str, ProbeReport | None]) -> Preview | None:
    """The preview, as soon as the old server has been checked."""
    source, target = reports["source"], reports["target"]
    if source is None:
        return None
    known = target or ProbeReport(ok=True, error=None)
    try:
        rows = preview(source, known, form.rules())
    except UsageError as error:
        rules = JobForm(under=form.under).rules()
        return Preview(preview(source, known, rules), target is None, source.messages, source.octets, error.message)
    return Preview(rows, target is None, source.messages, source.octets)


def _pair(numbers: list[int]) -> tuple[int, int]:
    used, limit = numbers
    return used, limit


def _largest(above: int, named: list[list[Any]], more: int, unknown: list[str]) -> Largest:
    return Largest(above, tuple(Large(*one) for one in named), more, frozenset(unknown))


def _info(name: str, path: list[str], role: str | None, *rest: Any) -> FolderInfo:
    selectable, holds_mail, shared, messages, octets = rest
    return FolderInfo(
        name=name,
        path=tuple(path),
        role=Role(role) if role else None,
        selectable=selectable,
        holds_mail=holds_mail,
        shared=shared,
        messages=messages,
        octets=octets,
    )


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="folders and limits of a check")
