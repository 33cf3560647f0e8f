"""Looking at what was carried: every message once in the target's listing, and doubtful octets read back.

So the report can say what the target made of a message (quirks.md, 21, 42, 60), and nothing is called copied that the
target dropped after saying OK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from migrator.engine.settle import candidates
from migrator.errors import FolderRenumbered
from migrator.mail.flags import fitting, same_flags
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Prints, Row
from migrator.ports import Amendment, Entry, FolderPair, How, Kept, PairLedger

if TYPE_CHECKING:
    from migrator.engine.run import Ends


def look_after(
    ends: Ends, pair: FolderPair, folder: FolderRef, ledger: PairLedger, looked: int
) -> tuple[FolderRef, list[Entry]]:
    """List what was appended since the last look: same size, date and flags? Else note it for reading back.

    `looked`: from this UID on. Returns the folder as it was then, and the entries that the target said OK to and does
    not list. Memory holds a page of the listing, and what is missing.
    """
    now = ends.target.look(folder.name)
    if now.validity != folder.validity:
        text = f"The folder {folder.name} was renumbered at the new server while it was filled."
        raise FolderRenumbered(text, end="target")
    floor = max(1, looked)
    keyless = _keyless(ends, ledger)
    claims = ledger.claims(now.validity, 1) if keyless else frozenset()
    missing: dict[int, Kept] = {}
    reached, redated, reflagged, free, doubled = floor - 1, 0, 0, 0, 0
    for page in ends.target.listing(now, floor=floor):
        highest = max([row.key.uid for row in page.rows], default=0)
        if highest > reached:
            missing |= {kept.uid: kept for kept in ledger.kept(now.validity, reached + 1, highest)}
            reached = highest
        amended: list[Amendment] = []
        doubled += _doubled(page.rows, missing)
        for row in page.rows:
            free += bool(keyless) and row.key.uid not in claims
            kept = missing.pop(row.key.uid, None) if row.key.validity == now.validity else None
            if kept is None:
                continue
            redated += kept.instant is not None and row.instant != kept.instant
            reflagged += not same_flags(fitting(kept.flags, folder).kept, row.flags)
            if row.size != kept.size and kept.note == "":
                amended.append(Amendment(kept.id, note="unread_back"))
        if amended:
            ledger.step(amended=amended)
    missing |= {kept.uid: kept for kept in ledger.kept(now.validity, reached + 1)}
    unseen = [*(keyless if free < len(keyless) else ()), *_whole(ledger, floor, {kept.id for kept in missing.values()})]
    for code, number in (
        ("not_seen_again", len(unseen)),
        ("date_not_kept", redated),
        ("flags_not_kept", reflagged),
        ("perhaps_doubled", doubled),
    ):
        if number:
            ends.ledger.warn(code, pair.source.name, str(number))
    return now, unseen


def _doubled(rows: Sequence[Row], ours: Mapping[int, Kept]) -> int:
    """How many of them are not ours, and as large and as old as the one before them that is."""
    return sum(
        one.key.uid in ours and other.key.uid not in ours and (one.size, one.instant) == (other.size, other.instant)
        for one, other in pairwise(rows)
    )


def _whole(ledger: PairLedger, floor: int, entries: set[int]) -> list[Entry]:
    """The entries with these ids."""
    found: list[Entry] = []
    after = 0
    while entries and (page := ledger.carried(floor=floor, after=after)):
        found.extend(entry for entry in page if entry.id in entries)
        after = page[-1].id
    return found


def _keyless(ends: Ends, ledger: PairLedger) -> list[Entry]:
    """What was appended without a key and not found by settling; it is there if enough is that nobody owns."""
    if ends.target.traits.reports_keys:
        return []
    return [entry for entry in ledger.keyless() if entry.this_job]


def read_back(ends: Ends, pair: FolderPair, folder: FolderRef, ledger: PairLedger) -> list[Entry]:
    """Compare every message noted for it with what stands there now; note what became of it, and warn.

    Returns what was damaged for certain: its header is what was sent, and its body is not; or it is another message, or
    none. (Who writes messages anew, as Exchange does, touches the header and keeps the Message-ID.) If one of the
    samples was altered without a change of its size (Cyrus, in headers), so may others be that no listing shows: then
    all of that kind are read back.
    """
    damaged: list[Entry] = []
    if _compare(ends, pair, folder, ledger, ledger.unread_back(), damaged):
        ends.samples.betrayed = True
    if not ends.samples.betrayed:
        return damaged
    after = 0
    while page := ledger.carried(after=after):
        after = page[-1].id
        _compare(ends, pair, folder, ledger, [entry for entry in page if _is_like_a_sample(entry)], damaged)
    return damaged


def _is_like_a_sample(entry: Entry) -> bool:
    ours = entry.this_job and entry.how is not How.ADOPTED
    return ours and entry.note == "" and entry.prints.suspect


def _compare(
    ends: Ends,
    pair: FolderPair,
    folder: FolderRef,
    ledger: PairLedger,
    entries: Sequence[Entry],
    damaged: list[Entry],
) -> bool:
    """Read these back; add to `damaged`. Whether a sample was altered, and has its size."""
    waiting: dict[MessageKey, Entry] = {}
    for entry in entries:
        if entry.target_key is not None and entry.target_key.validity == folder.validity:
            waiting[entry.target_key] = entry
    rows = [Row(key, entry.prints.size, frozenset(), entry.instant) for key, entry in waiting.items()]
    amended, betrayed = [], False
    unread: list[MessageKey] = []
    for found in candidates(ends.target, folder, rows, unread):
        entry = waiting.pop(found.key)
        note = ""
        if found.prints.digest != entry.prints.digest:
            note = "altered" if found.prints.soft == entry.prints.soft else "damaged"
            if note == "damaged" and _is_another(found.prints, entry.prints):
                damaged.append(entry)
                continue
            detail = f"{entry.origin}: {entry.prints.size} octets became {found.prints.size}"
            ends.ledger.warn(f"{note}_by_target", pair.source.name, detail)
            betrayed = betrayed or (not entry.prints.delicate and found.prints.size == entry.prints.size)
        amended.append(Amendment(entry.id, note=note))
    damaged.extend(waiting.pop(key) for key in unread)  # it is there, and cannot be had
    amended.extend(Amendment(entry.id, note="") for entry in waiting.values())  # gone again: the customer's doing
    if amended:
        ledger.step(amended=amended)
    return betrayed


def _is_another(found: Prints, sent: Prints) -> bool:
    return found.header == sent.header or found.message_id != sent.message_id
