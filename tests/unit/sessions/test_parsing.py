"""The IMAP parser: octets in, events out, however they are cut."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import ConnectionLost
from migrator.sessions.imap import parsing
from migrator.sessions.imap.parsing import LITERAL_LIMIT, Event, Line, ResponseParser

Parts = list[bytes]
"""A response: text, literal, text, …"""


def responses(pieces: Iterable[bytes]) -> tuple[list[Parts], str]:
    """All responses that have ended in these octets, and why there are no more, where that is an error."""
    parser, found, parts = ResponseParser(), list[Parts](), Parts()
    missing: int | None = None
    try:
        for piece in pieces:
            parser.feed(piece)
            while (event := parser.event()) is not None:
                missing = _take(event, parts, missing)
                if missing is None:
                    found.append(parts)
                    parts = []
    except ConnectionLost as error:
        return found, error.message
    return found, ""


def _take(event: Event, parts: Parts, missing: int | None) -> int | None:
    """One event; returns how much of a literal is missing then, None: the response has ended."""
    if isinstance(event, Line):
        assert not missing, "a line came in the middle of a literal"
        parts.append(event.text)
        if event.literal is not None:
            parts.append(b"")
        return event.literal
    assert missing is not None
    assert 0 < len(event) <= missing
    parts[-1] += event
    return missing - len(event)


def cut(octets: bytes, at: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(octets), *(place % (len(octets) + 1) for place in at)})
    return [octets[one:other] for one, other in pairwise(places)]


# ---- what is written is read ---------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=30).map(str.encode)
LITERALS = st.lists(st.binary(max_size=40), max_size=3)


@st.composite
def a_response(draw: st.DrawFn) -> Parts:
    """Untagged, with literals; some are of human text, at whose end `{5}` means nothing."""
    literals = draw(LITERALS)
    if not literals and draw(st.booleans()):
        return [b"* OK " + draw(TEXT) + draw(st.sampled_from((b"", b"{5}"))) + b"\r\n"]
    parts = [b"* 1 FETCH (" + draw(TEXT.filter(lambda text: not text.endswith(b"}"))) + b" "]
    for literal in literals:
        mark = draw(st.sampled_from((b"{%d}", b"~{%d}", b"{%d+}"))) % len(literal)
        parts[-1] += mark + draw(st.sampled_from((b"\r\n", b"\n")))
        parts += [literal, b" "]
    parts[-1] += b")\r\n"
    return parts


@given(st.lists(a_response(), max_size=6), st.lists(st.integers(0, 10_000), max_size=30))
def test_what_a_server_writes_is_read_however_the_line_cuts_it(written: Sequence[Parts], places: list[int]) -> None:
    octets = b"".join(part for parts in written for part in parts)
    assert responses(cut(octets, places)) == (written, "")
    assert responses([octets]) == (written, "")
    assert responses(octets[at : at + 1] for at in range(len(octets))) == (written, "")


@given(a_response(), st.integers(0, 10_000))
def test_what_has_not_come_whole_is_no_response(written: Parts, place: int) -> None:
    octets = b"".join(written)
    assert responses([octets[: place % len(octets)]]) == ([], "")


@given(st.binary(min_size=1, max_size=100), st.integers(0, 3))
def test_nul_octets_before_a_response_are_padding(mail: bytes, count: int) -> None:
    octets = b"\0" * count + b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(mail), mail)
    assert responses([octets])[0] == [[b"* 1 FETCH (BODY[] {%d}\r\n" % len(mail), mail, b")\r\n"]]


# ---- what is not as it should be -----------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=20).filter(lambda more: more[:1] not in (b" ", b")", b"\r", b"\n", b"\0")))
def test_a_message_that_goes_on_behind_its_end_is_noticed(more: bytes) -> None:
    found, error = responses([b"* 1 FETCH (BODY[] {3}\r\nabc" + more.replace(b"\n", b"") + b")\r\n"])
    assert (found, "more of a message than it had announced" in error) == ([], True)


@pytest.mark.parametrize("size", [LITERAL_LIMIT + 1, 10**18])
def test_an_absurd_literal_is_refused_before_an_octet_of_it(size: int) -> None:
    assert "more than IMAP allows" in responses([b"* 1 FETCH (BODY[] {%d}\r\n" % size])[1]


@pytest.mark.parametrize("length", [1, 7, 10_000])
def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(parsing, "LINE_LIMIT", 1000)
    assert "without end" in responses(b"x" * length for _ in range(2000))[1]


def test_a_large_literal_comes_as_the_octets_came() -> None:
    """Nothing is joined: a message of any size takes no memory here."""
    parser, piece = ResponseParser(), b"x" * 1000
    parser.feed(b"* 1 FETCH (BODY[] {1000000}\r\n")
    assert parser.event() == Line(b"* 1 FETCH (BODY[] {1000000}\r\n", 1_000_000)
    for _ in range(1000):
        assert parser.event() is None
        parser.feed(piece)
        assert parser.event() is piece


def test_what_whoever_takes_a_literal_receives_by_himself_is_not_missed() -> None:
    parser = ResponseParser()
    parser.feed(b"* 1 FETCH (BODY[] {10}\r\nab")
    assert isinstance(parser.event(), Line)
    assert (parser.event(), parser.event()) == (b"ab", None)
    parser.passed_by(5)
    parser.feed(b"hij)\r\n")
    assert [parser.event(), parser.event(), parser.event()] == [b"hij", Line(b")\r\n", None), None]


# ---- whatever comes ------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    (b"\r\n", b"\n", b"{3}\r\n", b"{3+}\r\n", b"~{0}\r\n", b"* ", b"W1 OK", b"+ ", b"\0", b")", b"{99")
)


@given(st.lists(st.binary(max_size=12) | ODD, max_size=30), st.lists(st.integers(0, 1000), max_size=10))
@settings(max_examples=500)
def test_whatever_comes_is_read_the_same_however_it_is_cut(pieces: list[bytes], places: list[int]) -> None:
    octets = b"".join(pieces)
    assert responses(cut(octets, places)) == responses([octets])


@given(st.lists(st.binary(max_size=12) | ODD, max_size=30))
@settings(max_examples=500)
def test_whatever_comes_no_octet_is_lost_or_made_up(pieces: list[bytes]) -> None:
    """But for NUL octets before a response."""
    octets = b"".join(pieces)
    read = b"".join(part for parts in responses([octets])[0] for part in parts)
    assert octets.replace(b"\0", b"").startswith(read.replace(b"\0", b""))


@pytest.mark.parametrize("seed", range(20))
def test_spoilt_dialogues_end_in_responses_or_an_error_of_ours(seed: int) -> None:
    """A real dialogue with octets changed, taken out and put in."""
    chance = random.Random(seed)
    mail = b"Subject: x\r\n\r\n{7}\r\nW9 OK hello\r\n"
    good = b"".join(
        b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (number, number, len(mail), mail) for number in range(50)
    )
    spoilt = bytearray(good)
    for _ in range(10):
        at = chance.randrange(len(spoilt))
        spoilt[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    places = [chance.randrange(len(spoilt)) for _ in range(50)]
    assert responses(cut(bytes(spoilt), places)) == responses([bytes(spoilt)])
