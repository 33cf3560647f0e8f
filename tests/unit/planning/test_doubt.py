"""What is in doubt: checked against the truth that made the case, and against brute force."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.mail.messages import MessageKey, Prints
from migrator.planning.doubt import Candidate, Settlement, settle
from migrator.ports import Entry, Stand


def sha(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


def prints(header: int, body: int, alteration: int = 0, *, known: bool = True, with_id: bool = True) -> Prints:
    """A message of this header and body. `known`: the forgiving digest survives the alteration."""
    soft = sha("soft", header, body) if known else sha("soft", header, body, alteration)
    identity = sha("id", header) if with_id else b""
    return Prints(sha(header, body, alteration), soft, sha("header", header), identity, 100, delicate=False)


def day(number: int) -> datetime:
    return datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=number)


def entry(number: int, what: Prints, *, keyless: bool = False, floor: int = 1, at: int = 0) -> Entry:
    stand = Stand.CONFIRMED if keyless else Stand.INTENDED
    return Entry(number, MessageKey(1, number), stand, what, day(at), frozenset(), floor)


def found(uid: int, what: Prints, at: int = 0) -> Candidate:
    return Candidate(MessageKey(7, uid), what, day(at))


def ids(settlement: Settlement) -> tuple[dict[int, int], set[int], set[int]]:
    return (
        {item.id: key.uid for item, key in settlement.there},
        {item.id for item in settlement.absent},
        {item.id for item in settlement.ambiguous},
    )


# ---- sentences -----------------------------------------------------------------------------------------------------


def test_what_is_there_is_confirmed_and_what_is_not_is_sent_again() -> None:
    answer = settle([entry(1, prints(1, 1)), entry(2, prints(2, 2))], [], [found(9, prints(2, 2))])
    assert ids(answer) == ({2: 9}, {1}, set())


def test_of_three_twins_and_two_candidates_two_are_there() -> None:
    twins = [entry(number, prints(1, 1)) for number in (1, 2, 3)]
    there, absent, ambiguous = ids(settle(twins, [], [found(8, prints(1, 1)), found(9, prints(1, 1))]))
    assert (len(there), len(absent), ambiguous) == (2, 1, set())


def test_a_keyless_twin_takes_its_candidate_before_one_in_doubt() -> None:
    answer = settle([entry(1, prints(1, 1))], [entry(2, prints(1, 1), keyless=True)], [found(9, prints(1, 1))])
    assert ids(answer) == ({2: 9}, {1}, set())


def test_nothing_below_the_floor_is_taken() -> None:
    answer = settle([entry(1, prints(1, 1), floor=10)], [], [found(9, prints(1, 1))])
    assert ids(answer) == ({}, {1}, set())


def test_twins_of_other_dates_go_to_their_own_candidates() -> None:
    twins = [entry(1, prints(1, 1), at=1), entry(2, prints(1, 1), at=2)]
    answer = settle(twins, [], [found(8, prints(1, 1), at=2), found(9, prints(1, 1), at=1)])
    assert ids(answer) == ({1: 9, 2: 8}, set(), set())


def test_octets_altered_as_servers_do_are_recognised() -> None:
    answer = settle([entry(1, prints(1, 1))], [], [found(9, prints(1, 1, 5))])
    assert ids(answer) == ({1: 9}, set(), set())


def test_a_rewritten_body_is_recognised_by_header_and_date() -> None:
    answer = settle([entry(1, prints(1, 1))], [], [found(9, prints(1, 1, 5, known=False))])
    assert ids(answer) == ({1: 9}, set(), set())


def test_a_strangers_near_twin_of_another_date_is_no_proof_either_way() -> None:
    answer = settle([entry(1, prints(1, 1))], [], [found(9, prints(1, 2), at=5)])
    assert ids(answer) == ({}, set(), {1})


def test_near_twins_whose_rewritten_copies_are_too_few_are_ambiguous() -> None:
    both = [entry(1, prints(1, 1)), entry(2, prints(1, 2))]
    answer = settle(both, [], [found(9, prints(1, 1, 5, known=False))])
    assert ids(answer) == ({}, set(), {1, 2})


def test_near_twins_that_are_all_there_are_all_confirmed() -> None:
    both = [entry(1, prints(1, 1)), entry(2, prints(1, 2))]
    copies = [found(8, prints(1, 2, 5, known=False)), found(9, prints(1, 1, 5, known=False))]
    there, absent, ambiguous = ids(settle(both, [], copies))
    assert (sorted(there), absent, ambiguous) == ([1, 2], set(), set())


def test_messages_without_message_id_are_never_matched_by_the_lack_of_it() -> None:
    one = entry(1, prints(1, 1, with_id=False))
    answer = settle([one], [], [found(9, prints(2, 2, with_id=False))])
    assert ids(answer) == ({}, {1}, set())


def test_a_keyless_message_that_was_rewritten_and_dated_anew_gets_its_key() -> None:
    answer = settle([], [entry(1, prints(1, 1), keyless=True)], [found(9, prints(1, 1, 5, known=False), at=9)])
    assert ids(answer) == ({1: 9}, set(), set())


def test_nobody_in_doubt_and_nobody_there_is_fine() -> None:
    assert ids(settle([], [], [])) == ({}, set(), set())
    assert ids(settle([], [], [found(1, prints(1, 1))])) == ({}, set(), set())


# ---- against the truth ---------------------------------------------------------------------------------------------

message = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 1))
"""Header, body, date."""


@given(
    doubtful=st.lists(st.tuples(message, st.booleans()), max_size=6),
    keyless=st.lists(message, max_size=3),
    alteration=st.integers(0, 3),
)
@settings(max_examples=500, deadline=None)
def test_a_target_that_keeps_or_softly_alters_octets_never_loses_or_doubles(
    doubtful: list[tuple[tuple[int, int, int], bool]], keyless: list[tuple[int, int, int]], alteration: int
) -> None:
    """Of everything in doubt some was stored, and that is exactly what is confirmed, class by class."""
    stored = [what for what, was in doubtful if was] + keyless
    candidates = [
        found(100 + number, prints(header, body, alteration), at=at) for number, (header, body, at) in enumerate(stored)
    ]
    in_doubt = [
        entry(number, prints(header, body), at=at) for number, ((header, body, at), _) in enumerate(doubtful, 1)
    ]
    without_key = [
        entry(50 + number, prints(header, body), keyless=True, at=at)
        for number, (header, body, at) in enumerate(keyless)
    ]
    there, absent, ambiguous = ids(settle(in_doubt, without_key, candidates))
    assert not ambiguous
    classes = {number: what[:2] for number, (what, _) in enumerate(doubtful, 1)}
    truth = Counter(what[:2] for what, was in doubtful if was)
    assert Counter(classes[number] for number in there if number < 50) == truth
    assert set(there) | absent == {item.id for item in (*in_doubt, *without_key)}


case = st.tuples(
    st.lists(st.tuples(message, st.integers(1, 4)), max_size=4),
    st.lists(st.tuples(message, st.integers(1, 4)), max_size=2),
    st.lists(st.tuples(message, st.integers(0, 1), st.booleans()), max_size=4),
)


@given(case)
@settings(max_examples=800, deadline=None)
def test_an_answer_is_one_to_one_complete_and_takes_only_what_fits(
    given_case: tuple[
        list[tuple[tuple[int, int, int], int]],
        list[tuple[tuple[int, int, int], int]],
        list[tuple[tuple[int, int, int], int, bool]],
    ],
) -> None:
    doubtful, keyless, strangers = given_case
    in_doubt = [
        entry(number, prints(header, body), floor=floor, at=at)
        for number, ((header, body, at), floor) in enumerate(doubtful, 1)
    ]
    without_key = [
        entry(50 + number, prints(header, body), keyless=True, floor=floor, at=at)
        for number, ((header, body, at), floor) in enumerate(keyless)
    ]
    candidates = [
        found(number, prints(header, body, alteration, known=known), at=at)
        for number, ((header, body, at), alteration, known) in enumerate(strangers, 1)
    ]
    answer = settle(in_doubt, without_key, candidates)
    there, absent, ambiguous = ids(answer)
    by_key = {candidate.key: candidate for candidate in candidates}
    assert len(set(there.values())) == len(there)
    assert len(answer.there) == len(there)
    assert {item.id for item in in_doubt} == {number for number in there if number < 50} | absent | ambiguous
    assert not absent & ambiguous
    assert not (absent | ambiguous) & set(there)
    for item, key in answer.there:
        candidate = by_key[key]
        assert key.uid >= item.floor
        same_date = item.instant == candidate.instant
        assert (
            item.prints.digest == candidate.prints.digest
            or item.prints.soft == candidate.prints.soft
            or (item.prints.header == candidate.prints.header and (same_date or item.stand is Stand.CONFIRMED))
        )
    left = [candidate for candidate in candidates if candidate.key.uid not in there.values()]
    for item in answer.absent:
        for candidate in left:
            assert candidate.key.uid < item.floor or candidate.prints.header != item.prints.header


def most(entries: list[Entry], candidates: list[Candidate]) -> int:
    """Brute force: how many entries can have a candidate of their own, of equal digest and not below their floor?"""
    best = 0
    padded = [*candidates, *[None] * len(entries)]
    for chosen in permutations(padded, len(entries)):
        fits = sum(
            candidate is not None and candidate.key.uid >= item.floor and candidate.prints.digest == item.prints.digest
            for item, candidate in zip(entries, chosen, strict=True)
        )
        best = max(best, fits)
    return best


@given(
    floors=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), max_size=3),
    uids=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), max_size=3, unique_by=lambda pair: pair[1]),
)
@settings(max_examples=200, deadline=None)
def test_of_exact_twins_as_many_are_confirmed_as_brute_force_can_match(
    floors: list[tuple[int, int]], uids: list[tuple[int, int]]
) -> None:
    entries = [entry(number, prints(kind, 0), floor=floor) for number, (kind, floor) in enumerate(floors, 1)]
    candidates = [found(uid, prints(kind, 0)) for kind, uid in uids]
    there, _, _ = ids(settle(entries, [], candidates))
    assert len(there) == most(entries, candidates)
