"""What servers do when messages are listed and read. Whatever is not delivered is named, and nothing else suffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from migrator.sessions.imap import session as sessions
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Mail, OrderlyImap, Talk
from tests.unruly.listening import Hangup

MAILS = [letter(number) for number in range(12)]
ODD = 5
"""The UID that has something odd; its Message-ID has the number before."""
MARK = b"<4@unruly.example>"


def others(server: OrderlyImap) -> list[bytes]:
    """Message-IDs of all but the odd one."""
    return sorted(mark for mark in server.marks() if mark != MARK)


def assert_only_the_odd_one_failed(copy: Copy, old: OrderlyImap, new: OrderlyImap, reason: str) -> None:
    """Told with its reason, all others are there; again the same."""
    for found in (11, 0):
        told = copy(old, new)
        assert (told.code, told.json["outcome"]) == (1, "incomplete"), told.json
        assert told.json["messages"]["failed"] == 1
        assert told.json["messages"]["copied"] == found
        assert list(told.reasons.values()) == [reason], told.json
        assert told.json["failures"][0]["key"].endswith(f"/{ODD}")
        assert sorted(new.marks()) == others(old)


class Substitutes(OrderlyImap):
    """Exchange: a notice comes instead of what it cannot render, with the notice's own length."""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        if mail.uid != ODD:
            return super().body(talk, mail)
        notice = (
            b"From: Microsoft Exchange Server 2007\r\nSubject: Retrieval using the IMAP4 protocol failed for the "
            b"following message: 5\r\n\r\nThe server couldn't retrieve the following message:\r\n\r\nSubject: x\r\n"
        )
        return b"BODY[] {%d}\r\n%b" % (len(notice), notice)


def test_a_notice_instead_of_a_message_is_never_carried(copy: Copy) -> None:
    with Substitutes(*MAILS) as old, OrderlyImap() as new:
        assert_only_the_odd_one_failed(copy, old, new, "substitute_at_source")


class LeavesOut(OrderlyImap):
    """OK, and no FETCH for one of those that were asked for."""

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        return super().bodies(talk, command, [mail for mail in mails if mail.uid != ODD])


def test_a_message_that_is_listed_and_never_delivered_is_named(copy: Copy) -> None:
    with LeavesOut(*MAILS) as old, OrderlyImap() as new:
        assert_only_the_odd_one_failed(copy, old, new, "empty_at_source")


class LeavesOutOnce(OrderlyImap):
    """The same, but only where many are asked for."""

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        left = [mail for mail in mails if mail.uid != ODD] if len(mails) > 1 else mails
        return super().bodies(talk, command, left)


