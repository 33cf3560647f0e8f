"""Jobs with archives: ordering a pass, the advice before it, and what their pages say to staff and to customers."""

from __future__ import annotations

import html
import re
from types import SimpleNamespace

import pytest
from flask import Flask

from migrator.db.models import Archive, Endpoint, Job
from migrator.db.store import Database
from migrator.errors import LoginRefused
from migrator.jobs.states import JobKind, JobState
from migrator.planning.advice import Note, Track
from tests.web.archived import WISH
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from tests.web.test_job_pages import words
from tests.web.test_texts import both
from web.texts import advice as advice_texts
from web.texts import customer as customer_texts

pytestmark = pytest.mark.slow

SECRET = "Sehr-Geheim-4711"
PASS = {"do": "archive", "what": "archive", "source.user": "verkauf@mueller.example", "source.security": "tls",
        "source.host": "imap.old.example", "source.password": SECRET}  # fmt: skip
OF_ARCHIVES = [
    "archived",
    "archiving",
    "broken",
    "removed",
    "playing in",
    "played in",
    "checking",
    "checked",
    "no room",
]


def only(database: Database) -> tuple[Job, Archive]:
    with database.reading() as session:
        job = session.query(Job).one()
        return job, session.get_one(Archive, session.get_one(Endpoint, job.target_id).archive_id)


# ---- ordering a pass -----------------------------------------------------------------------------------------------


def test_the_form_asks_what_is_to_be_done(staff: Browser) -> None:
    assert re.search(r'id="do-copy" checked', staff.get("/jobs/new").text)
    page = staff.get("/jobs/new?do=archive").text
    assert re.search(r'id="do-archive" checked', page)
    assert 'href="/jobs/new?do=archive"' in staff.get("/jobs").text


def test_a_pass_is_ordered_without_a_new_server(staff: Browser, database: Database, queue: list[int]) -> None:
    answer = staff.post("/jobs/new", {**PASS, "under": "Alt", "max_mb": "25", "connections": "2"})
    job, archive = only(database)
    assert (answer.status_code, answer.location, queue) == (303, f"/jobs/{job.id}", [job.id])
    assert (job.kind, job.options) == ("archive", {})
    assert (archive.address, archive.every_hours) == ("verkauf@mueller.example", None)


def test_schedule_and_policy_go_with_the_pass(staff: Browser, database: Database) -> None:
    more = {"keep.rhythm": "nightly", "keep.leave": "30", "keep.leave_wish": "Frau Weber, 3. Mai"}
    staff.post("/jobs/new", {**PASS, "source.security": "pop3-tls", **more})
    _job, archive = only(database)
    assert (archive.every_hours, archive.window_from, archive.leave_days) == (24, 0, 30)
    assert archive.leave_wish.startswith("Frau Weber, 3. Mai (recorded by ")


@pytest.mark.parametrize("htmx", [True, False])
def test_what_is_missing_is_said_and_the_choice_stays(staff: Browser, queue: list[int], htmx: bool) -> None:
    form = {**PASS, "source.host": "", "keep.leave": "14", "keep.leave_wish": ""}
    answer = staff.post("/jobs/new", form, htmx=htmx)
    assert "Please fill this in." in answer.text
    assert "Only over POP3 can mail be deleted at the old server." in answer.text
    assert "New server: server" not in answer.text
    assert SECRET not in answer.text
    if not htmx:
        assert re.search(r'id="do-archive" checked', answer.text)
        assert re.search(r'name="keep.leave" value="14" checked', answer.text)
    assert queue == []


def test_a_pass_like_another_one(keeper: Browser, stored: Gallery) -> None:
    page = keeper.get(f"/jobs/new?like={stored.jobs['archived']}").text
    assert re.search(r'id="do-archive" checked', page)
    assert 'value="imap.mueller-bau.example"' in page
    answer = keeper.get(f"/jobs/new?like={stored.jobs['played in']}")
    assert (answer.status_code, answer.location) == (303, f"/archives/{stored.archives['kept']}/play-in")


# ---- advice --------------------------------------------------------------------------------------------------------


def after_test(staff: Browser, **changes: str) -> str:
    return html.unescape(staff.post("/jobs/new/check/source", {**PASS, **changes}, htmx=True).text)


def test_after_a_test_the_way_is_advised_in_plain_words(staff: Browser) -> None:
    page = after_test(staff)
    assert "Advice: Archive before the domain moves, play in afterwards" in page
    assert "14,206 messages in the inbox, 12 more folders with mail" in page
    assert "Does a program still fetch this mailbox by POP3?" in page
    assert "POP3 shows fewer messages in the inbox" in page
    by_pop3 = after_test(staff, **{"source.security": "pop3-tls"})
    assert "Advice: Collect the inbox by POP3" in by_pop3
    assert "No IMAP server was found" not in by_pop3, "it was not tried"


