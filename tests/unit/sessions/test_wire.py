"""Our wire against servers that say odd things (quirks.md): what can be understood is, what cannot is an error."""

from __future__ import annotations

import contextlib
import itertools
import socket
import tempfile
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import ConnectionLost, Defect, DiskFull, FolderRefused, ServerBusy, ServerRefused, Stopped
from migrator.mail.folders import FolderRef, Role
from migrator.mail.messages import TAIL_OCTETS, MessageKey, readable
from migrator.ports import Absence, Letter, Opened, Page, Unread, Want
from migrator.sessions import octets as octets_module
from migrator.sessions.imap import listing as listing_module
from migrator.sessions.imap.source import ImapSource
from migrator.sessions.imap.target import ImapTarget
from migrator.sessions.imap.wire import Wire, answer_of
from migrator.sessions.spool import IN_MEMORY, Spool
from tests.unit.sessions.scripted import CUT, SELECTED, Say, ScriptedServer, fetch, row, talking_to

Patch = pytest.MonkeyPatch


def want(uid: int, size: int = 5, validity: int = 77) -> Want:
    return Want("INBOX", MessageKey(validity, uid), size)


def read(monkeypatch: Patch, wants: list[Want], *says: Say, **more: Say | list[Say]) -> list[Letter | Unread]:
    """What a source delivers when the server answers the fetches like this, one after the other."""
    with talking_to(ScriptedServer(UID_FETCH=list(says), **more), monkeypatch) as session:
        return list(ImapSource(session).read(wants))


def octets(answer: Letter | Unread) -> bytes:
    assert isinstance(answer, Letter), answer
    return b"".join(answer.chunks())


def rows(monkeypatch: Patch, *says: Say, **more: Say | list[Say]) -> list[int]:
    with talking_to(ScriptedServer(FETCH=list(says), **more), monkeypatch) as session:
        items = list(ImapSource(session).survey("INBOX"))
        assert isinstance(items[0], Opened)
        return [found.key.uid for item in items[1:] if isinstance(item, Page) for found in item.rows]


@given(st.lists(st.binary(max_size=90), max_size=6), st.sampled_from([0, IN_MEMORY + 1]))
def test_a_spool_knows_the_end_of_what_it_holds(pieces: list[bytes], expected: int) -> None:
    spool = Spool(expected, 10)
    for piece in pieces:
        spool.write(piece, 10)
    whole = b"".join(spool.chunks())
    assert whole == b"".join(pieces)
    assert spool.tail == whole[-TAIL_OCTETS:]
    letter = Letter(want(1), spool.head, spool.size, spool.chunks)
    assert letter.end == spool.tail  # read, where nobody has said it
    spool.close()


# ---- bodies --------------------------------------------------------------------------------------------------------


def test_a_message_comes_as_a_literal_in_any_order_of_items(monkeypatch: Patch) -> None:
    body = b"a)\r\n* 1 EXPUNGE\r\nW5 OK\r\n"
    answers = read(
        monkeypatch,
        [want(4, 24), want(7)],
        b"* 9 FETCH (BODY[] {%d}\r\n%s UID 4)\r\n" % (len(body), body) + fetch(2, 7, b"hallo"),
    )
    assert [octets(answer) for answer in answers] == [body, b"hallo"]


def test_a_short_body_may_come_as_a_quoted_string(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4)], b'* 1 FETCH (UID 4 BODY[] "h\\"a\\\\o")\r\n')
    assert octets(answers[0]) == b'h"a\\o'


def test_octets_that_look_like_a_literal_in_human_text_are_no_literal(monkeypatch: Patch) -> None:
    answers = read(
        monkeypatch, [want(4)], b"* OK wait {5}\r\n* NO [ALERT] {3}\r\n" + fetch(1, 4, b"hallo") + b"%t OK {9}\r\n"
    )
    assert octets(answers[0]) == b"hallo"


def test_nul_octets_before_an_answer_are_padding(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4)], b"\0\0\0" + fetch(1, 4, b"hallo") + b"\0\0%t OK\0 done\r\n")
    assert octets(answers[0]) == b"hallo"


def test_a_stray_response_code_is_passed_over(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4)], b"[COPYUID 55 31 6]\r\n* [COPYUID 1 2 3]\r\n\r\n" + fetch(1, 4, b"hallo"))
    assert octets(answers[0]) == b"hallo"


