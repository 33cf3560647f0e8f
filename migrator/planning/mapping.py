"""Which source folder goes to which target folder. Pure.

Rules by hand first, then the role, then the name. Folders below a mapped folder follow it. Two folders of one role are
merged and said so; any other that would meet another one has a number behind its name, and that is said as well.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from migrator.errors import UsageError
from migrator.mail.folders import FolderInfo, FolderPath, Namespace, Role
from migrator.planning.naming import Places, alike, fitting_path, is_variant
from migrator.planning.roles import comparable, is_chats, is_of_gmail, role_by_name
from migrator.ports import FolderPair


@dataclass(frozen=True, slots=True)
class MappingRules:
    """What a person asked for. Names are full names of their end."""

    by_hand: tuple[tuple[str, str], ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    under: str = ""
    shared: bool = False
    """Folders of other users and of everybody are taken along, too."""
    apart: bool = False
    """A second folder of one role keeps its name, instead of being merged into the first one's place."""
    verbatim: bool = False
    """Every folder goes where it is: for archives, which are mapped when they are played in."""


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """The folders to carry, and those left behind with the rule."""

    pairs: tuple[FolderPair, ...]
    left_out: tuple[tuple[FolderInfo, str], ...] = ()
    warnings: tuple[tuple[str, str, str], ...] = field(default=())
    """(code, folder, detail) for the report."""


NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})


def plan_mapping(
    source: Sequence[FolderInfo],
    target: Sequence[FolderInfo],
    namespace: Namespace,
    rules: MappingRules,
    known: Mapping[str, str] = NOTHING_KNOWN,
) -> MappingPlan:
    """Decide for every source folder. Raises UsageError for a rule by hand that names no source folder.

    `known`: where a folder's mail was put before, by source name: for want of its name it stays where it is.
    """
    _check_rules(source, rules)
    kept, left_out = _filtered(source, rules)
    if rules.verbatim:
        same = [FolderPair(info, info.path, info.role) for info in sorted(kept, key=_order) if info.selectable]
        return MappingPlan(tuple(same), tuple(left_out))
    roles = _target_roles(target)
    before = {name: namespace.to_path(place) for name, place in known.items()}
    hand = {old: namespace.to_path(new) for old, new in rules.by_hand}
    under = namespace.to_path(rules.under) if rules.under else ()
    places: dict[FolderPath, FolderPath] = {}
    wanted: list[_Wanted] = []
    adapted: set[FolderPath] = set()
    given: set[Role] = set()
    for info in _in_turn(kept):
        role = _role(info, rules, given)
        path, role, reason = _place(info, role, hand, roles, places, under, before.get(info.name))
        places[info.path] = fitted = fitting_path(path, namespace)
        below_adapted = reason == "same_name" and any(info.path[:at] in adapted for at in range(1, len(info.path)))
        if fitted != path or below_adapted:
            adapted.add(info.path)
        if info.selectable:
            wanted.append(_Wanted(info, fitted, role, reason, renamed=info.path in adapted))
    pairs, merged = _placed(wanted, namespace, before)
    renamed = [pair for pair in pairs if pair.reason == "renamed"]
    warnings = [("folder_renamed", pair.source.name, namespace.to_name(pair.target_path)) for pair in renamed]
    return MappingPlan(tuple(pairs), tuple(left_out), (*warnings, *merged))


class _Wanted(NamedTuple):
    """Where a folder is to go, if nobody else goes there."""

    info: FolderInfo
    path: FolderPath
    role: Role | None
    reason: str
    renamed: bool


def _placed(
    wanted: Sequence[_Wanted], namespace: Namespace, before: Mapping[str, FolderPath]
) -> tuple[list[FolderPair], list[tuple[str, str, str]]]:
    """All of them, no two in one folder unless they may be merged. Who was put somewhere has the first choice, then who
    keeps its name."""
    pairs: dict[str, FolderPair] = {}
    merged: list[tuple[str, str, str]] = []
    taken: dict[FolderPath, FolderPair] = {}
    late: list[_Wanted] = []
    wanted = [_as_before(one, before) for one in wanted]
    for one in sorted(wanted, key=lambda one: (one.info.name not in before, one.renamed)):
        pair = FolderPair(one.info, one.path, one.role, "renamed" if one.renamed else one.reason)
        other = taken.setdefault(alike(namespace.to_path(namespace.to_name(one.path))), pair)
        if other is not pair and not _was_there(one, other, before):
            if not _may_merge(pair, other):
                late.append(one)
                continue
            pair = replace(pair, target_path=other.target_path)  # in one spelling
            place = namespace.to_name(other.target_path)
            merged.append(("folders_merged", one.info.name, f"{other.source.name} → {place}"))
        pairs[one.info.name] = pair
    late = _with_children(late, wanted, before)
    free = Places(namespace, [one.path for one in wanted])
    moved: dict[FolderPath, FolderPath] = {}
    of_role: dict[tuple[Role, FolderPath], FolderPair] = {}
    for one in late:
        levels = range(len(one.info.path) - 1, 0, -1)
        above = next((moved[one.info.path[:at]] for at in levels if one.info.path[:at] in moved), ())
        path = above + one.path[len(above) :]
        together = (one.role, path) if one.role is not None else None  # all of one use stay together
        first = of_role.get(together) if together else None
        path = first.target_path if first else free.free(path)
        if first:
            merged.append(("folders_merged", one.info.name, f"{first.source.name} → {namespace.to_name(path)}"))
        moved[one.info.path] = path
        pairs[one.info.name] = pair = FolderPair(one.info, path, one.role, "renamed")
        if together:
            of_role.setdefault(together, pair)
    return _with_others([pairs[one.info.name] for one in wanted], free), merged


