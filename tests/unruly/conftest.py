"""`postwagen copy` from one scripted server to another, and what must hold whatever they do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from migrator.engine import settle, wrappers
from tests.servers.command import Postwagen, Ran, adds_up
from tests.unruly.imap import OrderlyImap


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each copies a mailbox, most of them twice: too long for the tests that are run all the time."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.slow)


def letter(number: int, more: bytes = b"") -> bytes:
    """A message that is unlike all others."""
    return (
        b"Message-ID: <%d@unruly.example>\r\nFrom: Alice <alice@old.example>\r\nTo: bob@new.example\r\n"
        b"Date: Mon, 5 Mar 2001 01:02:03 +0000\r\nSubject: number %d\r\n\r\n%bThe body of message %d.\r\n"
        % (number, number, more, number)
    )


class Told(NamedTuple):
    """How a copy ended."""

    code: int
    json: dict[str, Any]

    @property
    def reasons(self) -> dict[str, str]:
        """Why each message failed that did, by its Message-ID, or by its key where it was never read."""
        return {item["message_id"] or item["key"]: item["reason"] for item in self.json["failures"]}

    @property
    def error(self) -> str:
        """The code of the error that ended it."""
        return str((self.json["error"] or {}).get("code", ""))


class Copy(Protocol):
    """Copies, and checks what must hold in any case."""

    def __call__(self, old: OrderlyImap, new: OrderlyImap, *more: str, altering: bool = False) -> Told: ...


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """In this process; again on the same ledger each time."""
    monkeypatch.setattr(settle, "LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * len(wrappers.DELAYS))
    postwagen = Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)

    def run(old: OrderlyImap, new: OrderlyImap, *more: str, altering: bool = False) -> Told:
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        ran: Ran = postwagen.call("copy", *ends, "--json", *more)
        told = Told(ran.code, ran.json)
        holds(told, old, new, altering, partial="--from-quarantine" in more)
        return told

    return run


def holds(told: Told, old: OrderlyImap, new: OrderlyImap, altering: bool = False, partial: bool = False) -> None:
    """What must hold whatever the servers do: the sum adds up, nothing is altered, nothing doubled; success means all.

    Messages of tests differ in their Message-IDs. `partial`: not all of the old server's was looked at.
    """
    shown = told.json
    assert adds_up(shown), shown
    assert (told.code == 0) == (shown["outcome"] == "succeeded"), shown
    sent = Counter(mail.octets for box in old.boxes.values() for mail in box.mails)
    kept = Counter(mail.octets for box in new.boxes.values() for mail in box.mails)
    altered = [octets[:300] for octets in kept - sent]
    assert altering or not altered, (altered, shown)
    if not altering and not partial and shown["outcome"] == "succeeded":
        numbers = shown["messages"]
        assert numbers["found"] >= sum(sent.values()), (numbers, sent)
        assert sum((sent - kept).values()) <= numbers["skipped"], ((sent - kept).keys(), shown)
