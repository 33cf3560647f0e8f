"""What is sent over one connection: in order, small pieces together, large ones as they are."""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from migrator.sessions.octets import TOGETHER, Octets


class Noted(socket.socket):
    """Takes everything, and notes each piece that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.sent.append(bytes(data))
        return len(data)


def speaking(sock: Noted) -> Octets:
    return Octets(sock, timeout=5, wants_stop=lambda: False)


def test_small_pieces_are_sent_together_and_not_before_they_are_flushed() -> None:
    with Noted() as sock:
        wire = speaking(sock)
        for number in range(100):
            wire.hold(b"piece %d;" % number)
        assert sock.sent == []
        wire.flush()
        assert sock.sent == [b"".join(b"piece %d;" % number for number in range(100))]


def test_a_large_piece_is_sent_at_once_behind_what_was_held() -> None:
    large = bytes(TOGETHER + 1)
    with Noted() as sock:
        wire = speaking(sock)
        wire.hold(b"before")
        wire.hold(large)
        assert sock.sent == [b"before", large]


@given(st.lists(st.tuples(st.sampled_from(["hold", "send"]), st.integers(1, TOGETHER * 2)), max_size=12))
def test_whatever_is_held_or_sent_arrives_whole_and_in_order(pieces: list[tuple[str, int]]) -> None:
    with Noted() as sock:
        wire, whole = speaking(sock), b""
        for number, (verb, size) in enumerate(pieces):
            octets = bytes([number]) * size
            whole += octets
            getattr(wire, verb)(octets)
            if verb == "send":
                assert b"".join(sock.sent) == whole
        wire.flush()
        assert b"".join(sock.sent) == whole
