"""Which folders are carried side by side. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migrator.mail.folders import FolderPath, Namespace
from migrator.planning.roles import comparable
from migrator.ports import FolderPair

WORTH = 2000
"""So many messages that were never carried are worth one connection more, which costs two servers a login, and more
answers to wait for: what one lane lists at once, two list folder by folder."""


def side_by_side(
    pairs: Sequence[FolderPair], known: Mapping[str, int], namespace: Namespace, at_most: int
) -> list[list[FolderPair]]:
    """All pairs in at most so many shares of about the same number of new messages, each in the order of `pairs`.

    `known`: how many messages the ledger knows, by source folder. `namespace`: the target's. Pairs that may come to lie
    in one folder there are in one share, so that nobody else is ever at work in a folder.
    """
    groups = _groups(pairs, namespace)
    new = [max(0, (pair.source.messages or 0) - known.get(pair.source.name, 0)) for pair in pairs]
    groups.sort(key=lambda group: -sum(new[position] for position in group))
    count = max(1, min(at_most, len(groups), 1 + sum(new) // WORTH))
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for group in groups:
        lightest = loads.index(min(loads))
        shares[lightest] += group
        loads[lightest] += sum(new[position] for position in group) + 1
    return [[pairs[position] for position in sorted(share)] for share in shares]


def _groups(pairs: Sequence[FolderPair], namespace: Namespace) -> list[list[int]]:
    """Positions of pairs that must not be parted: one name at the target, or names that some servers take for one."""
    group_of: dict[FolderPath, int] = {}
    groups: dict[int, tuple[list[int], set[FolderPath]]] = {}
    for position, pair in enumerate(pairs):
        members, names = [position], {_comparable(namespace, path) for path in (pair.target_path, *pair.others)}
        for group in {group_of[name] for name in names if name in group_of}:
            more_members, more_names = groups.pop(group)
            members += more_members
            names |= more_names
        groups[position] = members, names
        group_of.update(dict.fromkeys(names, position))
    return [members for members, _ in groups.values()]


def _comparable(namespace: Namespace, path: FolderPath) -> FolderPath:
    """The path as the target's own name for it means it; a server may compare each level without case and blanks."""
    return tuple(comparable(level) for level in namespace.to_path(namespace.to_name(path)))
