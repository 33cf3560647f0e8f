"""What the ledger says of keys that it is asked for."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from migrator.db.ledger import SqlLedger
from migrator.db.origins import KEYS_AT_ONCE
from migrator.db.store import Database
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import Confirmation, FolderPair, How, Intent, Refusal
from tests.engine.world import World

PRINTS = Prints(b"d" * 32, b"s" * 32, b"h" * 32, b"m" * 32, 5, delicate=False)


@pytest.mark.parametrize("apart", [1, 2, 3, 50], ids="{}-apart".format)
@pytest.mark.parametrize("names", [False, True], ids=["uids", "names"])
def test_entries_and_refusals_are_told_of_those_that_were_asked_for_and_of_no_other(
    world: World, apart: int, names: bool
) -> None:
    """However far apart their numbers are, and of whatever UIDVALIDITY."""

    def key(number: int, validity: int = 7) -> MessageKey:
        return MessageKey(0, 0, f"uidl{number}") if names else MessageKey(validity, number * apart)

    chance, numbers = random.Random(apart), range(1, 2 * KEYS_AT_ONCE)
    ledger = SqlLedger(world.db, job_id=world.job, mailbox_id=world.mailbox, fence=world.fence())
    pair = ledger.pair(FolderPair(FolderInfo("INBOX", ("INBOX",)), ("INBOX",), None), "INBOX")
    kept, refused = ({key(number) for number in numbers if chance.random() < 0.5} for _ in range(2))
    refused -= kept
    others = [] if names else [key(number, validity=8) for number in numbers]
    pair.step(
        intended=[Intent(origin, PRINTS, None, frozenset(), 1) for origin in [*sorted(kept), *others]],
        refused=[Refusal(origin, "refused", "", 5) for origin in refused],
    )
    asked = [key(number) for number in numbers if chance.random() < 0.5]
    assert pair.entries(asked).keys() == (kept | refused) & set(asked)
    assert pair.entries([]) == {}
    some = [*asked[:3], MessageKey(8, 10**9), *([] if names else others[:2])]
    assert pair.entries(some).keys() == (kept | refused | set(others)) & set(some)


def test_what_is_intended_and_confirmed_is_read_back_as_it_was(database_everywhere: Database) -> None:
    """Octets, odd words, no instant, and instants of other zones, on every database."""
    world = World(database_everywhere)
    ledger = SqlLedger(world.db, job_id=world.job, mailbox_id=world.mailbox, fence=world.fence())
    pair = ledger.pair(FolderPair(FolderInfo("INBOX", ("INBOX",)), ("INBOX",), None), "INBOX")
    octets = Prints(bytes(range(32)), b"\xff" * 32, b"\\x00" * 8, b"", 2**40, delicate=True)
    berlin = datetime(2024, 3, 31, 1, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    intents = [
        Intent(MessageKey(7, 1), octets, None, frozenset(), 2**40),
        Intent(MessageKey(7, 4_000_000_000), PRINTS, berlin, frozenset({"\\Seen", 'a"b\\', "Grüße, {5}"}), 1),
        Intent(MessageKey(0, 0, "uidl'\"\\%s:1"), PRINTS, datetime(1970, 1, 1, tzinfo=UTC), frozenset(), 0),
    ]
    numbers = pair.step(intended=intents)
    keys = [MessageKey(9, 2**32 - 1), None, MessageKey(9, 1)]
    pair.step(confirmed=[Confirmation(*item, How.APPENDED, "unread_back") for item in zip(numbers, keys, strict=True)])
    found = pair.entries([intent.origin for intent in intents])
    for number, key, intent in zip(numbers, keys, intents, strict=True):
        entry = found[intent.origin]
        assert (entry.id, entry.target_key, entry.note, entry.this_job) == (number, key, "unread_back", True)
        assert (entry.origin, entry.prints, entry.instant, entry.flags, entry.floor) == intent
    naive = intents[0]._replace(origin=MessageKey(7, 2), instant=datetime(2024, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="a time without zone"):
        pair.step(intended=[naive])
    assert pair.entries([naive.origin]) == {}
