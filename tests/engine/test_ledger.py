"""What the ledger says of keys that it is asked for."""

from __future__ import annotations

import random

import pytest

from migrator.db.ledger import SqlLedger
from migrator.db.origins import KEYS_AT_ONCE
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import FolderPair, Intent, Refusal
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
