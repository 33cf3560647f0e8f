"""A UIDVALIDITY has changed: old entries find their new keys one to one, by their octets alone."""

from __future__ import annotations

from collections import Counter

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
    found = [(MessageKey(2, number), prints(*what)) for number, what in enumerate(new)]
    pairs = rematch(entries, found)
    assert len({entry.id for entry, _ in pairs}) == len(pairs) == len({key for _, key in pairs})
    known = dict(found)
    assert all(entry.prints.soft == known[key].soft for entry, key in pairs)
    exact = sum((Counter(old) & Counter(new)).values())
    assert sum(entry.prints.digest == known[key].digest for entry, key in pairs) == exact
    assert len(pairs) == sum((Counter(kind for kind, _ in old) & Counter(kind for kind, _ in new)).values())