def test_messages_that_nobody_asked_for_are_passed_over(monkeypatch: Patch) -> None:
    noise = b"* 3 FETCH (FLAGS (\\Seen))\r\n* 5 EXISTS\r\n* 0 FETCH (UID 0)\r\n" + fetch(8, 99, b"other")
    answers = read(monkeypatch, [want(4)], noise + fetch(1, 4, b"hallo"))
    assert [octets(answer) for answer in answers] == [b"hallo"]


def test_a_message_left_out_is_asked_for_again_alone(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4), want(5)], fetch(1, 4, b"vier!"), fetch(2, 5, b"fuenf"))
    assert [octets(answer) for answer in answers] == [b"vier!", b"fuenf"]


def test_a_message_that_is_listed_and_never_delivered_is_empty(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4)], b"", b"", b"* 1 FETCH (UID 4 RFC822.SIZE 5)\r\n")
    assert isinstance(answers[0], Unread)
    assert answers[0].absence is Absence.EMPTY


def test_a_message_that_is_listed_no_more_is_gone(monkeypatch: Patch) -> None:
    nil = b"* 1 FETCH (UID 4 BODY[] NIL)\r\n%t OK [EXPUNGEISSUED] gone\r\n"
    answers = read(monkeypatch, [want(4)], nil, nil, b"")
    assert isinstance(answers[0], Unread)
    assert answers[0].absence is Absence.GONE


def test_nil_with_a_size_is_no_empty_mail_and_without_one_it_is(monkeypatch: Patch) -> None:
    nil = b"* 1 FETCH (UID 4 BODY[] NIL)\r\n"
    answers = read(monkeypatch, [want(4, 31888)], nil, nil, b"* 1 FETCH (UID 4 RFC822.SIZE 31888)\r\n")
    assert isinstance(answers[0], Unread)
    assert answers[0].absence is Absence.EMPTY
    assert octets(read(monkeypatch, [want(4, 0)], nil)[0]) == b""


def test_a_size_of_nothing_does_not_hide_a_message(monkeypatch: Patch) -> None:
    assert octets(read(monkeypatch, [want(4, 0)], fetch(1, 4, b"hallo"))[0]) == b"hallo"


def test_a_size_that_lies_is_only_a_hint(monkeypatch: Patch) -> None:
    assert octets(read(monkeypatch, [want(4, 4000)], fetch(1, 4, b"hallo"))[0]) == b"hallo"


def test_exchanges_substitute_is_not_the_message(monkeypatch: Patch) -> None:
    notice = b"Subject: Retrieval using the IMAP4 protocol failed for the following message: 7\r\n\r\nx"
    answers = read(monkeypatch, [want(4, 31888)], fetch(1, 4, notice))
    assert isinstance(answers[0], Unread)
    assert answers[0].absence is Absence.SUBSTITUTE
    kept = read(monkeypatch, [want(4, len(notice))], fetch(1, 4, notice))
    assert octets(kept[0]) == notice, "somebody keeps such a notice as a mail of its own"


def test_another_uidvalidity_is_noticed_before_anything_is_read(monkeypatch: Patch) -> None:
    answers = read(monkeypatch, [want(4, validity=76)])
    assert [answer.absence for answer in answers if isinstance(answer, Unread)] == [Absence.LATER]


@pytest.mark.parametrize("end", [b"%t NO whatever\r\n", b"%t BAD UID parameters!\r\n"])
def test_a_refused_fetch_is_asked_message_by_message(monkeypatch: Patch, end: bytes) -> None:
    answers = read(monkeypatch, [want(4), want(5)], end, fetch(1, 4, b"vier!"), fetch(2, 5, b"fuenf"))
    assert [octets(answer) for answer in answers] == [b"vier!", b"fuenf"]


def test_a_throttled_fetch_says_how_long_to_wait(monkeypatch: Patch) -> None:
    text = b"%t BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds\r\n"
    with pytest.raises(ServerBusy) as caught:
        read(monkeypatch, [want(4)], text)
    assert caught.value.later is not None
    assert caught.value.later.total_seconds() == 92.415


@pytest.mark.parametrize(
    "say",
    [
        b"* BYE going down\r\n" + CUT,
        fetch(1, 4, b"hal", size=5).rstrip(b")\r\n") + CUT,
        b"* 1 FETCH (UID 4 BO" + CUT,
        CUT,
    ],
    ids=["bye", "in-the-literal", "in-the-line", "at-once"],
)
def test_a_connection_that_ends_in_the_middle_is_lost(monkeypatch: Patch, say: bytes) -> None:
    with pytest.raises(ConnectionLost):
        read(monkeypatch, [want(4)], say)


