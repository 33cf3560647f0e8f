"""Whatever happens at whatever step: no message is lost, none is doubled, and the run after that finds nothing to do.

A run is broken at its first contact with the world, then at its second, and so on, until one goes through. What a run
leaves behind is completed by another one that knows only the ledger. Worlds that were left in the same state are
completed only once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from migrator.db.quarantine import QuarantineSource
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import ConnectionLost, Fenced, Stopped
from migrator.mail.folders import Role
from migrator.planning import batches
from migrator.sessions.memory import FakeStop, altered_as_cyrus_does, altered_as_dovecot_does
from tests.engine.world import (
    Died,
    Witness,
    World,
    assert_at_rest,
    assert_same,
    assert_sums,
    days,
    lying,
    mail,
)

PAIRS = {"INBOX": ("INBOX",), "Sent": ("Gesendete Objekte", "Sent")}


def fill(world: World) -> None:
    """Twins in one folder, twins in two folders that are merged, near-twins, and octets that servers like to alter."""
    old = world.old
    old.make("Gesendete Objekte", role=Role.SENT)
    old.make("Sent")
    world.new.make("Sent", role=Role.SENT)
    old.put("INBOX", mail("twin"), "\\Seen", instant=days(0))
    old.put("INBOX", mail("near", body="a\0b\r\r\nrot"), "$Work", instant=days(2))
    old.put("INBOX", mail("twin"), "\\Seen", instant=days(0))
    old.put("INBOX", mail("near", body="a\0b\r\r\ntau"), "\\Flagged", instant=days(2))
    old.put("INBOX", mail("twin"), "\\Answered", instant=days(3))
    for name in ("Gesendete Objekte", "Sent"):
        old.put(name, mail("sent"), "\\Seen", instant=days(4))
        old.put(name, mail("sent"), "\\Seen", instant=days(4))


def same_as_source(world: World) -> None:
    assert_same(world, PAIRS, world.new.behaviour.alters)


@dataclass(frozen=True)
class Case:
    """How the world is before the run that is broken, and how it must be after the run that completes it."""

    before: Callable[[World], None]
    after: Callable[[World], None] = same_as_source
    options: dict[str, str] = field(default_factory=dict)


def plain(world: World) -> None:
    fill(world)


def without_uidplus(world: World) -> None:
    fill(world)
    world.new.behaviour.reports_keys = False


def without_uidplus_and_multiappend(world: World) -> None:
    without_uidplus(world)
    world.new.behaviour.whole_batches = False


def without_uidnext(world: World) -> None:
    fill(world)
    world.new.behaviour.says_uidnext = False


def octets_are_altered(world: World) -> None:
    fill(world)
    world.new.behaviour.alters = altered_as_dovecot_does


def octets_are_altered_without_uidplus(world: World) -> None:
    octets_are_altered(world)
    world.new.behaviour.reports_keys = False


def headers_are_altered(world: World) -> None:
    headers_are_altered_by_who_does_not_look_like_it(world)
    world.new.behaviour.like_cyrus = True


def headers_are_altered_by_who_does_not_look_like_it(world: World) -> None:
    fill(world)
    for subject in ("Grüße", "Größe", "Grüße"):
        world.old.put("INBOX", f"Subject: {subject}\r\n\r\nWer bin ich?\r\n".encode(), instant=days(5))
    world.new.behaviour.alters = altered_as_cyrus_does


def every_append_may_become_a_zombie(world: World) -> None:
    fill(world)
    world.new.behaviour.commit_seconds = 12.0


def zombies_without_uidplus(world: World) -> None:
    every_append_may_become_a_zombie(world)
    world.new.behaviour.reports_keys = False
    world.new.behaviour.whole_batches = False


def several_batches_are_on_their_way(world: World) -> None:
    every_append_may_become_a_zombie(world)
    world.new.behaviour.at_once = 3


def dates_are_not_kept(world: World) -> None:
    fill(world)
    world.new.behaviour.keeps_dates = False
    world.new.behaviour.reports_keys = False


def same_digests(world: World) -> None:
    for name, names in PAIRS.items():
        assert digests(world, "new", name) == digests(world, "old", *names)


def digests(world: World, side: str, *names: str) -> Counter[str]:
    server = getattr(world, side)
    alters = world.new.behaviour.alters
    found: Counter[str] = Counter()
    server.clock.now += 1000.0
    for name in names:
        messages = server.folder(name).messages.values() if name in server.folders else ()
        found.update(hashlib.sha256(alters(message.octets)).hexdigest() for message in messages)
    return found


def one_message_is_refused(world: World) -> None:
    fill(world)
    world.new.behaviour.refuses = lambda octets: b"tau" in octets


def all_but_the_refused(world: World) -> None:
    missing = digests(world, "old", "INBOX") - digests(world, "new", "INBOX")
    assert missing == Counter([hashlib.sha256(mail("near", body="a\0b\r\r\ntau")).hexdigest()])
    assert not digests(world, "new", "INBOX") - digests(world, "old", "INBOX")
    assert world.failures() == {"INBOX/4": "refused"}
    assert world.kept() == [mail("near", body="a\0b\r\r\ntau")]


def what_was_kept_is_put_in(world: World) -> None:
    """Without the old server; and the new one names no keys, so that what is in doubt must be looked for."""
    refused = (b"tau", b"twin")
    fill(world)
    world.new.behaviour.refuses = lambda octets: any(word in octets for word in refused)
    world.run()
    assert len(world.kept()) > 2
    world.new.behaviour.refuses = lambda octets: False
    world.new.behaviour.reports_keys = False
    vault = world.vault
    assert vault is not None
    world.source_of = lambda _: QuarantineSource(world.db, vault, world.mailbox)
    world.next_job()


def somebody_carried_before_us(world: World) -> None:
    """Some mail lies there already: a twin, a near-twin, and a stranger of the same header and size."""
    fill(world)
    for body in ("rot", "ist"):
        world.new.put("INBOX", mail("near", body=f"a\0b\r\r\n{body}"), "\\Seen", instant=days(2))
    world.new.put("INBOX", mail("twin"), instant=days(0))
    world.new.put("Sent", mail("sent"), instant=days(4))


def somebody_carried_before_us_without_uidplus(world: World) -> None:
    somebody_carried_before_us(world)
    world.new.behaviour.reports_keys = False


def somebody_carried_more_twins_than_we_have(world: World) -> None:
    somebody_carried_before_us(world)
    for number in range(6):
        world.new.put("Sent", mail("sent"), instant=days(number))


def as_many_as_the_larger_side_had(world: World) -> None:
    stranger = hashlib.sha256(mail("near", body="a\0b\r\r\nist")).hexdigest()
    inbox, sent = digests(world, "new", "INBOX"), digests(world, "new", "Sent")
    assert inbox == digests(world, "old", "INBOX") + Counter([stranger])
    wanted = digests(world, "old", *PAIRS["Sent"])
    extra = 7 if sum(sent.values()) > 6 else 0
    twin = hashlib.sha256(mail("sent")).hexdigest()
    wanted[twin] = max(wanted[twin], extra)
    assert sent == wanted


def the_source_was_renumbered(world: World) -> None:
    fill(world)
    world.run()
    for name in ("INBOX", "Sent"):
        world.old.renumber(name)
    world.old.put("INBOX", mail("twin"), "\\Seen", instant=days(0))
    world.next_job()


def the_target_was_renumbered(world: World) -> None:
    fill(world)
    world.run()
    for name in ("INBOX", "Sent"):
        world.new.renumber(name)
    world.old.put("INBOX", mail("twin"), "\\Seen", instant=days(0))
    world.next_job()


def the_target_was_made_anew(world: World) -> None:
    fill(world)
    world.run()
    for name in ("INBOX", "Sent"):
        world.new.recreate(name)
    world.next_job()


def only_new_mail_is_in_the_new_folders(world: World) -> None:
    assert not world.new.folder("INBOX").messages
    assert not world.new.folder("Sent").messages


def flags_changed_at_both_ends(world: World) -> None:
    """The old server: one read, one no longer flagged. The customer at the new one: a star, a moved and a lost one."""
    fill(world)
    world.run()
    old, new = world.old.folder("INBOX").messages, world.new.folder("INBOX").messages
    old[5].flags |= {"\\Seen"}
    old[4].flags -= {"\\Flagged"}
    starred = next(message for message in new.values() if message.flags == {"\\Answered"})
    starred.flags |= {"\\Flagged"}
    world.new.move("INBOX", next(uid for uid, item in new.items() if b"rot" in item.octets), "Sent")
    world.new.remove("INBOX", next(uid for uid, item in new.items() if item.flags == {"\\Seen"}))
    world.old.put("INBOX", mail("later"), instant=days(9))
    world.next_job()


def both_sides_changes_stand(world: World) -> None:
    wanted = lying(world.old, "INBOX")
    twin, rot = (hashlib.sha256(item).hexdigest() for item in (mail("twin"), mail("near", body="a\0b\r\r\nrot")))
    wanted[twin, frozenset({"\\Seen"}), days(0)] -= 1
    wanted[rot, frozenset({"$Work"}), days(2)] -= 1
    wanted[twin, frozenset({"\\Answered", "\\Seen"}), days(3)] -= 1
    wanted[twin, frozenset({"\\Answered", "\\Seen", "\\Flagged"}), days(3)] += 1
    assert lying(world.new, "INBOX") == +wanted
    assert lying(world.new, "Sent") - lying(world.old, *PAIRS["Sent"]) == Counter(
        [(rot, frozenset({"$Work"}), days(2))]
    )


CASES = {
    case.before.__name__: case
    for case in (
        Case(plain),
        Case(without_uidplus),
        Case(without_uidplus_and_multiappend),
        Case(without_uidnext),
        Case(octets_are_altered),
        Case(octets_are_altered_without_uidplus),
        Case(headers_are_altered),
        Case(headers_are_altered_by_who_does_not_look_like_it),
        Case(every_append_may_become_a_zombie),
        Case(zombies_without_uidplus),
        Case(several_batches_are_on_their_way),
        Case(dates_are_not_kept, same_digests),
        Case(one_message_is_refused, all_but_the_refused),
        Case(what_was_kept_is_put_in),
        Case(somebody_carried_before_us, as_many_as_the_larger_side_had),
        Case(somebody_carried_before_us_without_uidplus, as_many_as_the_larger_side_had),
        Case(somebody_carried_more_twins_than_we_have, as_many_as_the_larger_side_had),
        Case(the_source_was_renumbered),
        Case(the_target_was_renumbered),
        Case(the_target_was_made_anew, only_new_mail_is_in_the_new_folders, {"recreated": "keep"}),
        Case(flags_changed_at_both_ends, both_sides_changes_stand),
    )
}
CASES["the_target_was_made_anew_replay"] = Case(the_target_was_made_anew, same_as_source, {"recreated": "replay"})


ALWAYS = ("target.append", "target.commit", "target.sent", "target.stored", "target.flags", "target.flagged")
"""Steps at which a connection is broken each time; at others three times will do."""
QUICK = "plain"
"""The case that `make test-fast` runs too."""


def cases(*names: str) -> pytest.MarkDecorator:
    """These cases, or all of them; only one is for `make test-fast`."""
    params = [
        pytest.param(CASES[name], id=name, marks=[] if name == QUICK else pytest.mark.slow) for name in names or CASES
    ]
    return pytest.mark.parametrize("case", params)


Begin = Callable[[Case], World]


@pytest.fixture
def begin(ledger_database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Makes a fresh world in the state before the run that will be broken."""
    monkeypatch.setattr(batches, "BATCH_MESSAGES", 2)

    def make(case: Case) -> World:
        world = World(ledger_database)
        world.vault = vault
        world.old.behaviour.page_rows = 3
        case.before(world)
        return world

    return make


