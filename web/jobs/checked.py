"""What a check found out, kept in the form itself: signed, so that only we can have written it.

So the preview needs neither a second login nor a memory on the server, and works with any number of web processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from migrator.errors import UsageError
from migrator.jobs.probe import PreviewRow, ProbeReport, preview
from migrator.mail.folders import FolderInfo, Namespace, Role
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
        [info.name, info.path, info.role, info.selectable, info.shared, info.messages, info.octets]
        for info in report.folder_list[:_MOST_FOLDERS]
    ]
    space = report.namespace
    return str(_signer().dumps([form.who, folders, [space.prefix, space.delimiter], report.messages, report.octets]))


def read(form: EndForm, text: str) -> ProbeReport | None:
    """The result of the last check, if it was made for this account."""
    try:
        who, folders, space, messages, octets = _signer().loads(text)
    except BadData:
        return None
    if who != form.who:
        return None
    return ProbeReport(
        ok=True,
        error=None,
        messages=messages,
        octets=octets,
        folder_list=[_info(*values) for values in folders],
        namespace=Namespace(*space),
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


def _info(name: str, path: list[str], role: str | None, selectable: bool, shared: bool, *numbers: Any) -> FolderInfo:
    return FolderInfo(
        name=name,
        path=tuple(path),
        role=Role(role) if role else None,
        selectable=selectable,
        shared=shared,
        messages=numbers[0],
        octets=numbers[1],
    )


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="folders of a check")
