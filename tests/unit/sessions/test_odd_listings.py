"""Folders and messages that servers list in odd ways: none is hidden, each folder is opened by its listed name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.errors import FolderRefused
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Batch, FlagChange, Letter, Page, Parcel, Stored, Want
from migrator.sessions.imap.folders import list_folders
from migrator.sessions.imap.source import ImapSource
from migrator.sessions.imap.target import ImapTarget
from tests.unit.sessions.scripted import ScriptedServer, row, talking_to

Patch = pytest.MonkeyPatch
REF = FolderRef("INBOX", 77, 10, 3)


def listing(*lines: bytes) -> ScriptedServer:
    return ScriptedServer(LIST=b"".join(b"* LIST " + line + b"\r\n" for line in lines), LSUB=b"")


def names(monkeypatch: Patch, *lines: bytes) -> list[str]:
    with talking_to(listing(*lines), monkeypatch) as session:
        return [info.name for info in list_folders(session, numbers=False)]


# ---- folders -------------------------------------------------------------------------------------------------------


def test_names_that_read_alike_are_folders_of_their_own(monkeypatch: Patch) -> None:
    latin = names(monkeypatch, b'() "/" "INBOX"', b'() "/" "B\xe4r"', b'() "/" "B\xfcr"')
    assert latin == ["INBOX", "Bär", "Bür"]
    raw = names(monkeypatch, b'() "/" "INBOX"', b'() "/" "A&B"', b'() "/" "A&-B"', b'() "/" "A&-B"')
    assert raw == ["INBOX", "A&-B", "A&B"]


def test_a_folder_called_nil_and_one_without_attributes_are_listed(monkeypatch: Patch) -> None:
    assert names(monkeypatch, b'() "/" "INBOX"', b'() "/" NIL', b'NIL "/" "x"') == ["INBOX", "NIL", "x"]


@pytest.mark.parametrize("wire", [b"x&2D0-", b"&AAA-", b"x" * 3000])
def test_a_name_that_no_database_can_hold_is_shown_in_another_form(monkeypatch: Patch, wire: bytes) -> None:
    (name,) = names(monkeypatch, b'() "/" "%s"' % wire)
    name.encode()
    assert "\0" not in name
    assert len(name) <= 900


@pytest.mark.parametrize(
    "wire",
    [
        b"Entw\xc3\xbcrfe", b"A & B", b"A&B", b"&2D0-", b"&AGE-", b"a&AOQ", b"Foo\tBar", b"&Jjo!", b"&AAA-", b"B\xe4r",
        b"&ZeVnLIqe", b"&-", b"&&-", b"x&AOQ-&APY-y", b'a\\"b',
    ],
)  # fmt: skip
@pytest.mark.parametrize("listed_before", [True, False])
def test_a_folder_is_opened_by_the_name_that_the_server_wrote(
    monkeypatch: Patch, wire: bytes, listed_before: bool
) -> None:
    said = wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    server = listing(b'() "/" "%s"' % said)
    known = server.says["EXAMINE"]
    server.says["EXAMINE"] = lambda rest: known if b'EXAMINE "%s"' % said in rest else b"%t NO no such folder\r\n"
    with talking_to(server, monkeypatch) as session:
        (info,) = list_folders(session, numbers=False)
        if not listed_before:  # as after a reconnection
            session.names = {}
        assert session.open_folder(info.name, writable=False).validity == 77


def test_the_prefix_of_other_peoples_folders_is_decoded_too(monkeypatch: Patch) -> None:
    server = listing(b'() "/" "INBOX"', b'() "/" "&AMk-quipe/x"')
    server.says["CAPABILITY"] = b"* CAPABILITY IMAP4rev1 NAMESPACE AUTH=PLAIN\r\n"
    server.says["NAMESPACE"] = b'* NAMESPACE (("" "/")) (("&AMk-quipe/" "/")) NIL\r\n'
    with talking_to(server, monkeypatch) as session:
        assert [info.shared for info in list_folders(session, numbers=False)] == [False, True]


# ---- messages ------------------------------------------------------------------------------------------------------


def found(monkeypatch: Patch, server: ScriptedServer) -> dict[int, Row]:
    with talking_to(server, monkeypatch) as session:
        pages = [item for item in ImapSource(session).survey("INBOX") if isinstance(item, Page)]
        return {one.key.uid: one for page in pages for one in page.rows}


@pytest.mark.parametrize("size", [b"NIL", b"()", b"9223372036854775807"])
def test_a_size_that_cannot_be_is_only_a_missing_hint(monkeypatch: Patch, size: bytes) -> None:
    odd = b'* 2 FETCH (UID 12 FLAGS () INTERNALDATE "05-Mar-2001 01:02:03 +0000" RFC822.SIZE %s)\r\n' % size
    rows = found(monkeypatch, ScriptedServer(FETCH=row(1, 11) + odd + row(3, 13)))
    assert list(rows) == [11, 12, 13]
    assert rows[12].size < 2**32


def test_a_message_may_be_told_in_two_responses(monkeypatch: Patch) -> None:
    split = (
        b'* 2 FETCH (UID 12 RFC822.SIZE 5 INTERNALDATE "05-Mar-2001 01:02:03 +0000")\r\n'
        b"* 2 FETCH (UID 12 FLAGS (\\Seen))\r\n* 9 FETCH (UID 99 FLAGS (\\Seen))\r\n"
    )
    rows = found(monkeypatch, ScriptedServer(FETCH=row(1, 11) + row(3, 13) + split))
    assert list(rows) == [11, 12, 13]
    assert rows[12].flags == {"\\Seen"}


@pytest.mark.parametrize("end", [b"%t NO [EXPUNGEISSUED] Some messages are gone\r\n", b""])
def test_a_message_that_another_client_deletes_during_the_listing_stops_nothing(monkeypatch: Patch, end: bytes) -> None:
    """RFC 2180, 4.1: the server leaves it out, or says NO; it tells the EXPUNGE later."""

    def say(command: bytes) -> bytes:
        if command.startswith(b"FETCH 2 "):
            return end or b"%t OK\r\n"
        one, three = row(1, 11), row(3, 13)
        return {b"1": one, b"3": three}.get(command.split()[1]) or one + three + end

    assert list(found(monkeypatch, ScriptedServer(FETCH=say, NOOP=b"* 2 EXPUNGE\r\n"))) == [11, 13]


def test_a_server_that_hides_a_message_is_told_of_after_all_that_it_shows(monkeypatch: Patch) -> None:
    def say(command: bytes) -> bytes:
        return b"%t OK\r\n" if command.startswith(b"FETCH 2 ") else row(1, 11) + row(3, 13)

    seen: list[int] = []
    with talking_to(ScriptedServer(FETCH=say), monkeypatch) as session:
        survey = ImapSource(session).survey("INBOX")
        next(survey)
        page = next(survey)
        assert isinstance(page, Page)
        seen = [one.key.uid for one in page.rows]
        with pytest.raises(FolderRefused, match="hides 1 messages"):
            next(survey)
    assert seen == [11, 13]


# ---- the target ----------------------------------------------------------------------------------------------------


def parcel(
    number: int, flags: tuple[str, ...] = (), instant: datetime | None = datetime(2001, 1, 1, tzinfo=UTC)
) -> Parcel:
    octets = b"From: x\r\n\r\ny\r\n"
    letter = Letter(Want("x", MessageKey(1, number), len(octets)), octets, len(octets), lambda: iter((octets,)))
    return Parcel(number, letter, flags, instant)


def appended(target: ImapTarget, folder: FolderRef, *parcels: Parcel) -> list[object]:
    return list(target.append([Batch(folder, parcels)], may_commit=lambda: True))


def test_a_keyword_that_the_target_refuses_later_costs_only_itself(monkeypatch: Patch) -> None:
    stores = [b"%t NO [CANNOT] Keyword length too long\r\n", b"%t OK\r\n"]
    server = ScriptedServer(UID_FETCH=b"* 1 FETCH (UID 5 FLAGS ())\r\n", UID_STORE=list(stores))
    with talking_to(server, monkeypatch) as session:
        target = ImapTarget(session)
        change = FlagChange(MessageKey(77, 5), frozenset({"k" * 60, "short"}), frozenset())
        assert [there for _, there in target.change_flags(REF, [change])] == [True]
    assert server.commands[-2] == b"UID STORE 5 +FLAGS.SILENT (short)"


def test_flags_that_a_folder_does_not_take_hit_only_that_folder(monkeypatch: Patch) -> None:
    server = ScriptedServer(UID_FETCH=b"* 1 FETCH (UID 5 FLAGS ())\r\n", UID_STORE=b"%t NO read-only\r\n")
    change = FlagChange(MessageKey(77, 5), frozenset({"\\Seen"}), frozenset())
    with talking_to(server, monkeypatch) as session, pytest.raises(FolderRefused):
        list(ImapTarget(session).change_flags(REF, [change]))


def test_keys_of_a_large_batch_are_read_from_a_long_line(monkeypatch: Patch) -> None:
    uids = b",".join(b"%d" % number for number in range(100_000, 100_200, 2))
    server = ScriptedServer(APPEND=b"%t OK [APPENDUID 77 " + uids + b"] done\r\n")
    with talking_to(server, monkeypatch) as session:
        results = appended(ImapTarget(session), REF, *(parcel(number) for number in range(100)))
    assert all(isinstance(result, Stored) and result.key for result in results)


@pytest.mark.parametrize("year", [1900, 1969, 2038])
def test_a_date_that_servers_may_refuse_waits_for_the_go_ahead(monkeypatch: Patch, year: int) -> None:
    server = ScriptedServer(APPEND=b"%t OK done\r\n")
    with talking_to(server, monkeypatch) as session:
        appended(ImapTarget(session), REF, parcel(1), parcel(2, instant=datetime(year, 1, 2, tzinfo=UTC)), parcel(3))
        said = server.commands[-1]
    assert b'"02-Jan-%d 00:00:00 +0000" {14}\r\n' % year in said
    assert said.count(b"{14+}") == 1


@pytest.mark.parametrize("subscribe", [True, False])
def test_a_folder_is_subscribed_only_when_that_is_wanted(monkeypatch: Patch, subscribe: bool) -> None:
    server = ScriptedServer()
    with talking_to(server, monkeypatch) as session:
        ImapTarget(session).ensure_folder(("INBOX",), None, subscribe=subscribe)
    assert ("SUBSCRIBE" in server.verbs()) is subscribe


def test_gmails_labels_stand_among_the_flags_and_are_asked_for_only_there(monkeypatch: Patch) -> None:
    told = (
        b'* 1 FETCH (X-GM-LABELS ("\\\\Inbox" Kunden "B&APw-cher lesen") UID 1 RFC822.SIZE 9 FLAGS (\\Seen) '
        b'INTERNALDATE "22-Nov-2026 12:00:00 +0000")\r\n* 2 FETCH (X-GM-LABELS () UID 2 RFC822.SIZE 9 FLAGS () '
        b'INTERNALDATE "22-Nov-2026 12:00:00 +0000")\r\n'
    )
    gmail = ScriptedServer(FETCH=told, CAPABILITY=b"* CAPABILITY IMAP4rev1 AUTH=PLAIN X-GM-EXT-1\r\n")
    gmail.says["EXAMINE"] = b"* 2 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n%t OK done\r\n"
    with talking_to(gmail, monkeypatch) as session:
        pages = [page for page in ImapSource(session).survey("INBOX") if isinstance(page, Page)]
    flags = [found.flags for page in pages for found in page.rows]
    assert flags == [{"\\Seen", "label \\Inbox", "label Kunden", "label Bücher lesen"}, frozenset()]
    assert any(b"X-GM-LABELS" in command for command in gmail.commands)
    other = ScriptedServer(FETCH=row(1, 1) + row(2, 2) + row(3, 3))
    with talking_to(other, monkeypatch) as session:
        assert len(list(ImapSource(session).survey("INBOX"))) == 2
    assert not any(b"X-GM-LABELS" in command for command in other.commands)
