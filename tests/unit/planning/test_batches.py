"""Batches and listings are as large as they may be, and no larger."""

from __future__ import annotations

import pytest

from migrator.mail.folders import FolderInfo
from migrator.planning.batches import (
    BATCH_MESSAGES,
    BATCH_OCTETS,
    FOLDERS_TOGETHER,
    ROWS_TOGETHER,
    is_full,
    is_small,
    listed_together,
)


def folders(*numbers: int | None) -> list[FolderInfo]:
    return [FolderInfo(f"F{at}", (f"F{at}",), messages=number) for at, number in enumerate(numbers)]


def lots(*numbers: int | None) -> list[int]:
    """How many folders are listed at once, in their order."""
    given = folders(*numbers)
    found = list(listed_together(given))
    assert [info for lot in found for info in lot] == given
    return [len(lot) for lot in found]


@pytest.mark.parametrize(
    ("octets", "messages", "coming", "full"),
    [
        (0, 0, BATCH_OCTETS * 10, False),  # a giant travels alone, but it travels
        (BATCH_OCTETS - 10, 1, 10, False),
        (BATCH_OCTETS - 10, 1, 11, True),
        (10, BATCH_MESSAGES - 1, 10, False),
        (10, BATCH_MESSAGES, 10, True),
    ],
)
def test_a_batch_is_full_before_it_would_be_too_large(octets: int, messages: int, coming: int, full: bool) -> None:
    assert is_full(octets, messages, coming) is full


def test_so_many_small_folders_are_listed_at_once_and_no_more() -> None:
    assert lots(*[1] * FOLDERS_TOGETHER) == [FOLDERS_TOGETHER]
    assert lots(*[1] * (FOLDERS_TOGETHER + 1)) == [FOLDERS_TOGETHER, 1]


def test_folders_are_listed_at_once_only_while_their_rows_are_few() -> None:
    assert lots(ROWS_TOGETHER - 5, 5, 1) == [2, 1]
    assert lots(ROWS_TOGETHER - 5, 6) == [1, 1]
    assert lots(0, 0, ROWS_TOGETHER) == [3]


def test_a_folder_that_is_large_or_does_not_say_its_number_is_listed_alone() -> None:
    assert lots(1, 1, ROWS_TOGETHER + 1, 1, None, 1, 1) == [2, 1, 1, 1, 2]
    assert [is_small(info) for info in folders(0, ROWS_TOGETHER, ROWS_TOGETHER + 1, None)] == [True, True, False, False]