def test_a_literal_longer_than_announced_is_noticed(monkeypatch: Patch) -> None:
    """Domino sends more than it says (quirks.md, 47): what follows is mail, and must not be taken for answers."""
    evil = b"hallo" + b"welt)\r\n" + fetch(2, 5, b"wrong")
    with pytest.raises(ConnectionLost):
        read(monkeypatch, [want(4), want(5)], b"* 1 FETCH (UID 4 BODY[] {5}\r\n" + evil + b")\r\n")


def test_a_big_message_is_spooled_and_read_as_often_as_wanted(monkeypatch: Patch) -> None:
    body = b"x" * (IN_MEMORY + 12345)
    answers = read(monkeypatch, [want(4, len(body))], fetch(1, 4, body))
    assert octets(answers[0]) == body
    assert octets(answers[0]) == body
    answers[0].close()


# ---- listings ------------------------------------------------------------------------------------------------------


def test_a_survey_lists_what_is_there(monkeypatch: Patch) -> None:
    assert rows(monkeypatch, row(1, 4) + row(2, 5) + row(3, 9)) == [4, 5, 9]


@pytest.mark.parametrize("flags_first", [True, False])
def test_a_message_may_be_told_in_several_responses(monkeypatch: Patch, flags_first: bool) -> None:
    """Somebody marks it while it is listed; and a number that is none of a message is passed over."""
    said = [row(1, 4), b"* 1 FETCH (UID 4 FLAGS (\\Flagged))\r\n"]
    server = ScriptedServer(FETCH=b"".join(said[::-1] if flags_first else said) + row(2, 0))
    with talking_to(server, monkeypatch) as session:
        found, _ = listing_module.listed(session, listing_module.begin(session, b"FETCH 1:3"), 77)
    flag = "\\Seen" if flags_first else "\\Flagged"
    assert [(told.key, told.flags, told.size) for told in found] == [(MessageKey(77, 4), {flag}, 5)]


def test_a_survey_in_descending_order_is_put_in_order(monkeypatch: Patch) -> None:
    assert rows(monkeypatch, row(3, 9) + row(2, 5) + row(1, 4)) == [4, 5, 9]


def test_sizes_in_scientific_notation_are_read(monkeypatch: Patch) -> None:
    say = row(1, 4).replace(b"SIZE 5", b"SIZE 9.37e+06") + row(2, 5) + row(3, 9)
    with talking_to(ScriptedServer(FETCH=say), monkeypatch) as session:
        page = list(ImapSource(session).survey("INBOX"))[1]
        assert isinstance(page, Page)
        assert page.rows[0].size == 9_370_000


def test_a_message_left_out_of_the_listing_is_asked_for_alone(monkeypatch: Patch) -> None:
    assert rows(monkeypatch, row(1, 4) + row(3, 9), row(1, 4), row(2, 5), row(3, 9)) == [4, 5, 9]


def test_a_server_that_hides_messages_is_not_believed(monkeypatch: Patch) -> None:
    with pytest.raises(FolderRefused) as caught:
        rows(monkeypatch, row(1, 4) + row(3, 9), row(1, 4), b"", row(3, 9))
    assert "hides 1" in caught.value.message


def test_an_expunge_between_two_windows_hides_nobody(monkeypatch: Patch) -> None:
    monkeypatch.setattr(listing_module, "PAGE_ROWS", 2)
    assert rows(monkeypatch, row(1, 4) + row(2, 5) + b"* 1 EXPUNGE\r\n", row(2, 9)) == [4, 5, 9]


def test_an_expunge_while_messages_are_read_hides_nobody(monkeypatch: Patch) -> None:
    """UID FETCH may tell of expunged messages; the next window of the survey must know (traps.md, I)."""
    monkeypatch.setattr(listing_module, "PAGE_ROWS", 2)
    server = ScriptedServer(
        FETCH=lambda line: row(2, 9) if b"2:2" in line else row(1, 4) + row(2, 5) if b"1:2" in line else b"",
        UID_FETCH=fetch(1, 4, b"hallo") + b"* 1 EXPUNGE\r\n",
    )
    with talking_to(server, monkeypatch) as session:
        source = ImapSource(session)
        found: list[int] = []
        for item in source.survey("INBOX"):
            if isinstance(item, Page):
                found += [one.key.uid for one in item.rows]
                if len(found) == 2:
                    list(source.read([want(4)]))
        assert found == [4, 5, 9]


def test_an_empty_folder_is_asked_nothing(monkeypatch: Patch) -> None:
    assert rows(monkeypatch, EXAMINE=SELECTED.replace(b"3 EXISTS", b"0 EXISTS")) == []


