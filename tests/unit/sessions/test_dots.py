"""Dots are taken out of a multi-line response octet for octet, however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.sessions.pop3.dots import DotReader

PIECES = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"\r", b"\n", b"x", b"\r\n.", b"\0\xff"]), max_size=12)


def stuffed(message: bytes) -> bytes:
    """As RFC 1939 says, by lines: a server ends the last line if the message does not."""
    lines = message.split(b"\r\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


@given(
    pieces=PIECES, cuts=st.lists(st.integers(1, 5), max_size=40), behind=st.sampled_from([b"", b"+OK\r\n", b".\r\n"])
)
@example(pieces=[], cuts=[1] * 40, behind=b"+OK\r\n")
@example(pieces=[b"\r\n.", b"\r", b"x"], cuts=[1] * 40, behind=b"")
def test_a_message_comes_out_as_it_was_whatever_the_pieces(pieces: list[bytes], cuts: list[int], behind: bytes) -> None:
    message = b"".join(pieces)
    wire, reader, out = stuffed(message) + behind, DotReader(), b""
    sizes = iter(cuts)
    while wire and not reader.ended:
        size = next(sizes, 1000)
        out += reader.feed(wire[:size])
        wire = wire[size:]
    assert reader.ended
    assert out == (message if not message or message.endswith(b"\r\n") else message + b"\r\n")
    assert reader.rest + wire == behind


@pytest.mark.parametrize("octets", [b"", b"x", b"x\r\n", b"x\r\n.", b"x\r\n.\r", b".", b".\r", b"a\n.\n"])
def test_without_its_end_a_message_is_not_ended(octets: bytes) -> None:
    reader = DotReader()
    reader.feed(octets)
    assert not reader.ended


@pytest.mark.parametrize("cuts", [1, 2, 1000])
@pytest.mark.parametrize(
    ("wire", "octets", "two"),
    [
        (b".x\r\n..y\r\n.\r\n", b".x\r\n.y\r\n", False), (b".\rx\r\n.\r\n", b".\rx\r\n", False),
        (b"..x\r\n.\r\n", b".x\r\n", True), (b"x\r\n..\r\n.\r\n", b"x\r\n.\r\n", False),
    ],
)  # fmt: skip
def test_a_dot_that_no_server_stuffed_stays(wire: bytes, octets: bytes, two: bool, cuts: int) -> None:
    reader = DotReader()
    out = b"".join(reader.feed(wire[start : start + cuts]) for start in range(0, len(wire), cuts))
    assert (out, reader.ended, reader.opened_with_two) == (octets, True, two)
