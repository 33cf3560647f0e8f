"""The least change of a refused message: exactly what it says, wherever the octets are cut."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.repair import Cure, Cures, applicable, cured, next_cures

CHUNKS = st.lists(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\0", b"\r\n"]), max_size=6).map(b"".join), max_size=4)
ALL = frozenset(Cure)


@given(CHUNKS, st.sets(st.sampled_from(Cure)).map(frozenset))
def test_a_cure_changes_what_it_says_and_no_other_octet(chunks: list[bytes], cures: Cures) -> None:
    whole = b"".join(chunks)
    if Cure.NUL in cures:
        whole = whole.replace(b"\0", b"\x80")
    if Cure.LINE_ENDS in cures:
        whole = re.sub(rb"(?<!\r)\n", b"\r\n", whole)
    if Cure.FINAL_CRLF in cures and not whole.endswith(b"\n"):
        whole += b"\r\n"
    assert b"".join(cured(chunks, cures)) == whole


@given(CHUNKS)
def test_what_was_cured_of_everything_needs_no_cure(chunks: list[bytes]) -> None:
    assert applicable(chunks) == applicable([b"".join(chunks)])
    assert not applicable(cured(chunks, ALL))


def test_what_the_refusal_names_is_tried_first_then_each_alone_and_all_at_last() -> None:
    nul, ends, final = Cure.NUL, Cure.LINE_ENDS, Cure.FINAL_CRLF
    for text, first in (
        ("Message contains NUL characters", nul),
        ("Message contains bare newlines", ends),
        ("[CLIENTBUG] Additional arguments found after last expected argument", final),
    ):
        tried: list[Cures] = []
        while (cures := next_cures(ALL, tried, "refused in other words" if tried else text)) is not None:
            tried.append(cures)
        assert tried[0] == {first}
        assert sorted(map(len, tried)) == [1, 1, 1, 3]
    assert next_cures(frozenset(), [], "refused") is None
    assert next_cures(frozenset({nul}), [frozenset({nul})], "refused") is None
