"""The form for a new job: testing both ends, the preview, the order, and that passwords never come back."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable

import pytest
from flask import Flask

from migrator.db.models import Endpoint, Folder, Job, LedgerEntry
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import operations
from migrator.jobs.probe import ProbeReport
from migrator.mail.folders import FolderInfo, Namespace, Role
from migrator.planning.limits import Large, Largest
from tests import making
from tests.web.conftest import Browser
from web.jobs import checked as checked_in_form
from web.jobs import forms

pytestmark = pytest.mark.slow

SECRET = "Sehr-Geheim-4711"
FORM = {
    "source.user": "verkauf@mueller-soehne.example", "source.host": "imap.ionos.de", "source.security": "tls",
    "source.password": SECRET,
    "target.user": "verkauf@mueller-soehne.example", "target.host": "mail.nordhafen.example",
    "target.security": "starttls", "target.password": SECRET,
}  # fmt: skip


def checked(browser: Browser, end: str, form: dict[str, str]) -> dict[str, str]:
    """The form with what a successful test of that end has put into it."""
    page = browser.post(f"/jobs/new/check/{end}", form, htmx=True).text
    found = re.search(rf'name="{end}.checked" value="([^"]*)"', page)
    assert found
    return {**form, f"{end}.checked": html.unescape(found.group(1))}


def rows(page: str) -> dict[str, dict[str, str]]:
    """The preview's rows: source → target and number."""
    found = {}
    for number, source in re.findall(r'name="row\.(\d+)\.source" value="([^"]*)"', page):
        target = re.search(rf'name="row\.{number}\.target" value="([^"]*)"', page)
        ticked = re.search(rf'name="row\.{number}\.take"[^>]*checked', page)
        found[html.unescape(source)] = {
            "number": number,
            "target": html.unescape(target.group(1)) if target else "",
            "take": "1" if ticked else "",
        }
    return found


def as_form(found: dict[str, dict[str, str]]) -> dict[str, str]:
    """The rows as a browser sends them."""
    sent: dict[str, str] = {}
    for source, row in found.items():
        at = f"row.{row['number']}"
        sent |= {f"{at}.source": source, f"{at}.shown": row["target"], f"{at}.target": row["target"]}
        sent |= {f"{at}.take": "1"} if row["take"] else {}
    return sent


def both_checked(browser: Browser) -> dict[str, str]:
    """The form after both tests."""
    return checked(browser, "target", checked(browser, "source", FORM))


def carry(database: Database, job: Job, octets: int) -> None:
    """One message of that size was carried by this job."""
    with database.writing() as session:
        old, new = (Folder(mailbox_id=job.mailbox_id, side=side, name="INBOX") for side in ("old", "new"))
        session.add_all([old, new])
        session.flush()
        session.add(LedgerEntry(
            origin_folder_id=old.id, origin_validity=1, origin_uid=1, target_folder_id=new.id, stand="confirmed",
            digest=b"", soft=b"", header=b"", message_id=b"", size=octets, floor=1, job_id=job.id,
        ))  # fmt: skip


def only_job(database: Database) -> Job:
    with database.reading() as session:
        return session.query(Job).one()


@pytest.mark.parametrize(("chosen", "security", "port"), [("pop3-tls", "tls", 995), ("pop3-starttls", "starttls", 110)])
def test_an_inbox_is_collected_by_pop3_where_that_is_chosen(
    staff: Browser, database: Database, chosen: str, security: str, port: int
) -> None:
    staff.post("/jobs/new", {**FORM, "source.security": chosen})
    job = only_job(database)
    with database.reading() as session:
        source = session.get_one(Endpoint, job.source_id)
    assert (source.protocol, source.security, source.port) == ("pop3", security, port)
    again = staff.get(f"/jobs/new?like={job.id}").text
    assert f'value="{chosen}" selected' in again


def test_mail_is_never_written_by_pop3(staff: Browser, database: Database) -> None:
    answer = staff.post("/jobs/new", {**FORM, "target.security": "pop3-tls"})
    assert answer.status_code == 422
    with database.reading() as session:
        assert session.query(Job).count() == 0


def test_an_order_becomes_a_job_and_goes_into_the_queue(
    staff: Browser, database: Database, vault: Vault, queue: list[int]
) -> None:
    answer = staff.post("/jobs/new", FORM)
    job = only_job(database)
    assert (answer.status_code, answer.location, queue) == (303, f"/jobs/{job.id}", [job.id])
    with database.reading() as session:
        source, target = (session.get_one(Endpoint, number) for number in (job.source_id, job.target_id))
    assert (source.host, source.port, source.security) == ("imap.ionos.de", 993, "tls")
    assert (target.port, target.security) == (143, "starttls")
    assert target.credential
    assert vault.unseal(target.credential, operations.credential_context(target.id)) == SECRET
    assert job.created_by == "jana.petersen@nordhafen.example"
    assert job.options == {}


