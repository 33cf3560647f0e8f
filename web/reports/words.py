"""A job's report in the reader's words: the same for page, table, PDF and JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from migrator.jobs.reporting import Item, ItemKind, Report
from migrator.jobs.states import JobKind
from migrator.jobs.views import EndpointView, JobView
from web import formats
from web.babel import LazyString, lazy_pgettext, pgettext
from web.babel import gettext as _
from web.jobs import present
from web.texts.errors import error_text, shown_host
from web.texts.failures import DIFFERENCES, FATES, failure_text, rule_text, warning_line, warning_text
from web.texts.work import Part, parts, route, work

NO_SIGN: Final = "\N{REPLACEMENT CHARACTER}"
MOST: Final = 500
"""So many exceptions of each kind are listed on paper and page; the table and JSON hold all of them."""
FEW: Final = 100
"""Single messages that were skipped are listed one by one up to so many."""
_JOINERS: Final = "\u200c\u200d"
"""They hold letters and pictures together, and move nothing."""
_WORDS: Final[dict[ItemKind, LazyString]] = {
    ItemKind.FOLDER: lazy_pgettext("report", "folder not usable"),
    ItemKind.FAILURE: lazy_pgettext("report", "not carried"),
    ItemKind.DIFFERENCE: lazy_pgettext("report", "difference"),
    ItemKind.SKIP: lazy_pgettext("report", "skipped"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One exception as it is read. Nothing in it moves the text around it: invisible signs are shown as such."""

    word: str
    folder: str
    target: str
    key: str
    message_id: str
    size: int | None
    reason: str
    explanation: str
    code: str
    detail: str
    count: int
    at: datetime | None


def line(report: Report, item: Item) -> Line:
    """An exception with its reason and what helps, for people."""
    reason, explanation = said(report.job, item)
    return Line(
        word=str(_WORDS[item.kind]),
        folder=plain(item.folder),
        target=plain(item.target),
        key=plain(item.key),
        message_id=plain(item.message_id),
        size=item.size,
        reason=plain(reason),
        explanation=explanation,
        code=plain(item.code),
        detail=plain(item.detail),
        count=item.count,
        at=item.at,
    )


def said(job: JobView, item: Item) -> tuple[str, str]:
    """The reason in a few words, and sentences that explain it where there is more to say."""
    if item.kind is ItemKind.FAILURE:
        failure = failure_text(item.code, from_archive=job.source.archive_id is not None)
        fate = FATES.get(item.fate)
        return f"{failure.short} ({fate})" if fate else str(failure.short), f"{failure.body} {failure.remedy}"
    if item.kind is ItemKind.FOLDER:
        error = error_text(item.code)
        host = shown_host({"end": item.end}, job.source_host, job.target_host)
        return str(error.title) % {"host": host}, str(error.body)
    if item.kind is ItemKind.DIFFERENCE:
        return str(DIFFERENCES.get(item.code, item.code)), ""
    return str(rule_text(item.code)), ""


def plain(text: str) -> str:
    """The text in one line: what controls a terminal, a file or the direction of writing becomes a visible sign."""
    return "".join(_plain(sign) for sign in text)


def _plain(sign: str) -> str:
    if sign in "\t\r\n\v\f\x85\u2028\u2029":
        return " "
    return NO_SIGN if unicodedata.category(sign) in ("Cc", "Cf", "Cs") and sign not in _JOINERS else sign


# ---- what was done -------------------------------------------------------------------------------------------------


def title(report: Report) -> str:
    """What the report is about."""
    return plain(_("Report: %(address)s", address=report.job.address))


def stand(report: Report) -> str:
    """Whether it is the last word."""
    if report.final:
        return ""
    return _("As of %(when)s: the job has not ended yet, and the numbers change.", when=formats.with_zone(report.at))


def facts(report: Report) -> list[tuple[str, str]]:
    """Label and value: which work, between which ends, when."""
    job = report.job
    rows = [(pgettext("report", "Work"), f"{work(job).kind}: {route(job)}")]
    rows += [fact for end in ("source", "target") for fact in _end(end, getattr(job, end))]
    rows += [(label, f"{value} {more}".strip()) for label, value, more in present.chosen(job)]
    if job.started_at:
        rows.append((_("Begun"), formats.with_zone(job.started_at)))
    if job.finished_at:
        rows.append((_("Finished"), formats.with_zone(job.finished_at)))
    if job.working_seconds >= 1:
        rows.append((_("Time at work"), formats.lasted(job.working_seconds)))
    if job.octets and job.kind is not JobKind.VERIFY:
        rows.append((pgettext("report", "Carried"), formats.size(job.octets)))
    rows.append((pgettext("report", "Number of the job"), str(job.id)))
    return [(label, plain(value)) for label, value in rows]


