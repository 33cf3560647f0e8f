"""The list of archives and the page of one: what they say in every state, and what they offer."""

from __future__ import annotations

import html
import re

import pytest

from migrator.db.models import Archive, JobFolder
from migrator.db.store import Database
from tests.web.archived import WISH
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from tests.web.test_hostile import NASTY, shape
from tests.web.test_job_pages import words

pytestmark = pytest.mark.slow

ARCHIVES = ["kept", "damaged", "pop3", "empty", "closed", "destroyed", "destroying"]
HOSTILE = (*NASTY, "x" * 500, "\u202egnp.exe\u2066 \N{HEBREW LETTER ALEF}" * 20, "a;b,c\"d'e")


def buttons(page: str) -> set[str]:
    """The last part of every address that a form posts to."""
    return {action.rpartition("/")[2] for action in re.findall(r'method="post" action="(/archives/[^"]+)"', page)}


def test_archives_stand_beside_jobs_in_the_menu(staff: Browser) -> None:
    page = staff.get("/archives").text
    assert '<a href="/archives" aria-current="page">Archives</a>' in page
    assert '<a href="/jobs" >Jobs</a>' in page


def test_without_archives_the_list_says_what_to_do_first(staff: Browser) -> None:
    page = staff.get("/archives").text
    assert "Nothing is archived yet" in page
    assert 'href="/jobs/new?do=archive"' in page
    assert 'type="search" name="q" value' not in page


def test_the_list_says_of_every_archive_how_it_stands(keeper: Browser) -> None:
    page = words(keeper.get("/archives").text)
    assert re.search(
        r"verkauf@mueller-bau.example imap.mueller-bau.example:993 Kept 20 \S+, \d\d:\d\d 43,118 messages", page
    )
    assert "43,118 messages, 2 missing" in page
    for word in ("Empty", "Kept", "Closed", "Destroyed", "undamaged", "damaged", "never checked"):
        assert word in page, word
    assert re.search("destroyed (today|yesterday)", page), "two hours ago, whatever the time is now"


def test_the_list_can_be_searched(keeper: Browser, stored: Gallery) -> None:
    found = keeper.get("/archives?q=seeblick").text
    assert "rezeption@hotel-seeblick.example" in found
    assert "mueller-bau" not in found
    assert f"/archives/{stored.archives['pop3']}" in found
    nothing = keeper.get("/archives", query_string={"q": "<script>alert(1)</script>"}).text
    assert "Nothing found for" in nothing
    assert "<script>alert" not in nothing


