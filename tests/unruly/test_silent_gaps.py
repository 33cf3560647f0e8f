"""Servers that leave something out and say nothing of it: whatever it is stands in the report, and is no success."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Box, Mail, OrderlyImap, Talk

MAILS = [letter(number) for number in range(12)]
ODD = 5


class AnnouncesMore(OrderlyImap):
    """STATUS counts messages that no other command shows."""

    more = 3

    def counted(self, box: Box) -> int:
        return super().counted(box) + self.more


def test_messages_that_are_announced_and_not_shown_are_no_success(copy: Copy) -> None:
    with AnnouncesMore(*MAILS) as old, OrderlyImap() as new:
        for _ in range(2):
            told = copy(old, new)
            assert told.code == 1
            assert told.json["messages"]["failed"] == 3, told.json
            assert len(new.marks()) == 12
        old.more = 0
        assert copy(old, new).code == 0


class DeletesMeanwhile(AnnouncesMore):
    """Somebody deletes messages after they were counted."""

    def on_examine(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        self.more = 0
        return super().on_examine(talk, tag, command)


def test_messages_that_were_deleted_after_they_were_counted_are_no_failure(copy: Copy) -> None:
    with DeletesMeanwhile(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).code == 0


class CutsShort(OrderlyImap):
    """A proxy on the way cuts a message, and its literal is as long as what is left."""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        return super().body(talk, Mail(mail.uid, mail.octets[:120]) if mail.uid == ODD else mail)


def test_a_message_that_is_shorter_than_announced_is_told(copy: Copy) -> None:
    with CutsShort(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new, altering=True)
        assert any("1 messages shorter than it announces" in line for line in told.json["warnings"]), told.json


class NamesAnother(OrderlyImap):
    """Delivers a message under another one's UID."""

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        for piece in super().bodies(talk, command, mails):
            yield piece.replace(b"(UID %d " % ODD, b"(UID %d " % (ODD + 1)) if piece.startswith(b"* ") else piece


def test_a_message_under_another_ones_uid_is_not_taken_for_it(copy: Copy) -> None:
    with NamesAnother(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert told.code == 1
        assert len(set(new.marks())) == len(new.marks()) < 12


class Damages(OrderlyImap):
    """Says OK, and keeps one message otherwise than it was sent."""

    damage: Callable[[bytes], bytes]

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, type(self).damage(octets) if b"<5@" in octets else octets, flags, date)


class KeepsHalf(Damages):
    damage = staticmethod(lambda octets: octets[: len(octets) - 20])


class AppendsAdvertising(Damages):
    damage = staticmethod(lambda octets: octets + b"-- \r\nSent by our free mail\r\n")


class Rewrites(Damages):
    """As Exchange does: header and body are made anew."""

    damage = staticmethod(lambda octets: octets.replace(b"To:", b"X-Seen: yes\r\nTo:").replace(b"body", b"=62ody"))


@pytest.mark.parametrize("habit", [KeepsHalf, AppendsAdvertising])
def test_a_body_that_the_new_server_damages_is_no_success_and_its_octets_are_kept(
    copy: Copy, habit: type[Damages]
) -> None:
    with OrderlyImap(*MAILS) as old, habit() as new:
        for _ in range(2):
            told = copy(old, new, altering=True)
            assert told.code == 1
            assert [item["reason"] for item in told.json["failures"]] == ["damaged_at_target"], told.json
            assert [item["quarantined"] for item in told.json["failures"]] == [True]
            assert (told.json["messages"]["failed"], len(new.marks())) == (1, 12)


def test_a_message_that_the_new_server_writes_anew_is_told(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Rewrites() as new:
        told = copy(old, new, altering=True)
        assert told.code == 0
        assert any("stored other octets than it was sent" in line for line in told.json["warnings"]), told.json
