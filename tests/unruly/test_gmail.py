"""Gmail: labels are folders, one copy of each message is carried, and the report says where it lies."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.jobs import budget
from migrator.providers import profile
from tests.servers.command import Postwagen
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import Mail, OrderlyImap, Talk

ALL = b"[Gmail]/Alle Nachrichten"
FOLDERS = {
    b"[Gmail]": b"\\Noselect \\HasChildren",
    ALL: b"\\All",
    b"[Gmail]/Gesendet": b"\\Sent",
    b"[Gmail]/Spam": b"\\Junk",
    b"[Gmail]/Papierkorb": b"\\Trash",
    b"[Gmail]/Wichtig": b"\\Important",
    b"[Gmail]/Markiert": b"\\Flagged",
    b"[Gmail]/Chats": b"",
}
SYSTEM = {b"INBOX": b"\\Inbox", b"[Gmail]/Gesendet": b"\\Sent", b"[Gmail]/Wichtig": b"\\Important"}


class Gmail(OrderlyImap):
    """Each message has labels; it lies in each label's folder and in `All Mail`."""

    capabilities = OrderlyImap.capabilities + b" X-GM-EXT-1"

    def __init__(self, *labels: tuple[bytes, ...]) -> None:
        super().__init__()
        for name, attributes in FOLDERS.items():
            self.box(name, attributes)
        self._labels: dict[bytes, tuple[bytes, ...]] = {}
        for number, given in enumerate(labels):
            octets = letter(number)
            self._labels[octets] = given
            for name in (*given, ALL):
                self.box(name).add(octets)

    def rows(self, talk: Talk, command: bytes, mails: Sequence[Mail]) -> Iterator[bytes]:
        for mail, line in zip(mails, super().rows(talk, command, mails), strict=True):
            here = talk.name.encode("latin-1")
            labels = [SYSTEM.get(name, name) for name in self._labels.get(mail.octets, ()) if name != here]
            written = b" ".join(b'"%b"' % label.replace(b"\\", b"\\\\") for label in labels)
            number = zlib.crc32(mail.octets)
            yield line.removesuffix(b")\r\n") + b" X-GM-LABELS (%b) X-GM-MSGID %d)\r\n" % (written, number)


LABELS: tuple[tuple[bytes, ...], ...] = (
    (b"INBOX", b"Kunden", b"[Gmail]/Wichtig"),
    (b"Kunden", b"Rechnungen"),
    (b"[Gmail]/Gesendet", b"Kunden"),
    (),
    (b"INBOX",),
    (b"Kunden/Meier",),
    (b"Hidden",),
)


def carried(server: OrderlyImap) -> dict[bytes, list[bytes]]:
    """Numbers of messages by folder, without empty ones."""
    return {
        name: [mark[1:2] for mark in server.marks(name)] for name, box in server.boxes.items() if box.mails
    }  # fmt: skip


def test_of_each_message_one_copy_is_carried_and_the_others_are_skipped_by_name(copy: Copy) -> None:
    with Gmail(*LABELS) as old, OrderlyImap() as new:
        del old.boxes[b"Hidden"]  # not shown in IMAP: the message lies in All Mail only
        old.box(b"[Gmail]/Chats").add(letter(99))
        new.box(b"Sent", b"\\Sent")
        new.box(b"Archiv", b"\\Archive")
        told = copy(old, new)
        assert told.code == 0, told.json
        assert carried(new) == {
            b"INBOX": [b"0", b"4"],
            b"Sent": [b"2"],
            b"Kunden": [b"1"],
            b"Kunden/Meier": [b"5"],
            b"Archiv": [b"3", b"6"],
        }
        rules = {(item["folder"], item["rule"]) for item in told.json["skips"]}
        assert ("Kunden", "also_in: INBOX") in rules
        assert ("Rechnungen", "also_in: Kunden") in rules
        assert ("[Gmail]/Alle Nachrichten", "also_in: [Gmail]/Gesendet") in rules
        assert ("Kunden", "also_in: [Gmail]/Gesendet") in rules
        assert ("[Gmail]/Chats", "chats") in rules
        assert ("[Gmail]/Wichtig", "virtual_folder") in rules
        again = copy(old, new)
        assert again.json["messages"]["copied"] == 0
        assert again.code == 0


def test_each_octet_is_read_once(copy: Copy) -> None:
    with Gmail(*LABELS) as old, OrderlyImap() as new:
        copy(old, new)
        asked = [line for line in old.heard if b"BODY.PEEK[]" in line]
        assert sum(len(line.split()[2].split(b",")) for line in asked) <= len(LABELS)


