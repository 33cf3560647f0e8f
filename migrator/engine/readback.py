"""Looking at what was carried: every message once in the target's listing, and doubtful octets read back.

So the report can say what the target made of a message (quirks.md, 21, 42, 60), and nothing is called copied that the
target dropped after saying OK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.engine.settle import candidates
from migrator.mail.flags import fitting, same_flags
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Amendment, Entry, FolderPair, How, PairLedger

if TYPE_CHECKING:
    from migrator.engine.run import Ends


def look_after(
    ends: Ends, pair: FolderPair, folder: FolderRef, ledger: PairLedger, looked: int
) -> tuple[FolderRef, list[Entry]]:
    """List what was appended since the last look: same size, date and flags? Else note it for reading back.

    `looked`: from this UID on. Returns the folder as it was then, and the entries that the target said OK to and does
    not list.
    """
    now = ends.target.look(folder.name)
    floor = max(1, looked)
    rows = {row.key: row for page in ends.target.listing(now, floor=floor) for row in page.rows}
    after, redated, reflagged = 0, 0, 0
    unseen = _keyless(ends, ledger, now, set(rows))
    while page := ledger.carried(floor=floor, after=after):
        after = page[-1].id
        amended: list[Amendment] = []
        for entry in page:
            row = rows.get(entry.target_key) if entry.target_key else None
            if entry.how is How.ADOPTED or entry.target_key is None or entry.target_key.validity != now.validity:
                continue
            if row is None:
                unseen.append(entry)
                continue
            redated += entry.instant is not None and row.instant != entry.instant
            reflagged += not same_flags(fitting(entry.flags, folder).kept, row.flags)
            if row.size != entry.prints.size and entry.note == "":
                amended.append(Amendment(entry.id, note="unread_back"))
        if amended:
            ledger.step(amended=amended)
    for code, number in (("not_seen_again", len(unseen)), ("date_not_kept", redated), ("flags_not_kept", reflagged)):
        if number:
            ends.ledger.warn(code, pair.source.name, str(number))
    return now, unseen


def _keyless(ends: Ends, ledger: PairLedger, folder: FolderRef, listed: set[MessageKey]) -> list[Entry]:
    """What was appended without a key and not found by settling, unless enough is there that nobody owns."""
    keyless = [entry for entry in ledger.keyless() if not ends.target.traits.reports_keys and entry.this_job]
    if not keyless:
        return []
    claims = ledger.claims(folder.validity, 1)
    return [] if sum(key.uid not in claims for key in listed) >= len(keyless) else keyless


def read_back(ends: Ends, pair: FolderPair, folder: FolderRef, ledger: PairLedger) -> None:
    """Compare every message noted for it with what stands there now; note what became of it, and warn."""
    waiting: dict[MessageKey, Entry] = {}
    for entry in ledger.unread_back():
        if entry.target_key is not None and entry.target_key.validity == folder.validity:
            waiting[entry.target_key] = entry
    rows = [Row(key, entry.prints.size, frozenset(), entry.instant) for key, entry in waiting.items()]
    amended = []
    for found in candidates(ends.target, folder, rows):
        entry = waiting.pop(found.key)
        note = ""
        if found.prints.digest != entry.prints.digest:
            note = "altered" if found.prints.soft == entry.prints.soft else "damaged"
            detail = f"{entry.origin}: {entry.prints.size} octets became {found.prints.size}"
            ends.ledger.warn(f"{note}_by_target", pair.source.name, detail)
        amended.append(Amendment(entry.id, note=note))
    amended.extend(Amendment(entry.id, note="") for entry in waiting.values())  # gone again: the customer's doing
    if amended:
        ledger.step(amended=amended)