def test_a_long_list_has_pages(keeper: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from web.archives import listing

    monkeypatch.setattr(listing, "PAGE", 5)
    first = keeper.get("/archives").text
    following = re.search(r'href="(/archives\?cursor=[^"]+)"', first)
    assert following
    second = keeper.get(html.unescape(following.group(1))).text
    assert (first.count('class="opens"'), second.count('class="opens"')) == (5, 3)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", ARCHIVES)
def test_every_archive_has_a_page_in_both_languages(keeper: Browser, stored: Gallery, name: str, language: str) -> None:
    keeper.headers = {"Accept-Language": language}
    answer = keeper.get(f"/archives/{stored.archives[name]}")
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert len(re.findall(r'class="btn primary"', answer.text)) <= 1, "one primary button per page"
    assert "Geheim-4711" not in answer.text


def test_an_archive_shows_its_facts_and_points_in_time(keeper: Browser, stored: Gallery) -> None:
    text = words(keeper.get(f"/archives/{stored.archives['kept']}").text)
    for fact in ("It is kept until its transfer is closed.", "imap.mueller-bau.example:993",
                 "verkauf@mueller-bau.example, by IMAP", "on the storage node main", "8.4 GB",
                 "in 12 folders",
                 "every 24 hours, between 00:00 and 05:00", "sealed", "the newest 12 are shown"):  # fmt: skip
        assert fact in text, fact
    everything = keeper.get(f"/archives/{stored.archives['kept']}?points=all").text
    assert everything.count("Play in as of") == 20
    assert "are shown" not in everything


def test_missing_messages_lead_to_their_reasons(keeper: Browser, stored: Gallery) -> None:
    page = keeper.get(f"/archives/{stored.archives['damaged']}").text
    assert re.search(r'href="/jobs/\d+/failures">reasons', page)


def test_the_last_check_names_what_is_damaged_and_missing(keeper: Browser, stored: Gallery) -> None:
    page = keeper.get(f"/archives/{stored.archives['damaged']}").text
    card = words("<main" + page.partition('id="check"')[2].partition("</section>")[0])
    assert "damaged" in card
    assert "Angebote/2024 No. 7/1204 damaged The octets of this message do not open." in card
    assert "INBOX No. 3/902 missing incomplete , 48 MB" in card
    assert "damaged: 2, missing: 2" in card
    whole = words(keeper.get(f"/archives/{stored.archives['kept']}").text)
    assert "all of them can be played in exactly as they were" in whole
    assert "never checked" in words(keeper.get(f"/archives/{stored.archives['pop3']}").text)


def test_messages_that_were_never_there_make_no_archive_damaged(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    with database.writing() as session:
        row = session.get_one(Archive, stored.archives["damaged"])
        row.check = {**(row.check or {}), "damaged": [], "damaged_total": 0, "healthy": True}
    assert "undamaged, not complete" in keeper.get(f"/archives/{stored.archives['damaged']}").text


def test_what_nobody_could_list_is_counted_beside_what_is_named(
    keeper: Browser, stored: Gallery, database: Database
) -> None:
    with database.writing() as session:
        row = session.get_one(Archive, stored.archives["damaged"])
        unseen = [{"folder": "Kunden", "messages": 3, "error": "The server does not open Kunden."}]
        row.check = {**(row.check or {}), "unseen": unseen, "missing_total": 5}
    card = words(keeper.get(f"/archives/{stored.archives['damaged']}").text)
    assert "Kunden missing 3 more were announced, and not listed (The server does not open Kunden.)" in card
    assert "damaged: 2, missing: 5 " in card
    assert "are shown" not in card.partition("missing: 5")[2].partition("Check")[0]


def test_only_what_is_possible_is_offered(keeper: Browser, stored: Gallery) -> None:
    def offered(name: str) -> set[str]:
        return buttons(keeper.get(f"/archives/{stored.archives[name]}").text)

    assert offered("kept") == offered("pop3") == {"check", "keep", "customer", "close"}
    assert offered("closed") == {"check", "customer", "close", "reopen"}
    assert offered("empty") == {"keep", "close"}
    assert offered("destroyed") == offered("destroying") == set()


def test_what_a_customer_wished_is_shown_with_who_wrote_it_down(keeper: Browser, stored: Gallery) -> None:
    text = words(keeper.get(f"/archives/{stored.archives['pop3']}").text)
    assert "Collected mail is deleted on the old server 14 days after collection." in text
    assert f"By the wish: {WISH} (recorded by jana.petersen@nordhafen.example, 3 November 2026" in text
    assert "Collected mail" not in words(keeper.get(f"/archives/{stored.archives['kept']}").text)


def test_closing_says_the_day_before_and_after(keeper: Browser, stored: Gallery) -> None:
    before = words(keeper.get(f"/archives/{stored.archives['kept']}").text)
    assert re.search(r"Closed today, the archive is kept for 90 days and destroyed on \d+ \w+ \d{4} by itself", before)
    after = words(keeper.get(f"/archives/{stored.archives['closed']}").text)
    assert re.search(
        r"The transfer was closed on \d+ \w+ \d{4}. The archive is destroyed on \d+ \w+ \d{4} by itself", after
    )


def test_jobs_of_an_archive_are_named_and_linked(keeper: Browser, stored: Gallery) -> None:
    page = keeper.get(f"/archives/{stored.archives['pop3']}").text
    assert f'<a href="/jobs/{stored.jobs["removed"]}">Delete at the old server</a>' in page
    assert f'href="/archives/{stored.archives["pop3"]}"' in keeper.get(f"/jobs/{stored.jobs['removed']}").text


@pytest.mark.parametrize("path", ["", "/play-in", "/destroy", "/export?kind=mbox", "/manifest", "/proof.json"])
def test_an_archive_that_is_not_there_is_not_found(staff: Browser, path: str) -> None:
    assert staff.get(f"/archives/999{path}").status_code == 404


# ---- destroyed -----------------------------------------------------------------------------------------------------


def test_a_destroyed_archive_shows_its_proof(keeper: Browser, stored: Gallery) -> None:
    text = words(keeper.get(f"/archives/{stored.archives['destroyed']}").text)
    for part in ("Proof of destruction", "key and file destroyed", "Löschverlangen nach Art. 17 DSGVO",
                 "23,496 messages, 4 points in time", "Backups of the database still hold the key"):  # fmt: skip
        assert part in text, part
    waits = keeper.get(f"/archives/{stored.archives['destroying']}").text
    assert "file is being removed" in waits
    assert "proof.json" not in waits


def test_the_proof_is_fetched_as_it_was_signed(keeper: Browser, stored: Gallery, database: Database) -> None:
    answer = keeper.get(f"/archives/{stored.archives['destroyed']}/proof.json")
    with database.reading() as session:
        assert answer.json == session.get_one(Archive, stored.archives["destroyed"]).proof
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "Art. 17 DSGVO, Brief" in answer.data.decode()
    assert "Löschverlangen" in answer.data.decode()
    assert keeper.get(f"/archives/{stored.archives['kept']}/proof.json").status_code == 404


def test_what_the_retention_destroyed_says_so(keeper: Browser, stored: Gallery, database: Database) -> None:
    with database.writing() as session:
        row = session.get_one(Archive, stored.archives["destroyed"])
        row.destroyed_by, row.destroyed_reason = "schedule", "retention"
    text = words(keeper.get(f"/archives/{stored.archives['destroyed']}").text)
    assert "the service itself: its time was over" in text
    assert "The time it was to be kept is over." in text


# ---- hostile names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:40])
def test_no_name_changes_what_the_pages_of_an_archive_are_made_of(
    keeper: Browser, stored: Gallery, database: Database, text: str
) -> None:
    number = stored.archives["damaged"]
    pages = ("/archives", f"/archives/{number}", f"/archives/{number}/play-in", f"/archives/{number}/destroy")

    def rename(name: str) -> list[list[tuple[str, tuple[str, ...]]]]:
        with database.writing() as session:
            row = session.get_one(Archive, number)
            row.address, row.account = name[:320], f"imap://{name}@{name}:993"
            row.created_by, row.node = name[:320], name[:60]
            row.check = {
                "damaged": [{"folder": name, "key": name, "detail": name}],
                "damaged_total": 1,
                "missing": [{"folder": name, "key": name, "size": 3, "reason": name}],
                "missing_total": 1,
            }
            for folder in session.query(JobFolder).filter_by(job_id=stored.jobs["broken"] - 1):
                folder.source_name = f"{name}{folder.position}"
        answers = [keeper.get(path) for path in pages]
        assert [answer.status_code for answer in answers] == [200] * len(pages)
        return [[tag for tag in shape(answer.text) if tag[0] != "td"] for answer in answers]

    assert rename(text) == rename("harmless")


def test_a_folder_of_any_name_is_sent_as_it_is(keeper: Browser, stored: Gallery, database: Database) -> None:
    name = '"><b>\'Ablage" & Co\u202e'
    with database.writing() as session:
        folder = session.query(JobFolder).filter_by(job_id=stored.jobs["archived"], source_name="Lieferanten").one()
        folder.source_name = name
    page = keeper.get(f"/archives/{stored.archives['kept']}/play-in", query_string={"folder": name}).text
    assert "<b>'" not in page
    chosen = re.search(r'<option value="([^"]*)" selected>', page.partition('id="folder"')[2])
    assert chosen
    assert html.unescape(chosen.group(1)) == name


def test_what_may_be_the_only_copy_is_said_where_it_could_end(keeper: Browser, stored: Gallery) -> None:
    only, other = stored.archives["pop3"], stored.archives["kept"]
    for path in ("", "/destroy"):
        assert "This may be the only copy" in keeper.get(f"/archives/{only}{path}").text
        assert "This may be the only copy" not in keeper.get(f"/archives/{other}{path}").text