def test_what_an_answer_leaves_out_is_asked_for_alone(copy: Copy) -> None:
    with LeavesOutOnce(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 12


class OneAtATime(OrderlyImap):
    """BAD to each FETCH that is there before the one before it was answered."""

    hurried = False
    refused = 0

    def on_uid_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if not self.hurried or b"BODY" not in command:
            yield from super().on_uid_fetch(talk, tag, command)
            return
        self.refused += 1
        self.fetched(talk, tag)
        yield tag + b" BAD command in progress\r\n"

    def fetched(self, talk: Talk, tag: bytes) -> bytes:
        talk.sock.setblocking(False)
        self.hurried = bool(talk.stream.peek(1))
        talk.sock.setblocking(True)
        return super().fetched(talk, tag)


def test_what_is_refused_behind_another_command_is_asked_for_in_groups_and_one_after_the_other(copy: Copy) -> None:
    with OneAtATime(*map(letter, range(1200))) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 1200
        asked = sum(command.startswith(b"UID FETCH") and b"BODY" in command for command in old.heard)
    assert old.refused, "three groups were on their way"
    assert asked == 3 + old.refused


class Nil(OrderlyImap):
    """BODY[] NIL, although there are octets."""

    written = b"BODY[] NIL"

    def body(self, talk: Talk, mail: Mail) -> bytes:
        return self.written if mail.uid == ODD else super().body(talk, mail)


@pytest.mark.parametrize("written", [b"BODY[] NIL", b'BODY[] ""', b"BODY[] {0}\r\n", b"FLAGS (\\Seen)"])
def test_no_octets_where_some_were_announced_is_no_empty_message(copy: Copy, written: bytes) -> None:
    with Nil(*MAILS) as old, OrderlyImap() as new:
        old.written = written
        assert_only_the_odd_one_failed(copy, old, new, "empty_at_source")


class Shortens(OrderlyImap):
    """A literal of which fewer octets come than were announced, then the answer goes on."""

    missing = 7

    def body(self, talk: Talk, mail: Mail) -> bytes:
        if mail.uid != ODD:
            return super().body(talk, mail)
        return b"BODY[] {%d}\r\n%b" % (len(mail.octets), mail.octets[: -self.missing])


@pytest.mark.parametrize("missing", [1, 2, 3, 7, 100])
def test_a_literal_that_is_too_short_is_noticed(copy: Copy, missing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.5)
    with Shortens(*MAILS) as old, OrderlyImap() as new:
        old.missing = missing
        assert_only_the_odd_one_failed(copy, old, new, "short_at_source")


class Lengthens(OrderlyImap):
    """Domino: more octets come than the literal was announced with."""

    more = b""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        if mail.uid != ODD:
            return super().body(talk, mail)
        return b"BODY[] {%d}\r\n%b%b" % (len(mail.octets) - len(self.more), mail.octets, b"")


@pytest.mark.parametrize("more", [b".", b"y 4.\r\n", b"The body of message 4.\r\n"])
def test_a_literal_that_is_too_long_is_noticed(copy: Copy, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.5)
    with Lengthens(*MAILS) as old, OrderlyImap() as new:
        old.more = more
        assert_only_the_odd_one_failed(copy, old, new, "short_at_source")


class Quotes(OrderlyImap):
    """Yahoo: short bodies come as quoted strings."""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        if b"\r" in mail.octets:
            return super().body(talk, mail)
        return b'BODY[] "%b"' % mail.octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def test_bodies_in_quotes_are_bodies(copy: Copy) -> None:
    with Quotes(*MAILS) as old, OrderlyImap() as new:
        old.boxes[b"INBOX"].add(b'Subject: "in quotes" \\ and all')
        assert copy(old, new).json["messages"]["copied"] == 13
        assert new.boxes[b"INBOX"].mails[-1].octets == b'Subject: "in quotes" \\ and all'


class SizeZero(OrderlyImap):
    """IceWarp, Kerio: every message measures nothing, and is of 1899."""

    def size(self, mail: Mail) -> bytes:
        return b"0"


def test_size_zero_and_1899_are_no_reason_to_leave_a_message(copy: Copy) -> None:
    with SizeZero(*MAILS) as old, OrderlyImap() as new:
        for mail in old.boxes[b"INBOX"].mails:
            mail.date = b"30-Dec-1899 00:00:00 +0000"
        assert copy(old, new).json["messages"]["copied"] == 12
        assert {mail.date for mail in new.boxes[b"INBOX"].mails} == {b"05-Mar-2001 01:02:03 +0000"}  # its Date header's


class LiesAboutSizes(OrderlyImap):
    """Exchange: RFC822.SIZE is more or less than what is delivered; mail.ru writes large numbers as 9.3736e+06."""

    written = b"%d"

    def size(self, mail: Mail) -> bytes:
        return self.written


@pytest.mark.parametrize("size", [b"17", b"100000", b"9.3736e+06", b"4294967299", b"-1", b"NIL"])
def test_sizes_are_hints(copy: Copy, size: bytes) -> None:
    with LiesAboutSizes(*MAILS) as old, OrderlyImap() as new:
        old.written = size
        assert copy(old, new).json["messages"]["copied"] == 12


class Backwards(OrderlyImap):
    """Yahoo: whatever is listed or delivered comes with the highest UID first."""

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        return super().rows(talk, command, list(reversed(mails)))

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        return super().bodies(talk, command, list(reversed(mails)))


def test_answers_may_come_in_any_order(copy: Copy) -> None:
    with Backwards(*MAILS) as old, Backwards() as new:
        assert copy(old, new).json["messages"]["copied"] == 12
        assert copy(old, new).json["messages"]["already_there"] == 12


class UidsFall(OrderlyImap):
    """UIDs fall while sequence numbers rise."""

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        for box in self.boxes.values():
            box.mails.sort(key=lambda mail: -mail.uid)
        return super().on_select(talk, tag, command)

    on_examine = on_select


def test_uids_may_fall_while_sequence_numbers_rise(copy: Copy) -> None:
    with UidsFall(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 12


class Throttles(OrderlyImap):
    """Microsoft 365: in the middle of reading it asks for patience and ends the connection, several times."""

    times = 3

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        answer = super().bodies(talk, command, mails)
        if talk.number >= self.times:
            yield from answer
            return
        yield next(answer)
        raise Hangup(b"W1 BAD Request is throttled. Suggested Backoff Time: 92 milliseconds\r\n* BYE closing\r\n")


def test_a_throttle_in_the_middle_is_waited_out(copy: Copy) -> None:
    with Throttles(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 12


class Unavailable(OrderlyImap):
    """iCloud and others: NO to a FETCH, because of what passes; then it goes."""

    refusal = b"NO [UNAVAILABLE] Unexpected exception"
    times = 2

    def fetched(self, talk: Talk, tag: bytes) -> bytes:
        if b"BODY" in self.heard[-1] and self.times:
            self.times -= 1
            return tag + b" " + self.refusal + b"\r\n"
        return super().fetched(talk, tag)

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        return iter(()) if self.times else super().bodies(talk, command, mails)


@pytest.mark.parametrize("code", [b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG"])
def test_a_refusal_that_passes_is_no_missing_message(copy: Copy, code: bytes) -> None:
    with Unavailable(*MAILS) as old, OrderlyImap() as new:
        old.refusal = b"NO [%b] at the moment" % code
        assert copy(old, new).json["messages"]["copied"] == 12


class Renumbers(OrderlyImap):
    """UIDVALIDITY changes while the folder is read: the nth command that opens it finds it renumbered."""

    at = 2
    opened_times = 0

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        self.opened_times += 1
        if self.opened_times == self.at:
            box = self.boxes[b"INBOX"]
            box.validity += 1000
            for mail in box.mails:
                mail.uid += 5
            box.uidnext += 5
        return super().on_select(talk, tag, command)

    on_examine = on_select


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("side", ["old", "new"])
def test_a_folder_that_is_renumbered_doubles_nothing(copy: Copy, side: str, at: int) -> None:
    with Renumbers(*MAILS) as old, Renumbers() as new:
        (old if side == "old" else new).at, (new if side == "old" else old).at = at, -1
        for _ in range(3):
            told = copy(old, new)
        assert sorted(new.marks()) == sorted(old.marks()), told.json
        assert told.code == 0, told.json


class AlwaysRenumbers(OrderlyImap):
    """UIDVALIDITY is another one each time somebody looks."""

    habit = True

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        self.boxes[b"INBOX"].validity += self.habit
        return super().on_select(talk, tag, command)

    on_examine = on_select


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_folder_that_is_renumbered_at_every_look_fails_and_is_not_tried_for_ever(copy: Copy, side: str) -> None:
    with AlwaysRenumbers(*MAILS) as old, AlwaysRenumbers() as new:
        (new if side == "old" else old).habit = False
        old.box(b"Sane").add(letter(51))
        for _ in range(2):
            told = copy(old, new)
            assert told.code in (0, 1), told.json
            errors = {row["source"]: row["error"]["code"] for row in told.json["folders"] if "error" in row}
            assert told.code == 0 or errors == {"INBOX": "folder_renumbered"}, told.json
            assert b"<51@unruly.example>" in new.marks(b"Sane")
        old.habit = new.habit = False
        assert copy(old, new).code == 0
        assert sorted(new.marks()) == sorted(old.marks())


class Expunges(OrderlyImap):
    """Somebody deletes a message after it was listed; it is told at once, or with the next NOOP."""

    gone = False

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        if not self.gone:
            self.gone = True
            box = self.opened(talk)
            at = next(index for index, mail in enumerate(box.mails) if mail.uid == ODD)
            del box.mails[at]
            yield b"* %d EXPUNGE\r\n" % (at + 1)
        yield from super().bodies(talk, command, [mail for mail in mails if mail.uid != ODD])


def test_a_message_that_is_deleted_meanwhile_is_skipped_by_name(copy: Copy) -> None:
    with Expunges(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert told.code == 0
        assert told.json["messages"]["copied"] == 11
        assert [item["rule"] for item in told.json["skips"]] == ["gone_at_source"]


class Hides(OrderlyImap):
    """EXISTS says more than FETCH shows."""

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        return super().rows(talk, command, [mail for mail in mails if mail.uid != ODD])


def test_a_server_that_hides_messages_is_never_a_success(copy: Copy) -> None:
    with Hides(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert told.code == 1
        assert len(new.marks()) == 11
        assert "1 message" in str(told.json), told.json


class OddFlags(OrderlyImap):
    """Gmail, mail.ru, others: flags that no grammar knows."""

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        odd = b"FLAGS (\\Seen \\Unseen \\X-Odd OIB-Seen-[Gmail] 1:x $MDNSent \\Recent a]b)"
        for line in super().rows(talk, command, mails):
            yield line.replace(b"FLAGS ()", odd)


def test_flags_that_no_grammar_knows_do_not_stop_a_message(copy: Copy) -> None:
    with OddFlags(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 12
        assert all(b"\\Seen" in mail.flags for mail in new.boxes[b"INBOX"].mails)
        assert not any(b"\\Unseen" in mail.flags or b"\\X-Odd" in mail.flags for mail in new.boxes[b"INBOX"].mails)


class Pads(OrderlyImap):
    """NULs before a tag, double blanks, `* fetch` in lower case, a partial marker, parentheses in twos."""

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        for line in super().rows(talk, command, mails):
            yield line.replace(b" FETCH (", b"  fetch ((").replace(b")\r\n", b"))\r\n")

    def fetched(self, talk: Talk, tag: bytes) -> bytes:
        return b"\0\0\0" + super().fetched(talk, tag)


def test_padding_and_doubled_parentheses_are_forgiven(copy: Copy) -> None:
    with Pads(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 12


class Cuts(OrderlyImap):
    """The connection breaks in the middle of one message, each time."""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        whole = super().body(talk, mail)
        if mail.uid == ODD:
            raise Hangup(b"* 5 FETCH (UID 5 " + whole[: len(whole) // 2])
        return whole


def test_a_message_that_breaks_every_connection_is_given_up_alone(copy: Copy) -> None:
    with Cuts(*MAILS) as old, OrderlyImap() as new:
        assert_only_the_odd_one_failed(copy, old, new, "short_at_source")


def test_what_a_server_keeps_for_itself_is_no_mail(copy: Copy) -> None:
    """UW-IMAP lists its own data as the first message of a folder."""
    internal = (
        b"From: Mail System Internal Data <MAILER-DAEMON@old.example>\r\n"
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\r\nX-IMAP: 1109174318 0000000012\r\n\r\nThis\r\n"
    )
    with OrderlyImap(internal, *MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert told.code == 0
        assert [item["rule"] for item in told.json["skips"]] == ["folder_internal_data"]
        assert len(new.marks()) == 12


class SwallowsTheNext(OrderlyImap):
    """A literal that is too long by just as much as stands between two messages."""

    def body(self, talk: Talk, mail: Mail) -> bytes:
        if mail.uid == ODD and b":" in self.heard[-1]:
            more = len(b")\r\n* 6 FETCH (UID 6")
            return b"BODY[] {%d}\r\n%b" % (len(mail.octets) + more, mail.octets)
        return super().body(talk, mail)


def test_the_next_messages_octets_are_never_taken_for_this_ones(copy: Copy) -> None:
    with SwallowsTheNext(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).code == 0
        assert sorted(new.marks()) == sorted(old.marks())


class CannotReadOne(OrderlyImap):
    """Dovecot, where a file is damaged: NO to every FETCH in which that message is."""

    hit = False

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        self.hit = any(mail.uid == ODD for mail in mails)
        yield from super().bodies(talk, command, [mail for mail in mails if mail.uid != ODD])

    def fetched(self, talk: Talk, tag: bytes) -> bytes:
        if self.hit and b"BODY" in self.heard[-1]:
            return tag + b" NO [SERVERBUG] Internal error occurred. Refer to server log for more information.\r\n"
        return super().fetched(talk, tag)


def test_one_message_that_the_old_server_cannot_read_stops_no_other(copy: Copy) -> None:
    with CannotReadOne(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        for _ in range(2):
            told = copy(old, new)
        assert told.code == 1, told.json
        assert sorted(new.marks()) == others(old)
