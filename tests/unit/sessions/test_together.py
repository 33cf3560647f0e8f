"""Several folders at once on one connection: what is asked before an answer was read, and what becomes of surprises."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from migrator.engine.wrappers import Reopening, RetryingTarget
from migrator.errors import ConnectionLost, FolderRefused, PostwagenError
from migrator.mail.folders import FolderRef, Role
from migrator.mail.messages import MessageKey
from migrator.ports import Absence, Batch, FolderWish, Letter, Meter, Opened, Page, Target, Unread, Want
from migrator.sessions.imap import reading
from migrator.sessions.imap import session as session_module
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.source import ImapSource
from migrator.sessions.imap.target import ImapTarget
from migrator.sessions.memory import FakeClock, FakeStop
from migrator.sessions.octets import Octets, Silence
from tests.engine.world import Silent
from tests.unit.sessions.scripted import CAPABILITIES, CUT, LATER, ScriptedServer, endpoint, fetch, row, talking_to
from tests.unit.sessions.test_appending import parcel

Patch = pytest.MonkeyPatch


class Library:
    """A server with some folders, whose messages are their UIDs; it does one command after the other."""

    def __init__(self, **folders: Sequence[int]) -> None:
        self.folders = {name: list(uids) for name, uids in folders.items()}
        self.validity = dict.fromkeys(folders, 77)
        self.announced: dict[str, int] = {}
        """Another number of messages than there is, the first time that a folder is opened."""
        self.withheld: set[int] = set()
        """UIDs that are delivered only if they are asked for alone."""
        self.refused: dict[str, bytes] = {}
        """What is said to opening a folder."""
        self.open: str | None = None
        self.server = ScriptedServer(
            CAPABILITY=b"* CAPABILITY " + CAPABILITIES + b" CREATE-SPECIAL-USE\r\n",
            EXAMINE=self._opened, SELECT=self._opened, FETCH=self._listed, UID_FETCH=self._fetched, CREATE=self._made,
            LIST=b"".join(b'* LIST () "/" "%b"\r\n' % name.encode() for name in folders),
        )  # fmt: skip

    @contextmanager
    def session(self, monkeypatch: Patch, *, meter: Meter | None = None) -> Iterator[ImapSession]:
        with talking_to(self.server, monkeypatch, meter=meter) as session:
            session.command(b"NOOP")
            yield session

    def _opened(self, rest: bytes) -> bytes:
        self.open, name = None, rest.split()[1].strip(b'"').decode()
        if name in self.refused:
            return self.refused[name]
        if name not in self.folders:
            return b"%t NO [NONEXISTENT] no such folder\r\n"
        self.open = name
        count = self.announced.pop(name, len(self.folders[name]))
        said = (b"* FLAGS (\\Seen)", b"* %d EXISTS" % count, b"* OK [UIDVALIDITY %d]" % self.validity[name])
        return b"\r\n".join((*said, b"* OK [UIDNEXT 50] x", b""))

    def _listed(self, rest: bytes) -> bytes:
        if self.open is None:
            return b"%t BAD no folder is open\r\n"
        return b"".join(row(number, uid) for number, uid in enumerate(self.folders[self.open], 1))

    def _fetched(self, rest: bytes) -> bytes:
        if self.open is None:
            return b"%t BAD no folder is open\r\n"
        wanted = _uids(rest.split()[2])
        there = [uid for uid in wanted if uid in self.folders[self.open]]
        if b"BODY.PEEK" not in rest:
            return b"".join(row(number, uid) for number, uid in enumerate(there, 1))
        shown = [uid for uid in there if uid not in self.withheld or len(wanted) == 1]
        text = self.open.encode()
        return b"".join(fetch(number, uid, b"%b%d" % (text, uid)) for number, uid in enumerate(shown, 1))

    def _made(self, rest: bytes) -> bytes:
        name = rest.split()[1].strip(b'"').decode()
        if b"USE" in rest and name.startswith("odd"):
            return b"%t NO no such use here\r\n"
        self.folders[name], self.validity[name] = [], 77
        return b"%t OK made\r\n"


def _uids(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), (60 if last == b"*" else int(last or first)) + 1)
    return found


def surveyed(source: ImapSource, name: str) -> tuple[str, list[int]]:
    opened, *pages = source.survey(name)
    assert isinstance(opened, Opened)
    return opened.folder, [found.key.uid for page in pages if isinstance(page, Page) for found in page.rows]


def want(folder: str, uid: int, validity: int = 77) -> Want:
    return Want(folder, MessageKey(validity, uid), 2)


def told(answer: Letter | Unread) -> str:
    if isinstance(answer, Unread):
        return f"{answer.want.folder}{answer.want.key.uid} {answer.absence.value}"
    return b"".join(answer.chunks()).decode()


def verbs(library: Library) -> list[str]:
    """Since the session was opened."""
    known = library.server.verbs()
    return known[known.index("NOOP", known.index("NOOP") + 1 if known.count("NOOP") > 1 else 0) + 1 :]


# ---- listing -------------------------------------------------------------------------------------------------------


def test_folders_that_are_foreseen_are_listed_in_one_round_trip(monkeypatch: Patch) -> None:
    library, meter = Library(A=[1, 2], B=[3], C=[4]), Meter()
    with library.session(monkeypatch, meter=meter) as session:
        source, before = ImapSource(session), meter.round_trips
        source.foresee(["A", "B", "C"])
        assert [surveyed(source, name) for name in "ABC"] == [("A", [1, 2]), ("B", [3]), ("C", [4])]
        assert meter.round_trips == before + 1
    assert verbs(library)[:6] == ["EXAMINE", "FETCH"] * 3


def test_of_many_folders_only_some_are_on_the_way_at_once(monkeypatch: Patch) -> None:
    names = [f"N{number}" for number in range(30)]
    library = Library(**{name: [number + 1] for number, name in enumerate(names)})
    with library.session(monkeypatch) as session:
        source = ImapSource(session)
        source.foresee(names)
        run = source.survey("N0")
        assert isinstance(next(run), Opened)
        assert len(session.wire.waiting) == 22
        run.close()
        assert [surveyed(source, name)[1] for name in names[1:]] == [[number] for number in range(2, 31)]


def test_a_folder_whose_listing_lacks_messages_is_asked_as_usual_and_so_are_the_others(monkeypatch: Patch) -> None:
    library = Library(A=[1], B=[2, 3], C=[4])
    library.announced["B"] = 3
    with library.session(monkeypatch) as session:
        source = ImapSource(session)
        source.foresee(["A", "B", "C"])
        assert surveyed(source, "A") == ("A", [1])
        assert surveyed(source, "B") == ("B", [2, 3])
        assert surveyed(source, "C") == ("C", [4])
    assert verbs(library)[6:] == ["EXAMINE", "FETCH", "EXAMINE", "FETCH", "LOGOUT"]


def test_a_folder_that_is_refused_is_refused_in_its_turn_and_the_next_one_is_listed(monkeypatch: Patch) -> None:
    library = Library(A=[1], B=[2], C=[4])
    library.refused["B"] = b"%t NO not yours\r\n"
    with library.session(monkeypatch) as session:
        source = ImapSource(session)
        source.foresee(["A", "B", "C"])
        assert surveyed(source, "A") == ("A", [1])
        with pytest.raises(FolderRefused, match="B"):
            surveyed(source, "B")
        assert surveyed(source, "C") == ("C", [4])
        assert not session.manners.is_modest, "BAD to the listing of a folder that is not open says nothing else"


@pytest.mark.parametrize("other", ["another folder", "messages", "folders"])
def test_whoever_asks_for_something_else_is_not_given_the_answers_of_others(monkeypatch: Patch, other: str) -> None:
    library = Library(A=[1], B=[2], C=[4], D=[5])
    with library.session(monkeypatch) as session:
        source = ImapSource(session)
        source.foresee(["A", "B", "C"])
        assert surveyed(source, "A") == ("A", [1])
        if other == "another folder":
            assert surveyed(source, "D") == ("D", [5])
        elif other == "messages":
            assert [told(answer) for answer in source.read([want("D", 5)])] == ["D5"]
        else:
            assert {info.name for info in source.folders()} >= {"A", "B", "C", "D"}
        assert [surveyed(source, name) for name in "BC"] == [("B", [2]), ("C", [4])]
        assert not session.wire.waiting


def test_a_connection_that_breaks_among_many_answers_is_lost(monkeypatch: Patch) -> None:
    library = Library(A=[1], B=[2], C=[4])
    library.refused["B"] = CUT
    with library.session(monkeypatch) as session:
        source = ImapSource(session)
        source.foresee(["A", "B", "C"])
        with pytest.raises(ConnectionLost):
            [surveyed(source, name) for name in "AB"]


# ---- reading -------------------------------------------------------------------------------------------------------


def listed(session: ImapSession) -> ImapSource:
    source = ImapSource(session)
    source.folders()
    return source


def test_the_next_folders_are_opened_and_read_behind_the_first_one(monkeypatch: Patch) -> None:
    library, meter = Library(A=[1, 2], B=[3], C=[4]), Meter()
    with library.session(monkeypatch, meter=meter) as session:
        source, before = listed(session), meter.round_trips
        wants = [want("A", 1), want("A", 2), want("B", 3), want("C", 4)]
        assert [told(answer) for answer in source.read(wants)] == ["A1", "A2", "B3", "C4"]
        assert meter.round_trips == before + 1
        assert session.selected is not None
        assert session.selected.name == "C"


def test_what_was_left_out_is_asked_for_alone_before_the_next_folder_is_delivered(monkeypatch: Patch) -> None:
    library = Library(A=[1, 2, 3], B=[3, 4], C=[4])
    library.withheld = {2, 3}
    with library.session(monkeypatch) as session:
        wants = [want("A", 1), want("A", 2), want("A", 3), want("A", 9), want("B", 3), want("B", 4), want("C", 4)]
        answers = [told(answer) for answer in listed(session).read(wants)]
    assert answers == ["A1", "A2", "A3", f"A9 {Absence.GONE.value}", "B4", "B3", "C4"]


@pytest.mark.parametrize("ended_first", [0, 1])
def test_a_server_may_mix_what_several_commands_bring(monkeypatch: Patch, ended_first: int) -> None:
    """Dovecot does; what it mixes is neither thrown away nor asked for once more."""
    library = Library(A=[1, 2, 3, 4, 5], B=[6])
    answer, mixed = library.server.says["UID FETCH"], b"".join(fetch(uid, uid, b"A%d" % uid) for uid in (3, 1, 4))

    def mixing(rest: bytes) -> bytes:
        assert callable(answer)
        if rest.split()[2] == b"1:2":
            return LATER
        if rest.split()[2] == b"3:4":
            tags = library.server.tags[-2:]
            first, second = tags if ended_first == 0 else tags[::-1]
            return mixed + b"%b OK done\r\n" % first + fetch(2, 2, b"A2") * ended_first + b"%b OK %%t\r\n" % second
        return answer(rest)

    library.server.says["UID FETCH"] = mixing
    monkeypatch.setattr(reading, "GROUP_MESSAGES", 2)
    with library.session(monkeypatch) as session:
        wants = [want("A", uid) for uid in (1, 2, 3, 4, 5)] + [want("B", 6)]
        answers = [told(answer) for answer in listed(session).read(wants)]
        assert not session.wire.waiting
    assert sorted(answers) == ["A1", "A2", "A3", "A4", "A5", "B6"]
    asked = [command.split()[2] for command in library.server.commands if command.startswith(b"UID FETCH")]
    left_out = [] if ended_first else [b"2", b"6"]  # and the folder behind it
    assert asked == [b"1:2", b"3:4", b"5", b"6", *left_out]


@pytest.mark.parametrize("seed", range(20))
def test_however_several_answers_are_mixed_each_message_is_delivered_and_asked_for_once(
    monkeypatch: Patch, seed: int
) -> None:
    chance, uids = random.Random(seed), list(range(1, 10))
    library = Library(A=uids)
    coming: dict[bytes, list[bytes]] = {}

    def mixing(rest: bytes) -> bytes:
        tag = library.server.tags[-1]
        coming[tag] = [fetch(uid, uid, b"A%d" % uid) for uid in _uids(rest.split()[2])] + [b"%b OK done\r\n" % tag]
        if len(coming) < 3:
            return LATER
        said = []
        while waiting := [answer for answer in coming.values() if answer]:
            said.append(chance.choice(waiting).pop(0))
        return b"".join(said).replace(tag, b"%t")

    library.server.says["UID FETCH"] = mixing
    monkeypatch.setattr(reading, "GROUP_MESSAGES", 3)
    with library.session(monkeypatch) as session:
        answers = [told(answer) for answer in listed(session).read([want("A", uid) for uid in uids])]
        assert not session.wire.waiting
    assert sorted(answers) == [f"A{uid}" for uid in uids]
    assert len(coming) == 3


@pytest.mark.parametrize("groups,modest", [(1, False), (2, True)])
def test_bad_to_a_command_is_a_sign_only_where_it_came_behind_another_one(
    monkeypatch: Patch, groups: int, modest: bool
) -> None:
    library = Library(A=[1, 2, 3, 4])
    answer = library.server.says["UID FETCH"]
    assert callable(answer)
    library.server.says["UID FETCH"] = lambda rest: b"%t BAD hm\r\n" if b":4 " in rest else answer(rest)
    monkeypatch.setattr(reading, "GROUP_MESSAGES", 4 // groups)
    with library.session(monkeypatch) as session:  # which does not know how names are written, and waits for opening
        assert sorted(map(told, ImapSource(session).read([want("A", uid) for uid in (1, 2, 3, 4)]))) == [
            "A1", "A2", "A3", "A4",
        ]  # fmt: skip
        assert session.manners.is_modest == modest


def test_messages_of_a_folder_that_was_renumbered_are_left_for_later_and_others_are_read(
    monkeypatch: Patch,
) -> None:
    library = Library(A=[1], B=[2], C=[3])
    library.validity["B"] = 78
    with library.session(monkeypatch) as session:
        answers = [told(answer) for answer in listed(session).read([want("A", 1), want("B", 2), want("C", 3)])]
    assert answers == ["A1", f"B2 {Absence.LATER.value}", "C3"]


def test_a_folder_that_can_be_opened_no_more_ends_the_reading_in_its_turn(monkeypatch: Patch) -> None:
    library = Library(A=[1], B=[2], C=[3])
    library.refused["B"] = b"%t NO not yours\r\n"
    found: list[str] = []
    with library.session(monkeypatch) as session:
        source = listed(session)
        answers = map(told, source.read([want("A", 1), want("B", 2), want("C", 3)]))
        with pytest.raises(FolderRefused, match="B"):
            found.extend(answers)
        assert found == ["A1"]
        assert [told(answer) for answer in source.read([want("C", 3)])] == ["C3"]


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_whoever_goes_away_leaves_the_connection_in_order(monkeypatch: Patch, taken: int) -> None:
    library = Library(A=[1, 2], B=[3], C=[4])
    with library.session(monkeypatch) as session:
        source = listed(session)
        run = source.read([want("A", 1), want("A", 2), want("B", 3), want("C", 4)])
        for _ in range(taken):
            next(run)
        run.close()  # type: ignore[attr-defined]  # it is a generator
        assert not session.wire.waiting
        assert surveyed(source, "B") == ("B", [3])
        assert [told(answer) for answer in source.read([want("A", 1)])] == ["A1"]


def test_where_no_names_were_listed_each_folder_waits_for_the_one_before(monkeypatch: Patch) -> None:
    library, meter = Library(A=[1], B=[2]), Meter()
    with library.session(monkeypatch, meter=meter) as session:
        before = meter.round_trips
        assert [told(answer) for answer in ImapSource(session).read([want("A", 1), want("B", 2)])] == ["A1", "B2"]
        assert meter.round_trips == before + 4


# ---- preparing and looking after -----------------------------------------------------------------------------------


def wish(name: str, role: Role | None = None, *, subscribe: bool = True) -> FolderWish:
    return FolderWish((name,), role, subscribe)


def test_folders_are_made_opened_and_subscribed_in_one_round_trip(monkeypatch: Patch) -> None:
    library, meter = Library(A=[1]), Meter()
    with library.session(monkeypatch, meter=meter) as session:
        target = ImapTarget(session)
        target.folders()
        before = meter.round_trips
        wishes = [wish("A"), wish("Sent", Role.SENT), wish("C", subscribe=False)]
        target.prepare(wishes)
        found = [target.ensure_folder(item.path, item.role, subscribe=item.subscribe) for item in wishes]
        assert meter.round_trips == before + 1
    assert [(folder.name, folder.messages) for folder in found] == [("A", 1), ("Sent", 0), ("C", 0)]
    sent = [line for line in library.server.commands if line.split()[0] in (b"CREATE", b"SELECT", b"SUBSCRIBE")]
    assert sent == [
        b'SELECT "A"', b'SUBSCRIBE "A"', b'CREATE "Sent" (USE (\\Sent))', b'SELECT "Sent"', b'SUBSCRIBE "Sent"',
        b'CREATE "C"', b'SELECT "C"',
    ]  # fmt: skip


def test_a_folder_that_is_refused_among_many_is_made_with_patience(monkeypatch: Patch) -> None:
    library = Library(A=[1])
    with library.session(monkeypatch) as session:
        target = ImapTarget(session)
        target.folders()
        target.prepare([wish("odd", Role.SENT), wish("A")])
        assert target.ensure_folder(("odd",), Role.SENT).name == "odd"
        assert target.ensure_folder(("A",), None).messages == 1


@pytest.mark.parametrize("refusal", [b"%t NO not yours\r\n", b"%t NO [INUSE] somebody else works in it\r\n"])
def test_what_cannot_be_had_is_said_when_it_is_asked_for(monkeypatch: Patch, refusal: bytes) -> None:
    library = Library(A=[1], B=[2])
    library.refused["A"] = refusal
    with library.session(monkeypatch) as session:
        target = ImapTarget(session)
        target.folders()
        target.prepare([wish("A"), wish("B")])
        with pytest.raises(PostwagenError):
            target.ensure_folder(("A",), None)
        assert target.ensure_folder(("B",), None).messages == 1


def test_many_folders_are_prepared_with_few_commands_on_the_way(monkeypatch: Patch) -> None:
    library = Library(A=[1])
    with library.session(monkeypatch) as session:
        target, most = ImapTarget(session), [0]
        target.folders()
        complete = session.wire.complete

        def watched(tag: bytes) -> object:
            most[0] = max(most[0], len(session.wire.waiting))
            return complete(tag)

        monkeypatch.setattr(session.wire, "complete", watched)
        wishes = [wish(f"N{number}") for number in range(40)]
        target.prepare(wishes)
        assert all(target.ensure_folder(item.path, None).messages == 0 for item in wishes)
    assert most == [24]


def test_folders_that_will_be_looked_at_are_listed_in_one_round_trip(monkeypatch: Patch) -> None:
    library, meter = Library(A=[1, 2], B=[3, 7], C=[]), Meter()
    with library.session(monkeypatch, meter=meter) as session:
        target = ImapTarget(session)
        target.folders()
        before = meter.round_trips
        target.foresee([("A", 1), ("B", 5)])
        found = {}
        for name, floor in (("A", 1), ("B", 5)):
            folder = target.look(name)
            found[name] = [item.key.uid for page in target.listing(folder, floor=floor) for item in page.rows]
        assert meter.round_trips == before + 1
        assert found == {"A": [1, 2], "B": [7]}


def test_a_listing_from_another_uid_than_was_foreseen_is_asked_for(monkeypatch: Patch) -> None:
    library = Library(A=[1, 2, 9])
    with library.session(monkeypatch) as session:
        target = ImapTarget(session)
        target.folders()
        target.foresee([("A", 5)])
        folder = target.look("A")
        assert [item.key.uid for page in target.listing(folder, floor=1) for item in page.rows] == [1, 2, 9]
        assert [item.key.uid for page in target.listing(folder, floor=5) for item in page.rows] == [9]


# ---- what breaks ---------------------------------------------------------------------------------------------------


@contextmanager
def reconnecting(monkeypatch: Patch, first: Library, second: Library, **more: float) -> Iterator[RetryingTarget]:
    """A target that finds the second server where the first one has broken."""
    servers = [first.server, second.server]
    monkeypatch.setattr(session_module, "connect", lambda *_: servers.pop(0).theirs)

    def opened() -> ImapTarget:
        return ImapTarget(ImapSession(endpoint(), **more))

    with first.server, second.server:
        target = RetryingTarget(
            Reopening[Target]("target", opened, stop=FakeStop(), clock=FakeClock(), observer=Silent())
        )
        target.folders()
        yield target
        target.close()


def test_a_cut_while_folders_are_foreseen_costs_one_reconnection(monkeypatch: Patch) -> None:
    names = [f"N{number}" for number in range(10)]
    first, second = (Library(**{name: [1, 2] for name in names}) for _ in range(2))
    first.refused["N1"] = CUT
    with reconnecting(monkeypatch, first, second) as target:
        target.foresee([(name, 1) for name in names])
        for name in names:
            folder = target.look(name)
            assert [item.key.uid for page in target.listing(folder) for item in page.rows] == [1, 2]


def test_a_server_that_falls_silent_is_waited_for_once(monkeypatch: Patch) -> None:
    first, second = (Library(A=[1], B=[2], C=[3]) for _ in range(2))
    first.refused = dict.fromkeys("ABC", LATER)
    first.server.says["FETCH"] = LATER
    with reconnecting(monkeypatch, first, second, read_seconds=1.0) as target:
        waited: list[float] = []
        receive = Octets._receive

        def noted(self: Octets, place: memoryview, at: int, enough: int) -> int:
            try:
                return receive(self, place, at, enough)
            except Silence:
                waited.append(self.timeout)
                raise

        monkeypatch.setattr(Octets, "_receive", noted)
        target.foresee([(name, 1) for name in "ABC"])
        assert target.look("A").messages == 1
        assert waited == [1.0]


def test_a_cut_while_something_is_asked_between_two_appends_does_not_hinder_the_next_one(monkeypatch: Patch) -> None:
    first, second = Library(A=[1]), Library(A=[1])
    first.server.says["APPEND"] = CUT
    second.server.says["APPEND"] = b"%t OK [APPENDUID 77 50] done\r\n"
    with reconnecting(monkeypatch, first, second) as target:

        def batches() -> Iterator[Batch]:
            yield Batch(FolderRef("A", 77, 50, 1), [parcel(0)])
            target.look("A")
            yield Batch(FolderRef("A", 77, 50, 1), [parcel(1)])

        results = list(target.append(batches(), may_commit=lambda: True))
    assert [type(result).__name__ for result in results] == ["Unknown", "Stored"]
