"""The report as one table for a spreadsheet program: the first column says what a row is, so that it can be filtered.

One table and not two: every row has the same columns, numbers stand where numbers stand, and the file is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from migrator.jobs.reporting import Report
from web.babel import gettext as _
from web.babel import pgettext
from web.reports import words
from web.spreadsheets import lines, moment
from web.texts.jobs import STATES
from web.texts.work import Part


def sheet(report: Report) -> Iterator[bytes]:
    """The octets: what was done, the sum, the sum per folder, warnings, then every exception."""
    heads = _heads(report)
    rows = itertools.chain([heads], _about(report), _numbers(report), _warnings(report), _exceptions(report))
    whole = (row + [""] * (len(heads) - len(row)) for row in rows)
    return (some.encode("utf-8", "replace") for some in lines(whole))


def _heads(report: Report) -> list[str]:
    numbers = [_("found"), *(str(word) for _meaning, word, _number in words.sum_of(report))]
    return [
        pgettext("report", "Row"), _("Folder at the source"), _("Folder at the target"), _("Message number"),
        "Message-ID", _("Size in bytes"), _("Reason"), _("Explanation"), _("Code"), _("Detail"), _("Time"),
        _("Messages"), *numbers,
    ]  # fmt: skip


def _row(
    word: str, folder: str = "", target: str = "", *, reason: str = "", text: str = "", of: list[Part] | None = None
) -> list[str]:
    """A row that is no exception. The numbers of a sum stand behind the column of how many messages are meant."""
    numbers = [str(words.found(of)), *(str(number) for _meaning, _word, number in of)] if of else []
    return [word, folder, target, "", "", "", reason, text, "", "", "", "", *numbers]


def _about(report: Report) -> Iterator[list[str]]:
    word = pgettext("report", "Job")
    yield _row(word, reason=_("Status"), text=str(STATES[report.job.state].word))
    for label, value in words.facts(report):
        yield _row(word, reason=label, text=value)
    for text in filter(None, (words.stand(report), words.trouble(report), words.result(report))):
        yield _row(word, text=text)


def _numbers(report: Report) -> Iterator[list[str]]:
    yield _row(pgettext("report", "Sum"), of=words.sum_of(report))
    for source, target, of in words.folders(report):
        yield _row(pgettext("report", "Folder"), source, target, of=of)


def _warnings(report: Report) -> Iterator[list[str]]:
    for text in words.warnings(report):
        yield _row(pgettext("report", "Good to know"), text=text)


def _exceptions(report: Report) -> Iterator[list[str]]:
    for item in report.items():
        one = words.line(report, item)
        size = "" if one.size is None else str(one.size)
        yield [one.word, one.folder, one.target, words.numbered(one), one.message_id, size, one.reason,
               one.explanation, one.code, one.detail, moment(one.at), str(one.count)]  # fmt: skip
