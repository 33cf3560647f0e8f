"""Folders in which nothing has changed since they were last seen whole: they are not looked at again (traps.md, L)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from migrator.mail.folders import FolderInfo
from migrator.ports import FolderPair, Historian, Mark, PairLedger, Tally

if TYPE_CHECKING:
    from migrator.engine.run import Ends

MOST_UNLOOKED: Final = 6
"""A server may be wrong about itself: after so many runs a folder is looked at all the same."""


def changed(ends: Ends, pairs: Sequence[FolderPair], there: Sequence[FolderInfo]) -> list[FolderPair]:
    """Those that are to be carried; of the others the ledger is told that all of them is there.

    Such a folder was seen whole, without a failure or a skip, when the source said of it what it says now; the target's
    folder is the same one, and nothing in it is in doubt. `there`: the target's folders.
    """
    if ends.target.traits.keeps_history:  # which asks with each folder (`is_taken_over`)
        return list(pairs)
    validities = {info.name: info.validity for info in there if info.validity}
    doubtful = {target for _, target in ends.ledger.in_doubt()}
    told = ends.ledger.done()
    untold = ends.ledger.begun() - told  # who tries a job again wants to know what it has copied
    found = []
    for pair in pairs:
        name = ends.target.traits.namespace.to_name(pair.target_path)
        whole = name not in doubtful and pair.source.name not in untold
        if not whole or not _is_whole(ends, pair, name, validities, pair.source.name in told):
            found.append(pair)
    return found


def _is_whole(ends: Ends, pair: FolderPair, name: str, validities: Mapping[str, int], told: bool) -> bool:
    """`told`: this job's numbers are there, from an earlier slice."""
    state, messages = pair.source.state, pair.source.messages
    if not state or messages is None or name not in validities:
        return False
    ledger = ends.ledger.pair(pair, name)
    mark = ledger.mark()
    if mark.state != state or mark.target_validity != validities[name]:
        return False
    if told:
        return True
    if mark.unlooked >= MOST_UNLOOKED:
        return False
    tally = Tally(found=messages, already_there=messages, octets_found=pair.source.octets or 0)
    ledger.step(tally=tally, mark=Mark(complete=True, state=state, unlooked=mark.unlooked + 1))
    return True


def is_taken_over(ends: Ends, pair: FolderPair, ledger: PairLedger) -> bool:
    """Whether a target that keeps history takes it over from the pass before, because the source says so."""
    if not ends.target.traits.keeps_history:
        return False
    seen = cast("Historian", ends.target).unchanged(pair.source)
    if seen is None:
        return False
    tally = Tally(found=seen.found, already_there=seen.found, octets_found=seen.octets)
    ledger.step(tally=tally, mark=Mark(complete=True))
    return True
