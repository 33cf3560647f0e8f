"""A UIDVALIDITY has changed: which new keys are the old messages? Pure (house.md, step 8).

One to one, the surest first: exact digest, forgiving digest, whole header, Message-ID. The last two only together with
the internal date: a server that rewrites its mail keeps that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime

from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Entry

LITTLE = 0.5
"""Below this share of messages found again in a recreated folder a person is asked (traps.md, G)."""

Found = tuple[MessageKey, Prints, datetime | None]
_Rung = Callable[[Prints, datetime | None], Hashable]

_LADDER: tuple[_Rung, ...] = (
    lambda prints, _: prints.digest,
    lambda prints, _: prints.soft,
    lambda prints, instant: (prints.header, instant) if instant else None,
    lambda prints, instant: (prints.message_id, instant) if instant and prints.message_id else None,
)


def rematch(entries: Sequence[Entry], found: Sequence[Found]) -> list[tuple[Entry, MessageKey]]:
    """Pairs of (old entry, new key)."""
    pairs: list[tuple[Entry, MessageKey]] = []
    left, free = list(entries), list(found)
    for rung in _LADDER:
        offered: dict[Hashable, list[MessageKey]] = defaultdict(list)
        for key, prints, instant in free:
            offered[rung(prints, instant)].append(key)
        offered.pop(None, None)
        again: list[Entry] = []
        for entry in left:
            keys = offered.get(rung(entry.prints, entry.instant))
            if keys:
                pairs.append((entry, keys.pop(0)))
            else:
                again.append(entry)
        taken = {key for _, key in pairs}
        left, free = again, [item for item in free if item[0] not in taken]
    return pairs
