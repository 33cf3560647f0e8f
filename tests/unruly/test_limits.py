"""`postwagen check` from one scripted server to another: limits are told before the job, and none is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from migrator.jobs import advising, probe
from migrator.sessions.imap import limits
from tests.servers.command import Postwagen
from tests.unruly.conftest import letter
from tests.unruly.imap import OrderlyImap, Talk, arguments
from tests.unruly.listening import Hangup

SMALL, LARGE = letter(1), letter(2, b"x" * 5_000)


class Check(Protocol):
    """Checks a pair of servers, and gives what was found, by code."""

    def __call__(self, old: OrderlyImap, new: OrderlyImap) -> dict[str, Any]: ...


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.setattr(advising, "siblings", lambda _end: iter(()))
    postwagen = Postwagen(tmp_path / "data", "secret", "secret")

    def run(old: OrderlyImap, new: OrderlyImap) -> dict[str, Any]:
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        ran = postwagen.call("check", *ends, "--json")
        assert (ran.code, ran.json["outcome"], ran.json["error"]) == (0, "succeeded", None), ran
        found = {one["code"]: one for one in ran.json["findings"]}
        assert len(found) == len(ran.json["findings"])
        return found

    return run


class Searches(OrderlyImap):
    """Finds messages by size."""

    def on_uid_search(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        above = int(command.split()[-1])
        found = [b" %d" % mail.uid for mail in self.opened(talk).mails if int(self.size(mail)) > above]
        yield b"* SEARCH" + b"".join(found) + b"\r\n" + tag + b" OK done\r\n"


class SaysLimits(OrderlyImap):
    """One limit for all folders."""

    capabilities = OrderlyImap.capabilities + b" APPENDLIMIT=2000"


def test_messages_above_the_limit_of_the_new_server_are_named(check: Check) -> None:
    with Searches(SMALL, LARGE) as old, SaysLimits() as new:
        old.box(b"Scans").add(LARGE)
        found = check(old, new)
        assert list(found) == ["messages_too_big"]
        said = found["messages_too_big"]
        assert (said["severity"], said["number"], said["limit"], said["at_least"]) == ("will_not_fit", 2, 2000, False)
        assert [(one["folder"], one["key"]) for one in said["messages"]] == [("INBOX", "77/2"), ("Scans", "78/1")]
        assert said["messages"][0]["size"] == len(LARGE)
        assert not any(command.startswith(b"SELECT") for command in old.heard)


def test_where_the_new_server_says_no_limit_the_old_one_is_not_asked(check: Check) -> None:
    with Searches(SMALL, LARGE) as old, OrderlyImap() as new:
        assert check(old, new) == {}
        assert not any(b"SEARCH" in command for command in old.heard)


class LimitsFolders(OrderlyImap):
    """RFC 7889: each folder has its own; NIL is none."""

    capabilities = OrderlyImap.capabilities + b" APPENDLIMIT"
    said = {b"INBOX": b"2000", b"Scans": b"NIL"}  # noqa: RUF012 - never changed

    def on_status(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        name, items = arguments(command)[1:3]
        if items != b"APPENDLIMIT":
            yield from super().on_status(talk, tag, command)
            return
        yield b"* STATUS %b (APPENDLIMIT %b)\r\n" % (self.said_name(name), self.said[name]) + tag + b" OK done\r\n"


def test_limits_folder_by_folder_are_asked_for_and_a_new_folder_is_taken_to_be_as_the_inbox(check: Check) -> None:
    with Searches(SMALL, LARGE) as old, LimitsFolders() as new:
        for name in (b"Scans", b"Made"):
            old.box(name).add(LARGE)
        new.box(b"Scans")
        found = check(old, new)["messages_too_big"]
        assert {one["folder"] for one in found["messages"]} == {"INBOX", "Made"}


class RefusesLimits(LimitsFolders):
    """Announces it, and knows nothing of it."""

    def on_status(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if b"APPENDLIMIT" in command:
            yield tag + b" BAD what?\r\n"
        else:
            yield from OrderlyImap.on_status(self, talk, tag, command)


def test_a_server_that_announces_limits_and_tells_none_has_none(check: Check) -> None:
    with Searches(SMALL, LARGE) as old, RefusesLimits() as new:
        new.box(b"Another")
        assert check(old, new) == {}
        assert sum(b"(APPENDLIMIT)" in command for command in new.heard) == 1


class RefusesSearch(Searches):
    """Aliyun, QQ and others: SEARCH is not what it should be."""

    answer = b"BAD invalid command or parameters"

    def on_uid_search(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" " + self.answer + b"\r\n"


class CannotSearch(RefusesSearch):
    """One folder's index is broken; so are the others'."""

    answer = b"NO [SERVERBUG] Internal error occurred"


class BreaksAtSearch(Searches):
    """It costs the connection."""

    def on_uid_search(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        raise Hangup(b"* BYE internal error\r\n")


class NeverAnswersSearch(Searches):
    """It reads every message of a large folder first."""

    def on_uid_search(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        talk.stream.read(1)  # until they hang up
        raise Hangup


@pytest.mark.parametrize("habit", [RefusesSearch, CannotSearch, BreaksAtSearch, NeverAnswersSearch])
def test_a_search_that_fails_is_not_known_and_never_an_error(
    check: Check, monkeypatch: pytest.MonkeyPatch, habit: type[Searches]
) -> None:
    monkeypatch.setattr(probe, "LIMITS_SECONDS", 1.0)
    with habit(SMALL, LARGE) as old, SaysLimits() as new:
        old.box(b"Scans").add(LARGE)
        found = check(old, new)
        assert sum(b"SEARCH" in command for command in old.heard) == (2 if habit is CannotSearch else 1)
        assert list(found) == ["largest_not_known"]
        assert (found["largest_not_known"]["number"], found["largest_not_known"]["severity"]) == (2, "look")


class FindsAll(Searches):
    """Whatever is asked for, every message is the answer."""

    def on_uid_search(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        uids = b" ".join(b"%d" % mail.uid for mail in self.opened(talk).mails)
        yield b"* SEARCH " + uids + b"\r\n" + tag + b" OK done\r\n"


def test_what_a_search_finds_is_believed_only_with_its_size(check: Check) -> None:
    with FindsAll(SMALL, LARGE) as old, SaysLimits() as new:
        assert check(old, new)["messages_too_big"]["number"] == 1


def test_of_very_many_large_messages_only_some_are_looked_at_and_that_is_told(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AT_ONCE", 7)
    monkeypatch.setattr(limits, "MOST_SIZES", 30)
    with Searches(*([LARGE] * 40)) as old, SaysLimits() as new:
        everything = check(old, new)
        found = everything["messages_too_big"]
        assert (found["number"], found["at_least"], len(found["messages"])) == (30, True, 20)
        assert everything["largest_not_known"]["folders"] == ["INBOX"]
        assert found["detail"].startswith("At least 30 messages")


class HasQuota(OrderlyImap):
    """Two roots of different size, and one resource that nobody has limited."""

    capabilities = OrderlyImap.capabilities + b" QUOTA"
    roots: tuple[bytes, ...] = (b"STORAGE 100 5000 MESSAGE 3 10", b"STORAGE 90 100 MAILBOX 1 0")

    def on_getquotaroot(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield b'* QUOTAROOT "INBOX" "user" "domain"\r\n'
        for number, root in enumerate(self.roots):
            yield b'* QUOTA "root %d" (%b)\r\n' % (number, root)
        yield tag + b" OK done\r\n"


class SaysSizes(OrderlyImap):
    """STATUS=SIZE."""

    capabilities = OrderlyImap.capabilities + b" STATUS=SIZE"
    octets = 50_000

    def on_status(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        name = arguments(command)[1]
        box = self.boxes[name]
        size = self.octets if box.mails else 0
        yield b"* STATUS %b (MESSAGES %d SIZE %d)\r\n" % (self.said_name(name), len(box.mails), size)
        yield tag + b" OK done\r\n"


def test_the_quota_with_the_least_left_counts_and_messages_count_too(check: Check) -> None:
    with SaysSizes(*[letter(number) for number in range(9)]) as old, HasQuota() as new:
        found = check(old, new)
        assert list(found) == ["quota_too_small", "too_many_messages"]
        assert (found["quota_too_small"]["number"], found["quota_too_small"]["limit"]) == (50_000, 10 * 1024)
        assert (found["too_many_messages"]["number"], found["too_many_messages"]["limit"]) == (9, 7)


def test_where_the_old_server_says_no_sizes_its_own_quota_says_about_how_much_it_is(check: Check) -> None:
    with HasQuota(SMALL) as old, HasQuota() as new:
        old.roots, new.roots = (b"STORAGE 5000 9000",), (b"STORAGE 0 4000",)
        found = check(old, new)
        assert (found["quota_too_small"]["number"], found["quota_too_small"]["severity"]) == (5000 * 1024, "look")


def test_where_nobody_says_how_much_it_is_that_is_told(check: Check) -> None:
    with OrderlyImap(SMALL) as old, HasQuota() as new:
        new.roots = (b"STORAGE 0 4000",)
        assert list(check(old, new)) == ["size_not_known"]


@pytest.mark.parametrize("root", [b"STORAGE 10 -1", b"STORAGE 10", b"STORAGE many 100", b"", b"STORAGE NIL NIL"])
def test_a_quota_that_makes_no_sense_is_none(check: Check, root: bytes) -> None:
    with SaysSizes(SMALL) as old, HasQuota() as new:
        new.roots = (root,)
        assert check(old, new) == {}


def test_a_mailbox_may_hold_so_many_folders_only(check: Check) -> None:
    with OrderlyImap(SMALL) as old, HasQuota() as new:
        old.box(b"A/B").add(SMALL)
        new.roots = (b"MAILBOX 1 2",)
        found = check(old, new)["too_many_folders"]
        assert (found["severity"], found["number"], found["limit"]) == ("will_not_fit", 3, 2)


def test_a_folder_of_exactly_a_thousand_messages_is_looked_at(check: Check) -> None:
    with OrderlyImap(*([SMALL] * 1000)) as old, OrderlyImap() as new:
        found = check(old, new)["count_looks_capped"]
        assert (found["folder"], found["number"], found["severity"]) == ("INBOX", 1000, "look")
        assert "webmail" in found["remedy"]
