"""APPEND: closed arguments, the commit point, refusals, and answers that mean doubt (traps.md, A, B, F, H)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from migrator.errors import ConnectionLost, Defect, FolderRefused, PostwagenError, ServerBusy, Stopped, TargetFull
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey
from migrator.ports import AppendResult, Batch, FlagChange, Letter, Parcel, Refused, Stored, Want
from migrator.sessions.imap import session as sessions
from migrator.sessions.imap.target import ImapTarget
from migrator.sessions.imap.window import APPENDING, AT_ONCE, Manners, Window
from tests.unit.sessions.scripted import CUT, LATER, SELECTED, Say, ScriptedServer, talking_to

Patch = pytest.MonkeyPatch


@pytest.fixture
def large(monkeypatch: Patch) -> None:
    """Whatever is sent counts as much."""
    monkeypatch.setattr(sessions, "APPENDING", APPENDING._replace(least_octets=0, most_octets=0))


FOLDER = FolderRef("INBOX", 77, 10, 3)
INSTANT = datetime(2001, 3, 5, 1, 2, 3, tzinfo=UTC)
OK = b"%t OK [APPENDUID 77 10:12] done\r\n"
ONE = b"%t OK [APPENDUID 77 10] done\r\n"
CAPABILITY = b"* CAPABILITY IMAP4rev1 UIDPLUS AUTH=PLAIN "


def parcel(number: int, octets: bytes = b"hallo\r\n", flags: tuple[str, ...] = ()) -> Parcel:
    letter = Letter(
        Want("x", MessageKey(1, number), 1), octets[:9], len(octets), lambda: iter((octets[:3], octets[3:]))
    )
    return Parcel(number, letter, flags, INSTANT)


def batch(*parcels: Parcel, folder: str = FOLDER.name) -> Batch:
    return Batch(FOLDER._replace(name=folder), parcels or tuple(parcel(number) for number in range(3)))


class Sent:
    """What came of an append: results, the error that followed, and the server that saw it."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.results: list[AppendResult] = []
        self.error: PostwagenError | None = None

    @property
    def kinds(self) -> list[str]:
        return [type(result).__name__ for result in self.results]

    def appends(self) -> list[bytes]:
        return [line for line in self.server.commands if line.startswith(b"APPEND")]


def append(
    monkeypatch: Patch,
    says: Say | list[Say],
    *batches: Batch,
    capabilities: bytes = b"MULTIAPPEND LITERAL+",
    may_commit: Callable[[], bool] = lambda: True,
    **more: Say | list[Say],
) -> Sent:
    server = ScriptedServer(APPEND=says, CAPABILITY=CAPABILITY + capabilities + b"\r\n", **more)
    sent = Sent(server)
    with talking_to(server, monkeypatch) as session:
        try:
            for result in ImapTarget(session).append(batches or [batch()], may_commit=may_commit):
                sent.results.append(result)
        except PostwagenError as error:
            sent.error = error
    return sent


# ---- what is sent --------------------------------------------------------------------------------------------------


def test_a_batch_travels_in_one_command_and_every_message_gets_its_key(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, OK)
    assert [result.key for result in sent.results if isinstance(result, Stored)] == [
        MessageKey(77, uid) for uid in (10, 11, 12)
    ]
    date = b' "05-Mar-2001 01:02:03 +0000" '
    assert sent.appends() == [
        b'APPEND "INBOX" ()' + date + b"{7}\r\nhallo\r\n ()" + date + b"{7+}\r\nhallo\r\n ()" + date + b"{7+}\r\nhallo"
    ]


def test_only_the_first_message_and_keywords_that_were_not_taken_yet_wait_for_the_server(monkeypatch: Patch) -> None:
    flags = [("\\Seen",), ("\\Seen", "\\Flagged"), ("$Work",), ("\\Seen", "$Work"), ("$Work", "Later"), ()]
    many = batch(*(parcel(number, flags=one) for number, one in enumerate(flags)))
    sent = append(monkeypatch, OK.replace(b"10:12", b"10:15"), many)
    assert re.findall(rb"\{7(\+?)\}", sent.appends()[0]) == [b"", b"+", b"", b"+", b"", b"+"]


