"""Archives in a real browser, with real servers: archive, check, play in, fetch as a file, destroy."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.serving import serve
from tests.e2e.test_browser import FOLDERS, Staff, customer_link, mail
from tests.servers.fixtures import DovecotPair
from tests.servers.mailboxes import fill_all, read_all

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.slow]

WHOLE = sum(FOLDERS.values())


def test_a_mailbox_is_archived_checked_played_in_fetched_and_destroyed(
    tmp_path: Path, dovecot_pair: DovecotPair, open_context: OpenContext
) -> None:
    old, new = dovecot_pair.old_account, dovecot_pair.new_account
    fill_all(dovecot_pair.old.imap_port, old, {name: [mail(name, n) for n in range(count)]
                                               for name, count in FOLDERS.items()})  # fmt: skip
    with serve(tmp_path / "data") as serving:
        context = open_context(serving.url, locale="de-DE", viewport={"width": 1280, "height": 900})
        staff = Staff(context.new_page())
        staff.set_up(serving.setup)
        archive(staff, dovecot_pair)
        link = customer_link(staff)
        check(staff.page)
        play_in(staff, dovecot_pair)
        there = {name: len(content) for name, content in read_all(dovecot_pair.new.imap_port, new).items()}
        assert sum(there.values()) == WHOLE
        fetch(staff.page, tmp_path / "mail.zip")
        customer = open_context(serving.url, locale="de-DE", viewport={"width": 390, "height": 800}).new_page()
        customer.goto(link)
        expect(customer.get_by_role("heading", level=1)).to_have_text("Ihre E-Mails sind gesichert")
        with customer.expect_download() as download:
            customer.get_by_role("button", name="Meine E-Mails herunterladen").click()
        download.value.save_as(tmp_path / "customer.zip")
        assert letters(tmp_path / "customer.zip") == WHOLE
        destroy(staff.page, old.user)


def archive(staff: Staff, pair: DovecotPair) -> None:
    """Order a pass and watch it end."""
    page = staff.page
    page.get_by_role("link", name="Archive", exact=True).click()
    expect(page.get_by_role("heading", name="Noch ist nichts archiviert")).to_be_visible()
    page.get_by_role("link", name="Postfach archivieren").first.click()
    staff.type_end("Alter Server", pair.old_account, pair.old.imaps_port or 0, "tls", pair.old.fingerprint)
    staff.test_connection("Alter Server", "Angemeldet, alles lesbar")
    expect(page.get_by_text("Empfehlung: Vor dem Domainumzug archivieren")).to_be_visible()
    page.get_by_role("button", name="Archivierung starten").click()
    expect(page).to_have_url(re.compile(r"/jobs/1$"))
    expect(page.locator("#head .badge").first).to_have_text("Fertig")
    assert staff.sum_of()["archiviert"] == str(WHOLE)


def check(page: Page) -> None:
    """Read it from end to end."""
    page.get_by_role("link", name="Archiv 1").click()
    expect(page.get_by_role("row").filter(has_text="Zurückspielen")).to_have_count(1)
    page.get_by_role("button", name="Archiv prüfen").click()
    expect(page.locator("#head .badge").first).to_have_text("Fertig")
    expect(page.locator("#checked")).to_contain_text("Vollständig und unbeschädigt")
    page.get_by_role("link", name="Zum Archiv").click()
    expect(page.locator("#check .badge")).to_have_text("unbeschädigt")


def play_in(staff: Staff, pair: DovecotPair) -> None:
    """Everything, as it was, onto the new server."""
    page = staff.page
    page.get_by_role("link", name="Zurückspielen …", exact=True).first.click()
    staff.type_end("Neuer Server", pair.new_account, pair.new.imap_port, "starttls", pair.new.fingerprint)
    staff.test_connection("Neuer Server", "Angemeldet")
    page.get_by_role("button", name="Zurückspielen", exact=True).click()
    expect(page.locator("#head .badge").first).to_have_text("Fertig")
    assert staff.sum_of()["zurückgespielt"] == str(WHOLE)
    page.get_by_role("link", name="Zum Archiv").click()


def fetch(page: Page, path: Path) -> None:
    """As a zip file; and let the customer do so too."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Als zip herunterladen").click()
    assert re.search(r"-\d{4}-\d\d-\d\d-mbox\.zip$", download.value.suggested_filename)
    download.value.save_as(path)
    assert letters(path) == WHOLE
    page.get_by_role("button", name="Herunterladen erlauben").click()
    expect(page.get_by_text("Der Kunde darf dieses Archiv jetzt herunterladen.")).to_be_visible()


def letters(path: Path) -> int:
    """Messages in a zip of mbox files."""
    with zipfile.ZipFile(path) as found:
        assert found.testzip() is None
        return sum(found.read(name).count(b"\nMessage-ID: <") for name in found.namelist())


def destroy(page: Page, address: str) -> None:
    """With reason and address; the proof comes by itself as soon as the file is gone."""
    page.get_by_role("link", name="Jetzt vernichten").click()
    page.get_by_label("Grund").fill("Wunsch des Kunden")
    page.get_by_label("Adresse dieses Archivs eintippen").fill(address)
    page.get_by_role("button", name="Archiv endgültig vernichten").click()
    expect(page.locator("#proof")).to_contain_text("Wunsch des Kunden")
    for _ in range(60):
        if page.get_by_text("Schlüssel und Datei vernichtet").count():
            break
        page.wait_for_timeout(1_000)
        page.reload()
    expect(page.locator("#proof")).to_contain_text("Signatur (Ed25519)")
