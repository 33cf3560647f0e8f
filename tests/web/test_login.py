"""Logging in and out, limits, one-time links, and that no link leads elsewhere."""

from __future__ import annotations

import dataclasses
import time

import pytest
from flask import Flask

from migrator.accounts import operations as accounts
from migrator.accounts import queries
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests.web.conftest import EMAIL, PASSWORD, Browser
from web import create_app, security


def test_a_right_password_leads_to_the_jobs(anybody: Browser, account: int) -> None:
    answer = anybody.log_in()
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Jana Petersen" in anybody.get("/jobs").text


def test_unknown_account_and_wrong_password_get_the_same_answer(anybody: Browser, account: int) -> None:
    wrong = anybody.log_in(password="wrong wrong wrong")
    unknown = anybody.log_in(email="jana.petersen@nordhafen.exampl3", password="wrong wrong wrong")
    assert wrong.status_code == unknown.status_code == 401

    def plain(text: str) -> str:
        return text.replace("exampl3", "example")

    strip = [line for line in plain(wrong.text).splitlines() if "csrf" not in line]
    assert strip == [line for line in plain(unknown.text).splitlines() if "csrf" not in line]


def test_a_password_is_never_sent_back(anybody: Browser, account: int) -> None:
    assert "wrong wrong wrong" not in anybody.log_in(password="wrong wrong wrong").text


def test_without_the_forms_token_nothing_is_done(app: Flask, account: int) -> None:
    answer = app.test_client().post("/login", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 400
    assert "session" not in answer.headers.get("Set-Cookie", "")


def test_an_account_pauses_after_several_failures_whatever_the_address(app: Flask, account: int) -> None:
    browser = Browser(app.test_client())
    codes = [
        browser.post(
            "/login", {"email": EMAIL, "password": "no"}, environ_overrides={"REMOTE_ADDR": f"192.0.2.{n}"}
        ).status_code
        for n in range(8)
    ]
    assert codes[:6] == [401] * 6
    assert codes[6:] == [429] * 2


def test_an_address_pauses_after_several_failures_whatever_the_account(anybody: Browser) -> None:
    codes = [anybody.log_in(email=f"person{n}@example.org").status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2


def test_a_pause_says_how_long_it_takes_and_looks_like_a_page(anybody: Browser) -> None:
    answers = [anybody.log_in(email=f"person{n}@example.org") for n in range(11)]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "Too many attempts" in answers[-1].text


def test_who_logs_in_is_not_counted(anybody: Browser, account: int) -> None:
    assert {anybody.log_in().status_code for _ in range(15)} == {303}


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)",
        "http:evil.example", "\\\\evil.example", "/%0a//evil.example\n", "evil.example",
    ],
)  # fmt: skip
def test_no_login_leads_elsewhere(anybody: Browser, account: int, target: str) -> None:
    assert anybody.log_in(next=target).location == "/"
    assert anybody.get("/login", query_string={"next": target}).location == "/"


def test_a_login_leads_back_to_the_page_that_was_wanted(anybody: Browser, account: int) -> None:
    asked = anybody.get("/jobs?view=needs")
    assert asked.location == "/login?next=/jobs?view%3Dneeds"
    assert anybody.log_in(next="/jobs?view=needs").location == "/jobs?view=needs"


def test_logging_out_ends_the_session(staff: Browser) -> None:
    assert staff.post("/logout").location == "/login"
    assert staff.get("/jobs").status_code == 303


def test_logging_out_by_a_link_is_not_possible(staff: Browser) -> None:
    assert staff.get("/logout").status_code == 405
    assert staff.get("/jobs").status_code == 200


def test_a_new_password_ends_other_sessions(staff: Browser, database: Database, account: int) -> None:
    accounts.set_password(database, account, "another long one")
    assert staff.get("/jobs").status_code == 303


def test_a_disabled_account_is_out_at_once(staff: Browser, database: Database, account: int) -> None:
    accounts.disable_user(database, account)
    assert staff.get("/jobs").status_code == 303
    assert staff.log_in().status_code == 401


