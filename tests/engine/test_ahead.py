"""Looking ahead: what is read early, or made early, comes in its order, and what goes wrong with it in its turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import pytest

from migrator.engine.ahead import AHEAD_OCTETS, ReadingAhead
from migrator.engine.wrappers import Reopening, RetryingTarget
from migrator.errors import ConnectionLost, Defect, FolderRefused, PostwagenError, Stopped
from migrator.mail.folders import FolderInfo, FolderRef
from migrator.mail.messages import MessageKey, Row, plain_prints
from migrator.ports import AppendResult, Batch, Letter, Opened, Page, Parcel, Stored, Unknown, Unread, Unsent, Want
from migrator.sessions.memory import FakeClock, FakeStop
from tests.engine.world import Silent, mail

FOLDER = FolderRef("INBOX", 1, 1, 0)


class Shelf:
    """A source of so many messages that counts how many were read and closed, and breaks behind one of them."""

    def __init__(self, count: int, size: int = 100, breaks_at: int = -1) -> None:
        self.count, self.size, self.breaks_at = count, size, breaks_at
        self.read_so_far = self.closed = 0
        self.was_left = threading.Event()

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        try:
            for number, want in enumerate(wants):
                if number == self.breaks_at:
                    raise ConnectionLost("cut")
                self.read_so_far += 1
                octets = mail(str(want.key.uid))
                yield Letter(want, octets, len(octets), lambda octets=octets: iter((octets,)), self._close)
        finally:
            self.was_left.set()

    def _close(self) -> None:
        self.closed += 1

    def wants(self) -> list[Want]:
        return [Want("INBOX", MessageKey(1, number), self.size) for number in range(self.count)]


Told = TypeVar("Told")


def told(answers: Iterable[Told]) -> tuple[list[Told], PostwagenError | None]:
    """What comes, and the error that ends it."""
    found: list[Told] = []
    try:
        for answer in answers:
            found.append(answer)  # noqa: PERF402 - until it raises
    except PostwagenError as error:
        return found, error
    return found, None


def test_letters_come_in_order_with_their_prints() -> None:
    shelf = Shelf(50)
    answers = list(ReadingAhead(shelf).read(shelf.wants()))
    assert [answer.want for answer in answers] == shelf.wants()
    for answer in answers:
        assert isinstance(answer, Letter)
        assert answer.prints == plain_prints(answer.head, answer.chunks())


def test_an_error_of_the_source_comes_behind_what_was_read_before_it() -> None:
    shelf = Shelf(9, breaks_at=5)
    answers, error = told(ReadingAhead(shelf).read(shelf.wants()))
    assert [answer.want.key.uid for answer in answers] == [0, 1, 2, 3, 4]
    assert isinstance(error, ConnectionLost)


def test_what_is_held_ready_is_bounded_and_given_back_when_nobody_wants_it() -> None:
    shelf = Shelf(1000, size=AHEAD_OCTETS // 10)
    run = ReadingAhead(shelf).read(shelf.wants())
    first = next(run)
    assert isinstance(first, Letter)
    run.close()
    assert shelf.was_left.is_set()
    assert shelf.read_so_far <= 13
    assert shelf.closed == shelf.read_so_far - 1


class Library:
    """A source of folders with pages, three messages on each, that keeps a record of what it was asked."""

    def __init__(self, *pages: str, broken: str = "", size: int = 100) -> None:
        """`pages`: folder and page, such as `A1`, in order. What begins with `broken` cannot be asked for."""
        self.pages, self.broken, self.size = pages, broken, size
        self.asked: list[str] = []
        self.changed = threading.Condition()
        self.open = 0
        """Letters that nobody has closed yet."""

    def note(self, what: str) -> None:
        with self.changed:
            self.asked.append(what)
            self.changed.notify_all()
        if self.broken and what.removeprefix("read ").startswith(self.broken):
            raise FolderRefused(f"{what} is refused.")

    def wait_for(self, what: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: what in self.asked, 20), self.asked

    def foresee(self, folders: Sequence[str]) -> None:
        """Nothing is waited for here."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        self.note(folder)
        yield Opened(folder, 1, 0, 0)
        for page in self.pages:
            if page.startswith(folder):
                self.note(page)
                keys = [MessageKey(int(page[1:]), uid) for uid in (1, 2, 3)]
                yield Page([Row(key, self.size, frozenset(), None) for key in keys])

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        for want in wants:
            self.note(f"read {want.folder}{want.key}")
            self.open += 1
            octets = mail(str(want))
            yield Letter(want, octets, len(octets), lambda octets=octets: iter((octets,)), self._close)

    def _close(self) -> None:
        self.open -= 1

    def close(self) -> None:
        """Nothing to do."""


