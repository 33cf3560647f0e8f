"""One run: map the folders, carry one after the other, settle what is in doubt, and say how it ended.

The same run again is a delta, because the ledger makes every run incremental.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import cast

from migrator.engine.carry import FolderCarry, InDoubt
from migrator.engine.quiet import Quiet
from migrator.errors import ConnectionLost, FolderRefused, Radius, Stopped
from migrator.mail.folders import FolderInfo, FolderPath, FolderRef
from migrator.mail.messages import MessageKey
from migrator.planning.mapping import MappingPlan, MappingRules, plan_mapping, repaired
from migrator.ports import Clock, Event, FolderPair, Historian, Ledger, Observer, PairLedger, Source, StopSignal, Target

REVISITS = 6
"""How often one folder may fall into doubt in one run before we give the server a rest."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person can choose for a run."""

    rules: MappingRules = field(default_factory=MappingRules)
    max_octets: int | None = None
    recreated: str = "ask"
    """A target folder that we filled was made anew: `ask`, `replay` or `keep`."""
    dry_run: bool = False
    quiet_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Ends:
    """Everything that a run works with."""

    source: Source
    target: Target
    ledger: Ledger
    stop: StopSignal
    clock: Clock
    observer: Observer


@dataclass(slots=True)
class Outcome:
    """How a run ended that was not stopped and did not fail as a whole."""

    failed_folders: list[tuple[str, dict[str, str]]] = field(default_factory=list)


def plan(ends: Ends, options: Options) -> MappingPlan:
    """The folders and where they go; shown in the ledger before anything is written at the target."""
    source, target = ends.source.folders(), ends.target.folders()
    mapping = plan_mapping(source, target, ends.target.traits.namespace, options.rules)
    ends.ledger.plan(mapping.pairs, [*mapping.left_out, *_collided(mapping)])
    for code, folder, detail in mapping.warnings:
        ends.ledger.warn(code, folder, detail)
    return mapping


def _collided(mapping: MappingPlan) -> list[tuple[FolderInfo, str]]:
    return [(info, f"collision: {why}") for info, why in mapping.collisions]


def run(ends: Ends, options: Options) -> Outcome:
    """Carry everything. Raises Stopped, Fenced and whatever hits the whole mailbox; folders fail one by one."""
    outcome = Outcome()
    mapping = plan(ends, options)
    for info, why in mapping.collisions:
        error = FolderRefused(f"The folder {info.name} {why}.", code="folder_collision")
        outcome.failed_folders.append((info.name, error.as_dict()))
        ends.ledger.fail_folder(info.name, error.as_dict())
    if ends.target.traits.keeps_history:
        cast("Historian", ends.target).describe([pair.source for pair in mapping.pairs])
    quiet = Quiet(ends.clock, ends.stop, options.quiet_seconds)
    hindered: dict[str, dict[MessageKey, int]] = defaultdict(dict)
    namespace = ends.target.traits.namespace
    places = {namespace.to_name(pair.target_path): pair.target_path for pair in mapping.pairs}
    waiting: deque[tuple[FolderPair, int]] = deque((pair, 0) for pair in mapping.pairs)
    while waiting:
        pair, visits = waiting.popleft()
        if visits and not quiet.is_over():
            ends.observer.note(Event("waiting_for_quiet", {"folder": pair.source.name}))
            quiet.wait()
        try:
            folder = _ensured(ends, pair, places)
            _carry_folder(ends, options, pair, folder, quiet, hindered[pair.source.name])
        except InDoubt:
            if visits >= REVISITS:
                raise ConnectionLost("The new server keeps breaking connections in mid-append.", end="target") from None
            waiting.append((pair, visits + 1))
        except FolderRefused as error:
            if error.radius is not Radius.FOLDER:
                raise
            outcome.failed_folders.append((pair.source.name, error.as_dict()))
            ends.ledger.fail_folder(pair.source.name, error.as_dict())
            ends.observer.note(Event("folder_failed", {"folder": pair.source.name, "code": error.instance_code}))
    return outcome


def _carry_folder(
    ends: Ends, options: Options, pair: FolderPair, folder: FolderRef, quiet: Quiet, hindered: dict[MessageKey, int]
) -> None:
    ends.observer.note(Event("folder_started", {"folder": pair.source.name}))
    ledger: PairLedger = ends.ledger.pair(pair, folder.name)
    FolderCarry(ends, options, pair, folder, ledger, quiet, hindered).carry()
    ends.observer.note(Event("folder_done", {"folder": pair.source.name}))


def _ensured(ends: Ends, pair: FolderPair, places: dict[str, FolderPath]) -> FolderRef:
    """The target folder; where its name is refused, once more with the characters that servers dislike replaced.

    `places`: who has which name at the target; a plainer name that another folder has is a collision, no merger.
    """
    if ends.stop.wanted():
        raise Stopped("Stopped between two folders.")
    try:
        return ends.target.ensure_folder(pair.target_path, pair.target_role)
    except FolderRefused:
        plainer = tuple(repaired(level, './\\%*"~') for level in pair.target_path)
        if plainer == pair.target_path:
            raise
        name = ends.target.traits.namespace.to_name(plainer)
        if places.setdefault(name, pair.target_path) != pair.target_path:
            why = f"The folder {pair.source.name} would be merged with another one into {name}."
            raise FolderRefused(why, code="folder_collision") from None
        folder = ends.target.ensure_folder(plainer, pair.target_role)
        ends.ledger.warn("folder_renamed", pair.source.name, folder.name)
        return folder
