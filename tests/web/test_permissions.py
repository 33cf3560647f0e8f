"""Nobody gets anything without a login or a token, except what is meant for everybody."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from web import security

OPEN = {
    "static", "session.login", "session.enter", "session.setup", "session.use_setup", "status.show", "status.poll",
    "status.archive", "health.healthz", "health.readyz", "health.metrics",
}  # fmt: skip
"""Written a second time on purpose: whoever opens a page must do it here too."""


def test_what_is_open_to_everybody_is_what_was_decided() -> None:
    assert OPEN == security.OPEN


def test_every_other_page_sends_strangers_to_the_login(app: Flask, stored: Gallery) -> None:
    browser = Browser(app.test_client())
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN or rule.endpoint.startswith("api."):
            continue
        path = re.sub(r"<int[^>]*>", "1", rule.rule).replace("<end>", "source")
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = browser.get(path) if method == "GET" else browser.post(path, {"source": "x"})
            assert answer.status_code == 303, path
            assert answer.location.startswith("/login"), path
            assert "mueller" not in answer.text
            tried += 1
    assert tried > 30


def test_strangers_learn_nothing_about_what_exists(app: Flask, shown: Gallery) -> None:
    browser = Browser(app.test_client())
    there, not_there = browser.get("/jobs/1"), browser.get("/jobs/999")
    assert (there.status_code, there.location) == (303, "/login?next=/jobs/1")
    assert (not_there.status_code, not_there.location) == (303, "/login?next=/jobs/999")
    assert browser.get("/nothing").status_code == 303


def test_every_address_of_the_api_asks_for_a_token(app: Flask, shown: Gallery) -> None:
    client = app.test_client()
    tried = 0
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("api.") or rule.endpoint == "api.description":
            continue
        path = re.sub(r"<int[^>]*>", "1", rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            for header in ({}, {"Authorization": "Bearer pw_wrong"}, {"Authorization": "Basic eDp5"}):
                answer = client.open(path, method=method, headers=header)
                assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                tried += 1
    assert tried > 20


def test_a_login_is_no_token_and_a_token_is_no_login(viewer: Browser, app: Flask) -> None:
    assert viewer.get("/api/v1/jobs").status_code == 401
    stranger = app.test_client()
    assert stranger.get("/jobs", headers={"Authorization": "Bearer pw_any"}).status_code == 303


def test_a_status_link_opens_this_one_page_and_nothing_else(app: Flask, shown: Gallery) -> None:
    browser = Browser(app.test_client())
    assert browser.get(f"/status/{shown.status['running']}").status_code == 200
    assert browser.get(f"/jobs/{shown.jobs['running']}").status_code == 303
    assert browser.post(f"/status/{shown.status['running']}").location == "/login"


@pytest.mark.parametrize("path", ["/jobs/9223372036854775808", "/jobs/99999999999999999999999", "/jobs/-1", "/jobs/x"])
def test_numbers_that_no_database_knows_are_not_found(staff: Browser, path: str) -> None:
    assert staff.get(path).status_code == 404


def test_methods_a_page_does_not_know_are_refused_with_those_that_it_knows(staff: Browser) -> None:
    answer = staff.client.delete("/jobs", headers={"X-CSRFToken": staff.token()})
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
