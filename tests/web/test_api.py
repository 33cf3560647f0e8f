"""The API of interface.md: every address, every error, and that every answer is as the description says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from migrator.accounts import operations as accounts
from migrator.db.models import Endpoint, Job
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import operations
from migrator.jobs.states import JobState
from tests.web.gallery import Gallery
from tests.web.script import JOBS, ORDER, SECRET, SOURCE, TARGET, Script
from web.api import openapi


@pytest.fixture
def reader(app: Flask, shown: Gallery, database: Database) -> Script:
    """A program that sees the gallery."""
    return Script(app.test_client(), accounts.create_token(database, "reader"))


def pointers(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error.get("pointer") or error["parameter"]: error["code"] for error in answer.json["errors"]}


# ---- orders --------------------------------------------------------------------------------------------------------


def test_an_order_becomes_a_job(script: Script, queue: list[int], database: Database, vault: Vault) -> None:
    answer = script.post(JOBS, ORDER)
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{JOBS}/1")
    job = answer.json
    assert (job["id"], job["kind"], job["state"], queue) == (1, "copy", "queued", [1])
    assert job["messages"] == {"found": 0, "copied": 0, "already_there": 0, "skipped": 0, "failed": 0}
    assert (job["folders"], job["failures"], job["error"], job["octets"]) == ([], [], None, 0)
    for name in ("started_at", "finished_at", "waiting_until", "eta_seconds"):
        assert job[name] is None
    assert datetime.fromisoformat(job["created_at"]).tzinfo == UTC
    assert job["created_by"] == "api:ordering system"
    assert script.get(f"{JOBS}/1").json == job
    with database.reading() as session:
        row = session.get_one(Endpoint, session.get_one(Job, 1).source_id)
    assert row.credential
    assert vault.unseal(row.credential, operations.credential_context(row.id)) == SECRET


def test_a_password_is_never_given_back(script: Script) -> None:
    assert SECRET not in script.post(JOBS, ORDER).text
    assert SECRET not in script.get(f"{JOBS}/1").text
    assert SECRET not in script.get(JOBS).text
    wrong = script.post(JOBS, {**ORDER, "source": {**SOURCE, "port": SECRET, "pasword": SECRET}})
    assert SECRET not in wrong.text


def test_options_are_taken_as_they_are_documented(script: Script, database: Database) -> None:
    options = {"map": [["INBOX.Alt", "Old"], ["Gesendet", "Sent"]], "include": ["*"], "exclude": ["Spam*"],
               "under": "Archiv", "max_octets": 50_000_000, "recreated": "keep"}  # fmt: skip
    assert script.post(JOBS, {**ORDER, "options": options}).status_code == 201
    with database.reading() as session:
        kept = session.get_one(Job, 1).options
    assert kept == {**options, "map": {"INBOX.Alt": "Old", "Gesendet": "Sent"}}


def test_ask_is_what_happens_without_the_option(script: Script, database: Database) -> None:
    script.post(JOBS, {**ORDER, "options": {"recreated": "ask", "map": []}})
    with database.reading() as session:
        assert "recreated" not in session.get_one(Job, 1).options


def test_what_may_be_left_out_may_be_null(script: Script) -> None:
    nothing = {"ca_pem": None, "fingerprint": None, "address": None}
    assert script.post(JOBS, {**ORDER, "source": {**SOURCE, **nothing}}).status_code == 201
    short = {name: value for name, value in SOURCE.items() if name not in ("port", "security")}
    order = {"kind": "copy", "source": {**short, "user": "b@old.example"}, "target": TARGET}
    assert script.post(JOBS, order).json["source"]["port"] == 993


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"extra": 1}, {"/extra": "unknown_field"}),
        ({"kind": "move"}, {"/kind": "invalid"}),
        ({"kind": None}, {"/kind": "invalid"}),
        ({"source": {**SOURCE, "hots": "x"}}, {"/source/hots": "unknown_field"}),
        ({"source": {**SOURCE, "a/b~c": "x"}}, {"/source/a~1b~0c": "unknown_field"}),
        ({"source": {**SOURCE, "port": "993"}}, {"/source/port": "invalid"}),
        ({"source": {**SOURCE, "port": 993.0}}, {"/source/port": "invalid"}),
        ({"source": {**SOURCE, "port": True}}, {"/source/port": "invalid"}),
        ({"source": {**SOURCE, "port": 0}}, {"/source/port": "invalid"}),
        ({"source": {**SOURCE, "host": 7}}, {"/source/host": "invalid"}),
        ({"source": {**SOURCE, "host": ""}}, {"/source/host": "invalid"}),
        ({"source": {**SOURCE, "password": ""}}, {"/source/password": "invalid"}),
        ({"source": {**SOURCE, "security": "ssl"}}, {"/source/security": "invalid"}),
        ({"source": {**SOURCE, "protocol": "nntp"}}, {"/source/protocol": "invalid"}),
        ({"target": {**TARGET, "protocol": "pop3"}}, {"/target/protocol": "unknown"}),
        ({"source": {"protocol": "imap"}}, {"/source/host": "missing", "/source/user": "missing",
                                            "/source/password": "missing"}),
        ({"source": "imaps://a@b"}, {"/source": "invalid"}),
        ({"target": None}, {"/target/protocol": "unknown"}),
        ({"options": {"max_octets": -1}}, {"/options/max_octets": "invalid"}),
        ({"options": {"recreated": "maybe"}}, {"/options/recreated": "invalid"}),
        ({"options": {"map": [["only one"]]}}, {"/options/map/0/1": "missing"}),
        ({"options": {"map": {"a": "b"}}}, {"/options/map": "invalid"}),
        ({"options": {"delete": True}}, {"/options/delete": "unknown_field"}),
        ({"source": {**SOURCE, "host": "no host!"}, "target": {**TARGET, "address": "x"}},
         {"/source/host": "invalid", "/target/address": "invalid"}),
        ({"source": {**SOURCE, "host": "127.0.0.1"}}, {"/source/host": "forbidden"}),
        ({"source": {**SOURCE, "user": "a\r\nb"}}, {"/source/user": "invalid"}),
        ({"target": SOURCE}, {"/target/host": "same_account"}),
    ],
)  # fmt: skip
def test_every_field_that_is_wrong_is_named(
    script: Script, queue: list[int], change: dict[str, Any], expected: dict[str, str]
) -> None:
    assert pointers(script.post(JOBS, {**ORDER, **change})) == expected
    assert script.get(JOBS).json["jobs"] == []
    assert queue == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400), (b"", "application/json", 400), (b"\xff\xfe", "application/json", 400),
        (b"kind=copy", "application/x-www-form-urlencoded", 415), (b"{}", "text/plain", 415), (b"{}", "", 415),
        (b"[" * 100_000, "application/json", 400), (b'"' + b"x" * 1_000_001 + b'"', "application/json", 413),
        (b" " * 3_000_000, "application/json", 413),
    ],
)  # fmt: skip
def test_bodies_that_are_no_json_are_refused(script: Script, body: bytes, content_type: str, status: int) -> None:
    answer = script.call("POST", JOBS, data=body, content_type=content_type)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status


@pytest.mark.parametrize("body", ["null", "[]", "7", '"text"'])
def test_json_that_is_no_object_is_refused(script: Script, body: str) -> None:
    answer = script.call("POST", JOBS, data=body, content_type="application/json")
    assert answer.status_code == 422


# ---- reading -------------------------------------------------------------------------------------------------------


def test_one_job_shows_everything(reader: Script, shown: Gallery) -> None:
    job = reader.get(f"{JOBS}/{shown.jobs['running']}").json
    sums = job["messages"]
    assert sums["found"] == 43_118
    assert (len(job["folders"]), len(job["failures"])) == (13, 12)
    folder = next(one for one in job["folders"] if one["source"] == "Gesendete Objekte")
    assert (folder["target"], folder["role"], folder["failed"]) == ("Gesendet", "sent", 3)
    assert folder["found"] == folder["copied"] + folder["already_there"] + folder["skipped"] + folder["failed"]
    assert {"folder", "key", "message_id", "reason", "detail"} <= set(job["failures"][0])
    assert job["eta_seconds"] > 0
    assert 0 < job["percent"] < 100


def test_an_ended_jobs_sum_adds_up(reader: Script, shown: Gallery) -> None:
    for name in ("succeeded", "incomplete"):
        sums = reader.get(f"{JOBS}/{shown.jobs[name]}").json["messages"]
        assert sums["found"] == sums["copied"] + sums["already_there"] + sums["skipped"] + sums["failed"]


def test_every_state_fits_the_description(reader: Script, shown: Gallery) -> None:
    for job_id in shown.jobs.values():
        assert reader.get(f"{JOBS}/{job_id}").status_code == 200
    blocked = reader.get(f"{JOBS}/{shown.jobs['blocked']}").json
    assert (blocked["state"], blocked["error"]["code"]) == ("blocked", "login_refused")
    assert reader.get(f"{JOBS}/{shown.jobs['waiting']}").json["waiting_until"]
    assert reader.get(f"{JOBS}/{shown.jobs['verified']}").json["result"]["proven"] is False


def pages(script: Script, path: str, key: str) -> Iterator[list[Any]]:
    cursor = ""
    while True:
        answer = script.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}" if cursor else path).json
        yield answer[key]
        cursor = answer["next_cursor"]
        if cursor is None:
            return


def test_jobs_are_paged_newest_first(reader: Script, shown: Gallery) -> None:
    found = [[job["id"] for job in page] for page in pages(reader, f"{JOBS}?limit=5", "jobs")]
    assert [len(page) for page in found] == [5, 5, 5]
    flat = [number for page in found for number in page]
    assert flat == sorted(shown.jobs.values(), reverse=True)


def test_jobs_are_filtered_by_state_and_text(reader: Script, shown: Gallery) -> None:
    def ids(query: str) -> set[int]:
        return {job["id"] for job in reader.get(f"{JOBS}?{query}").json["jobs"]}

    assert ids("state=paused") == {shown.jobs["paused"]}
    assert ids("state=paused,succeeded") == {shown.jobs[name] for name in ("paused", "succeeded", "proven")}
    assert ids("q=optik") == {shown.jobs["counting"]}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("state=lost", "state"), ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"),
        ("limit=²", "limit"), ("limit=1&limit=2", "limit"), ("states=paused", "states"), ("cursor=%FF", "cursor"),
        ("cursor=eHg", "cursor"), ("cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
    ],
)  # fmt: skip
def test_a_query_that_does_not_fit_is_refused_by_name(reader: Script, query: str, name: str) -> None:
    assert set(pointers(reader.get(f"{JOBS}?{query}"))) == {name}


def test_failures_are_paged(reader: Script, shown: Gallery) -> None:
    path = f"{JOBS}/{shown.jobs['running']}/failures?limit=5"
    found = list(pages(reader, path, "failures"))
    assert [len(page) for page in found] == [5, 5, 2]
    assert len({one["key"] for page in found for one in page}) == 12


# ---- actions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [("queued", "pause", "paused"), ("paused", "resume", "queued"), ("blocked", "retry", "queued"),
     ("failed", "cancel", "cancelled")],
)  # fmt: skip
def test_actions_answer_with_the_job(
    script: Script, make: Callable[..., int], queue: list[int], before: str, action: str, after: str
) -> None:
    job_id = make(state=JobState(before))
    answer = script.post(f"{JOBS}/{job_id}/{action}")
    assert (answer.status_code, answer.json["state"]) == (200, after)
    assert queue == ([job_id] if after == "queued" else [])


def test_a_running_job_is_asked(script: Script, make: Callable[..., int], queue: list[int]) -> None:
    job_id = make(state=JobState.RUNNING, lease_until=datetime(2100, 1, 1, tzinfo=UTC))
    answer = script.post(f"{JOBS}/{job_id}/pause").json
    assert (answer["state"], answer["wish"], queue) == ("running", "pause", [])


@pytest.mark.parametrize("action", ["pause", "resume", "cancel", "retry"])
def test_what_is_not_possible_now_is_a_conflict_with_the_state(
    script: Script, make: Callable[..., int], action: str
) -> None:
    answer = script.post(f"{JOBS}/{make(state=JobState.SUCCEEDED)}/{action}")
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert (answer.json["state"], answer.json["code"], answer.json["status"]) == ("succeeded", "wrong_state", 409)


def test_without_passwords_a_job_cannot_go_on(script: Script, make: Callable[..., int], database: Database) -> None:
    job_id = make(state=JobState.FAILED)
    operations.wipe_credentials(database, job_id)
    answer = script.post(f"{JOBS}/{job_id}/retry")
    assert (answer.status_code, answer.json["code"], answer.json["state"]) == (409, "credentials_wiped", "failed")


def test_retry_takes_new_passwords_and_never_gives_them_back(
    script: Script, make: Callable[..., int], database: Database, vault: Vault
) -> None:
    job_id = make(state=JobState.BLOCKED)
    answer = script.post(
        f"{JOBS}/{job_id}/retry", {"source_password": "neu-Geheim-1", "target_password": "neu-Geheim-2"}
    )
    assert (answer.status_code, answer.json["state"]) == (200, "queued")
    assert "Geheim" not in answer.text
    with database.reading() as session:
        job = session.get_one(Job, job_id)
        ends = [session.get_one(Endpoint, number) for number in (job.source_id, job.target_id)]
    found = [vault.unseal(end.credential or b"", operations.credential_context(end.id)) for end in ends]
    assert found == ["neu-Geheim-1", "neu-Geheim-2"]
    wrong = script.post(f"{JOBS}/{make(state=JobState.BLOCKED)}/retry", {"source_password": "a\nb"})
    assert (wrong.status_code, "a\\nb" in wrong.text) == (422, False)
    ended = script.post(f"{JOBS}/{make(state=JobState.SUCCEEDED)}/retry", {"source_password": "x"})
    assert ended.status_code == 409


def test_retry_takes_options_or_no_body(script: Script, make: Callable[..., int], database: Database) -> None:
    job_id = make(state=JobState.BLOCKED, options={"under": "Alt"})
    assert script.post(f"{JOBS}/{job_id}/retry", {"options": {"recreated": "replay"}}).status_code == 200
    with database.reading() as session:
        assert session.get_one(Job, job_id).options == {"under": "Alt", "recreated": "replay"}
    for body in (None, {}, {"options": None}, {"options": {}}):
        assert script.post(f"{JOBS}/{make(state=JobState.FAILED)}/retry", body).status_code == 200
    wrong = script.post(f"{JOBS}/{make(state=JobState.FAILED)}/retry", {"options": {"max": 1}, "now": True})
    assert pointers(wrong) == {"/options/max": "unknown_field", "/now": "unknown_field"}


def test_other_actions_take_no_field(script: Script, make: Callable[..., int]) -> None:
    assert pointers(script.post(f"{JOBS}/{make()}/pause", {"why": "x"})) == {"/why": "unknown_field"}
    assert script.post(f"{JOBS}/{make()}/pause", {}).status_code == 200


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{JOBS}/999", 404), ("GET", f"{JOBS}/999/failures", 404), ("POST", f"{JOBS}/999/pause", 404),
        ("GET", f"{JOBS}/9999999999999999999999", 404), ("GET", f"{JOBS}/x", 404), ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v2/jobs", 404), ("DELETE", JOBS, 405), ("PUT", f"{JOBS}/1", 405), ("GET", f"{JOBS}/1/pause", 405),
    ],
)  # fmt: skip
def test_every_refusal_is_a_problem(script: Script, method: str, path: str, status: int) -> None:
    answer = script.call(method, path)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert {"type", "title", "status", "code", "detail"} <= set(answer.json)
    assert answer.json["status"] == status
    assert (status == 405) == ("Allow" in answer.headers)


def test_a_defect_of_ours_is_a_problem_with_a_number_and_without_its_reason(
    script: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("web.api.views.queries.jobs", lambda *_, **__: 1 / 0)
    answer = script.get(JOBS)
    assert (answer.status_code, answer.json["code"]) == (500, "defect")
    assert re.fullmatch(r"[0-9A-F]{3}-[0-9A-F]{3}", answer.json["incident"])
    assert "division" not in answer.text


def test_a_database_that_is_away_is_a_problem(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    from migrator.errors import DatabaseUnavailable

    def away(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr("web.api.views.queries.jobs", away)
    answer = script.get(JOBS)
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")


def test_who_guesses_tokens_must_wait(app: Flask) -> None:
    guesser = Script(app.test_client(), "pw_guess")
    answers = [guesser.get(JOBS) for _ in range(32)]
    assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert answers[-1].mimetype == "application/problem+json"


def test_a_token_may_ask_often(script: Script) -> None:
    assert {script.get(JOBS).status_code for _ in range(60)} == {200}


def test_a_revoked_token_is_none(script: Script, database: Database) -> None:
    assert script.get(JOBS).status_code == 200
    accounts.revoke_token(database, "ordering system")
    assert script.get(JOBS).status_code == 401


def test_when_a_token_was_last_used_is_kept(script: Script, database: Database) -> None:
    from migrator.accounts import queries

    script.get(JOBS)
    assert queries.tokens(database)[0].last_used_at is not None


def test_the_api_needs_no_cookie_and_sets_none(script: Script) -> None:
    assert "Set-Cookie" not in script.post(JOBS, ORDER).headers


# ---- the description -----------------------------------------------------------------------------------------------


def test_the_description_is_public_and_names_every_address(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype, answer.json["openapi"]) == (200, "application/json", "3.1.0")
    described = {(path, method.upper()) for path, item in answer.json["paths"].items() for method in item
                 if method != "parameters"}  # fmt: skip
    served = {
        (re.sub(r"<[^>]*(job|archive|item)_id>", "{id}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == served


def test_the_descriptions_schemas_are_valid_and_nothing_points_nowhere() -> None:
    document = openapi.document()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for name in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]
    names = [operation["operationId"] for item in document["paths"].values() for name, operation in item.items()
             if name != "parameters"]  # fmt: skip
    assert len(set(names)) == len(names) == 22


def test_the_description_refuses_what_the_api_refuses() -> None:
    document = openapi.document()
    order = Draft202012Validator({"$ref": "#/components/schemas/NewJobIn", "components": document["components"]})
    assert order.is_valid(ORDER)
    assert not order.is_valid({**ORDER, "extra": 1})
    assert not order.is_valid({**ORDER, "source": {**SOURCE, "port": "993"}})
    endpoint = document["components"]["schemas"]["Endpoint"]
    assert endpoint["properties"]["password"]["writeOnly"] is True
    assert "password" not in document["components"]["schemas"]["EndpointOut"]["properties"]
