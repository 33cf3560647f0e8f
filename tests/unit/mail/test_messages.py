"""Prints: the same whatever the pieces, and forgiving of exactly what targets are known to alter."""

from __future__ import annotations

import hashlib
import re
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.mail import messages
from migrator.mail.messages import (
    HEAD_OCTETS,
    MessageKey,
    Prints,
    find_message_id,
    header_block,
    plain_prints,
    take_prints,
)
from migrator.sessions.memory import altered_as_cyrus_does, altered_as_dovecot_does
from tests.corpus import DOVECOT_ALTERS, as_dovecot_keeps, nasty_messages

NASTY = [(name, octets) for name, octets in nasty_messages() if octets]


def prints(octets: bytes, step: int = 1 << 20) -> Prints:
    return take_prints(octets[:HEAD_OCTETS], [octets[at : at + step] for at in range(0, len(octets), step)])


tricky = st.binary(max_size=60) | st.lists(
    st.sampled_from((b"\r", b"\n", b"\0", b"a", b"Message-ID: <x>", b" ", b":", b"\xfc")), max_size=30
).map(b"".join)


@given(octets=tricky, step=st.integers(1, 7))
def test_the_pieces_in_which_a_message_comes_do_not_matter(octets: bytes, step: int) -> None:
    assert prints(octets, step) == prints(octets)
    assert prints(octets).digest == hashlib.sha256(octets).digest()
    assert prints(octets).size == len(octets)


@given(octets=tricky, step=st.integers(1, 7), piece=st.integers(1, 7))
def test_the_forgiving_prints_are_what_they_are_said_to_be(octets: bytes, step: int, piece: int) -> None:
    with mock.patch.object(messages, "PIECE_OCTETS", piece):
        found = prints(octets, step)
    header, end, body = octets.replace(b"\r", b"").partition(b"\n\n")
    kept = re.sub(rb"[\0\x80-\xff]", b"X", header) + end + body.replace(b"\0", b"\x80")
    assert found.soft == hashlib.sha256(kept.replace(b"\n", b"")).digest()
    assert found.delicate == (re.search(rb"\0|\r\r|\r\Z|(?<!\r)\n", octets) is not None)


lines = st.lists(
    st.sampled_from((b"\r\n", b"\r\n", b"a", b"Message-ID: <x>", b" ", b"\r", b"\n", b"\0", b"\xfc")), max_size=12
).map(b"".join)


@given(
    octets=tricky | lines | lines.map(lambda made: made + b"\r\n"),
    step=st.integers(1, 7),
    piece=st.integers(1, 7),
    any_header=st.booleans(),
)
def test_a_plain_message_is_one_that_nobody_alters_and_its_prints_are_the_same(
    octets: bytes, step: int, piece: int, any_header: bool
) -> None:
    pieces = [octets[at : at + step] for at in range(0, len(octets), step)]
    with mock.patch.object(messages, "PIECE_OCTETS", piece):
        found = plain_prints(header_block(octets[:HEAD_OCTETS]), pieces, any_header=any_header)
    plain = octets.endswith(b"\n") and re.search(rb"\0|\r(?!\n)|(?<!\r)\n", octets) is None
    plain = plain and (any_header or octets.partition(b"\r\n\r\n")[0].isascii())
    assert (found is not None) == plain
    if found is not None:
        whole = prints(octets)
        assert found == whole._replace(soft=whole.digest)
        assert not whole.delicate
        assert altered_as_dovecot_does(octets) == octets


blocks = st.builds(
    lambda length, count: (b"A" * length + b"\r\n") * count, st.sampled_from((0, 1, 30, 37, 76)), st.integers(1, 300)
)
spoils = st.tuples(
    st.integers(0, 1000),
    st.sampled_from((-20, -2, -1, 0, 1)),
    st.sampled_from((b"\r", b"\n", b"\0", b"A", b"\r\n", b"\n\r", b"A\r\n")),
    st.booleans(),
)