def complete(world: World, case: Case) -> None:
    """What the broken run left is completed; then nothing is left to do."""
    world.run(**case.options)
    verify(world, case)


def verify(world: World, case: Case) -> None:
    case.after(world)
    assert_sums(world)
    assert_at_rest(world)


def steps_of(begin: Begin, case: Case) -> list[tuple[str, str]]:
    """The contacts of a run that nothing breaks, each with the state of the world; the run itself must be right."""
    world = begin(case)
    seen: list[tuple[str, str]] = []
    world.run(lambda step: seen.append((step, world.state())), **case.options)
    verify(world, case)
    return seen


def changes_of(begin: Begin, case: Case) -> list[int]:
    """Numbers of the contacts at which the world is as it was at no contact before: to die elsewhere is the same."""
    states = [state for _, state in steps_of(begin, case)]
    return [number for number, state in enumerate(states, 1) if state not in states[: number - 1]]


@cases()
def test_a_process_may_die_at_every_step(begin: Begin, case: Case) -> None:
    for number in changes_of(begin, case):
        world = begin(case)
        with pytest.raises(Died):
            world.run(Witness(number), **case.options)
        complete(world, case)


@cases(
    "plain",
    "every_append_may_become_a_zombie",
    "flags_changed_at_both_ends",
    "without_uidplus_and_multiappend",
    "octets_are_altered_without_uidplus",
    "zombies_without_uidplus",
    "several_batches_are_on_their_way",
    "somebody_carried_before_us",
)
def test_a_connection_may_break_at_every_step(begin: Begin, case: Case) -> None:
    def lose(step: str) -> None:
        raise ConnectionLost(f"broke at {step}")

    seen: Counter[str] = Counter()
    for number, (step, _) in enumerate(steps_of(begin, case), 1):
        seen[step] += 1
        if step.startswith(("source.", "target.")) and (seen[step] <= 3 or step in ALWAYS):
            world = begin(case)
            world.run(Witness(number, lose), **case.options)
            verify(world, case)


