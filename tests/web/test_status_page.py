"""The customer's page: what they need to know, and nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from migrator.db.models import Job, StatusLink
from migrator.db.store import Database
from migrator.jobs import operations
from tests.web.conftest import Browser
from tests.web.gallery import FOLDERS, Gallery
from tests.web.test_job_pages import STATES, versions, words

SAYS = {
    "running": "Ihr Postfach zieht gerade um",
    "queued": "Ihr Postfach zieht gleich um",
    "waiting": "Ihr Postfach zieht gleich weiter um",
    "paused": "Der Umzug ist angehalten",
    "blocked": "Wir kümmern uns um Ihr Postfach",
    "failed": "Wir kümmern uns um Ihr Postfach",
    "succeeded": "Ihr Postfach ist umgezogen",
    "incomplete": "Ihr Postfach ist bis auf wenige Nachrichten umgezogen",
    "cancelled": "Der Umzug wurde beendet",
}


@pytest.fixture
def customer(app: Flask, shown: Gallery) -> Browser:
    return Browser(app.test_client(), "de-DE")


@pytest.mark.parametrize("name", SAYS)
def test_it_says_where_they_stand(customer: Browser, shown: Gallery, name: str) -> None:
    page = customer.get(f"/status/{shown.status[name]}").text
    assert f"<h1>{SAYS[name]}</h1>" in page
    assert "Nordhafen Hosting" in page
    assert "mailto:hilfe@nordhafen.example" in page


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("language", ["de", "en"])
def test_it_shows_nothing_else(app: Flask, shown: Gallery, database: Database, name: str, language: str) -> None:
    """No server, no folder, no failure's text, no staff, no way into the pages of staff."""
    page = html.unescape(Browser(app.test_client(), language).get(f"/status/{shown.status[name]}").text)
    with database.reading() as session:
        job = session.get_one(Job, shown.jobs[name])
        detail = str((job.error or {}).get("detail", "")) if job.error else ""
    body = page.partition("<body")[2]
    forbidden = ["imap.", "mail.nordhafen", "IMAP", "TLS", "jana.petersen", "/jobs", "/login", "NUL characters"]
    forbidden += [folder[0] for folder in FOLDERS if folder[0] not in ("Sent", "Archiv 2019–2023")]
    forbidden += [detail] if detail else []
    assert [word for word in forbidden if word in body] == []
    assert "993" not in words(page)


def test_a_comparison_tells_the_customer_of_comparing_and_not_of_moving(customer: Browser, shown: Gallery) -> None:
    text = words(customer.get(f"/status/{shown.status['proven']}").text)
    assert "Ihr Postfach ist vollständig" in text
    assert "Wir haben den alten Anbieter mit dem neuen Server verglichen: Alle 1.814 Nachrichten sind da." in text
    assert "auf dem neuen Server wiedergefunden 1.814" in text
    assert "0 kB" not in text
    differs = words(customer.get(f"/status/{shown.status['verified']}").text)
    assert "1 Nachricht fehlt auf dem neuen Server oder weicht ab." in differs
    for page in (text, differs):
        assert not re.search(r"übertragen|umgezogen|waren schon da", page)


def test_it_keeps_the_customers_company_with_sie(customer: Browser, shown: Gallery) -> None:
    text = words(customer.get(f"/status/{shown.status['running']}").text)
    assert "Sie können diese Seite schließen" in text
    assert not re.search(r"\b(du|dein|deine)\b", text)


def test_it_says_how_long_and_how_much(customer: Browser, shown: Gallery) -> None:
    text = words(customer.get(f"/status/{shown.status['running']}").text)
    assert re.search(r"77 % noch etwa 1\d Minuten verkauf@mueller-soehne.example", text)
    assert "31.201 von 43.118 Nachrichten" in text


def test_who_waits_for_a_password_is_asked(customer: Browser, shown: Gallery) -> None:
    assert "Haben Sie kürzlich ein Passwort geändert?" in customer.get(f"/status/{shown.status['blocked']}").text
    assert "Haben Sie kürzlich" not in customer.get(f"/status/{shown.status['full']}").text


