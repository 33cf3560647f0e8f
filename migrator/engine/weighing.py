"""What is to become of each message that the source lists: booked, with what the pass tells a keeper of history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from migrator.engine.booking import Booking
from migrator.engine.detaining import Detention
from migrator.engine.flagging import FlagChanges
from migrator.engine.hindered import Hindered
from migrator.engine.history import History
from migrator.engine.settle import shelved
from migrator.errors import FolderRenumbered
from migrator.mail.flags import fitting
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Row
from migrator.planning.delta import Verdict, decide
from migrator.ports import Absence, Entry, Refusal, Unread

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options


class Weighing:
    """Of one folder."""

    def __init__(self, ends: Ends, options: Options, folder: FolderRef, book: Booking, hindered: Hindered) -> None:
        self._options = options
        self._limit = ends.target.traits.max_octets
        self.folder = folder
        """As it stands at the target now."""
        self._book = book
        self._hindered = hindered
        self.history = History(ends.target)
        """Of this pass; who begins another one makes another one."""
        self.flag_changes = FlagChanges()
        self.detention = Detention()
        """What the target would not take."""

    def weigh(self, row: Row, entry: Entry | None) -> bool:
        """Book what the ledger knows of a message. True: it is to be carried."""
        decision = decide(row, entry, max_octets=self._options.max_octets)
        if decision.verdict is Verdict.SKIP:
            self.skip(row, decision.rule)
        elif decision.verdict is Verdict.FAILED:
            self._still_refused(row, entry)
        elif decision.verdict is Verdict.IN_FLIGHT:
            detail = "the new server may have it, and does not let us see: run the same again later"
            self.refuse(row, Refusal(row.key, "in_doubt", detail, row.size))
        elif decision.verdict is not Verdict.CARRY:
            self._count_there(decision.verdict, entry, row)
            self.history.keep(entry.target_key if entry else None, row.key)
            if (decision.add or decision.remove) and entry is not None:
                self.flag_changes.want(self.folder, entry, row, decision.add, decision.remove)
        return decision.verdict is Verdict.CARRY and self._admits(row)

    def _still_refused(self, row: Row, entry: Entry | None) -> None:
        """This job refused it already; or an earlier one could not tell whether it is there: each job says so."""
        self._book.count.failed += 1
        if entry is not None and entry.id:
            refusal = shelved(entry, entry.note or "ambiguous")
            self._book.shelve(Refusal(row.key, refusal.reason, refusal.detail, refusal.size))
        reason = (entry.reason or entry.note if entry else "") or "ambiguous"
        self.history.leave(row.key, row.size, reason)
        self.detention.add(row, reason, entry.detail if entry else "")

    def _admits(self, row: Row) -> bool:
        if self._hindered.breaks_connections(row.key):
            detail = "the new server breaks the connection each time this message is sent"
            identity = self._hindered.message_id(row.key)
            self.refuse(row, Refusal(row.key, "connection_lost_on_append", detail, row.size, identity))
        elif self._limit is not None and row.size > self._limit:
            detail = f"the new server takes at most {self._limit} octets"
            self.refuse(row, Refusal(row.key, "too_big", detail, row.size))
        else:
            return True
        return False

    def _count_there(self, verdict: Verdict, entry: Entry | None, row: Row) -> None:
        if verdict is Verdict.COPIED:
            self._book.count.copied += 1
            self._book.count.octets += entry.prints.size if entry else row.size
            self._book.count.dropped_flags += len(fitting(entry.flags if entry else row.flags, self.folder).dropped)
        else:
            self._book.count.already_there += 1

    def unread(self, row: Row, answer: Unread) -> None:
        """It was asked for, and not delivered. Raises FolderRenumbered where it must be listed anew."""
        if answer.absence is Absence.GONE:
            self.skip(row, answer.absence.value)
        elif answer.absence is Absence.LATER:
            text = f"The folder {answer.want.folder} was renumbered at the old server while it was read."
            raise FolderRenumbered(text, end="source")
        else:
            self.refuse(row, Refusal(row.key, answer.absence.value, answer.detail, row.size))

    def lost(self, entries: Iterable[Entry], reason: str, ours: Mapping[MessageKey, Entry]) -> None:
        """What the target said OK to and does not have as it was sent: it is not called copied any more.

        `ours`: the entries of this source folder by their origin.
        """
        for entry in entries:
            refusal = shelved(entry, reason)
            self._book.shelve(refusal)
            known = ours.get(entry.origin)
            if known is not None and known.id == entry.id:  # not of another folder that is merged into this one
                self._book.count.failed += 1
                self._book.count.copied -= int(entry.this_job)
                self._book.count.already_there -= int(not entry.this_job)
                row = Row(entry.origin, entry.prints.size, entry.flags, entry.instant)
                self.detention.add(row, refusal.reason, refusal.detail)

    def refuse(self, row: Row, refusal: Refusal) -> None:
        """It cannot be carried."""
        self._book.refuse(refusal)
        self.history.leave(refusal.origin, refusal.size, refusal.reason)
        self.detention.add(row, refusal.reason, refusal.detail, refusal.message_id)

    def skip(self, row: Row, rule: str) -> None:
        """A rule leaves it behind."""
        self._book.skip(row.key, rule)
        self.history.leave(row.key, row.size, rule)
