"""Which kind of job opens which ends and runs which verb. A new kind is a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from migrator.engine.ahead import ReadingAhead
from migrator.engine.audit import audit
from migrator.engine.budgeted import BudgetedSource
from migrator.engine.chosen import ChosenSource
from migrator.engine.lanes import Joint
from migrator.engine.once import OnceSource
from migrator.engine.prints import Printing, with_forgiving_prints
from migrator.engine.rehearse import rehearse
from migrator.engine.restore import release_deleted
from migrator.engine.run import Ends, Options, run
from migrator.engine.wrappers import Reopening, RetryingSource, RetryingTarget
from migrator.errors import FolderRefused, UsageError
from migrator.jobs import archives
from migrator.jobs.orders import mapping_rules
from migrator.jobs.states import JobKind
from migrator.memory import be_thrifty
from migrator.planning.batches import BATCH_OCTETS, COPY_OCTETS
from migrator.planning.mapping import MappingRules, plan_mapping
from migrator.planning.verification import Level
from migrator.ports import (
    Budget,
    Clock,
    Difference,
    Ledger,
    Meter,
    Observer,
    Page,
    Quarantine,
    Source,
    StopSignal,
    Target,
)
from migrator.providers.profile import profile_of
from migrator.sessions.connect import AddressRule
from migrator.sessions.endpoint import Endpoint
from migrator.sessions.registry import open_source, open_target

if TYPE_CHECKING:
    from migrator.archive.source import ArchiveSource
    from migrator.archive.target import ArchiveTarget

CONNECTIONS = 2
"""To each server, where enough is new: a fifth sooner than one, and more are no sooner (docs/performance.md)."""
NEAR = 0.005
"""Seconds of round trip. On longer lines one connection that reads ahead is never idle; two that do not, wait."""
MOST_DISCREPANCIES = 1000
"""So many stand in a job's result, for its page; the report has all of them."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job's row says, in values."""

    kind: JobKind
    source: Endpoint
    target: Endpoint
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs beside its ends."""

    ledger: Ledger
    stop: StopSignal
    clock: Clock
    observer: Observer
    may_reach: AddressRule | None
    quiet_seconds: float
    limits: archives.Limits = field(default_factory=archives.Limits)
    """Where archives are written."""
    meter: Meter = field(default_factory=Meter)
    budget: Callable[[Endpoint], Budget | None] = lambda _end: None
    """How much may be read of an account a day, where its provider gives only so much."""
    quarantine: Quarantine | None = None
    """Where the octets are kept of what the new server does not take; a copy only, for archives keep them anyhow."""
    one_more: Callable[[], AbstractContextManager[None]] = nullcontext
    """Leave for one more connection to each server. Raises ServerBusy where one of them bears no more."""


Result = dict[str, Any]


def engine_options(options: Mapping[str, Any], quiet_seconds: float) -> Options:
    """A job's options as the engine's."""
    return Options(
        rules=mapping_rules(options),
        repair=options.get("repair", False),
        max_octets=options.get("max_octets"),
        recreated=options.get("recreated", "ask"),
        quiet_seconds=quiet_seconds,
    )


def carry_out(work: Work, world: World) -> Result:
    """Open the ends, run the verb, close the ends. Returns what the job's row keeps as its result."""
    if work.kind in ALONE:
        return ALONE[work.kind](work, world)
    be_thrifty()
    joint = Joint(world.stop)
    with _ends(work, replace(world, stop=joint)) as ends:
        _open_both(ends, joint, side_by_side=work.target.protocol != "archive")
        most = BATCH_OCTETS if "archive" in (work.source.protocol, work.target.protocol) else COPY_OCTETS
        options = replace(
            engine_options(work.options, world.quiet_seconds), lanes=_lanes(work, ends), batch_octets=most
        )
        return RECIPES[work.kind](ends, options, work.options)


def _open_both(ends: Ends, joint: Joint, *, side_by_side: bool) -> None:
    """Both doors are tried before anything is listed; side by side, since each takes some round trips.

    Where the old server's is shut, nobody waits for the new one's.
    """
    if not side_by_side:
        _ = ends.source.traits, ends.target.traits
        return
    with ThreadPoolExecutor(1, "opening") as pool:
        opened = pool.submit(lambda: ends.target.traits)
        try:
            _ = ends.source.traits
        except BaseException:
            joint.halt()
            raise
    opened.result()


