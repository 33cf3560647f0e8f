"""Some batches are written to the disk while the next one is made ready; what goes wrong is said in its turn."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from migrator.archive import target as archive_target
from migrator.archive.file import ArchiveFile
from migrator.archive.target import ArchiveTarget
from migrator.errors import ArchiveDamaged, ConnectionLost, DiskFull, NoRoom, Stopped
from migrator.mail.messages import HEAD_OCTETS, MessageKey
from migrator.ports import Batch, Letter, Parcel, Stored, Unsent, Want
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
    monkeypatch.setattr(archive_target, "TRANSACTION_OCTETS", 0)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, only octets end a transaction."""
    monkeypatch.setattr(archive_target, "TRANSACTION_SECONDS", 1e9)


def parcels(*uids: int, noise: int = 0) -> Sequence[Parcel]:
    made = []
    for uid in uids:
        octets = mail(f"m{uid}") + random.Random(uid).randbytes(noise)
        want = Want("INBOX", MessageKey(1, uid), len(octets))
        made.append(Parcel(uid, Letter(want, octets[:HEAD_OCTETS], len(octets), lambda o=octets: iter((o,))), (), None))
    return made


@pytest.mark.usefixtures("one_by_one")
def test_the_next_batch_is_taken_while_the_one_before_is_being_committed(file: ArchiveFile) -> None:
    target, taken, order = ArchiveTarget(file), threading.Event(), list[str]()
    folder = target.ensure_folder(("INBOX",), None)

    def watch(statement: str) -> None:
        if statement == "COMMIT":
            order.append("committed" if taken.wait(WITHIN) else "committed before the next one was taken")
            taken.clear()

    def batches() -> Iterator[Batch]:
        yield Batch(folder, parcels(1))
        taken.set()
        yield Batch(folder, parcels(2))
        taken.set()

    file.sql.set_trace_callback(watch)
    results = [order.append("told") or result for result in target.append(batches(), may_commit=lambda: True)]
    file.sql.set_trace_callback(None)
    assert order == ["committed", "told", "committed", "told"]
    assert [type(result) for result in results] == [Stored, Stored]
    assert file.one("SELECT count(*) FROM message") == (2,)


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
            yield Batch(folder, parcels(uid, noise=archive_target.TRANSACTION_OCTETS // 3))

    file.sql.set_trace_callback(lambda statement: order.append("commit") if statement == "COMMIT" else None)
    for result in target.append(batches(), may_commit=lambda: True):
        order.append(f"told {result.parcel.entry}")
    file.sql.set_trace_callback(None)
    assert [step for step in order if step == "commit"] == ["commit"] * 3
    assert [step for step in order if step.startswith("told")] == [f"told {uid}" for uid in range(1, 8)]
    assert order.index("made 3") < order.index("commit") < order.index("told 1") < order.index("made 5")
    assert file.one("SELECT count(*) FROM message") == (7,)


def test_what_a_slow_source_delivers_is_committed_batch_by_batch(
    file: ArchiveFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(float(second) for second in range(1000))
    monkeypatch.setattr(archive_target.time, "monotonic", lambda: next(now))
    target, commits = ArchiveTarget(file), list[str]()
    folder = target.ensure_folder(("INBOX",), None)
    file.sql.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
    results = list(target.append([Batch(folder, parcels(uid)) for uid in (1, 2, 3)], may_commit=lambda: True))
    file.sql.set_trace_callback(None)
    assert len(commits) == len(results) == 3


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


def test_a_commit_that_fails_behind_the_caller_is_told_and_rolled_back(file: ArchiveFile) -> None:
    file.sql.execute("PRAGMA foreign_keys = ON")
    with file.writing() as sql:
        sql.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
        sql.execute("CREATE TABLE other (one REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)")
    with file.writing(behind=True) as sql:
        sql.execute("INSERT INTO other VALUES (7)")  # refused when it is committed
    with pytest.raises(ArchiveDamaged):
        file.landed()
    assert not file.landed()
    with file.writing() as sql:
        sql.execute("INSERT INTO one VALUES (7)")
    assert file.one("SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM other)") == (1, 0)
