"""The corpus is what the other tests stand on: it must hold what it says."""

import re
from itertools import islice

import pytest

from tests.corpus import (
    DOVECOT_ALTERS,
    DOVECOT_REFUSES,
    PYMAP_ALTERS,
    PYMAP_HANGS,
    PYMAP_REFUSES,
    as_dovecot_keeps,
    as_pymap_keeps,
    nasty_messages,
    realistic_corpus,
)

NASTY = dict(nasty_messages())


def test_the_catalogue_has_at_least_150_entries_with_names_of_their_own() -> None:
    assert len(NASTY) == len(nasty_messages()) >= 150


def test_the_catalogue_is_the_same_every_time() -> None:
    assert nasty_messages() == list(NASTY.items())


def test_only_twins_share_their_octets() -> None:
    assert len(set(NASTY.values())) == len(NASTY) - 1
    assert NASTY["twin-0"] == NASTY["twin-1"]


def test_the_same_header_and_size_may_hide_different_bodies() -> None:
    one, other = NASTY["same-header-same-size-0"], NASTY["same-header-same-size-1"]
    assert one != other
    assert len(one) == len(other)
    assert one.partition(b"\r\n\r\n")[0] == other.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "name,mark",
    [
        ("nul-in-body", b"\0"),
        ("cr-cr-lf-in-body", b"\r\r\n"),
        ("imap-commands-as-body", b"\r\na3 EXPUNGE\r\n"),
        ("looks-like-literal-huge", b"\r\n{9999999}\r\n"),
        ("body-line-of-1048576", b"x" * (1 << 20)),
        ("raw-shift-jis", "日本語".encode("shift-jis")),
        ("received-300", b"by b299.example"),
    ],
)
def test_an_entry_holds_what_its_name_says(name: str, mark: bytes) -> None:
    assert mark in NASTY[name]


def test_messages_of_a_size_have_that_size() -> None:
    sizes = {name: int(name.rpartition("-")[2]) for name in NASTY if name.startswith("message-of-")}
    assert sizes
    assert sizes == {name: len(NASTY[name]) for name in sizes}


def test_what_servers_do_is_told_of_known_entries_only() -> None:
    assert {*DOVECOT_ALTERS, *DOVECOT_REFUSES, *PYMAP_ALTERS, *PYMAP_REFUSES, *PYMAP_HANGS} <= NASTY.keys()


def test_the_model_of_dovecot_agrees_with_what_was_measured() -> None:
    altered = {name for name, octets in NASTY.items() if as_dovecot_keeps(octets) != octets}
    assert altered - DOVECOT_REFUSES.keys() == DOVECOT_ALTERS.keys()


def test_the_model_of_pymap_agrees_with_what_was_measured() -> None:
    altered = {name for name, octets in NASTY.items() if as_pymap_keeps(octets) != octets}
    assert altered - PYMAP_REFUSES.keys() == PYMAP_ALTERS.keys()


def test_the_stream_repeats_itself_for_the_same_seed_only() -> None:
    assert list(realistic_corpus(300, 7, max_size=20_000)) == list(realistic_corpus(300, 7, max_size=20_000))
    assert list(realistic_corpus(300, 7, max_size=20_000)) != list(realistic_corpus(300, 8, max_size=20_000))


def test_the_stream_is_lazy() -> None:
    assert len(list(islice(realistic_corpus(10**9), 3))) == 3


def test_sizes_are_those_of_a_real_mailbox() -> None:
    sizes = sorted(map(len, realistic_corpus(3_000, 5)))
    assert 5_000 < sizes[1_500] < 11_000
    assert 1_000_000 < sizes[-1] <= 4_000_000


def test_no_message_is_larger_than_asked_for() -> None:
    assert max(map(len, realistic_corpus(2_000, 5, max_size=20_000))) <= 20_000


def test_shares_of_twins_and_of_missing_message_ids_are_kept() -> None:
    found = list(realistic_corpus(4_000, 3, max_size=8_000))
    assert 50 < len(found) - len(set(found)) < 120
    assert 80 < sum(b"\r\nMessage-ID: " not in octets for octets in found) < 170
    without = list(realistic_corpus(1_000, 3, max_size=8_000, twins=0, without_id=0))
    assert len(set(without)) == 1_000
    assert all(b"\r\nMessage-ID: " in octets for octets in without)


def test_realistic_mail_passes_dovecot_and_pymap_unchanged() -> None:
    for octets in realistic_corpus(1_000, 9, max_size=50_000):
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", octets)
        assert as_dovecot_keeps(octets) == as_pymap_keeps(octets) == octets