def test_a_refused_listing_is_an_error(monkeypatch: Patch) -> None:
    with pytest.raises(ServerRefused):
        rows(monkeypatch, b"%t NO [SERVERBUG] oops\r\n")


def test_folders_come_with_their_roles_however_the_attributes_are_written(monkeypatch: Patch) -> None:
    say = (
        b'* LIST (\\HasNoChildren) "/" Inbox\r\n* List (\\Sent\\HasNoChildren) "/" "Gesendete Objekte"\r\n'
        b'* LIST (\\noselect) "/" "[Gmail]"\r\n* LIST () "/" "Entw&APw-rfe"\r\n* LIST () "/" "a &b"\r\n'
    )
    with talking_to(ScriptedServer(LIST=say, STATUS=b""), monkeypatch) as session:
        found = {info.name: info for info in ImapSource(session).folders()}
    assert found["Inbox"].role is Role.INBOX
    assert found["Gesendete Objekte"].role is Role.SENT
    assert not found["[Gmail]"].selectable
    assert {"Entwürfe", "a &b"} <= found.keys()


def test_no_folder_at_all_is_an_error_and_no_empty_mailbox(monkeypatch: Patch) -> None:
    with talking_to(ScriptedServer(LIST=b""), monkeypatch) as session, pytest.raises(ServerRefused):
        ImapSource(session).folders()


def test_an_extended_list_that_brings_nothing_is_repeated_plainly(monkeypatch: Patch) -> None:
    def say(line: bytes) -> bytes:
        return b"" if b"RETURN" in line else b'* LIST () "/" INBOX\r\n'

    server = ScriptedServer(LIST=say, CAPABILITY=b"* CAPABILITY IMAP4rev1 LIST-EXTENDED AUTH=PLAIN\r\n")
    with talking_to(server, monkeypatch) as session:
        assert [info.name for info in ImapSource(session).folders()] == ["INBOX"]


def test_a_folder_without_uidvalidity_is_not_filled(monkeypatch: Patch) -> None:
    server = ScriptedServer(SELECT=SELECTED.replace(b"* OK [UIDVALIDITY 77] x\r\n", b""))
    with talking_to(server, monkeypatch) as session, pytest.raises(FolderRefused):
        ImapTarget(session).look("INBOX")


def test_without_uidnext_the_floor_lies_above_the_highest_uid(monkeypatch: Patch) -> None:
    server = ScriptedServer(
        SELECT=SELECTED.replace(b"* OK [UIDNEXT 10] x\r\n", b""), UID_FETCH=b"* 3 FETCH (UID 41)\r\n"
    )
    with talking_to(server, monkeypatch) as session:
        assert ImapTarget(session).look("INBOX").uidnext == 42


def test_permanent_flags_say_what_may_be_set(monkeypatch: Patch) -> None:
    with talking_to(ScriptedServer(), monkeypatch) as session:
        folder = ImapTarget(session).look("INBOX")
    assert folder == FolderRef(
        "INBOX", 77, 10, 3, frozenset({"$Work"}), any_keyword=True, system_flags=frozenset({"\\Seen", "\\Deleted"})
    )


# ---- the wire itself -----------------------------------------------------------------------------------------------


def wired(octets: bytes, stop: Callable[[], bool] = lambda: False, timeout: float = 5.0) -> Wire:
    """A wire on which these octets have come, and then the end."""
    ours, theirs = socket.socketpair()

    def say() -> None:
        with ours, contextlib.suppress(OSError):
            ours.sendall(octets)

    threading.Thread(target=say, daemon=True).start()
    return Wire(theirs, timeout=timeout, wants_stop=stop)


@given(st.lists(st.binary(max_size=12) | st.sampled_from((b"\r\n", b"{3}\r\n", b"* ", b"W1 OK\r\n")), max_size=12))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_wire_ends_with_an_answer_or_an_error_of_ours(pieces: list[bytes]) -> None:
    wire = wired(b"".join(pieces))
    with contextlib.suppress(ConnectionLost):
        assert isinstance(wire.complete(wire.start(b"NOOP"))[0].status, str)
    wire.drop()


def test_an_answer_that_was_read_with_another_one_is_not_waited_for(monkeypatch: Patch) -> None:
    with talking_to(ScriptedServer(), monkeypatch) as session:
        first, second = session.wire.start(b"NOOP"), session.wire.start(b"NOOP")
        session.wire.complete(second)
        with pytest.raises(Defect):
            session.wire.complete(first)