class ShowsFew(Gmail):
    """Its user lets IMAP see the newest two messages of each folder only."""

    def __init__(self, *labels: tuple[bytes, ...]) -> None:
        super().__init__(*labels)
        for box in self.boxes.values():
            del box.mails[:-2]


def test_what_the_inbox_does_not_show_is_carried_from_where_it_is_shown(copy: Copy) -> None:
    with ShowsFew((b"INBOX", b"Kunden"), (b"INBOX",), (b"INBOX",), (b"INBOX",)) as old, OrderlyImap() as new:
        told = copy(old, new, altering=True)
        assert carried(new)[b"Kunden"] == [b"0"]
        assert told.json["messages"]["copied"] == 3


class LabelsMeanwhile(Gmail):
    """Somebody gives a message the label of the inbox after that was listed."""

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if b"Kunden" in command and len(self.boxes[b"INBOX"].mails) == 1:
            octets = self.boxes[b"Kunden"].mails[0].octets
            self._labels[octets] = (b"INBOX", b"Kunden")
            self.boxes[b"INBOX"].add(octets)
        return super().on_select(talk, tag, command)

    on_examine = on_select


def test_a_label_that_comes_meanwhile_takes_no_message_away(copy: Copy) -> None:
    with LabelsMeanwhile((b"Kunden",), (b"INBOX",)) as old, OrderlyImap() as new:
        copy(old, new, altering=True)
        assert b"0" in [number for numbers in carried(new).values() for number in numbers]


def test_a_proof_of_a_mailbox_with_labels_counts_each_message_once(copy: Copy, tmp_path: Path) -> None:
    with Gmail(*LABELS) as old, OrderlyImap() as new:
        copy(old, new)
        ends = [f"imap://info%40old.example@127.0.0.1:{end.port}?security=none" for end in (old, new)]
        postwagen = Postwagen(tmp_path / "data", "secret", "secret")
        proven = postwagen.call("verify", *ends, "--json")
        assert (proven.code, proven.json["messages"]["already_there"]) == (0, len(LABELS)), proven
        box = new.boxes[b"Kunden"]
        box.mails.clear()
        assert postwagen.call("verify", *ends, "--json").code == 1


def test_a_label_that_is_left_out_is_nobodys_home(copy: Copy) -> None:
    with Gmail(*LABELS) as old, OrderlyImap() as new:
        told = copy(old, new, "--exclude", "INBOX", "--exclude", "Kunden")
        assert told.code == 0
        assert carried(new) == {
            b"[Gmail]/Gesendet": [b"2"],
            b"Rechnungen": [b"1"],
            b"Kunden/Meier": [b"5"],
            b"Hidden": [b"6"],
            b"[Gmail]/Alle Nachrichten": [b"0", b"3", b"4"],
        }


def test_each_label_has_its_copy_where_that_is_wished(copy: Copy) -> None:
    with Gmail(*LABELS) as old, OrderlyImap() as new:
        told = copy(old, new, "--each-label")
        assert told.code == 0
        assert carried(new)[b"Kunden"] == [b"0", b"1", b"2"]
        assert carried(new)[b"INBOX"] == [b"0", b"4"]


def test_what_a_provider_gives_a_day_is_kept_to_and_the_rest_is_carried_later(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(profile.CATALOGUE, "0.1", profile.Profile("Gmail", octets_a_day=1_000, per_mailbox=1))
    begun = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    monkeypatch.setattr(budget, "now", lambda: begun)
    with OrderlyImap(*map(letter, range(30))) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert (told.code, told.error, told.json["outcome"]) == (5, "daily_limit", "stopped")
        read = sum(len(mail.octets) for mail in new.boxes[b"INBOX"].mails)
        assert 1_000 <= read < 1_400
        assert copy(old, new).error == "daily_limit"  # nothing more on this day
        for days in range(1, 8):
            monkeypatch.setattr(budget, "now", lambda days=days: begun + timedelta(days=days, hours=2))
            told = copy(old, new)
        assert told.code == 0
        assert sorted(new.marks()) == sorted(old.marks())


class GivesNoMore(OrderlyImap):
    """Gmail, when its limit of a day is reached."""

    def on_uid_fetch(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)\r\n"


def test_a_limit_that_the_server_tells_is_no_full_mailbox_and_no_missing_message(copy: Copy) -> None:
    with GivesNoMore(letter(1)) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert (told.code, told.error) == (5, "daily_limit")
        assert told.json["failures"] == []
