"""Quarantine where much else goes wrong: nothing of it is lost, doubled, or put where it does not belong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, update

from migrator.db.models import Quarantined
from migrator.db.store import Database
from migrator.engine import wrappers
from migrator.jobs.quarantine.operations import expire
from tests.servers.command import Postwagen
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Box, OrderlyImap, Talk
from tests.unruly.listening import Hangup
from tests.unruly.pop3 import OrderlyPop3
from tests.unruly.test_quarantine import MAILS, Picky


def renumber(server: OrderlyImap) -> None:
    box = server.boxes[b"INBOX"]
    box.validity += 1
    for mail in box.mails:
        mail.uid += 100
    box.uidnext += 100


def test_refused_before_and_after_the_old_server_was_renumbered_is_put_in_once(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        renumber(old)
        assert copy(old, new).code == 1
        new.hated = b"nothing of this"
        copy(old, new, "--from-quarantine")
        assert sorted(new.marks()) == sorted(old.marks())


class NamesAnew(OrderlyPop3):
    """Each session gives other names."""

    def uidl(self, at: int) -> bytes:
        return b"%d-" % self.talks + super().uidl(at)


def test_pop3_names_that_change_with_each_session_double_nothing_from_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * len(wrappers.DELAYS))
    postwagen = Postwagen(tmp_path / "data", "secret", "secret", quiet_seconds=0)
    with NamesAnew(*MAILS) as old, Picky() as new:
        ends = [
            f"pop3://info%40old.example@127.0.0.1:{old.port}?security=none",
            f"imap://info%40old.example@127.0.0.1:{new.port}?security=none",
        ]
        for _ in range(2):
            assert postwagen.call("copy", *ends, "--json").code == 1
        new.hated = b"nothing of this"
        postwagen.call("copy", *ends, "--json", "--from-quarantine")
        assert Counter(new.marks()) == Counter({b"<%d@unruly.example>" % n: 1 for n in range(8)})


class TakesOneOfTwins(OrderlyImap):
    """Too busy with one message for now: takes a message with certain octets only once."""

    capabilities = OrderlyImap.capabilities.replace(b" MULTIAPPEND", b"")
    once = True

    def refuses(self, octets: bytes, flags: Sequence[bytes]) -> bytes:
        there = sum(mail.octets == octets for mail in self.boxes[b"INBOX"].mails)
        return b"NO [CANNOT] Message was rejected" if self.once and there else b""


def test_a_twin_that_was_refused_stays_in_quarantine_although_the_other_was_taken(copy: Copy) -> None:
    with OrderlyImap(*MAILS[:3], MAILS[0]) as old, TakesOneOfTwins() as new:
        told = copy(old, new)
        assert told.code == 1
        assert [item["quarantined"] for item in told.json["failures"]] == [True], told.json["failures"]
        new.once = False
        copy(old, new, "--from-quarantine")
        assert sorted(new.marks()) == sorted(old.marks())


class DropsAfterOk(Picky):
    """Says OK to the replay, restarts without having written it, and cannot be looked at until it is up again."""

    down = False
    sly = False

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, octets, flags, date)
        if self.sly:
            box.mails.pop()
            self.down = True

    def turn(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if self.down:
            raise Hangup
        yield from super().turn(talk, tag, command)


def test_what_was_said_ok_to_and_never_looked_at_is_still_kept(copy: Copy) -> None:
    with OrderlyImap(*MAILS[:3]) as old, DropsAfterOk() as new:
        assert copy(old, new).code == 1  # <2@> is refused, and kept
        new.hated, new.sly = b"nothing of this", True
        assert copy(old, new, "--from-quarantine").code != 0
        new.sly = new.down = False
        last = copy(old, new, "--from-quarantine")
        there = b"<2@unruly.example>" in new.marks()
        assert there or last.code != 0, last.json


class RefusesToBeLookedAt(Picky):
    """The folder cannot be opened any more once it has taken the message, which it loses."""

    sly = False
    shut = False

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, octets, flags, date)
        if self.sly:
            box.mails.pop()
            self.shut = True

    def on_examine(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if self.shut:
            yield tag + b" NO cannot open it\r\n"
            return
        yield from super().on_select(talk, tag, command)

    on_select = on_examine


def test_a_folder_that_fails_behind_the_append_lets_nothing_go(copy: Copy) -> None:
    with OrderlyImap(*MAILS[:3]) as old, RefusesToBeLookedAt() as new:
        assert copy(old, new).code == 1
        new.hated, new.sly = b"nothing of this", True
        assert copy(old, new, "--from-quarantine").code == 1
        new.sly = new.shut = False
        last = copy(old, new, "--from-quarantine")
        assert b"<2@unruly.example>" in new.marks() or last.code != 0, last.json


class KeepsAnother(Picky):
    """Takes what is put in, and keeps something else."""

    other: bytes | None = None

    def store(self, box: Box, octets: bytes, flags: Sequence[bytes], date: bytes) -> None:
        super().store(box, octets if self.other is None else self.other, flags, date)


@pytest.mark.parametrize("other", [b"", b"From: postmaster@new.example\r\nSubject: removed\r\n\r\nIt was removed.\r\n"])
def test_what_the_target_replaced_stays_in_quarantine(copy: Copy, other: bytes) -> None:
    with OrderlyImap(*MAILS[:3]) as old, KeepsAnother() as new:
        assert copy(old, new).code == 1
        new.hated, new.other = b"nothing of this", other
        told = copy(old, new, "--from-quarantine", altering=True)
        again = copy(old, new, "--from-quarantine", altering=True)
        assert again.json["messages"]["found"] == 1, (told.code, told.json["warnings"], again.json["messages"])


def test_an_ordinary_run_behind_a_replay_doubles_nothing_where_the_old_server_was_renumbered(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Postwagen.environment
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        renumber(old)
        with monkeypatch.context() as patched:  # so that they are not kept under both keys, which doubles them, too
            patched.setattr(
                Postwagen, "environment", lambda self: {**environment(self), "POSTWAGEN_QUARANTINE_MB": "0"}
            )
            assert copy(old, new).code == 1
        new.hated = b"nothing of this"
        assert copy(old, new, "--from-quarantine").code == 0
        assert sorted(new.marks()) == sorted(old.marks())
        copy(old, new, altering=True)
        assert sorted(new.marks()) == sorted(old.marks())


def test_each_goes_where_it_was_to_go_although_its_folder_was_mapped_elsewhere_later(copy: Copy) -> None:
    with OrderlyImap() as old, Picky() as new:
        old.box(b"Kunden").add(MAILS[2])
        assert copy(old, new, "--map", "Kunden=Eins").code == 1
        old.boxes[b"Kunden"].mails.clear()
        old.boxes[b"Kunden"].add(MAILS[5])
        assert copy(old, new, "--map", "Kunden=Zwei").code == 1
        new.hated = b"nothing of this"
        first = copy(old, new, "--from-quarantine", altering=True)
        assert any("1 messages stay in quarantine for now" in line for line in first.json["warnings"]), first.json
        copy(old, new, "--from-quarantine", altering=True)
        assert (new.marks(b"Eins"), new.marks(b"Zwei")) == ([b"<2@unruly.example>"], [b"<5@unruly.example>"])


def test_one_key_that_cannot_be_opened_stops_no_other_message(copy: Copy, tmp_path: Path) -> None:
    with OrderlyImap(*MAILS) as old, Picky() as new:
        assert copy(old, new).code == 1
        (state,) = (tmp_path / "data" / "ledgers").glob("*.sqlite3")
        db = Database(f"sqlite:///{state}")
        with db.writing() as session:
            first = session.scalars(select(Quarantined.id).order_by(Quarantined.id)).first()
            session.execute(update(Quarantined).where(Quarantined.id == first).values(sealed_key=b"rubbish"))
        db.dispose()
        new.hated = b"nothing of this"
        told = copy(old, new, "--from-quarantine")
        assert told.code == 1
        assert b"<5@unruly.example>" in new.marks(), told.json


def test_names_that_had_to_be_changed_are_found_again(copy: Copy) -> None:
    class Courier(Picky):
        delimiter, prefix = b".", b"INBOX."

    with OrderlyImap() as old, Courier() as new:
        for name in (b"A.B", b"A/B", b"Kunden/Neu", b"Gesendet"):
            old.box(name).add(letter(len(old.boxes), b"poison "))
        assert copy(old, new).code == 1
        new.hated = b"nothing of this"
        told = copy(old, new, "--from-quarantine")
        assert told.code == 0, told.json
        assert sum(len(box.mails) for box in new.boxes.values()) == 4


def test_what_expires_while_it_is_put_in_is_no_success(copy: Copy, tmp_path: Path) -> None:
    class Expires(Picky):
        def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
            yield from super().on_append(talk, tag, command)
            if self.hated == b"-":
                (state,) = (tmp_path / "data" / "ledgers").glob("*.sqlite3")
                db = Database(f"sqlite:///{state}")
                expire(db, days=0)
                db.dispose()

    with OrderlyImap(letter(1), letter(2, b"poison ")) as old, Expires() as new:
        old.box(b"Zweiter").add(letter(3, b"poison "))
        assert copy(old, new).code == 1
        new.hated = b"-"
        told = copy(old, new, "--from-quarantine", "--connections", "1")
        assert told.code == 1 or new.marks(b"Zweiter"), told.json


def test_copy_with_a_ledger_of_its_own_needs_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = Postwagen(tmp_path / "file" / "data", "secret", "secret", quiet_seconds=0)
    with OrderlyImap(*MAILS) as old, OrderlyImap() as new:
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        ran = command.call("copy", *ends, "--json", "--state", str(tmp_path / "x.sqlite3"))
        assert ran.code == 0, ran
