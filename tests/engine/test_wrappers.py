"""The wrappers alone: they ask again for what is missing, never append twice, and hide nothing that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice

import pytest

from migrator.engine.wrappers import DELAYS, LONGEST_WAIT, Reopening, RetryingSource, RetryingTarget
from migrator.errors import ConnectionLost, ConnectRefused, FolderRefused, LoginRefused, ServerBusy, Stopped
from migrator.mail.folders import FolderRef
from migrator.mail.messages import MessageKey, Row
from migrator.ports import AppendResult, Batch, Letter, Opened, Page, Parcel, Stored, Unknown, Unread, Unsent, Want
from migrator.sessions.memory import Break, FakeClock, FakeStop, MemoryServer, MemorySource, MemoryTarget
from tests.engine.world import Silent, mail

MAY = lambda: True  # noqa: E731 - shorter than a function


class Bench:
    """One server, its wrapped ends, and what was heard."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = MemoryServer(clock=self.clock)
        self.heard = Silent()
        self.opened = self.parcels = 0
        self.source = RetryingSource(self.reopening("source", lambda: MemorySource(self.server)))
        self.target = RetryingTarget(self.reopening("target", lambda: MemoryTarget(self.server)))

    def reopening(self, name: str, opener: Callable[[], object]) -> Reopening:
        def count() -> object:
            self.opened += 1
            return opener()

        return Reopening(name, count, stop=FakeStop(), clock=self.clock, observer=self.heard)

    def wants(self, count: int) -> list[Want]:
        for number in range(count):
            self.server.put("INBOX", mail(str(number)))
        folder = self.server.folder("INBOX")
        return [
            Want("INBOX", MessageKey(folder.validity, uid), len(item.octets)) for uid, item in folder.messages.items()
        ]

    def batch(self, count: int) -> Batch:
        octets = [mail(str(number)) for number in range(count)]
        want = Want("x", MessageKey(1, 1), 1)
        parcels = [
            Parcel(number, Letter(want, item, len(item), lambda item=item: iter((item,))), (), None)
            for number, item in enumerate(octets, self.parcels)
        ]
        self.parcels += count
        return Batch(self.target.look("INBOX"), parcels)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fail_at(bench: Bench, step: str, errors: Iterable[Exception | None]) -> None:
    """Each time the server is touched at `step`, the next of these errors happens (None: nothing)."""
    left = iter(errors)

    def touch(at: str) -> None:
        error = next(left, None) if at == step else None
        if error is not None:
            raise error

    bench.server.behaviour.touch = touch


# ---- asking again --------------------------------------------------------------------------------------------------


def test_what_was_read_before_a_loss_is_not_asked_again(bench: Bench) -> None:
    wants = bench.wants(5)
    bench.server.behaviour.lost_at_reads = {3}
    answers = list(bench.source.read(wants))
    assert [answer.want.key.uid for answer in answers] == [1, 2, 3, 4, 5]
    assert bench.server.reads == 6
    assert bench.clock.waited == [1.0]


def test_every_want_gets_one_answer_whatever_breaks(bench: Bench) -> None:
    wants = bench.wants(6)
    bench.server.behaviour.breaks_reading = {("INBOX", 2), ("INBOX", 6)}
    bench.server.behaviour.lost_at_reads = {4, 9}
    answers = {answer.want.key.uid: answer for answer in bench.source.read(wants)}
    assert sorted(answers) == [1, 2, 3, 4, 5, 6]
    assert {uid for uid, answer in answers.items() if isinstance(answer, Unread)} == {2, 6}


def test_patience_ends_after_so_many_losses_without_progress(bench: Bench) -> None:
    bench.wants(1)
    fail_at(bench, "folders", [ConnectionLost("x")] * 99)
    with pytest.raises(ConnectionLost) as caught:
        bench.source.folders()
    assert caught.value.end == "source"
    assert bench.clock.waited == list(DELAYS)


def test_progress_renews_patience(bench: Bench) -> None:
    wants = bench.wants(20)
    bench.server.behaviour.lost_at_reads = set(range(2, 200, 2))
    assert len(list(bench.source.read(wants))) == 20


def test_a_server_that_asks_for_a_moment_gets_it_and_one_that_asks_for_hours_is_left_to_the_job(bench: Bench) -> None:
    fail_at(bench, "folders", [ServerBusy("x", later=timedelta(seconds=17)), None, ServerBusy("x", later=timedelta(1))])
    bench.source.folders()
    assert bench.clock.waited == [17.0]
    with pytest.raises(ServerBusy):
        bench.source.folders()
    assert max(bench.clock.waited) <= LONGEST_WAIT


def test_a_server_that_refuses_connections_is_awaited_only_if_it_once_took_one(bench: Bench) -> None:
    fail_at(bench, "open", [ConnectRefused("x")])
    with pytest.raises(ConnectRefused):
        bench.source.folders()
    bench.source.folders()
    fail_at(bench, "open", [ConnectRefused("x"), ConnectRefused("x")])
    bench.source.close()
    bench.source.folders()


