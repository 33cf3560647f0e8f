"""The report as PDF, for the customer and for the file: A4, complete but for long lists of exceptions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from migrator.jobs.reporting import Item, Report
from web import formats
from web.babel import get_locale, ngettext, pgettext
from web.babel import gettext as _
from web.reports import words
from web.reports.paper import Cell, Column, Paper
from web.texts.jobs import STATES
from web.texts.work import failed_text, promise


def pdf(report: Report, hoster: str) -> bytes:
    """The file."""
    job = report.job
    about = _("%(hoster)s · job %(number)s · as of %(when)s", hoster=hoster, number=job.id,
              when=formats.with_zone(report.at))  # fmt: skip
    paper = Paper(
        words.title(report), author=hoster, language=str(get_locale())[:2],
        foot=lambda number: f"{about} · " + _("page %(number)s of", number=number),
    )  # fmt: skip
    paper.title(hoster, words.title(report))
    paper.paragraph(f"{STATES[job.state].word}. {promise(job)}", strong=True)
    for text in filter(None, (words.stand(report), words.trouble(report), words.result(report))):
        paper.paragraph(text)
    paper.facts(words.facts(report))
    _numbers(paper, report)
    _warnings(paper, report)
    _folder_errors(paper, report)
    _failures(paper, report)
    _differences(paper, report)
    _skips(paper, report)
    paper.heading(_("About this report"))
    paper.paragraph(words.about(), quiet=True)
    return paper.finish()


def _numbers(paper: Paper, report: Report) -> None:
    paper.heading(_("The sum"))
    paper.paragraph(words.equation(report), strong=True)
    rows = words.folders(report)
    if rows:
        heads = [str(word) for _meaning, word, _number in words.sum_of(report)]
        paper.heading(_("The sum per folder"))
        paper.table(
            [Column(_("Folder at the source"), 1), Column(_("Folder at the target"), 1),
             *(Column(formats.capital(head), right=True) for head in (_("found"), *heads))],
            ([source, target or "–", formats.number(words.found(some)), *(formats.number(part[2]) for part in some)]
             for source, target, some in rows),
        )  # fmt: skip


def _warnings(paper: Paper, report: Report) -> None:
    lines = words.warnings(report)
    if lines:
        paper.heading(_("Good to know"))
        for line in lines:
            paper.paragraph(line)


def _folder_errors(paper: Paper, report: Report) -> None:
    lines = [words.line(report, item) for item in report.folder_errors()]
    if lines:
        paper.heading(_("Folders that could not be used"))
        columns = [Column(_("Folder"), 30), Column(_("Reason"), 55), Column(_("Messages"), 15, right=True)]
        paper.table(columns, ([one.folder, (f"{one.reason}. {one.explanation}", one.detail), formats.number(one.count)]
                              for one in lines))  # fmt: skip


def _failures(paper: Paper, report: Report) -> None:
    groups = words.reasons(report)
    if not groups:
        return
    total = sum(group.count for group in report.job.failure_groups)
    paper.heading(failed_text(report.job, total))
    for reason, text in groups:
        paper.paragraph(reason, strong=True)
        paper.paragraph(text)
    columns = [Column(_("Folder"), 24), Column(_("Message"), 40), Column(_("Message size"), 11, right=True),
               Column(_("Reason"), 25)]  # fmt: skip
    paper.table(columns, _listed(report, report.failures()))
    _left_out(paper, total)


def _listed(report: Report, items: Iterator[Item]) -> Iterator[list[Cell]]:
    for item in itertools.islice(items, words.MOST):
        one = words.line(report, item)
        yield [_named(one), (one.message_id or "–", words.numbered(one)), formats.size(one.size) if one.size else "–",
               (one.reason, one.detail)]  # fmt: skip


def _named(one: words.Line) -> Cell:
    """A folder, and what it is called at the target where that is different."""
    return one.folder or one.target, f"→ {one.target}" if one.folder and one.target not in ("", one.folder) else ""


def _differences(paper: Paper, report: Report) -> None:
    total = report.differences_total
    if not total:
        return
    paper.heading(ngettext("%(count)s difference", "%(count)s differences", total, count=formats.number(total)))
    columns = [Column(_("Folder"), 30), Column(_("Message number"), 15), Column(_("Difference"), 20),
               Column(_("Detail"), 35)]  # fmt: skip
    lines = [words.line(report, item) for item in itertools.islice(report.differences(), words.MOST)]
    paper.table(columns, ([_named(one), one.key or "–", one.reason, one.detail or "–"] for one in lines))
    _left_out(paper, total)


def _skips(paper: Paper, report: Report) -> None:
    lines = [words.line(report, item) for item in words.skips(report)]
    if lines:
        total = sum(one.count for one in lines)
        paper.heading(ngettext("%(count)s message skipped by a rule", "%(count)s messages skipped by a rule", total,
                               count=formats.number(total)))  # fmt: skip
        columns = [Column(_("Folder"), 30), Column(_("Message number"), 16), Column(pgettext("report", "Rule"), 42),
                   Column(_("Messages"), 12, right=True)]  # fmt: skip
        paper.table(columns, ([one.folder, one.key or "–", one.reason, formats.number(one.count)] for one in lines))


def _left_out(paper: Paper, total: int) -> None:
    text = words.left_out(total)
    if text:
        paper.paragraph(text, strong=True)