@pytest.mark.parametrize("choice", ["repair", "shared", "apart"])
def test_what_is_ticked_goes_with_the_order(staff: Browser, database: Database, choice: str) -> None:
    staff.post("/jobs/new", {**FORM, choice: "yes"})
    with database.reading() as session:
        assert [job.options for job in session.query(Job)] == [{choice: True}]


def test_with_htmx_the_browser_is_led_to_the_job(staff: Browser) -> None:
    answer = staff.post("/jobs/new", FORM, htmx=True)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/jobs/1")


@pytest.mark.parametrize(
    ("what", "kind", "options"),
    [("copy", "copy", {}), ("rehearse", "copy", {"dry_run": True}), ("verify", "verify", {})],
)
def test_there_are_three_things_to_start(
    staff: Browser, database: Database, what: str, kind: str, options: dict[str, bool]
) -> None:
    staff.post("/jobs/new", {**FORM, "what": what})
    job = only_job(database)
    assert (job.kind, job.options) == (kind, options)


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_stored(
    staff: Browser, database: Database, queue: list[int]
) -> None:
    wrong = {**FORM, "source.host": "no host!", "source.port": "ninety", "target.user": "", "target.fingerprint": "xy"}
    answer = staff.post("/jobs/new", wrong)
    page = html.unescape(answer.text)
    assert answer.status_code == 422
    assert "4 entries are missing or do not fit" in page
    for sentence in ("This is no host name.", "A port is a whole number", "Please fill this in.", "A fingerprint is"):
        assert sentence in page
    assert page.count('aria-invalid="true"') == 4
    with database.reading() as session:
        assert session.query(Job).count() == 0
    assert queue == []


@pytest.mark.parametrize("path", ["/jobs/new", "/jobs/new/check/source", "/jobs/new/check/target", "/jobs/new/preview"])
@pytest.mark.parametrize("htmx", [True, False])
def test_a_password_never_comes_back(staff: Browser, path: str, htmx: bool) -> None:
    answer = staff.post(path, {**FORM, "source.host": "" if path == "/jobs/new" else "imap.ionos.de"}, htmx=htmx)
    assert SECRET not in answer.text
    assert not re.search(r'type="password"[^>]*value=', answer.text)
    assert (FORM["source.user"] in answer.text) or htmx


def test_with_htmx_only_the_sentences_are_sent_so_that_what_was_typed_stays(staff: Browser) -> None:
    page = staff.post("/jobs/new", {**FORM, "source.user": ""}, htmx=True).text
    assert "<input" not in page
    assert re.search(r'id="source-user-wrong" hx-swap-oob="true">\s*<svg.*Please fill this in', page)
    assert re.search(r'id="target-user-wrong" hx-swap-oob="true"></span>', page)


def test_both_ends_must_differ(staff: Browser) -> None:
    same = {name.replace("source", "target"): value for name, value in FORM.items() if name.startswith("source")}
    page = staff.post("/jobs/new", {**FORM, **same}).text
    assert "Both ends are the same mailbox." in page


def test_an_inner_address_is_refused(staff: Browser) -> None:
    page = staff.post("/jobs/new", {**FORM, "source.host": "127.0.0.1"}).text
    assert "Only public addresses and mail ports may be reached" in page


# ---- testing the connection ----------------------------------------------------------------------------------------


def test_a_good_test_says_what_was_found(staff: Browser) -> None:
    page = html.unescape(staff.post("/jobs/new/check/source", FORM, htmx=True).text)
    assert "Logged in, everything can be read" in page
    assert "43,118 messages in 13 folders, 12.3\N{NO-BREAK SPACE}GB." in page
    assert "Encrypted: TLS 1.3" in page
    assert 'id="preview" hx-swap-oob="true"' in page
    assert "provisional" in page


def test_a_bad_test_says_what_is_wrong_and_folds_the_servers_words(staff: Browser) -> None:
    page = html.unescape(staff.post("/jobs/new/check/target", {**FORM, "target.password": "falsch"}, htmx=True).text)
    assert "mail.nordhafen.example does not accept user name and password" in page
    assert "The server does not accept this password." in page
    assert "<details" in page.partition("AUTHENTICATIONFAILED")[0]