def _end(end: str, view: EndpointView) -> list[tuple[str, str]]:
    """Where it is and who logs in there; never how."""
    if view.archive_id is not None:
        return [(_("Archive"), _("Archive %(number)s", number=view.archive_id))]
    label = _("Old server") if end == "source" else _("New server")
    return [(label, _("%(host)s, user %(user)s", host=f"{view.host}:{view.port}", user=view.user))]


def trouble(report: Report) -> str:
    """The error that ended or stopped the job, in words; empty where there is none."""
    card = present.error_card(report.job)
    return plain(f"{card['title']}. {card['body']}") if card["error"] else ""


def result(report: Report) -> str:
    """What a comparison has proven; empty where it found differences, and for other work."""
    found = present.proof(report.job)
    return str(found["compared"]) if found["result"] and found["result"]["proven"] and not found["total"] else ""


# ---- numbers -------------------------------------------------------------------------------------------------------


def sum_of(report: Report) -> list[Part]:
    """The parts of what was found; what is open only where something is."""
    return _shown(report, parts(report.job))


def found(part: Iterable[Part]) -> int:
    """What the parts add up to."""
    return sum(number for _meaning, _word, number in part)


def folders(report: Report) -> list[tuple[str, str, list[Part]]]:
    """Name at the source, name at the target (empty: it stays behind), and the parts of the sum."""
    return [
        (plain(folder.source), "" if folder.state == "excluded" else plain(folder.target),
         _shown(report, parts(report.job, folder)))
        for folder in report.job.folders
    ]  # fmt: skip


def _shown(report: Report, some: list[Part]) -> list[Part]:
    return some if report.job.counts.open else [part for part in some if part[0] != "rest"]


def warnings(report: Report) -> list[str]:
    """What failed nothing and is good to know, each as a sentence with its folder."""
    lines = [(warning_text(one.code), warning_line(one.code, one.folder, one.detail)) for one in report.job.warnings]
    return [plain(f"{begin}: {rest}" if rest else str(begin)) for begin, rest in lines]


def reasons(report: Report) -> list[tuple[str, str]]:
    """Why messages were not carried: how many for which reason, and what helps; the most frequent first."""
    job, rows = report.job, []
    for group in job.failure_groups:
        text = failure_text(group.reason, from_archive=job.source.archive_id is not None)
        rows.append((f"{formats.number(group.count)} {text.title}", f"{text.body} {text.remedy}"))
    return rows


def equation(report: Report) -> str:
    """The sum as a line: found = copied + already there + …"""
    of = sum_of(report)
    added = " + ".join(f"{formats.number(number)} {word}" for _meaning, word, number in of)
    return f"{formats.number(found(of))} {_('found')} = {added}"


# ---- lists ---------------------------------------------------------------------------------------------------------


def skips(report: Report) -> Iterable[Item]:
    """Message by message while there are few, else counted by folder and rule."""
    few = sum(one.count for one in report.skip_counts) <= FEW
    return report.skips() if few else report.skips_by_rule()


def numbered(one: Line) -> str:
    """The message's number at its server; with a word before it, for spreadsheet programs take 1/17 for a date."""
    return _("No. %(key)s", key=one.key) if one.key else ""


def left_out(total: int) -> str:
    """That a list is not complete, and where a longer one is; empty where it is complete."""
    if total <= MOST:
        return ""
    return _(
        "The first %(most)s of %(total)s are listed here. The complete list is in this report’s table (CSV) and JSON.",
        most=formats.number(MOST), total=formats.number(total),
    )  # fmt: skip


def about() -> str:
    """How messages are named, and what the report leaves out on purpose."""
    return _(
        "Messages are named by their Message-ID and their number at the old server (UIDVALIDITY/UID, or the name that "
        "the server or archive gives); what is only on the new server has the number that it has there. Subjects and "
        "senders are not in this report. “Found” is always the sum of all that stands beside it. Signs that cannot be "
        "shown are replaced by � or □; the report as JSON has them as they are."
    )