def test_a_wrong_password_is_not_tried_again(bench: Bench) -> None:
    fail_at(bench, "open", [LoginRefused("x")])
    with pytest.raises(LoginRefused) as caught:
        bench.source.folders()
    assert (bench.opened, caught.value.end) == (1, "source")


def test_the_observer_hears_of_every_reconnection(bench: Bench) -> None:
    fail_at(bench, "folders", [ConnectionLost("x"), ConnectionLost("x")])
    bench.source.folders()
    assert [event.name for event in bench.heard.heard] == ["reconnecting", "reconnecting"]


# ---- listing -------------------------------------------------------------------------------------------------------


def test_a_survey_goes_on_behind_what_it_delivered(bench: Bench) -> None:
    bench.wants(7)
    bench.server.behaviour.page_rows = 2
    fail_at(bench, "page", [None, None, ConnectionLost("x"), None, None, ConnectionLost("x")])
    items = list(bench.source.survey("INBOX"))
    assert sum(isinstance(item, Opened) for item in items) == 1
    assert [row.key.uid for item in items if isinstance(item, Page) for row in item.rows] == [1, 2, 3, 4, 5, 6, 7]


def test_a_survey_whose_folder_is_renumbered_during_a_loss_is_refused(bench: Bench) -> None:
    bench.wants(4)
    bench.server.behaviour.page_rows = 2
    fail_at(bench, "page", [None, ConnectionLost("x")])
    survey = bench.source.survey("INBOX")
    next(survey), next(survey)
    bench.server.renumber("INBOX")
    with pytest.raises(FolderRefused):
        list(survey)


class Disordered:
    """A source that lists its pages against the order of keys, and may lose the connection after some pages."""

    traits = None

    def __init__(self, pages: Sequence[Sequence[int]], losses: list[int]) -> None:
        self._pages = pages
        self._losses = losses

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        yield Opened(folder, 1, 100, 9)
        for number, uids in enumerate(self._pages):
            if self._losses and self._losses[0] == number:
                self._losses.pop(0)
                raise ConnectionLost("x")
            yield Page([Row(MessageKey(1, uid), 1, frozenset(), None) for uid in uids])

    def close(self) -> None:
        pass


def test_a_server_that_lists_out_of_order_hides_nothing(bench: Bench) -> None:
    """Yahoo was seen to list in descending order (quirks.md, 23)."""
    source = RetryingSource(bench.reopening("source", lambda: Disordered([(7, 8, 9), (1, 2, 3)], [])))
    rows = [row.key.uid for item in source.survey("INBOX") if isinstance(item, Page) for row in item.rows]
    assert rows == [7, 8, 9, 1, 2, 3]


def test_a_server_that_lists_out_of_order_and_breaks_is_refused_rather_than_half_listed(bench: Bench) -> None:
    losses = [2]
    source = RetryingSource(bench.reopening("source", lambda: Disordered([(7, 8, 9), (1, 2, 3), (4, 5, 6)], losses)))
    with pytest.raises(FolderRefused):
        list(source.survey("INBOX"))


# ---- appending -----------------------------------------------------------------------------------------------------


def kinds(results: Iterable[object]) -> list[str]:
    return [type(result).__name__ for result in results]


def until(error: type[Exception], results: Iterator[object]) -> list[object]:
    """What came before the error."""
    found: list[object] = []

    def take_all() -> None:
        for result in results:
            found.append(result)  # noqa: PERF402 - extend() would keep nothing

    with pytest.raises(error):
        take_all()
    return found


def test_a_loss_after_the_commit_point_is_unknown_and_never_repeated(bench: Bench) -> None:
    batches = [bench.batch(2), bench.batch(2)]
    bench.server.behaviour.breaks = {1: Break(after_commit=True)}
    assert kinds(bench.target.append(batches, may_commit=MAY)) == ["Unknown", "Unknown", "Stored", "Stored"]
    assert len(bench.server.folder("INBOX").messages) == 4


def test_a_loss_before_the_commit_point_is_unsent_and_left_to_the_engine(bench: Bench) -> None:
    batches = [bench.batch(2), bench.batch(1)]
    bench.server.behaviour.breaks = {1: Break()}
    assert kinds(bench.target.append(batches, may_commit=MAY)) == ["Unsent", "Unsent", "Stored"]
    assert bench.server.appends == 2


def test_a_busy_server_gets_the_unsent_rest_of_the_batch_later(bench: Bench) -> None:
    batch = bench.batch(3)
    bench.server.behaviour.whole_batches = False
    fail_at(bench, "append", [None, ServerBusy("x"), ServerBusy("x")])
    results = list(bench.target.append([batch], may_commit=MAY))
    assert kinds(results) == ["Stored"] * 3
    assert sorted(result.parcel.entry for result in results) == [0, 1, 2]
    assert bench.clock.waited == [1.0, 2.0]


