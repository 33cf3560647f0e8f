"""Which language, region and time zone the reader has."""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import tzinfo
from typing import Final
from urllib.parse import urlencode

from babel.dates import LOCALTZ
from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from migrator.settings import Settings
from web.babel import Babel, get_locale
from web.security import is_https, readable_path

LANGUAGES: Final = {"de": "Deutsch", "en": "English"}
_REGION: Final = {"de": "de_DE", "en": "en_GB"}
_TAG: Final = re.compile(r"([a-z]{2})-([A-Z]{2})")
_YEAR: Final = 365 * 24 * 3600


def configure(app: Flask, settings: Settings) -> None:
    """German and English; the browser decides until somebody uses the switch."""
    app.config["LANGUAGE_COOKIE_SECURE"] = is_https(settings)
    Babel(app, locale_selector=locale, timezone_selector=zone, default_translation_directories="translations")
    app.before_request(_switch)
    app.context_processor(lambda: {"language": language(), "other_languages": _others, "switch_to": _switch_to})


def language() -> str:
    """`de` or `en`."""
    chosen = request.cookies.get("lang", "")
    wanted = [chosen, *(tag.partition("-")[0].lower() for tag in request.accept_languages.values())]
    return next((tag for tag in wanted if tag in LANGUAGES), "en")


def locale() -> str:
    """The language with the reader's region: it decides how numbers and dates look."""
    wanted = language()
    for tag in request.accept_languages.values():
        found = _TAG.fullmatch(tag)
        if found and found.group(1) == wanted and tag.replace("-", "_") in _regions(wanted):
            return tag.replace("-", "_")
    return _REGION[wanted]


def zone() -> tzinfo:
    """The reader's time zone as app.js told it by a cookie; until then this machine's."""
    name = request.cookies.get("tz", "")
    return zoneinfo.ZoneInfo(name) if name in _zones() else LOCALTZ


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@functools.cache
def _regions(wanted: str) -> frozenset[str]:
    from babel.localedata import locale_identifiers

    return frozenset(name for name in locale_identifiers() if name.startswith(f"{wanted}_"))


def _others() -> list[tuple[str, str]]:
    here = str(get_locale())[:2]
    return [(code, name) for code, name in LANGUAGES.items() if code != here]


def _switch_to(code: str) -> str:
    """This page in another language."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return f"{readable_path()}?{urlencode([*kept, ('lang', code)])}"


def _switch() -> Response | None:
    """`?lang=en` on any page keeps the choice and shows the page again, at its own address."""
    chosen = request.args.get("lang")
    if request.method != "GET" or chosen not in LANGUAGES or request.blueprint == "api":
        return None
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    path = "/" + request.path.lstrip("/\\")
    answer = redirect(f"{path}?{urlencode(kept)}" if kept else path, 303)
    secure = is_https_cookie()
    answer.set_cookie("lang", chosen, max_age=_YEAR, samesite="Lax", secure=secure, httponly=True)
    return answer


def is_https_cookie() -> bool:
    """Whether cookies may only travel by TLS."""
    from flask import current_app

    return bool(current_app.config["LANGUAGE_COOKIE_SECURE"])
