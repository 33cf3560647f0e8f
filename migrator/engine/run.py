"""One run: map the folders, carry them, some side by side, settle what is in doubt, and say how it ended.

The same run again is a delta, because the ledger makes every run incremental.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import cast

from migrator.engine.booking import Samples
from migrator.engine.carry import FolderCarry
from migrator.engine.hindered import Hindered
from migrator.engine.history import forget_newer
from migrator.engine.lanes import in_lanes
from migrator.engine.placing import ensured, is_first
from migrator.engine.prints import Printing
from migrator.engine.quiet import InDoubt, Quiet
from migrator.engine.settle import settle_folder
from migrator.engine.together import carry_together, fit_together
from migrator.engine.unchanged import changed, is_taken_over
from migrator.errors import ConnectionLost, FolderRefused, FolderRenumbered, PostwagenError, Radius, ServerBusy
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import Row
from migrator.planning.batches import BATCH_OCTETS
from migrator.planning.lanes import side_by_side
from migrator.planning.mapping import MappingPlan, MappingRules, plan_mapping
from migrator.planning.roles import comparable
from migrator.ports import (
    Carried,
    Clock,
    Event,
    FolderPair,
    FolderWish,
    Historian,
    Ledger,
    Missing,
    Observer,
    PairLedger,
    Quarantine,
    Source,
    StopSignal,
    Target,
)

REVISITS = 6
"""How often one folder may fall into doubt in one run before we give the server a rest."""
RENUMBERED = 2
"""So often one is begun anew because it was renumbered meanwhile; some servers do so at every look."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person can choose for a run."""

    rules: MappingRules = field(default_factory=MappingRules)
    max_octets: int | None = None
    repair: bool = False
    """A message that is refused for its form is sent once more with the least change that may help."""
    recreated: str = "ask"
    """A target folder that we filled was made anew: `ask`, `replay` or `keep`."""
    dry_run: bool = False
    quiet_seconds: float = 30.0
    batch_octets: int = BATCH_OCTETS
    """So much is appended by one command, at most, or one message."""
    lanes: int = 1
    """So many folders may be carried side by side, where further ends open."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Everything that a run works with."""

    source: Source
    target: Target
    ledger: Ledger
    stop: StopSignal
    clock: Clock
    observer: Observer
    expect: Callable[[Sequence[FolderInfo], Callable[[Row], bool]], None] = lambda _folders, _likely: None
    """Tells who reads the source ahead which folders come, and what of them will be read (`engine.ahead`)."""
    alongside: Callable[[], None] = lambda: None
    """Tells them that folders are carried side by side."""
    another: Callable[[], AbstractContextManager[Ends]] | None = None
    """Opens one more source and target of the same kind, at once or not at all."""
    quarantine: Quarantine | None = None
    """Where the octets are kept of what the target does not take."""
    printing: Printing = field(default_factory=Printing)
    """Takes the prints of what the source gives, perhaps before its turn has come."""
    samples: Samples = field(default_factory=Samples)
    """What is read back of what few targets alter."""


@dataclass(slots=True)
class Outcome:
    """How a run ended that was not stopped and did not fail as a whole."""

    failed_folders: list[tuple[FolderInfo, dict[str, str]]] = field(default_factory=list)
    left_out: Sequence[tuple[FolderInfo, str]] = ()
    """Folders that a rule left behind."""
    carried_folders: int = 0
    lacking: dict[str, Sequence[Missing]] = field(default_factory=dict)
    """By name of a failed folder: what the source had listed in it and a target that keeps history does not have."""

    def add(self, part: Outcome) -> None:
        """What one lane did."""
        self.failed_folders += part.failed_folders
        self.carried_folders += part.carried_folders
        self.lacking.update(part.lacking)


def plan(ends: Ends, options: Options) -> MappingPlan:
    """The folders and where they go; shown in the ledger before anything is written at the target."""
    return _planned(ends, options, ends.target.folders(), ends.ledger.carried_from())


def _planned(ends: Ends, options: Options, there: Sequence[FolderInfo], carried: Mapping[str, Carried]) -> MappingPlan:
    before = {name: one.target for name, one in carried.items()}
    mapping = plan_mapping(ends.source.folders(), there, ends.target.traits.namespace, options.rules, before)
    to_name = ends.target.traits.namespace.to_name
    pairs = [(pair, to_name(pair.target_path)) for pair in mapping.pairs]
    ends.ledger.plan(pairs, mapping.left_out)
    for code, folder, detail in mapping.warnings:
        ends.ledger.warn(code, folder, detail)
    return mapping