def test_what_was_taken_in_one_folder_does_not_wait_in_the_next_one(monkeypatch: Patch) -> None:
    first, second = batch(parcel(0, flags=("$Work",))), batch(parcel(1, flags=("$Work",)), folder="Sent")
    sent = append(monkeypatch, OK.replace(b"10:12", b"10"), first, second)
    assert [re.findall(rb"\{7(\+?)\}", command) for command in sent.appends()] == [[b""], [b"+"]]


def test_without_literal_plus_every_literal_waits(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, OK, capabilities=b"MULTIAPPEND")
    assert re.findall(rb"\{7(\+?)\}", sent.appends()[0]) == [b"", b"", b""]


def test_literal_minus_holds_for_small_messages_only(monkeypatch: Patch) -> None:
    parcels = [parcel(0), parcel(1, b"x" * 4096), parcel(2, b"x" * 4097)]
    sent = append(monkeypatch, OK, batch(*parcels), capabilities=b"MULTIAPPEND LITERAL-")
    assert re.findall(rb"\{\d+(\+?)\}", sent.appends()[0]) == [b"", b"+", b""]


def test_without_multiappend_every_message_travels_alone(monkeypatch: Patch) -> None:
    says: list[Say] = [b"%%t OK [APPENDUID 77 %d] x\r\n" % uid for uid in (10, 11, 12)]
    sent = append(monkeypatch, says, capabilities=b"LITERAL+")
    assert (len(sent.appends()), sent.kinds) == (3, ["Stored"] * 3)


def test_an_empty_message_travels_alone(monkeypatch: Patch) -> None:
    says: list[Say] = [b"%t OK [APPENDUID 77 10] x\r\n", b"%t NO Can't save a zero byte message.\r\n"]
    sent = append(monkeypatch, says, batch(parcel(0, b""), parcel(1)))
    assert sorted(sent.kinds) == ["Refused", "Stored"]
    refused = next(result for result in sent.results if isinstance(result, Refused))
    assert (refused.reason, refused.parcel.entry) == ("empty", 0)


@pytest.mark.parametrize("flag", ["a) {3+}", "\\Forwarded", "a b", "\r\nA1 LOGOUT", ""])
def test_a_flag_that_must_not_be_sent_is_a_defect_and_nothing_is_stored(monkeypatch: Patch, flag: str) -> None:
    sent = append(monkeypatch, OK, batch(parcel(0, flags=(flag,))))
    assert isinstance(sent.error, Defect)
    assert sent.kinds == ["Unsent"]
    assert sent.appends() == []


def test_a_message_that_changes_its_size_on_the_way_is_not_stored(monkeypatch: Patch) -> None:
    odd = parcel(0)
    longer = Letter(odd.letter.want, b"", 7, lambda: iter((b"hallo\r\nA1 DELETE INBOX\r\n",)))
    sent = append(monkeypatch, OK, batch(Parcel(0, longer, (), None)))
    assert isinstance(sent.error, ConnectionLost)
    assert sent.kinds == ["Unsent"]
    assert not any(b"DELETE" in line for line in sent.server.commands)


# ---- the commit point ----------------------------------------------------------------------------------------------


def test_who_may_not_commit_sends_everything_but_the_last_line_end(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, OK, may_commit=lambda: False)
    assert isinstance(sent.error, Stopped)
    assert sent.kinds == ["Unsent"] * 3
    assert sent.appends() == []
    assert sent.server.unfinished.endswith(b"{7+}\r\nhallo\r\n")


def test_it_is_asked_at_the_last_moment_and_for_every_command(monkeypatch: Patch) -> None:
    answers = iter((True, False))
    sent = append(monkeypatch, [b"%t OK [APPENDUID 77 10] x\r\n"], may_commit=lambda: next(answers), capabilities=b"")
    assert sent.kinds == ["Stored", "Unsent", "Unsent"]


@pytest.mark.parametrize("say", [CUT, b"* BYE bye\r\n" + CUT, b"* 4 EXISTS\r\n" + CUT])
def test_what_breaks_after_the_commit_point_is_unknown(monkeypatch: Patch, say: bytes) -> None:
    sent = append(monkeypatch, say)
    assert isinstance(sent.error, ConnectionLost)
    assert sent.kinds == ["Unknown"] * 3


def test_what_follows_a_break_in_the_same_batch_was_not_sent(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, [b"%t OK [APPENDUID 77 10] x\r\n", CUT], capabilities=b"")
    assert sent.kinds == ["Stored", "Unknown", "Unsent"]