def test_a_mailbox_that_is_too_small_is_said_before_anything_is_written(staff: Browser) -> None:
    form = checked(staff, "source", FORM)
    page = html.unescape(staff.post("/jobs/new/check/target", form, htmx=True).text)
    assert "The new mailbox is too small: 12.3\N{NO-BREAK SPACE}GB are to come" in page
    assert "Raise the new mailbox’s quota to at least 14.0\N{NO-BREAK SPACE}GB first." in page
    assert "Not everything will fit: see below." in page.partition('id="limits"')[0]


def test_messages_that_are_too_large_are_named_with_their_folder(staff: Browser) -> None:
    page = html.unescape(staff.post("/jobs/new/preview", both_checked(staff)).text)
    found = page.partition('id="limits"')[2].partition("</section>")[0]
    assert "3 messages are larger than the new server accepts: 50\N{NO-BREAK SPACE}MB at most." in found
    assert re.findall(r'<li>([^<]+) <span class="muted">([^<]+)</span>', found) == [
        ("Lieferanten", "84\N{NO-BREAK SPACE}MB"),
        ("Kunden/Öttinger Bau GmbH", "61\N{NO-BREAK SPACE}MB"),
        ("Inbox", "58\N{NO-BREAK SPACE}MB"),
    ]


def test_what_stays_behind_need_not_fit(staff: Browser) -> None:
    form = both_checked(staff)
    page = html.unescape(staff.post("/jobs/new/preview", form, htmx=True).text)
    assert 'id="limits" hx-swap-oob="true"' in page
    assert "The new mailbox is too small" in page
    kept = as_form(rows(page))
    for source in ("INBOX", "Gesendete Objekte"):
        del kept[f"row.{rows(page)[source]['number']}.take"]
    fewer = staff.post("/jobs/new/preview", {**form, **kept}, htmx=True).text
    assert "The new mailbox is too small" not in fewer
    assert "2 messages are larger than the new server accepts" in fewer


def test_nothing_is_said_of_limits_before_both_ends_are_known(staff: Browser) -> None:
    page = staff.post("/jobs/new/preview", checked(staff, "source", FORM)).text
    assert re.search(r'id="limits"[^>]* hidden>', page)


def test_what_an_earlier_job_has_carried_does_not_come_again(staff: Browser, database: Database) -> None:
    staff.post("/jobs/new", FORM)
    carry(database, only_job(database), octets=5_000 * 10**6)
    page = staff.post("/jobs/new/preview", both_checked(staff), htmx=True).text
    assert "The new mailbox is too small" not in page
    assert "3 messages are larger" in page


def test_what_can_be_seen_without_a_server_is_said_without_asking_it(staff: Browser) -> None:
    page = staff.post("/jobs/new/check/source", {**FORM, "source.host": "", "target.host": ""}, htmx=True).text
    assert "Please fill this in." in page
    assert 'id="target-host-wrong"' not in page, "the other end is not what was asked"
    assert "Logged in" not in page


def test_a_test_works_without_javascript(staff: Browser) -> None:
    page = staff.post("/jobs/new/check/source", FORM).text
    assert "<html" in page
    assert "Logged in, everything can be read" in page
    assert FORM["target.host"] in page


def test_testing_is_limited(staff: Browser) -> None:
    codes = {staff.post("/jobs/new/check/source", FORM, htmx=True).status_code for _ in range(31)}
    assert codes == {200, 429}


def test_an_unknown_end_is_not_found(staff: Browser) -> None:
    assert staff.post("/jobs/new/check/middle", FORM).status_code == 404


# ---- the preview ---------------------------------------------------------------------------------------------------


def test_the_preview_shows_where_every_folder_goes(staff: Browser) -> None:
    form = checked(staff, "target", checked(staff, "source", FORM))
    page = staff.post("/jobs/new/preview", form, htmx=True).text
    found = rows(page)
    assert len(found) == 13
    assert found["Gesendete Objekte"]["target"] == found["Sent"]["target"] == "Gesendet"
    assert found["Angebote/2024"]["target"] == "Angebote/2024"
    assert "is merged with “Sent”" in html.unescape(page)
    assert "provisional" not in page


def test_what_is_decided_by_hand_moves_what_lies_below_and_goes_with_the_order(
    staff: Browser, database: Database
) -> None:
    form = checked(staff, "target", checked(staff, "source", FORM))
    found = rows(staff.post("/jobs/new/preview", form, htmx=True).text)
    edited = as_form(found)
    edited[f"row.{found['Angebote']['number']}.target"] = "Offerten"
    del edited[f"row.{found['Spamverdacht']['number']}.take"]
    page = staff.post("/jobs/new/preview", {**form, **edited}, htmx=True).text
    again = rows(page)
    assert again["Angebote/2024"]["target"] == "Offerten/2024"
    assert again["Spamverdacht"]["take"] == ""
    assert "by hand" in page
    staff.post("/jobs/new", {**form, **edited})
    assert only_job(database).options == {"map": {"Angebote": "Offerten"}, "exclude": ["Spamverdacht"]}


