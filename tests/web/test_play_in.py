"""Playing an archive in: what is ordered, what is said before it, and that passwords never come back."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from migrator.db.models import Endpoint, Job
from migrator.db.store import Database
from tests.web.conftest import EMAIL, Browser
from tests.web.gallery import Gallery
from tests.web.test_archive_actions import newest
from tests.web.test_job_pages import words

pytestmark = pytest.mark.slow

SECRET = "Sehr-Geheim-4711"
FORM = {"target.user": "verkauf@mueller-bau.example", "target.host": "mail.nordhafen.example", "target.security": "tls",
        "target.password": SECRET, "what": "play-in"}  # fmt: skip


def ordered(keeper: Browser, stored: Gallery, database: Database, **changes: str) -> Job:
    answer = keeper.post(f"/archives/{stored.archives['kept']}/play-in", {**FORM, **changes})
    assert answer.status_code == 303, answer.text
    return newest(database)


def test_everything_is_played_in_as_it_was(
    keeper: Browser, stored: Gallery, database: Database, queue: list[int]
) -> None:
    job = ordered(keeper, stored, database)
    assert (job.kind, job.options, job.created_by, queue) == ("play-in", {}, EMAIL, [job.id])
    with database.reading() as session:
        source, target = (session.get_one(Endpoint, number) for number in (job.source_id, job.target_id))
    assert (source.archive_id, target.host, target.port) == (stored.archives["kept"], "mail.nordhafen.example", 993)


def test_a_single_folder_goes_below_one_of_its_own_with_what_lies_below_it(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    options = ordered(keeper, stored, database, folder="Angebote").options
    assert options["include"] == ["Angebote", "Angebote/*"]
    assert re.fullmatch(r"Restored \d{4}-\d\d-\d\d", options["under"])
    assert ordered(keeper, stored, database, folder="Entwürfe").options["include"] == ["Entwürfe"]
    assert ordered(keeper, stored, database, folder="a[b]*").options["include"] == ["a[[]b][*]"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({"folder": "Angebote", "place": "own"}, {"include": ["Angebote", "Angebote/*"]}),
        ({"place": "under", "under": " Alt "}, {"under": "Alt"}),
        ({"place": "auto", "under": "forgotten"}, {}),
        ({"at": "2026-11-19T01:28:00+00:00"}, {"at": "2026-11-19T01:28:00+00:00"}),
        ({"restore": "yes"}, {"restore": True}),
        ({"what": "rehearse", "restore": "yes"}, {"restore": True, "dry_run": True}),
        ({"what": "verify", "restore": "yes"}, {}),
    ],
)
def test_what_was_chosen_goes_with_the_order(
    keeper: Browser, stored: Gallery, database: Database, typed: dict[str, str], expected: dict[str, Any]
) -> None:
    job = ordered(keeper, stored, database, **typed)
    assert job.options == expected
    assert job.kind == ("verify" if typed.get("what") == "verify" else "play-in")


def test_a_comparison_with_an_archive_speaks_of_the_archive(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    job = ordered(keeper, stored, database, what="verify")
    text = words(keeper.get(f"/jobs/{job.id}").text)
    assert "Verify: the archive against mail.nordhafen.example" in text
    assert "neither the archive nor the new server is changed" in text


def test_the_address_chooses_folder_and_point_in_time(keeper: Browser, stored: Gallery) -> None:
    path = f"/archives/{stored.archives['kept']}"
    link = re.findall(r'href="(/archives/\d+/play-in\?at=[^"]+)"', keeper.get(path).text)[3]
    page = keeper.get(html.unescape(link)).text
    chosen = re.search(r'<option value="(2026[^"]+)" selected>', page.partition('id="at"')[2])
    assert chosen
    folder = keeper.get(f"{path}/play-in?folder=Kunden").text
    assert '<option value="Kunden" selected>' in folder
    assert 'value="verkauf@mueller-bau.example"' in folder


@pytest.mark.parametrize("name", ["empty", "destroyed"])
def test_what_holds_nothing_is_not_played_in(keeper: Browser, stored: Gallery, name: str) -> None:
    answer = keeper.get(f"/archives/{stored.archives[name]}/play-in")
    assert (answer.status_code, answer.location) == (303, f"/archives/{stored.archives[name]}")
    assert "There is nothing to play in from this archive." in keeper.get(answer.location).text


def test_an_archive_that_was_destroyed_meanwhile_is_said(keeper: Browser, stored: Gallery, queue: list[int]) -> None:
    answer = keeper.post(f"/archives/{stored.archives['destroyed']}/play-in", FORM)
    assert answer.status_code == 422
    assert "This archive is destroyed" in answer.text
    assert queue == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"target.host": ""}, "Please fill this in."),
        ({"target.host": "127.0.0.1"}, "Only public addresses and mail ports may be reached"),
        ({"place": "under", "under": " "}, "Please fill this in."),
        ({"at": "yesterday"}, "This does not fit."),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_lost_but_the_password(
    keeper: Browser, stored: Gallery, queue: list[int], change: dict[str, str], sentence: str
) -> None:
    path = f"/archives/{stored.archives['kept']}/play-in"
    answer = keeper.post(path, {**FORM, "folder": "Kunden", "restore": "yes", **change})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert SECRET not in answer.text
    assert '<option value="Kunden" selected>' in answer.text
    assert re.search(r'name="restore" value="yes" checked', answer.text)
    fragment = keeper.post(path, {**FORM, **change}, htmx=True)
    assert sentence in fragment.text
    assert "<input" not in fragment.text
    assert queue == []


def test_the_new_server_is_tested_before_anything_is_written(keeper: Browser, stored: Gallery) -> None:
    path = f"/archives/{stored.archives['kept']}/play-in/test"
    fragment = html.unescape(keeper.post(path, FORM, htmx=True).text)
    assert "Logged in" in fragment
    assert "The new mailbox is too small: 12.3\N{NO-BREAK SPACE}GB are to come" in fragment
    assert f'formaction="{path}"' in fragment
    assert 'id="preview"' not in fragment
    whole = keeper.post(path, {**FORM, "folder": "Kunden"}).text
    assert "<html" in whole
    assert '<option value="Kunden" selected>' in whole
    assert SECRET not in fragment + whole
    wrong = keeper.post(path, {**FORM, "target.password": "falsch"}, htmx=True).text
    assert "does not accept user name and password" in wrong
    assert "Please fill this in." in keeper.post(path, {**FORM, "target.user": ""}, htmx=True).text


def test_with_htmx_the_browser_is_led_to_the_job(keeper: Browser, stored: Gallery, database: Database) -> None:
    answer = keeper.post(f"/archives/{stored.archives['kept']}/play-in", FORM, htmx=True)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, f"/jobs/{newest(database).id}")


def test_for_mail_collected_by_pop3_a_folder_is_proposed_that_no_program_fetches(
    keeper: Browser, stored: Gallery
) -> None:
    proposed = 'name="under" value="Archive of the old provider"'
    assert proposed in keeper.get(f"/archives/{stored.archives['pop3']}/play-in").text
    assert proposed not in keeper.get(f"/archives/{stored.archives['kept']}/play-in").text
