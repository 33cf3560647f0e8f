"""What people and mail servers send to do harm: markup, control characters, forged forms, cursors of somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask

from migrator.accounts import operations as accounts
from migrator.db.models import Archive, Endpoint, Job, JobFolder, Mailbox
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests.web.conftest import EMAIL, PASSWORD, Browser
from tests.web.gallery import Gallery
from web import create_app

pytestmark = pytest.mark.slow

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea></title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "%(percent)s %s %d",
    "a\r\nSet-Cookie: x=y",
    "\x00\x01\x1b[31m\x7f",
    "\u202egpj.exe\u2066\ufeff",
    "\ud7ff\uffff\U0010ffff",
    "ÄÖÜ " * 40,
)


class Tags(HTMLParser):
    """Every tag with its attributes' names, so that two pages can be held against each other."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return Tags(page).found


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_name_changes_what_a_page_is_made_of(viewer: Browser, shown: Gallery, database: Database, text: str) -> None:
    """Address, hosts, folders, detail of the error: the same tags and attributes as with harmless names."""
    job_id = shown.jobs["certificate"]
    pages = (f"/jobs/{job_id}", "/jobs", f"/jobs/new?like={job_id}", f"/status/{shown.status['certificate']}")

    def rename(name: str) -> list[list[tuple[str, tuple[str, ...]]]]:
        with database.writing() as session:
            job = session.get_one(Job, job_id)
            session.get_one(Mailbox, job.mailbox_id).address = name
            for number in (job.source_id, job.target_id):
                end = session.get_one(Endpoint, number)
                end.host = end.user = name
            job.error = {**(job.error or {}), "detail": name, "message": name}
            for folder in session.query(JobFolder).filter_by(job_id=job_id, excluded=False):
                folder.source_name = folder.target_name = f"{name}{folder.position}"
        answers = [viewer.get(path) for path in pages]
        assert [answer.status_code for answer in answers] == [200] * len(pages)
        return [shape(answer.text) for answer in answers]

    assert rename(text) == rename("harmless")


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_what_is_typed_into_the_form_comes_back_as_text(
    staff: Browser, queue: list[int], database: Database, text: str
) -> None:
    ends = {f"{end}.{name}": text for end in ("source", "target")
            for name in ("user", "host", "port", "address", "fingerprint", "ca_pem", "security")}  # fmt: skip
    form = {**ends, "under": text, "row.0.source": text, "row.0.target": text, "row.0.hand": "1", "what": text}
    for path in ("/jobs/new", "/jobs/new/check/source", "/jobs/new/preview"):
        answer = staff.post(path, form)
        assert answer.status_code in (200, 422)
        known = {tag for tag, _ in shape(staff.post(path, dict.fromkeys(form, "x")).text)}
        assert {tag for tag, _ in shape(answer.text)} <= known | {"details", "li"}
        assert not any(name.startswith("on") for _, names in shape(answer.text) for name in names)
    assert queue == []


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_searching_for_anything_finds_nothing_and_shows_it_as_text(viewer: Browser, text: str) -> None:
    answer = viewer.get("/jobs", query_string={"q": text, "view": text})
    assert answer.status_code == 200
    assert shape(answer.text) == shape(viewer.get("/jobs", query_string={"q": "nobody has this"}).text)
    polled = viewer.live("/jobs/live", query_string={"q": text, "v": [text] * 3})
    assert polled.status_code in (200, 204)


@pytest.mark.parametrize("sign", ["%", "_", "\\", "[a-z]", "*"])
def test_a_search_knows_no_wildcards(viewer: Browser, sign: str) -> None:
    assert "Nothing found" in viewer.get("/jobs", query_string={"q": sign * 2}).text


@pytest.mark.parametrize("cursor", ["%FF%FF", "x", "0", "-1", "'; DROP TABLE jobs", "A" * 25, "٣", "%00", "==", "AAAA"])
@pytest.mark.parametrize("path", ["/jobs?view=done&cursor={}", "/jobs/{job}/failures?cursor={}"])
def test_a_cursor_of_somebodys_own_making_does_no_harm(viewer: Browser, shown: Gallery, path: str, cursor: str) -> None:
    answer = viewer.get(path.format(cursor, job=shown.jobs["running"]))
    assert answer.status_code in (200, 303)
    if answer.status_code == 303:
        assert viewer.get(answer.location).status_code == 200


# ---- forged forms --------------------------------------------------------------------------------------------------


def test_every_address_that_changes_something_refuses_a_form_from_elsewhere(
    keeper: Browser, app: Flask, stored: Gallery, database: Database, queue: list[int]
) -> None:
    """Without the token of this session, and with that of another one; with it the same request is understood."""
    other = Browser(app.test_client()).token()
    tried = set()
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or rule.endpoint.startswith("api."):
            continue
        path = re.sub(r"<[^>]*job_id>", str(stored.jobs["queued"]), rule.rule)
        path = re.sub(r"<[^>]*archive_id>", str(stored.archives["kept"]), path)
        path = path.replace("<end>", "source").replace("<token>", stored.setup)
        assert "<" not in path
        for form in ({}, {"csrf_token": "guess"}, {"csrf_token": other}):
            for headers in ({}, {"HX-Request": "true"}, {"X-CSRFToken": other}):
                answer = keeper.client.post(path, data=form, headers=headers)
                assert answer.status_code == 400, (path, form, headers)
        tried.add(rule.endpoint)
    assert len(tried) >= 20
    with database.reading() as session:
        assert session.get_one(Job, stored.jobs["queued"]).state == "queued"
        kept = session.get_one(Archive, stored.archives["kept"])
        assert (kept.every_hours, kept.closed_at, kept.destroyed_at) == (24, None, None)
    assert queue == []
    assert keeper.get("/jobs").status_code == 200, "still logged in"


# ---- where the database is strict ----------------------------------------------------------------------------------


@pytest.fixture
def strict(migrated_postgres_url: str, settings: Settings, vault: Vault) -> Iterator[Browser]:
    """Staff of an installation on PostgreSQL, which stores no NUL."""
    database = Database(migrated_postgres_url)
    accounts.create_user(database, EMAIL, "Jana Petersen", PASSWORD)
    app = create_app(settings, db=database, vault=vault, enqueue=lambda _: None)
    app.testing = False
    browser = Browser(app.test_client())
    assert browser.log_in().status_code == 303
    yield browser
    database.dispose()


@pytest.mark.servers
@pytest.mark.parametrize("text", ["\x00", "a\x00b@example.org"], ids=ascii)
def test_no_character_makes_a_page_fail(strict: Browser, text: str) -> None:
    quoted = "".join(f"%{octet:02X}" for octet in text.encode()) + "%ED%A0%80"
    for path in (f"/jobs?q={quoted}", f"/status/{quoted}", f"/setup/{quoted}", f"/jobs?view=done&cursor={quoted}"):
        assert strict.get(path).status_code in (200, 303, 404), path
    ends = {f"{end}.{name}": text for end in ("source", "target") for name in ("user", "host", "password")}
    assert strict.post("/jobs/new", {**ends, "under": text}).status_code == 422
    good = {"source.user": "a@b.example", "source.host": "imap.old.example", "source.password": "x",
            "target.user": "a@b.example", "target.host": "imap.new.example", "target.password": "x"}  # fmt: skip
    assert strict.post("/jobs/new", {**good, "under": text}).status_code in (303, 422)
    assert strict.log_in(email=text).status_code == 401
