"""Servers that leave something out and say nothing of it: whatever it is stands in the report, and is no success."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from migrator.engine import wrappers
from migrator.planning import batches
from tests.servers.command import Postwagen
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Box, Mail, OrderlyImap, Talk
from tests.unruly.pop3 import OrderlyPop3

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


class KeepsNothingOfIt(Damages):
    """Stores an empty message."""

    damage = staticmethod(lambda octets: b"")


def test_an_empty_message_at_the_target_is_no_success(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, KeepsNothingOfIt() as new:
        told = copy(old, new, altering=True)
        assert told.code == 1 or told.json["warnings"], told.json


class CannotGiveItBack(OrderlyImap):
    """Lists another size, and answers NIL when it is asked for the octets."""

    def size(self, mail: Mail) -> bytes:
        return b"17" if b"<5@" in mail.octets else super().size(mail)

    def body(self, talk: Talk, mail: Mail) -> bytes:
        return b"BODY[] NIL" if b"<5@" in mail.octets else super().body(talk, mail)


def test_a_message_that_the_target_cannot_give_back_is_no_success(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, CannotGiveItBack() as new:
        told = copy(old, new)
        assert told.code == 1 or told.json["warnings"], told.json


class DeletedBeforeArrivedBehind(OrderlyImap):
    """A healthy server: between STATUS and EXAMINE one message was deleted, behind the listing another one came."""

    seen = 0

    def on_examine(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if not self.seen:
            self.seen = 1
            del self.boxes[b"INBOX"].mails[3]
        yield from super().on_select(talk, tag, command)

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        if self.seen == 1:
            self.seen = 2
            self.boxes[b"INBOX"].add(letter(99))
        yield from super().bodies(talk, command, mails)


def test_mail_that_goes_and_comes_during_the_run_is_no_failure(copy: Copy) -> None:
    with DeletedBeforeArrivedBehind(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new, altering=True)  # the new message is of course not there yet
        assert told.code == 0, told.json["folders"]


class HidesAndOneIsDeleted(AnnouncesMore):
    """Three are hidden from every command but STATUS; meanwhile somebody deletes one (that was listed)."""

    done = False

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        yield from super().bodies(talk, command, mails)
        if not self.done:
            self.done = True
            del self.boxes[b"INBOX"].mails[3]


def test_a_gap_is_named_although_somebody_deletes_a_message_meanwhile(copy: Copy) -> None:
    with HidesAndOneIsDeleted(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new, altering=True)
        assert told.code == 1, told.json


class ExistsMore(OrderlyImap):
    """STATUS is modest; EXISTS counts more than FETCH shows."""

    def on_examine(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        for piece in super().on_select(talk, tag, command):
            yield piece.replace(b"* 12 EXISTS", b"* 15 EXISTS")

    def on_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        numbers = command.split(b" ")[1]
        if int(numbers.split(b":")[0]) > 12:
            yield tag + b" OK nothing\r\n"
            return
        yield from super().on_fetch(talk, tag, command)


def test_what_exists_and_is_not_shown_is_no_success(copy: Copy) -> None:
    with ExistsMore(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).code == 1


class Stub(Damages):
    damage = staticmethod(
        lambda _: b"From: postmaster@new.example\r\nSubject: removed\r\n\r\nThe message was removed.\r\n"
    )


def test_a_stub_instead_of_the_message_is_no_success(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Stub() as new:
        told = copy(old, new, altering=True)
        assert told.code == 1, told.json["warnings"]


class StatRefused(OrderlyPop3):
    def on_stat(self, talk: int) -> bytes:
        return b"-ERR nicht m\xf6glich\r\n"


def test_verify_names_what_is_announced_and_not_shown(copy: Copy, tmp_path: Path) -> None:
    with AnnouncesMore(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).code == 1
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        ran = Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0).call("verify", *ends, "--json")
        assert ran.code == 1, ran.json


class MungesAndCuts(OrderlyImap):
    """Writes X for what is not ASCII in headers, but in the first three; cuts the third one's body."""

    stored = 0

    def greeting(self, talk: Talk) -> bytes:
        return b"* OK Cyrus IMAP ready\r\n"

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        self.stored += 1
        if b"<3@" in octets:
            octets = octets.replace(b"body", b"BODY")
        if self.stored > 3:
            head, _, rest = octets.partition(b"\r\n\r\n")
            octets = bytes(octet if octet < 128 else 88 for octet in head) + b"\r\n\r\n" + rest
        super().store(box, octets, flags, date)


