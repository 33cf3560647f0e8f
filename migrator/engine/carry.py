"""Carrying one folder: survey, decide, read, intend, append, confirm, change flags, read back.

The order is the whole point (house.md, the journey of one message): a message's intent is committed before the
target's first octet, and its confirmation together with the next batch's intents. Only a target that keeps history
needs no intent: what is appended there again under the same origin is there once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from migrator.engine.adopt import Adoption
from migrator.engine.announced import Announced
from migrator.engine.booking import Booking
from migrator.engine.hindered import Hindered, cured_letter
from migrator.engine.history import History
from migrator.engine.progress import Count
from migrator.engine.quiet import InDoubt, Quiet
from migrator.engine.readback import look_after, read_back
from migrator.engine.recreated import heal_source, heal_target
from migrator.engine.renamed import Renamed
from migrator.engine.results import Results
from migrator.engine.settle import settle_folder
from migrator.engine.unchanged import MOST_UNLOOKED
from migrator.engine.weighing import Weighing
from migrator.errors import ConnectionLost, Fenced, FolderRefused, PostwagenError, ServerBusy, Stopped
from migrator.mail.dates import internal_date
from migrator.mail.flags import fitting
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Prints, Row, is_internal
from migrator.planning.batches import is_full
from migrator.ports import (
    Amendment,
    AppendResult,
    Batch,
    Changes,
    Entry,
    FolderPair,
    Intent,
    Letter,
    Mark,
    Missing,
    Opened,
    PairLedger,
    Parcel,
    Unread,
    Want,
)

if TYPE_CHECKING:
    from migrator.engine.run import Ends, Options

PAGE_ROWS = 2000


class _Load(NamedTuple):
    """A message that was read, ready to be intended."""

    row: Row
    letter: Letter
    prints: Prints
    flags: tuple[str, ...]
    dropped: tuple[str, ...]
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
        hindered: Hindered,
        *,
        whole: bool = True,
    ) -> None:
        """`whole`: all of the source folder is listed, not only what has changed."""
        self._ends = ends
        self._options = options
        self._pair = pair
        self._folder = folder
        self.ledger = ledger
        self._quiet = quiet
        traits = ends.target.traits
        samples = ends.samples if traits.may_rewrite_headers else None
        self._book = Booking(ledger, ends.clock, samples, intends=not traits.keeps_history)
        self._weighing = Weighing(ends, options, folder, self._book, hindered)
        self._hindered = hindered
        self._results = Results(options, self._book, self._weighing, hindered)
        self._whole = whole
        self._first: MessageKey | None = None
        """Of the messages that the source lists: where some servers keep data of their own."""
        self._since = Mark()
        """What was known when the folder was last seen whole, where what has changed since then is enough."""
        self._unlooked = 0
        """So many runs in a row have not listed all of it, this one too."""
        self._looked = 0
        """UIDs of the target folder below this were looked at."""
        self.beside: Callable[[], Iterable[FolderCarry]] = tuple
        """Others, whose news are committed with every intent of this one."""
        self._adoption = Adoption(ends.target, folder, ledger)
        self._renamed = Renamed(ends.source, pair.source.name, ledger)
        self._announced = Announced(ends, pair)

    # ---- the whole folder ----------------------------------------------------------------------------------------

    def carry(self) -> None:
        """Carry the folder. Raises InDoubt, FolderRefused, and whatever hits the mailbox."""
        self.begin()
        source = self._pair.source
        try:
            while self._pass() or not self._weighing.history.is_concluded(source, self._folder, self.ledger):
                pass
            self.end()
        except (FolderRefused, ConnectionLost, ServerBusy):
            with suppress(PostwagenError):
                self._detain()  # perhaps nobody comes back to this folder
            raise
        self.keep()

    def begin(self) -> None:
        """What comes before anything is appended. Raises InDoubt."""
        if self.ledger.unsettled() and not self._quiet.is_over():
            raise InDoubt
        self._folder = heal_target(self._ends, self._pair, self._folder, self.ledger, self._options.recreated)
        # Nothing may stay in doubt, and no key unknown: adoption would give such a message away (traps.md, F).
        self._folder = settle_folder(self._ends.target, self._folder, self.ledger, self._quiet)
        self._adoption = Adoption(self._ends.target, self._folder, self.ledger)
        self._weighing.folder = self._folder
        mark = self.ledger.mark()
        self._looked = mark.looked
        if mark.target_validity != self._folder.validity:
            self._looked = self._folder.uidnext
            self._book.mark = Mark(0, self._folder.validity, looked=self._looked, state="")
        elif mark.state:
            if not self._whole and mark.unlooked < MOST_UNLOOKED and not self._ends.target.traits.keeps_history:
                self._since = mark
            self._book.mark = Mark(state="")  # until all of it was seen again

    def end(self) -> None:
        """What comes when everything was appended, but for the last commit (`keep`)."""
        self._change_flags()
        self._settle_keyless()
        looked = self._look_after()
        self._lose(read_back(self._ends, self._pair, self._folder, self.ledger), "damaged_at_target")
        self._detain()
        missing = self._announced.missing(self._book.count.found)
        self._book.count.found += missing
        self._book.count.failed += missing
        if names := self._results.left_off:
            self._ends.ledger.warn("flags_dropped", self._pair.source.name, names)
        mark = self._weighing.history.mark(self._folder)
        state = self._pair.source.state if self._is_whole else ""
        self._book.mark = replace(mark, looked=mark.looked or looked, state=state, unlooked=self._unlooked)

    def _lose(self, entries: Sequence[Entry], reason: str) -> None:
        self._weighing.lost(entries, reason, self.ledger.entries([entry.origin for entry in entries]))

    def _detain(self) -> None:
        self._weighing.detention.keep(self._ends, self._pair, self._folder.name)

    @property
    def _is_whole(self) -> bool:
        """Every message that the source announced was seen, and is there."""
        count = self._book.count
        return count.found == self._pair.source.messages == count.copied + count.already_there

    @property
    def has_news(self) -> bool:
        """Whether something became known that is not in the ledger."""
        return self._book.has_news

    def keep(self) -> None:
        """Put it there."""
        self._book.step()

    @property
    def lacking(self) -> Sequence[Missing]:
        """What the source has listed and a target that keeps history does not have."""
        return self._weighing.history.lacking

    @property
    def appended(self) -> int:
        """So many messages the target has taken."""
        return self._results.appended

    @property
    def is_doubtful(self) -> bool:
        """Something of it may be at the target, now or later."""
        return self._results.doubtful

    @property
    def is_hindered(self) -> bool:
        """Something is to travel alone."""
        return bool(self._hindered)

    @property
    def listing(self) -> tuple[str, int]:
        """The target folder, and the UID from which on `end` will list it if anything was appended."""
        return self._folder.name, max(1, self._looked)

    def _look_after(self) -> int:
        """Up to which UID the target folder was looked at; 0: as before. (`History` has compared every key.)"""
        looked = not self.appended and self._looked >= self._folder.uidnext
        if looked or self._ends.target.traits.keeps_history:
            return 0
        now, unseen = look_after(self._ends, self._pair, self._folder, self.ledger, self._looked)
        self._lose(unseen, "not_seen_again")
        return now.uidnext

    def _settle_keyless(self) -> None:
        if not self._ends.target.traits.reports_keys:
            settle_folder(self._ends.target, self._folder, self.ledger, self._quiet)

    def _pass(self) -> bool:
        """Survey and append once. True: something was certainly not sent and is to be tried again now."""
        self._book.count, self._weighing.history = Count(), History(self._ends.target)
        times = self._hindered.times
        try:
            with closing(self._ends.target.append(self.batches(), may_commit=self._ends.stop.may_commit)) as results:
                for result in results:
                    self.take(result)
        except PostwagenError as error:
            self.break_off(error)
            raise
        if self.conclude():
            raise InDoubt
        return self._hindered.times > times

    def break_off(self, error: PostwagenError) -> None:
        """Appending has ended by this: what became known is kept."""
        if self._results.doubtful:
            self._quiet.begin()
        if not isinstance(error, Fenced):
            self._book.step()

    def conclude(self) -> bool:
        """Appending has ended. True: something is in doubt."""
        self.keep()
        if self._results.doubtful:
            self._quiet.begin()
        return self._results.doubtful

    # ---- reading and deciding ------------------------------------------------------------------------------------

    def batches(self) -> Iterator[Batch]:
        """Batches, each intended before it is handed out."""
        loads: list[_Load] = []
        octets = 0
        broken: list[PostwagenError] = []
        for load in self._until_broken(broken):
            alone = load.row.key in self._hindered
            if loads and (alone or is_full(octets, len(loads), load.letter.size, self._options.batch_octets)):
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
        except (FolderRefused, ConnectionLost, ServerBusy) as error:
            if error.end == "target":
                raise
            broken.append(error)

    def _pause(self) -> bool:
        """After a batch: whether to leave the folder for now."""
        if self._ends.stop.wanted():
            raise Stopped("Stopped between two batches.")
        return self._results.doubtful

    def _loads(self) -> Iterator[_Load]:
        since, self._since, self._unlooked = self._since, Mark(), 0
        changes = self._ends.source.changes(self._pair.source.name, since.state) if since.state else None
        if changes is not None:
            self._unlooked = since.unlooked + 1
            yield from self._changed(changes)
            return
        for item in self._ends.source.survey(self._pair.source.name):
            if isinstance(item, Opened):
                heal_source(self._ends, self._pair, self.ledger, item.validity)
                continue
            self._first = self._first or (item.rows[0].key if item.rows else None)
            self._book.count.found += len(item.rows)
            self._book.count.octets_found += sum(row.size for row in item.rows)
            self._weighing.history.see(item.rows)
            yield from self._page(item.rows)
            if self._pause():
                return

    def _changed(self, changes: Changes) -> Iterator[_Load]:
        """All else was seen to be there, and is as it was."""
        count, unchanged = self._book.count, changes.opened.messages - len(changes.rows)
        count.found, count.already_there = changes.opened.messages, unchanged
        count.octets_found = max(self._pair.source.octets or 0, sum(row.size for row in changes.rows))
        for start in range(0, len(changes.rows), PAGE_ROWS):
            yield from self._page(changes.rows[start : start + PAGE_ROWS])
            if self._pause():
                return

    def _page(self, rows: Sequence[Row]) -> Iterator[_Load]:
        entries = self.ledger.entries([row.key for row in rows])
        wanted: dict[MessageKey, Row] = {}
        for row in rows:
            entry = entries.get(row.key)
            if self._weighing.weigh(row, entry):
                wanted[row.key] = row
        self._book.step_in_time()
        if wanted:
            self._renamed.prepare()
        self._adoption.expect(wanted.values())
        wants = [Want(self._pair.source.name, row.key, row.size) for row in wanted.values()]
        for answer in self._ends.source.read(wants):
            row = wanted[answer.want.key]
            if isinstance(answer, Unread):
                self._weighing.unread(row, answer)
            else:
                load = self._loaded(row, answer)
                if load is not None:
                    yield load

    def _loaded(self, row: Row, letter: Letter) -> _Load | None:
        """The message with its prints; None where the target has it already: carried under another key, or adopted."""
        if row.key == self._first and is_internal(letter.head):
            letter.close()
            self._weighing.skip(row, "folder_internal_data")
            return None
        self._announced.read(row, letter)
        if cures := self._hindered.cures(row.key):
            detail = f"{row.key} {self._hindered.message_id(row.key)}: {', '.join(sorted(cures))}"
            self._ends.ledger.warn("message_repaired", self._pair.source.name, detail)  # before its first octet
            letter = cured_letter(letter, cures)
        prints = self._ends.printing.of(letter)
        entry = self._renamed.find(letter, prints)
        if entry is not None:
            letter.close()
            self._book.amended.append(Amendment(entry.id, origin=row.key))
            self._weighing.weigh(row, entry._replace(origin=row.key))
            return None
        instant = internal_date(row.instant, letter.head)
        key = self._adoption.find(letter, prints, instant)
        if key is not None:
            letter.close()
            # Its flags stay as the customer left them.
            self._book.adopt(Intent(row.key, prints, instant, row.flags, floor=key.uid), key)
            return None
        fit = fitting(row.flags, self._folder)
        return _Load(row, letter, prints, fit.kept, fit.dropped, instant)

    # ---- intending, sending, confirming --------------------------------------------------------------------------

    def _intend(self, loads: Sequence[_Load]) -> Batch:
        floor = self._folder.uidnext
        intents = [Intent(load.row.key, load.prints, load.instant, load.row.flags, floor) for load in loads]
        with self._ends.ledger.joint():
            for other in self.beside():
                other.keep()
            numbers = self._book.intend(intents)
        parcels = []
        for number, load in zip(numbers, loads, strict=True):
            self._results.expect(number, load.row, load.dropped)
            parcels.append(Parcel(number, load.letter, load.flags, load.instant))
        return Batch(self._folder, parcels)

    def take(self, result: AppendResult) -> None:
        """Book one result; it is committed with the next step, or soon: people watch."""
        self._results.take(result)
        self._book.step_in_time()

    def _change_flags(self) -> None:
        for amendment, changed in self._weighing.flag_changes.carry_out(self._ends.target, self._folder):
            self._book.amended.append(amendment)
            self._book.count.flag_changes += int(changed)
        if self._book.amended:
            self._book.step()
