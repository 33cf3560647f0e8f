"""Some batches are written to the disk while the next one is made ready; what goes wrong is said in its turn."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from migrator.archive import appending, blobs
from migrator.archive.file import SEGMENT_OCTETS, ArchiveFile
from migrator.archive.target import CHANGES_AT_ONCE, ArchiveTarget
from migrator.errors import ArchiveDamaged, ConnectionLost, Defect, DiskFull, NoRoom, Stopped
from migrator.mail.messages import HEAD_OCTETS, MessageKey, exact_prints
from migrator.ports import Batch, FlagChange, Letter, Parcel, Stored, Unsent, Want
from tests.engine.test_ahead import told
from tests.engine.test_archiving import KEY
from tests.engine.world import mail

WITHIN = 20.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ArchiveFile]:
    with ArchiveFile(tmp_path / "anna.pwa", KEY, writable=True, create=True) as made:
        yield made


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch has a transaction of its own."""
    monkeypatch.setattr(appending, "TRANSACTION_OCTETS", 0)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, only octets end a transaction."""
    monkeypatch.setattr(appending, "TRANSACTION_SECONDS", 1e9)


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes between any two looks at the clock: every batch has taken long."""
    now = iter(float(second) for second in range(1000))
    monkeypatch.setattr(appending.time, "monotonic", lambda: next(now))


def parcels(*uids: int, noise: int = 0) -> Sequence[Parcel]:
    made = []
    for uid in uids:
        octets = mail(f"m{uid}") + random.Random(uid).randbytes(noise)
        want = Want("INBOX", MessageKey(1, uid), len(octets))
        made.append(Parcel(uid, Letter(want, octets[:HEAD_OCTETS], len(octets), lambda o=octets: iter((o,))), (), None))
    return made


class Writer:
    """Stops the writer's thread before each COMMIT until it is told to go on."""

    def __init__(self, file: ArchiveFile) -> None:
        self.reached, self.may_go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.commits = 0
        self._file = file
        file.sql.set_trace_callback(self._watch)

    def _watch(self, statement: str) -> None:
        if statement == "COMMIT":
            self.reached.release()
            assert self.may_go_on.acquire(timeout=WITHIN)
            self.commits += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.sql.set_trace_callback(None)


@pytest.mark.usefixtures("one_by_one")
def test_some_batches_and_no_more_are_made_while_the_disk_is_at_work(file: ArchiveFile) -> None:
    target, made = ArchiveTarget(file), list[int]()
    folder = target.ensure_folder(("INBOX",), None)
    enough = threading.Event()

    def batches() -> Iterator[Batch]:
        for uid in range(1, 10):
            made.append(uid)
            if uid == appending.UNWRITTEN + 2:
                enough.set()
            yield Batch(folder, parcels(uid))

    with Writer(file) as writer, ThreadPoolExecutor(1) as other:
        results = other.submit(list, target.append(batches(), may_commit=lambda: True))
        assert writer.reached.acquire(timeout=WITHIN)
        assert enough.wait(WITHIN), "the first one is being committed meanwhile"
        assert not results.done()
        assert len(made) == appending.UNWRITTEN + 2, "the last one waits in hand"
        for _ in range(9):
            writer.may_go_on.release()
        assert [result.parcel.entry for result in results.result(WITHIN)] == list(range(1, 10))
    assert writer.commits == 9


@pytest.mark.usefixtures("one_by_one")
def test_a_result_is_told_when_it_is_on_the_disk_and_not_before(file: ArchiveFile) -> None:
    target, order = ArchiveTarget(file), list[str]()
    folder = target.ensure_folder(("INBOX",), None)

    def noted(statement: str) -> None:
        if statement == "COMMIT":
            order.append("commit")

    file.sql.set_trace_callback(noted)
    batches = [Batch(folder, parcels(uid)) for uid in range(1, 20)]
    for result in target.append(batches, may_commit=lambda: True):
        order.append("told")
        assert order.count("commit") >= order.count("told")
        assert isinstance(result, Stored)
        with ArchiveFile(file.path, KEY, writable=False) as reader:
            assert reader.one("SELECT count(*) FROM message WHERE id = ?", (result.key.uid,)) == (1,)
    file.sql.set_trace_callback(None)
    assert order.count("told") == 19


