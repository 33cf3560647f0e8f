"""What may be deleted at a POP3 server: only what is proven, named beyond doubt and old enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.errors import UsageError
from migrator.planning.leaving import KEEP_ALL, Decision, Held, Leaving, Stays, decide
from migrator.ports import Listed

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
AT_ONCE = Leaving(0)


def held(size: int = 100, *, days: float = 20, whole: bool = True) -> Held:
    return Held(size, NOW - timedelta(days=days), whole)


def names(decision: Decision) -> list[str]:
    return [row.uidl for row in decision.remove]


def test_the_default_deletes_nothing_at_all() -> None:
    decision = decide([Listed(1, "a", 100)], {"a": held()}, KEEP_ALL, NOW)
    assert (names(decision), decision.kept) == ([], {"keep_all": 1})


def test_what_is_proven_goes_and_every_other_one_has_its_reason() -> None:
    rows = [Listed(number, f"u{number}x", 100) for number in range(1, 31)] + [
        Listed(31, "", 100), Listed(32, "32", 100), Listed(33, "same", 100), Listed(34, "same", 100),
        Listed(35, "nobody", 100), Listed(36, "other", 101), Listed(37, "open", 100), Listed(38, "torn", 100),
        Listed(39, "silent", None), Listed(40, "sha256:12/1", 100), Listed(41, "uidl-sha256:12", 100),
        Listed(42, "unread:42", 100), Listed(43, "a b", 100), Listed(44, "x" * 201, 100),
    ]  # fmt: skip
    has = {row.uidl: held() for row in rows if row.uidl != "nobody"}
    has |= {"open": Held(100, None, whole=True), "torn": held(whole=False)}
    decision = decide(rows, has, AT_ONCE, NOW)
    assert names(decision) == [f"u{number}x" for number in range(1, 31)]
    assert {row.number: reason for row, reason in decision.stays} == {
        31: Stays.NO_UIDL, 32: Stays.NO_UIDL, 33: Stays.NOT_UNIQUE, 34: Stays.NOT_UNIQUE, 35: Stays.NOT_ARCHIVED,
        36: Stays.DIFFERS, 37: Stays.PASS_NOT_COMPLETE, 38: Stays.UNREADABLE, 39: Stays.DIFFERS, 40: Stays.NO_UIDL,
        41: Stays.NO_UIDL, 42: Stays.NO_UIDL, 43: Stays.NO_UIDL, 44: Stays.NO_UIDL,
    }  # fmt: skip
    assert sum(decision.kept.values()) + len(decision.remove) == len(rows)


@pytest.mark.parametrize(
    ("days", "age", "goes"),
    [
        (14, 14, True),
        (14, 13.9, False),
        (30, 31, True),
        (1, 0.5, False),
        (0, 0, True),
        (0, -1, True),
        (30, -400, False),
    ],
)
def test_days_are_counted_from_the_end_of_the_pass_that_collected_it(days: int, age: float, goes: bool) -> None:
    decision = decide([Listed(1, "a", 100)], {"a": held(days=age)}, Leaving(days), NOW)
    assert names(decision) == (["a"] if goes else [])
    assert decision.kept == ({} if goes else {"too_young": 1})


@pytest.mark.parametrize(("announced", "goes"), [(100, True), (98, True), (99, False), (102, False), (96, False)])
def test_one_line_end_that_the_server_added_and_did_not_count_is_no_difference(announced: int, goes: bool) -> None:
    assert bool(decide([Listed(1, "a", announced)], {"a": held(100)}, AT_ONCE, NOW).remove) is goes


@pytest.mark.parametrize(("differing", "goes"), [(0, 20), (2, 18), (3, 0)])
def test_where_many_uidls_name_other_messages_equal_sizes_prove_nothing(differing: int, goes: int) -> None:
    rows = [Listed(number, f"u{number}x", 500 if number <= differing else 100) for number in range(1, 21)]
    decision = decide(rows, {row.uidl: held() for row in rows}, AT_ONCE, NOW)
    assert len(decision.remove) == goes
    assert decision.kept.get("archive_differs", 0) == 20 - goes


def test_a_uidl_that_many_share_says_nothing_of_the_others() -> None:
    rows = [Listed(1, "good", 100), *(Listed(number, "same", number) for number in range(2, 30))]
    assert names(decide(rows, {"good": held(), "same": held()}, AT_ONCE, NOW)) == ["good"]


@pytest.mark.parametrize("days", [-1, 3651])
def test_a_policy_beyond_reason_is_refused(days: int) -> None:
    with pytest.raises(UsageError, match="0 to 3650 days"):
        Leaving(days)
