"""What servers do when mail is given to them. Whatever they refuse is named with its reason; nothing else suffers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Box, OrderlyImap, Talk, arguments
from tests.unruly.listening import Hangup

MAILS = [letter(number) for number in range(12)]


class Picky(OrderlyImap):
    """Refuses each message in which something stands, in these words."""

    hated = b"poison"
    refusal = b"NO refused"

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        return self.refusal if self.hated in octets else b""


def with_poison(*at: int) -> list[bytes]:
    """The messages, some of them such that `Picky` refuses them."""
    return [letter(number, b"poison " if number in at else b"") for number in range(12)]


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (b"NO [TOOBIG] Message is too large", "too_big"),
        (b"NO Maximum size of appendable message has been exceeded.", "too_big"),
        (b"NO Message contains NUL characters", "refused"),
        (b"NO Message contains invalid header", "refused"),
        (b"NO [CANNOT] Message contains a virus (Eicar-Test)", "refused"),
        (b"NO [LIMIT] Line too long", "refused"),
        (b"NO Message contains bare newlines", "refused"),
    ],
)
def test_a_refused_message_is_named_with_its_reason(copy: Copy, refusal: bytes, reason: str) -> None:
    with OrderlyImap(*with_poison(3, 7)) as old, Picky() as new:
        new.refusal = refusal
        told = copy(old, new)
        assert told.code == 1
        assert told.reasons == {f"<{number}@unruly.example>": reason for number in (3, 7)}, told.json
        assert len(new.marks()) == 10


@pytest.mark.parametrize("at", [(0,), (3, 7), tuple(range(12))])
def test_a_refused_message_is_named_and_stops_no_other(copy: Copy, at: tuple[int, ...]) -> None:
    with OrderlyImap(*with_poison(*at)) as old, Picky() as new:
        for _ in range(2):
            told = copy(old, new)
            assert told.code == 1
            assert told.json["messages"]["failed"] == len(at), told.json
            assert set(told.reasons) == {f"<{number}@unruly.example>" for number in at}
            assert len(new.marks()) == 12 - len(at)
        new.hated = b"nothing of this"
        assert copy(old, new).code == 0  # the cause is gone: only the failed ones are sent
        assert sorted(new.marks()) == sorted(old.marks())


class DropsAtLongLines(Picky):
    """Exchange: a line that is too long, and the connection is gone."""

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        if self.hated in octets:
            raise Hangup
        return b""


def test_a_message_that_breaks_every_connection_is_isolated(copy: Copy) -> None:
    with OrderlyImap(*with_poison(4)) as old, DropsAtLongLines() as new:
        told = copy(old, new)
        if told.code != 1:
            told = copy(old, new)
        assert told.code == 1, told.json
        assert list(told.reasons) == ["<4@unruly.example>"], told.json
        assert len(new.marks()) == 11


class Bad(Picky):
    """Exchange, too: BAD Command Argument Error 11 for what is too big."""

    refusal = b"BAD Command Argument Error. 11"


def test_a_bad_for_one_message_is_isolated(copy: Copy) -> None:
    with OrderlyImap(*with_poison(4)) as old, Bad() as new:
        told = copy(old, new)
        assert told.code == 1, told.json
        assert told.reasons == {"<4@unruly.example>": "too_big"}
        assert len(new.marks()) == 11


class Full(OrderlyImap):
    """So many messages fit."""

    room = 5
    refusal = b"NO [OVERQUOTA] Quota exceeded (mailbox for user is full)"

    def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_append(talk, tag, command)

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        return self.refusal if sum(len(box.mails) for box in self.boxes.values()) >= self.room else b""


@pytest.mark.parametrize(
    "refusal",
    [
        Full.refusal,
        b"NO Over quota",
        b"NO Mailbox is full / Blocks limit exceeded / Inode limit exceeded",
        b"NO Server Unavailable. 15",
        b"NO [LIMIT] Quota exceeded",
        b"NO [ALERT] You exceeded your mail quota.",
    ],
)
def test_a_full_mailbox_stops_the_job_and_says_so(copy: Copy, refusal: bytes) -> None:
    with OrderlyImap(*MAILS) as old, Full() as new:
        new.refusal, new.room = refusal, 0
        told = copy(old, new)
        assert (told.code, told.error) == (6, "target_full")
        new.room = 100
        assert copy(old, new).code == 0
        assert sorted(new.marks()) == sorted(old.marks())


class Forgets(OrderlyImap):
    """Proton Bridge and others: OK to an APPEND, and nothing is there."""

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        if b"poison" in octets:
            box.uidnext += 1
        else:
            super().store(box, octets, flags, date)


@pytest.mark.parametrize("uidplus", [True, False])
def test_ok_without_a_message_is_never_a_success(copy: Copy, uidplus: bool) -> None:
    with OrderlyImap(*with_poison(4, 5)) as old, Forgets() as new:
        if not uidplus:
            new.capabilities = new.capabilities.replace(b"UIDPLUS ", b"")
        told = copy(old, new)
        assert told.code == 1, told.json
        assert told.reasons == {"77/5": "not_seen_again", "77/6": "not_seen_again"}
        assert copy(old, new).code == 1
        assert len(new.marks()) == 10


class NamesNoKeys(OrderlyImap):
    """UIDPLUS is announced, and APPENDUID never said."""

    def appended(self, tag: bytes, box: Box, uids: Sequence[int]) -> bytes:
        return tag + b" OK done\r\n"


def test_keys_that_are_never_named_are_learnt_by_listing(copy: Copy) -> None:
    with OrderlyImap(*MAILS, MAILS[3]) as old, NamesNoKeys() as new:
        assert copy(old, new).json["messages"]["copied"] == 13
        assert copy(old, new).json["messages"]["already_there"] == 13
        assert sorted(new.marks()) == sorted(old.marks())


class WrongKeys(OrderlyImap):
    """APPENDUID of another UIDVALIDITY, or with too few UIDs."""

    written = b"[APPENDUID 1 1]"

    def appended(self, tag: bytes, box: Box, uids: Sequence[int]) -> bytes:
        return tag + b" OK " + self.written + b" done\r\n"


@pytest.mark.parametrize("written", [b"[APPENDUID 1 1]", b"[APPENDUID 77 1]", b"[APPENDUID]", b"[APPENDUID x 9:1]"])
def test_keys_that_cannot_be_true_double_nothing(copy: Copy, written: bytes) -> None:
    with OrderlyImap(*MAILS) as old, WrongKeys() as new:
        new.written = written
        for _ in range(3):
            told = copy(old, new)
        assert sorted(new.marks()) == sorted(old.marks()), told.json
        assert told.code == 0, told.json


class NoDates(OrderlyImap):
    """INTERNALDATE is ignored: all mail is of today."""

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, octets, flags, b"22-Nov-2026 10:00:00 +0000")


def test_a_server_that_ignores_dates_is_told_of(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, NoDates() as new:
        told = copy(old, new)
        assert told.json["messages"]["copied"] == 12
        assert any("date" in warning for warning in told.json["warnings"]), told.json["warnings"]


class FewKeywords(OrderlyImap):
    """No keyword but those that are there (PERMANENTFLAGS without `\\*`), and none that is long."""

    permanent = b"\\Seen \\Answered \\Deleted \\Draft $MDNSent"

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        known = set(self.permanent.split())
        return b"" if known.issuperset(flags) or b"\\*" in known else b"BAD Invalid system flag"


def test_flags_that_a_server_does_not_keep_cost_no_message(copy: Copy) -> None:
    with OrderlyImap() as old, FewKeywords() as new:
        old.boxes[b"INBOX"].add(MAILS[0], [b"\\Seen", b"\\Flagged", b"$Forwarded", b"$MDNSent", b"Work"])
        told = copy(old, new)
        assert told.code == 0
        assert set(new.boxes[b"INBOX"].mails[0].flags) == {b"\\Seen", b"$MDNSent"}
        assert any("flag" in warning for warning in told.json["warnings"]), told.json["warnings"]


class ShortKeywords(OrderlyImap):
    """Dovecot: a keyword of more than 50 characters refuses the message."""

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        return b"NO [LIMIT] Keyword length too long" if any(len(flag) > 50 for flag in flags) else b""


def test_a_keyword_that_is_too_long_costs_no_message(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, ShortKeywords() as new:
        old.boxes[b"INBOX"].mails[3].flags = (b"\\Seen", b"k" * 60, b"Work")
        told = copy(old, new)
        assert told.code == 0, told.json
        kept = {mail.mark: set(mail.flags) for mail in new.boxes[b"INBOX"].mails}
        assert kept[b"<3@unruly.example>"] == {b"\\Seen", b"Work"}


class NoSuchNames(OrderlyImap):
    """Refuses names: characters, length, depth, number, reserved ones."""

    limit = 100

    def refuses_folder(self, name: bytes) -> bytes:
        if len(self.boxes) >= self.limit:
            return b"[LIMIT] Maximum number of folders reached"
        if re.search(rb'[.%*\\"^;<>`{|}]|  ', name):
            return b"[CANNOT] Character not allowed in mailbox name"
        if name == b"Files":
            return b"[CANNOT] Folder name is reserved"
        if len(name) > 60:
            return b"[CANNOT] Mailbox name too long"
        return b"[CANNOT] Too many levels" if name.count(b"/") > 3 else b""


@pytest.mark.parametrize(
    "name",
    [
        b"a.b",
        b"100 %",
        b"stars *",
        b'say "no"',
        b"a  b",
        b"^up",
        b"Files",
        b"n" * 100,
        b"a/b/c/d/e/f",
        b"back\\slash",
        b"a;b|c",
        b"<b`c>",
        b"{10}",
    ],
)
def test_a_name_that_is_refused_becomes_one_that_is_not(copy: Copy, name: bytes) -> None:
    with OrderlyImap(*MAILS) as old, NoSuchNames() as new:
        old.box(name).add(letter(100))
        told = copy(old, new)
        assert told.code == 0, told.json
        assert sum(len(box.mails) for box in new.boxes.values()) == 13
        assert len(new.boxes) > 1  # not put into the inbox
        assert any("is called" in warning for warning in told.json["warnings"]), told.json["warnings"]
        again = copy(old, new)
        assert again.json["messages"]["already_there"] == 13


def test_two_names_that_would_become_one_stay_two(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, NoSuchNames() as new:
        old.box(b"a.b").add(letter(100))
        old.box(b"a%b").add(letter(101))
        old.box(b"a_b").add(letter(102))
        told = copy(old, new)
        assert told.code == 0, told.json
        assert len(new.boxes) == 4, (list(new.boxes), told.json)


def test_more_folders_than_a_server_bears_are_named(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, NoSuchNames() as new:
        new.limit = 3
        for number in range(5):
            old.box(b"f%d" % number).add(letter(100 + number))
        told = copy(old, new)
        assert told.code == 1
        assert told.json["messages"]["failed"] == 3, told.json
        assert len(new.marks()) == 12


class Busy(OrderlyImap):
    """NO to an APPEND, because of what passes."""

    refusal = b"NO [UNAVAILABLE] at the moment"
    times = 2

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        if self.times:
            self.times -= 1
            return self.refusal
        return b""


@pytest.mark.parametrize("code", [b"UNAVAILABLE", b"INUSE", b"SERVERBUG"])
def test_a_refusal_that_passes_is_tried_again(copy: Copy, code: bytes) -> None:
    with OrderlyImap(*MAILS) as old, Busy() as new:
        new.refusal = b"NO [%b] at the moment" % code
        told = copy(old, new)
        assert told.json["messages"]["copied"] == 12, told.json


class WantsForm(OrderlyImap):
    """Cyrus, Yahoo and others: refuses what breaks a rule of form, and says which."""

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        if b"\0" in octets:
            return b"NO Message contains NUL characters"
        if re.search(rb"(?<!\r)\n", octets):
            return b"NO Message contains bare newlines"
        return b"" if octets.endswith(b"\r\n") else b"NO Message is not well formed"


FORMS = {
    "final_crlf": letter(100).removesuffix(b"\r\n"),
    "line_ends": letter(101, b"one\ntwo\r\n"),
    "nul": letter(102, b"a\0b "),
    "final_crlf, line_ends, nul": letter(103, b"a\0b\nc ").removesuffix(b"\r\n"),
}


def test_nothing_is_repaired_unless_that_was_allowed(copy: Copy) -> None:
    with OrderlyImap(*MAILS, *FORMS.values()) as old, WantsForm() as new:
        told = copy(old, new)
        assert told.json["messages"]["failed"] == len(FORMS)
        assert len(new.marks()) == len(MAILS)


def test_what_is_refused_for_its_form_is_sent_with_the_least_change_where_that_is_allowed(copy: Copy) -> None:
    with OrderlyImap(*MAILS, *FORMS.values()) as old, WantsForm() as new:
        told = copy(old, new, "--repair", altering=True)
        assert told.code == 0, told.json
        kept = {mail.mark: mail.octets for mail in new.boxes[b"INBOX"].mails}
        assert kept[b"<100@unruly.example>"] == letter(100)
        assert kept[b"<101@unruly.example>"] == letter(101, b"one\r\ntwo\r\n")
        assert kept[b"<102@unruly.example>"] == letter(102, b"a\x80b ")
        assert kept[b"<103@unruly.example>"] == letter(103, b"a\x80b\r\nc ")
        warnings = " ".join(told.json["warnings"])
        for number, (cures, _) in enumerate(FORMS.items()):
            assert f"<{100 + number}@unruly.example>: {cures}." in warnings
        assert copy(old, new, "--repair", altering=True).json["messages"]["already_there"] == len(MAILS) + len(FORMS)


def test_what_no_change_helps_is_told_with_its_first_refusal(copy: Copy) -> None:
    with OrderlyImap(*MAILS, letter(100, b"poison\0")) as old, Picky() as new:
        new.refusal = b"NO we do not like this"
        told = copy(old, new, "--repair")
        assert told.reasons == {"<100@unruly.example>": "refused"}
        assert told.json["failures"][0]["detail"] == "we do not like this"


class SaysNothing(OrderlyImap):
    """Refuses a message without a word."""

    times = 0

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        self.times += b"<100@" in octets
        return b"NO" if b"<100@" in octets else b""


def test_repairing_comes_to_an_end_whatever_the_server_says(copy: Copy) -> None:
    odd = letter(100, b"one\ntwo\0 ").removesuffix(b"\r\n")
    with OrderlyImap(letter(1), odd) as old, SaysNothing() as new:
        told = copy(old, new, "--repair")
        assert told.reasons == {"<100@unruly.example>": "refused"}
        assert new.times <= 6


class KnowsNoCase(OrderlyImap):
    """Keeps the case of names, and compares without it."""

    def _known(self, name: bytes) -> bytes:
        return next((known for known in self.boxes if known.lower() == name.lower()), name)

    def _spelt(self, command: bytes) -> bytes:
        name = arguments(command)[1]
        return command.replace(name, self._known(name), 1)

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_select(talk, tag, self._spelt(command))

    on_examine = on_select

    def on_create(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_create(talk, tag, self._spelt(command))

    def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_append(talk, tag, self._spelt(command))


@pytest.mark.parametrize("there", [b"kunden", b"Kunden", b"KUNDEN"])
def test_twins_in_folders_that_differ_in_case_both_arrive(copy: Copy, there: bytes) -> None:
    with OrderlyImap() as old, KnowsNoCase() as new:
        new.box(there)
        for name, number in ((b"Kunden", 1), (b"kunden", 1), (b"kunden", 2)):
            old.box(name).add(letter(number))
        for _ in range(2):
            assert copy(old, new).code == 0
        assert sum(len(box.mails) for box in new.boxes.values()) == 3
        assert len(new.boxes) == 3