@cases(
    "plain",
    "without_uidplus",
    "somebody_carried_before_us",
    "every_append_may_become_a_zombie",
    "one_message_is_refused",
    "the_source_was_renumbered",
    "the_target_was_made_anew_replay",
)
def test_a_stop_at_every_question_loses_nothing_and_leaves_nothing_in_doubt(begin: Begin, case: Case) -> None:
    known: set[str] = set()
    for number in range(1, 1000):
        world = begin(case)
        try:
            world.run(stop=FakeStop(number), **case.options)
        except Stopped:
            assert "intended" not in {row[6] for row in world.ledger_rows() if len(row) > 6}
            if world.state() not in known:
                known.add(world.state())
                complete(world, case)
        else:
            break
    assert number > 3


@cases(
    "plain",
    "without_uidplus",
    "one_message_is_refused",
)
def test_who_has_lost_the_lease_writes_nothing_more(begin: Begin, case: Case) -> None:
    for number in changes_of(begin, case):
        world = begin(case)
        seen: list[tuple[list[tuple[object, ...]], int]] = []

        def take_over(_: str, world: World = world, seen: list[tuple[list[tuple[object, ...]], int]] = seen) -> None:
            world.take_over()
            seen.append((world.ledger_rows(), world.new.stored))

        try:
            world.run(Witness(number, take_over), **case.options)
        except Fenced:
            rows, stored = seen[0]
            assert world.ledger_rows() == rows
            assert world.new.stored <= stored + batches.BATCH_MESSAGES  # the batch that was on its way
        complete(world, case)
