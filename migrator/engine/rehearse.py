"""A dry run: what a run would do. Nothing is written at the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.engine.progress import Count
from migrator.engine.run import plan
from migrator.errors import Stopped
from migrator.planning.delta import Verdict, decide
from migrator.ports import FolderPair, Mark, Page, Skip

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options


def rehearse(ends: Ends, options: Options) -> dict[str, int]:
    """Survey every folder and count by the ledger. What would be carried is skipped: its number, by source folder."""
    would_carry: dict[str, int] = {}
    for pair in plan(ends, options).pairs:
        if ends.stop.wanted():
            raise Stopped("Stopped between two folders.")
        would_carry[pair.source.name] = _rehearse_folder(ends, options, pair)
    return would_carry


def _rehearse_folder(ends: Ends, options: Options, pair: FolderPair) -> int:
    would_carry = 0
    name = ends.target.traits.namespace.to_name(pair.target_path)
    ledger = ends.ledger.pair(pair, name)
    count = Count()
    for item in ends.source.survey(pair.source.name):
        if not isinstance(item, Page):
            continue
        entries = ledger.entries([row.key for row in item.rows])
        skipped: list[Skip] = []
        for row in item.rows:
            decision = decide(row, entries.get(row.key), max_octets=options.max_octets)
            count.found += 1
            count.octets_found += row.size
            if decision.verdict in (Verdict.COPIED, Verdict.ALREADY_THERE):
                count.already_there += 1
                continue
            count.skipped += 1
            if decision.verdict is Verdict.SKIP:
                skipped.append(Skip(row.key, decision.rule))
            else:
                would_carry += 1
        ledger.step(skipped=skipped)
    ledger.step(tally=count.frozen(), mark=Mark(complete=True))
    return would_carry
