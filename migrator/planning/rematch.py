"""A UIDVALIDITY has changed: which new keys are the old messages? Pure (house.md, step 8).

One to one, by digest only: keys are re-made from octets that were read, so that nothing is lost or doubled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry

LITTLE = 0.5
"""Below this share of messages found again in a recreated folder a person is asked (traps.md, G)."""


def rematch(entries: Sequence[Entry], found: Sequence[tuple[MessageKey, Prints]]) -> list[tuple[Entry, MessageKey]]:
    """Pairs of (old entry, new key); exact digests first, then forgiving ones."""
    pairs: list[tuple[Entry, MessageKey]] = []
    left, free = list(entries), list(found)
    for exact in (True, False):
        offered: dict[bytes, list[MessageKey]] = defaultdict(list)
        for key, prints in free:
            offered[prints.digest if exact else prints.soft].append(key)
        again: list[Entry] = []
        for entry in left:
            keys = offered.get(entry.prints.digest if exact else entry.prints.soft)
            if keys:
                pairs.append((entry, keys.pop(0)))
            else:
                again.append(entry)
        taken = {key for _, key in pairs}
        left, free = again, [(key, prints) for key, prints in free if key not in taken]
    return pairs