@pytest.mark.usefixtures("unhurried")
def test_who_gives_up_in_the_middle_leaves_no_transaction_open_and_nothing_of_it(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    large = appending.TRANSACTION_OCTETS
    batches = [Batch(folder, parcels(uid, noise=large if uid == 1 else 10)) for uid in range(1, 6)]
    results = target.append(batches, may_commit=lambda: True)
    first = next(results)
    assert (type(first), first.parcel.entry) == (Stored, 1)
    results.close()
    assert not file.sql.in_transaction
    assert file.one("SELECT count(*) FROM message") == (1,)
    assert file.one("SELECT count(*) FROM blob") == (1,)
    last = "SELECT segment + (start + octets - 1) / ? FROM blob"
    assert file.one("SELECT max(id) FROM segment") == file.one(last, (SEGMENT_OCTETS,))
    again = list(target.append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in again] == [(Stored, uid) for uid in range(1, 6)]


def test_equal_octets_large_and_small_in_one_batch_and_in_one_transaction_are_written_once(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    large, small = random.Random(1).randbytes(3_000_000), b"Subject: small\r\n\r\n"

    def sent(uid: int, octets: bytes) -> Parcel:
        want = Want("INBOX", MessageKey(1, uid), len(octets))
        return Parcel(uid, Letter(want, octets[:HEAD_OCTETS], len(octets), lambda: iter((octets,))), (), None)

    first = [sent(1, large), sent(2, small), sent(3, large), sent(4, small)]
    second = [sent(5, small), sent(6, large), sent(5, small), sent(6, large)]  # each twice
    results = list(target.append([Batch(folder, first), Batch(folder, second)], may_commit=lambda: True))
    rows = {result.parcel.entry: result.key.uid for result in results if isinstance(result, Stored)}
    assert len(results) == 8
    assert len(rows) == len(set(rows.values())) == 6
    assert file.one("SELECT count(*) FROM blob") == (2,)
    for entry, octets in ((1, large), (2, small), (3, large), (4, small), (5, small), (6, large)):
        blob = file.one("SELECT blob FROM message WHERE id = ?", (rows[entry],))[0]
        assert b"".join(blobs.read(file, blob)) == octets


@pytest.mark.usefixtures("one_by_one")
def test_what_goes_wrong_in_the_writers_thread_stops_it_for_what_was_handed_over_already(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)

    def damaged() -> Iterator[bytes]:
        raise ArchiveDamaged("A disk for temporary files that cannot be read.")
        yield b""

    def batches() -> Iterator[Batch]:
        yield Batch(folder, parcels(1))
        want = Want("INBOX", MessageKey(1, 2), 2_000_000)  # so large that it is packed in the writer's thread
        prints = exact_prints(b"", [b"x" * 2_000_000])
        yield Batch(folder, [Parcel(2, Letter(want, b"", 2_000_000, damaged, prints=prints), (), None)])
        yield Batch(folder, parcels(3))
        yield Batch(folder, parcels(4))

    results, raised = told(target.append(batches(), may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, 1)]
    assert isinstance(raised, ArchiveDamaged)
    assert file.one("SELECT count(*) FROM message") == (1,)
    assert not file.sql.in_transaction


@pytest.mark.parametrize("error", [Stopped("now"), ConnectionLost("cut", end="source")])
def test_an_error_in_making_a_batch_comes_behind_the_results_of_the_one_before(
    file: ArchiveFile, error: Exception
) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)

    def batches() -> Iterator[Batch]:
        yield Batch(folder, parcels(1, 2))
        raise error

    results, raised = told(target.append(batches(), may_commit=lambda: True))
    assert [type(result) for result in results] == [Stored, Stored]
    assert raised is error


@pytest.mark.usefixtures("one_by_one")
def test_a_stop_before_the_commit_leaves_nothing_of_the_batch_and_all_of_the_one_before(file: ArchiveFile) -> None:
    target, may = ArchiveTarget(file), iter((True, False))
    folder = target.ensure_folder(("INBOX",), None)
    batches = [Batch(folder, parcels(1)), Batch(folder, parcels(2))]
    results, raised = told(target.append(batches, may_commit=lambda: next(may)))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, 1), (Unsent, 2)]
    assert isinstance(raised, Stopped)
    assert file.one("SELECT count(*) FROM message") == (1,)


@pytest.mark.usefixtures("one_by_one")
def test_a_full_disk_costs_the_batch_that_did_not_fit_and_no_other(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    batches = [Batch(folder, parcels(1)), Batch(folder, parcels(2, noise=300_000))]
    file.sql.execute(f"PRAGMA max_page_count = {file.one('PRAGMA page_count')[0] + 8}")
    results, raised = told(target.append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, 1)]
    assert isinstance(raised, DiskFull)
    assert file.one("SELECT count(*) FROM message") == (1,)
    file.sql.execute("PRAGMA max_page_count = 1000000")
    again = list(target.append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in again] == [(Stored, 1), (Stored, 2)]
    assert file.one("SELECT count(*) FROM message") == (2,)


