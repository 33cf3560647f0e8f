"""Folders side by side: every pair once, nobody else in a folder, about the same for each, and only where it pays."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.folders import FolderInfo, Namespace
from migrator.planning.lanes import WORTH, side_by_side
from migrator.planning.naming import Places
from migrator.ports import FolderPair


def pair(source: str, target: str, messages: int | None = None) -> FolderPair:
    return FolderPair(FolderInfo(source, (source,), messages=messages), tuple(target.split("/")), None)


SLASHES, COURIER = Namespace("", "/"), Namespace("INBOX.", ".")
NAMES = st.sampled_from(["INBOX", "Sent", "sent", "A.B", "A*B", "Ä", "A\u0308", "x", "INBOX/x", "y ", "y", "z"])
NAMESPACES = st.sampled_from((SLASHES, COURIER))
PAIRS = st.lists(st.tuples(NAMES, st.integers(0, 5000) | st.none()), max_size=12)


@given(
    PAIRS,
    st.dictionaries(st.integers(0, 11), st.integers(1, 9000)),
    st.sampled_from((SLASHES, COURIER)),
    st.integers(1, 5),
)
def test_every_pair_is_in_one_share_and_whoever_may_share_a_folder_is_in_the_same(
    chosen: list[tuple[str, int | None]], known: dict[int, int], namespace: Namespace, most: int
) -> None:
    pairs = [pair(f"s{number}", name, messages) for number, (name, messages) in enumerate(chosen)]
    free = Places(namespace, [one.target_path for one in pairs])
    pairs = [replace(one, others=free.others(one.target_path)) for one in pairs]
    shares = side_by_side(pairs, {f"s{number}": count for number, count in known.items()}, namespace, most)
    assert 1 <= len(shares) <= most
    places = {one.source.name: number for number, share in enumerate(shares) for one in share}
    assert sorted(places) == sorted(one.source.name for one in pairs)
    for share in shares:
        assert share == [one for one in pairs if one in share], "each share is in the order of all"
    for one in pairs:
        for other in pairs:
            names = [{namespace.to_name(path) for path in (end.target_path, *end.others)} for end in (one, other)]
            if names[0] & names[1]:
                assert places[one.source.name] == places[other.source.name]


def test_names_that_some_servers_take_for_one_are_in_one_share() -> None:
    pairs = [pair("1", "Sent", 5000), pair("2", "SENT", 5000), pair("3", "A\u0308", 10), pair("4", "Ä", 10)]
    shares = side_by_side(pairs, {}, SLASHES, 4)
    assert [[one.source.name for one in share] for share in shares] == [["1", "2"], ["3", "4"]]


def test_shares_are_about_the_same() -> None:
    sizes = [3400, 2000, 1200, 600, 600, 500, 400, 300, 300, 300, 200, 100, 100]
    shares = side_by_side([pair(str(at), str(at), size) for at, size in enumerate(sizes)], {}, SLASHES, 2)
    assert [sum(one.source.messages or 0 for one in share) for share in shares] == [5000, 5000]


def test_little_new_mail_is_worth_one_connection() -> None:
    pairs = [pair("a", "a", WORTH), pair("b", "b", WORTH)]
    assert len(side_by_side(pairs, {}, SLASHES, 4)) == 2, "folders are not divided"
    assert len(side_by_side(pairs, {"a": WORTH, "b": WORTH}, SLASHES, 4)) == 1, "what was carried before is there"
    assert len(side_by_side([pair("a", "a", WORTH // 3), pair("b", "b", WORTH // 3)], {}, SLASHES, 4)) == 1
    assert len(side_by_side([pair("a", "a"), pair("b", "b")], {}, SLASHES, 4)) == 1, "nobody knows how much it is"


def test_two_ways_to_say_one_name_at_the_target_are_in_one_share() -> None:
    pairs = [pair("a", "INBOX/X", 3000), pair("b", "X", 3000), pair("c", "A/X", 3000), pair("d", "A /X", 3000)]
    shares = side_by_side(pairs, {}, COURIER, 4)
    assert [[one.source.name for one in share] for share in shares] == [["a", "b"], ["c", "d"]]
