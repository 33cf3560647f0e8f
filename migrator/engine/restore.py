"""What was deleted at the target is to be carried anew: "I deleted it by accident".

A run never brings back by itself what the customer deleted: the ledger knows that it was carried. So the entries of
messages that are no longer there are released first; then the same run carries them as if they were new. What lies in
the folder under another key is found by its octets (`engine.adopt`), and not doubled. Nobody looks into other folders:
a message that was moved elsewhere is carried into its old place again, and the moved one stays as it is; a message that
an earlier mapping brought into another folder counts as carried, whether it is still there or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from migrator.engine.recreated import heal_target
from migrator.engine.run import plan
from migrator.errors import FolderRefused, Stopped
from migrator.mail.folders import FolderRef
from migrator.planning.roles import comparable
from migrator.ports import Entry, FolderPair, Page, PairLedger, Stand

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options


def release_deleted(ends: Ends, options: Options) -> int:
    """Release the entries of this run's messages that are no longer at the target; how many they are.

    To be run again after any interruption: what was released and not yet carried is simply new. The run that follows
    should keep recreated folders as they are (`Options.recreated`): what it shall bring back was released here.
    """
    released = 0
    mapping = plan(ends, options)
    there = {comparable(info.name) for info in ends.target.folders()}
    for pair in mapping.pairs:
        for name in _names(ends, pair):
            ledger = ends.ledger.pair(pair, name)
            try:
                folder = heal_target(ends, pair, ends.target.look(name), ledger, "keep")
            except FolderRefused:
                if comparable(name) in there:
                    continue  # it is there and does not open: the run will say so
                folder = None
            released += sum(_released(ends, pair, ledger, folder))
    return released


def _names(ends: Ends, pair: FolderPair) -> Iterator[str]:
    """The target folder's, and those that it may have where that was refused."""
    return map(ends.target.traits.namespace.to_name, (pair.target_path, *pair.others))


def _released(ends: Ends, pair: FolderPair, ledger: PairLedger, folder: FolderRef | None) -> Iterator[int]:
    listed: set[int] = set()
    if folder is not None:
        listed = {row.key.uid for page in ends.target.listing(folder) for row in page.rows}
    for item in ends.source.survey(pair.source.name):
        if ends.stop.wanted():
            raise Stopped("Stopped while looking for what was deleted.")
        if isinstance(item, Page):
            entries = ledger.entries([row.key for row in item.rows])
            gone = [entry.id for entry in entries.values() if _is_gone(entry, folder, listed)]
            ledger.step(released=gone)
            yield len(gone)


def _is_gone(entry: Entry, folder: FolderRef | None, listed: set[int]) -> bool:
    if entry.stand is not Stand.CONFIRMED:
        return False
    if entry.target_key is None:  # in another folder, or without a key, unless its folder was made anew without it
        return entry.note == "lost"
    if folder is None:
        return True
    return entry.target_key.validity == folder.validity and entry.target_key.uid not in listed