def anything(_: Row) -> bool:
    return True


@pytest.fixture(params=[None, 3], ids=["each for itself", "together"])
def infos(request: pytest.FixtureRequest) -> Callable[[str], list[FolderInfo]]:
    """Folders as the source announces them: it says nothing of their size, or that they are small."""
    return lambda names: [FolderInfo(name, (name,), messages=request.param) for name in names]


Infos = Callable[[str], list[FolderInfo]]


def taken(source: ReadingAhead, folder: str, *, uids: Sequence[int] = (1, 2, 3)) -> list[str]:
    """All of a folder, as the engine takes it: each page, and of it these messages."""
    found: list[str] = []
    for item in source.survey(folder):
        if isinstance(item, Page):
            wants = [Want(folder, row.key, row.size) for row in item.rows if row.key.uid in uids]
            for answer in source.read(wants):
                assert isinstance(answer, Letter)
                assert answer.prints is not None
                found.append(f"{answer.want.folder}{answer.want.key}")
                answer.close()
    return found


def told_of(*pages: str, uids: Sequence[int] = (1, 2, 3)) -> list[str]:
    return [f"{page[0]}{page[1:]}/{uid}" for page in pages for uid in uids]


def test_folders_that_are_expected_are_read_before_they_are_asked_for_and_once(infos: Infos) -> None:
    library = Library("A1", "A2", "B1", "C1")
    source = ReadingAhead(library)
    source.expect(infos("ABC"), anything)
    assert taken(source, "A") == told_of("A1", "A2")
    library.wait_for("read C1/3")  # before anybody has asked for B
    assert taken(source, "B") == told_of("B1")
    assert taken(source, "C") == told_of("C1")
    assert library.asked.count("B") == library.asked.count("C") == 1
    assert len(library.asked) == len(set(library.asked))
    assert library.open == 0


def test_what_is_unlikely_is_not_read_ahead_and_what_is_not_wanted_after_all_is_given_back(infos: Infos) -> None:
    library = Library("A1", "A2", "B1")
    source = ReadingAhead(library)
    source.expect(infos("AB"), lambda row: row.key.uid < 3)
    assert taken(source, "A", uids=[2]) == told_of("A1", "A2", uids=[2])
    assert taken(source, "B", uids=[]) == []
    assert not any(asked.endswith("/3") for asked in library.asked if asked.startswith("read"))
    assert library.open == 0


def test_whoever_asks_for_another_folder_than_was_expected_gets_it(infos: Infos) -> None:
    library = Library("A1", "B1", "C1", "D1")
    source = ReadingAhead(library)
    source.expect(infos("ABC"), anything)
    assert taken(source, "A") == told_of("A1")
    assert taken(source, "D") == told_of("D1")
    assert taken(source, "C") == told_of("C1")
    assert taken(source, "B") == told_of("B1")
    assert taken(source, "A") == told_of("A1")
    assert library.open == 0


@pytest.mark.parametrize("broken", ["B", "B1", "B1/2"])
def test_what_breaks_while_it_is_read_ahead_is_told_in_its_turn_and_the_next_folder_is_read(
    broken: str, infos: Infos
) -> None:
    library = Library("A1", "B1", "C1", broken=broken)
    source = ReadingAhead(library)
    source.expect(infos("ABC"), anything)
    run = source.survey("A")
    assert isinstance(next(run), Opened)
    library.wait_for(broken if "/" not in broken else f"read {broken}")
    page = next(run)
    assert isinstance(page, Page)
    assert len(list(source.read([Want("A", row.key, row.size) for row in page.rows]))) == 3
    assert list(run) == []
    with pytest.raises(FolderRefused, match=broken):
        taken(source, "B")
    assert taken(source, "C") == told_of("C1")


def test_a_folder_that_is_left_in_the_middle_is_left_in_order_and_may_be_taken_again(infos: Infos) -> None:
    library = Library("A1", "A2", "B1")
    source = ReadingAhead(library)
    source.expect(infos("AB"), anything)
    run = source.survey("A")
    assert [type(next(run)), type(next(run))] == [Opened, Page]
    run.close()
    assert library.open == 0
    assert taken(source, "A") == told_of("A1", "A2")
    assert taken(source, "B") == told_of("B1")


