"""What will not fit is known before the job starts; what nobody says leads to no finding, or to one that says so."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.folders import INBOX, FolderInfo, FolderPath
from migrator.planning.limits import (
    Burden,
    Code,
    Finding,
    Large,
    Largest,
    Place,
    Quota,
    Severity,
    finding_text,
    findings,
    size_text,
)
from migrator.ports import FolderPair

MB, GB = 10**6, 10**9


def folder(name: str, messages: int | None = 1, octets: int | None = None) -> FolderInfo:
    return FolderInfo(name, tuple(name.split("/")), messages=messages, octets=octets)


def pair(name: str, messages: int | None = 1, octets: int | None = None, to: FolderPath = ()) -> FolderPair:
    info = folder(name, messages, octets)
    return FolderPair(info, to or info.path, None)


def only(burden: Burden, place: Place | None) -> Finding:
    (found,) = findings(burden, place)
    return found


def codes(burden: Burden, place: Place | None) -> list[Code]:
    return [found.code for found in findings(burden, place)]


EMPTY = (folder("INBOX", 0, 0),)


# ---- quota ---------------------------------------------------------------------------------------------------------


def test_more_than_is_free_in_an_empty_mailbox_will_not_fit_and_both_numbers_are_told() -> None:
    found = only(Burden(6 * GB), Place(EMPTY, storage=Quota(0, 4 * GB)))
    assert (found.code, found.severity) == (Code.QUOTA_TOO_SMALL, Severity.WILL_NOT_FIT)
    assert (found.number, found.limit) == (6 * GB, 4 * GB)
    assert "6.0 GB are to come, and only 4.0 GB are free" in finding_text(found)[0]


def test_the_quota_that_is_asked_for_leaves_a_tenth_free() -> None:
    found = only(Burden(9 * GB), Place(EMPTY, storage=Quota(0, 4 * GB)))
    assert found.wanted == 10 * GB
    assert findings(Burden(9 * GB), Place(EMPTY, storage=Quota(0, found.wanted))) == ()
    assert only(Burden(12_277 * MB), Place(EMPTY, storage=Quota(0, 4 * GB))).wanted == 14 * GB


@given(coming=st.integers(1_000, 2**50), used=st.integers(0, 2**40))
def test_with_the_quota_that_is_asked_for_as_people_read_it_all_fits(coming: int, used: int) -> None:
    found = only(Burden(coming), Place(EMPTY, storage=Quota(used, 1)))
    number, unit = finding_text(found)[1].split()[-3:-1]
    typed = float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert typed == pytest.approx(found.wanted)
    assert findings(Burden(coming), Place(EMPTY, storage=Quota(used, found.wanted))) == ()


def test_filling_above_ninety_percent_is_tight() -> None:
    found = only(Burden(6 * GB), Place(EMPTY, storage=Quota(4 * GB, 11 * GB)))
    assert (found.code, found.severity) == (Code.QUOTA_TIGHT, Severity.LOOK)
    assert codes(Burden(6 * GB), Place(EMPTY, storage=Quota(3 * GB, 10 * GB))) == []


def test_what_earlier_jobs_have_carried_does_not_come_again() -> None:
    there = (folder("INBOX", 100),)
    place = Place(there, storage=Quota(5 * GB, 7 * GB))
    assert codes(Burden(6 * GB, carried=5 * GB), place) == []
    assert only(Burden(9 * GB, carried=5 * GB), place).number == 4 * GB
    assert codes(Burden(5 * GB, carried=6 * GB), place) == []


def test_what_others_may_have_brought_there_makes_it_uncertain() -> None:
    there = (folder("INBOX", 100),)
    maybe = only(Burden(6 * GB), Place(there, storage=Quota(5 * GB, 8 * GB)))
    assert (maybe.code, maybe.severity) == (Code.QUOTA_TOO_SMALL, Severity.LOOK)
    assert finding_text(maybe)[0].startswith("Up to 6.0 GB are to come")
    certain = only(Burden(9 * GB), Place(there, storage=Quota(5 * GB, 8 * GB)))
    assert certain.severity is Severity.WILL_NOT_FIT


def test_a_mailbox_whose_messages_nobody_counts_may_hold_some() -> None:
    there = (folder("INBOX", None), FolderInfo("Box", ("Box",), selectable=False))
    assert only(Burden(6 * GB), Place(there, storage=Quota(5 * GB, 8 * GB))).severity is Severity.LOOK
    nothing = (folder("INBOX", 0), FolderInfo("Box", ("Box",), selectable=False))
    assert only(Burden(6 * GB), Place(nothing, storage=Quota(5 * GB, 8 * GB))).severity is Severity.WILL_NOT_FIT


def test_a_size_that_is_only_about_right_is_never_certain() -> None:
    found = only(Burden(6 * GB, exact=False), Place(EMPTY, storage=Quota(0, 4 * GB)))
    assert (found.code, found.severity) == (Code.QUOTA_TOO_SMALL, Severity.LOOK)


def test_a_size_that_nobody_says_is_told_where_there_is_a_quota_and_only_there() -> None:
    assert only(Burden(None), Place(EMPTY, storage=Quota(GB, 4 * GB))).code is Code.SIZE_NOT_KNOWN
    assert codes(Burden(None), Place(EMPTY)) == []


def test_more_messages_than_the_quota_bears_will_not_fit() -> None:
    found = only(Burden(0, messages=900), Place(EMPTY, messages=Quota(200, 1000)))
    assert (found.code, found.severity, found.limit) == (Code.TOO_MANY_MESSAGES, Severity.WILL_NOT_FIT, 800)
    assert codes(Burden(0, messages=800), Place(EMPTY, messages=Quota(200, 1000))) == []
    assert only(Burden(0, exact=False, messages=900), Place(EMPTY, messages=Quota(200, 1000))).severity is Severity.LOOK


# ---- the largest messages ------------------------------------------------------------------------------------------

PAIRS = (pair("INBOX", 10, 90 * MB), pair("Scans", 10, 900 * MB))


def test_messages_above_the_limit_are_counted_and_named_the_largest_first() -> None:
    named = (Large("Scans", "7/2", 80 * MB), Large("INBOX", "1/9", 60 * MB), Large("Scans", "7/1", 30 * MB))
    found = only(Burden(None, pairs=PAIRS, largest=Largest(10 * MB, named)), Place(EMPTY, max_octets=50 * MB))
    assert (found.code, found.severity) == (Code.MESSAGES_TOO_BIG, Severity.WILL_NOT_FIT)
    assert (found.number, found.limit, found.at_least) == (2, 50 * MB, False)
    assert [one.key for one in found.large] == ["7/2", "1/9"]


def test_at_most_twenty_are_named_and_all_are_counted() -> None:
    named = tuple(Large("Scans", f"7/{number}", 60 * MB) for number in range(30))
    found = only(Burden(None, pairs=PAIRS, largest=Largest(10 * MB, named)), Place(EMPTY, max_octets=50 * MB))
    assert (found.number, len(found.large)) == (30, 20)


def test_a_message_of_exactly_the_limit_fits() -> None:
    largest = Largest(10 * MB, (Large("INBOX", "1/1", 50 * MB),))
    assert codes(Burden(None, pairs=PAIRS, largest=largest), Place(EMPTY, max_octets=50 * MB)) == []


def test_those_that_could_not_be_named_make_the_number_a_lower_bound() -> None:
    largest = Largest(10 * MB, (Large("Scans", "7/1", 60 * MB),), more=5)
    assert only(Burden(None, pairs=PAIRS, largest=largest), Place(EMPTY, max_octets=50 * MB)).at_least
    assert codes(Burden(None, pairs=PAIRS, largest=largest), Place(EMPTY, max_octets=70 * MB)) == []


def test_messages_of_folders_that_stay_behind_do_not_count() -> None:
    largest = Largest(10 * MB, (Large("Spam", "3/1", 80 * MB),))
    assert codes(Burden(None, pairs=PAIRS, largest=largest), Place(EMPTY, max_octets=50 * MB)) == []


def test_each_folder_may_have_a_limit_of_its_own_and_a_new_one_is_as_the_inbox() -> None:
    there = (folder("INBOX", 0), folder("Free", 0))
    place = Place(there, max_octets_in={INBOX: 20 * MB})
    pairs = (pair("INBOX"), pair("Free"), pair("Made"))
    named = tuple(Large(name, "1/1", 30 * MB) for name in ("INBOX", "Free", "Made"))
    found = only(Burden(None, pairs=pairs, largest=Largest(10 * MB, named)), place)
    assert {one.folder for one in found.large} == {"INBOX", "Made"}


@pytest.mark.parametrize(
    "largest",
    [None, Largest(10 * MB, unknown=frozenset({"INBOX", "Scans"})), Largest(60 * MB)],
    ids=["not asked", "not answered", "asked for larger ones only"],
)
def test_where_the_old_server_does_not_say_that_is_told_and_small_folders_are_left_out(largest: Largest | None) -> None:
    pairs = (*PAIRS, pair("Empty", 0), pair("Small", 10, 40 * MB))
    found = only(Burden(None, pairs=pairs, largest=largest), Place(EMPTY, max_octets=50 * MB))
    assert (found.code, found.severity) == (Code.LARGEST_NOT_KNOWN, Severity.LOOK)
    assert found.folders == ("INBOX", "Scans")


def test_without_a_limit_nobody_asks_how_large_messages_are() -> None:
    assert codes(Burden(None, pairs=PAIRS), Place(EMPTY)) == []


# ---- folders -------------------------------------------------------------------------------------------------------


def test_folders_that_are_there_and_those_to_be_made_count_together_with_their_parents() -> None:
    there = tuple(folder(name, 0) for name in ("INBOX", "Gesendet", "Papierkorb"))
    pairs = (pair("INBOX"), pair("Sent", to=("Gesendet",)), pair("A/B/C"))
    place = Place(there, provider="GMX", most_folders=5)
    found = only(Burden(None, pairs=pairs), place)
    assert (found.code, found.severity, found.number, found.limit) == (Code.TOO_MANY_FOLDERS, Severity.LOOK, 6, 5)
    assert "GMX allows 5" in finding_text(found)[0]
    assert codes(Burden(None, pairs=pairs), dataclasses.replace(place, most_folders=6)) == []


def test_a_number_of_folders_that_the_server_itself_says_is_certain() -> None:
    found = only(Burden(None, pairs=(pair("A"), pair("B"))), Place(EMPTY, mailboxes=Quota(9, 10)))
    assert (found.severity, found.number, found.limit) == (Severity.WILL_NOT_FIT, 11, 10)


def test_where_nothing_is_made_there_are_not_too_many_folders() -> None:
    there = tuple(folder(f"F{number}", 0) for number in range(30))
    assert codes(Burden(None, pairs=(pair("F1"),)), Place(there, provider="GMX", most_folders=20)) == []


def test_folders_that_lie_too_deep_are_named() -> None:
    pairs = (pair("A/B/C"), pair("A/B/C/D"), pair("A/B/C/D/E"))
    found = only(Burden(None, pairs=pairs), Place(EMPTY, provider="GMX", levels=3))
    assert (found.code, found.severity, found.number) == (Code.FOLDERS_TOO_DEEP, Severity.LOOK, 2)
    assert found.folders == ("A/B/C/D", "A/B/C/D/E")


# ---- numbers that are too round ------------------------------------------------------------------------------------


def test_a_folder_of_exactly_a_thousand_looks_capped_even_before_the_new_server_is_known() -> None:
    pairs = (pair("INBOX", 1_000), pair("Sent", 1_001), pair("Old", 999), pair("None", None))
    found = only(Burden(None, pairs=pairs, caps=(1_000,)), None)
    assert (found.code, found.severity, found.folder, found.number) == (
        Code.COUNT_LOOKS_CAPPED, Severity.LOOK, "INBOX", 1_000,
    )  # fmt: skip


# ---- all of it -----------------------------------------------------------------------------------------------------


def test_what_will_not_fit_stands_first() -> None:
    burden = Burden(6 * GB, pairs=(pair("INBOX", 1_000), pair("A/B")), caps=(1_000,))
    place = Place(EMPTY, storage=Quota(0, GB), provider="GMX", levels=1)
    assert codes(burden, place) == [Code.QUOTA_TOO_SMALL, Code.FOLDERS_TOO_DEEP, Code.COUNT_LOOKS_CAPPED]


@given(
    code=st.sampled_from(Code), severity=st.sampled_from(Severity), number=st.integers(0, 2**50),
    limit=st.integers(0, 2**50), least=st.booleans(), provider=st.sampled_from(["", "GMX"]),
)  # fmt: skip
def test_every_finding_has_a_sentence_and_says_what_to_do(
    code: Code, severity: Severity, number: int, limit: int, least: bool, provider: str
) -> None:
    found = Finding(code, severity, "INBOX", number=number, limit=limit, at_least=least, provider=provider)
    for text in finding_text(found):
        assert text.endswith(".")
        assert "{" not in text


@given(
    coming=st.integers(0, 2 * GB), carried=st.integers(0, 2 * GB), used=st.integers(0, 2 * GB),
    limit=st.integers(1, 2 * GB), empty=st.booleans(),
)  # fmt: skip
def test_no_word_on_the_quota_means_that_all_fits_with_a_tenth_left(
    coming: int, carried: int, used: int, limit: int, empty: bool
) -> None:
    place = Place(EMPTY if empty else (folder("INBOX", 1),), storage=Quota(used, limit))
    found = findings(Burden(coming, carried=carried), place)
    left = max(0, coming - carried)
    if left and not found:
        assert used + left <= 0.9 * limit
    if found and found[0].severity is Severity.WILL_NOT_FIT:
        assert used + left > limit


# ---- exactly at the edge -------------------------------------------------------------------------------------------


def test_as_many_folders_as_the_server_allows_fit() -> None:
    burden = Burden(0, pairs=(pair("A"), pair("B")))
    assert findings(burden, Place((), mailboxes=Quota(3, 5))) == ()
    assert codes(burden, Place((), mailboxes=Quota(4, 5))) == [Code.TOO_MANY_FOLDERS]


def test_exactly_what_is_free_is_tight_and_not_too_much() -> None:
    place = Place((folder("INBOX", 1, 0),), storage=Quota(1 * GB, 3 * GB))
    assert codes(Burden(2 * GB), place) == [Code.QUOTA_TIGHT]
    assert codes(Burden(2 * GB + 1), place) == [Code.QUOTA_TOO_SMALL]


def test_the_number_of_large_messages_is_a_lower_bound_only_where_some_were_left_out() -> None:
    large = (Large("A", "1/1", 20 * MB),)
    for more, least in ((0, False), (1, True)):
        burden = Burden(0, pairs=(pair("A"),), largest=Largest(10 * MB, large, more))
        found = only(burden, Place((), max_octets=10 * MB))
        assert found.at_least is least
        assert finding_text(found)[0].startswith("At least ") is least


@pytest.mark.parametrize(("number", "words"), [(1, "in 1 folder the"), (2, "in 2 folders the")])
def test_one_folder_is_one_folder(number: int, words: str) -> None:
    burden = Burden(0, pairs=tuple(pair(name) for name in "AB"[:number]))
    assert words in finding_text(only(burden, Place((), max_octets=10)))[0]


def test_who_allows_so_few_folders_is_said() -> None:
    burden = Burden(0, pairs=(pair("A"), pair("B")))
    by_server = only(burden, Place((), mailboxes=Quota(0, 1)))
    by_provider = only(burden, Place((), most_folders=1, provider="GMX"))
    assert finding_text(by_server)[0] == "There would be 2 folders, and the new server allows 1."
    assert finding_text(by_provider)[0] == "There would be 2 folders, and GMX allows 1 in its smallest tariff."


@pytest.mark.parametrize(
    ("octets", "text"),
    [(1_000, "1.0 kB"), (99_900, "99.9 kB"), (99_950, "100 kB"), (999_400, "999 kB"), (999_500, "1.0 MB"),
     (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_sizes_are_told_in_steps_of_a_thousand(octets: int, text: str) -> None:
    assert size_text(octets) == text
