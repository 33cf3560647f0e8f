"""What the new server would not take, on pages and by API: seen, fetched, put in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from migrator.db.models import Endpoint, Failure, Folder, QuarantinedPart
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import lease, operations
from migrator.jobs.quarantine import operations as quarantine
from migrator.jobs.states import JobState
from migrator.mail.messages import MessageKey
from tests.making import NEW_PASSWORD, add, kept, row
from tests.web.conftest import Browser
from tests.web.script import JOBS, Script

MAIL = b"Subject: Gr\xfc\xdfe <script>\r\n\r\noctets \0 of all kinds\r\n"
KEY = MessageKey(7, 3)
EML = "/quarantine/1.eml"


@pytest.fixture
def incomplete(make: Callable[..., int], database: Database, vault: Vault) -> int:
    """One message was refused and is kept; another one the old server did not give."""
    job_id = make(state=JobState.INCOMPLETE)
    kept(database, vault, job_id, KEY, MAIL)
    with database.reading() as session:
        folder = session.query(Folder).one().id
    for uid, reason in ((3, "refused"), (4, "empty_at_source")):
        add(database, Failure(job_id=job_id, folder_id=folder, origin_validity=7, origin_uid=uid, reason=reason,
                              at=datetime.now(UTC), size=40))  # fmt: skip
    return job_id


def wiped(db: Database, job_id: int) -> None:
    with db.writing() as session:
        lease.wipe(session, row(db, job_id).source_id, row(db, job_id).target_id, datetime.now(UTC))


@pytest.mark.parametrize(("language", "words"), [("en", "1 message lies sealed in quarantine."),
                                                 ("de", "1 Nachricht liegt versiegelt in Quarantäne.")])  # fmt: skip
def test_the_jobs_page_says_how_many_lie_there_and_offers_to_put_them_in(
    staff: Browser, incomplete: int, language: str, words: str
) -> None:
    staff.headers = {"Accept-Language": language}
    page = staff.get(f"/jobs/{incomplete}").text
    assert words in page
    assert f'action="/jobs/{incomplete}/replay"' in page
    assert 'id="replay-password"' not in page


def test_the_list_leads_to_the_octets_of_what_is_kept_and_of_nothing_else(staff: Browser, incomplete: int) -> None:
    page = staff.get(f"/jobs/{incomplete}/failures").text
    assert page.count(".eml") == 2  # the link and its words
    assert f'href="{EML}"' in page
    answer = staff.get(EML)
    assert (answer.data, answer.mimetype) == (MAIL, "message/rfc822")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="INBOX-7-3.eml"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert staff.get("/quarantine/2.eml").status_code == 404
    for form in ("failures.csv", "report", "report.csv", "report.json"):
        assert "kept in quarantine" in staff.get(f"/jobs/{incomplete}/{form}").text, form


def test_nobody_else_gets_them(anybody: Browser, incomplete: int) -> None:
    answer = anybody.get(EML)
    assert answer.status_code == 303
    assert MAIL not in answer.data


def test_they_are_put_in_by_a_job_of_its_own_that_needs_no_old_server(
    staff: Browser, incomplete: int, database: Database, vault: Vault, queue: list[int]
) -> None:
    answer = staff.post(f"/jobs/{incomplete}/replay", {"repair": "yes"})
    (new,) = queue
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{new}")
    made, before = row(database, new), row(database, incomplete)
    assert (made.kind, made.state, made.mailbox_id) == ("copy", "queued", before.mailbox_id)
    assert made.options == {"repair": True, "from_quarantine": True}
    with database.reading() as session:
        source, target = session.get_one(Endpoint, made.source_id), session.get_one(Endpoint, made.target_id)
    assert (source.host, source.credential) == ("mail.old.example", None)
    assert target.id != before.target_id
    assert target.credential is not None
    assert vault.unseal(target.credential, operations.credential_context(target.id)) == NEW_PASSWORD
    page = staff.get(f"/jobs/{new}").text
    assert "the old server is not asked" in page


def test_a_wiped_password_is_asked_for(
    staff: Browser, incomplete: int, database: Database, vault: Vault, queue: list[int]
) -> None:
    wiped(database, incomplete)
    assert 'id="replay-password"' in staff.get(f"/jobs/{incomplete}").text
    assert staff.post(f"/jobs/{incomplete}/replay").headers["Location"] == f"/jobs/{incomplete}"
    assert queue == []
    staff.post(f"/jobs/{incomplete}/replay", {"password": "typed-Geheim-1"})
    assert len(queue) == 1
    assert "typed-Geheim-1" not in staff.get(f"/jobs/{queue[0]}").text


def test_what_was_put_in_since_or_forgotten_says_so(staff: Browser, incomplete: int, database: Database) -> None:
    assert quarantine.expire(database, days=-1) == 1
    page = staff.get(f"/jobs/{incomplete}/failures").text
    assert "forgotten after its time" in page
    assert ".eml" not in page
    assert "in quarantine." not in staff.get(f"/jobs/{incomplete}").text
    answer = staff.post(f"/jobs/{incomplete}/replay")
    assert answer.status_code == 303
    assert "Nothing of this mailbox lies in quarantine any more." in staff.get(f"/jobs/{incomplete}").text


def test_octets_that_were_altered_are_not_handed_out(
    staff: Browser, script: Script, incomplete: int, database: Database
) -> None:
    with database.writing() as session:
        session.execute(update(QuarantinedPart).values(octets=b"something else"))
    assert staff.get(EML).status_code == 303
    answer = script.get("/api/v1/quarantine/1")
    assert (answer.status_code, answer.json["code"]) == (409, "damaged")


def test_a_program_sees_fetches_and_puts_in(
    script: Script, incomplete: int, database: Database, queue: list[int]
) -> None:
    found = script.get(f"{JOBS}/{incomplete}/failures").json["failures"]
    assert [(one["reason"], one["quarantine"], one["gone"]) for one in found] == [
        ("refused", 1, None), ("empty_at_source", None, None),
    ]  # fmt: skip
    assert script.get("/api/v1/quarantine/1").data == MAIL
    assert script.get("/api/v1/quarantine/2").status_code == 404
    answer = script.post(f"{JOBS}/{incomplete}/replay", {"repair": True})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/jobs/{queue[0]}")
    assert answer.json["options"] == {"repair": True, "from_quarantine": True}
    wiped(database, incomplete)
    refused = script.post(f"{JOBS}/{incomplete}/replay")
    assert (refused.status_code, refused.json["code"]) == (409, "credentials_wiped")
    assert script.post(f"{JOBS}/{incomplete}/replay", {"target_password": "x"}).status_code == 201
    assert script.post(f"{JOBS}/4711/replay").status_code == 404
    assert script.post(f"{JOBS}/{incomplete}/replay", {"map": []}).status_code == 422
    quarantine.expire(database, days=-1)
    nothing = script.post(f"{JOBS}/{incomplete}/replay")
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing_kept")


def test_a_job_that_is_at_work_is_left_alone(script: Script, make: Callable[..., int]) -> None:
    answer = script.post(f"{JOBS}/{make(state=JobState.RUNNING)}/replay")
    assert (answer.status_code, answer.json["code"], answer.json["state"]) == (409, "wrong_state", "running")
