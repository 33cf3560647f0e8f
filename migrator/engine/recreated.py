"""UIDVALIDITY has changed at one end: keys and floors are void (house.md, step 8; traps.md, G)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from migrator.engine.settle import candidates
from migrator.errors import FolderRecreated
from migrator.mail.folders import FolderRef
from migrator.mail.messages import Row
from migrator.planning.rematch import LITTLE, Found, rematch
from migrator.ports import Absence, Amendment, Entry, Event, FolderPair, Letter, Mark, Page, PairLedger, Want

if TYPE_CHECKING:
    from migrator.engine.run import Ends


def heal_source(ends: Ends, pair: FolderPair, ledger: PairLedger, validity: int) -> None:
    """The source folder has another UIDVALIDITY: give the old entries their new origins, by their octets.

    Done once for each UIDVALIDITY, unless something could not be read: what was not found again keeps its old origin,
    and is no news to the next run.
    """
    if ledger.mark().source_validity == validity or not ends.source.traits.keys_are_stable:
        return
    strays = [entry for page in ledger.strays(validity) for entry in page]
    if not strays:
        return
    ends.observer.note(Event("source_validity_changed", {"folder": pair.source.name, "entries": len(strays)}))
    rows: list[Row] = []
    for item in ends.source.survey(pair.source.name):
        if isinstance(item, Page):
            known = ledger.entries([row.key for row in item.rows])
            rows.extend(row for row in item.rows if row.key not in known)  # sizes are hints: servers lie
    instants = {row.key: row.instant for row in rows}
    found: list[Found] = []
    all_read = True
    for answer in ends.source.read([Want(pair.source.name, row.key, row.size) for row in rows]):
        if isinstance(answer, Letter):
            prints = ends.printing.of(answer)
            found.append((answer.want.key, prints, instants[answer.want.key]))
            answer.close()
        else:
            all_read = all_read and answer.absence is Absence.GONE
    amended = [Amendment(entry.id, origin=key) for entry, key in rematch(strays, found)]
    ledger.step(amended=amended, mark=Mark(validity, 0) if all_read else None)
    ends.ledger.warn("source_validity_changed", pair.source.name, "")


def heal_target(ends: Ends, pair: FolderPair, folder: FolderRef, ledger: PairLedger, choice: str) -> FolderRef:
    """The target folder was made anew (or renumbered): re-match, or ask a person whether to replay or to keep.

    The caller keeps the new UIDVALIDITY when what is in doubt was settled too: until then floors are void.
    """
    void = [entry for page in _pages(ledger, folder.validity) for entry in page]
    if ledger.mark().target_validity not in (0, folder.validity):
        void.extend(ledger.keyless())  # they were in the old folder
    if not void:
        return folder
    ends.observer.note(Event("target_validity_changed", {"folder": folder.name, "entries": len(void)}))
    claims = ledger.claims(folder.validity, 1)
    rows = [row for page in ends.target.listing(folder) for row in page.rows if row.key.uid not in claims]
    found = [(item.key, item.prints, item.instant) for item in candidates(ends.target, folder, rows)]
    pairs = rematch(void, found)
    matched = {entry.id for entry, _ in pairs}
    missing = [entry for entry in void if entry.id not in matched]
    if len(pairs) < len(void) * LITTLE and choice == "ask":
        raise FolderRecreated(
            f"The folder {folder.name} at the new server was deleted and made anew; "
            f"{len(missing)} of {len(void)} messages that we carried are no longer in it.",
            detail=folder.name,
        )
    ledger.step(
        amended=[Amendment(entry.id, target_key=key) for entry, key in pairs]
        + [Amendment(entry.id, forget_target_key=True) for entry in missing if choice != "replay"],
        released=[entry.id for entry in missing if choice == "replay"],
    )
    ends.ledger.warn("target_validity_changed", pair.source.name, f"{len(missing)} of {len(void)} not found again")
    return folder


def _pages(ledger: PairLedger, validity: int) -> Iterator[Sequence[Entry]]:
    after = 0
    while page := ledger.carried(not_validity=validity, after=after):
        yield page
        after = page[-1].id
