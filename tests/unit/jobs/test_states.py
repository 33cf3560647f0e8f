"""The table of states: every event in every state either moves the job by the table, or is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from migrator.db.models import Job, JobEventRow
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import Defect
from migrator.jobs import lease, operations
from migrator.jobs.diagram import job_states_markdown
from migrator.jobs.operations import WrongState
from migrator.jobs.states import ENDED, MEANING, TRANSITIONS, JobEvent, JobState, after
from migrator.settings import Settings
from tests.making import NOW, job, row

PAIRS = list(itertools.product(JobState, JobEvent))
ASK = {
    JobEvent.PAUSE: operations.pause,
    JobEvent.RESUME: operations.resume,
    JobEvent.CANCEL: operations.cancel,
    JobEvent.RETRY: operations.retry,
}


@pytest.fixture
def job_id(database: Database, vault: Vault, settings: Settings) -> int:
    return job(database, vault, settings)


@pytest.mark.parametrize("state, event", PAIRS)
def test_each_event_moves_by_the_table_with_one_row_of_history_or_is_refused_without_any(
    state: JobState, event: JobEvent, database: Database, job_id: int
) -> None:
    def fire() -> bool:
        with database.writing() as session:
            found = session.get_one(Job, job_id)
            found.state = state
            session.flush()
            session.query(JobEventRow).delete()
            return lease.move(session, found, event, NOW, fence=found.fence, actor="test", values={})

    if (state, event) not in TRANSITIONS:
        with pytest.raises(Defect):
            fire()
        return
    assert fire()
    assert row(database, job_id).state == TRANSITIONS[state, event] == after(state, event)
    with database.reading() as session:
        (history,) = session.query(JobEventRow)
        assert (history.name, history.from_state, history.to_state) == (event, state, TRANSITIONS[state, event])


@pytest.mark.parametrize("state, event", [pair for pair in PAIRS if pair[1] in ASK])
def test_what_a_person_asks_for_moves_by_the_same_table(
    state: JobState, event: JobEvent, database: Database, vault: Vault, settings: Settings
) -> None:
    """A running job here is one whose worker is dead; a live one is only left a wish (test_operations)."""
    asked = job(database, vault, settings, state=state)
    expected = after(state, event)
    if expected is None:
        with pytest.raises(WrongState) as caught:
            ASK[event](database, asked, actor="anna")
        assert caught.value.state == state
        assert row(database, asked).state == state
    else:
        assert ASK[event](database, asked, actor="anna") == expected == row(database, asked).state


def test_nothing_leads_out_of_a_state_that_is_the_end_and_something_out_of_every_other() -> None:
    assert {state for state in JobState if not any(state == before for before, _ in TRANSITIONS)} == ENDED


def test_every_state_can_be_reached_and_is_explained() -> None:
    assert {*TRANSITIONS.values(), JobState.QUEUED} == set(JobState) == set(MEANING)


def test_docs_job_states_is_what_the_table_says() -> None:
    document = Path(__file__).resolve().parents[3] / "docs" / "job-states.md"
    assert document.read_text(encoding="utf-8") == job_states_markdown(), "run: make docs"