@settings(max_examples=500)
@given(even=st.lists(blocks, max_size=4), spoils=st.lists(spoils, max_size=3), piece=st.sampled_from((5000, 1 << 17)))
def test_what_is_wrong_with_a_line_end_is_seen_among_thousands_of_even_lines_too(
    even: list[bytes], spoils: list[tuple[int, int, bytes, bool]], piece: int
) -> None:
    octets = b"".join(even)
    ends = [found.start() for found in re.finditer(b"\n", octets)]
    for line, offset, put, instead in spoils if ends else ():
        at = max(0, ends[line % len(ends)] + offset)
        octets = octets[:at] + put + octets[at + len(put) * instead :]
    with mock.patch.object(messages, "PIECE_OCTETS", piece):
        found = plain_prints(header_block(octets[:HEAD_OCTETS]), [octets])
    assert (found is not None) == bool(re.fullmatch(rb"(?:[^\r\n\0]*+\r\n)++", octets))


@given(tricky)
def test_the_forgiving_digest_survives_what_dovecot_does_and_the_message_is_marked_delicate(octets: bytes) -> None:
    altered = altered_as_dovecot_does(octets)
    assert prints(altered).soft == prints(octets).soft
    assert altered == octets or prints(octets).delicate


@given(tricky | lines)
def test_the_forgiving_prints_survive_what_cyrus_does_and_the_message_is_suspect(octets: bytes) -> None:
    octets = re.sub(rb"[\r\0]", b"", octets).replace(b"\n", b"\r\n")  # others it refuses
    altered = altered_as_cyrus_does(octets)
    assert (prints(altered).soft, prints(altered).header) == (prints(octets).soft, prints(octets).header)
    assert altered == octets or plain_prints(header_block(octets[:HEAD_OCTETS]), [octets]) is None
    assert altered == octets or prints(octets).suspect


@pytest.mark.parametrize("name,octets", NASTY, ids=[name for name, _ in NASTY])
def test_the_forgiving_digest_survives_dovecot_for_the_whole_catalogue(name: str, octets: bytes) -> None:
    kept = as_dovecot_keeps(octets)
    assert prints(kept).soft == prints(octets).soft
    if kept != octets:
        assert name in DOVECOT_ALTERS
        assert prints(octets).delicate or len(kept) != len(octets), "a change that no listing shows must be marked"


def test_near_twins_differ_in_every_digest_of_their_octets() -> None:
    one, other = prints(b"Subject: a\r\n\r\nrot"), prints(b"Subject: a\r\n\r\ntau")
    assert one.digest != other.digest
    assert one.soft != other.soft
    assert (one.header, one.message_id) == (other.header, other.message_id)


@pytest.mark.parametrize(
    "octets,expected",
    [
        (b"A: b\r\n\r\nbody", b"A: b"),
        (b"A: b\n\nbody", b"A: b"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"", b""),
    ],
)
def test_the_header_ends_at_the_first_empty_line(octets: bytes, expected: bytes) -> None:
    assert header_block(octets) == expected


@pytest.mark.parametrize(
    "header,expected",
    [
        (b"Message-ID: <a@b>", b"<a@b>"),
        (b"mEsSaGe-iD : <a@b>", b"<a@b>"),
        (b"Message-ID:\r\n <folded@b>", b"<folded@b>"),
        (b"Message-ID:\r\n\t<folded@b>", b"<folded@b>"),
        (b"Message-ID: <first>\r\nMessage-ID: <second>", b"<first>"),
        (b"X: Message-ID: <no>", b""),
        (b"X: Message-ID: <no>\r\nMessage-ID: <b>", b"<b>"),
        (b"X-Message-ID: <no>\r\n message-id: <no>\r\n Message-ID : <no>\r\n\tx", b""),
        (b"A: b\n message-id: <c>", b"<c>"),
        (b"A: b\nMessage-ID: <c>\rD: e", b"<c>"),
        (b"Message-ID: <a\r\n @b>\r\nX: y", b"<a @b>"),
        (b"Message-ID:", b""),
        (b"", b""),
    ],
)
def test_the_message_id_is_the_first_fields_value(header: bytes, expected: bytes) -> None:
    assert find_message_id(header) == expected


def test_a_message_without_message_id_has_no_print_of_it() -> None:
    assert prints(b"Subject: a\r\n\r\nx").message_id == b""
    assert len(prints(b"Message-ID: <a>\r\n\r\nx").message_id) == 32


def test_a_key_is_shown_as_people_write_it() -> None:
    assert str(MessageKey(7, 9)) == "7/9"
    assert str(MessageKey(0, 0, "uidl-1")) == "uidl-1"
