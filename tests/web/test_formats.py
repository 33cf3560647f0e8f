"""Numbers, sizes, dates and durations in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from web import contact, formats

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(params=["de", "en"])
def language(request: pytest.FixtureRequest, app: Flask) -> Iterator[str]:
    headers = {"Accept-Language": request.param, "Cookie": "tz=Europe/Berlin"}
    with app.test_request_context("/", headers=headers):
        yield request.param


@pytest.mark.parametrize(
    ("value", "german", "english"),
    [(0, "0", "0"), (72.46, "72,4", "72.4"), (72.0, "72,0", "72.0"), (99.99, "99,9", "99.9"), (100, "100", "100"),
     (0.04, "0,0", "0.0"), (33.3, "33,3", "33.3")],
)  # fmt: skip
def test_percentages_are_rounded_down(language: str, value: float, german: str, english: str) -> None:
    assert formats.percent(value) == (german if language == "de" else english)


def test_whole_percentages_are_rounded_down(language: str) -> None:
    assert (formats.whole(99.9), formats.whole(72.0), formats.whole(0.9)) == ("99", "72", "0")


@pytest.mark.parametrize(
    ("octets", "german"),
    [(0, "0 kB"), (1, "0 kB"), (420, "0,4 kB"), (999, "1 kB"), (48_112, "48 kB"), (999_499, "999 kB"),
     (999_600, "1 MB"), (6_000_000, "6 MB"), (8_940_000, "8,9 MB"), (84_200_000, "84 MB"), (918_000_000, "918 MB"),
     (4_200_000_000, "4,2 GB"), (12_277_000_000, "12,3 GB"), (2_500_000_000_000, "2,5 TB"), (7e15, "7.000 TB")],
)  # fmt: skip
def test_sizes_have_no_more_places_than_anybody_needs(app: Flask, octets: float, german: str) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert formats.size(octets) == german.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("seconds", "german", "english"),
    [
        (0, "weniger als eine Minute", "less than a minute"), (49, "weniger als eine Minute", "less than a minute"),
        (50, "etwa 1 Minute", "about 1 minute"), (14 * 60 + 20, "etwa 14 Minuten", "about 14 minutes"),
        (33 * 60, "etwa 35 Minuten", "about 35 minutes"), (89 * 60, "etwa 90 Minuten", "about 90 minutes"),
        (90 * 60, "etwa 2 Stunden", "about 2 hours"), (6 * 3600 + 900, "etwa 6 Stunden", "about 6 hours"),
        (50 * 3600, "etwa 2 Tage", "about 2 days"),
    ],
)  # fmt: skip
def test_an_end_is_no_more_exact_than_it_is_known(language: str, seconds: float, german: str, english: str) -> None:
    assert formats.about(seconds) == (german if language == "de" else english)


@pytest.mark.parametrize(
    ("seconds", "german"), [(0, "0 s"), (38.9, "38 s"), (51 * 60, "51 Min."), (7_500, "2 Std. 5 Min.")]
)
def test_what_it_took(app: Flask, seconds: float, german: str) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert formats.lasted(seconds) == german.replace(" ", NBSP)


def test_days_near_now_have_names(language: str) -> None:
    at = datetime.now(UTC)
    names = [formats.short_day(at + timedelta(days=days)) for days in (-1, 0, 1)]
    assert names == (["gestern", "heute", "morgen"] if language == "de" else ["yesterday", "today", "tomorrow"])
    assert formats.when(datetime(2026, 1, 9, 12, 30, tzinfo=UTC)) == (
        f"9. Januar 2026, 13:30{NBSP}Uhr" if language == "de" else "9 January 2026, 13:30"
    )


def test_a_moment_with_its_zone(language: str) -> None:
    shown = formats.with_zone(datetime(2026, 7, 9, 4, 12, tzinfo=UTC))
    assert shown == (f"9. Juli 2026, 06:12{NBSP}Uhr (MESZ)" if language == "de" else "9 July 2026, 06:12 (CEST)")


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Jana Petersen", "JP"), ("jana.petersen@nordhafen.example", "JP"), ("api:ordering system", "AS"), ("anna", "A"),
     ("", "?"), ("@", "?"), ("Dr. Ömer van Öz", "DÖ")],
)  # fmt: skip
def test_initials(name: str, letters: str) -> None:
    assert formats.initials(name) == letters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hilfe@a.example", '<a href="mailto:hilfe@a.example">hilfe@a.example</a>'),
        ("040 66969-120", '<a class="nowrap" href="tel:04066969120">040 66969-120</a>'),
        ("https://a.example/help", '<a href="https://a.example/help" rel="noreferrer">https://a.example/help</a>'),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ('<b onclick="x">', "&lt;b onclick=&#34;x&#34;&gt;"),
        ("Montag bis Freitag, 040 66969", "Montag bis Freitag, 040 66969"),
        ('"><script>@x', '<a href="mailto:&#34;&gt;&lt;script&gt;@x">&#34;&gt;&lt;script&gt;@x</a>'),
    ],
)
def test_how_the_hoster_is_reached_becomes_a_link_where_it_can(text: str, shown: str) -> None:
    assert str(contact(text)) == shown