def run(ends: Ends, options: Options) -> Outcome:
    """Carry everything. Raises Stopped, Fenced and whatever hits the whole mailbox; folders fail one by one."""
    outcome, there = Outcome(), ends.target.folders()
    carried = ends.ledger.carried_from()
    mapping = _planned(ends, options, there, carried)
    outcome.left_out = mapping.left_out
    if ends.target.traits.keeps_history:
        cast("Historian", ends.target).describe([pair.source for pair in mapping.pairs])
        forget_newer(ends.target, ends.ledger, mapping.pairs)
    quiet = Quiet(ends.clock, ends.stop, options.quiet_seconds)
    _settle_astray(ends, mapping, quiet)
    namespace, known = ends.target.traits.namespace, {name: one.messages for name, one in carried.items()}
    pairs = changed(ends, mapping.pairs, there)
    outcome.carried_folders = len(mapping.pairs) - len(pairs)
    rounds: list[_Round] = []

    def shares(lanes: int) -> list[list[FolderPair]]:
        return side_by_side(pairs, known, namespace, lanes)

    def carry(lane: Ends, share: Sequence[FolderPair]) -> None:
        lane.printing.any_header = not lane.target.traits.may_rewrite_headers
        fresh = [pair.source for pair in share if pair.source.name not in known]
        _expect(lane, options, fresh)
        work = _Round(lane, options, share, quiet.twin(lane.stop), {info.name for info in fresh})
        rounds.append(work)
        work.carry_all(alone=len(share) == len(mapping.pairs))

    # Where a message may be shown in several folders, the one that comes first has been listed before the next one.
    in_lanes(ends, shares, 1 if ends.source.traits.has_labels else options.lanes, carry)
    suspects = [work.suspect[0] for work in rounds if work.suspect is not None]
    if suspects:
        rounds.append(_Round(ends, options, _tried_again(suspects, mapping.pairs), quiet.twin(ends.stop)))
        rounds[-1].carry_all()
    for work in rounds:
        outcome.add(work.outcome)
    return outcome


def _tried_again(suspects: Sequence[FolderPair], pairs: Sequence[FolderPair]) -> list[FolderPair]:
    """Behind each of them one that works, if any does: then it is the folder's fault, and not the server's."""
    others = [pair for pair in pairs if pair not in suspects][:1]
    return [pair for suspect in suspects for pair in (suspect, *others)]


def _expect(ends: Ends, options: Options, fresh: Sequence[FolderInfo]) -> None:
    """Folders of which nothing was ever carried will be read to their end; of others nobody knows how much."""
    if ends.source.traits.has_labels:
        return  # which folder is the first to show a message must not depend on what is read ahead
    limits = [limit for limit in (options.max_octets, ends.target.traits.max_octets) if limit is not None]
    ends.expect(fresh, lambda row: not row.shown_in and all(row.size <= limit for limit in limits))


