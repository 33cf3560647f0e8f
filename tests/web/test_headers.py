"""Headers of every answer, and that no template needs what the content policy forbids."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask

import web
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from web import create_app

ROOT = Path(web.__file__).parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


class Inline(HTMLParser):
    """Finds what a strict policy forbids, and what is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on", "data-hx-on")):
                self.found.append(f"<{tag} {name}={value}>")
            if name in ("src", "href", "action", "formaction", "hx-get", "hx-post") and value:
                self.addresses.append(value)
        if tag == "style" or (tag == "script" and not dict(attrs).get("src")):
            self.found.append(f"<{tag}>")


def test_the_policy_forbids_everything_inline_and_everything_from_elsewhere(anybody: Browser) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in anybody.get("/login").headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert {value for name, value in policy.items() if name.endswith("-src") and name != "default-src"} == {"'self'"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_holds_style_script_or_handler(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\bstyle=|\bon[a-z]+=\"|javascript:|hx-on|hx-vals=.js|<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)


@pytest.mark.parametrize(
    "path",
    ["/jobs", "/jobs/1", "/jobs/2", "/jobs/4", "/jobs/7", "/jobs/14", "/jobs/new", "/jobs/1/failures", "/nothing"],
)
def test_no_page_holds_anything_inline_or_from_elsewhere(viewer: Browser, path: str) -> None:
    page = Inline()
    page.feed(viewer.get(path).text)
    assert page.found == []
    assert all(address.startswith(("/", "#", "?")) for address in page.addresses), page.addresses


def test_htmx_is_told_to_need_nothing_inline(anybody: Browser) -> None:
    page = anybody.get("/login").text
    for option in (
        '"includeIndicatorStyles":false',
        '"allowEval":false',
        '"allowScriptTags":false',
        '"historyCacheSize":0',
        '"selfRequestsOnly":true',
        '"attributesToSettle":["class"]',
    ):
        assert option in page


@pytest.mark.parametrize(
    "path", ["/login", "/jobs", "/jobs/1", "/healthz", "/api/v1/jobs", "/api/v1/openapi.json", "/nothing"]
)
def test_every_answer_carries_the_headers(viewer: Browser, path: str) -> None:
    headers = viewer.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "noindex" in headers["X-Robots-Tag"]
    assert headers["Cache-Control"] == "no-store, max-age=0"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers


def test_a_customers_page_is_never_kept_or_found(app: Flask, shown: Gallery) -> None:
    answer = Browser(app.test_client()).get(f"/status/{shown.status['running']}")
    assert answer.headers["Cache-Control"] == "no-store, max-age=0"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert '<meta name="robots" content="noindex">' in answer.text


def test_with_https_browsers_are_told_to_stay_there(settings: Settings, database: Database, vault: Vault) -> None:
    app = create_app(dataclasses.replace(settings, public_url="https://move.example"), db=database, vault=vault)
    assert app.test_client().get("/login").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_files_may_be_kept_for_ever_under_the_address_of_their_version(anybody: Browser) -> None:
    page = anybody.get("/login").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(addresses) == 5
    for address in addresses:
        with anybody.get(address) as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
    for address in ("/static/app.css", "/static/app.css?v=other"):
        with anybody.get(address) as answer:
            assert "immutable" not in answer.headers["Cache-Control"]


def test_the_style_sheet_asks_for_nothing_from_elsewhere() -> None:
    for name in ("app.css", "tokens.css"):
        text = (ROOT / "static" / name).read_text(encoding="utf-8")
        assert set(re.findall(r"url\(([^)]*)\)", text)) <= {'"chevron.svg"'}
        assert "@import" not in text


def test_vendored_files_have_version_licence_and_the_hash_that_was_noted() -> None:
    import hashlib

    note = (ROOT / "static" / "vendor" / "README.md").read_text(encoding="utf-8")
    scripts = list((ROOT / "static" / "vendor").glob("*.js"))
    assert scripts
    for script in scripts:
        assert hashlib.sha256(script.read_bytes()).hexdigest() in note
        assert script.name in note
    assert (ROOT / "static" / "vendor" / "htmx-LICENSE.txt").read_text(encoding="utf-8").startswith("Zero-Clause BSD")
