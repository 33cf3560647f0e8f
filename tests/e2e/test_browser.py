"""What a person does with the product, in a real browser, from the first link to the customer's page."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import OpenContext
from tests.e2e.serving import serve
from tests.servers.fixtures import Account, DovecotPair
from tests.servers.mailboxes import Mail, fill_all, read_all
from tests.servers.proxy import FaultProxy

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.slow]

EMAIL, PASSWORD = "jana.petersen@nordhafen.example", "wagen rot sieben"
HOSTILE = "<img src=x onerror=alert(1)> & Söhne"
FOLDERS = {"INBOX": 40, "INBOX.Kunden": 2, f"INBOX.Kunden.{HOSTILE}": 17, "INBOX.Gesendet": 9}
SLOW = 80_000.0
"""Octets per second: so slow that somebody can watch."""


def mail(folder: str, number: int) -> Mail:
    """A message of some twenty thousand octets."""
    head = f"Message-ID: <{number}.{len(folder)}@old.example>\r\nSubject: Nr. {number}\r\nFrom: a@old.example\r\n"
    return Mail((head + "\r\n" + "Wagenladung\r\n" * 1_500).encode(), ("\\Seen",), "20-Nov-2026 10:00:00 +0000")


@dataclasses.dataclass
class Staff:
    """Somebody at the hoster, at their browser."""

    page: Page

    def set_up(self, link: str) -> None:
        """Use the one-time link: the first account, and logged in with it."""
        self.page.goto(link)
        self.page.get_by_label("Ihr Name").fill("Jana Petersen")
        self.page.get_by_label("E-Mail-Adresse").fill(EMAIL)
        self.page.get_by_label("Neues Passwort").fill(PASSWORD)
        self.page.get_by_label("Noch einmal dasselbe").fill(PASSWORD)
        self.page.get_by_role("button", name="Konto anlegen").click()
        expect(self.page.get_by_role("heading", name="Noch zieht kein Postfach um")).to_be_visible()

    def log_out(self) -> None:
        self.page.get_by_label("Jana Petersen, Konto").click()
        self.page.get_by_role("button", name="Abmelden").click()
        expect(self.page.get_by_text("Sie sind abgemeldet.")).to_be_visible()

    def log_in(self) -> None:
        self.page.get_by_label("E-Mail-Adresse").fill(EMAIL)
        self.page.get_by_label("Passwort").fill(PASSWORD)
        self.page.get_by_role("button", name="Anmelden").click()
        expect(self.page).to_have_url(re.compile("/jobs$"))

    def end(self, title: str) -> Locator:
        """The half of the form for one server."""
        return self.page.get_by_role("group", name=title)

    def type_end(self, title: str, account: Account, port: int, security: str, fingerprint: str | None) -> None:
        """Fill in one server; what is unusual stands in the folded part."""
        end = self.end(title)
        end.get_by_label("Benutzername").fill(account.user)
        end.get_by_label("Server", exact=True).fill("127.0.0.1")
        end.get_by_label("Port", exact=True).select_option(security)
        end.get_by_label("Passwort", exact=True).fill(account.password)
        end.get_by_text("Andere Angaben").click()
        end.get_by_label("Anderer Port").fill(str(port))
        end.get_by_label("Fingerabdruck des Zertifikats").fill(fingerprint or "")

    def test_connection(self, title: str, answer: str) -> None:
        """Ask for a test and wait for what comes of it."""
        end = self.end(title)
        end.get_by_role("button", name="Verbindung prüfen").click()
        expect(end.get_by_text(answer)).to_be_visible()

    def sum_of(self) -> dict[str, str]:
        """The numbers under the bar, by their words."""
        entries = self.page.locator("#progress .sum > div")
        return dict(zip(entries.locator("dt").all_inner_texts(), entries.locator("dd").all_inner_texts(), strict=True))

    def folders(self) -> dict[str, tuple[str, int]]:
        """Shown name → target and number of messages."""
        rows: dict[str, tuple[str, int]] = {}
        for row in self.page.locator("#folders tbody tr").all():
            first = "cell => cell.firstChild.textContent.trim()"
            target, number = (row.locator("td").nth(place).evaluate(first) for place in (0, 1))
            rows[row.locator("th > span").inner_text()] = (target, int(number))
        return rows


def test_a_hoster_moves_a_mailbox_and_the_customer_watches(
    tmp_path: Path, dovecot_pair: DovecotPair, open_context: OpenContext
) -> None:
    old, new = dovecot_pair.old_account, dovecot_pair.new_account
    fill_all(dovecot_pair.old.imap_port, old, {name: [mail(name, n) for n in range(count)]
                                               for name, count in FOLDERS.items()})  # fmt: skip
    with serve(tmp_path / "data") as serving, FaultProxy("127.0.0.1", dovecot_pair.new.imap_port) as road:
        staff = Staff(open_context(serving.url, locale="de-DE", viewport={"width": 1280, "height": 900}).new_page())
        staff.set_up(serving.setup)
        staff.log_out()
        staff.log_in()
        order(staff, dovecot_pair, road)
        watch(staff, road)
        state = read_all(dovecot_pair.new.imap_port, new)
        shown = staff.folders()
        assert {name: shown[name] for name in ("Posteingang", "Gesendet", "Kunden", HOSTILE)} == {
            "Posteingang": ("INBOX", 40), "Gesendet": ("Sent", 9), "Kunden": ("Kunden", 2),
            HOSTILE: (f"Kunden/{HOSTILE}", 17),
        }  # fmt: skip
        there = {name: len(content) for name, content in state.items()}
        assert there == {**dict.fromkeys(there, 0), **dict(shown.values())}
        link = customer_link(staff)
        for locale, headline in (("de-DE", "Ihr Postfach ist umgezogen"), ("en-GB", "Your mailbox has moved")):
            page = open_context(serving.url, locale=locale, viewport={"width": 390, "height": 800}).new_page()
            page.goto(link)
            expect(page.get_by_role("heading", level=1)).to_have_text(headline)
            expect(page.locator("#status")).to_contain_text("100%")
            expect(page.locator(".proof")).to_contain_text("68")
            assert page.goto(f"{serving.url}/jobs/1") is not None
            expect(page).to_have_url(re.compile("/login"))


def order(staff: Staff, pair: DovecotPair, road: FaultProxy) -> None:
    """Fill in the form, with a wrong password first, and start."""
    page = staff.page
    page.get_by_role("link", name="Postfach kopieren").first.click()
    wrong = Account(pair.old_account.user, "nicht das richtige")
    staff.type_end("Alter Server", wrong, pair.old.imaps_port or 0, "tls", pair.old.fingerprint)
    staff.test_connection("Alter Server", "127.0.0.1 lehnt Benutzername und Passwort ab")
    expect(staff.end("Alter Server").get_by_text("Dieses Passwort hat der Server abgelehnt.")).to_be_visible()
    staff.end("Alter Server").get_by_label("Passwort", exact=True).fill(pair.old_account.password)
    staff.test_connection("Alter Server", "Angemeldet, alles lesbar")
    expect(staff.end("Alter Server")).to_contain_text("68 Nachrichten in")
    expect(page.locator("#preview")).to_contain_text("vorläufig")
    staff.type_end("Neuer Server", pair.new_account, road.port, "starttls", pair.new.fingerprint)
    staff.test_connection("Neuer Server", "Angemeldet")
    expect(page.locator("#preview")).not_to_contain_text("vorläufig")
    expect(page.get_by_label("Ziel für INBOX.Gesendet")).to_have_value("Sent")
    road.rate(SLOW, ahead=65_536)
    page.get_by_role("button", name="Kopieren starten").click()
    expect(page).to_have_url(re.compile(r"/jobs/1$"))


def watch(staff: Staff, road: FaultProxy) -> None:
    """The page moves by itself: numbers in between, then the end; nothing was loaded again."""
    page = staff.page
    page.evaluate("window.sameDocument = true")
    copied = page.locator("#progress .sum .is-working dd")
    expect(copied).to_have_text(re.compile(r"^[1-9]\d*$"))
    expect(page.locator("#head .badge").first).to_have_text("Läuft")
    between = int(copied.inner_text())
    assert 0 < between < 68
    expect(page).to_have_title(re.compile(r"^\d+ % · Kopieren: "))
    road.rate(None)
    expect(page.locator("#head .badge").first).to_have_text("Fertig")
    assert staff.sum_of() == {
        "gefunden": "68", "übertragen": "68", "schon da": "0", "übersprungen": "0", "fehlgeschlagen": "0",
        "noch offen": "0",
    }  # fmt: skip
    expect(page.locator("#progress .huge")).to_have_text("100%")
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile(".*"))
    assert page.evaluate("window.sameDocument") is True


def customer_link(staff: Staff) -> str:
    """Made without leaving the page, and shown this once."""
    staff.page.get_by_role("button", name="Link erzeugen").click()
    field = staff.page.get_by_label("Adresse der Kundenseite")
    expect(field).to_have_value(re.compile(r"/status/[\w-]{40,}$"))
    return field.input_value()