def _lanes(work: Work, ends: Ends) -> int:
    """An archive has one writer. Two are the best between near servers, one is between others; some providers bear
    fewer than are wished."""
    if work.target.protocol == "archive":
        return 1
    far = work.source.protocol != "archive" and max(ends.source.traits.nearest, ends.target.traits.nearest) > NEAR
    wanted = int(work.options.get("connections") or (1 if far else CONNECTIONS))
    borne = (profile_of(end.host).per_mailbox for end in (work.source, work.target) if end.protocol != "archive")
    return min([wanted, *(number for number in borne if number is not None)])


@contextmanager
def _ends(work: Work, world: World, *, like: ArchiveSource | None = None, at_once: bool = False) -> Iterator[Ends]:
    """Both ends, closed at the end. They open at first use, with patience, or `at_once`, without.

    `like`: where an archive is read, the same moment of it is read again.
    """
    with ExitStack() as stack:
        kept, printing = _kept(work, like), Printing()
        source = _source(work, world, kept, printing, at_once=at_once)
        stack.callback(source.close)
        target = _target(work, world, at_once=at_once)
        stack.callback(target.close)
        yield Ends(
            source, target, world.ledger, world.stop, world.clock, world.observer, source.expect, source.alongside,
            another=lambda: _another(work, world, kept),
            quarantine=world.quarantine if work.kind is JobKind.COPY else None,
            printing=printing,
        )  # fmt: skip


@contextmanager
def _another(work: Work, world: World, like: ArchiveSource | None) -> Iterator[Ends]:
    """One more of each, if both servers bear it."""
    with world.one_more(), _ends(work, world, like=like, at_once=True) as ends:
        yield ends


def _kept(work: Work, like: ArchiveSource | None) -> ArchiveSource | None:
    """The archive that is read, if one is."""
    if work.source.protocol != "archive":
        return None
    if like is not None:
        return like.twin()
    at = work.options.get("at")
    return archives.open_source(work.source, datetime.fromisoformat(at) if at else None)


def _source(work: Work, world: World, kept: ArchiveSource | None, printing: Printing, *, at_once: bool) -> ReadingAhead:
    prepare = with_forgiving_prints if work.kind is JobKind.VERIFY else printing
    if kept is not None:
        chosen = work.options.get("messages")
        if chosen is None:
            return ReadingAhead(kept, prepare)  # but an empty choice is none, and not everything
        return ReadingAhead(ChosenSource(kept, [(item["folder"], item["key"]) for item in chosen]), prepare)

    if work.options.get("from_quarantine"):
        assert world.quarantine is not None
        return ReadingAhead(world.quarantine.source(), prepare)

    def opened() -> Source:
        return open_source(work.source, world.stop.wanted, world.may_reach, world.meter, reopening.losses)

    reopening = Reopening[Source]("source", opened, **_around(world))
    if at_once:
        reopening.end()
    retrying: Source = RetryingSource(reopening)
    budget = world.budget(work.source)
    if budget is not None:
        retrying = BudgetedSource(retrying, budget)
    if not work.options.get("each_label"):
        retrying = OnceSource(retrying)
    if work.kind is JobKind.ARCHIVE:
        return ReadingAhead(retrying, archives.preparing(), octets=archives.AHEAD_OCTETS)
    return ReadingAhead(retrying, prepare)


def _target(work: Work, world: World, *, at_once: bool) -> Target:
    if work.target.protocol == "archive":
        return archives.open_target(work.target, work.source.identity, world.limits)

    def opened() -> Target:
        return open_target(work.target, world.stop.wanted, world.may_reach, world.meter, reopening.losses)

    reopening = Reopening[Target]("target", opened, **_around(world))
    if at_once:
        reopening.end()
    return RetryingTarget(reopening)


def _around(world: World) -> dict[str, Any]:
    return {"stop": world.stop, "clock": world.clock, "observer": world.observer}