def test_a_survey_never_seems_to_have_ended_when_somebody_else_took_the_source(infos: Infos) -> None:
    """What is missing from a survey would be taken for deleted."""
    source = ReadingAhead(Library("A1", "A2", "B1"))
    source.expect(infos("AB"), anything)
    run = source.survey("A")
    assert [type(next(run)), type(next(run))] == [Opened, Page]
    assert taken(source, "B") == told_of("B1")
    with pytest.raises(Defect):
        next(run)


def test_what_was_said_to_be_unlikely_is_not_left_out_in_silence_when_it_is_wanted(infos: Infos) -> None:
    source = ReadingAhead(Library("A1", "A2"))
    source.expect(infos("A"), lambda row: row.key.uid < 3)
    with pytest.raises(Defect):
        taken(source, "A")


def test_what_is_read_ahead_of_many_folders_is_bounded(infos: Infos) -> None:
    library = Library(*(f"{name}1" for name in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), size=AHEAD_OCTETS // 4)
    source = ReadingAhead(library)
    source.expect(infos("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), anything)
    assert taken(source, "A") == told_of("A1")
    library.wait_for("B")
    source.close()
    asked = [what for what in library.asked if what.startswith("read")]
    assert len(asked) <= 3 + 5 + 5  # taken; held by who takes; held by who reads
    assert library.open == 0


class Waiting:
    """A target that takes the next batch before it answers, and begins it afterwards."""

    def __init__(self, log: list[str], answer: Callable[[Parcel], AppendResult]) -> None:
        self._log, self._answer = log, answer

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> Iterator[AppendResult]:
        coming = iter(batches)
        taken = next(coming, None)
        while taken is not None:
            batch = taken
            self._log.append(f"sent {batch.parcels[0].entry}")
            taken = next(coming, None)
            results = [self._answer(parcel) for parcel in batch.parcels]
            yield from results
            if any(isinstance(result, Unknown) for result in results):
                raise ConnectionLost("cut", end="target")

    def close(self) -> None:
        """Nothing to do."""


def wrapped(log: list[str], answer: Callable[[Parcel], AppendResult]) -> RetryingTarget:
    clock = FakeClock()
    opener = lambda: Waiting(log, answer)  # noqa: E731 - shorter than a function
    return RetryingTarget(Reopening("target", opener, stop=FakeStop(), clock=clock, observer=Silent()))


def batches(log: list[str], count: int, error: Exception | None = None) -> Iterator[Batch]:
    octets = mail("x")
    letter = Letter(Want("INBOX", MessageKey(1, 1), len(octets)), octets, len(octets), lambda: iter((octets,)))
    for number in range(count):
        log.append(f"made {number}")
        yield Batch(FOLDER, [Parcel(number, letter, (), None)])
    if error is not None:
        raise error


def stored(parcel: Parcel) -> AppendResult:
    return Stored(parcel, MessageKey(1, parcel.entry + 1))


def test_the_next_batch_is_made_while_the_target_works_and_sent_when_it_has_answered() -> None:
    log: list[str] = []
    results = wrapped(log, stored).append(batches(log, 3), may_commit=lambda: True)
    assert [log.append(f"answered {result.parcel.entry}") for result in results] == [None] * 3
    assert log == [
        "made 0", "sent 0", "made 1", "answered 0", "sent 1", "made 2", "answered 1", "sent 2", "answered 2",
    ]  # fmt: skip


def test_a_stop_while_the_next_batch_is_made_comes_after_the_answer_to_the_one_before() -> None:
    log: list[str] = []
    results, error = told(wrapped(log, stored).append(batches(log, 1, Stopped("now")), may_commit=lambda: True))
    assert [type(result) for result in results] == [Stored]
    assert isinstance(error, Stopped)


def test_a_batch_that_was_made_is_sent_or_told_unsent_whatever_becomes_of_the_one_before() -> None:
    log: list[str] = []
    first_is_lost = lambda parcel: Unknown(parcel) if parcel.entry == 0 else stored(parcel)  # noqa: E731 - as above
    results = list(wrapped(log, first_is_lost).append(batches(log, 2), may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Unknown, 0), (Stored, 1)]
    results, error = told(wrapped(log, Unknown).append(batches(log, 20), may_commit=lambda: True))
    assert isinstance(error, ConnectionLost)
    assert isinstance(results[-1], Unsent)
    assert [result.parcel.entry for result in results] == list(range(len(results)))
