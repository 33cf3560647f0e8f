"""Looking ahead: what is read early, or made early, comes in its order, and what goes wrong with it in its turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from migrator.engine.ahead import AHEAD_OCTETS, ReadingAhead
from migrator.engine.wrappers import Reopening, RetryingTarget
from migrator.errors import ConnectionLost, PostwagenError, Stopped
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, take_prints
from migrator.ports import AppendResult, Batch, Letter, Parcel, Stored, Unknown, Unread, Unsent, Want
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
        assert answer.prints == take_prints(answer.head, answer.chunks())


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
