"""What the new server does not take is kept, and put in when the cause is gone, although the old server is gone too."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.engine import detaining, settle
from migrator.jobs import queries, runner
from migrator.jobs.quarantine import operations as quarantine
from migrator.jobs.states import JobState
from migrator.settings import Settings
from tests.making import endpoint, job, order, row
from tests.servers.command import Postwagen
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Box, Mail, OrderlyImap, Talk
from tests.unruly.listening import Hangup

MAILS = [letter(number, b"poison " if number in (2, 5) else b"") for number in range(8)]
POISONED = {f"<{number}@unruly.example>" for number in (2, 5)}
LARGE = letter(20, b"x" * 3_000_000)


class Picky(OrderlyImap):
    """Refuses each message in which something stands."""

    hated = b"poison"

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        return b"NO [CANNOT] Message contains a virus" if self.hated in octets else b""


def everything(box: OrderlyImap, name: bytes = b"INBOX") -> list[tuple[bytes, frozenset[bytes], bytes]]:
    return sorted((mail.octets, frozenset(mail.flags), mail.date) for mail in box.boxes[name].mails)


def test_what_was_refused_is_put_in_later_although_the_old_server_is_gone(copy: Copy) -> None:
    with Picky() as new:
        with OrderlyImap(*MAILS) as old:
            for number, mail in enumerate(old.boxes[b"INBOX"].mails):
                mail.flags = [(b"\\Seen",), (), (b"\\Flagged", b"Work")][number % 3]
            old.box(b"Rechnungen 2024").add(letter(30, b"poison "), (b"\\Answered",), b"01-Feb-1999 23:59:58 +0000")
            told = copy(old, new)
            assert told.code == 1
            assert all(item["quarantined"] for item in told.json["failures"]), told.json
            assert set(told.reasons) == {*POISONED, "<30@unruly.example>"}
            asked = old.talks
        still = copy(old, new, "--from-quarantine")
        assert (still.code, still.json["messages"]["failed"]) == (1, 3)
        new.hated = b"nothing of this"
        later = copy(old, new, "--from-quarantine")
        assert (later.code, later.json["messages"]) == (
            0, {"found": 3, "copied": 3, "already_there": 0, "skipped": 0, "failed": 0},
        ), later.json  # fmt: skip
        assert {row["source"]: row["target"] for row in later.json["folders"]} == {
            "INBOX": "INBOX", "Rechnungen 2024": "Rechnungen 2024",
        }  # fmt: skip
        assert old.talks == asked, "the old server was not asked"
        for name in (b"INBOX", b"Rechnungen 2024"):
            assert everything(new, name) == everything(old, name)
        again = copy(old, new, "--from-quarantine")
        assert (again.code, again.json["messages"]["found"]) == (0, 0)
        assert everything(new) == everything(old)


def test_what_is_taken_by_an_ordinary_run_later_is_in_quarantine_no_more(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        new.hated = b"nothing of this"
        assert copy(old, new).json["messages"]["copied"] == 2
        assert copy(old, new, "--from-quarantine").json["messages"]["found"] == 0
        assert sorted(new.marks()) == sorted(old.marks())


def test_it_goes_where_it_was_to_go_and_not_where_its_name_leads(copy: Copy) -> None:
    with OrderlyImap() as old, Picky() as new:
        old.box(b"Kunden").add(MAILS[2])
        assert copy(old, new, "--map", "Kunden=Anderswo").code == 1
        new.hated = b"nothing of this"
        assert copy(old, new, "--from-quarantine").code == 0
        assert new.marks(b"Anderswo") == [b"<2@unruly.example>"]
        assert b"Kunden" not in new.boxes


class SmallOnly(OrderlyImap):
    """Says how large a message may be, so that nothing larger is even tried."""

    capabilities = OrderlyImap.capabilities + b" APPENDLIMIT=1000000"


class StoresNothing(OrderlyImap):
    """Says OK, and does not keep one message."""

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, octets, flags, date)
        if b"poison" in octets:
            box.mails.pop()


@pytest.mark.parametrize("habit", [SmallOnly, StoresNothing])
def test_what_was_never_tried_or_vanished_is_kept_too(copy: Copy, habit: type[OrderlyImap]) -> None:
    with OrderlyImap(*MAILS, LARGE) as old, habit() as new:
        told = copy(old, new)
        assert told.code == 1
        assert [item["quarantined"] for item in told.json["failures"]] == [True] * (1 if habit is SmallOnly else 2)


def test_a_large_message_comes_out_as_it_went_in(copy: Copy) -> None:
    with OrderlyImap(LARGE, MAILS[0]) as old, SmallOnly() as new:
        assert copy(old, new).code == 1
        new.capabilities = OrderlyImap.capabilities
        assert copy(old, new, "--from-quarantine").code == 0
        assert everything(new) == everything(old)


def test_where_the_old_server_numbers_anew_nothing_is_doubled_by_what_was_kept(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        old.boxes[b"INBOX"].validity += 1
        for mail in old.boxes[b"INBOX"].mails:
            mail.uid += 100
        old.boxes[b"INBOX"].uidnext += 100
        new.hated = b"nothing of this"
        assert copy(old, new).code == 0
        assert copy(old, new, "--from-quarantine").json["messages"]["found"] == 0
        assert sorted(new.marks()) == sorted(old.marks())


def test_what_the_customer_has_put_there_meanwhile_is_not_doubled(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        new.boxes[b"INBOX"].add(MAILS[2])
        new.hated = b"nothing of this"
        told = copy(old, new, "--from-quarantine")
        assert (told.json["messages"]["copied"], told.json["messages"]["already_there"]) == (1, 1)
        assert sorted(new.marks()) == sorted(old.marks())


def test_what_finds_no_room_there_is_told(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Postwagen.environment
    monkeypatch.setattr(Postwagen, "environment", lambda self: {**environment(self), "POSTWAGEN_QUARANTINE_MB": "0"})
    with OrderlyImap(*MAILS) as old, Picky() as new:
        told = copy(old, new)
        assert not any(item["quarantined"] for item in told.json["failures"])
        assert any("2 messages that failed could not be put into quarantine" in line for line in told.json["warnings"])


def test_of_very_many_only_some_are_kept_and_the_others_counted(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detaining, "MOST", 1)
    with OrderlyImap(*MAILS) as old, Picky() as new:
        told = copy(old, new)
        assert sorted(item["quarantined"] for item in told.json["failures"]) == [False, True]
        assert any("1 messages that failed" in line for line in told.json["warnings"])


class BreaksAtTheLast(OrderlyImap):
    """Each connection ends when the last message is read."""

    def bodies(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        if any(mail.octets == MAILS[7] for mail in mails):
            raise Hangup
        return super().bodies(talk, command, mails)


def test_what_was_refused_is_kept_although_its_folder_breaks_later(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    with BreaksAtTheLast(*MAILS) as old, Picky() as new:
        old.box(b"Sane").add(letter(50))
        told = copy(old, new)
        assert told.code != 0
        assert {one: told.reasons[one] for one in POISONED} == dict.fromkeys(POISONED, "refused"), told.json
        assert all(item["quarantined"] for item in told.json["failures"] if item["message_id"] in POISONED)


class Forgetful(OrderlyImap):
    """Gives a message once, and is asked in vain for it later."""

    def on_uid_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if b"BODY" in command.upper() and sum(b"BODY" in one.upper() for one in self.heard) > 1:
            yield tag + b" OK there was nothing\r\n"
            return
        yield from super().on_uid_fetch(talk, tag, command)


def test_what_the_old_server_does_not_give_again_is_told(copy: Copy) -> None:
    with Forgetful(*MAILS) as old, Picky() as new:
        told = copy(old, new)
        assert told.json["messages"]["failed"] == 2, told.json
        assert not any(item["quarantined"] for item in told.json["failures"])
        assert any("could not be put into quarantine" in line for line in told.json["warnings"])


def test_it_is_listed_and_written_into_files_by_command(copy: Copy, tmp_path: Path) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        old.box(b"Rechnungen/2024").add(MAILS[2] + b"twin\r\n")
        assert copy(old, new).code == 1
    ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
    command = Postwagen(tmp_path / "data", None, None)
    listed = command.call("quarantine", "list", *ends, "--json").json["messages"]
    assert {(one["folder"], one["message_id"], one["reason"], one["gone"]) for one in listed} == {
        ("INBOX", "<2@unruly.example>", "refused", None),
        ("INBOX", "<5@unruly.example>", "refused", None),
        ("Rechnungen/2024", "<2@unruly.example>", "refused", None),
    }
    shown = command.call("quarantine", "list", *ends)
    assert shown.code == 0
    assert shown.out.count("virus") == 3, shown.out
    out = tmp_path / "out"
    assert command.call("quarantine", "export", *ends, str(out)).code == 0
    written = sorted(file.read_bytes() for file in out.rglob("*.eml"))
    assert written == sorted([MAILS[2], MAILS[5], MAILS[2] + b"twin\r\n"])
    for file in (tmp_path / "data" / "ledgers").iterdir():
        assert b"The body of message 2" not in file.read_bytes(), file
    for words in (("quarantine", "list", ends[1], ends[0]), ("copy", ends[1], ends[0], "--from-quarantine")):
        wrong = command.call(*words)
        assert wrong.code == 2
        assert "no ledger" in wrong.err


def test_the_service_puts_it_in_by_a_job_of_its_own(
    database_everywhere: Database, vault: Vault, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "LOOK_AGAIN_SECONDS", 0.01)
    db = database_everywhere
    here = dataclasses.replace(settings, allowed_networks=(ip_network("127.0.0.0/8"),), quiet_seconds=0)

    def work(job_id: int) -> JobState:
        ended = threading.Event()
        runner.run_slice(job_id, db=db, vault=vault, settings=here, owner="me", shutdown=ended)
        return JobState(row(db, job_id).state)

    with Picky() as new:
        with OrderlyImap(*MAILS) as old:
            ends = [endpoint(host="127.0.0.1", port=end.port, security="none") for end in (old, new)]
            first = job(db, vault, here, order(source=ends[0], target=ends[1]), now=datetime.now(UTC))
            assert work(first) is JobState.INCOMPLETE
        found, _ = queries.failures(db, first)
        assert {failure.message_id for failure in found if failure.kept} == POISONED
        again = quarantine.replay(db, vault, first, actor="me")
        assert work(again) is JobState.INCOMPLETE
        new.hated = b"nothing of this"
        asked = old.talks
        third = quarantine.replay(db, vault, again, actor="me")
        assert work(third) is JobState.SUCCEEDED
        assert old.talks == asked
        assert everything(new) == everything(old)
        assert [failure.gone for failure in queries.failures(db, first)[0]] == ["carried", "carried"]
        with pytest.raises(quarantine.NothingKept):
            quarantine.replay(db, vault, third, actor="me")
