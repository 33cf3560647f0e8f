"""A proof names every difference, and nothing else: against differences that we made ourselves."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from migrator.planning.verification import Comparison, Kind, Record, compare, moved

DAY = datetime(2001, 1, 1, tzinfo=UTC)


def record(key: int, letter: str = "", *, flags: str = "", day: int = 0, soft: str = "", folder: str = "A") -> Record:
    letter = letter or f"letter {key}"
    instant = DAY + timedelta(days=day)
    return Record(folder, f"1/{key}", letter.encode(), (soft or letter).encode(), frozenset(flags.split()), instant, 9)


def kinds(found: Comparison) -> list[tuple[str, Kind]]:
    return sorted((item.key, item.kind) for item in found.discrepancies)


def test_equal_multisets_are_proven_whatever_their_order() -> None:
    source = [record(1, "twin"), record(2, "twin"), record(3)]
    found = compare(source, [record(7), *(replace(item, key=f"9/{n}") for n, item in enumerate(reversed(source)))])
    assert found.proven == source
    assert kinds(found) == [("1/7", Kind.EXTRA)]


def test_a_twin_that_is_missing_is_missing_and_one_too_many_is_a_duplicate() -> None:
    two, three = [record(n, "twin") for n in (1, 2)], [record(n, "twin") for n in (7, 8, 9)]
    assert kinds(compare(three, two)) == [("1/9", Kind.MISSING)]
    assert [kind for _, kind in kinds(compare(two, three))] == [Kind.DUPLICATE]


def test_twins_are_matched_so_that_the_fewest_differences_are_named() -> None:
    source = [record(1, "twin", day=1, flags="\\Seen"), record(2, "twin", day=2)]
    target = [record(8, "twin", day=2), record(9, "twin", day=1, flags="\\seen")]
    assert kinds(compare(source, target)) == []


def test_flags_and_dates_that_differ_are_named_with_both_values_and_spoil_the_proof() -> None:
    found = compare([record(1, flags="\\Seen", day=1)], [record(9, "letter 1", flags="Work", day=2)])
    assert kinds(found) == [("1/1", Kind.DATE), ("1/1", Kind.FLAGS)]
    assert [item.detail for item in found.discrepancies][1] == "\\Seen → Work"
    assert (found.proven, len(found.differing)) == ([], 1)
    assert kinds(compare([record(1, day=1)], [record(9, "letter 1", day=2)], dates=False)) == []


def test_a_message_that_was_altered_on_the_way_is_altered_and_not_missing() -> None:
    found = compare([record(1, "with NUL", soft="known")], [record(9, "without", soft="known")])
    assert kinds(found) == [("1/1", Kind.ALTERED)]


def test_a_message_of_which_only_the_header_is_left_is_damaged_and_not_missing() -> None:
    one, other = (replace(item, header=b"same") for item in (record(1, "whole"), record(9, "half")))
    found = compare([one], [other])
    assert [(item.kind, item.detail.partition(":")[0]) for item in found.discrepancies] == [
        (Kind.ALTERED, "damaged, other octets")
    ]


def test_what_lies_in_another_folder_is_said_to_be_there_once() -> None:
    here = compare([record(1, "a"), record(2, "a"), record(3, "b")], [])
    there = compare([record(4, "c", folder="B")], [record(n, "a" if n == 7 else "c", folder="Z") for n in (7, 8)])
    moved([here, there])
    said = [(item.key, item.kind, item.detail) for found in (here, there) for item in found.discrepancies]
    assert said == [("1/1", Kind.MISSING, "lies in Z (1/7)"), ("1/2", Kind.MISSING, ""), ("1/3", Kind.MISSING, "")]


def test_what_cannot_be_read_at_the_source_says_so() -> None:
    found = compare([replace(record(1), unread="the server does not deliver it")], [])
    assert [(item.kind, item.detail) for item in found.discrepancies] == [
        (Kind.MISSING, "the server does not deliver it")
    ]


@given(
    letters=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from(["", "\\Seen"])), max_size=12),
    fates=st.lists(st.sampled_from(["kept", "kept", "lost", "altered"]), min_size=12, max_size=12),
    strangers=st.integers(0, 3),
    seed=st.integers(0, 9),
)
def test_every_source_message_is_proven_or_differs_and_numbers_are_those_of_the_damage(
    letters: list[tuple[int, int, str]], fates: list[str], strangers: int, seed: int
) -> None:
    source = [record(n, f"letter {what}", flags=flags, day=day) for n, (what, day, flags) in enumerate(letters)]
    done = list(zip(source, fates, strict=False))
    target = [replace(item, key=f"9/{item.key}") for item, fate in done if fate == "kept"]
    target += [replace(item, key=f"9/{item.key}", print=b"other octets") for item, fate in done if fate == "altered"]
    target += [record(100 + n, f"stranger {n}") for n in range(strangers)]
    random.Random(seed).shuffle(target)
    found = compare(source, target)
    assert Counter(found.proven) + Counter(found.differing) == Counter(source)
    numbers = Counter(item.kind for item in found.discrepancies)
    assert numbers[Kind.MISSING] == fates[: len(source)].count("lost")
    assert numbers[Kind.EXTRA] == strangers
    assert numbers[Kind.DUPLICATE] == 0
    if "altered" not in fates[: len(source)] and "lost" not in fates[: len(source)]:
        assert (numbers[Kind.FLAGS], numbers[Kind.DATE], numbers[Kind.ALTERED]) == (0, 0, 0)
