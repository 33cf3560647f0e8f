"""What staff ask of an archive: check, schedule, the customer's leave, closing, reopening, destruction."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from migrator.db.models import Archive, Endpoint, Job
from migrator.db.store import Database
from tests.web.conftest import EMAIL, Browser
from tests.web.gallery import Gallery

pytestmark = pytest.mark.slow

Post = dict[str, str]


def row(database: Database, archive_id: int) -> Archive:
    with database.reading() as session:
        return session.get_one(Archive, archive_id)


def newest(database: Database) -> Job:
    with database.reading() as session:
        return session.query(Job).order_by(Job.id.desc()).first()


def test_a_check_is_a_job_and_goes_into_the_queue(
    keeper: Browser, stored: Gallery, database: Database, queue: list[int]
) -> None:
    answer = keeper.post(f"/archives/{stored.archives['pop3']}/check")
    job = newest(database)
    assert (answer.status_code, answer.location, queue) == (303, f"/jobs/{job.id}", [job.id])
    assert (job.kind, job.created_by) == ("check", EMAIL)
    page = keeper.get(answer.location).text
    assert "The check begins as soon as a worker is free." in page
    assert "Check archive: from end to end" in page


# ---- by itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"keep.rhythm": "nightly"}, (24, 0, 5)),
        ({"keep.rhythm": "hours", "keep.every_hours": "6"}, (6, None, None)),
        ({"keep.rhythm": "hours", "keep.every_hours": "12", "keep.begin": "20", "keep.end": "4"}, (12, 20, 4)),
        ({"keep.rhythm": ""}, (None, None, None)),
    ],
)
def test_passes_come_as_it_was_chosen(
    keeper: Browser, stored: Gallery, database: Database, form: Post, expected: tuple[int | None, ...]
) -> None:
    number = stored.archives["kept"]
    answer = keeper.post(f"/archives/{number}/keep", form)
    assert (answer.status_code, answer.location) == (303, f"/archives/{number}")
    kept = row(database, number)
    assert (kept.every_hours, kept.window_from, kept.window_until) == expected
    assert (kept.next_pass_at is None) == (expected[0] is None)


def test_what_stands_now_is_what_the_form_shows(keeper: Browser, stored: Gallery) -> None:
    def chosen(name: str) -> list[str]:
        page = keeper.get(f"/archives/{stored.archives[name]}").text
        return re.findall(r'<input type="radio" name="keep\.\w+" value="(\w*)" checked>', page)

    assert chosen("kept") == ["nightly"]
    assert chosen("pop3") == ["hours", "14"]
    assert chosen("damaged") == [""]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"keep.rhythm": "hours", "keep.every_hours": "x"}, "A whole number from 1 to 744."),
        ({"keep.rhythm": "hours", "keep.every_hours": "9999"}, "A whole number from 1 to 744."),
        ({"keep.rhythm": "hours", "keep.every_hours": "6", "keep.begin": "3"}, "This does not fit."),
        ({"keep.leave": "14"}, "Write down who asked for it, and when"),
        ({"keep.leave": "days", "keep.leave_wish": "Frau Weber"}, "A whole number from 0 to 3650."),
        ({"keep.leave": "-1", "keep.leave_wish": "Frau Weber"}, "A whole number from 0 to 3650."),
    ],
)
def test_what_does_not_fit_is_said_at_its_field_and_changes_nothing(
    keeper: Browser, stored: Gallery, database: Database, form: Post, sentence: str
) -> None:
    number = stored.archives["pop3"]
    before = row(database, number).every_hours
    answer = keeper.post(f"/archives/{number}/keep", form)
    assert answer.status_code == 422
    assert sentence in answer.text.partition('id="itself"')[2].partition("</section>")[0]
    assert "<details open>" in answer.text.partition('id="itself"')[2]
    assert row(database, number).every_hours == before


def test_nothing_is_deleted_where_mail_is_not_collected(keeper: Browser, stored: Gallery, database: Database) -> None:
    number = stored.archives["kept"]
    answer = keeper.post(f"/archives/{number}/keep", {"keep.leave": "0", "keep.leave_wish": "Frau Weber"})
    assert answer.status_code == 422
    assert row(database, number).leave_days is None


def test_the_wish_is_kept_with_whoever_wrote_it_down_and_once(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    number = stored.archives["pop3"]
    for _ in range(2):
        shown = keeper.get(f"/archives/{number}").text
        wish = re.search(r'name="keep.leave_wish" value="([^"]*)"', shown)
        assert wish
        assert "recorded by" not in wish.group(1)
        keeper.post(f"/archives/{number}/keep", {"keep.leave": "0", "keep.leave_wish": wish.group(1)})
    kept = row(database, number)
    assert kept.leave_days == 0
    assert kept.leave_wish.count("recorded by") == 1
    assert EMAIL in kept.leave_wish


def test_a_password_that_was_wiped_is_asked_for(keeper: Browser, stored: Gallery, database: Database) -> None:
    number = stored.archives["damaged"]
    with database.writing() as session:
        source = session.get_one(Job, stored.jobs["broken"] - 1).source_id
        session.get_one(Endpoint, source).credential = None
    page = keeper.get(f"/archives/{number}").text
    assert page.partition('id="itself"')[2].count('type="password"') == 1
    refused = keeper.post(f"/archives/{number}/keep", {"keep.rhythm": "nightly"})
    assert refused.status_code == 422
    keeper.post(f"/archives/{number}/keep", {"keep.rhythm": "nightly", "source.password": "ganz-Neu-99"})
    assert row(database, number).every_hours == 24
    assert "ganz-Neu-99" not in keeper.get(f"/archives/{number}").text
    assert 'type="password"' not in keeper.get(f"/archives/{number}").text


def test_a_closed_transfer_gets_no_passes(keeper: Browser, stored: Gallery) -> None:
    answer = keeper.post(f"/archives/{stored.archives['closed']}/keep", {"keep.rhythm": "nightly"})
    assert answer.status_code == 422


# ---- the customer --------------------------------------------------------------------------------------------------


def test_the_customer_may_fetch_when_staff_say_so_and_no_longer_than_that(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    number = stored.archives["pop3"]
    for allowed in ("yes", "no"):
        answer = keeper.post(f"/archives/{number}/customer", {"allowed": allowed})
        assert answer.location == f"/archives/{number}"
        assert row(database, number).customer_may_fetch == (allowed == "yes")
        assert 'class="flash is-done"' in keeper.get(answer.location).text


# ---- the end -------------------------------------------------------------------------------------------------------


def test_closing_and_reopening(keeper: Browser, stored: Gallery, database: Database) -> None:
    number = stored.archives["kept"]
    keeper.post(f"/archives/{number}/close")
    closed = row(database, number)
    assert closed.closed_at
    assert closed.expires_at
    assert closed.expires_at - closed.closed_at == timedelta(days=90)
    assert (closed.every_hours, closed.next_pass_at) == (None, None)
    page = keeper.get(f"/archives/{number}").text
    assert "The transfer is closed. The archive is destroyed on" in page
    keeper.post(f"/archives/{number}/reopen")
    assert row(database, number).expires_at is None


def test_an_archive_is_kept_longer_but_never_shorter(keeper: Browser, stored: Gallery, database: Database) -> None:
    number = stored.archives["kept"]
    late = (datetime.now(UTC) + timedelta(days=400)).date()
    keeper.post(f"/archives/{number}/close", {"until": late.isoformat()})
    expires = row(database, number).expires_at
    assert expires
    assert abs((expires.date() - late).days) <= 1
    for text, sentence in (
        ("2026-01-01", "Choose a later day"),
        ("soon", "This is no date"),
        ("9999-99-99", "no date"),
    ):
        answer = keeper.post(f"/archives/{number}/close", {"until": text})
        assert answer.status_code == 422
        assert sentence in answer.text
    assert row(database, number).expires_at == expires


def test_destruction_has_a_page_that_says_what_it_does_and_asks_no_empty_question(
    keeper: Browser, stored: Gallery
) -> None:
    page = keeper.get(f"/archives/{stored.archives['kept']}/destroy").text
    assert "The key is destroyed at once" in page
    assert "43,118 messages in 20 points in time can never be read again by anybody." in page
    assert "Are you sure" not in page
    assert keeper.get(f"/archives/{stored.archives['destroyed']}/destroy").status_code == 303


@pytest.mark.parametrize(
    "form",
    [{}, {"reason": "Wunsch"}, {"address": "verkauf@mueller-bau.example"}, {"reason": "  ", "address": "x@y.example"}],
)
def test_without_reason_and_address_nothing_is_destroyed(
    keeper: Browser, stored: Gallery, database: Database, form: Post
) -> None:
    answer = keeper.post(f"/archives/{stored.archives['kept']}/destroy", form)
    assert answer.status_code == 422
    assert "aria-invalid" in answer.text
    assert row(database, stored.archives["kept"]).sealed_key is not None


def test_destruction_destroys_the_key_and_says_who_and_why(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    number = stored.archives["damaged"]
    form = {"reason": "Löschverlangen", "address": " INFO@schreinerei-voss.example "}
    answer = keeper.post(f"/archives/{number}/destroy", form)
    assert answer.location == f"/archives/{number}"
    gone = row(database, number)
    assert (gone.sealed_key, gone.destroyed_by, gone.destroyed_reason) == (None, EMAIL, "Löschverlangen")
    assert "The archive is destroyed. Its file is removed next" in keeper.get(answer.location).text


def test_what_may_be_the_only_copy_is_destroyed_only_by_who_was_told(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    """It may have become that since the page was opened: then it is said first, and nothing is destroyed."""
    number = stored.archives["pop3"]
    form = {"reason": "Löschverlangen", "address": row(database, number).address}
    keeper.post(f"/archives/{number}/destroy", form)
    assert row(database, number).sealed_key is not None
    assert "may hold the only copy" in keeper.get(f"/archives/{number}").text
    told = re.findall(
        r'<input type="hidden" name="(only_copy)" value="(yes)">', keeper.get(f"/archives/{number}/destroy").text
    )
    keeper.post(f"/archives/{number}/destroy", form | dict(told))
    assert row(database, number).sealed_key is None


def test_an_archive_at_work_is_not_destroyed(keeper: Browser, stored: Gallery, database: Database) -> None:
    number = stored.archives["kept"]
    keeper.post(f"/archives/{number}/destroy", {"reason": "Wunsch", "address": "verkauf@mueller-bau.example"})
    assert row(database, number).sealed_key is not None
    assert "A job works with this archive at the moment." in keeper.get(f"/archives/{number}").text


@pytest.mark.parametrize("action", ["check", "keep", "customer", "close", "reopen"])
def test_nothing_more_is_done_with_a_destroyed_archive(
    keeper: Browser, stored: Gallery, queue: list[int], action: str
) -> None:
    number = stored.archives["destroyed"]
    answer = keeper.post(f"/archives/{number}/{action}", {"keep.rhythm": "nightly"})
    assert (answer.status_code, answer.location) == (303, f"/archives/{number}")
    assert "This archive is destroyed: nobody can read it any more." in keeper.get(f"/archives/{number}").text
    assert queue == []


@pytest.mark.parametrize("action", ["check", "keep", "customer", "close", "reopen", "destroy", "play-in"])
def test_actions_on_an_archive_that_does_not_exist_are_not_found(staff: Browser, action: str) -> None:
    assert staff.post(f"/archives/999/{action}").status_code == 404