@pytest.mark.usefixtures("unhurried")
def test_some_batches_are_committed_together_and_told_when_they_are_on_the_disk(file: ArchiveFile) -> None:
    target, order = ArchiveTarget(file), list[str]()
    folder = target.ensure_folder(("INBOX",), None)

    def batches() -> Iterator[Batch]:
        for uid in range(1, 8):
            order.append(f"made {uid}")
            yield Batch(folder, parcels(uid, noise=appending.TRANSACTION_OCTETS // 3))

    file.sql.set_trace_callback(lambda statement: order.append("commit") if statement == "COMMIT" else None)
    for result in target.append(batches(), may_commit=lambda: True):
        order.append(f"told {result.parcel.entry}")
    file.sql.set_trace_callback(None)
    assert [step for step in order if step == "commit"] == ["commit"] * 3
    assert [step for step in order if step.startswith("told")] == [f"told {uid}" for uid in range(1, 8)]
    commits = [at for at, step in enumerate(order) if step == "commit"]
    assert order.index("made 3") < commits[0] < order.index("told 1")
    assert order.index("made 6") < commits[1] < order.index("told 4")
    assert order.index("made 7") < commits[2] < order.index("told 7")
    assert file.one("SELECT count(*) FROM message") == (7,)


@pytest.mark.usefixtures("slow_clock")
def test_what_a_slow_source_delivers_is_committed_batch_by_batch(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)

    def batches() -> Iterator[Batch]:
        for uid in range(1, 4):
            yield Batch(folder, parcels(uid))
            assert writer.reached.acquire(timeout=WITHIN)
            writer.may_go_on.release()
            _ = file.sql  # when that is done

    with Writer(file) as writer:
        assert len(list(target.append(batches(), may_commit=lambda: True))) == 3
    assert writer.commits == 3


@pytest.mark.usefixtures("slow_clock")
def test_what_comes_while_a_slow_disk_is_at_work_is_committed_together(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)

    def batches() -> Iterator[Batch]:
        yield Batch(folder, parcels(1))
        assert writer.reached.acquire(timeout=WITHIN)
        yield Batch(folder, parcels(2))
        yield Batch(folder, parcels(3))
        writer.may_go_on.release()
        writer.may_go_on.release()

    with Writer(file) as writer:
        assert len(list(target.append(batches(), may_commit=lambda: True))) == 3
    assert writer.commits == 2


@pytest.mark.usefixtures("unhurried")
def test_a_stop_leaves_nothing_of_a_transaction_and_says_so_of_each_message(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    results, raised = told(
        target.append([Batch(folder, parcels(1)), Batch(folder, parcels(2))], may_commit=lambda: False)
    )
    assert [(type(result), result.parcel.entry) for result in results] == [(Unsent, 1), (Unsent, 2)]
    assert isinstance(raised, Stopped)
    assert file.one("SELECT count(*) FROM message") == (0,)


@pytest.mark.usefixtures("unhurried")
def test_a_batch_for_which_there_is_no_room_costs_none_of_those_before_it(file: ArchiveFile) -> None:
    full = NoRoom("1 MB are lacking")

    def fits(octets: int) -> None:
        if octets > 200_000:
            raise full

    target = ArchiveTarget(file, fits)
    folder = target.ensure_folder(("INBOX",), None)
    batches = [Batch(folder, parcels(uid, noise=90_000)) for uid in (1, 2, 3)]
    results, raised = told(target.append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, 1), (Stored, 2)]
    assert raised is full
    assert file.one("SELECT count(*) FROM message") == (2,)


def refused_at_commit(file: ArchiveFile, *, when: str) -> None:
    """From now on SQLite refuses, when it is committed, each transaction with such a new message."""
    file.sql.execute("PRAGMA foreign_keys = ON")
    with file.writing() as sql:
        sql.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
        sql.execute("CREATE TABLE other (one REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)")
        sql.execute(f"CREATE TRIGGER late AFTER INSERT ON message WHEN {when} BEGIN INSERT INTO other VALUES (7); END")


@pytest.mark.usefixtures("one_by_one")
def test_a_commit_that_fails_behind_the_caller_is_told_and_rolled_back(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    refused_at_commit(file, when="(SELECT count(*) FROM message) = 3")
    batches = [Batch(folder, parcels(uid)) for uid in range(1, 7)]
    results, raised = told(target.append(batches, may_commit=lambda: True))
    assert [(type(result), result.parcel.entry) for result in results] == [(Stored, 1), (Stored, 2)]
    assert isinstance(raised, ArchiveDamaged)
    assert not file.sql.in_transaction
    assert file.one("SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM other)") == (2, 0)
    with file.writing() as sql:
        sql.execute("INSERT INTO one VALUES (7)")
    assert len(list(target.append(batches, may_commit=lambda: True))) == 6
    assert file.one("SELECT count(*) FROM message") == (6,)


def test_the_first_message_on_the_disk_is_far_from_older_ones_though_an_earlier_try_failed(file: ArchiveFile) -> None:
    """So that two copies of one archive that were both written to have no row in common (`storing.add_messages`)."""
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    list(target.append([Batch(folder, parcels(1, 2))], may_commit=lambda: True))
    older = file.one("SELECT max(id) FROM message")[0]
    target = ArchiveTarget(file)
    _, raised = told(target.append([Batch(folder, parcels(3))], may_commit=lambda: False))
    assert isinstance(raised, Stopped)
    results = list(target.append([Batch(folder, parcels(3)), Batch(folder, parcels(4))], may_commit=lambda: True))
    first, second = (result.key.uid for result in results if isinstance(result, Stored))
    assert first - older > 1_000_000
    assert second == first + 1


def test_a_transaction_of_ones_own_that_fails_is_rolled_back(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    target.ensure_folder(("INBOX",), None)
    refused_at_commit(file, when="1")
    with pytest.raises(ArchiveDamaged), file.writing() as sql:
        sql.execute("INSERT INTO other VALUES (7)")
    assert not file.sql.in_transaction
    assert file.one("SELECT count(*) FROM other") == (0,)


@pytest.mark.usefixtures("one_by_one")
def test_what_is_on_the_disk_already_is_not_counted_again_when_room_is_looked_for(file: ArchiveFile) -> None:
    asked = list[int]()
    target = ArchiveTarget(file, asked.append)
    folder = target.ensure_folder(("INBOX",), None)

    def batches() -> Iterator[Batch]:
        for uid in range(1, 6):
            yield Batch(folder, parcels(uid, noise=1000))
            _ = file.sql  # when all of it is on the disk

    sizes = [parcel.letter.size for uid in range(1, 6) for parcel in parcels(uid, noise=1000)]
    assert len(list(target.append(batches(), may_commit=lambda: True))) == 5
    assert asked == sizes


@pytest.mark.usefixtures("unhurried")
def test_an_archive_that_is_closed_in_the_middle_is_whole_and_free(tmp_path: Path) -> None:
    path = tmp_path / "anna.pwa"
    file = ArchiveFile(path, KEY, writable=True, create=True)
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    large = appending.TRANSACTION_OCTETS
    batches = [Batch(folder, parcels(uid, noise=large if uid == 1 else 10)) for uid in range(1, 6)]
    results = target.append(batches, may_commit=lambda: True)
    next(results)
    with pytest.raises(Defect, match="being appended"), file.writing():
        pass
    file.close()
    with ArchiveFile(path, KEY, writable=True) as again:
        assert again.one("SELECT count(*) FROM message") == (1,)
        with again.writing() as sql:
            sql.execute("DELETE FROM message")
    results.close()


@pytest.mark.usefixtures("slow_clock")
def test_a_batch_without_messages_is_none(file: ArchiveFile) -> None:
    target = ArchiveTarget(file)
    folder = target.ensure_folder(("INBOX",), None)
    batches = [Batch(folder, []), Batch(folder, parcels(1)), Batch(folder, [])]
    assert [result.parcel.entry for result in target.append(batches, may_commit=lambda: True)] == [1]
    assert not file.sql.in_transaction


def test_many_changes_of_flags_are_committed_together_and_told_when_they_are_on_the_disk(file: ArchiveFile) -> None:
    target, order = ArchiveTarget(file), list[str]()
    folder, count = target.ensure_folder(("INBOX",), None), 2 * CHANGES_AT_ONCE + 1
    stored = target.append([Batch(folder, parcels(*range(1, count + 1)))], may_commit=lambda: True)
    keys = [result.key for result in stored if isinstance(result, Stored) and result.key is not None]
    changes = [FlagChange(key, frozenset({"\\Seen"}), frozenset()) for key in [*keys, MessageKey(1, 99_999_999)]]
    file.sql.set_trace_callback(lambda statement: order.append(statement) if statement == "COMMIT" else None)
    for change, there in target.change_flags(folder, changes):
        assert there == (change.key in keys)
        order.append("told")
    file.sql.set_trace_callback(None)
    first, rest = ["COMMIT", *["told"] * CHANGES_AT_ONCE], ["COMMIT", "told", "told"]
    assert order == first + first + rest
    rows = [row for page in target.listing(folder) for row in page.rows]
    assert [row.flags for row in rows] == [{"\\Seen"}] * count
