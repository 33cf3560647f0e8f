"""What one folder's run has learnt and not committed yet; one commit takes all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from migrator.engine.progress import Count
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Amendment, Clock, Confirmation, How, Intent, Mark, PairLedger, Refusal, Settled, Skip

SETTLED_AT_ONCE = 500
"""So many messages that need no intent are committed together,"""
SETTLED_SECONDS = 1.0
"""or those of so long a time: people watch."""
TOLD_SECONDS = 0.5


class Samples:
    """Of what few targets alter, over all folders of a run, the first, second, fourth, eighth … is read back
    (`engine.readback`): a few answers to wait for, not some for each folder."""

    def __init__(self) -> None:
        self._suspects = 0
        self.betrayed = False
        """One of them was altered: so may others be."""

    def takes(self, prints: Prints) -> bool:
        """Whether this one is to be read back."""
        self._suspects += prints.suspect
        return prints.suspect and self._suspects.bit_count() == 1


class Booking:
    """Used by one folder's run."""

    def __init__(self, ledger: PairLedger, clock: Clock, samples: Samples | None, *, intends: bool) -> None:
        """`intends`: an intent comes before every append. Not where the same append again does no harm."""
        self._ledger = ledger
        self._clock = clock
        self._intends = intends
        self._stepped = clock.monotonic()
        self._told = -math.inf
        self._sent = 0
        self._samples = samples
        self._on_the_way: dict[int, Intent] = {}
        self._confirmed: list[Confirmation] = []
        self._settled: list[Settled] = []
        self._released: list[int] = []
        self._refused: list[Refusal] = []
        self._skipped: list[Skip] = []
        self.amended: list[Amendment] = []
        """Changes of entries; whoever has one adds it."""
        self.mark: Mark | None = None
        """What becomes known of both folders; whoever knows it says it."""
        self.count = Count()
        """The folder's numbers; whoever counts adds to them."""

    # ---- what is sent --------------------------------------------------------------------------------------------

    def intend(self, intents: Sequence[Intent]) -> Sequence[int]:
        """These are about to be appended. A number for each, by which it is known until its result has come."""
        if self._intends:
            numbers = self.step(intended=intents)
        else:
            numbers = range(self._sent, self._sent + len(intents))
            self._sent += len(intents)
            self.step_in_time()
        self._on_the_way.update(zip(numbers, intents, strict=True))
        return numbers

    def stored(self, number: int, key: MessageKey | None) -> None:
        """The target has it."""
        intent = self._on_the_way.pop(number)
        if self._intends:
            sampled = self._samples is not None and self._samples.takes(intent.prints)
            note = "unread_back" if intent.prints.delicate or sampled else ""
            self._confirmed.append(Confirmation(number, key, How.APPENDED, note))
        else:
            assert key is not None, "a target that keeps history names every key"
            self._settled.append(Settled(intent, key, How.APPENDED))

    def unknown(self, number: int) -> MessageKey:
        """It is in doubt, and stays intended. Its origin."""
        return self._on_the_way.pop(number).origin

    def unsent(self, number: int) -> MessageKey:
        """It was certainly not stored. Its origin."""
        if self._intends:
            self._released.append(number)
        return self._on_the_way.pop(number).origin

    def turned_away(self, number: int, reason: str, detail: str, size: int, message_id: str) -> Refusal:
        """The target refused it."""
        origin, entry = self._on_the_way.pop(number).origin, number if self._intends else None
        return Refusal(origin, reason, detail, size, message_id, entry)

    # ---- what else becomes known ---------------------------------------------------------------------------------

    def adopt(self, intent: Intent, key: MessageKey) -> None:
        """It was at the target before us."""
        self._settled.append(Settled(intent, key, How.ADOPTED))
        self.count.already_there += 1
        self.step_in_time()

    def refuse(self, refusal: Refusal) -> None:
        """It cannot be carried."""
        self._refused.append(refusal)
        self.count.failed += 1

    def shelve(self, refusal: Refusal) -> None:
        """As `refuse`, for a message that was counted already."""
        self._refused.append(refusal)

    def skip(self, origin: MessageKey, rule: str) -> None:
        """A rule leaves it behind."""
        self._skipped.append(Skip(origin, rule))
        self.count.skipped += 1

    # ---- committing ----------------------------------------------------------------------------------------------

    def step_in_time(self) -> None:
        """Commit if there is much, or if the last commit was long ago."""
        if len(self._settled) >= SETTLED_AT_ONCE or self._clock.monotonic() - self._stepped >= SETTLED_SECONDS:
            self.step()

    @property
    def has_news(self) -> bool:
        """Whether something is known of messages, and not committed."""
        return bool(self._confirmed or self._refused or self._released or self._skipped or self._settled)

    def step(self, *, intended: Sequence[Intent] = ()) -> Sequence[int]:
        """ONE commit of everything that is known by now, of the numbers that people watch twice a second while more is
        sent. Raises Fenced."""
        now = self._clock.monotonic()
        is_due = not intended or self.mark is not None or now - self._told >= TOLD_SECONDS
        numbers = self._ledger.step(
            confirmed=self._confirmed,
            refused=self._refused,
            released=self._released,
            intended=intended,
            settled=self._settled,
            amended=self.amended,
            skipped=self._skipped,
            tally=self.count.frozen() if is_due else None,
            mark=self.mark,
        )
        self.mark = None
        self._confirmed, self._refused, self._released, self._skipped = [], [], [], []
        self._settled, self.amended = [], []
        self._stepped = now
        self._told = now if is_due else self._told
        return numbers