def _with_children(
    late: Sequence[_Wanted], wanted: Sequence[_Wanted], before: Mapping[str, FolderPath]
) -> list[_Wanted]:
    """What lies below a folder that does not get its name follows it, and not another folder of that name."""
    paths = {one.info.path for one in late}
    below = [
        one
        for one in wanted
        if one not in late
        and one.reason == "same_name"
        and one.info.name not in before
        and any(one.info.path[:at] in paths for at in range(1, len(one.info.path)))
    ]
    return sorted([*late, *below], key=lambda one: len(one.info.path))


def _was_there(one: _Wanted, other: FolderPair, before: Mapping[str, FolderPath]) -> bool:
    """Whether both were carried under names that differ in case or Unicode form only: there they are two."""
    return one.path != other.target_path and before.get(one.info.name) == one.path


def _as_before(one: _Wanted, before: Mapping[str, FolderPath]) -> _Wanted:
    place = before.get(one.info.name)
    if place is None or one.reason == "rule" or not is_variant(place, one.path):
        return one
    return one._replace(path=place, renamed=True)


def _with_others(pairs: Sequence[FolderPair], free: Places) -> list[FolderPair]:
    """Each with what is tried if the server refuses its name."""
    others = {path: free.others(path) for path in dict.fromkeys(one.target_path for one in pairs)}
    return [replace(one, others=others[one.target_path]) for one in pairs]


def _check_rules(source: Sequence[FolderInfo], rules: MappingRules) -> None:
    names = {info.name for info in source}
    for old, new in rules.by_hand:
        if old not in names:
            raise UsageError(
                f"--map {old}={new}: the old server has no folder {old}.",
                hint=f"It has: {', '.join(sorted(names)[:30])}.",
            )


def _in_turn(folders: Sequence[FolderInfo]) -> list[FolderInfo]:
    """In `_order`; what lies below `All Mail`, and is nothing else, comes behind it, for it goes where that goes."""
    last = {info.path for info in folders if info.role is Role.ALL}

    def is_below(info: FolderInfo) -> bool:
        return info.role is None and any(info.path[:at] in last for at in range(1, len(info.path)))

    return sorted(sorted(folders, key=_order), key=is_below)


def _order(info: FolderInfo) -> tuple[int, int, list[str], str]:
    """Inbox first, then folders whose role the server says, then by name; parents before children, `All Mail` last."""
    said = info.role is not None and info.role is not Role.INBOX
    turn = 0 if info.path == ("INBOX",) else 3 if info.role is Role.ALL else 1 if said else 2
    return turn, len(info.path), [comparable(level) for level in info.path], info.name


def _filtered(
    source: Sequence[FolderInfo], rules: MappingRules
) -> tuple[list[FolderInfo], list[tuple[FolderInfo, str]]]:
    kept: list[FolderInfo] = []
    left_out: list[tuple[FolderInfo, str]] = []
    for info in source:
        rule = _rule_against(info, rules)
        if rule is None:
            kept.append(info)
        elif info.selectable:
            left_out.append((info, rule))
    return kept, left_out


def _rule_against(info: FolderInfo, rules: MappingRules) -> str | None:
    if rules.include and not any(fnmatch.fnmatchcase(info.name, glob) for glob in rules.include):
        return "not_included"
    for glob in rules.exclude:
        if fnmatch.fnmatchcase(info.name, glob):
            return f"excluded: {glob}"
    if info.shared and not rules.shared:
        return "shared_folder"
    if info.role is Role.FLAGGED:
        return "virtual_folder"
    if not info.holds_mail and not rules.include:
        return "no_mail_folder"
    if is_chats(info.path):
        return "chats"
    return None


def _target_roles(target: Sequence[FolderInfo]) -> dict[Role, list[FolderPath]]:
    """The target's folders of each role, the first choice first: what the server says wins over a name."""
    roles: dict[Role, list[FolderPath]] = {Role.INBOX: [("INBOX",)]}
    own = [info for info in target if info.selectable and not info.shared]
    for info in own:
        if info.role is not None and info.role is not Role.INBOX:
            roles.setdefault(info.role, []).append(info.path)
    for info in own:
        by_name = role_by_name(info.path)
        if by_name is not None and info.role is None:
            roles.setdefault(by_name, []).append(info.path)
    return roles


def _role(info: FolderInfo, rules: MappingRules, given: set[Role]) -> Role | None:
    """What the folder is for, here: not what it is for others, and once only if they are to be kept apart."""
    if info.path == ("INBOX",):
        return Role.INBOX  # in any case, whatever else its server says of it
    role = None if info.shared else info.role or role_by_name(info.path)
    if role is Role.ALL and is_of_gmail(info.path):
        role = Role.ARCHIVE  # what it holds and no other folder does was archived
    if role is None or (rules.apart and role in given):
        return None
    given.add(role)
    return role


def _place(
    info: FolderInfo,
    role: Role | None,
    hand: dict[str, FolderPath],
    roles: dict[Role, list[FolderPath]],
    places: dict[FolderPath, FolderPath],
    under: FolderPath,
    before: FolderPath | None,
) -> tuple[FolderPath, Role | None, str]:
    if info.name in hand:
        return hand[info.name], None, "rule"
    if under:
        return under + info.path, None, "under"
    if role is not None:
        there = roles.setdefault(role, [info.path])
        return (before if before in there else there[0]), role, "role"
    parent = info.path[:-1]
    while parent:
        if parent in places:
            return places[parent] + info.path[len(parent) :], None, "same_name"
        parent = parent[:-1]
    return info.path, None, "same_name"


def _may_merge(one: FolderPair, other: FolderPair) -> bool:
    """Merging is wanted by hand, or because both folders have the same role."""
    if "rule" in (one.reason, other.reason):
        return True
    return one.target_role is not None and one.target_role == other.target_role