def test_a_session_ends_after_twelve_hours(staff: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with staff.client.session_transaction() as session:
        session["since"] = int(time.time()) - int(security.SESSION_LASTS.total_seconds()) - 1
    assert staff.get("/jobs").status_code == 303


def test_logging_in_begins_a_new_session(anybody: Browser, account: int) -> None:
    anybody.get("/login")
    with anybody.client.session_transaction() as session:
        session["planted"] = "by somebody"
    anybody.log_in()
    with anybody.client.session_transaction() as session:
        assert "planted" not in session


def test_a_poll_without_login_leads_the_page_to_the_login(anybody: Browser) -> None:
    answer = anybody.live("/jobs/live")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")


# ---- cookies -------------------------------------------------------------------------------------------------------


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(anybody: Browser) -> None:
    cookie = anybody.get("/login").headers["Set-Cookie"]
    assert cookie.startswith("postwagen=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_with_https_cookies_never_travel_in_clear_text(settings: Settings, database: Database, vault: Vault) -> None:
    secure = dataclasses.replace(settings, public_url="https://move.nordhafen.example")
    client = create_app(secure, db=database, vault=vault).test_client()
    cookie = client.get("/login").headers["Set-Cookie"]
    assert cookie.startswith("__Host-postwagen=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert "Secure" in client.get("/login?lang=de").headers["Set-Cookie"]


# ---- one-time links ------------------------------------------------------------------------------------------------


def test_the_first_account_is_made_by_a_link_and_logged_in(anybody: Browser, database: Database) -> None:
    link = f"/setup/{accounts.create_link(database, None)}"
    assert "Create the first account" in anybody.get(link).text
    form = {"name": "Jana", "email": EMAIL, "password": PASSWORD, "repeated": PASSWORD}
    assert anybody.post(link, form).location == "/jobs"
    assert anybody.get("/jobs").status_code == 200
    assert queries.has_users(database)
    assert anybody.get(link).status_code == 404, "a link works once"


def test_a_link_for_an_account_sets_its_password(anybody: Browser, database: Database) -> None:
    user = accounts.create_user(database, EMAIL, "Jana Petersen")
    link = f"/setup/{accounts.create_link(database, user)}"
    assert EMAIL in anybody.get(link).text
    assert anybody.post(link, {"password": PASSWORD, "repeated": PASSWORD}).status_code == 303
    found = queries.user_by_id(database, user)
    assert found
    assert found.name == "Jana Petersen", "the name stays"


def test_what_is_wrong_with_a_new_password_is_said_and_the_link_stays(anybody: Browser, database: Database) -> None:
    link = f"/setup/{accounts.create_link(database, None)}"
    form = {"name": "Jana", "email": EMAIL, "password": PASSWORD, "repeated": "another"}
    assert "The two passwords differ." in anybody.post(link, form).text
    short = anybody.post(link, {**form, "password": "kurz", "repeated": "kurz"})
    assert (short.status_code, "12 characters or more" in short.text) == (422, True)
    assert 'value="kurz"' not in short.text
    wrong = anybody.post(link, {**form, "email": "nobody", "repeated": PASSWORD})
    assert "name@example.org" in wrong.text
    assert anybody.get(link).status_code == 200


@pytest.mark.parametrize("path", ["/setup/unknown", "/setup/" + "x" * 3000])
def test_unknown_links_say_so(anybody: Browser, path: str) -> None:
    answer = anybody.get(path)
    assert (answer.status_code, "no longer valid" in answer.text) == (404, True)


def test_guessing_links_is_slow(anybody: Browser) -> None:
    codes = [anybody.get(f"/setup/guess{n}").status_code for n in range(32)]
    assert codes == [404] * 30 + [429] * 2


# ---- where a request comes from ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "public_url, peer, forwarded, expected",
    [
        ("http://localhost:8025", "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("https://move.example", "10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("https://move.example", "10.0.0.2", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("https://move.example", "10.0.0.2", "not an address", "10.0.0.2"),
        ("https://move.example", "8.8.8.8", "203.0.113.9", "8.8.8.8"),
    ],
)
def test_only_the_proxys_own_word_counts(
    settings: Settings, database: Database, vault: Vault, public_url: str, peer: str, forwarded: str, expected: str
) -> None:
    app = create_app(dataclasses.replace(settings, public_url=public_url), db=database, vault=vault)
    where = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    with app.test_request_context("/", environ_base=where):
        assert security.client_address() == expected


def test_links_are_never_built_from_a_host_header(settings: Settings, database: Database, vault: Vault) -> None:
    app = create_app(settings, db=database, vault=vault)
    with app.test_request_context("/", base_url="http://evil.example", headers={"X-Forwarded-Host": "evil.example"}):
        assert security.outside_url("/status/x") == "http://localhost:8025/status/x"
    unnamed = create_app(dataclasses.replace(settings, public_url=None), db=database, vault=vault)
    with unnamed.test_request_context("/", base_url="http://evil.example"):
        assert security.outside_url("/status/x") == "/status/x"
    with unnamed.test_request_context("/", base_url="http://127.0.0.1:8025"):
        assert security.outside_url("/status/x") == "http://127.0.0.1:8025/status/x"
