"""Carrying one folder: survey, decide, read, intend, append, confirm, change flags, read back.

The order is the whole point (house.md, the journey of one message): a message's intent is committed before the
target's first octet, and its confirmation together with the next batch's intents. Only a target that keeps history
needs no intent: what is appended there again under the same origin is there once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from migrator.engine.adopt import Adoption
from migrator.engine.booking import Booking
from migrator.engine.flagging import FlagChanges
from migrator.engine.history import History
from migrator.engine.progress import Count
from migrator.engine.quiet import Quiet
from migrator.engine.readback import look_after, read_back
from migrator.engine.recreated import heal_source, heal_target
from migrator.engine.renamed import Renamed
from migrator.engine.settle import settle_folder, shelved
from migrator.errors import ConnectionLost, Fenced, FolderRefused, PostwagenError, Stopped
from migrator.mail.dates import internal_date
from migrator.mail.flags import fitting
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Prints, Row, find_message_id, header_block, readable, take_prints
from migrator.planning.batches import is_full
from migrator.planning.delta import Verdict, decide
from migrator.ports import (
    Absence,
    Amendment,
    AppendResult,
    Batch,
    Entry,
    FolderPair,
    Intent,
    Letter,
    Mark,
    Missing,
    Opened,
    PairLedger,
    Parcel,
    Refusal,
    Refused,
    Stored,
    Unknown,
    Unread,
    Want,
)

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options

ALONE_TRIES = 3
"""So often a message may break the connection while it travels alone; then it is refused."""


class InDoubt(Exception):
    """Something is in doubt here: come back when the target has been left alone for a while."""


@dataclass(slots=True)
class _Load:
    """A message that was read, ready to be intended."""

    row: Row
    letter: Letter
    prints: Prints
    flags: tuple[str, ...]
    dropped: int
    instant: datetime | None


class FolderCarry:
    """One folder's run. Used once."""

    def __init__(
        self,
        ends: Ends,
        options: Options,
        pair: FolderPair,
        folder: FolderRef,
        ledger: PairLedger,
        quiet: Quiet,
        hindered: dict[MessageKey, int],
    ) -> None:
        self._ends = ends
        self._options = options
        self._pair = pair
        self._folder = folder
        self._ledger = ledger
        self._quiet = quiet
        self._book = Booking(ledger, ends.clock, intends=not ends.target.traits.keeps_history)
        self._history = History(ends.target)
        self._dropped: dict[int, int] = {}
        """How many flags the target does not take, of each message on its way."""
        self._flag_changes = FlagChanges()
        self._doubtful = False
        self._appended = False
        self._hindered = hindered
        """How often each message was on a connection that broke; such messages travel alone."""
        self._adoption = Adoption(ends.target, folder, ledger)
        self._renamed = Renamed(ends.source, pair.source.name, ledger)

    # ---- the whole folder ----------------------------------------------------------------------------------------

    def carry(self) -> None:
        """Carry the folder. Raises InDoubt, FolderRefused, and whatever hits the mailbox."""
        if self._ledger.unsettled() and not self._quiet.is_over():
            raise InDoubt
        self._folder = heal_target(self._ends, self._pair, self._folder, self._ledger, self._options.recreated)
        # Nothing may stay in doubt, and no key unknown: adoption would give such a message away (traps.md, F).
        self._folder = settle_folder(self._ends.target, self._folder, self._ledger, self._quiet)
        self._adoption = Adoption(self._ends.target, self._folder, self._ledger)
        if self._ledger.mark().target_validity != self._folder.validity:
            self._ledger.step(mark=Mark(0, self._folder.validity, looked=self._folder.uidnext))
        again = True
        while again:
            again = self._pass() or not self._history.is_concluded(self._pair.source, self._folder, self._ledger)
        self._change_flags()
        self._settle_keyless()
        self._look_after()
        read_back(self._ends, self._pair, self._folder, self._ledger)
        self._book.step(mark=self._history.mark(self._folder))

    @property
    def lacking(self) -> Sequence[Missing]:
        """What the source has listed and a target that keeps history does not have."""
        return self._history.lacking

    def _look_after(self) -> None:
        """What the target said OK to and does not list is not called copied. (`History` has compared every key.)"""
        looked = not self._appended and self._ledger.mark().looked >= self._folder.uidnext
        if looked or self._ends.target.traits.keeps_history:
            return
        now, unseen = look_after(self._ends, self._pair, self._folder, self._ledger)
        ours = self._ledger.entries([entry.origin for entry in unseen])
        for entry in unseen:
            self._book.shelve(shelved(entry, "not_seen_again"))
            known = ours.get(entry.origin)
            if known is not None and known.id == entry.id:  # not of another folder that is merged into this one
                self._book.count.failed += 1
                self._book.count.copied -= int(entry.this_job)
                self._book.count.already_there -= int(not entry.this_job)
        self._book.step(mark=Mark(0, now.validity, looked=now.uidnext))

    def _settle_keyless(self) -> None:
        if not self._ends.target.traits.reports_keys:
            settle_folder(self._ends.target, self._folder, self._ledger, self._quiet)

    def _pass(self) -> bool:
        """Survey and append once. True: something was certainly not sent and is to be tried again now."""
        self._book.count, self._history = Count(), History(self._ends.target)
        tries = sum(self._hindered.values())
        try:
            with closing(self._ends.target.append(self._batches(), may_commit=self._ends.stop.may_commit)) as results:
                for result in results:
                    self._take(result)
        except PostwagenError as error:
            if self._doubtful:
                self._quiet.begin()
            if not isinstance(error, Fenced):
                self._book.step()
            raise
        self._book.step()
        if self._doubtful:
            self._quiet.begin()
            raise InDoubt
        return sum(self._hindered.values()) > tries

    # ---- reading and deciding ------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[Batch]:
        """Batches, each intended before it is handed out."""
        loads: list[_Load] = []
        octets = 0
        broken: list[PostwagenError] = []
        for load in self._until_broken(broken):
            alone = load.row.key in self._hindered
            if loads and (alone or is_full(octets, len(loads), load.letter.size)):
                yield self._intend(loads)
                loads, octets = [], 0
                if self._pause():
                    load.letter.close()
                    return
            loads.append(load)
            octets += load.letter.size
            if alone:
                yield replace(self._intend(loads), alone=True)
                loads, octets = [], 0
                if self._pause():
                    return
        if loads:
            yield self._intend(loads)
        for error in broken:
            raise error

    def _until_broken(self, broken: list[PostwagenError]) -> Iterator[_Load]:
        """All that can be read: what came before the source broke is not lost with it."""
        try:
            yield from self._loads()
        except (FolderRefused, ConnectionLost) as error:
            if error.end == "target":
                raise
            broken.append(error)

    def _pause(self) -> bool:
        """After a batch: whether to leave the folder for now."""
        if self._ends.stop.wanted():
            raise Stopped("Stopped between two batches.")
        return self._doubtful

    def _loads(self) -> Iterator[_Load]:
        validity = 0
        for item in self._ends.source.survey(self._pair.source.name):
            if isinstance(item, Opened):
                validity = item.validity
                heal_source(self._ends, self._pair, self._ledger, validity)
                continue
            self._book.count.found += len(item.rows)
            self._book.count.octets_found += sum(row.size for row in item.rows)
            self._history.see(item.rows)
            yield from self._page(item.rows)
            if self._pause():
                return

    def _page(self, rows: Sequence[Row]) -> Iterator[_Load]:
        entries = self._ledger.entries([row.key for row in rows])
        wanted: dict[MessageKey, Row] = {}
        for row in rows:
            entry = entries.get(row.key)
            if self._weigh(row, entry):
                self._admit(row, wanted)
        self._book.step()
        if wanted:
            self._renamed.prepare()
        self._adoption.expect(wanted.values())
        wants = [Want(self._pair.source.name, row.key, row.size) for row in wanted.values()]
        for answer in self._ends.source.read(wants):
            row = wanted[answer.want.key]
            if isinstance(answer, Unread):
                self._unread(row, answer)
            else:
                load = self._loaded(row, answer)
                if load is not None:
                    yield load

    def _weigh(self, row: Row, entry: Entry | None) -> bool:
        """Book what the ledger knows of a message. True: it is to be carried."""
        decision = decide(row, entry, max_octets=self._options.max_octets)
        if decision.verdict is Verdict.SKIP:
            self._skip(row, decision.rule)
        elif decision.verdict is Verdict.FAILED:
            self._still_refused(row, entry)
        elif decision.verdict is Verdict.IN_FLIGHT:
            detail = "the new server may have it, and does not let us see: run the same again later"
            self._refuse(Refusal(row.key, "in_doubt", detail, row.size))
        elif decision.verdict is not Verdict.CARRY:
            self._count_there(decision.verdict, entry, row)
            self._history.keep(entry.target_key if entry else None, row.key)
            if (decision.add or decision.remove) and entry is not None:
                self._flag_changes.want(self._folder, entry, row, decision.add, decision.remove)
        return decision.verdict is Verdict.CARRY

    def _still_refused(self, row: Row, entry: Entry | None) -> None:
        """This job refused it already; or an earlier one could not tell whether it is there: each job says so."""
        self._book.count.failed += 1
        if entry is not None and entry.id:
            refusal = shelved(entry, entry.note or "ambiguous")
            self._book.shelve(Refusal(row.key, refusal.reason, refusal.detail, refusal.size))
        self._history.leave(row.key, row.size, (entry.reason or entry.note if entry else "") or "ambiguous")

    def _admit(self, row: Row, wanted: dict[MessageKey, Row]) -> None:
        if self._hindered.get(row.key, 0) > ALONE_TRIES:
            detail = "the new server breaks the connection each time this message is sent"
            self._refuse(Refusal(row.key, "connection_lost_on_append", detail, row.size))
            return
        limit = self._ends.target.traits.max_octets
        if limit is not None and row.size > limit:
            self._refuse(Refusal(row.key, "too_big", f"the new server takes at most {limit} octets", row.size))
            return
        wanted[row.key] = row

    def _count_there(self, verdict: Verdict, entry: Entry | None, row: Row) -> None:
        if verdict is Verdict.COPIED:
            self._book.count.copied += 1
            self._book.count.octets += entry.prints.size if entry else row.size
            self._book.count.dropped_flags += len(fitting(entry.flags if entry else row.flags, self._folder).dropped)
        else:
            self._book.count.already_there += 1

    def _unread(self, row: Row, answer: Unread) -> None:
        if answer.absence is Absence.GONE:
            self._skip(row, answer.absence.value)
        elif answer.absence is Absence.LATER:
            raise Stopped(f"The folder {self._pair.source.name} changed its UIDVALIDITY while it was read.")
        else:
            self._refuse(Refusal(row.key, answer.absence.value, answer.detail, row.size))

    def _loaded(self, row: Row, letter: Letter) -> _Load | None:
        """The message with its prints; None where the target has it already: carried under another key, or adopted."""
        prints = letter.prints or take_prints(letter.head, letter.chunks())
        entry = self._renamed.find(prints)
        if entry is not None:
            letter.close()
            self._book.amended.append(Amendment(entry.id, origin=row.key))
            self._weigh(row, replace(entry, origin=row.key))
            return None
        instant = internal_date(row.instant, letter.head)
        key = self._adoption.find(prints, instant)
        if key is not None:
            letter.close()
            # Its flags stay as the customer left them.
            self._book.adopt(Intent(row.key, prints, instant, row.flags, floor=key.uid), key)
            return None
        fit = fitting(row.flags, self._folder)
        return _Load(row, letter, prints, fit.kept, len(fit.dropped), instant)

    # ---- intending, sending, confirming --------------------------------------------------------------------------

    def _intend(self, loads: Sequence[_Load]) -> Batch:
        floor = self._folder.uidnext
        numbers = self._book.intend(
            [Intent(load.row.key, load.prints, load.instant, load.row.flags, floor) for load in loads]
        )
        parcels = []
        for number, load in zip(numbers, loads, strict=True):
            self._dropped[number] = load.dropped
            parcels.append(Parcel(number, load.letter, load.flags, load.instant))
        return Batch(self._folder, parcels)

    def _take(self, result: AppendResult) -> None:
        """Book one result; it is committed with the next step."""
        parcel, number = result.parcel, result.parcel.entry
        dropped = self._dropped.pop(number)
        if isinstance(result, Stored):
            self._book.stored(number, result.key)
            self._history.keep(result.key, parcel.letter.want.key)
            self._appended = True
            self._book.count.copied += 1
            self._book.count.octets += parcel.letter.size
            self._book.count.dropped_flags += dropped
        elif isinstance(result, Refused):
            identity = readable(find_message_id(header_block(parcel.letter.head)))
            size = parcel.letter.size
            self._refuse(self._book.turned_away(number, result.reason, result.detail, size, identity))
        else:
            self._doubtful = self._doubtful or isinstance(result, Unknown)
            key = self._book.unknown(number) if isinstance(result, Unknown) else self._book.unsent(number)
            self._hindered[key] = self._hindered.get(key, 0) + 1
        parcel.letter.close()

    def _refuse(self, refusal: Refusal) -> None:
        self._book.refuse(refusal)
        self._history.leave(refusal.origin, refusal.size, refusal.reason)

    def _skip(self, row: Row, rule: str) -> None:
        self._book.skip(row.key, rule)
        self._history.leave(row.key, row.size, rule)

    def _change_flags(self) -> None:
        for amendment, changed in self._flag_changes.carry_out(self._ends.target, self._folder):
            self._book.amended.append(amendment)
            self._book.count.flag_changes += int(changed)
        if self._book.amended:
            self._book.step()
