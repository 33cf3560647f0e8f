"""Tables for spreadsheet programs: CSV that opens by a double click, and in which nothing is executed.

UTF-8 with a byte order mark, because Excel takes it for another encoding without; `;` between the cells where the
reader's country writes decimals with a comma, because Excel there splits at `;` only; lines end with CR LF (RFC 4180).
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from babel.numbers import get_decimal_symbol

from web import formats
from web.babel import get_locale

_AT_ONCE: Final = 500
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LONGEST_DATE: Final = 40
_MISTAKEN: Final = re.compile(r"\s*(?:\d[\d\s.,:/-]*[.,:/-][\d\s.,:/-]*|\d+[eE]\d+|0\d+)\s*")
"""What becomes a date, a time or another number when it is opened: 1/17, a folder 03-2024, a name 12E5 or 007."""


def harmless(cell: str) -> str:
    """A text that a spreadsheet program shows and never calculates, whatever a mail server made it begin with, and
    never takes for a date."""
    mistaken = len(cell) < _LONGEST_DATE and _MISTAKEN.fullmatch(cell)
    return f"'{cell}" if mistaken or cell.lstrip(" ").startswith(_DANGEROUS) else cell


def lines(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The file, some hundred rows at a time."""
    delimiter = ";" if get_decimal_symbol(get_locale()) == "," else ","
    begin, left = "\ufeff", iter(rows)
    while some := list(itertools.islice(left, _AT_ONCE)):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows(map(harmless, row) for row in some)
        yield begin + out.getvalue()
        begin = ""


def moment(at: datetime | None) -> str:
    """A time in the reader's zone, with its offset."""
    return formats.local(at).isoformat(timespec="seconds") if at else ""