def test_a_server_that_stays_busy_ends_with_every_parcel_accounted_for(bench: Bench) -> None:
    batch = bench.batch(3)
    bench.server.behaviour.whole_batches = False
    fail_at(bench, "append", [None, *[ServerBusy("x")] * 99])
    results = until(ServerBusy, bench.target.append([batch], may_commit=MAY))
    assert kinds(results) == ["Stored", "Unsent", "Unsent"]


def test_a_target_that_cannot_be_opened_again_accounts_for_every_parcel(bench: Bench) -> None:
    batch = bench.batch(2)
    bench.target.close()
    fail_at(bench, "open", [LoginRefused("x")])
    results = until(LoginRefused, bench.target.append([batch], may_commit=MAY))
    assert kinds(results) == ["Unsent", "Unsent"]


def test_a_stop_at_the_commit_point_is_unsent(bench: Bench) -> None:
    results = until(Stopped, bench.target.append([bench.batch(2)], may_commit=lambda: False))
    assert kinds(results) == ["Unsent", "Unsent"]
    assert bench.server.stored == 0


def test_an_error_of_the_batches_themselves_passes_through(bench: Bench) -> None:
    """Batches are made by reading the source: its loss is not the target's."""

    def batches() -> Iterator[Batch]:
        yield bench.batch(1)
        raise ConnectionLost("the source", end="source")

    results = bench.target.append(batches(), may_commit=MAY)
    assert isinstance(next(results), Stored)
    with pytest.raises(ConnectionLost):
        next(results)
    assert bench.clock.waited == []


def test_another_uidvalidity_at_the_moment_of_appending_is_doubt(bench: Bench) -> None:
    batch = bench.batch(1)
    old = batch.folder._replace(validity=1)
    assert kinds(bench.target.append([Batch(old, batch.parcels)], may_commit=MAY)) == [Unknown.__name__]


def test_results_of_a_target_that_leaves_something_unsent_without_an_error_are_passed_on(bench: Bench) -> None:
    class Shy:
        traits = None

        def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> Iterator[Unsent]:
            assert may_commit()
            for batch in batches:
                yield from map(Unsent, batch.parcels)

        def close(self) -> None:
            pass

    target = RetryingTarget(bench.reopening("target", Shy))
    batch = Batch(FolderRef("INBOX", 1, 1, 0), bench.batch(2).parcels)
    assert kinds(target.append([batch], may_commit=MAY)) == ["Unsent", "Unsent"]


class Eager:
    """Takes three batches at once, and loses its connection when one of them was completed and the next one begun."""

    traits = None

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.taken: list[int] = []

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> Iterator[AppendResult]:
        assert may_commit()
        some = iter(batches)
        while three := list(islice(some, 3)):
            self.taken += [parcel.entry for batch in three for parcel in batch.parcels]
            error, self.error = self.error, None
            if error is not None:
                yield from map(Unknown if isinstance(error, ConnectionLost) else Unsent, three[0].parcels)
                yield from map(Unsent, three[1].parcels)
                raise error
            yield from (Stored(parcel, None) for batch in three for parcel in batch.parcels)

    def close(self) -> None:
        pass


def test_what_was_taken_and_not_begun_travels_with_the_next_connection_once(bench: Bench) -> None:
    eager = Eager(ConnectionLost("x"))
    target = RetryingTarget(bench.reopening("target", lambda: eager))
    results = list(target.append([bench.batch(2) for _ in range(4)], may_commit=MAY))
    assert [(type(result).__name__, result.parcel.entry) for result in results] == [
        ("Unknown", 0), ("Unknown", 1), ("Unsent", 2), ("Unsent", 3),
        ("Stored", 4), ("Stored", 5), ("Stored", 6), ("Stored", 7),
    ]  # fmt: skip
    assert eager.taken == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]


def test_a_busy_server_gets_everything_later_in_the_same_order(bench: Bench) -> None:
    eager = Eager(ServerBusy("x"))
    target = RetryingTarget(bench.reopening("target", lambda: eager))
    results = list(target.append([bench.batch(2) for _ in range(4)], may_commit=MAY))
    assert [(type(result).__name__, result.parcel.entry) for result in results] == [("Stored", at) for at in range(8)]


def test_everything_that_was_taken_is_accounted_for_when_patience_ends(bench: Bench) -> None:
    target = RetryingTarget(bench.reopening("target", lambda: Eager(LoginRefused("x"))))
    results = until(LoginRefused, target.append([bench.batch(2) for _ in range(4)], may_commit=MAY))
    assert kinds(results) == ["Unsent"] * 6


def test_an_error_in_making_a_batch_is_told_when_all_before_it_have_their_results(bench: Bench) -> None:
    def batches() -> Iterator[Batch]:
        yield bench.batch(1)
        yield bench.batch(1)
        raise Stopped("x")

    eager = Eager(ConnectionLost("x"))
    target = RetryingTarget(bench.reopening("target", lambda: eager))
    assert kinds(until(Stopped, target.append(batches(), may_commit=MAY))) == ["Unknown", "Unsent"]
