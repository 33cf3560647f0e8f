"""What a measurement prints: rows with what was seen, what is required, and whether that is met."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.watching import Cost
from migrator.demo.servers import dovecot_version

MIB = 1024 * 1024
MARK = "<!-- make bench writes what stands here -->"
middle: Callable[[Sequence[float]], float] = statistics.median


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured, what is required, and whether it is met (None: only told)."""

    what: str
    seen: str
    required: str = ""
    met: bool | None = None


def seconds(numbers: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{middle(numbers):.2f} s ({min(numbers):.2f} to {max(numbers):.2f})"


def costs(seen: Sequence[Cost]) -> str:
    """Time and CPU of whole processes."""
    return f"{seconds([cost.seconds for cost in seen])}, CPU {middle([cost.cpu for cost in seen]):.2f} s"


def at_least(what: str, seen: float, required: float) -> Row:
    """Met where it is as much."""
    return Row(what, f"{seen:.2f}", f"at least {required:g}", seen >= required)


def at_most(what: str, seen: float, required: float) -> Row:
    """Met where it is no more."""
    digits = 3 if required < 0.1 else 2 if required < 10 else 1
    return Row(what, f"{seen:.{digits}f}", f"at most {required:.3g}", seen <= required)


def shown(rows: Sequence[Row], *, title: str, command: str, runs: int, more: str = "") -> str:
    """As Markdown."""
    about = (
        f"Medians of {runs} (least to most), measured in turns on {datetime.now(UTC):%Y-%m-%d}: "
        f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, Dovecot {dovecot_version()}, "
        f"TLS on loopback{more}."
    )
    return "\n".join([f"# {title}", "", f"`{command}`. {about}", "", *_lines(rows), ""])


def into(page: Path, text: str) -> None:
    """Put a table (as `shown` made it, without its title) between the two marks of a page."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(MARK)
    _, end, after = rest.partition(MARK)
    assert mark == end == MARK, f"{page} has no place for it"
    page.write_text(f"{before}{MARK}\n{without_title(text)}{MARK}{after}", encoding="utf-8")


def without_title(text: str) -> str:
    """What stands below the title."""
    return text.partition("\n\n")[2]


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    words = {None: "", True: "yes", False: "**no**"}
    yield "| what | seen | required | met |"
    yield "|---|---|---|---|"
    yield from (f"| {row.what} | {row.seen} | {row.required} | {words[row.met]} |" for row in rows)