# ---- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [b"[APPENDUID 77 10:11]", b"[APPENDUID 77 10:13]", b"[APPENDUID 78 10:12]", b"[APPENDUID 77 x]", b"[APPENDUID]",
     b"[APPENDUID 77 1:99999999]"],
)  # fmt: skip
def test_keys_that_cannot_be_right_are_doubt(monkeypatch: Patch, code: bytes) -> None:
    assert append(monkeypatch, b"%t OK " + code + b" x\r\n").kinds == ["Unknown"] * 3


def test_without_keys_it_is_stored_all_the_same(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, b"%t OK done\r\n")
    assert [result.key for result in sent.results if isinstance(result, Stored)] == [None] * 3


def test_a_refused_batch_is_halved_until_the_one_is_found(monkeypatch: Patch) -> None:
    def say(line: bytes) -> bytes:
        if b"evil" in line:
            return b"%t NO Invalid message\r\n"
        count = len(re.findall(rb"\{\d+\+?\}", line))
        return b"%%t OK [APPENDUID 77 10:%d] x\r\n" % (9 + count) if count > 1 else b"%t OK [APPENDUID 77 10] x\r\n"

    parcels = [parcel(number, b"evil\r\n" if number == 2 else b"good\r\n") for number in range(5)]
    sent = append(monkeypatch, say, batch(*parcels))
    fates = {result.parcel.entry: type(result).__name__ for result in sent.results}
    assert fates == {0: "Stored", 1: "Stored", 2: "Refused", 3: "Stored", 4: "Stored"}
    assert sent.error is None


def test_a_refusal_before_the_literal_is_a_refusal(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, b"%t NO [TOOBIG] too large\r\n", batch(parcel(0)), literal=b"none")
    assert sent.kinds == ["Refused"]
    assert sent.error is None


@pytest.mark.parametrize("count", [1, 3])
def test_a_full_mailbox_is_said_once_and_nothing_of_the_batch_is_refused(monkeypatch: Patch, count: int) -> None:
    sent = append(
        monkeypatch, b"%t NO [OVERQUOTA] Quota exceeded\r\n", batch(*(parcel(number) for number in range(count)))
    )
    assert sent.kinds == ["Unsent"] * count
    assert isinstance(sent.error, TargetFull)


def test_a_busy_server_refuses_nothing(monkeypatch: Patch) -> None:
    sent = append(monkeypatch, b"%t NO [UNAVAILABLE] try again later\r\n", batch(parcel(0)))
    assert sent.kinds == ["Unsent"]
    assert isinstance(sent.error, ServerBusy)


def test_a_throttled_server_says_so_with_bad(monkeypatch: Patch) -> None:
    text = b"%t BAD Request is throttled. Suggested Backoff Time: 9000 milliseconds\r\n"
    sent = append(monkeypatch, text, batch(parcel(0)))
    assert sent.kinds == ["Unsent"]
    assert isinstance(sent.error, ServerBusy)
    assert sent.error.later is not None


@pytest.mark.parametrize("count", [1, 3])
def test_any_bad_drops_the_connection_at_once(monkeypatch: Patch, count: int) -> None:
    """The server may read the mail's octets as commands now (traps.md, A)."""
    sent = append(
        monkeypatch,
        b"%t BAD Error in IMAP command APPEND: Invalid system flag\r\n",
        batch(*(parcel(number) for number in range(count))),
    )
    assert isinstance(sent.error, ConnectionLost)
    assert sent.kinds == (["Refused"] if count == 1 else ["Unsent"] * 3)
    assert sent.server.verbs()[-1] == "APPEND"


@pytest.mark.usefixtures("large")
def test_some_batches_are_on_their_way_while_the_next_one_is_made_and_no_more(monkeypatch: Patch) -> None:
    server = ScriptedServer(APPEND=ONE)
    log: list[str] = []

    def batches() -> Iterator[Batch]:
        for number in range(6):
            log.append(f"made {number}")
            yield batch(parcel(number))

    with talking_to(server, monkeypatch) as session:
        for result in ImapTarget(session).append(batches(), may_commit=lambda: True):
            log.append(f"stored {result.parcel.entry}")  # noqa: PERF401 - in the order in which things happen
    # the first one asks whether the server takes such flags; nothing is sent behind it before it has said yes
    assert log == [
        "made 0", "made 1", "made 2", "stored 0", "made 3", "stored 1", "made 4", "stored 2", "made 5", "stored 3",
        "stored 4", "stored 5",
    ]  # fmt: skip


