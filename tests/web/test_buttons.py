"""Every button that a job's page shows does what it says, in every state; what it does not show is not possible."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from migrator.db.models import Job
from migrator.db.store import Database
from migrator.jobs.states import JobState
from tests.web.conftest import Browser

pytestmark = pytest.mark.slow

S = JobState
ACTIONS = ("pause", "resume", "cancel", "retry")
FAR = datetime(2100, 1, 1, tzinfo=UTC)
OFFERED: dict[tuple[JobState, str], dict[str, tuple[str, str]]] = {
    # state, wish → button → state, wish afterwards
    (S.QUEUED, ""): {"pause": ("paused", ""), "cancel": ("cancelled", "")},
    (S.RUNNING, ""): {"pause": ("running", "pause"), "cancel": ("running", "cancel")},
    (S.RUNNING, "pause"): {"resume": ("running", ""), "cancel": ("running", "cancel")},
    (S.RUNNING, "cancel"): {},
    (S.PAUSED, ""): {"resume": ("queued", ""), "cancel": ("cancelled", "")},
    (S.BLOCKED, ""): {"retry": ("queued", ""), "cancel": ("cancelled", "")},
    (S.INCOMPLETE, ""): {"retry": ("queued", ""), "cancel": ("cancelled", "")},
    (S.FAILED, ""): {"retry": ("queued", ""), "cancel": ("cancelled", "")},
    (S.SUCCEEDED, ""): {},
    (S.CANCELLED, ""): {},
}
PLACES = [pytest.param(place, id="-".join(filter(None, place))) for place in OFFERED]
Make = Callable[..., int]


def error(code: str) -> dict[str, str]:
    return {"code": code, "message": "", "remedy": "", "detail": "", "end": "target"}


def job_in(make: Make, place: tuple[JobState, str]) -> int:
    state, wish = place
    more = {"error": error("host_unknown")} if state in (S.BLOCKED, S.FAILED) else {}
    return make(state=state, wish=wish, lease_until=FAR if state is S.RUNNING else None, **more)


def forms(page: str) -> list[tuple[str, dict[str, str]]]:
    """Action and hidden fields of every form of the job's page."""
    found = []
    for action, inside in re.findall(
        r'<form[^>]*method="post"[^>]*action="(/jobs/[^"]+)"[^>]*>(.*?)</form>', page, re.DOTALL
    ):
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside)
        fields += [(name, "typed anew") for name in re.findall(r'name="(\w+)" type="password"', inside)]
        found.append((action.rpartition("/")[2], {name: html.unescape(value) for name, value in fields}))
    return found


def now(database: Database, job_id: int) -> tuple[str, str]:
    with database.reading() as session:
        row = session.get_one(Job, job_id)
        return row.state, row.wish


@pytest.mark.parametrize("place", PLACES)
def test_every_button_that_is_shown_works(
    staff: Browser, make: Make, database: Database, place: tuple[JobState, str]
) -> None:
    shown = forms(staff.get(f"/jobs/{job_in(make, place)}").text)
    offered = {name for name, _ in shown} & set(ACTIONS)
    assert offered == set(OFFERED[place])
    for name, afterwards in OFFERED[place].items():
        job_id = job_in(make, place)
        page = staff.get(f"/jobs/{job_id}").text
        for action, fields in forms(page):
            if action == name:
                answer = staff.client.post(f"/jobs/{job_id}/{action}", data=fields)
                break
        assert answer.location == f"/jobs/{job_id}"
        assert now(database, job_id) == afterwards, name
        assert 'class="flash is-done"' in staff.get(answer.location).text


@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_shown_is_refused_and_changes_nothing(
    staff: Browser, make: Make, database: Database, queue: list[int], place: tuple[JobState, str]
) -> None:
    state, wish = place
    for name in ACTIONS:
        if name in OFFERED[place] or (state is S.RUNNING and name in ("pause", "cancel", "resume")):
            continue  # asking a running job twice is no error
        job_id = job_in(make, place)
        staff.post(f"/jobs/{job_id}/{name}")
        assert now(database, job_id) == (state, wish), name
        assert "That is not possible now" in staff.get(f"/jobs/{job_id}").text
    assert queue == []


@pytest.mark.parametrize(
    ("code", "action", "fields"),
    [
        ("login_refused", "password", {"target"}),
        ("credentials_wiped", "password", {"target"}),
        ("folder_recreated", "retry", {"recreated"}),
        ("target_full", "retry", set()),
        ("host_unknown", "retry", set()),
        ("tls_untrusted", "retry", set()),
    ],
)
def test_every_button_of_an_error_leads_on(
    staff: Browser, make: Make, database: Database, queue: list[int], code: str, action: str, fields: set[str]
) -> None:
    """Each form of the error's card, pressed on a job of its own."""
    first = staff.get(f"/jobs/{make(state=S.BLOCKED, error=error(code))}").text
    number = len([name for name, _ in card_forms(first)])
    assert number >= 1, code
    assert action in {name for name, _ in card_forms(first)}
    for place in range(number):
        job_id = make(state=S.BLOCKED, error=error(code))
        name, sent = card_forms(staff.get(f"/jobs/{job_id}").text)[place]
        if name == action and fields:
            assert fields <= set(sent)
        staff.client.post(f"/jobs/{job_id}/{name}", data=sent)
        assert now(database, job_id) == ("queued", ""), (code, name)
        assert queue[-1] == job_id


def card_forms(page: str) -> list[tuple[str, dict[str, str]]]:
    return forms(page.partition('id="error"')[2].partition("</section>")[0])


@pytest.mark.parametrize("code", ["folder_recreated", "target_full", "defect"])
def test_one_way_on_is_offered_once(staff: Browser, make: Make, code: str) -> None:
    """Beside "replay or keep" a bare "retry" would only lead to the same question again."""
    page = staff.get(f"/jobs/{make(state=S.BLOCKED, error=error(code))}").text
    retries = [fields.get("recreated", "") for name, fields in forms(page) if name == "retry"]
    assert retries == (["replay", "keep"] if code == "folder_recreated" else [""])


def test_links_for_customers_can_be_made_and_revoked_in_every_state(staff: Browser, make: Make) -> None:
    for place in OFFERED:
        job_id = job_in(make, place)
        names = [name for name, _ in forms(staff.get(f"/jobs/{job_id}").text)]
        assert names.count("link") == names.count("revoke") == 1, place


def test_an_ended_job_can_be_done_once_more_with_the_same_details(staff: Browser, make: Make) -> None:
    for state in (S.SUCCEEDED, S.CANCELLED):
        job_id = make(state=state)
        assert f'href="/jobs/new?like={job_id}"' in staff.get(f"/jobs/{job_id}").text
        assert 'value="mail.old.example"' in staff.get(f"/jobs/new?like={job_id}").text
