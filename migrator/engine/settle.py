"""Settling what is in doubt in one target folder, and learning keys that the target did not name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from migrator.engine.quiet import Quiet
from migrator.errors import ConnectionLost, FolderRenumbered
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Row, take_prints
from migrator.planning.doubt import Candidate, settle
from migrator.ports import (
    Absence,
    Amendment,
    Confirmation,
    Entry,
    How,
    Letter,
    PairLedger,
    Refusal,
    Target,
    Want,
)

LOOK_AGAIN_SECONDS = 2.0
LOOKS = 30


def settle_folder(target: Target, folder: FolderRef, ledger: PairLedger, quiet: Quiet) -> FolderRef:
    """Settle every entry in doubt of this target folder. The caller has made sure that quiescence is over.

    UIDNEXT must stand still over two looks. While a candidate cannot be read, what was not found stays in doubt.
    Returns the folder as it stands now.
    """
    unsettled = ledger.unsettled()
    if unsettled:
        folder = stable(target, folder, quiet)
    keyless = ledger.keyless()
    if not unsettled and not keyless:
        return folder
    if ledger.mark().target_validity not in (0, folder.validity):  # floors of the old folder mean nothing here
        unsettled = [entry._replace(floor=1) for entry in unsettled]
        keyless = [entry._replace(floor=1) for entry in keyless]
    floor = min(entry.floor for entry in (*unsettled, *keyless))
    claims = ledger.claims(folder.validity, floor)
    free = (row for page in target.listing(folder, floor=floor) for row in page.rows if row.key.uid not in claims)
    unread: list[MessageKey] = []
    answer = settle(unsettled, keyless, list(candidates(target, folder, free, unread)))
    doubtful = {entry.id for entry in unsettled}
    ledger.step(
        confirmed=[
            Confirmation(entry.id, key, How.RECOVERED, "unread_back" if entry.prints.suspect else "")
            for entry, key in answer.there
            if entry.id in doubtful
        ],
        amended=[Amendment(entry.id, target_key=key) for entry, key in answer.there if entry.id not in doubtful],
        released=[] if unread else [entry.id for entry in answer.absent],
        refused=[shelved(entry) for entry in answer.ambiguous],
    )
    return folder


_SHELVED = {
    "ambiguous": "the new server may have it already, but it altered its octets: look there before you retry",
    "not_seen_again": "the new server accepted it and does not list it: look there before you retry",
    "damaged_at_target": "the new server keeps something else than it was sent, or does not give it back: look there",
}


def shelved(entry: Entry, reason: str = "ambiguous") -> Refusal:
    """What is or may be there, and is not what was sent, is reported and never appended again."""
    return Refusal(entry.origin, reason, _SHELVED[reason], entry.prints.size, entry=entry.id)


def stable(target: Target, folder: FolderRef, quiet: Quiet) -> FolderRef:
    """Look until UIDNEXT and the number of messages stand still over two looks."""
    before = target.look(folder.name)
    for _ in range(LOOKS):
        quiet.pause(LOOK_AGAIN_SECONDS)
        now = target.look(folder.name)
        if (now.uidnext, now.messages, now.validity) == (before.uidnext, before.messages, before.validity):
            return now
        before = now
    if now.validity != folder.validity:
        raise FolderRenumbered(f"The folder {folder.name} is renumbered at every look.", end="target")
    raise ConnectionLost("The target folder does not come to rest; somebody fills it.", end="target")


def candidates(
    target: Target, folder: FolderRef, rows: Iterable[Row], unread: list[MessageKey] | None = None
) -> Iterator[Candidate]:
    """The rows' messages, read back and put into prints; what has vanished meanwhile is no candidate.

    `unread` is given the keys of those that are there and could not be read.
    """
    known = {row.key: row for row in rows}
    wants = [Want(folder.name, row.key, row.size) for row in known.values()]
    for answer in target.open(folder, wants):
        if isinstance(answer, Letter):
            prints = take_prints(answer.head, answer.chunks())
            answer.close()
            yield Candidate(answer.want.key, prints, known[answer.want.key].instant)
        elif unread is not None and answer.absence is not Absence.GONE:
            unread.append(answer.want.key)