def test_the_answer_about_pop3_changes_the_notes_and_costs_no_login(
    staff: Browser, monkeypatch: pytest.MonkeyPatch, app: Flask
) -> None:
    doors = re.search(r'name="source.doors" value="([^"]+)"', after_test(staff))
    assert doors

    def never(*_args: object, **_more: object) -> None:
        raise AssertionError("the server is asked again")

    services = app.extensions["postwagen"]
    fakes = {name: getattr(services, name) for name in ("settings", "db", "vault", "enqueue")}
    monkeypatch.setitem(app.extensions, "postwagen", type(services)(**fakes, probe=never, advise=never))
    form = {**PASS, "source.doors": doors.group(1)}
    notes = {answer: staff.post("/jobs/new/advice", {**form, "source.pop3": answer}, htmx=True).text
             for answer in ("yes", "no", "")}  # fmt: skip
    assert "behaves strangely" in notes["yes"]
    assert "may download again" in notes["yes"]
    assert "behaves strangely" not in notes["no"] + notes[""]
    assert 'value="yes" checked' in notes["yes"]
    whole = staff.post("/jobs/new/advice", {**form, "source.pop3": "yes"}).text
    assert "<html" in whole
    assert "behaves strangely" in whole


def test_advice_is_signed_and_bound_to_its_account(staff: Browser) -> None:
    doors = re.search(r'name="source.doors" value="([^"]+)"', after_test(staff))
    assert doors
    for form in ({**PASS, "source.doors": doors.group(1)[:-3] + "xyz"},
                 {**PASS, "source.doors": doors.group(1), "source.user": "other@x.example"}):  # fmt: skip
        assert "Advice:" not in staff.post("/jobs/new/advice", form, htmx=True).text


def test_where_no_door_opens_there_is_no_question(staff: Browser) -> None:
    page = after_test(staff, **{"source.password": "falsch"})
    assert "Advice: No advice yet" in page
    assert "Does a program still" not in page


def test_every_track_and_note_has_its_sentences(app: Flask) -> None:
    assert set(advice_texts.TRACKS) == set(Track)
    assert set(advice_texts.NOTES) == set(Note)
    for text in (*advice_texts.NOTES.values(), *(part for parts in advice_texts.TRACKS.values() for part in parts)):
        german, english = both(app, text)
        assert german != english


# ---- the pages of these jobs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", OF_ARCHIVES)
def test_every_job_with_an_archive_has_a_page_that_leads_to_it(
    keeper: Browser, stored: Gallery, name: str, language: str
) -> None:
    keeper.headers = {"Accept-Language": language}
    answer = keeper.get(f"/jobs/{stored.jobs[name]}")
    assert answer.status_code == 200
    assert re.search(r'href="/archives/\d+"', answer.text)
    assert len(re.findall(r'class="btn primary"', answer.text)) <= 1, "one primary button per page"
    assert "%(" not in answer.text
    assert " :0<" not in answer.text, "an archive has no port"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("archived", "Archive mailbox: imap.mueller-bau.example into the archive"),
        ("playing in", "Play in: from the archive to mail.nordhafen.example"),
        ("checked", "Check archive: from end to end"),
        ("removed", "Delete at the old server: what was collected from pop.hotel-seeblick.example"),
        ("archived", "one more point in time that can be played in. The old server was not changed."),
        ("playing in", "1 damaged in the archive"),
        ("playing in", "The job continues. Nothing was changed in the archive."),
        ("playing in", "Deleted since is played in again"),
        ("played in", "Folder Angebote"),
        ("removed", "Deletion after 14 days"),
        ("removed", "by itself"),
        ("no room", "There is too little room for the archive"),
        ("no room", "what was archived before is all there"),
    ],
)
def test_the_page_says_what_this_job_does(keeper: Browser, stored: Gallery, name: str, sentence: str) -> None:
    assert sentence in words(keeper.get(f"/jobs/{stored.jobs[name]}").text)


def test_a_check_shows_what_it_found_and_no_folders(keeper: Browser, stored: Gallery) -> None:
    broken = keeper.get(f"/jobs/{stored.jobs['broken']}").text
    card = words("<main" + broken.partition('id="checked"')[2].partition("</section>")[0])
    assert "What the check found damaged 43,118 messages read, 12.3 GB" in card
    assert "Angebote/2024 No. 7/1204 damaged" in card
    assert "Comparison of both servers" not in words(broken)
    assert re.search(r'<section class="card" id="folders"[^>]* hidden>', broken)
    assert 'class="huge"' not in broken
    assert "Complete and undamaged" in words(keeper.get(f"/jobs/{stored.jobs['checked']}").text)
    running = keeper.get(f"/jobs/{stored.jobs['checking']}").text
    assert "<title>Check archive: verkauf@mueller-bau.example" in running


