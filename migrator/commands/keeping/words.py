"""Kept archives in words, for terminals of any width. What comes from elsewhere is shown without control characters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from migrator.jobs.keeping.views import ArchiveLine, ArchiveState, ArchiveView

_WIDE = 200
"""Columns, where nobody looks at a terminal."""
_ENOUGH = 90
"""Columns for a table with an address of usual length."""


def plain(text: str) -> Text:
    """Without control characters, and nothing in it is markup."""
    return Text("".join(sign if sign.isprintable() else "·" for sign in text))


def size(octets: int) -> str:
    """In decimal units."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if octets >= unit:
            return f"{octets / unit:.1f} {name}"
    return f"{octets} B"


def moment(at: datetime) -> str:
    """In this machine's zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def day(at: datetime) -> str:
    """In this machine's zone."""
    return f"{at.astimezone():%Y-%m-%d}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, folds: str, right: Sequence[str] = ()) -> None:
    """Print it; the column `folds` gives way where the terminal is narrow."""
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        drawn.add_column(head, overflow="fold", no_wrap=head != folds, justify="right" if head in right else "left")
    for row in rows:
        drawn.add_row(*map(plain, row))
    _print(drawn)


def facts(rows: Iterator[tuple[str, str]]) -> None:
    """Print labels and values."""
    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True)
    drawn.add_column(overflow="fold")
    for label, value in rows:
        drawn.add_row(Text(label, style="bold"), plain(value))
    _print(drawn)


def line(text: str) -> None:
    """Print a line, folded between words."""
    _print(plain(text))


def is_wide() -> bool:
    """Whether a table of archives is easy to read here."""
    return _console().width >= _ENOUGH


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def _print(what: Table | Text) -> None:
    console = _console()
    with console.capture() as drawn:
        console.print(what)
    click.echo("\n".join(row.rstrip() for row in drawn.get().splitlines()))


# ---- archives ------------------------------------------------------------------------------------------------------


def state(archive: ArchiveLine) -> str:
    """In a word or two; of a closed one, until when it is kept."""
    if archive.state is ArchiveState.CLOSED and archive.expires_at is not None:
        return f"until {day(archive.expires_at)}"
    return archive.state.value


def health(archive: ArchiveLine) -> str:
    """What the last check said."""
    return {None: "never", True: "whole", False: "damaged"}[archive.healthy]


def rhythm(archive: ArchiveView) -> str:
    """How often passes come by themselves, and when."""
    if archive.every_hours is None:
        return "none comes by itself"
    every = "every hour" if archive.every_hours == 1 else f"every {archive.every_hours} hours"
    if archive.window is not None:
        every += " between {:02d}:00 and {:02d}:00".format(*archive.window)
    return f"{every}, the next {moment(archive.next_pass_at)}" if archive.next_pass_at else every


def leaving(archive: ArchiveView) -> str:
    """What becomes of collected mail at a POP3 server."""
    if archive.leave_days is None:
        return "stays at the old server"
    days = {0: "at once", 1: "a day later"}.get(archive.leave_days, f"{archive.leave_days} days later")
    return f"is deleted at the old server {days}; asked for by: {archive.leave_wish}"


def ends(archive: ArchiveView) -> str:
    """What becomes of the archive."""
    if archive.destroyed_at is not None:
        return f"destroyed {moment(archive.destroyed_at)} by {archive.destroyed_by}: {archive.destroyed_reason}"
    if archive.expires_at is None or archive.closed_at is None:
        return "not while its transfer is open"
    kept = f"{moment(archive.expires_at)}; its transfer was closed {day(archive.closed_at)}"
    return f"{kept}. Not before all of it was played in" if archive.is_only_copy else kept


ONLY_COPY = "Mail was deleted at the old server by the customer's wish, and not all of it was played in since."