def test_it_stays_fresh_every_ten_seconds_and_stops_at_the_end(customer: Browser, shown: Gallery) -> None:
    path = f"/status/{shown.status['running']}"
    page = customer.get(path).text
    assert 'hx-trigger="every 10s"' in page
    assert "<title>77 % · Ihr Postfach zieht gerade um · Nordhafen Hosting</title>" in page
    assert customer.live(f"{path}/live", query_string={"v": versions(page)}).status_code in (200, 204)
    changed = customer.live(f"{path}/live", query_string={"v": "old"}).text
    assert "<title>77 % ·" in changed
    assert '<main class="wrap" id="main" hx-swap-oob="true">' in changed
    assert "hx-trigger" not in customer.get(f"/status/{shown.status['succeeded']}").text


def test_a_link_ends_with_its_time_or_when_it_is_revoked(
    anybody: Browser, database: Database, make: Callable[..., int]
) -> None:
    job_id = make()
    old = operations.create_status_link(database, job_id, now=datetime.now(UTC) - timedelta(days=31))
    revoked = operations.create_status_link(database, job_id)
    operations.revoke_status_links(database, job_id)
    good = operations.create_status_link(database, job_id)
    assert anybody.get(f"/status/{good}").status_code == 200
    pages = [anybody.get(f"/status/{token}") for token in (old, revoked, "never-was-one")]
    assert [page.status_code for page in pages] == [404] * 3
    assert len({re.sub(r"/status/[\w-]+", "", page.text) for page in pages}) == 1, "all of them look the same"
    assert "This link is no longer valid" in pages[0].text
    assert anybody.get(f"/status/{old}/live").status_code == 404


def test_only_the_hash_of_a_link_is_kept(database: Database, make: Callable[..., int]) -> None:
    token = operations.create_status_link(database, make())
    with database.reading() as session:
        kept = session.query(StatusLink).one().token_hash
    assert token.encode() not in kept
    assert len(kept) == 32


def test_guessing_is_slow(anybody: Browser) -> None:
    codes = [anybody.get(f"/status/guess-{number}").status_code for number in range(32)]
    assert codes == [404] * 30 + [429] * 2


def test_watching_is_not_guessing(customer: Browser, shown: Gallery) -> None:
    path = f"/status/{shown.status['running']}/live"
    assert {customer.get(path).status_code for _ in range(40)} == {200}


# ---- language and time ---------------------------------------------------------------------------------------------


def test_the_browser_decides_until_somebody_uses_the_switch(customer: Browser, shown: Gallery) -> None:
    path = f"/status/{shown.status['running']}"
    page = customer.get(path).text
    assert '<html lang="de">' in page
    assert f'href="{path}?lang=en" hreflang="en"' in page
    switched = customer.get(f"{path}?lang=en")
    assert (switched.status_code, switched.location) == (303, path)
    assert '<html lang="en">' in customer.get(path).text
    customer.get(f"{path}?lang=de")
    assert '<html lang="de">' in customer.get(path).text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de", "de"),
        ("de-AT,en;q=0.5", "de"),
        ("fr,de;q=0.8", "de"),
        ("fr", "en"),
        ("", "en"),
        ("en-US", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_one_that_the_browser_names(anybody: Browser, accepted: str, language: str) -> None:
    anybody.headers = {"Accept-Language": accepted}
    assert f'<html lang="{language}">' in anybody.get("/login").text


@pytest.mark.parametrize("lang", ["fr", "../../etc", "", "de%00"])
def test_an_unknown_language_changes_nothing(anybody: Browser, lang: str) -> None:
    answer = anybody.get(f"/login?lang={lang}")
    assert answer.status_code == 200
    assert "lang=" not in answer.headers.get("Set-Cookie", "")


def test_the_switch_leads_to_no_other_host(anybody: Browser) -> None:
    answer = anybody.get("//evil.example?lang=de")
    assert (answer.location or "/").startswith("/")
    assert not (answer.location or "").startswith("//")


def test_times_are_those_of_the_readers_zone(customer: Browser, shown: Gallery) -> None:
    path = f"/status/{shown.status['succeeded']}"
    customer.client.set_cookie("tz", "Asia/Kolkata")
    assert "(+0530)" in customer.get(path).text
    customer.client.set_cookie("tz", "Europe/Berlin")
    assert re.search(r"\((MEZ|MESZ)\)", customer.get(path).text)
    for nonsense in ("../../../etc/passwd", "Europe/Nowhere", "x" * 500):
        customer.client.set_cookie("tz", nonsense)
        assert customer.get(path).status_code == 200