def test_a_removal_says_why_the_rest_stays_and_whose_wish_it_was(keeper: Browser, stored: Gallery) -> None:
    page = keeper.get(f"/jobs/{stored.jobs['removed']}").text
    card = words("<main" + page.partition('id="removed"')[2].partition("</section>")[0])
    assert "1,150 of 1,204 messages there" in card
    assert "stays: its days are not over yet 49 stays: the server gives it no name that can be trusted 3" in card
    assert "not certain 2" in card
    assert WISH in card


def test_the_list_of_jobs_names_what_they_do(keeper: Browser) -> None:
    text = words(keeper.get("/jobs?q=mueller-bau").text)
    assert "Archive mailbox imap.mueller-bau.example → Archive" in text
    assert "Play in Archive → mail.nordhafen.example" in text
    assert "messages archived" in text
    assert "messages played in" in text
    assert "The archive is not whole" in words(keeper.get("/jobs?q=schreinerei").text)


def test_the_error_of_an_archive_names_no_empty_host(keeper: Browser, stored: Gallery, database: Database) -> None:
    error = LoginRefused("x", end="source").as_dict() | {"end": "source"}
    for name in ("playing in", "checking"):
        with database.writing() as session:
            job = session.get_one(Job, stored.jobs[name])
            job.state, job.error, job.lease_until = "blocked", error, None
        text = words(keeper.get(f"/jobs/{stored.jobs[name]}").text)
        assert re.search(r"(mail.nordhafen.example|the archive) does not accept user name and password", text)


# ---- the customer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("archiving", "Ihre E-Mails werden gesichert"),
        ("archived", "Ihre E-Mails sind gesichert"),
        ("playing in", "Ihre E-Mails kommen gerade auf den neuen Server"),
        ("played in", "Ihre E-Mails sind auf dem neuen Server"),
        ("checking", "Ihr Archiv wird gerade geprüft"),
        ("checked", "Ihr Archiv ist vollständig und unbeschädigt"),
        ("broken", "Wir kümmern uns um Ihr Archiv"),
        ("removed", "Ihr Postfach beim alten Anbieter ist fast aufgeräumt"),
        ("no room", "Wir kümmern uns um Ihr Postfach"),
    ],
)
def test_customers_are_told_where_they_stand(app: Flask, stored: Gallery, name: str, headline: str) -> None:
    page = Browser(app.test_client(), "de-DE").get(f"/status/{stored.status[name]}").text
    assert f"<h1>{headline}</h1>" in page
    body = html.unescape(page.partition("<body")[2])
    forbidden = ("imap.", "mail.nordhafen", "IMAP", "/jobs", "/archives/", "No. ", "%(", "Angebote", "Frau Weber")
    assert [word for word in forbidden if word in body] == []


def test_what_archiving_means_is_said_and_that_nothing_changed(app: Flask, stored: Gallery) -> None:
    text = words(Browser(app.test_client(), "de-DE").get(f"/status/{stored.status['archived']}").text)
    assert "liegen jetzt in einem versiegelten Archiv bei uns." in text
    assert "Beim alten Anbieter wurde nichts verändert" in text
    assert "behalten Sie den Vertrag mit dem alten Anbieter" in text
    assert "Ihre Domain zieht um, danach spielen wir Ihre E-Mails auf den neuen Server zurück" in text


def test_who_fetches_by_pop3_is_told_of_mail_that_comes_twice(app: Flask, stored: Gallery) -> None:
    customer = Browser(app.test_client(), "de-DE")
    assert "lädt es möglicherweise E-Mails noch einmal" in customer.get(f"/status/{stored.status['playing in']}").text
    assert "POP3" not in customer.get(f"/status/{stored.status['archived']}").text


def test_where_nothing_is_counted_no_percentage_is_shown(app: Flask, stored: Gallery) -> None:
    for name in ("checking", "checked", "removed"):
        page = Browser(app.test_client(), "de-DE").get(f"/status/{stored.status[name]}").text
        assert "<progress" not in page, name
        assert "Nachrichten</" not in page


def test_where_mail_is_deleted_nobody_says_that_nothing_changes(app: Flask, stored: Gallery) -> None:
    text = words(Browser(app.test_client(), "de-DE").get(f"/status/{stored.status['removed']}").text)
    assert "wird nichts verändert" not in text
    assert "Weil Sie darum gebeten haben" in text


@pytest.mark.parametrize("kind", JobKind)
@pytest.mark.parametrize("state", JobState)
def test_every_kind_and_state_has_its_sentences(app: Flask, kind: JobKind, state: JobState) -> None:
    counts = SimpleNamespace(copied=1, already_there=1, skipped=0, failed=2, found=4, done=4, open=0)
    view = SimpleNamespace(kind=kind, state=state, counts=counts, started_at=None, waiting_until=None, eta_seconds=None,
                           octets=1, octets_found=1)  # fmt: skip
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        for said in (customer_texts.headline, customer_texts.lead, customer_texts.soon):
            assert said(view), said
        assert customer_texts.lead(view).endswith(".")
        assert not re.search(r"\b(du|dein|deine)\b", customer_texts.lead(view))