class _Round:
    """All folders of one lane once, and those in doubt again when the target has been left alone."""

    def __init__(
        self,
        ends: Ends,
        options: Options,
        pairs: Sequence[FolderPair],
        quiet: Quiet,
        fresh: Iterable[str] = (),
    ) -> None:
        """`fresh`: source folders of which nothing was ever carried."""
        self._ends = ends
        self._begun = ends.ledger.begun()
        """Of what this job has carried anything in an earlier slice it wants to tell how much."""
        self._options = options
        self._quiet = quiet
        self._fresh = set(fresh)
        self.outcome = Outcome()
        self._hindered: dict[str, Hindered] = defaultdict(Hindered)
        self._waiting: deque[tuple[FolderPair, int]] = deque((pair, 0) for pair in pairs)
        self.suspect: tuple[FolderPair, PostwagenError] | None = None
        """The folder in which a connection broke for good; if the next one works, it was that folder's fault."""
        self._busy: ServerBusy | None = None
        """Raised at the end, so that the job comes back for a folder that was busy."""

    def carry_all(self, *, alone: bool = True) -> None:
        """`alone`: nobody else can tell whether it was the last folder's fault that a connection broke in it."""
        while self._waiting:
            group = self._together()
            if group:
                self._carry_together(group)
            else:
                self._carry_alone(*self._waiting.popleft())
        if self.suspect is not None and alone:
            raise self.suspect[1]
        if self._busy is not None:
            raise self._busy

    def _carry_alone(self, pair: FolderPair, visits: int) -> None:
        """`visits`: so often it had to be left with something in doubt."""
        if visits and not self._quiet.is_over():
            self._ends.observer.note(Event("waiting_for_quiet", {"folder": pair.source.name}))
            self._quiet.wait()
        try:
            self._carry(pair)
        except InDoubt:
            if visits >= REVISITS:
                raise ConnectionLost("The new server keeps breaking connections in mid-append.", end="target") from None
            self._waiting.append((pair, visits + 1))
        except FolderRenumbered as error:
            if visits < RENUMBERED:
                self._waiting.append((pair, visits + 1))
            else:
                self._fail(pair, error)
        except FolderRefused as error:
            if error.radius is not Radius.FOLDER:
                raise
            self._fail(pair, error)
        except (ConnectionLost, ServerBusy) as error:
            if self.suspect is not None:
                raise  # two in a row: it is not the folder
            self.suspect = pair, error
        else:
            self.outcome.carried_folders += 1
            self._clear_suspect()

    def _clear_suspect(self) -> None:
        """Another folder works: the one before breaks every connection (quirks.md, 48), or is only busy for now."""
        if self.suspect is None:
            return
        pair, error = self.suspect
        self.suspect = None
        if isinstance(error, ServerBusy):
            self._busy = error
        else:
            self._fail(pair, error)

    def _together(self) -> list[FolderPair]:
        """Those that stand first and are carried in one stream; none: the first one is carried alone."""
        fresh = takewhile(lambda item: item[1] == 0 and item[0].source.name in self._fresh, self._waiting)
        return fit_together([pair for pair, _ in fresh], self._ends.target) if self._fresh else []

    def _carry_together(self, group: Sequence[FolderPair]) -> None:
        ends = self._ends
        for pair in group:
            self._waiting.popleft()
            self._fresh.remove(pair.source.name)
        to_name = ends.target.traits.namespace.to_name
        ends.target.prepare(
            [
                FolderWish(pair.target_path, pair.target_role, is_first(ends, pair, to_name(pair.target_path)))
                for pair in group
            ]
        )
        done = carry_together(ends.target, ends.ledger, group, self._opened, ends.stop.may_commit)
        ends.target.prepare(())  # what was not begun is seen to anew
        for pair in done.carried:
            self.outcome.carried_folders += 1
            ends.observer.note(Event("folder_done", {"folder": pair.source.name}))
        if done.carried:
            self._clear_suspect()
        self._waiting.extendleft((pair, 0) for pair in reversed(done.alone))
        self._waiting.extend((pair, 1) for pair in done.doubtful)

    def _opened(self, pair: FolderPair) -> FolderCarry:
        ends = self._ends
        folder = ensured(ends, pair)
        ends.observer.note(Event("folder_started", {"folder": pair.source.name}))
        ledger: PairLedger = ends.ledger.pair(pair, folder.name)
        hindered = self._hindered[pair.source.name]
        whole = pair.source.name in self._begun
        return FolderCarry(ends, self._options, pair, folder, ledger, self._quiet, hindered, whole=whole)

    def _carry(self, pair: FolderPair) -> None:
        ends = self._ends
        work = self._opened(pair)
        if is_taken_over(ends, pair, work.ledger):
            return
        try:
            work.carry()
        except PostwagenError:
            self.outcome.lacking[pair.source.name] = work.lacking
            raise
        ends.observer.note(Event("folder_done", {"folder": pair.source.name}))

    def _fail(self, pair: FolderPair, error: PostwagenError) -> None:
        self.outcome.failed_folders.append((pair.source, error.as_dict()))
        self._ends.ledger.fail_folder(pair.source.name, error.as_dict())
        self._ends.observer.note(Event("folder_failed", {"folder": pair.source.name, "code": error.instance_code}))


def _settle_astray(ends: Ends, mapping: MappingPlan, quiet: Quiet) -> None:
    """Settle what is in doubt where today's mapping does not lead: nobody else would ever look there.

    Only a folder that is neither opened nor listed, in whatever spelling, is gone, and its entries with it. What cannot
    be opened stays in doubt, and each message of it says so.
    """
    to_name = ends.target.traits.namespace.to_name
    today = {(pair.source.name, to_name(pair.target_path)) for pair in mapping.pairs}
    astray = [place for place in ends.ledger.in_doubt() if place not in today]
    if not astray:
        return
    there = {comparable(info.name) for info in ends.target.folders()}
    ends.observer.note(Event("waiting_for_quiet", {"folder": astray[0][0]}))
    quiet.wait()
    for origin, name in astray:
        ledger = ends.ledger.pair(FolderPair(FolderInfo(origin, (origin,)), (name,), None), name)
        try:
            folder = ends.target.look(name)
        except FolderRefused:
            if comparable(name) not in there:
                ledger.step(released=[entry.id for entry in ledger.unsettled()])
            continue
        settle_folder(ends.target, folder, ledger, quiet)
