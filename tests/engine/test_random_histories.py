"""Random histories, each from its own seed: people change things, runs break in every way, and in the end it all fits.

The model knows only counts: how often a message must lie in a target folder, given what came to the source, what the
customer deleted at the target, and what lay there of which no entry knew.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from migrator.db.store import Database
from migrator.errors import ConnectionLost, ServerBusy, Stopped
from migrator.mail.folders import Role
from migrator.planning import batches
from migrator.sessions.memory import Break, FakeStop, altered_as_dovecot_does
from tests.engine.world import Died, Telling, World, always_side_by_side, assert_at_rest, assert_sums, days, mail

pytestmark = pytest.mark.slow

SEQUENCES = 300
QUICK = 15
STEPS = ("target.append", "target.commit", "target.stored", "pair.step", "source.read", "source", "target", "")
"""Where something may befall a run."""
MERGED = {"INBOX": "INBOX", "Sent": "Sent", "Gesendet": "Sent"}

Misfits = dict[tuple[str, bytes], tuple[int, int, int]]
"""A message in a target folder: how often it must lie there at least, how often it does, and at most."""


class History:
    """One random history."""

    def __init__(self, database: Database, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(database)
        self.world.reads_ahead = seed % 2 == 1
        self.world.lanes = 2 if seed % 4 > 1 else 1
        if seed % 8 > 3:
            self.world.source_of = Telling
        self.there: Counter[tuple[str, bytes]] = Counter()
        """How often each message lies in each target folder."""
        self.coming: Counter[tuple[str, bytes]] = Counter()
        """How often it came to the source since the last complete run."""
        self.unowned: Counter[tuple[str, bytes]] = Counter()
        """Messages at the target that no entry of the ledger owned before new ones came."""
        self.gone_at_source: Counter[tuple[str, bytes]] = Counter()
        """Carried, then deleted at the source: after a renumbering a twin may take such a message's place."""
        self.renumbered = False
        """After a renumbering of the target an entry may have taken a stranger's copy for its own."""
        self.world.old.make("Gesendet")
        self.world.old.make("Sent", role=Role.SENT)
        self.world.new.make("Sent", role=Role.SENT)
        self._choose_behaviour()

    def _choose_behaviour(self) -> None:
        chance, new, old = self.random.random, self.world.new.behaviour, self.world.old.behaviour
        old.page_rows = self.random.choice((1, 2, 5))
        new.reports_keys = chance() < 0.6
        new.whole_batches = chance() < 0.7
        new.at_once = self.random.choice((1, 3))
        new.says_uidnext = chance() < 0.8
        new.keeps_dates = chance() < 0.9
        new.commit_seconds = self.random.choice((0.0, 0.0, 7.0, 25.0))
        if chance() < 0.3:
            new.alters = altered_as_dovecot_does
        if chance() < 0.2:
            old.size_of = lambda octets: len(octets) + 3

    # ---- what people do --------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """Mail comes to the old server: twins and near-twins among it."""
        name = self.random.choice(("INBOX", "INBOX", *MERGED))
        octets = self._letter()
        flags = self.random.sample(("\\Seen", "\\Flagged", "$Work"), self.random.randrange(3))
        self.world.old.put(name, octets, *flags, instant=days(self.random.randrange(2)))
        self.coming[MERGED[name], self.world.new.behaviour.alters(octets)] += 1

    def _letter(self) -> bytes:
        return mail("m", body=self.random.choice(("rot", "rot", "tau", "a\0b\r\r\nc")))

    def carry_by_hand(self) -> None:
        """The customer puts a message into the new mailbox, which may also come from the old one."""
        name, octets = self.random.choice(("INBOX", "Sent")), self.world.new.behaviour.alters(self._letter())
        self.world.new.put(name, octets, instant=days(self.random.randrange(2)))
        self.there[name, octets] += 1

    def delete_at_the_source(self) -> None:
        name = self.random.choice(tuple(MERGED))
        folder = self.world.old.folder(name)
        if folder.messages:
            octets = self.world.old.remove(name, self.random.choice(sorted(folder.messages))).octets
            self.gone_at_source[MERGED[name], self.world.new.behaviour.alters(octets)] += 1

    def delete_at_the_target(self) -> None:
        name = self.random.choice(("INBOX", "Sent"))
        folder = self.world.new.folder(name)
        if folder.messages:
            octets = self.world.new.remove(name, self.random.choice(sorted(folder.messages))).octets
            self.there[name, octets] -= 1

    def flag_at_the_source(self) -> None:
        folder = self.world.old.folder(self.random.choice(tuple(MERGED)))
        if folder.messages:
            folder.messages[self.random.choice(sorted(folder.messages))].flags ^= {"\\Answered"}

    def renumber_the_source(self) -> None:
        self.world.old.renumber(self.random.choice(tuple(MERGED)))

    def renumber_the_target(self) -> None:
        self.world.new.renumber(self.random.choice(("INBOX", "Sent")))
        self.renumbered = True

    # ---- runs ------------------------------------------------------------------------------------------------------

    def broken_run(self) -> None:
        """A run that dies, loses connections, is stopped or throttled somewhere, or comes through after all."""
        kind = self.random.choice(("die", "die", "lose", "lose twice", "stop", "busy", "zombie", "nothing"))
        stop = FakeStop(self.random.randrange(1, 25)) if kind == "stop" else FakeStop()
        if kind == "zombie":
            how = Break(after_commit=True, stored=self.random.random() < 0.7, seconds=self.random.choice((0, 5, 25)))
            self.world.new.behaviour.breaks = {self.world.new.appends + self.random.randrange(1, 4): how}
        where, countdown = self.random.choice(STEPS), [self.random.randrange(1, 4)]
        left = [2 if kind == "lose twice" else 1]

        def befall(step: str) -> None:
            if not step.startswith(where) or not left[0]:
                return
            countdown[0] -= 1
            if countdown[0]:
                return
            left[0] -= 1
            countdown[0] = self.random.randrange(1, 3)
            if kind == "die":
                raise Died(step)
            if kind.startswith("lose") and not step.startswith(("pair", "ledger")):
                raise ConnectionLost(f"broke at {step}")
            if kind == "busy" and step.startswith("target"):
                raise ServerBusy("Later.")

        with contextlib.suppress(Died, Stopped, ConnectionLost, ServerBusy):
            self.world.run(befall, stop, recreated="keep")
        self.world.clock.now += self.random.choice((0.0, 3.0, 100.0))
        if self.random.random() < 0.3:
            self.world.next_job()

    def complete(self) -> Misfits:
        """A run that nothing disturbs: now everything must fit. What does not."""
        self.world.new.behaviour.breaks = {}
        self.world.run(recreated="keep")
        self.world.clock.now += 1000.0
        misfits: Misfits = {}
        found: Counter[tuple[str, bytes]] = Counter()
        for name in ("INBOX", "Sent"):
            found.update((name, message.octets) for message in self.world.new.folder(name).messages.values())
        for key in found.keys() | self.there.keys() | self.coming.keys():
            copies = self.coming[key] - self.unowned[key]
            most = self.there[key] + (self.coming[key] if self.renumbered else max(0, copies))
            least = self.there[key] + max(0, copies - self.gone_at_source[key])
            if not least <= found[key] <= most:
                misfits[key] = least, found[key], most
        self.there, self.coming, self.renumbered = found, Counter(), False
        return misfits

    def take_stock(self) -> None:
        """Before anything new comes: what belongs to nobody?"""
        owned = self.world.owned()
        self.unowned = Counter(
            (name, message.octets)
            for name in ("INBOX", "Sent")
            for uid, message in self.world.new.folder(name).messages.items()
            if (name, uid) not in owned
        )

    def chapters(self) -> Iterator[Misfits]:
        """What does not fit at the end of each: any mail may come during anything, deletions and renumberings only
        while nothing is in doubt."""
        for _ in range(self.random.randrange(1, 3)):
            self.take_stock()
            for _ in range(self.random.randrange(2, 9)):
                self.random.choice((self.arrive, self.arrive, self.arrive, self.flag_at_the_source))()
            for _ in range(self.random.randrange(1, 4)):
                self.broken_run()
            yield self.complete()
            self.random.choice(
                (
                    self.delete_at_the_source,
                    self.delete_at_the_target,
                    self.carry_by_hand,
                    self.renumber_the_source,
                    self.renumber_the_target,
                    self.world.next_job,
                )
            )()
        self.take_stock()
        yield self.complete()


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=[] if seed < QUICK else pytest.mark.slow) for seed in range(SEQUENCES)],
)
def test_a_random_history_ends_with_every_message_exactly_once(
    ledger_database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 2)
    always_side_by_side(monkeypatch)
    history = History(ledger_database, seed)
    for misfits in history.chapters():
        assert misfits == {}
        assert history.world.failures() == {}
        assert_sums(history.world)
        assert_at_rest(history.world)
