"""A folder of many messages: carried within little address space, each listed and read once."""

from __future__ import annotations

from pathlib import Path

from bench.vast import carried

MESSAGES = 20_000
"""`make bench` carries 700,000 in as much."""


def test_a_folder_of_many_messages_is_listed_once_and_carried_in_little_memory(tmp_path: Path) -> None:
    seen = carried(MESSAGES, tmp_path)
    assert (seen.arrived, seen.copies) == (MESSAGES, MESSAGES)
    assert (seen.listed, seen.read, seen.looked_at) == (1, 1, 1)
    assert seen.is_whole(MESSAGES)
