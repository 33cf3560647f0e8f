"""Archives over the API: ordered, kept, fetched, closed, destroyed; and both doors of an old server looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import ArchiveUnusable, LoginRefused
from migrator.jobs import advising, fetching, lease
from migrator.jobs.advising import AdviceReport
from migrator.jobs.keeping import operations as keeping
from migrator.jobs.keeping import rows
from migrator.jobs.keeping.views import PassFacts
from migrator.jobs.orders import NewEndpoint
from migrator.jobs.probe import ProbeReport
from migrator.planning.advice import Advice, Note, Track
from migrator.settings import Settings
from tests.making import NOW
from tests.web import gallery
from tests.web.script import JOBS, SOURCE, TARGET, Script
from web.api import openapi
from web.services import Services

ARCHIVES = "/api/v1/archives"
ORDER = {"kind": "archive", "source": SOURCE, "keep": {"every_hours": 24, "window": [22, 5]}}


def fits(schema: str, value: object) -> None:
    api = openapi.document()
    Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": api["components"]}).validate(value)


@pytest.fixture
def archive(script: Script, database: Database) -> int:
    """One with a point in time."""
    number = script.post(JOBS, ORDER).json["id"]
    held = lease.take(database, number, "worker", 20, NOW + timedelta(days=1))
    assert held is not None
    keeping.record_passes(database, held, 4096, [PassFacts(1, NOW, NOW, 10, 1, 5000)])
    lease.fire(database, held, lease.JobEvent.SUCCEED, NOW)
    return int(script.get(ARCHIVES).json["archives"][0]["id"])


def test_a_pass_is_ordered_without_naming_an_archive_and_shows_which_one_it_fills(script: Script) -> None:
    made = script.post(JOBS, ORDER)
    assert made.status_code == 201
    target = made.json["target"]
    assert (target["protocol"], target["archive"], target["host"]) == ("archive", 1, "")
    again = script.post(JOBS, {**ORDER, "target": {"protocol": "archive", "archive": 1}})
    assert again.json["target"]["archive"] == 1
    shown = script.get(f"{ARCHIVES}/1").json
    fits("Archive", shown)
    assert (shown["state"], shown["every_hours"], shown["window"]) == ("empty", 24, [22, 5])
    assert shown["jobs"] == [again.json["id"], made.json["id"]]
    assert SOURCE["password"] not in str(shown)


def test_what_an_archive_holds_is_played_in_checked_and_verified(script: Script, archive: int) -> None:
    end = {"protocol": "archive", "archive": archive}
    options = {"at": "2026-11-22T18:00:00+01:00", "restore": True, "messages": [{"folder": "INBOX", "key": "1/17"}]}
    played = script.post(JOBS, {"kind": "play-in", "source": end, "target": TARGET, "options": options})
    assert (played.status_code, played.json["options"]) == (201, options)
    assert script.post(JOBS, {"kind": "check", "source": end}).status_code == 201
    assert script.post(JOBS, {"kind": "verify", "source": end, "target": TARGET}).status_code == 201


@pytest.mark.parametrize(
    ("order", "pointer", "code"),
    [
        ({"kind": "play-in", "source": {"protocol": "archive"}, "target": TARGET}, "/source/archive", "missing"),
        ({"kind": "play-in", "source": {"protocol": "archive", "archive": 99}, "target": TARGET}, "/source/archive",
         "not_found"),
        ({"kind": "copy", "source": {"protocol": "archive", "archive": 1}, "target": TARGET}, "/source/protocol",
         "unknown"),
        ({"kind": "archive", "source": SOURCE, "keep": {"leave_days": 14, "leave_wish": "x"}}, "/keep/leave_days",
         "not_pop3"),
        ({"kind": "archive", "source": SOURCE, "keep": {"window": [22, 24]}}, "/keep/window/1", "invalid"),
        ({"kind": "archive", "source": SOURCE, "keep": {"nightly": True}}, "/keep/nightly", "unknown_field"),
        ({"kind": "check", "source": {"protocol": "archive", "archive": 1}, "options": {"restore": True}},
         "/options/restore", "unknown"),
        ({"kind": "archive", "source": {**SOURCE, "host": ""}}, "/source/host", "invalid"),
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_names_the_field(
    script: Script, order: dict[str, Any], pointer: str, code: str
) -> None:
    answer = script.post(JOBS, order)
    assert answer.status_code == 422
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [(pointer, code)]


def test_the_list_is_searched_and_paged(script: Script, archive: int) -> None:
    other = {**ORDER, "source": {**SOURCE, "user": "bert@old.example"}}
    assert script.post(JOBS, other).status_code == 201
    page = script.get(f"{ARCHIVES}?limit=1").json
    fits("ArchiveList", page)
    assert [one["address"] for one in page["archives"]] == ["bert@old.example"]
    rest = script.get(f"{ARCHIVES}?limit=1&cursor={page['next_cursor']}").json
    assert ([one["id"] for one in rest["archives"]], rest["next_cursor"]) == ([archive], None)
    assert [one["id"] for one in script.get(f"{ARCHIVES}?q=bert").json["archives"]] == [2]
    assert script.get(f"{ARCHIVES}/99").status_code == 404
    assert script.get(f"{ARCHIVES}?state=kept").status_code == 422


def test_an_archive_is_kept_closed_reopened_and_destroyed(script: Script, archive: int, app: Flask) -> None:
    def ask(verb: str, body: dict[str, Any] | None = None, *, method: str = "POST") -> Any:
        headers = script.headers
        return app.test_client().open(f"{ARCHIVES}/{archive}/{verb}", method=method, json=body or {}, headers=headers)

    assert ask("keep", {"every_hours": 6}, method="PUT").json["every_hours"] == 6
    stopped = ask("keep", method="PUT").json
    assert (stopped["every_hours"], stopped["next_pass_at"], stopped["password_stored"]) == (None, None, False)
    again = ask("keep", {"every_hours": 6}, method="PUT")
    assert [one["pointer"] for one in again.json["errors"]] == ["/source/password"]
    assert ask("keep", {"every_hours": 6, "password": "geheim-9"}, method="PUT").json["password_stored"] is True
    assert ask("customer", {"may_fetch": True}).json["customer_may_fetch"] is True
    assert ask("close", {"until": "2026-11-23T00:00:00Z"}).json["errors"][0]["code"] == "too_early"
    assert ask("close", {"until": "2026-11-23T00:00:00"}).json["errors"][0]["pointer"] == "/until"
    closed = ask("close").json
    assert (closed["state"], closed["password_stored"]) == ("closed", False)
    assert closed["expires_at"] > closed["closed_at"]
    assert ask("keep", {"every_hours": 6, "password": "x"}, method="PUT").json["errors"][0]["code"] == "closed"
    assert ask("reopen").json["expires_at"] is None
    assert ask("destroy").json["errors"][0]["pointer"] == "/reason"
    destroyed = ask("destroy", {"reason": "The customer asked for it."}).json
    fits("Archive", destroyed)
    assert (destroyed["state"], destroyed["destroyed_by"][:4]) == ("destroyed", "api:")
    for verb in ("close", "reopen"):
        answer = ask(verb)
        assert (answer.status_code, answer.json["code"]) == (409, "archive_destroyed")
    assert script.get(f"{ARCHIVES}/{archive}/export").json["code"] == "archive_destroyed"


def test_what_may_be_the_only_copy_is_destroyed_only_by_saying_so(
    script: Script, archive: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "is_only_copy", lambda *_: True)
    answer = script.post(f"{ARCHIVES}/{archive}/destroy", {"reason": "over"})
    assert (answer.status_code, answer.json["code"]) == (409, "only_copy")
    destroyed = script.post(f"{ARCHIVES}/{archive}/destroy", {"reason": "over", "even_the_only_copy": True})
    assert destroyed.json["state"] == "destroyed"


def test_what_a_worker_works_with_is_not_destroyed(script: Script, database: Database) -> None:
    number = script.post(JOBS, ORDER).json["id"]
    from datetime import UTC, datetime

    assert lease.take(database, number, "worker", 60, datetime.now(UTC)) is not None
    answer = script.post(f"{ARCHIVES}/1/destroy", {"reason": "wrong customer"})
    assert (answer.status_code, answer.json["code"]) == (409, "archive_busy")


def test_an_export_is_streamed_under_a_name_that_tells_nobodys_address(
    script: Script, archive: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def zip_of(db: Database, vault: Vault, settings: Settings, number: int, **given: Any) -> Iterator[bytes]:
        asked.update(given, number=number)
        return iter((b"PK", b"..."))

    monkeypatch.setattr(fetching, "zip_of", zip_of)
    answer = script.get(f"{ARCHIVES}/{archive}/export?format=eml&at=2026-11-22T18:00:00Z&folder=INBOX.B%C3%BCcher")
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"PK...", "application/zip")
    assert f'attachment; filename="archive-{archive}-eml.zip"' in answer.headers["Content-Disposition"]
    assert (asked["kind"], asked["folder"], asked["at"].hour) == ("eml", "INBOX.Bücher", 18)
    for wrong in ("format=pst", "at=yesterday", "at=2026-11-22T18:00:00", "path=/etc"):
        assert script.get(f"{ARCHIVES}/{archive}/export?{wrong}").status_code == 422, wrong
    assert script.get(f"{ARCHIVES}/99/manifest").status_code == 404


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (fetching.ArchiveElsewhere("The archive 1 lies on the storage node south."), "archive_elsewhere"),
        (ArchiveUnusable("No pass was completed yet."), "archive_unusable"),
    ],
)
def test_what_cannot_be_fetched_here_says_why(
    script: Script, archive: int, error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Iterator[bytes]:
        raise error

    monkeypatch.setattr(fetching, "manifest_of", refuse)
    answer = script.get(f"{ARCHIVES}/{archive}/manifest")
    assert (answer.status_code, answer.json["code"]) == (409, code)


def test_a_file_that_lies_elsewhere_is_not_taken_for_damage(
    database: Database, vault: Vault, settings: Settings, archive: int
) -> None:
    with pytest.raises(fetching.ArchiveElsewhere, match="storage node main"):
        fetching.zip_of(database, vault, settings, archive, kind="eml")


# ---- looking first -------------------------------------------------------------------------------------------------


def look(app: Flask, report: AdviceReport) -> list[tuple[NewEndpoint, bool | None]]:
    """The application sees this behind every old server; what it was asked."""
    asked: list[tuple[NewEndpoint, bool | None]] = []

    def advise(endpoint: NewEndpoint, *, settings: Settings, fetches_by_pop3: bool | None = None) -> AdviceReport:
        asked.append((endpoint, fetches_by_pop3))
        return report

    services = app.extensions["postwagen"]
    assert isinstance(services, Services)
    app.extensions["postwagen"] = dataclasses.replace(services, advise=advise)
    return asked


def test_both_doors_of_an_old_server_are_shown_with_what_follows_from_them(app: Flask, script: Script) -> None:
    refused = ProbeReport(ok=False, error=LoginRefused("The server does not accept this user and password."))
    seen = ProbeReport(ok=True, error=None, folders=1, messages=12, octets=3_000_000, tls="TLSv1.3")
    ends = {
        "imap": advising.end_of(NewEndpoint("imap", "imap.old.example", 993, "tls", "u", "secret-1")),
        "pop3": advising.end_of(NewEndpoint("pop3", "pop.old.example", 995, "tls", "u", "secret-1")),
    }
    advice = Advice(Track.COLLECT_BY_POP3, (Note.SENT_MAIL_IN_PROGRAM, Note.IMAP_IS_OFF))
    asked = look(app, AdviceReport(refused, advice, {"imap": refused, "pop3": seen}, ends))
    answer = script.post("/api/v1/check", {"source": SOURCE, "fetches_by_pop3": True})
    assert answer.status_code == 200
    fits("Checked", answer.json)
    assert (answer.json["track"], [note["code"] for note in answer.json["notes"]]) == (
        "collect_by_pop3", ["sent_mail_in_program", "imap_is_off"],
    )  # fmt: skip
    assert (answer.json["pop3"]["host"], answer.json["pop3"]["messages"]) == ("pop.old.example", 12)
    assert answer.json["imap"]["error"]["code"] == "login_refused"
    assert (asked[0][0].host, asked[0][1]) == (SOURCE["host"], True)
    assert "secret-1" not in answer.text


def test_nobody_is_asked_for_a_server_that_may_not_be_reached(app: Flask, script: Script) -> None:
    asked = look(app, AdviceReport(ProbeReport(ok=True, error=None), Advice(Track.UNKNOWN)))
    answer = script.post("/api/v1/check", {"source": {**SOURCE, "host": "127.0.0.1"}})
    assert (answer.status_code, answer.json["errors"][0]["code"], asked) == (422, "forbidden", [])


def test_with_a_new_server_what_will_not_fit_there_is_found(app: Flask, script: Script) -> None:
    seen = gallery.fake_advise(
        NewEndpoint("imap", SOURCE["host"], 993, "tls", "u", "x"), settings=app.extensions["postwagen"].settings
    )
    end = advising.end_of(NewEndpoint("imap", SOURCE["host"], 993, "tls", "u", "x"))
    look(app, dataclasses.replace(seen, ends={"imap": end, "pop3": end}))
    new = {**SOURCE, "host": "mail.nordhafen.example"}
    answer = script.post("/api/v1/check", {"source": SOURCE, "target": new})
    assert answer.status_code == 200, answer.text
    fits("Checked", answer.json)
    assert (answer.json["target"]["ok"], answer.json["target"]["host"]) == (True, new["host"])
    found = {one["code"]: one for one in answer.json["findings"]}
    assert list(found) == ["quota_too_small", "messages_too_big"]
    assert (found["quota_too_small"]["number"], found["quota_too_small"]["limit"]) == (12_277_000_000, 10_000_000_000)
    assert found["quota_too_small"]["wanted"] > 13_600_000_000
    assert [one["key"] for one in found["messages_too_big"]["messages"]] == ["7/5101", "9/1804", "1/13990"]
    without = script.post("/api/v1/check", {"source": SOURCE})
    assert (without.json["target"], without.json["findings"]) == (None, [])


def test_with_a_new_server_it_is_shown_where_each_folder_goes_as_a_job_with_these_options_would_put_it(
    app: Flask, script: Script
) -> None:
    end = advising.end_of(NewEndpoint("imap", SOURCE["host"], 993, "tls", "u", "x"))
    seen = gallery.fake_advise(
        NewEndpoint("imap", SOURCE["host"], 993, "tls", "u", "x"), settings=app.extensions["postwagen"].settings
    )
    look(app, dataclasses.replace(seen, ends={"imap": end, "pop3": end}))
    asked = {"source": SOURCE, "target": {**SOURCE, "host": "mail.nordhafen.example"}}

    def mapping(**options: object) -> dict[str, tuple[object, ...]]:
        answer = script.post("/api/v1/check", {**asked, "options": options})
        assert answer.status_code == 200, answer.text
        fits("Checked", answer.json)
        return {row["source"]: (row["target"], row["role"], row["reason"]) for row in answer.json["mapping"]}

    given = mapping()
    assert len(given) == len(seen.given.folder_list)
    assert given["Sent"] == given["Gesendete Objekte"] == ("Gesendet", "sent", "role")
    chosen = mapping(map=[["Lieferanten", "Bills"]], exclude=["Kunden"], apart=True)
    assert chosen["Lieferanten"] == ("Bills", None, "rule")
    assert chosen["Kunden"] == (None, None, "excluded: Kunden")
    assert chosen["Sent"][0] == "Sent"
    assert mapping(under="Alt")["Lieferanten"][0] == "Alt/Lieferanten"
    refused = script.post("/api/v1/check", {**asked, "options": {"map": [["No such", "Bills"]]}})
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"], error["code"]) == (422, "/options/map", "unknown_folder")
    assert "No such" in error["detail"]


def test_a_new_server_that_does_not_open_is_shown_and_nothing_is_found(app: Flask, script: Script) -> None:
    seen = ProbeReport(ok=True, error=None)
    look(app, AdviceReport(seen, Advice(Track.UNKNOWN)))
    new = {**SOURCE, "host": "mail.nordhafen.example", "password": "falsch"}
    answer = script.post("/api/v1/check", {"source": SOURCE, "target": new})
    assert (answer.json["target"]["error"]["code"], answer.json["findings"]) == ("login_refused", [])
    assert answer.json["mapping"] == []
    same = script.post("/api/v1/check", {"source": SOURCE, "target": SOURCE})
    assert (same.status_code, same.json["errors"][0]["code"]) == (422, "same_account")