def test_an_emptied_target_takes_the_decision_back(staff: Browser) -> None:
    form = checked(staff, "source", FORM)
    found = rows(staff.post("/jobs/new/preview", form, htmx=True).text)
    at = f"row.{found['Angebote']['number']}"
    edited = {**as_form(found), f"{at}.target": "", f"{at}.hand": "1"}
    assert rows(staff.post("/jobs/new/preview", {**form, **edited}, htmx=True).text)["Angebote"]["target"] == "Angebote"


def test_a_name_with_signs_of_patterns_excludes_only_itself() -> None:
    import fnmatch

    from web.jobs.forms import as_glob

    for name in ("a*b", "[Gmail]/All", "what?", "[a-z]"):
        assert fnmatch.fnmatchcase(name, as_glob(name))
    assert not fnmatch.fnmatchcase("axb", as_glob("a*b"))


def test_what_was_found_is_signed_and_bound_to_its_account(staff: Browser, app: Flask) -> None:
    form = checked(staff, "source", FORM)
    forged = {**form, "source.checked": form["source.checked"][:-3] + "xyz"}
    assert rows(staff.post("/jobs/new/preview", forged, htmx=True).text) == {}
    other = {**form, "source.user": "somebody@else.example"}
    assert rows(staff.post("/jobs/new/preview", other, htmx=True).text) == {}


def test_many_folders_fit_into_the_form(app: Flask) -> None:
    from web.jobs import checked as keeping
    from web.jobs.forms import EndForm

    names = [f"Kunden/Müller {number}" for number in range(3_000)]
    infos = [FolderInfo(name, tuple(name.split("/")), messages=5, octets=500) for name in names]
    form = EndForm(user="a@b.example", host="h.example")
    with app.test_request_context("/"):
        text = keeping.sign(form, ProbeReport(ok=True, error=None, folder_list=infos))
        found = keeping.read(form, text)
    assert len(text) < 100_000
    assert found
    assert found.folder_list == infos


# ---- like another job ----------------------------------------------------------------------------------------------


def test_a_new_job_can_be_like_another_one_without_its_passwords(staff: Browser, make: Callable[..., int]) -> None:
    options = {"map": {"Angebote": "Offerten"}, "exclude": ["Spam", "Tr*"], "max_octets": 25_000_000, "under": "Alt"}
    options |= {"repair": True, "apart": True}
    job_id = make(options=options)
    page = staff.get(f"/jobs/new?like={job_id}").text
    assert 'value="mail.old.example"' in page
    assert 'value="Offerten"' in page
    assert 'value="Alt"' in page
    assert '<option value="25" selected>' in page
    ticked = re.findall(r'name="(repair|shared|apart)" value="yes" checked', page)
    assert sorted(ticked) == ["apart", "repair"]
    assert making.OLD_PASSWORD not in page
    assert set(rows(page)) == {"Angebote", "Spam"}


@pytest.mark.parametrize("like", ["999", "x", "-1", "9" * 30, "²"])
def test_like_nothing_is_an_empty_form_or_not_found(staff: Browser, like: str) -> None:
    assert staff.get("/jobs/new", query_string={"like": like}).status_code in (200, 404)


def test_what_a_check_found_out_comes_back_out_of_the_form(app: Flask) -> None:
    infos = [
        FolderInfo("INBOX", ("INBOX",), Role.INBOX, messages=3, octets=90),
        FolderInfo("Kalender", ("Kalender",), holds_mail=False),
        FolderInfo("Team/A", ("Team", "A"), selectable=False, shared=True),
    ]
    largest = Largest(10, (Large("INBOX", "1/2", 60), Large("INBOX", "1/1", 20)), 4, frozenset({"Kalender"}))
    report = ProbeReport(
        ok=True, error=None, messages=3, octets=90, folder_list=infos, namespace=Namespace("INBOX.", "."),
        quota=(5, 100), counted={"MESSAGE": (3, 9)}, max_octets=50, max_octets_in={("Team", "A"): 7}, largest=largest,
    )  # fmt: skip
    form = forms.EndForm(user="u", host="imap.old.example")
    with app.test_request_context():
        text = checked_in_form.sign(form, report)
        assert checked_in_form.read(form, text) == report
        assert checked_in_form.read(forms.EndForm(user="u", host="imap.other.example"), text) is None
        assert checked_in_form.read(form, text[:-1]) is None
        bare = ProbeReport(ok=True, error=None)
        assert checked_in_form.read(form, checked_in_form.sign(form, bare)) == dataclasses.replace(bare, folder_list=[])
