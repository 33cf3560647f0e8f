"""The report as JSON, written while it is read: one object, however many exceptions it holds.

Names and Message-IDs stand in it exactly as they are; texts are in the reader's language, codes in none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from migrator.jobs.reporting import Item, Report
from migrator.jobs.views import Counts, EndpointView, FolderView
from web import formats
from web.reports import words


def document(report: Report) -> Iterator[bytes]:
    """The octets, in UTF-8: what was done first, then the exceptions, a line each."""
    head = json.dumps(_head(report), ensure_ascii=False, indent=2).removesuffix("\n}")
    yield head.encode("utf-8", "backslashreplace")
    lists = {
        "folder_errors": (_folder_error(report, item) for item in report.folder_errors()),
        "failures": (_failure(report, item) for item in report.failures()),
        "discrepancies": (_difference(report, item) for item in report.differences()),
        "skips": (_skip(report, item) for item in report.skips()),
    }
    for name, values in lists.items():
        yield f',\n  "{name}": ['.encode()
        yield from _lines(values)
        yield b"]"
    yield b"\n}\n"


def _lines(values: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    begin = "\n    "
    for value in values:
        yield (begin + json.dumps(value, ensure_ascii=False)).encode("utf-8", "backslashreplace")
        begin = ",\n    "


def _head(report: Report) -> dict[str, Any]:
    job = report.job
    return {
        "job": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "final": report.final,
        "as_of": _moment(report.at),
        "address": job.address,
        "source": _end(job.source),
        "target": _end(job.target),
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "working_seconds": round(job.working_seconds, 3),
        "dry_run": bool(job.options.get("dry_run")),
        "messages": _counts(job.counts),
        "octets": job.octets,
        "error": {"code": str(job.error.get("code", "")), "text": words.trouble(report)} if job.error else None,
        "folders": [_folder(folder) for folder in job.folders],
        "warnings": [
            {"code": warning.code, "folder": warning.folder, "detail": warning.detail, "text": text}
            for warning, text in zip(job.warnings, words.warnings(report), strict=True)
        ],
        "discrepancies_total": report.differences_total,
    }


def _end(view: EndpointView) -> dict[str, Any]:
    shown = {name: getattr(view, name) for name in ("protocol", "host", "port", "security", "user")}
    return {**shown, "archive": view.archive_id}


def _counts(numbers: Counts) -> dict[str, int]:
    parts = {name: getattr(numbers, name) for name in ("copied", "already_there", "skipped", "failed", "open")}
    return {"found": sum(parts.values()), **parts}


def _folder(view: FolderView) -> dict[str, Any]:
    target = "" if view.state == "excluded" else view.target
    shown = {"source": view.source, "target": target, "role": view.role, "state": view.state, "reason": view.reason}
    return {**shown, **_counts(view.counts), "octets": view.octets}


def _folder_error(report: Report, item: Item) -> dict[str, Any]:
    text = ". ".join(words.said(report.job, item))
    return {"folder": item.folder, "code": item.code, "text": text, "detail": item.detail, "count": item.count}


def _failure(report: Report, item: Item) -> dict[str, Any]:
    shown = {name: getattr(item, name) for name in ("folder", "target", "key", "message_id", "size")}
    reason, explanation = words.said(report.job, item)
    return {**shown, "reason": item.code, "text": f"{formats.capital(reason)}. {explanation}", "detail": item.detail,
            "at": _moment(item.at), "quarantine": item.fate or None}  # fmt: skip


def _difference(report: Report, item: Item) -> dict[str, Any]:
    shown = {name: getattr(item, name) for name in ("folder", "target", "key")}
    return {**shown, "kind": item.code, "text": words.said(report.job, item)[0], "detail": item.detail}


def _skip(report: Report, item: Item) -> dict[str, Any]:
    text = words.said(report.job, item)[0]
    return {"folder": item.folder, "target": item.target, "key": item.key or None, "rule": item.code, "text": text,
            "count": item.count}  # fmt: skip


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