def test_more_small_batches_are_on_their_way_and_of_large_ones_two(monkeypatch: Patch) -> None:
    least = APPENDING.least_commands
    monkeypatch.setattr(sessions, "APPENDING", APPENDING._replace(most_commands=least))
    server = ScriptedServer(APPEND=ONE)
    made: list[int] = []
    most: dict[int, int] = {}

    def batches(size: int) -> Iterator[Batch]:
        for number in range(20):
            made.append(number)
            yield batch(parcel(number, b"x" * size))

    with talking_to(server, monkeypatch) as session:
        target = ImapTarget(session)
        for size in (100, 1_600_000):
            made.clear()
            told = enumerate(target.append(batches(size), may_commit=lambda: True))
            most[size] = max(len(made) - answered - 1 for answered, _ in told)  # one more is made, and waits
    assert most == {100: least, 1_600_000: AT_ONCE}


@pytest.mark.parametrize("manners", [Manners(modest=True), Manners(losses=1)])
def test_a_server_that_cannot_stand_more_gets_one_command_at_a_time(monkeypatch: Patch, manners: Manners) -> None:
    """Its provider is known for that, or a connection to it broke."""
    made: list[int] = []
    told: list[int] = []

    def batches() -> Iterator[Batch]:
        for number in range(9):
            made.append(number)
            yield batch(parcel(number))

    server = ScriptedServer(APPEND=ONE, CAPABILITY=CAPABILITY + b"MULTIAPPEND LITERAL+\r\n")
    with talking_to(server, monkeypatch) as session:
        session.appending = Window(manners, APPENDING)
        for answered, _ in enumerate(ImapTarget(session).append(batches(), may_commit=lambda: True), 1):
            told.append(len(made) - answered)
    assert max(told) == 1, "the next one is made, and waits"


@pytest.mark.parametrize("behind", [True, False])
def test_who_answers_only_when_more_has_come_is_no_obstacle(monkeypatch: Patch, behind: bool) -> None:
    """The second answer comes with the third, or behind it: nobody may wait for it before that one is sent."""

    waiting: list[bytes] = []
    seen: list[bytes] = []

    def late(line: bytes) -> bytes:
        seen.append(line)
        if len(seen) == 2:
            waiting.append(server.tags[-1])
            return LATER
        before, waiting[:] = b"".join(ONE.replace(b"%t", tag) for tag in waiting), []
        return ONE + before if behind else before + ONE

    server = ScriptedServer(APPEND=late)
    with talking_to(server, monkeypatch) as session:
        batches = [batch(parcel(number)) for number in range(4)]
        results = list(ImapTarget(session).append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, number) for number in range(4)]


def test_with_a_suspect_nothing_else_is_on_its_way(monkeypatch: Patch) -> None:
    server = ScriptedServer(APPEND=ONE)
    batches = [Batch(FOLDER, [parcel(number)], alone=number == 2) for number in range(5)]
    sent: dict[int, int] = {}
    with talking_to(server, monkeypatch) as session:
        for result in ImapTarget(session).append(batches, may_commit=lambda: True):
            sent[result.parcel.entry] = server.verbs().count("APPEND")
    assert (sent[1], sent[2]) == (2, 3), "those before have their results when it is sent, and it has when more is"


def test_what_was_refused_in_the_middle_changes_nothing_for_what_travels_behind_it(monkeypatch: Patch) -> None:
    says: list[Say] = [ONE, ONE, b"%t NO Invalid message\r\n", ONE, ONE]
    sent = append(monkeypatch, says, *(batch(parcel(number)) for number in range(5)))
    assert sent.kinds == ["Stored", "Stored", "Refused", "Stored", "Stored"]
    assert sent.error is None


@pytest.mark.usefixtures("large")
def test_a_mailbox_that_gets_full_tells_of_everything_that_travelled_behind(monkeypatch: Patch) -> None:
    full = b"%t NO [OVERQUOTA] Quota exceeded\r\n"
    sent = append(monkeypatch, [ONE, full, ONE, full], *(batch(parcel(number)) for number in range(9)))
    assert isinstance(sent.error, TargetFull)
    assert sent.kinds == ["Stored", "Unsent", "Stored"]
    assert len(sent.appends()) == len(sent.results) == 1 + AT_ONCE


