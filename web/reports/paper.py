"""Sheets of A4 that are written from top to bottom: headings, paragraphs, tables. No words of its own.

Drawn directly, without a layout engine: texts are never read as markup, rows may come from an iterator of any length,
and only finished pages stay in memory, compressed. reportlab is imported when the first sheet is begun.
"""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PLAIN: Final = "DejaVuSansCondensed"
BOLD: Final = "DejaVuSansCondensed-Bold"
FONTS: Final = Path(__file__).parent.parent / "fonts"
NO_GLYPH: Final = "□"
"""Stands for a sign that the typeface does not have."""

WIDTH, HEIGHT, MARGIN = 595.28, 841.89, 51.0
_INNER: Final = WIDTH - 2 * MARGIN
_FLOOR: Final = MARGIN + 18

Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 1; those of web/static/tokens.css."""


def _colour(octets: int) -> Colour:
    return (octets >> 16) / 255, (octets >> 8 & 255) / 255, (octets & 255) / 255


_INK, _GREY, _LINE, _ACCENT, _SHADE = map(_colour, (0x171D22, 0x4C5761, 0xDCE1E4, 0x0A5C68, 0xF3F5F6))
_SIZE, _SMALL, _HEAD, _LEADING = 8.5, 7.5, 7.0, 1.35
_PAD: Final = 3.5
_NUMBER: Final = 42.0
"""A number of seven digits is not wider."""
_GAP: Final = 8.0
MOST_LINES, MOST_SMALL = 48, 8
"""A cell that is longer is cut, and says so by an ellipsis. The longest Message-ID that mail may have is not."""

Cell = str | tuple[str, str]
"""A text, or one with another below it in small grey letters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `share`: of the width that is left, in parts of all shares; 0: as wide as its head."""

    title: str
    share: float = 0
    right: bool = False


class Paper:
    """One document. `foot` gives the text at the foot of a page by its number; the number of all stands behind it."""

    def __init__(self, title: str, *, author: str, language: str, foot: Callable[[int], str]) -> None:
        from reportlab.pdfgen.canvas import Canvas

        self._glyphs = _fonts()
        self._out = io.BytesIO()
        self._canvas: Any = Canvas(
            self._out, pagesize=(WIDTH, HEIGHT), pageCompression=1, lang=language, initialFontName=PLAIN
        )
        self._canvas.setTitle(title)
        self._canvas.setSubject(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator("Postwagen")
        self._foot = foot
        self._number = 1
        self._y = HEIGHT - MARGIN

    # ---- what is written -------------------------------------------------------------------------------------------

    def title(self, over: str, text: str) -> None:
        """The head of the first page."""
        self._text(over, _SIZE, _GREY)
        self._y -= 6
        self._text(text, 17, _INK, font=BOLD)
        self._y -= 2

    def heading(self, text: str) -> None:
        """A part begins; never at the foot of a page."""
        self._need(64)
        self._y -= 14
        self._text(text, 11, _ACCENT, font=BOLD)
        self._y -= 4

    def paragraph(self, text: str, *, strong: bool = False, quiet: bool = False) -> None:
        """Some sentences; a strong one stays with what follows."""
        self._need(5 * _SIZE * _LEADING if strong else 0)
        self._text(text, _SIZE, _GREY if quiet else _INK, font=BOLD if strong else PLAIN)
        self._y -= 4

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Labels and values."""
        self.table([Column("", 26), Column("", 74)], rows, heads=False)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, heads: bool = True) -> None:
        """Rows between hairlines; the heads stand on every page anew."""
        widths = self._widths(columns)
        draw = functools.partial(self._head, columns, widths) if heads else None
        if draw:
            self._need(44)
            draw()
        for row in rows:
            cells = [self._lines(cell, width - _GAP) for cell, width in zip(row, widths, strict=True)]
            high = max(sum(size * _LEADING for _text, size, _colour in cell) for cell in cells) + 2 * _PAD
            if self._y - high < _FLOOR:
                self._turn()
                if draw:
                    draw()
            self._row(columns, widths, cells, high)
        self._y -= 6

    def finish(self) -> bytes:
        """The file."""
        self._end_page()
        self._canvas.beginForm("pages")
        self._canvas.setFont(PLAIN, _SMALL)
        self._canvas.setFillColor(_GREY)
        self._canvas.drawString(0, 0, str(self._number))
        self._canvas.endForm()
        self._canvas.save()
        return self._out.getvalue()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _widths(self, columns: Sequence[Column]) -> list[float]:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        fixed = [
            0.0
            if column.share
            else _GAP + max(_NUMBER, *(stringWidth(word, BOLD, _HEAD) for word in column.title.split()))
            for column in columns
        ]
        left, whole = _INNER - sum(fixed), sum(column.share for column in columns) or 1
        return [wide or left * column.share / whole for wide, column in zip(fixed, columns, strict=True)]

    def _head(self, columns: Sequence[Column], widths: Sequence[float]) -> None:
        cells = [[(text, _HEAD, _GREY) for text in self._wrapped(column.title, BOLD, _HEAD, width - _GAP)]
                 for column, width in zip(columns, widths, strict=True)]  # fmt: skip
        high = max(map(len, cells)) * _HEAD * _LEADING + 2 * _PAD
        self._canvas.setFillColor(_SHADE)
        self._canvas.rect(MARGIN, self._y - high, _INNER, high, stroke=0, fill=1)
        self._row(columns, widths, cells, high, font=BOLD)

    def _row(
        self, columns: Sequence[Column], widths: Sequence[float], cells: Sequence[list[tuple[str, float, Colour]]],
        high: float, font: str = PLAIN,
    ) -> None:  # fmt: skip
        x = MARGIN
        for column, width, cell in zip(columns, widths, cells, strict=True):
            y = self._y - _PAD
            for text, size, colour in cell:
                self._canvas.setFont(font, size)
                self._canvas.setFillColor(colour)
                place = x + width - _GAP / 2 if column.right else x + _GAP / 2
                write = self._canvas.drawRightString if column.right else self._canvas.drawString
                write(place, y - size, text)
                y -= size * _LEADING
            x += width
        self._y -= high
        self._canvas.setStrokeColor(_LINE)
        self._canvas.setLineWidth(0.5)
        self._canvas.line(MARGIN, self._y, WIDTH - MARGIN, self._y)

    def _lines(self, cell: Cell, width: float) -> list[tuple[str, float, Colour]]:
        main, small = cell if isinstance(cell, tuple) else (cell, "")
        lines = [(text, _SIZE, _INK) for text in self._wrapped(main, PLAIN, _SIZE, width)]
        return lines + [(text, _SMALL, _GREY) for text in self._wrapped(small, PLAIN, _SMALL, width, MOST_SMALL)]

    def _text(self, text: str, size: float, colour: Colour, *, font: str = PLAIN) -> None:
        for line in self._wrapped(text, font, size, _INNER, most=60):
            self._need(size * _LEADING)
            self._canvas.setFont(font, size)
            self._canvas.setFillColor(colour)
            self._canvas.drawString(MARGIN, self._y - size, line)
            self._y -= size * _LEADING

    def _wrapped(self, text: str, font: str, size: float, width: float, most: int = MOST_LINES) -> list[str]:
        """The text in lines that are not wider; what does not fit into so many is cut."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        def wide(part: str) -> float:
            return float(stringWidth(part, font, size))

        lines: list[str] = []
        for line in _broken(self._drawable(text, font), wide, width):
            if len(lines) == most:
                lines[-1] = lines[-1][:-1] + "…"
                break
            lines.append(line)
        return lines

    def _drawable(self, text: str, font: str) -> str:
        """Only signs that the typeface has; composed ones where there are both."""
        glyphs = self._glyphs[font]
        return "".join(
            sign if ord(sign) in glyphs else NO_GLYPH
            for sign in unicodedata.normalize("NFC", text)
            if sign not in "\u200c\u200d"
        )

    def _need(self, high: float) -> None:
        if self._y - high < _FLOOR:
            self._turn()

    def _turn(self) -> None:
        self._end_page()
        self._number += 1
        self._y = HEIGHT - MARGIN

    def _end_page(self) -> None:
        canvas = self._canvas
        canvas.setFont(PLAIN, _SMALL)
        canvas.setFillColor(_GREY)
        canvas.drawRightString(WIDTH - MARGIN - 18, MARGIN - 8, self._drawable(self._foot(self._number), PLAIN))
        canvas.saveState()
        canvas.translate(WIDTH - MARGIN - 16, MARGIN - 8)
        canvas.doForm("pages")  # is made at the end, when the number of pages is known
        canvas.restoreState()
        canvas.showPage()


def _broken(text: str, wide: Callable[[str], float], width: float) -> Iterator[str]:
    """Lines of words; a word that is wider than a line is broken where the line ends."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if wide(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        line = ""
        for sign in word:
            if line and wide(line + sign) > width:
                yield line
                line = ""
            line += sign
    if line:
        yield line


@functools.cache
def _fonts() -> dict[str, frozenset[int]]:
    """The typefaces made known, with the signs that each has."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = {}
    for name in (PLAIN, BOLD):
        font = TTFont(name, str(FONTS / f"{name}.ttf"))
        pdfmetrics.registerFont(font)
        found[name] = frozenset(font.face.charToGlyph)
    return found
