"""A UIDVALIDITY has changed: old entries find their new keys one to one, the surest first."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mail.messages import MessageKey, Prints
from migrator.planning.rematch import rematch
from migrator.ports import Entry, Stand


def prints(kind: int, alteration: int) -> Prints:
    return Prints(b"%d.%d" % (kind, alteration), b"%d" % kind, b"h", b"i", 1, delicate=False)


messages = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=6)


@given(old=messages, new=messages)
def test_as_many_as_possible_are_found_again_and_none_twice(
    old: list[tuple[int, int]], new: list[tuple[int, int]]
) -> None:
    entries = [
        Entry(number, MessageKey(1, number), Stand.CONFIRMED, prints(*what), None, frozenset(), 1)
        for number, what in enumerate(old)
    ]
    found = [(MessageKey(2, number), prints(*what), None) for number, what in enumerate(new)]
    pairs = rematch(entries, found)
    assert len({entry.id for entry, _ in pairs}) == len(pairs) == len({key for _, key in pairs})
    known = {key: item for key, item, _ in found}
    assert all(entry.prints.soft == known[key].soft for entry, key in pairs)
    exact = sum((Counter(old) & Counter(new)).values())
    assert sum(entry.prints.digest == known[key].digest for entry, key in pairs) == exact
    assert len(pairs) == sum((Counter(kind for kind, _ in old) & Counter(kind for kind, _ in new)).values())


DAY = datetime(2001, 1, 1, tzinfo=UTC)


def rewritten(header: bytes, message_id: bytes) -> Prints:
    return Prints(b"new" + header, b"soft" + header, header, message_id, 1, delicate=False)


@pytest.mark.parametrize(
    ("new", "instant", "known"),
    [
        (rewritten(b"h", b""), DAY, True), (rewritten(b"x", b"i"), DAY, True), (rewritten(b"x", b""), DAY, False),
        (rewritten(b"h", b"i"), DAY + timedelta(1), False), (rewritten(b"h", b"i"), None, False),
    ],
)  # fmt: skip
def test_a_message_that_the_server_rewrote_is_known_by_its_header_or_its_id_if_the_date_is_the_same(
    new: Prints, instant: datetime | None, known: bool
) -> None:
    entry = Entry(1, MessageKey(1, 1), Stand.CONFIRMED, prints(0, 0), DAY, frozenset(), 1)
    assert bool(rematch([entry], [(MessageKey(2, 7), new, instant)])) is known


def test_messages_without_an_id_are_not_known_by_having_none() -> None:
    nothing = Prints(b"1", b"1", b"1", b"", 1, delicate=False)
    entry = Entry(1, MessageKey(1, 1), Stand.CONFIRMED, nothing, DAY, frozenset(), 1)
    assert rematch([entry], [(MessageKey(2, 7), rewritten(b"x", b""), DAY)]) == []
