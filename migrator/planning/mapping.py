"""Which source folder goes to which target folder. Pure.

Rules by hand first, then the role, then the name. Folders below a mapped folder follow it. Two folders of one role are
merged and said so; any other collision is reported and never suffixed in silence.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field

from migrator.errors import UsageError
from migrator.mail.folders import FolderInfo, FolderPath, Namespace, Role
from migrator.planning.roles import comparable, role_by_name
from migrator.ports import FolderPair


@dataclass(frozen=True, slots=True)
class MappingRules:
    """What a person asked for. Names are full names of their end."""

    by_hand: tuple[tuple[str, str], ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    under: str = ""
    verbatim: bool = False
    """Every folder goes where it is: for archives, which are mapped when they are played in."""


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """The folders to carry, those left behind with the rule, and those that cannot be carried with the reason."""

    pairs: tuple[FolderPair, ...]
    left_out: tuple[tuple[FolderInfo, str], ...] = ()
    collisions: tuple[tuple[FolderInfo, str], ...] = ()
    warnings: tuple[tuple[str, str, str], ...] = field(default=())
    """(code, folder, detail) for the report."""
    alike: tuple[tuple[FolderPair, FolderPair], ...] = ()
    """Pairs whose names at the target differ in case or in Unicode form only: some servers take them for one."""


def plan_mapping(
    source: Sequence[FolderInfo], target: Sequence[FolderInfo], namespace: Namespace, rules: MappingRules
) -> MappingPlan:
    """Decide for every source folder. Raises UsageError for a rule by hand that names no source folder."""
    _check_rules(source, rules)
    kept, left_out = _filtered(source, rules)
    if rules.verbatim:
        same = [FolderPair(info, info.path, info.role) for info in sorted(kept, key=_order) if info.selectable]
        return MappingPlan(tuple(same), tuple(left_out))
    roles = _target_roles(target)
    hand = {old: namespace.to_path(new) for old, new in rules.by_hand}
    under = namespace.to_path(rules.under) if rules.under else ()
    places: dict[FolderPath, FolderPath] = {}
    taken: dict[str, FolderPair] = {}
    pairs: list[FolderPair] = []
    collisions: list[tuple[FolderInfo, str]] = []
    warnings: list[tuple[str, str, str]] = []
    for info in sorted(kept, key=_order):
        path, role, reason = _place(info, hand, roles, places, under)
        fitted = _fitting(path, namespace)
        places[info.path] = fitted
        if not info.selectable:
            continue
        if fitted != path:
            reason = "renamed"
            warnings.append(("folder_renamed", info.name, namespace.to_name(fitted)))
        pair = FolderPair(info, fitted, role, reason)
        other = taken.setdefault(namespace.to_name(_comparable_path(fitted)), pair)
        if other is not pair and not _may_merge(pair, other):
            collisions.append((info, f"would be merged with {other.source.name} into {namespace.to_name(fitted)}"))
            continue
        if other is not pair:
            warnings.append(("folders_merged", info.name, f"{other.source.name} → {namespace.to_name(fitted)}"))
        pairs.append(pair)
    return MappingPlan(tuple(pairs), tuple(left_out), tuple(collisions), tuple(warnings), tuple(_alike(pairs)))


def _alike(pairs: Sequence[FolderPair]) -> list[tuple[FolderPair, FolderPair]]:
    seen: dict[tuple[str, ...], FolderPair] = {}
    found: list[tuple[FolderPair, FolderPair]] = []
    for pair in pairs:
        other = seen.setdefault(tuple(comparable(level) for level in pair.target_path), pair)
        if other is not pair and other.target_path != pair.target_path:
            found.append((other, pair))
    return found


def _check_rules(source: Sequence[FolderInfo], rules: MappingRules) -> None:
    names = {info.name for info in source}
    for old, new in rules.by_hand:
        if old not in names:
            raise UsageError(
                f"--map {old}={new}: the old server has no folder {old}.",
                hint=f"It has: {', '.join(sorted(names)[:30])}.",
            )


def _order(info: FolderInfo) -> tuple[int, int, list[str]]:
    """Inbox first, then folders whose role the server says, then by name; parents before children."""
    said = info.role is not None and info.role is not Role.INBOX
    return (0 if info.path == ("INBOX",) else 1 if said else 2, len(info.path), [comparable(x) for x in info.path])


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
    if info.shared:
        return "shared_folder"
    if info.role is Role.FLAGGED:
        return "virtual_folder"
    return None


def _target_roles(target: Sequence[FolderInfo]) -> dict[Role, FolderPath]:
    """The target's folder of each role: what the server says wins over a name."""
    roles: dict[Role, FolderPath] = {Role.INBOX: ("INBOX",)}
    for info in target:
        if info.role is not None and info.selectable and not info.shared:
            roles.setdefault(info.role, info.path)
    for info in target:
        by_name = role_by_name(info.path) if info.selectable and not info.shared else None
        if by_name is not None and info.role is None:
            roles.setdefault(by_name, info.path)
    return roles


def _place(
    info: FolderInfo,
    hand: dict[str, FolderPath],
    roles: dict[Role, FolderPath],
    places: dict[FolderPath, FolderPath],
    under: FolderPath,
) -> tuple[FolderPath, Role | None, str]:
    role = info.role or role_by_name(info.path)
    if info.name in hand:
        return hand[info.name], None, "rule"
    if under:
        return under + info.path, None, "under"
    if role is not None:
        if role in roles:
            return roles[role], role, "role"
        roles[role] = info.path
        return info.path, role, "role"
    parent = info.path[:-1]
    while parent:
        if parent in places:
            return places[parent] + info.path[len(parent) :], None, "same_name"
        parent = parent[:-1]
    return info.path, None, "same_name"


def _fitting(path: FolderPath, namespace: Namespace) -> FolderPath:
    """The path with every level free of the target's delimiter and of control characters."""
    if not namespace.delimiter:
        return (repaired("_".join(path), ""),)
    return tuple(repaired(level, namespace.delimiter) for level in path)


def repaired(level: str, forbidden: str) -> str:
    """One level with the forbidden characters (and control characters) as `_`."""
    return "".join("_" if char in forbidden or ord(char) < 32 or ord(char) == 127 else char for char in level)


def plainer_path(path: FolderPath) -> FolderPath:
    """The path without the characters that servers dislike, for targets that refuse it as it is (quirks.md, 43)."""
    return tuple(repaired(level, './\\%*"~') for level in path)


def _comparable_path(path: FolderPath) -> FolderPath:
    return ("INBOX", *path[1:]) if path[0].upper() == "INBOX" else path


def _may_merge(one: FolderPair, other: FolderPair) -> bool:
    """Merging is wanted by hand, or because both folders have the same role."""
    if "rule" in (one.reason, other.reason):
        return True
    return one.target_role is not None and one.target_role == other.target_role


__all__ = ["MappingPlan", "MappingRules", "plainer_path", "plan_mapping", "repaired"]