def _copy(ends: Ends, options: Options, raw: Mapping[str, Any]) -> Result:
    if ends.quarantine is not None:
        ends.quarantine.settle()
    if raw.get("from_quarantine") and ends.quarantine is not None:
        if later := ends.quarantine.elsewhere():
            ends.ledger.warn("left_in_quarantine", "", str(later))
        options = replace(options, rules=MappingRules(by_hand=tuple(ends.quarantine.places().items())))
    if raw.get("dry_run"):
        return {"dry_run": True, "would_copy": rehearse(ends, options)}
    outcome = run(ends, options)
    if ends.quarantine is not None:
        ends.quarantine.settle()
    return {"failed_folders": len(outcome.failed_folders)}


def _play_in(ends: Ends, options: Options, raw: Mapping[str, Any]) -> Result:
    if not raw.get("restore"):
        return _copy(ends, options, raw)
    if raw.get("dry_run"):
        raise UsageError("What would be restored cannot be rehearsed.", hint="Leave out --dry-run or --restore.")
    released = release_deleted(ends, options)
    return {**_copy(ends, replace(options, recreated="keep"), raw), "released": released}


def _verify(ends: Ends, options: Options, raw: Mapping[str, Any]) -> Result:
    found = audit(ends, options, Level(raw.get("level", Level.DIGESTS)))
    ends.ledger.differ([Difference(one.folder, one.key, one.kind.value, one.detail) for one in found.discrepancies])
    shown = [asdict(item) for item in found.discrepancies[:MOST_DISCREPANCIES]]
    return {"proven": found.proven, "discrepancies": shown, "discrepancies_total": len(found.discrepancies)}


def _archive(ends: Ends, options: Options, raw: Mapping[str, Any]) -> Result:
    """One pass. Folders are not mapped now but when it is played in; nothing in an archive is anybody else's.

    A folder that cannot be looked at stands in it as earlier passes left it, named; the others do not wait for it.
    """
    from migrator.archive.record import FAILED

    rules = replace(options.rules, by_hand=(), under="", verbatim=True)
    target = cast("ArchiveTarget", ends.target)
    if target.octets_before() is None:
        _measure(ends, target, rules)
    outcome = run(ends, replace(options, rules=rules, recreated="replay", quiet_seconds=0.0))
    left = [
        *outcome.left_out,
        *((info, f"{FAILED}{error['code']}") for info, error in outcome.failed_folders
          if not target.fail(info, error["message"], outcome.lacking.get(info.name, ()))),
    ]  # fmt: skip
    if outcome.carried_folders or not outcome.failed_folders:
        named = [{"folder": info.name, "messages": info.messages, "rule": rule} for info, rule in left]
        target.finish({"left_out": named})
    return {"failed_folders": len(outcome.failed_folders), "pass": target.number}


def _measure(ends: Ends, target: ArchiveTarget, rules: MappingRules) -> None:
    """Before the first pass, where the source announces no sizes: would it fit at all? Raises NoRoom."""
    mapping = plan_mapping(ends.source.folders(), (), target.traits.namespace, rules)
    names = [pair.source.name for pair in mapping.pairs if pair.source.octets is None]
    octets = 0
    for name in names:
        with suppress(FolderRefused):  # said when it is carried
            pages = (page for page in ends.source.survey(name) if isinstance(page, Page))
            octets += sum(row.size for page in pages for row in page.rows)
    target.fits(octets)


def _check(work: Work, world: World) -> Result:
    from migrator.jobs.checking import check

    at = work.options.get("at")
    return check(work.source, datetime.fromisoformat(at) if at else None, world.stop)


def _remove(work: Work, world: World) -> Result:
    """What the archive holds for certain is deleted at the old server, by the customer's wish (`jobs.removing`)."""
    from migrator.jobs.removing import remove
    from migrator.planning.leaving import Leaving

    with archives.opened(work.target, writable=True) as file:
        done = remove(
            work.source,
            file,
            policy=Leaving(work.options.get("after_days")),
            wish=work.options.get("wish", ""),
            stop=world.stop,
            may_reach=world.may_reach,
            now=datetime.now(UTC),
        )
    return {**done, "proven": not done["unknown"]}


RECIPES: dict[JobKind, Callable[[Ends, Options, Mapping[str, Any]], Result]] = {
    JobKind.COPY: _copy,
    JobKind.VERIFY: _verify,
    JobKind.ARCHIVE: _archive,
    JobKind.PLAY_IN: _play_in,
}
ALONE: dict[JobKind, Callable[[Work, World], Result]] = {JobKind.CHECK: _check, JobKind.REMOVE: _remove}
"""Kinds that are no run of the engine."""
