"""The report of a job in its four forms: the sum, every exception, both languages, and nothing that does harm."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, has_app_context
from jsonschema import Draft202012Validator
from pypdf import PdfReader

from migrator.db.models import Job, JobDifference
from migrator.db.store import Database
from migrator.jobs.states import JobKind
from tests.making import NEW_PASSWORD, OLD_PASSWORD, add
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from tests.web.reported import FAILURES, FOLDERS, HOSTILE, Numbers, report_on
from tests.web.script import JOBS, Script
from tests.web.test_hostile import shape
from web.api import openapi

pytestmark = pytest.mark.slow

FORMS = ("", ".csv", ".json", ".pdf")
COUNTED = ("copied", "already_there", "skipped", "failed", "open")


@pytest.fixture
def reported(make: Callable[..., int], database: Database) -> int:
    return report_on(database, make())


@pytest.fixture
def reader(staff: Browser) -> Browser:
    return staff


def squeezed(text: str) -> str:
    """Without blanks: a PDF breaks lines where it must, also within a Message-ID."""
    return re.sub(r"\s+", "", text)


def text_of(form: str, octets: bytes) -> str:
    """What a person reads in it."""
    if form == ".pdf":
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(octets)).pages)
    text = octets.decode("utf-8-sig")
    return html.unescape(re.sub(r"<[^>]*>", " ", text)) if form == "" else text


def rows(octets: bytes) -> list[list[str]]:
    text = octets.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";" if ";" in text.splitlines()[0] else ","))


# ---- what stands in it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", ["de-DE", "en-GB"])
def test_every_form_has_both_names_of_every_folder_and_every_failure(
    reader: Browser, reported: int, form: str, language: str
) -> None:
    reader.headers = {"Accept-Language": language}
    answer = reader.get(f"/jobs/{reported}/report{form}")
    assert answer.status_code == 200
    text = squeezed(text_of(form, answer.data))
    for folder in FOLDERS:
        assert squeezed(folder.source) in text
        assert squeezed(folder.target) in text
    for folder, uid, message_id, _reason, _size, detail in FAILURES:
        shown = message_id.replace("🚚", "□") if form == ".pdf" else message_id
        assert squeezed(shown) in text, message_id
        assert f"1/{uid}" in text
        assert squeezed(detail) in text
        assert squeezed(folder) in text
    for uid in range(50, 54):
        assert f"1/{uid}" in text, "every message that was skipped"
    said = ("zugroß", "altenServer") if language == "de-DE" else ("toolarge", "oldserver")
    for word in said:
        assert word.casefold() in text.casefold()
    assert "mail.old.example" in text
    assert "anna@example.org" in text
    assert OLD_PASSWORD not in text
    assert NEW_PASSWORD not in text


def test_the_sums_add_up_and_are_the_same_in_every_form(reader: Browser, reported: int) -> None:
    reader.headers = {"Accept-Language": "en-GB"}
    found = json.loads(reader.get(f"/jobs/{reported}/report.json").data)
    for numbers in (found["messages"], *found["folders"]):
        assert numbers["found"] == sum(numbers[part] for part in COUNTED)
    for part in ("found", *COUNTED):
        assert found["messages"][part] == sum(folder[part] for folder in found["folders"])
    assert found["messages"] == {
        "found": 17_657, "copied": 17_595, "already_there": 29, "skipped": 29, "failed": 4, "open": 0,
    }  # fmt: skip
    assert len(found["failures"]) == 4
    assert sum(skip["count"] for skip in found["skips"]) == 29
    pages = [text_of(form, reader.get(f"/jobs/{reported}/report{form}").data) for form in ("", ".pdf")]
    assert "17,657 found = 17,595 copied + 29 already there + 29 skipped + 4 failed" in pages[1]
    for text in pages:
        for number in ("17,657", "17,595", "14,206", "14,190", "2,924"):
            assert number in text
    table = rows(reader.get(f"/jobs/{reported}/report.csv").data)
    assert [row[12:] for row in table if row[0] == "Sum"] == [["17657", "17595", "29", "29", "4"]]
    folders = [row for row in table if row[0] == "Folder"]
    assert [int(row[12]) for row in folders] == [sum(map(int, row[13:])) for row in folders]
    assert [row[1] for row in folders] == [folder.source for folder in FOLDERS]


def test_the_table_is_one_that_excel_opens_in_both_languages(reader: Browser, reported: int) -> None:
    for language, delimiter, head in (("de-DE", ";", "Zeile"), ("en-GB", ",", "Row"), ("de-CH", ",", "Zeile")):
        reader.headers = {"Accept-Language": language}
        octets = reader.get(f"/jobs/{reported}/report.csv").data
        assert octets.startswith(b"\xef\xbb\xbf" + f"{head}{delimiter}".encode())
        assert octets.count(b"\n") == octets.count(b"\r\n")
        table = rows(octets)
        assert len({len(row) for row in table}) == 1, "every row has the same columns"
        assert not any(re.fullmatch(r"\d+/\d+", cell) for row in table for cell in row), "would be taken for a date"


def test_a_comparison_names_every_difference_in_every_form(viewer: Browser, shown: Gallery) -> None:
    job_id = shown.jobs["verified"]
    for form in FORMS:
        text = text_of(form, viewer.get(f"/jobs/{job_id}/report{form}").data)
        for part in ("1/17", "3/902", "3/11", "<a@b.example>"):
            assert part in text, form
    found = json.loads(viewer.get(f"/jobs/{job_id}/report.json").data)
    assert [one["kind"] for one in found["discrepancies"]] == ["missing", "extra", "flags"]
    assert found["discrepancies_total"] == 3


def test_however_many_differences_a_comparison_found_all_are_named(
    viewer: Browser, shown: Gallery, database: Database
) -> None:
    job_id = shown.jobs["verified"]
    more = (
        JobDifference(job_id=job_id, folder="INBOX", key=f"9/{n}", kind="missing", detail="d") for n in range(2_500)
    )
    add(database, *more)
    with database.writing() as session:
        job = session.get_one(Job, job_id)
        job.result = {**(job.result or {}), "discrepancies_total": 2_503}
    found = json.loads(viewer.get(f"/jobs/{job_id}/report.json").data)
    assert len(found["discrepancies"]) == found["discrepancies_total"] == 2_503
    table = rows(viewer.get(f"/jobs/{job_id}/report.csv").data)
    assert sum(row[0] == "difference" for row in table) == 2_503
    for form in ("", ".pdf"):
        text = text_of(form, viewer.get(f"/jobs/{job_id}/report{form}").data)
        assert "The first 500 of 2,503 are listed here." in re.sub(r"\s+", " ", text)


def test_what_is_proven_is_said(viewer: Browser, shown: Gallery) -> None:
    for form in ("", ".csv", ".pdf"):
        text = text_of(form, viewer.get(f"/jobs/{shown.jobs['proven']}/report{form}").data)
        assert squeezed("Every message was read on both servers and is the same, octet for octet.") in squeezed(text)


def test_the_report_of_a_running_job_says_as_of_when_and_what_is_open(viewer: Browser, shown: Gallery) -> None:
    job_id = shown.jobs["running"]
    for form in ("", ".csv", ".pdf"):
        text = text_of(form, viewer.get(f"/jobs/{job_id}/report{form}").data)
        assert "the job has not ended yet" in re.sub(r"\s+", " ", text)
    found = json.loads(viewer.get(f"/jobs/{job_id}/report.json").data)
    assert (found["final"], found["messages"]["found"]) == (False, 43_118)
    assert found["messages"]["found"] == sum(found["messages"][part] for part in COUNTED)
    assert found["messages"]["open"] > 0
    assert found["as_of"].endswith("Z")


def test_a_folder_that_broke_stands_in_every_form(
    reader: Browser, make: Callable[..., int], database: Database
) -> None:
    error = {"code": "folder_refused", "message": "m", "detail": "NO [CANNOT] not here", "end": "target"}
    job_id = report_on(database, make(), folders=[Numbers("A", "A", 4, open=5, error=error)], failures=[], skips=0)
    for form in FORMS:
        assert "NO [CANNOT] not here" in text_of(form, reader.get(f"/jobs/{job_id}/report{form}").data)
    (one,) = json.loads(reader.get(f"/jobs/{job_id}/report.json").data)["folder_errors"]
    assert (one["folder"], one["count"]) == ("A", 5)


def test_a_rehearsal_says_what_it_would_carry(reader: Browser, make: Callable[..., int], database: Database) -> None:
    job_id = report_on(database, make(), folders=[Numbers("A", "A", skipped=7, there=2)], failures=[], skips=0,
                       state="succeeded", options={"dry_run": True}, result={"would_copy": {"A": 7}})  # fmt: skip
    text = text_of(".pdf", reader.get(f"/jobs/{job_id}/report.pdf").data)
    assert "9 found = 7 to be copied + 2 already there + 0 skipped" in text
    assert "would be carried: this was a rehearsal" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("kind", [JobKind.CHECK, JobKind.REMOVE])
def test_what_goes_through_no_folders_has_no_report_and_no_button(
    reader: Browser, make: Callable[..., int], database: Database, kind: JobKind
) -> None:
    job_id = make()
    assert f"/jobs/{job_id}/report" in reader.get(f"/jobs/{job_id}").text
    with database.writing() as session:
        session.get_one(Job, job_id).kind = kind.value
    for form in FORMS:
        assert reader.get(f"/jobs/{job_id}/report{form}").status_code == 404
    assert f"/jobs/{job_id}/report" not in reader.get(f"/jobs/{job_id}").text


# ---- long reports --------------------------------------------------------------------------------------------------


@pytest.fixture
def long(make: Callable[..., int], database: Database) -> int:
    folders = [Numbers("INBOX", "INBOX", 10, skipped=700, failed=3_000)]
    failures = [("INBOX", uid, f"<{uid}@mail.example>", "refused", 5_000, "NO") for uid in range(3_000)]
    return report_on(database, make(), folders=folders, failures=failures, skips=700)


def test_three_thousand_failures_are_all_in_table_and_json(reader: Browser, long: int) -> None:
    wanted = [f"<{uid}@mail.example>" for uid in range(3_000)]
    table = rows(reader.get(f"/jobs/{long}/report.csv").data)
    assert [row[4] for row in table if row[0] == "not carried"] == wanted
    assert sum(row[0] == "skipped" for row in table) == 700
    found = json.loads(reader.get(f"/jobs/{long}/report.json").data)
    assert [one["message_id"] for one in found["failures"]] == wanted
    assert len(found["skips"]) == 700


@pytest.mark.parametrize("form", ["", ".pdf"])
def test_paper_lists_the_first_five_hundred_and_says_where_all_are(reader: Browser, long: int, form: str) -> None:
    text = text_of(form, reader.get(f"/jobs/{long}/report{form}").data)
    assert "<499@mail.example>" in text
    assert "<500@mail.example>" not in text
    assert "The first 500 of 3,000 are listed here." in text
    assert "1/50" not in text.partition("messages skipped by a rule")[2], "so many are counted by folder and rule"
    assert "700" in text.partition("messages skipped by a rule")[2]


@pytest.mark.parametrize("form", [".csv", ".json"])
def test_streaming_a_long_report_needs_no_memory_for_it(reader: Browser, long: int, form: str) -> None:
    reader.get(f"/jobs/{long}/report{form}").close()
    answer = reader.get(f"/jobs/{long}/report{form}", buffered=False)
    tracemalloc.start()
    try:
        octets = sum(map(len, answer.response))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert octets > 500_000
    assert peak < 6_000_000, "a page of a thousand rows, and not all of them"


@pytest.mark.parametrize("form", [".csv", ".json"])
def test_whoever_goes_away_in_the_middle_leaves_nothing_behind(reader: Browser, long: int, form: str) -> None:
    answer = reader.get(f"/jobs/{long}/report{form}", buffered=False)
    assert next(iter(answer.response))
    answer.close()
    assert not has_app_context()
    assert reader.get(f"/jobs/{long}").status_code == 200


def test_the_library_for_pdfs_is_loaded_when_somebody_asks_for_one() -> None:
    modules = "import sys, web, web.jobs.report, web.api.reports"
    script = f"{modules}; print([name for name in sys.modules if name in ('reportlab', 'PIL')])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


# ---- what does harm elsewhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_name_does_harm_in_any_form(
    reader: Browser, make: Callable[..., int], database: Database, text: str
) -> None:
    def answers(name: str) -> dict[str, Any]:
        job_id = report_on(database, make(user="a@example.org"), folders=[Numbers(name, name + "t", 1, failed=1)],
                           failures=[(name, 1, name, "refused", 5, name)], skips=1)  # fmt: skip
        return {form: reader.get(f"/jobs/{job_id}/report{form}") for form in FORMS}

    bad, good = answers(text), answers("harmless")
    assert [answer.status_code for answer in bad.values()] == [200] * 4
    assert shape(bad[""].text) == shape(good[""].text), "no tag and no attribute more"
    for form in ("", ".csv", ".pdf"):
        read = text_of(form, bad[form].data)
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", read)
    for row in rows(bad[".csv"].data):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    failure = json.loads(bad[".json"].data)["failures"][0]
    assert (failure["folder"], failure["message_id"], failure["detail"]) == (text, text, text)


def test_letters_of_many_scripts_stand_in_the_pdf_and_the_typeface_lies_in_it(reader: Browser, reported: int) -> None:
    document = PdfReader(io.BytesIO(reader.get(f"/jobs/{reported}/report.pdf").data))
    text = "".join(page.extract_text() for page in document.pages)
    for word in ("Müller", "Клиенты", "Πελάτες", "ünïcode"):
        assert word in text
    fonts = {str(font["/BaseFont"]) for page in document.pages for font in
             (one.get_object() for one in page["/Resources"]["/Font"].values())}  # fmt: skip
    assert all(re.fullmatch(r"/[A-Z]{6}\+DejaVuSansCondensed(-Bold)?", font) for font in fonts), fonts
    assert document.metadata
    assert (document.metadata.title, document.metadata.author) == ("Report: anna@example.org", "Nordhafen Hosting")
    assert all(f"of{len(document.pages)}" in squeezed(page.extract_text()) for page in document.pages)


def test_a_cell_that_never_ends_is_cut_and_the_others_stay(
    reader: Browser, make: Callable[..., int], database: Database
) -> None:
    failures = [("INBOX", 1, "<first@mail.example>", "refused", 5, "NO " + "x" * 200_000),
                ("INBOX", 2, "<" + "W" * 995 + ">", "refused", 5, "")]  # fmt: skip
    job_id = report_on(database, make(), folders=[Numbers("INBOX", "INBOX", failed=2)], failures=failures, skips=0)
    text = squeezed(text_of(".pdf", reader.get(f"/jobs/{job_id}/report.pdf").data))
    assert "W" * 995 in text, "the longest Message-ID is whole"
    assert "x…" in text
    assert len(text) < 6_000


# ---- who may see it, and how it is sent ----------------------------------------------------------------------------


def test_strangers_and_customers_get_nothing(app: Flask, shown: Gallery) -> None:
    browser = Browser(app.test_client())
    for form in FORMS:
        for job_id in (shown.jobs["running"], 999_999):
            answer = browser.get(f"/jobs/{job_id}/report{form}")
            assert (answer.status_code, answer.location) == (303, f"/login?next=/jobs/{job_id}/report{form}")
        assert browser.get(f"/status/{shown.status['running']}/report{form}").status_code == 303
    for headers in ({}, {"Authorization": "Bearer pw_wrong"}):
        assert app.test_client().get(f"{JOBS}/1/report", headers=headers).status_code == 401


def test_who_asks_for_what_is_not_there_is_told_so(viewer: Browser) -> None:
    for form in (*FORMS, ".xlsx", ".exe"):
        assert viewer.get(f"/jobs/999999/report{form}").status_code == 404
    assert viewer.get("/jobs/1/report.html").status_code == 404


def test_files_are_kept_under_a_safe_name_and_the_headers_are_those_of_every_page(
    reader: Browser, make: Callable[..., int], database: Database
) -> None:
    job_id = report_on(database, make(user='../"x";\u202e/a@exämple.org'))
    for form, media in ((".csv", "text/csv"), (".json", "application/json"), (".pdf", "application/pdf")):
        answer = reader.get(f"/jobs/{job_id}/report{form}")
        assert answer.mimetype == media
        disposition = answer.headers["Content-Disposition"]
        found = re.fullmatch(r"attachment; filename=\"([\w.@+-]+)\"; filename\*=UTF-8''([\w.@%~-]+)", disposition)
        assert found, disposition
        assert found.group(1).endswith(f"-report-{job_id}{form}")
        assert answer.headers["Cache-Control"] == "no-store, max-age=0"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_switch_of_the_language_leads_back_to_the_report(reader: Browser, reported: int) -> None:
    answer = reader.get(f"/jobs/{reported}/report?lang=de")
    assert (answer.status_code, answer.location) == (303, f"/jobs/{reported}/report")
    assert "Bericht: anna@example.org" in reader.get(answer.location).text
    assert "Die Rechnung je Ordner" in text_of(".pdf", reader.get(f"/jobs/{reported}/report.pdf").data)


# ---- the API -------------------------------------------------------------------------------------------------------


def test_the_api_gives_what_format_or_accept_ask_for(
    script: Script, make: Callable[..., int], database: Database
) -> None:
    path = f"{JOBS}/{report_on(database, make())}/report"
    for accept, media in (
        ("", "application/json"), ("*/*", "application/json"), ("text/csv", "text/csv"),
        ("text/html, application/pdf;q=0.9, */*;q=0.1", "application/pdf"), ("application/*", "application/json"),
    ):  # fmt: skip
        answer = script.get(path, headers={"Accept": accept} if accept else {})
        assert (answer.status_code, answer.mimetype) == (200, media), accept
        assert "Accept" in answer.headers["Vary"]
    for form, media in (("json", "application/json"), ("csv", "text/csv"), ("pdf", "application/pdf")):
        assert script.get(f"{path}?format={form}", headers={"Accept": "text/html"}).mimetype == media
    refused = script.get(path, headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json["code"]) == (406, "not_acceptable")
    assert script.get(f"{path}?format=xlsx").status_code == 422
    assert script.get(f"{path}?lang=de").status_code == 422
    assert script.get(f"{JOBS}/999/report").status_code == 404


def test_the_api_speaks_english_until_it_is_asked_for_german(
    script: Script, make: Callable[..., int], database: Database
) -> None:
    path = f"{JOBS}/{report_on(database, make())}/report"
    for language, text in ((None, "Too large"), ("fr", "Too large"), ("de", "Zu groß"), ("de-AT,en;q=0.5", "Zu groß")):
        answer = script.get(path, headers={"Accept-Language": language} if language else {})
        assert answer.json["failures"][0]["text"].startswith(text), language
    assert script.get(f"{path}?format=csv").data.startswith(b"\xef\xbb\xbfRow,")


@pytest.mark.parametrize("name", ["running", "verified", "proven", "failed", "blocked", "queued", "archived", "broken"])
def test_every_report_is_as_the_description_says(app: Flask, keeper: Browser, stored: Gallery, name: str) -> None:
    components = openapi.document()["components"]
    answer = keeper.get(f"/jobs/{stored.jobs[name]}/report.json")
    if name == "broken":
        assert answer.status_code == 404
        return
    Draft202012Validator({"$ref": "#/components/schemas/Report", "components": components}).validate(answer.json)
    for form in ("", ".csv", ".pdf"):
        assert keeper.get(f"/jobs/{stored.jobs[name]}/report{form}").status_code == 200
