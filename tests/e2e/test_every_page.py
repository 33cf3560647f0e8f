"""Every page, as all kinds of people see it: narrow, wide, German, English, light, dark, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.settings import Settings
from tests.e2e.conftest import OpenContext
from tests.e2e.serving import Exhibition, exhibit
from tests.web.gallery import PASSWORD, STAFF

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (320, 360, 768, 1440)
NOT_FOUND = ("link gone", "set-up gone", "not found", "archive not there")
UNFOLD = "for (const one of document.querySelectorAll('main details')) one.open = true"
"""What is folded is read too."""
SCHEMES = ("light", "dark")
MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")


@pytest.fixture
def exhibition(settings: Settings, database: Database, vault: Vault) -> Iterator[Exhibition]:
    with exhibit(settings, database, vault) as shown:
        yield shown


def log_in(context: BrowserContext) -> Page:
    page = context.new_page()
    page.goto("/login")
    page.locator("#email").fill(STAFF)
    page.locator("#password").fill(PASSWORD)
    page.locator("form .primary").click()
    expect(page.locator(".top .who")).to_be_visible()
    return page


def addresses(exhibition: Exhibition) -> dict[str, str]:
    """Every page that there is, in every state."""
    shown = exhibition.shown
    pages = {"set-up": f"/setup/{shown.setup}", "list": "/jobs", "nothing found": "/jobs?q=nobody", "form": "/jobs/new"}
    pages |= {"like": f"/jobs/new?like={shown.jobs['succeeded']}", "link gone": "/status/never-was-one"}
    pages |= {"failures": f"/jobs/{shown.jobs['running']}/failures", "not found": "/nothing"}
    pages |= {f"report {name}": f"/jobs/{shown.jobs[name]}/report" for name in ("running", "incomplete", "verified")}
    pages |= {"no failures": f"/jobs/{shown.jobs['queued']}/failures", "set-up gone": "/setup/never-was-one"}
    pages |= {f"job {name}": f"/jobs/{number}" for name, number in shown.jobs.items()}
    kept = f"/archives/{shown.archives['kept']}"
    pages |= {"archives": "/archives", "no archive found": "/archives?q=nobody", "form archive": "/jobs/new?do=archive"}
    pages |= {"play in": f"{kept}/play-in", "play in folder": f"{kept}/play-in?folder=Angebote"}
    pages |= {"destroy": f"{kept}/destroy", "all points": f"{kept}?points=all", "archive not there": "/archives/999"}
    pages |= {f"archive {name}": f"/archives/{number}" for name, number in shown.archives.items()}
    return pages | {f"customer {name}": f"/status/{token}" for name, token in shown.status.items()}


@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
def test_no_page_overflows_or_is_hard_to_read_at_any_width_in_light_or_dark(
    exhibition: Exhibition, open_context: OpenContext, locale: str
) -> None:
    page = log_in(open_context(exhibition.url, locale=locale, reduced_motion="reduce"))
    faults: list[str] = []
    texts = 0
    for name, path in addresses(exhibition).items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if name in NOT_FOUND else 200), name
        assert page.locator("html").get_attribute("lang") == locale[:2]
        assert page.locator("h1, h2").first.is_visible(), name
        page.evaluate(MEASURE)
        if name.startswith(("archive", "form", "play in")):
            page.evaluate(UNFOLD)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{name} at {width}: {fault}" for fault in page.evaluate("measure.overflow()")]
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate(MEASURE)
            found = page.evaluate("measure.contrast()")
            faults += [f"{name}, {scheme}: {fault}" for fault in found["faint"]]
            texts += found["seen"]
    assert faults == []
    assert texts > 2_000


@pytest.mark.parametrize("width", [360, 1440])
def test_whoever_uses_the_keyboard_always_sees_where_they_are(
    exhibition: Exhibition, open_context: OpenContext, width: int
) -> None:
    page = log_in(open_context(exhibition.url, viewport={"width": width, "height": 700}, reduced_motion="reduce"))
    blocked, kept = exhibition.shown.jobs["blocked"], f"/archives/{exhibition.shown.archives['kept']}"
    paths = ("/jobs", "/jobs/new", f"/jobs/{blocked}", f"/setup/{exhibition.shown.setup}")
    for path in (*paths, "/archives", kept, f"{kept}/play-in", f"{kept}/destroy", "/jobs/new?do=archive"):
        page.goto(path)
        page.evaluate(MEASURE)
        seen: list[str] = []
        for _ in range(60):
            page.keyboard.press("Tab")
            focus = page.evaluate("measure.focus()")
            if focus is None:
                break
            assert focus["ring"], f"{path}: no ring around {focus['label']}"
            assert focus["free"], f"{path}: something lies on {focus['label']}"
            seen.append(focus["label"])
        assert len(seen) >= 3, path


def test_without_javascript_pages_show_their_numbers_and_forms_are_sent(
    exhibition: Exhibition, open_context: OpenContext
) -> None:
    context = open_context(exhibition.url, locale="en-GB", java_script_enabled=False)
    page = log_in(context)
    page.goto(f"/jobs/{exhibition.shown.jobs['running']}")
    expect(page.locator("#progress .huge")).to_have_text(re.compile(r"^7\d\.\d%$"))
    expect(page.locator("#progress .sum")).to_contain_text("43,118")
    expect(page.locator("#folders")).to_contain_text("Schröder & Partner")
    expect(page.locator("#throughput path.line")).to_be_attached()
    expect(page.locator("[data-reveal]:visible, [data-copy]:visible")).to_have_count(0)
    page.get_by_role("button", name="Pause the job").click()
    expect(page.get_by_text("The job pauses.")).to_be_visible()
    page.get_by_text("Cancel the job …").click()
    expect(page.get_by_role("button", name="Cancel the job", exact=True)).to_be_visible()
    page.goto(f"/status/{exhibition.shown.status['running']}")
    expect(page.locator("#status")).to_contain_text(" of 43,118 messages")
    submit_a_job(page)
    archive_and_play_in(page, exhibition.shown.archives["pop3"])


def archive_and_play_in(page: Page, archive: int) -> None:
    """Order a pass, answer the question about POP3, change the schedule, play in, close: no script is needed."""
    page.goto("/jobs/new")
    page.get_by_text("Archive mailbox", exact=True).click()
    expect(page.get_by_role("group", name="New server")).to_be_hidden()
    end = page.get_by_role("group", name="Old server")
    end.get_by_label("User name").fill("a@example.org")
    end.get_by_label("Server", exact=True).fill("imap.old.example")
    end.get_by_label("Password", exact=True).fill("right")
    end.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("Advice: Archive before the domain moves")).to_be_visible()
    page.get_by_label("yes", exact=True).check()
    page.get_by_role("button", name="Use this answer").click()
    expect(page.get_by_text("behaves strangely")).to_be_visible()
    page.get_by_role("group", name="Old server").get_by_label("Password", exact=True).fill("right")
    page.get_by_role("button", name="Start archiving").click()
    expect(page.locator("#head")).to_contain_text("imap.old.example into the archive")
    page.goto(f"/archives/{archive}")
    page.locator("#itself summary").click()
    page.get_by_label("nightly, beginning").check()
    page.locator("#itself").get_by_role("button", name="Save").click()
    expect(page.get_by_text("every 24 hours, between 00:00 and 05:00")).to_be_visible()
    page.get_by_role("link", name="Play in …", exact=True).first.click()
    target = page.get_by_role("group", name="New server")
    target.get_by_label("Server", exact=True).fill("mail.new.example")
    target.get_by_label("Password", exact=True).fill("right")
    page.get_by_role("button", name="Play in", exact=True).click()
    expect(page.locator("#head")).to_contain_text("from the archive to mail.new.example")
    page.goto(f"/archives/{archive}")
    page.get_by_role("button", name="Close the transfer").click()
    expect(page.get_by_text("The transfer is closed. The archive is destroyed on").first).to_be_visible()


@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
def test_what_will_not_fit_is_readable_at_any_width_and_gone_with_the_folders_that_cause_it(
    exhibition: Exhibition, open_context: OpenContext, locale: str
) -> None:
    page = log_in(open_context(exhibition.url, locale=locale, reduced_motion="reduce"))
    page.goto("/jobs/new")
    for end in ("source", "target"):
        page.locator(f"#{end}-user").fill("a@example.org")
        page.locator(f"#{end}-host").fill(f"{end}.example")
        page.locator(f"#{end}-password").fill("right")
        page.locator(f"#{end}-answer .btn").click()
        expect(page.locator(f"#{end}-answer .reply").first).to_be_visible()
    expect(page.locator("#limits .said > li")).to_have_count(2)
    page.evaluate(MEASURE)
    page.evaluate(UNFOLD)
    faults: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        faults += [f"{width}: {fault}" for fault in page.evaluate("measure.overflow()")]
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate(MEASURE)
        faults += [f"{scheme}: {fault}" for fault in page.evaluate("measure.contrast()")["faint"]]
    assert faults == []
    for left, folder in ((12, "INBOX"), (11, "Gesendete Objekte")):
        page.locator(f"#preview tr:has(input[name$='.source'][value='{folder}']) input[type=checkbox]").click()
        expect(page.locator("#preview td .input")).to_have_count(left)
    expect(page.locator("#limits .said > li")).to_have_count(1)


def test_the_form_for_a_pass_is_live(exhibition: Exhibition, open_context: OpenContext) -> None:
    """The answer about POP3 changes the notes in place; what is typed stays; what is wrong stands at its field."""
    page = log_in(open_context(exhibition.url, locale="de-DE", viewport={"width": 1280, "height": 900}))
    page.goto("/archives")
    page.get_by_role("link", name="Postfach archivieren").click()
    page.locator("#source-user").fill("a@example.org")
    page.locator("#source-host").fill("imap.old.example")
    page.locator("#source-password").fill("richtig")
    page.get_by_role("button", name="Verbindung prüfen").first.click()
    expect(page.get_by_text("Empfehlung: Vor dem Domainumzug archivieren")).to_be_visible()
    expect(page.get_by_text("verhält sich seltsam")).to_have_count(0)
    page.get_by_label("ja", exact=True).check()
    expect(page.get_by_text("verhält sich seltsam")).to_be_visible()
    expect(page.locator("#source-password")).to_have_value("richtig")
    page.get_by_text("Kopieren", exact=True).click()
    expect(page.locator("#target-host")).to_be_visible()
    page.get_by_text("Archivieren", exact=True).click()
    expect(page.locator("#target-host")).to_be_hidden()
    expect(page.get_by_role("button", name="Kopieren starten")).to_be_hidden()
    expect(page.locator("#source-password")).to_have_value("richtig")
    page.get_by_role("button", name="Archivierung starten").click()
    expect(page.locator("#head")).to_contain_text("imap.old.example ins Archiv")


def test_the_proof_of_destruction_prints_on_a4(exhibition: Exhibition, open_context: OpenContext) -> None:
    page = log_in(open_context(exhibition.url, viewport={"width": 660, "height": 900}))
    page.goto(f"/archives/{exhibition.shown.archives['destroyed']}")
    page.emulate_media(media="print")
    expect(page.locator("#proof")).to_contain_text("Art. 17 DSGVO")
    expect(page.locator(".top .search, .top nav, .btn, .crumbs").locator("visible=true")).to_have_count(0)
    page.evaluate(MEASURE)
    assert page.evaluate("measure.overflow()") == []


def test_a_report_prints_on_a4_with_tables_that_stay_tables(exhibition: Exhibition, open_context: OpenContext) -> None:
    page = log_in(open_context(exhibition.url, locale="de-DE", viewport={"width": 660, "height": 900}))
    page.goto(f"/jobs/{exhibition.shown.jobs['running']}")
    page.get_by_role("link", name="Bericht ansehen").click()
    expect(page.get_by_role("link", name="Bericht als PDF")).to_be_visible()
    page.emulate_media(media="print")
    expect(page.locator(".top .search, .top nav, .btn, .crumbs").locator("visible=true")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Ordner am Ziel")).to_be_visible()
    expect(page.get_by_role("row", name="Gesendete Objekte Gesendet 9.292 8.957 320 12 3 0")).to_be_visible()
    page.evaluate(MEASURE)
    assert page.evaluate("measure.overflow()") == []


def submit_a_job(page: Page) -> None:
    """Test both ends, look at the folders, start: every step is a page of its own."""
    page.goto("/jobs/new")
    for title, host in (("Old server", "imap.old.example"), ("New server", "imap.new.example")):
        end = page.get_by_role("group", name=title)
        end.get_by_label("User name").fill("a@example.org")
        end.get_by_label("Server", exact=True).fill(host)
        end.get_by_label("Password", exact=True).fill("right")
        end.get_by_role("button", name="Test the connection").click()
        expect(page.get_by_role("group", name=title).get_by_text("Logged in").first).to_be_visible()
    expect(page.locator("#preview tbody tr")).to_have_count(13)
    page.get_by_role("textbox", name="Target of Angebote", exact=True).fill("Offerten")
    page.get_by_role("button", name="Update the preview").click()
    expect(page.get_by_role("textbox", name="Target of Angebote/2024")).to_have_value("Offerten/2024")
    for title in ("Old server", "New server"):
        page.get_by_role("group", name=title).get_by_label("Password", exact=True).fill("right")
    page.get_by_role("button", name="Start copying").click()
    expect(page.get_by_text("The job is created")).to_be_visible()
    expect(page.locator("#head")).to_contain_text("a@example.org")
