"""The list of jobs and the page of one job: what they say in every state, and what a poll brings."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from migrator.db.models import Job
from migrator.db.store import Database
from migrator.jobs.states import JobState
from tests.web.conftest import Browser
from tests.web.gallery import Gallery

pytestmark = pytest.mark.slow

STATES = [
    "running", "blocked", "full", "recreated", "certificate", "failed", "incomplete", "counting", "waiting", "queued",
    "paused", "succeeded", "cancelled", "verified", "proven",
]  # fmt: skip


def versions(page: str) -> list[str]:
    return re.findall(r'class="v" name="v" value="([^"]+)"', page)


def words(page: str) -> str:
    """What a person reads: `<main>` without tags."""
    main = page.partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


# ---- the list ------------------------------------------------------------------------------------------------------


def test_without_jobs_the_list_says_what_to_do_first(staff: Browser) -> None:
    page = staff.get("/jobs").text
    assert "No mailbox is moving yet" in page
    assert 'href="/jobs/new"' in page


def test_what_needs_a_person_stands_on_top(viewer: Browser) -> None:
    page = words(viewer.get("/jobs").text)
    order = [page.index(f"{word} {count}") for word, count in (("Needs somebody", 7), ("Running", 2), ("Waiting", 3))]
    assert order == sorted(order)
    assert "imap.kanzlei-brandt.example does not accept user name and password" in page
    assert "about 11 minutes left" in page


def test_the_list_can_be_searched_and_filtered_by_its_address(viewer: Browser) -> None:
    found = viewer.get("/jobs?q=optik").text
    assert "praxis@optik-hansen.example" in found
    assert "mueller-soehne" not in found
    needs = viewer.get("/jobs?view=needs").text
    assert 'aria-current="page"><span>' in needs
    assert "mueller-soehne" not in needs
    assert "Nothing found for “nobody”" in viewer.get("/jobs?q=nobody").text


def test_when_nobody_is_needed_that_is_good_news(staff: Browser, make: Callable[..., int]) -> None:
    make()
    assert "Nobody has to do anything" in staff.get("/jobs?view=needs").text


def test_what_is_searched_for_is_shown_as_text(viewer: Browser) -> None:
    assert "<script>alert" not in viewer.get("/jobs", query_string={"q": "<script>alert(1)</script>"}).text


def test_a_long_list_has_pages(staff: Browser, make: Callable[..., int]) -> None:
    for number in range(52):
        make(f"user{number}@example.org")
    first = staff.get("/jobs?view=waiting").text
    assert first.count("<tr id=") == 50
    following = re.search(r'href="(/jobs\?[^"]*cursor=[^"]+)"', first)
    assert following
    assert staff.get(html.unescape(following.group(1))).text.count("<tr id=") == 2


def test_a_cursor_that_is_none_of_ours_shows_the_first_page(staff: Browser, make: Callable[..., int]) -> None:
    make()
    answer = staff.get("/jobs?view=waiting&cursor=%FF%FF")
    assert (answer.status_code, answer.location) == (303, "/jobs")


def test_a_poll_of_the_list_brings_only_rows_that_changed(viewer: Browser, shown: Gallery, database: Database) -> None:
    seen = versions(viewer.get("/jobs").text)
    with database.writing() as session:
        session.get_one(Job, shown.jobs["queued"]).wish = "pause"
    answer = viewer.live("/jobs/live", query_string={"v": seen}).text
    assert re.findall(r'<template><tr id="(job-\d+)"', answer) == [f"job-{shown.jobs['queued']}"]
    assert 'id="views"' not in answer


# ---- one job -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", STATES)
def test_every_job_has_a_page_in_both_languages(viewer: Browser, shown: Gallery, name: str, language: str) -> None:
    viewer.headers = {"Accept-Language": language}
    answer = viewer.get(f"/jobs/{shown.jobs[name]}")
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert len(re.findall(r'class="btn primary"', answer.text)) <= 1, "one primary button per page"
    assert "Geheim-4711" not in answer.text


@pytest.mark.parametrize("name", STATES)
def test_a_hundred_percent_stand_only_where_all_is_done(viewer: Browser, shown: Gallery, name: str) -> None:
    page = viewer.get(f"/jobs/{shown.jobs[name]}").text
    figure = re.search(r'<p class="huge">([\d.]+)<small>', page)
    assert figure
    assert (figure.group(1) == "100") == (name in ("succeeded", "proven"))


def test_the_numbers_are_those_of_the_readers_country(viewer: Browser, shown: Gallery) -> None:
    path = f"/jobs/{shown.jobs['running']}"
    assert "43,118" in viewer.get(path).text
    viewer.headers = {"Accept-Language": "de-DE,de;q=0.9"}
    page = viewer.get(path).text
    assert "43.118" in page
    assert "12,3\N{NO-BREAK SPACE}GB" in page
    viewer.headers = {"Accept-Language": "de-CH"}
    assert "43’118" in viewer.get(path).text


def test_the_sum_adds_up(viewer: Browser, shown: Gallery) -> None:
    page = viewer.get(f"/jobs/{shown.jobs['running']}").text
    block = page.partition('class="sum"')[2].partition("</dl>")[0]
    found, *parts = (int(text.replace(",", "")) for text in re.findall(r"<dd>([\d,]+)</dd>", block))
    assert found == sum(parts) == 43_118


def test_an_error_says_what_happened_what_it_means_what_helps_and_folds_the_rest(
    viewer: Browser, shown: Gallery
) -> None:
    page = viewer.get(f"/jobs/{shown.jobs['certificate']}").text
    card = page.partition('id="error"')[2].partition("</section>")[0]
    assert "The certificate of imap.fahrrad-wenzel.example is not valid at this time" in card
    assert "No password was sent." in card
    assert "Try again" in card
    assert "<details" in card.partition("certificate has expired (_ssl.c:992)")[0]


def test_a_wrong_password_is_typed_in_its_place(viewer: Browser, shown: Gallery) -> None:
    card = viewer.get(f"/jobs/{shown.jobs['blocked']}").text.partition('id="error"')[2].partition("</section>")[0]
    assert "Password of info@kanzlei-brandt.example at imap.kanzlei-brandt.example" in html.unescape(card)
    assert card.count('type="password"') == 1


def test_a_recreated_folder_asks_for_one_of_two_answers(viewer: Browser, shown: Gallery) -> None:
    card = viewer.get(f"/jobs/{shown.jobs['recreated']}").text.partition('id="error"')[2].partition("</section>")[0]
    assert re.findall(r'name="recreated" value="(\w+)"', card) == ["replay", "keep"]


def test_a_job_that_waits_says_until_when(viewer: Browser, shown: Gallery) -> None:
    page = words(viewer.get(f"/jobs/{shown.jobs['waiting']}").text)
    assert "imap.gmail.com asked us to wait" in page
    assert re.search(r"The job continues by itself at \d\d:\d\d\.", page)


def test_a_comparison_shows_its_differences(viewer: Browser, shown: Gallery) -> None:
    page = words(viewer.get(f"/jobs/{shown.jobs['verified']}").text)
    assert "3 differences" in page
    assert "missing on the new server" in page
    assert "only on the new server" in page


def test_names_from_mail_servers_are_shown_as_text(viewer: Browser, shown: Gallery, database: Database) -> None:
    from migrator.db.models import JobFolder

    with database.writing() as session:
        folder = session.query(JobFolder).filter_by(job_id=shown.jobs["running"]).first()
        assert folder
        folder.source_name = folder.target_name = "<img src=x onerror=alert(1)>\"'&{{ 7*7 }}"
    page = viewer.get(f"/jobs/{shown.jobs['running']}").text
    assert "<img" not in page
    assert "{{ 7*7 }}" in page


def test_the_plots_can_be_read_without_javascript(viewer: Browser, shown: Gallery) -> None:
    page = viewer.get(f"/jobs/{shown.jobs['running']}").text
    assert re.search(r'<path class="line" d="M[\d. L]+"/>', page)
    assert 'aria-label="Throughput since' in page
    assert '<path class="shade"' in page
    assert '<path class="guess"' in page


# ---- live ----------------------------------------------------------------------------------------------------------


def test_a_poll_brings_nothing_when_nothing_has_changed(viewer: Browser, shown: Gallery) -> None:
    path = f"/jobs/{shown.jobs['paused']}"
    answer = viewer.live(f"{path}/live", query_string={"v": versions(viewer.get(path).text)})
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_poll_brings_the_parts_that_changed_and_the_percentage(
    viewer: Browser, shown: Gallery, database: Database
) -> None:
    from migrator.db.models import JobFolder

    path = f"/jobs/{shown.jobs['running']}"
    seen = versions(viewer.get(path).text)
    with database.writing() as session:
        folder = session.query(JobFolder).filter_by(job_id=shown.jobs["running"], source_name="Lieferanten").one()
        folder.copied, folder.octets, folder.state = 5_480, folder.octets_found, "done"
    answer = viewer.live(f"{path}/live", query_string={"v": seen}).text
    changed = set(re.findall(r'id="(\w+)" hx-swap-oob="true"', answer))
    assert {"progress", "folders"} <= changed
    assert not changed & {"head", "failures", "connection", "history", "notes", "error"}
    assert re.search(r"<title>\d\d % · Copy: verkauf@", answer)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("running", 2), ("queued", 4), ("paused", 20), ("blocked", 20), ("succeeded", 0), ("cancelled", 0),
     ("incomplete", 0), ("failed", 0)],
)  # fmt: skip
def test_a_page_asks_as_often_as_something_can_change_and_stops_at_the_end(
    viewer: Browser, shown: Gallery, name: str, seconds: int
) -> None:
    found = re.findall(r'hx-trigger="every (\d+)s"', viewer.get(f"/jobs/{shown.jobs[name]}").text)
    assert found == ([str(seconds)] if seconds else [])


def test_without_javascript_a_running_job_refreshes_itself(viewer: Browser, shown: Gallery) -> None:
    refresh = '<noscript><meta http-equiv="refresh"'
    assert refresh in viewer.get(f"/jobs/{shown.jobs['running']}").text
    assert refresh not in viewer.get(f"/jobs/{shown.jobs['succeeded']}").text


# ---- actions -------------------------------------------------------------------------------------------------------


def state(database: Database, job_id: int) -> str:
    with database.reading() as session:
        return session.get_one(Job, job_id).state


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("queued", "pause", "paused"), ("paused", "resume", "queued"), ("failed", "retry", "queued"),
        ("incomplete", "retry", "queued"), ("blocked", "retry", "queued"), ("queued", "cancel", "cancelled"),
        ("blocked", "cancel", "cancelled"),
    ],
)  # fmt: skip
def test_actions_change_the_job_and_tell_a_worker(
    staff: Browser, make: Callable[..., int], database: Database, queue: list[int], before: str, action: str, after: str
) -> None:
    job_id = make(state=JobState(before))
    answer = staff.post(f"/jobs/{job_id}/{action}")
    assert (answer.status_code, answer.location) == (303, f"/jobs/{job_id}")
    assert state(database, job_id) == after
    assert queue == ([job_id] if after == "queued" else [])
    assert 'class="flash is-done"' in staff.get(answer.location).text


def test_a_running_job_is_asked_and_says_so(
    staff: Browser, make: Callable[..., int], database: Database, queue: list[int]
) -> None:
    job_id = make(state=JobState.RUNNING, lease_until=datetime(2100, 1, 1, tzinfo=UTC))
    staff.post(f"/jobs/{job_id}/pause")
    page = staff.get(f"/jobs/{job_id}").text
    assert "is being paused" in page
    assert f"/jobs/{job_id}/resume" in page
    assert (state(database, job_id), queue) == ("running", [])


@pytest.mark.parametrize(("before", "action"), [("succeeded", "pause"), ("cancelled", "retry"), ("queued", "resume")])
def test_what_is_not_possible_now_is_said_with_the_state(
    staff: Browser, make: Callable[..., int], before: str, action: str
) -> None:
    job_id = make(state=JobState(before))
    staff.post(f"/jobs/{job_id}/{action}")
    assert "That is not possible now" in staff.get(f"/jobs/{job_id}").text


def test_only_what_is_possible_is_offered(viewer: Browser, shown: Gallery) -> None:
    def offered(name: str) -> set[str]:
        page = viewer.get(f"/jobs/{shown.jobs[name]}").text
        return set(re.findall(r'action="/jobs/\d+/(pause|resume|retry|cancel)"', page))

    assert offered("running") == offered("queued") == {"pause", "cancel"}
    assert offered("paused") == {"resume", "cancel"}
    assert offered("blocked") == offered("incomplete") == {"retry", "cancel"}
    assert offered("succeeded") == offered("cancelled") == set()


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry", "password", "link", "links/revoke"])
def test_actions_on_a_job_that_does_not_exist_are_not_found(staff: Browser, action: str) -> None:
    assert staff.post(f"/jobs/999/{action}", {"source": "x"}).status_code == 404


def test_an_action_without_the_forms_token_is_refused(staff: Browser, make: Callable[..., int]) -> None:
    answer = staff.client.post(f"/jobs/{make()}/cancel")
    assert answer.status_code == 400
    assert "This form is too old" in answer.text


def test_the_answer_to_replay_or_keep_goes_with_the_retry(
    staff: Browser, make: Callable[..., int], database: Database
) -> None:
    error = {"code": "folder_recreated", "message": "m", "remedy": "r", "end": "target"}
    job_id = make(state=JobState.BLOCKED, error=error)
    staff.post(f"/jobs/{job_id}/retry", {"recreated": "keep"})
    with database.reading() as session:
        assert session.get_one(Job, job_id).options == {"recreated": "keep"}


def test_a_new_password_is_stored_and_the_job_goes_on(
    staff: Browser, make: Callable[..., int], database: Database, queue: list[int]
) -> None:
    job_id = make(state=JobState.BLOCKED, error={"code": "login_refused", "message": "", "remedy": "", "end": "source"})
    staff.post(f"/jobs/{job_id}/password", {"source": "ganz-Neu-99"})
    assert (state(database, job_id), queue) == ("queued", [job_id])
    page = staff.get(f"/jobs/{job_id}").text
    assert "New password entered" in page
    assert "ganz-Neu-99" not in page


def test_wiped_passwords_are_asked_for(staff: Browser, make: Callable[..., int], database: Database) -> None:
    from migrator.jobs import operations

    job_id = make(state=JobState.FAILED, error={"code": "defect", "message": "", "remedy": ""})
    operations.wipe_credentials(database, job_id)
    assert staff.get(f"/jobs/{job_id}").text.count('type="password"') == 2
    staff.post(f"/jobs/{job_id}/retry")
    assert "were wiped on time" in staff.get(f"/jobs/{job_id}").text
    staff.post(f"/jobs/{job_id}/password", {"source": "a-new-one", "target": "b-new-one"})
    assert state(database, job_id) == "queued"


# ---- the customer's link -------------------------------------------------------------------------------------------


def test_a_customers_link_is_shown_once_and_works_until_it_is_revoked(
    staff: Browser, anybody: Browser, make: Callable[..., int]
) -> None:
    job_id = make()
    page = staff.post(f"/jobs/{job_id}/link").text
    found = re.search(r'value="http://localhost:8025(/status/[\w-]+)"', page)
    assert found
    assert anybody.get(found.group(1)).status_code == 200
    assert "/status/" not in staff.get(f"/jobs/{job_id}").text
    staff.post(f"/jobs/{job_id}/links/revoke")
    assert anybody.get(found.group(1)).status_code == 404


# ---- failures ------------------------------------------------------------------------------------------------------


def test_failures_are_listed_with_reason_and_answer(viewer: Browser, shown: Gallery) -> None:
    page = words(viewer.get(f"/jobs/{shown.jobs['running']}/failures").text)
    assert "12 messages on this page" in page
    assert "too large" in page
    assert "NO Message contains NUL characters" in page


def test_no_failures_are_good_news(staff: Browser, make: Callable[..., int]) -> None:
    assert "Not a single one" in staff.get(f"/jobs/{make()}/failures").text


def test_the_csv_is_never_calculated_by_a_spreadsheet_program(viewer: Browser, shown: Gallery) -> None:
    answer = viewer.get(f"/jobs/{shown.jobs['incomplete']}/failures.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.data.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 4
    assert rows[3][0] == "'=cmd|' /C calc'!A0"
    for row in rows:
        assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_dangerous_cells_become_text(cell: str) -> None:
    from web.spreadsheets import harmless

    assert harmless(cell) == f"'{cell}"
    assert harmless("Re: 1=1") == "Re: 1=1"


@pytest.mark.parametrize("cell", ["1/17", "03-2024", "1.2.2026", "12:30", "12E5", "007"])
def test_names_that_look_like_dates_stay_names(cell: str) -> None:
    from web.spreadsheets import harmless

    assert harmless(cell) == f"'{cell}"
    for other in ("0", "17", "84200000", "Archiv 2024", "2026-11-22T13:30:00+01:00", ""):
        assert harmless(other) == other


def test_a_german_spreadsheet_program_gets_semicolons(viewer: Browser, shown: Gallery) -> None:
    viewer.headers = {"Accept-Language": "de-DE"}
    text = viewer.get(f"/jobs/{shown.jobs['incomplete']}/failures.csv").data.decode("utf-8-sig")
    assert text.splitlines()[0].startswith("Ordner;Nachricht Nr.;Message-ID;Grund")
