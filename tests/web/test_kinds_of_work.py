"""A comparison proves, a rehearsal counts, a copy carries: each page says what was done; folders as people see them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from flask import Flask

from migrator.db.models import Job, JobFolder
from migrator.db.store import Database
from migrator.jobs.states import JobState
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from tests.web.test_job_pages import words
from web.jobs.folders import Names


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_comparison_speaks_of_proof_and_not_of_carrying(viewer: Browser, shown: Gallery, language: str) -> None:
    viewer.headers = {"Accept-Language": language}
    page = words(viewer.get(f"/jobs/{shown.jobs['proven']}").text)
    listed = words("<main" + viewer.get("/jobs?q=buchladen-kern").text.partition("<tbody>")[2])
    if language == "de":
        assert "gefunden 1.814 gleich 1.814 abweichend 0 noch offen 0" in page
        assert "Jede Nachricht wurde auf beiden Servern gelesen und ist Byte für Byte gleich." in page
        assert "1.814 Nachrichten nachweislich gleich" in listed
    else:
        assert "found 1,814 the same 1,814 different 0 open 0" in page
        assert "Every message was read on both servers and is the same, octet for octet." in page
        assert "1,814 messages proven to be the same" in listed
    assert not re.search(
        r"übertragen|kopier|schon da|carried|copie|copy|already there|were there", page + listed, re.IGNORECASE
    )


def test_a_comparison_by_numbers_claims_no_more_than_that(viewer: Browser, shown: Gallery, database: Database) -> None:
    with database.writing() as session:
        session.get_one(Job, shown.jobs["proven"]).options = {"level": "counts"}
    page = words(viewer.get(f"/jobs/{shown.jobs['proven']}").text)
    assert "Only the numbers of messages were compared, not what is in them." in page
    assert "octet for octet" not in page


def test_a_difference_is_a_message_that_differs_and_none_that_failed(viewer: Browser, shown: Gallery) -> None:
    page = words(viewer.get(f"/jobs/{shown.jobs['verified']}").text)
    assert "found 4,726 the same 4,513 skipped 212 different 1 open 0" in page
    assert "done, 1 differ" in page
    assert "1 message differs" in words(viewer.get("/jobs?q=tanzschule").text)


def test_a_rehearsal_says_what_would_be_carried(staff: Browser, make: Callable[..., int], database: Database) -> None:
    result = {"dry_run": True, "would_copy": {"INBOX": 7, "Sent": 1}}
    job_id = make(state=JobState.SUCCEEDED, options={"dry_run": True}, result=result)
    with database.writing() as session:
        session.add(JobFolder(job_id=job_id, position=0, source_name="INBOX", levels=1, target_name="INBOX",
                              state="done", found=11, already_there=2, skipped=9))  # fmt: skip
    page = words(staff.get(f"/jobs/{job_id}").text)
    assert "found 11 to be copied 8 already there 2 skipped 1 open 0" in page
    assert "nothing was written on either server" in page


# ---- folders -------------------------------------------------------------------------------------------------------


def folder_names(page: str) -> list[tuple[int, str]]:
    """Indent and name of every row."""
    block = page.partition('id="folders"')[2].partition("</table>")[0]
    found = re.findall(r'<th scope="row"[^>]*><span class="d(\d)">([^<]*)</span>', block)
    return [(int(indent), html.unescape(name)) for indent, name in found]


def test_folders_show_levels_as_levels_without_the_servers_prefix(viewer: Browser, shown: Gallery) -> None:
    path = f"/jobs/{shown.jobs['proven']}"
    assert folder_names(viewer.get(path).text) == [(0, "Inbox"), (0, "Gesendet"), (0, "Verlage"), (1, "Aufbau")]
    viewer.headers = {"Accept-Language": "de"}
    assert folder_names(viewer.get(path).text)[0] == (0, "Posteingang")


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ([("INBOX", 1), ("INBOX/A", 2), ("B", 1)], [("Inbox", 0), ("A", 1), ("B", 0)]),
        ([("INBOX", 1), ("Inbox.A", 1), ("Inbox.A.B", 2)], [("Inbox", 0), ("A", 0), ("B", 1)]),
        ([("INBOX", 1), ("INBOX.v2", 1), ("Sent", 1)], [("Inbox", 0), ("INBOX.v2", 0), ("Sent", 0)]),
        ([("INBOX", 1), ("INBOX.", 1)], [("Inbox", 0), ("INBOX.", 0)]),
        ([("INBOX", 1), ("Inbox", 1)], [("Inbox", 0), ("Inbox", 0)]),
        ([("INBOX", 1), ("INBOX.INBOX", 1), ("INBOX.Inbox.A", 2)], [("Inbox", 0), ("INBOX.INBOX", 0), ("Inbox.A", 0)]),
        ([("A.B", 1), ("A.B/C", 2), ("X/Y", 2)], [("A.B", 0), ("C", 1), ("X/Y", 0)]),
        ([("a" + "/b" * 9, 10)], [("a" + "/b" * 9, 0)]),
        ([], []),
    ],
)  # fmt: skip
def test_names_for_the_eye_never_lose_a_level(
    app: Flask, folders: list[tuple[str, int]], expected: list[tuple[str, int]]
) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "en"}):
        names = Names(folders)
        assert [names.line(*folder) for folder in folders] == expected


def test_a_folder_that_was_begun_does_not_run_while_its_job_waits(viewer: Browser, shown: Gallery) -> None:
    def block(name: str) -> str:
        return words("<main" + viewer.get(f"/jobs/{shown.jobs[name]}").text.partition('id="folders"')[2])

    assert "running" in block("running").partition("History")[0]
    for name in ("paused", "blocked", "waiting", "cancelled"):
        assert "running" not in block(name).partition("History")[0], name
        assert "begun" in block(name), name
