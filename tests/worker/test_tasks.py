"""The tasks themselves, without processes: what they do when the broker is away, or has enough."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

import pytest

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs.states import JobState
from migrator.settings import Settings
from tests.making import row
from worker import queue, tasks
from worker.app import make_app
from worker.tasks import Place

Make = Callable[..., int]


@pytest.fixture
def _no_broker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A broker whose port nobody listens on."""
    app = make_app(dataclasses.replace(settings, broker_url="redis://127.0.0.1:1/0"))
    monkeypatch.setattr(queue, "_app", lambda: app)
    yield
    app.close()


@pytest.fixture(autouse=True)
def _here(settings: Settings, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "place", lambda: Place(settings, database, vault, "test"))


@pytest.mark.usefixtures("_no_broker")
def test_enqueue_neither_raises_nor_waits_when_the_broker_is_away() -> None:
    began = time.monotonic()
    queue.enqueue(1)
    assert time.monotonic() - began < 2
    assert queue.waiting() == 0


@pytest.mark.usefixtures("_no_broker")
def test_a_sweep_without_broker_marks_nothing_so_the_next_one_finds_the_same(make: Make, database: Database) -> None:
    lost = [make("quick", dispatched_at=None), make("twice", dispatched_at=None)]
    assert tasks.sweep() == 0
    assert [row(database, job_id).dispatched_at for job_id in lost] == [None, None]


def test_a_sweep_adds_nothing_to_a_queue_that_is_long_enough(
    make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks, "send", lambda job_id, _node: sent.append(job_id) or True)
    lost = make("quick", dispatched_at=None)
    monkeypatch.setattr(tasks, "waiting", lambda _node: tasks.ENOUGH)
    assert (tasks.sweep(), sent) == (0, [])
    monkeypatch.setattr(tasks, "waiting", lambda _node: 0)
    assert (tasks.sweep(), sent) == (1, [lost])
    assert row(database, lost).dispatched_at is not None


def test_while_a_storage_node_is_away_its_queue_does_not_grow_without_end(
    make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: dict[str, list[int]] = {"away": [1] * (tasks.ENOUGH - 2), "here": []}
    left = [(number, "away") for number in range(500)] + [(500, "here")]
    monkeypatch.setattr(tasks.keeping, "tick", lambda *_: left)
    monkeypatch.setattr(tasks, "waiting", lambda node: len(queues[node]))
    monkeypatch.setattr(tasks, "send", lambda number, node, *, task: queues[node].append(number) or True)
    for _ in range(3):
        assert tasks.keep() == 501
    assert (len(queues["away"]), queues["here"]) == (tasks.ENOUGH, [500] * 3)


def test_tidy_wipes_what_has_been_at_rest_for_too_long(
    make: Make, database: Database, settings: Settings, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("quick", state=JobState.FAILED)
    assert tasks.tidy() == 0
    monkeypatch.setattr(
        tasks, "place", lambda: Place(dataclasses.replace(settings, keep_credentials_days=0), database, vault, "test")
    )
    assert tasks.tidy() == 1


def test_no_task_takes_anything_but_a_number() -> None:
    from inspect import signature

    ours = {name: task for name, task in tasks.app.tasks.items() if name.startswith("postwagen.")}
    assert set(ours) == {f"postwagen.{name}" for name in ("run_slice", "sweep", "keep", "clear", "tidy")}
    for task in ours.values():
        assert [parameter.annotation for parameter in signature(task.run).parameters.values()] in ([], ["int"])


def test_the_application_takes_no_pickles_keeps_no_results_and_leaves_logging_alone(settings: Settings) -> None:
    conf = make_app(settings).conf
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert (conf.result_backend, conf.task_ignore_result, conf.task_acks_late) == (None, True, False)
    assert (conf.worker_hijack_root_logger, conf.worker_redirect_stdouts) == (False, False)
