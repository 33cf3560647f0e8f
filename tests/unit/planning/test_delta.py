"""One row, one verdict; flags are merged three ways."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.messages import MessageKey, Prints, Row
from migrator.planning.batches import BATCH_MESSAGES, BATCH_OCTETS, is_full
from migrator.planning.delta import Verdict, decide
from migrator.ports import Entry, How, Stand

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "$Work", "Privat")
some_flags = st.frozensets(st.sampled_from(FLAGS))
PRINTS = Prints(b"d", b"s", b"h", b"i", 10, delicate=False)


def row(flags: frozenset[str] = frozenset(), size: int = 10) -> Row:
    return Row(MessageKey(1, 1), size, flags, datetime(2001, 1, 1, tzinfo=UTC))


def entry(
    stand: Stand, flags: frozenset[str] = frozenset(), how: How | None = How.APPENDED, ours: bool = True
) -> Entry:
    return Entry(1, MessageKey(1, 1), stand, PRINTS, None, flags, 1, MessageKey(2, 1), how, ours)


@given(base=some_flags, now=some_flags, theirs=some_flags)
def test_only_what_changed_at_the_source_changes_at_the_target(
    base: frozenset[str], now: frozenset[str], theirs: frozenset[str]
) -> None:
    decision = decide(row(now), entry(Stand.CONFIRMED, base), max_octets=None)
    merged = (theirs | decision.add) - decision.remove
    for flag in FLAGS:
        changed = (flag in base) != (flag in now)
        assert (flag in merged) == ((flag in now) if changed else (flag in theirs))


@given(some_flags)
def test_flags_that_did_not_change_cause_nothing(flags: frozenset[str]) -> None:
    decision = decide(row(flags | {"\\Recent"}), entry(Stand.CONFIRMED, flags), max_octets=None)
    assert not decision.add
    assert not decision.remove


@pytest.mark.parametrize(
    "known,verdict",
    [
        (None, Verdict.CARRY),
        (entry(Stand.INTENDED), Verdict.IN_FLIGHT),
        (entry(Stand.REFUSED), Verdict.FAILED),
        (entry(Stand.CONFIRMED), Verdict.COPIED),
        (entry(Stand.CONFIRMED, how=How.RECOVERED), Verdict.COPIED),
        (entry(Stand.CONFIRMED, how=How.ADOPTED), Verdict.ALREADY_THERE),
        (entry(Stand.CONFIRMED, ours=False), Verdict.ALREADY_THERE),
    ],
)
def test_every_stand_of_an_entry_has_its_verdict(known: Entry | None, verdict: Verdict) -> None:
    assert decide(row(), known, max_octets=None).verdict is verdict


def test_what_a_person_calls_too_big_is_skipped_unless_it_is_there_already() -> None:
    decision = decide(row(size=11), None, max_octets=10)
    assert (decision.verdict, decision.rule) == (Verdict.SKIP, "larger than 10 octets")
    assert decide(row(size=10), None, max_octets=10).verdict is Verdict.CARRY
    assert decide(row(size=11), entry(Stand.CONFIRMED), max_octets=10).verdict is Verdict.COPIED


def test_a_batch_is_full_by_octets_or_messages_and_a_giant_travels_alone() -> None:
    assert not is_full(0, 0, 10**12)
    assert is_full(1, 1, BATCH_OCTETS)
    assert not is_full(1, 1, BATCH_OCTETS - 1)
    assert is_full(1, BATCH_MESSAGES, 1)
