"""Files out of archives: safe names, errors that a page says, downloads that break off, and the customer's own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask

from migrator.db.models import Archive
from migrator.db.store import Database
from migrator.errors import ArchiveDamaged, ArchiveUnusable
from migrator.jobs import fetching
from tests.web.conftest import Browser
from tests.web.gallery import Gallery
from tests.web.test_archive_pages import HOSTILE
from web.downloads import disposition, safe_name

pytestmark = pytest.mark.slow

NAMES = re.compile(r"attachment; filename=\"([\w.@+-]+)\"; filename\*=UTF-8''([\w.@%~-]+)", re.ASCII)


class Zip:
    """A fake of `fetching.zip_of`: what it was asked for, and whether it was closed."""

    def __init__(self, parts: list[bytes | Exception]) -> None:
        self.parts = parts
        self.asked: dict[str, Any] = {}
        self.closed = 0

    def __call__(self, _db: Any, _vault: Any, _settings: Any, archive_id: int, **chosen: Any) -> Iterator[bytes]:
        self.asked = {"archive": archive_id, **chosen}
        return self._stream()

    def _stream(self) -> Iterator[bytes]:
        try:
            for part in self.parts:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self.closed += 1


@pytest.fixture
def zipped(monkeypatch: pytest.MonkeyPatch) -> Zip:
    fake = Zip([b"PK\x05\x06", bytes(18)])
    monkeypatch.setattr(fetching, "zip_of", fake)
    return fake


def test_mail_is_fetched_as_a_zip_file_with_a_name_that_says_what_it_is(
    keeper: Browser, stored: Gallery, zipped: Zip
) -> None:
    number = stored.archives["kept"]
    answer = keeper.get(f"/archives/{number}/export?kind=mbox")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "application/zip", b"PK\x05\x06" + bytes(18))
    assert zipped.asked == {"archive": number, "kind": "mbox", "at": None, "folder": None}
    found = NAMES.fullmatch(answer.headers["Content-Disposition"])
    assert found
    assert re.fullmatch(r"verkauf@mueller-bau.example-\d{4}-\d\d-\d\d-mbox.zip", found.group(1))
    assert answer.headers["Cache-Control"] == "no-store, max-age=0"


def test_a_folder_and_a_point_in_time_are_passed_on_as_they_are(keeper: Browser, stored: Gallery, zipped: Zip) -> None:
    chosen = {"kind": "eml", "folder": 'Kunden/Öttinger "Bau"', "at": "2026-11-19T01:28:00+00:00"}
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export", query_string=chosen)
    assert zipped.asked["folder"] == 'Kunden/Öttinger "Bau"'
    assert zipped.asked["at"].isoformat() == chosen["at"]
    found = NAMES.fullmatch(answer.headers["Content-Disposition"])
    assert found
    assert unquote(found.group(2)) == "verkauf@mueller-bau.example-2026-11-19-Kunden-Öttinger--Bau--eml.zip"


def test_the_form_asks_for_points_in_time_that_can_be_read(keeper: Browser, stored: Gallery, zipped: Zip) -> None:
    page = keeper.get(f"/archives/{stored.archives['kept']}").text
    values = re.findall(r'<option value="(2026[^"]+)"', page.partition('id="fetch-at"')[2].partition("</select>")[0])
    assert len(values) == 19, "the latest is the one that is not named"
    keeper.get(f"/archives/{stored.archives['kept']}/export", query_string={"kind": "mbox", "at": values[3]})
    assert zipped.asked["at"].isoformat() == values[3]


@pytest.mark.parametrize("query", ["kind=exe", "kind=", "kind=mbox&at=yesterday", "kind=mbox&at=2026-11-19T01:28"])
def test_what_makes_no_sense_is_said_on_the_page(keeper: Browser, stored: Gallery, zipped: Zip, query: str) -> None:
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export?{query}")
    assert (answer.status_code, answer.location) == (303, f"/archives/{stored.archives['kept']}")
    assert "This does not fit." in keeper.get(answer.location).text
    assert zipped.asked == {}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (fetching.ArchiveElsewhere("On another node."), "The archive lies on another storage node"),
        (ArchiveUnusable("No file."), "The archive cannot be used"),
        (ArchiveDamaged("Torn."), "A part of the archive is damaged"),
    ],
)
def test_an_error_before_the_first_octet_is_a_sentence_and_no_broken_file(
    keeper: Browser, stored: Gallery, zipped: Zip, error: Exception, sentence: str
) -> None:
    zipped.parts = [error]
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export?kind=mbox")
    assert answer.status_code == 303
    assert sentence in keeper.get(answer.location).text


def test_a_destroyed_archive_gives_nothing(keeper: Browser, stored: Gallery) -> None:
    number = stored.archives["destroyed"]
    for path in ("export?kind=mbox", "manifest"):
        answer = keeper.get(f"/archives/{number}/{path}")
        assert (answer.status_code, answer.location) == (303, f"/archives/{number}")
        assert "The archive is destroyed" in keeper.get(answer.location).text


def test_a_download_that_breaks_off_is_cut_and_never_ends_well(
    app: Flask, keeper: Browser, stored: Gallery, zipped: Zip
) -> None:
    zipped.parts = [b"begin", ArchiveDamaged("Torn.")]
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export?kind=mbox")
    with pytest.raises(ArchiveDamaged):
        _ = answer.data
    assert zipped.closed == 1


def test_whoever_goes_away_closes_the_file(keeper: Browser, stored: Gallery, zipped: Zip) -> None:
    zipped.parts = [b"x" * 65_536] * 1_000
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export?kind=mbox", buffered=False)
    assert len(list(itertools.islice(answer.response, 3))) == 3
    assert zipped.closed == 0
    answer.close()
    assert zipped.closed == 1


def test_whoever_reads_nothing_closes_the_file_too(keeper: Browser, stored: Gallery, zipped: Zip) -> None:
    keeper.client.head(f"/archives/{stored.archives['kept']}/export?kind=mbox").close()
    assert zipped.closed == 1


def test_the_manifest_is_fetched_too(keeper: Browser, stored: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "manifest_of", lambda *_here, **_at: iter([b'{"a": 1}\n', b'{"b": 2}\n']))
    answer = keeper.get(f"/archives/{stored.archives['kept']}/manifest")
    assert (answer.mimetype, answer.data) == ("application/jsonl", b'{"a": 1}\n{"b": 2}\n')
    assert "-manifest.jsonl" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:40])
def test_no_name_leads_a_file_elsewhere(
    keeper: Browser, stored: Gallery, database: Database, zipped: Zip, text: str
) -> None:
    with database.writing() as session:
        session.get_one(Archive, stored.archives["kept"]).address = text[:320]
    answer = keeper.get(f"/archives/{stored.archives['kept']}/export", query_string={"kind": "eml", "folder": text})
    assert answer.status_code == 200
    found = NAMES.fullmatch(answer.headers["Content-Disposition"])
    assert found, answer.headers["Content-Disposition"]
    shown = unquote(found.group(2))
    assert len(shown) < 120
    assert not re.search(r'[/\\:*?"<>|\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]', shown)
    assert found.group(1).endswith(".zip")
    assert shown.endswith(".zip")


def test_names_are_made_safe() -> None:
    assert "/" not in safe_name("../../etc/passwd")
    assert safe_name("...") not in ("", ".", "..")
    assert safe_name("\u202e") == "download"
    assert disposition("Grüße.zip") == "attachment; filename=\"Grue.zip\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.zip"


# ---- the customer --------------------------------------------------------------------------------------------------


@pytest.fixture
def customer(app: Flask, stored: Gallery) -> Browser:
    return Browser(app.test_client(), "de-DE")


def test_a_customer_who_may_fetch_has_one_button_and_gets_the_mail(
    customer: Browser, stored: Gallery, zipped: Zip
) -> None:
    token = stored.status["archived"]
    page = customer.get(f"/status/{token}").text
    assert page.count("Meine E-Mails herunterladen (zip)") == 1
    for kind in ("mbox", "eml"):
        answer = customer.get(f"/status/{token}/archive.zip?kind={kind}")
        assert (answer.status_code, answer.mimetype) == (200, "application/zip")
        assert zipped.asked == {"archive": stored.archives["kept"], "kind": kind}
    customer.get(f"/status/{token}/archive.zip?kind=maildir")
    assert zipped.asked["kind"] == "mbox"


@pytest.mark.parametrize("name", ["removed", "running", "archiving"])
def test_whoever_may_not_fetch_finds_a_link_that_is_gone(
    customer: Browser, stored: Gallery, zipped: Zip, name: str
) -> None:
    token = stored.status[name]
    assert "archive.zip" not in customer.get(f"/status/{token}").text
    pages = [customer.get(f"/status/{token}/archive.zip") for token in (token, "never-was-one")]
    assert [page.status_code for page in pages] == [404, 404]
    assert len({re.sub(r"/status/[\w-]+", "", page.text) for page in pages}) == 1, "both look the same"
    assert zipped.asked == {}


def test_a_customer_is_told_kindly_when_it_does_not_work_now(customer: Browser, stored: Gallery, zipped: Zip) -> None:
    zipped.parts = [fetching.ArchiveElsewhere("On the node cellar-7.")]
    answer = customer.get(f"/status/{stored.status['archived']}/archive.zip")
    assert answer.status_code == 503
    assert "Ihre E-Mails lassen sich im Augenblick nicht herunterladen." in answer.text
    assert "cellar-7" not in answer.text


def test_guessing_and_fetching_are_slow(customer: Browser, stored: Gallery, zipped: Zip) -> None:
    path = f"/status/{stored.status['archived']}/archive.zip"
    assert [customer.get(path).status_code for _ in range(12)] == [200] * 10 + [429] * 2
    assert "Zu viele Versuche" in customer.get(path).text
