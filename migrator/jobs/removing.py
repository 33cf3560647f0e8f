"""Deleting at a POP3 server what was collected, after the days that the customer asked for (traps.md, O).

Nothing is deleted but by a wish that was recorded, and only what the archive has just proven to hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migrator.errors import Stopped, UsageError
from migrator.planning.leaving import Decision, Held, Leaving, decide, trustworthy
from migrator.ports import Listed, Removal, StopSignal
from migrator.sessions.connect import AddressRule
from migrator.sessions.endpoint import Endpoint

if TYPE_CHECKING:
    from migrator.archive.file import ArchiveFile
    from migrator.archive.held import Holdings, Kept
    from migrator.sessions.pop3.remover import Pop3Remover


def remove(
    source_end: Endpoint,
    archive_file: ArchiveFile,
    *,
    policy: Leaving,
    wish: str,
    stop: StopSignal,
    may_reach: AddressRule | None,
    now: datetime,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Delete at the server what the policy gives free, and say of everything else why it stays.

    `archive_file` is open for writing (reading, with `dry_run`), so that no pass runs meanwhile. `wish`: who asked for
    it, and when; kept in the archive. Always `listed = removed + would_remove + unknown + all of kept`. What is unknown
    counts as not deleted and is looked at again by the next run. `noted` are all that any run was about to delete.
    Raises UsageError, ConnectError and its kin, Stopped: then nothing was deleted.
    """
    from migrator.archive.held import Holdings, removed_by_us

    _refuse(source_end, archive_file, policy, wish)
    rows, warnings = _look(source_end, stop, may_reach)
    holdings = Holdings(archive_file)
    decision, kept = _decide(rows, holdings, policy, now, stop)
    done = Removal()
    if decision.remove and not dry_run:
        holdings.note_removal([kept[row.uidl].message for row in decision.remove], wish, now)
        done = _remove(source_end, decision.remove, stop, may_reach)
    reasons = Counter(decision.kept)
    reasons.update({"refused": len(done.refused), "changed": len(done.changed)})
    return {
        "listed": len(rows),
        "removed": len(done.removed),
        "would_remove": len(decision.remove) if dry_run else 0,
        "kept": {reason: count for reason, count in reasons.items() if count},
        "unknown": len(done.unknown),
        "noted": len(removed_by_us(archive_file)),
        "warnings": list(warnings),
        "wish": wish,
    }


def _refuse(source_end: Endpoint, archive_file: ArchiveFile, policy: Leaving, wish: str) -> None:
    if source_end.protocol == "imap":
        raise UsageError(
            "Nothing is ever deleted over IMAP.", hint="Collected mail can be deleted at POP3 servers only."
        )
    if source_end.protocol != "pop3":
        raise UsageError(f"Nothing can be deleted over {source_end.protocol}.", hint="Use pop3s:// or pop3://.")
    if not policy.keeps_all and not wish.strip():
        raise UsageError(
            "Nothing is deleted without a wish.",
            hint="Write down who asked for it, and when: --wish 'Mrs Weber, 3 May'.",
        )
    if archive_file.account != source_end.identity:
        raise UsageError(
            f"The archive holds the mail of {archive_file.account or 'nobody yet'}, not of {source_end.identity}.",
            hint="Name the archive into which this very mailbox was collected. Nothing was deleted.",
        )


# ---- looking and deciding ------------------------------------------------------------------------------------------


def _look(end: Endpoint, stop: StopSignal, may_reach: AddressRule | None) -> tuple[Sequence[Listed], Sequence[str]]:
    """What lies there, over a connection that ends before anything is proven: that may take long."""
    remover = _open(end, stop, may_reach)
    try:
        return remover.listed(), remover.warnings
    finally:
        remover.close()


def _decide(
    rows: Sequence[Listed], holdings: Holdings, policy: Leaving, now: datetime, stop: StopSignal
) -> tuple[Decision, dict[str, Kept]]:
    """Only what would be deleted if it were whole is read again."""
    if policy.keeps_all:
        return decide(rows, {}, policy, now), {}
    found = ((row, holdings.find(row.uidl)) for row in rows if trustworthy(row.uidl, row.number))
    kept = {row.uidl: has for row, has in found if has is not None}
    held = {row.uidl: _held(row, kept[row.uidl]) for row in rows if row.uidl in kept}
    for row in decide(rows, held, policy, now).remove:
        if stop.wanted():
            raise Stopped("Stopped before anything was deleted.")
        held[row.uidl] = replace(held[row.uidl], whole=holdings.is_whole(kept[row.uidl]))
    return decide(rows, held, policy, now), kept


def _held(row: Listed, has: Kept) -> Held:
    """What is not read yet counts as whole, what cannot be opened as damaged, of whatever size it was."""
    size = row.size or 0 if has.size is None else has.size
    return Held(size, has.collected, whole=has.size is not None)


# ---- deleting ------------------------------------------------------------------------------------------------------


def _remove(end: Endpoint, chosen: Sequence[Listed], stop: StopSignal, may_reach: AddressRule | None) -> Removal:
    remover = _open(end, stop, may_reach)
    try:
        return remover.remove(chosen)
    finally:
        remover.close()


def _open(end: Endpoint, stop: StopSignal, may_reach: AddressRule | None) -> Pop3Remover:
    from migrator.sessions.pop3.remover import Pop3Remover
    from migrator.sessions.pop3.session import Pop3Session

    session = Pop3Session(end, wants_stop=stop.wanted, may_reach=may_reach)
    return Pop3Remover(session, stop.may_commit)