def test_what_was_damaged_in_a_folder_that_is_merged_is_no_success(copy: Copy) -> None:
    eight = [letter(n).replace(b"Subject: ", b"Subject: \xe4 ") for n in range(1, 9)]
    with OrderlyImap(*eight[:3]) as old, MungesAndCuts() as new:
        for mail in eight[3:]:
            old.box(b"Zweiter").add(mail)
        told = copy(old, new, "--map", "Zweiter=INBOX", "--connections", "1", altering=True)
        assert told.json["failures"] == [] or told.code == 1, (told.json["failures"], told.json["messages"])


class GrowsInSession(OrderlyPop3):
    """No snapshot: a message that arrives behind LIST is counted by STAT."""

    def on_uidl(self, talk: int, *number: bytes) -> bytes:
        said = super().on_uidl(talk, *number)
        if len(self.mails) == 8:
            self.mails.append(letter(99))
        return said


@pytest.mark.parametrize("habit", [StatRefused, GrowsInSession])
def test_a_maildrop_without_stat_or_into_which_mail_comes_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, habit: type[OrderlyPop3]
) -> None:
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * len(wrappers.DELAYS))
    postwagen = Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)
    with habit(*MAILS) as old, OrderlyImap() as new:
        ran = postwagen.call(
            "copy",
            f"pop3://info%40old.example@127.0.0.1:{old.port}?security=none",
            f"imap://info%40new.example@127.0.0.1:{new.port}?security=none",
            "--json",
        )
        assert ran.code == 0, ran.json


@pytest.mark.parametrize("folders", [1, 2])
def test_an_archive_of_a_server_with_a_gap_keeps_what_was_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: int
) -> None:
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * len(wrappers.DELAYS))
    postwagen = Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)

    class Announces(AnnouncesMore):
        def counted(self, box: Box) -> int:
            return len(box.mails) + 3 * (box is self.boxes[b"INBOX"])

    with Announces(*MAILS) as old, OrderlyImap() as new:
        if folders == 2:
            old.box(b"Sane").add(letter(50))
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        archive = str(tmp_path / "a.archive")
        for _ in range(2):
            ran = postwagen.call("archive", ends[0], archive, "--json")
            assert ran.code == 1, ran
        ran = postwagen.call("play-in", archive, ends[1], "--json", "--state", str(tmp_path / "s.sqlite3"))
        assert sorted(new.marks()) == sorted(old.marks()), ran.json["error"]


class LeavesOutWhileOneIsDeleted(OrderlyImap):
    """Leaves three messages out of one answer (quirks.md, 4), and tells in it that somebody deleted another one."""

    once = True

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        if self.once:
            self.once = False
            yield from super().rows(talk, command, [mail for mail in mails if mail.uid not in (7, 8, 9)])
            del self.boxes[b"INBOX"].mails[0]
            yield b"* 1 EXPUNGE\r\n"
            return
        yield from super().rows(talk, command, mails)


def test_what_is_left_out_while_somebody_deletes_is_asked_for_again_or_no_success(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "ROWS_TOGETHER", 3)  # as a folder that is not small
    with LeavesOutWhileOneIsDeleted(*[letter(number) for number in range(12)]) as old, OrderlyImap() as new:
        told = copy(old, new, altering=True)
        missing = set(old.marks()) - set(new.marks())
        assert not missing or told.code == 1, (missing, told.json["messages"], told.json["warnings"])


class StoresTwice(OrderlyImap):
    capabilities = OrderlyImap.capabilities.replace(b" MULTIAPPEND", b"")

    def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield from super().on_append(talk, tag, command)
        box = self.boxes[b"INBOX"]
        box.add(box.mails[-1].octets)


def test_a_target_that_doubles_is_named(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, StoresTwice() as new:
        told = copy(old, new, altering=True)
        assert told.code == 1 or told.json["warnings"], told.json["messages"]
