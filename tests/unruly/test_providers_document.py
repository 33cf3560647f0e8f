"""docs/providers.md has a line for each habit of servers, and names no test that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
}


def lines() -> list[list[str]]:
    """Number, habit, what is done, tests."""
    text = (ROOT / "docs" / "providers.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| (\d+) \|(.*)\|(.*)\|(.*)\|$", text.replace("\\|", "¦"))
    return [[cell.strip() for cell in row] for row in rows]


def test_each_habit_has_a_line() -> None:
    assert [int(line[0]) for line in lines()] == list(range(1, 64))


def test_each_line_says_whether_it_is_handled_and_names_tests_that_exist() -> None:
    for number, _, done, tests in lines():
        named = re.findall(r"`(test_\w+)`", tests)
        assert set(named) <= TESTS, (number, set(named) - TESTS)
        assert re.match(r"(yes|partly|no)\b", done), number
        assert named or done.startswith("no"), number
