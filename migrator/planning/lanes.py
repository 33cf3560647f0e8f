"""Which folders are carried side by side. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migrator.planning.mapping import plainer_path
from migrator.planning.roles import comparable
from migrator.ports import FolderPair

WORTH = 1000
"""So many messages that were never carried are worth one connection more, which costs two servers a login."""


def side_by_side(pairs: Sequence[FolderPair], known: Mapping[str, int], at_most: int) -> list[list[FolderPair]]:
    """All pairs in at most so many shares of about the same number of new messages, each in the order of `pairs`.

    `known`: how many messages the ledger knows, by source folder. Pairs whose names at the target some server may take
    for one are in one share, so that nobody else is ever at work in a folder.
    """
    groups: dict[str, list[int]] = {}
    for position, pair in enumerate(pairs):
        groups.setdefault(comparable("/".join(plainer_path(pair.target_path))), []).append(position)
    new = [max(0, (pair.source.messages or 0) - known.get(pair.source.name, 0)) for pair in pairs]
    weights = {place: sum(new[position] for position in group) for place, group in groups.items()}
    count = max(1, min(at_most, len(groups), 1 + sum(new) // WORTH))
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for place in sorted(groups, key=lambda place: -weights[place]):
        lightest = loads.index(min(loads))
        shares[lightest] += groups[place]
        loads[lightest] += weights[place] + 1
    return [[pairs[position] for position in sorted(share)] for share in shares]