@pytest.mark.usefixtures("large")
def test_a_bad_in_the_middle_is_doubt_about_what_travelled_behind(monkeypatch: Patch) -> None:
    """The server may have taken octets of a mail for commands, and commands for octets."""
    sent = append(monkeypatch, [ONE, b"%t BAD what?\r\n", ONE, ONE], *(batch(parcel(number)) for number in range(9)))
    assert isinstance(sent.error, ConnectionLost)
    assert sent.kinds[:2] == ["Stored", "Refused"]
    assert set(sent.kinds[2:]) == {"Unknown"}
    assert len(sent.kinds) <= 1 + AT_ONCE


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_break_is_doubt_about_all_that_was_completed_and_about_nothing_else(monkeypatch: Patch, after: int) -> None:
    sent = append(monkeypatch, [*[ONE] * after, CUT], *(batch(parcel(number)) for number in range(9)))
    assert isinstance(sent.error, ConnectionLost)
    kinds = sent.kinds
    assert kinds[:after] == ["Stored"] * after
    assert 1 <= kinds.count("Unknown") <= AT_ONCE
    assert len(kinds) == after + kinds.count("Unknown") + kinds.count("Unsent")
    assert kinds.count("Unsent") <= 1, "what was never begun is nobody's fault"
    assert len(sent.appends()) <= after + AT_ONCE + 1


def test_an_answer_that_cannot_be_is_doubt_about_all_that_is_on_its_way(monkeypatch: Patch) -> None:
    """Nothing that follows it is believed, though it looks like an answer."""
    absurd = b"* LIST () {99999999999}\r\nxxxx\r\n%t OK [APPENDUID 77 12] done\r\n"
    sent = append(monkeypatch, [ONE, LATER, absurd], *(batch(parcel(number)) for number in range(3)))
    assert isinstance(sent.error, ConnectionLost)
    assert sent.kinds == ["Stored", "Unknown", "Unknown"]


# ---- flags ---------------------------------------------------------------------------------------------------------


def test_equal_changes_travel_together_and_what_is_gone_is_told(monkeypatch: Patch) -> None:
    changes = [
        FlagChange(MessageKey(77, uid), frozenset(add), frozenset(remove))
        for uid, add, remove in ((4, {"\\Seen"}, set()), (5, {"\\Seen"}, set()), (9, {"$A"}, {"$B"}))
    ]
    server = ScriptedServer(UID_FETCH=[b"* 3 FETCH (UID 9 FLAGS ())\r\n", b"* 1 FETCH (UID 4 FLAGS ())\r\n"])
    with talking_to(server, monkeypatch) as session:
        answers = {change.key.uid: there for change, there in ImapTarget(session).change_flags(FOLDER, changes)}
    assert answers == {4: True, 5: False, 9: True}
    assert [line for line in server.commands if b"STORE" in line] == [
        b"UID STORE 9 +FLAGS.SILENT ($A)",
        b"UID STORE 9 -FLAGS.SILENT ($B)",
        b"UID STORE 4:5 +FLAGS.SILENT (\\Seen)",
    ]


def test_a_flag_change_never_says_more_than_it_must(monkeypatch: Patch) -> None:
    server = ScriptedServer(UID_FETCH=b"* 1 FETCH (UID 4 FLAGS ())\r\n")
    evil = FlagChange(MessageKey(77, 4), frozenset({"a) {3+}"}), frozenset())
    with talking_to(server, monkeypatch) as session, pytest.raises(Defect):
        list(ImapTarget(session).change_flags(FOLDER, [evil]))
    assert not any(b"STORE" in line for line in server.commands)


# ---- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_somebody_else_makes_meanwhile_is_there_and_a_refusal_is_told(
    monkeypatch: Patch, there: bool
) -> None:
    missing = b"%t NO no such mailbox\r\n"
    server = ScriptedServer(
        SELECT=[missing, SELECTED if there else missing], CREATE=b"%t NO not now, or there already\r\n"
    )
    with talking_to(server, monkeypatch) as session:
        target = ImapTarget(session)
        if there:
            assert target.ensure_folder(("Kunden",), None).validity == 77
        else:
            with pytest.raises(FolderRefused, match="cannot be made") as refused:
                target.ensure_folder(("Kunden",), None)
            assert "not now" in refused.value.detail
