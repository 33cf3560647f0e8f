"""What "test the connection" answers, and the lines of the folder preview, in the reader's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from migrator.errors import PostwagenError
from migrator.jobs.probe import PreviewRow, ProbeReport
from web import formats
from web.babel import gettext as _
from web.babel import ngettext
from web.jobs import checked
from web.jobs.folders import Names
from web.jobs.forms import EndForm, as_glob
from web.jobs.present import why
from web.texts.errors import error_text
from web.texts.failures import rule_text
from web.texts.providers import login_text


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer below the button: never more than what was found out."""

    meaning: str
    icon: str
    title: str
    body: str
    facts: tuple[str, ...]
    tech: str
    at: datetime
    seconds: float
    kept: str
    password_wrong: bool = False


def answer_of(end: str, form: EndForm, report: ProbeReport, misfits: Sequence[str], at: datetime) -> Answer:
    """A clear answer: what was found, or what is wrong and what helps. `misfits`: what will not fit."""
    if report.error is not None or not report.ok:
        return _refusal(form, report, at)
    return Answer(
        meaning="needs" if misfits else "done",
        icon="needs" if misfits else "done",
        title=_("Logged in, everything can be read") if end == "source" else _("Logged in"),
        body=_found(report),
        facts=(*misfits, *_facts(end, report)),
        tech=" ".join(report.notes),
        at=at,
        seconds=report.seconds,
        kept=checked.sign(form, report),
    )


def _refusal(form: EndForm, report: ProbeReport, at: datetime) -> Answer:
    error = report.error or PostwagenError("No answer.")
    text = error_text(error.instance_code)
    return Answer(
        meaning="failed",
        icon="failed",
        title=str(text.title) % {"host": form.host},
        body=str(login_text(error.instance_code, form.host) or text.body),
        facts=(_("Nothing was written, and nothing was changed on the old server."),),
        tech="\n".join(part for part in (error.instance_code, error.message, error.detail) if part),
        at=at,
        seconds=report.seconds,
        kept="",
        password_wrong=error.instance_code == "login_refused",
    )


def _found(report: ProbeReport) -> str:
    messages = ngettext(
        "%(count)s message", "%(count)s messages", report.messages, count=formats.number(report.messages)
    )
    folders = ngettext("%(count)s folder", "%(count)s folders", report.folders, count=formats.number(report.folders))
    if report.octets is None:
        return _("%(messages)s in %(folders)s.", messages=messages, folders=folders)
    size = formats.size(report.octets)
    return _("%(messages)s in %(folders)s, %(size)s.", messages=messages, folders=folders, size=size)


def _facts(end: str, report: ProbeReport) -> list[str]:
    facts = [_("Encrypted: %(tls)s", tls=report.tls) if report.tls else _("The connection is not encrypted.")]
    if end == "source":
        facts.append(_("Reads without a trace: “read” and “unread” stay as they are"))
    if report.quota and report.quota[1]:
        used, limit = (formats.size(octets) for octets in report.quota)
        facts.append(_("Space: %(used)s of %(limit)s used", used=used, limit=limit))
    return facts


# ---- preview -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One row. `fixed`: it stays behind by a rule that a tick does not change."""

    row: PreviewRow
    name: str
    indent: int
    take: bool
    fixed: bool
    by_hand: bool
    why: str
    merged_with: str


def preview_lines(preview: checked.Preview) -> list[PreviewLine]:
    """Folders in the order of the old server, children below their parents."""
    names = Names((row.source, row.levels) for row in preview.rows)
    targets = Counter(row.target for row in preview.rows if row.target)
    ordered = sorted(preview.rows, key=lambda row: (row.source.upper() != "INBOX", row.source.casefold()))
    return [_line(row, names, [other for other in ordered if targets[row.target] > 1]) for row in ordered]


def _line(row: PreviewRow, names: Names, candidates: list[PreviewRow]) -> PreviewLine:
    name, indent = names.line(row.source, row.levels)
    unticked = row.reason == f"excluded: {as_glob(row.source)}"
    others = [names.whole(other.source) for other in candidates if other.target == row.target and other is not row]
    return PreviewLine(
        row=row,
        name=name,
        indent=indent,
        take=bool(row.target),
        fixed=not row.target and not unticked,
        by_hand=row.reason == "rule",
        why=str(rule_text(row.reason)) if not row.target else why(row.reason, row.role),
        merged_with=", ".join(others) if row.target else "",
    )