def test_a_stop_is_noticed_while_the_server_is_silent() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        wire = Wire(theirs, timeout=60.0, wants_stop=lambda: True)
        with pytest.raises(Stopped):
            wire.readline()
        with pytest.raises(Stopped):
            wire.send(b"x")
        wire.drop()


def test_a_stop_is_noticed_while_a_long_literal_trickles_in(monkeypatch: Patch) -> None:
    monkeypatch.setattr(octets_module, "POLL_SECONDS", 0.01)
    asked: list[bool] = []

    def stop() -> bool:
        asked.append(len(asked) > 3)
        return asked[-1]

    ours, theirs = socket.socketpair()
    over = threading.Event()

    def trickle() -> None:
        with ours, contextlib.suppress(OSError):
            while not over.wait(0.002):
                ours.sendall(b"x")

    threading.Thread(target=trickle, daemon=True).start()
    wire = Wire(theirs, timeout=60.0, wants_stop=stop)
    with pytest.raises(Stopped):
        wire.read(1_000_000)
    over.set()
    wire.drop()


def test_a_server_that_sends_a_little_now_and_then_is_waited_for(monkeypatch: Patch) -> None:
    """It says one octet each time that we have waited for three quarters of our patience."""
    monkeypatch.setattr(octets_module, "POLL_SECONDS", 0.001)
    ours, theirs = socket.socketpair()
    polls = itertools.count(1)

    def say_now_and_then() -> bool:
        if next(polls) % 15 == 0:
            ours.sendall(b"x")
        return False

    with ours:
        wire = Wire(theirs, timeout=0.02, wants_stop=say_now_and_then)
        assert wire.read(10) == b"x" * 10
        wire.drop()


def test_a_silent_server_is_given_up_after_its_time(monkeypatch: Patch) -> None:
    monkeypatch.setattr(octets_module, "POLL_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with ours:
        wire = Wire(theirs, timeout=0.03, wants_stop=lambda: False)
        with pytest.raises(ConnectionLost, match="did not answer"):
            wire.readline()
        with pytest.raises(ConnectionLost, match="took no data"):
            wire.send(b"x" * 50_000_000)
        wire.drop()


def test_a_line_without_end_is_given_up(monkeypatch: Patch) -> None:
    monkeypatch.setattr(octets_module, "LINE_LIMIT", 1000)
    wire = wired(b"x" * 1_000_000)
    with pytest.raises(ConnectionLost, match="without end"):
        wire.readline()
    wire.drop()


def test_what_came_before_the_tls_handshake_is_refused() -> None:
    wire = wired(b"a\r\ninjected\r\n")
    wire.readline()
    with pytest.raises(ConnectionLost, match="before the TLS handshake"):
        wire.replace_socket(wire._sock)
    wire.drop()


def test_an_answer_has_a_status_a_text_and_a_code() -> None:
    answer = answer_of(b"ok [APPENDUID 1 5:7] Done\r\n")
    assert (answer.status, answer.code, answer.text) == ("OK", "APPENDUID 1 5:7", "[APPENDUID 1 5:7] Done")
    assert answer_of(b"NO\r\n").code == ""


def test_a_servers_text_is_shown_short_and_without_control_characters() -> None:
    assert readable(b"a\x1b[31m\tb\r\n\0") == "a·[31m·b"
    assert len(readable(b"x" * 10_000)) == 500


def test_a_spool_gives_back_what_was_written_from_memory_and_from_a_file() -> None:
    for size in (0, 1, IN_MEMORY + 1):
        spool = Spool(size, 10)
        for _ in range(3):
            spool.write(b"abcdefg" * 10, 10)
        assert spool.head == b"abcdefgabc"
        assert b"".join(spool.chunks()) == b"abcdefg" * 30 == b"".join(spool.chunks())
        assert spool.size == 210
        spool.close()


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_full_disk_under_a_spool_is_named_at_once_or_when_it_is_read(monkeypatch: Patch, size: int) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "r+b"))  # noqa: SIM115 - the spool closes it
    spool = Spool(IN_MEMORY + 1, 10)

    def use() -> None:
        spool.write(b"x" * size, 10)
        list(spool.chunks())

    with pytest.raises(DiskFull, match="temporary files"):
        use()
    spool.close()


def test_a_literal_larger_than_imap_allows_is_not_even_begun(monkeypatch: Patch) -> None:
    with pytest.raises(ConnectionLost, match="more than IMAP allows"):
        read(monkeypatch, [want(4)], b"* 1 FETCH (UID 4 BODY[] {4294967296}\r\nx")
