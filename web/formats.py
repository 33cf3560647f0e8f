"""Numbers, sizes, dates and durations as the reader writes them. Percentages are rounded down (look.md)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from babel.dates import format_time as format_zone
from babel.numbers import format_decimal
from flask import Flask

from web.babel import format_date, format_time, get_locale, get_timezone, gettext, ngettext

_UNITS: Final = ("kB", "MB", "GB", "TB")
THIN: Final = "\N{NO-BREAK SPACE}"


def now() -> datetime:
    """The moment, aware."""
    return datetime.now(UTC)


def number(value: float) -> str:
    """43118 → 43.118"""
    return format_decimal(value, format="#,##0", locale=get_locale())


def decimal(value: float, places: int) -> str:
    """With that many places, rounded down."""
    shifted = math.floor(value * 10**places + 1e-9) / 10**places
    return format_decimal(shifted, format="#,##0." + "0" * places if places else "#,##0", locale=get_locale())


def percent(value: float) -> str:
    """72.46 → 72,4; whole where it is 0 or 100."""
    return decimal(value, 0 if value in (0, 100) else 1)


def whole(value: float) -> str:
    """72.9 → 72"""
    return decimal(value, 0)


def size(octets: float) -> str:
    """12345678901 → 12,3 GB. Steps of a thousand, as providers count."""
    value, unit = octets / 1000, _UNITS[0]
    for larger in _UNITS[1:]:
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    places = 1 if unit in ("GB", "TB") or 0 < value < 9.95 else 0
    text = format_decimal(value, format="#,##0.#" if places and unit != "GB" else ("#,##0.0" if places else "#,##0"),
                          locale=get_locale())  # fmt: skip
    return f"{text}{THIN}{unit}"


def rate(octets_per_second: float) -> str:
    """4100000 → 4,1 MB/s"""
    return size(octets_per_second) + "/s"


def per_second(messages: float) -> str:
    """13.7 → 14; below ten with one place."""
    return format_decimal(messages, format="#,##0.#" if messages < 10 else "#,##0", locale=get_locale())


def axis(value: float) -> str:
    """A number at an axis: no more places than it needs."""
    return format_decimal(value, format="#,##0.##", locale=get_locale())


# ---- how long ------------------------------------------------------------------------------------------------------


def about(seconds: float) -> str:
    """An honest end: no more exact than it is known."""
    minutes = round(seconds / 60)
    if seconds < 50:
        return gettext("less than a minute")
    if minutes < 90:
        known = max(1, minutes if minutes < 20 else round(minutes / 5) * 5)
        return ngettext("about %(num)d minute", "about %(num)d minutes", known)
    hours = round(seconds / 3600)
    if hours < 36:
        return ngettext("about %(num)d hour", "about %(num)d hours", hours)
    return ngettext("about %(num)d day", "about %(num)d days", round(seconds / 86_400))


def lasted(seconds: float) -> str:
    """38 → 38 s, 3060 → 51 min, 7500 → 2 h 5 min"""
    if seconds < 60:
        return gettext("%(count)s s", count=number(math.floor(seconds))).replace(" ", THIN)
    minutes = int(seconds // 60)
    if minutes < 60:
        return gettext("%(count)s min", count=number(minutes)).replace(" ", THIN)
    hours, minutes = divmod(minutes, 60)
    text = gettext("%(hours)s h %(minutes)s min", hours=number(hours), minutes=minutes)
    return text.replace(" ", THIN)


# ---- when ----------------------------------------------------------------------------------------------------------


def local(moment: datetime) -> datetime:
    """In the reader's zone."""
    return moment.astimezone(get_timezone())


def clock(moment: datetime) -> str:
    """13:21 Uhr"""
    return gettext("%(time)s", time=format_time(moment, "short")).replace(" ", THIN)


def clock_seconds(moment: datetime) -> str:
    """13:21:07 Uhr"""
    return gettext("%(time)s", time=format_time(moment, "medium")).replace(" ", THIN)


def bare_clock(moment: datetime) -> str:
    """13:21, for axes and columns."""
    return format_time(moment, "short").replace(" ", THIN)


def clocks(moments: Sequence[datetime]) -> list[str]:
    """Times at an axis: with seconds where minutes would not tell them apart."""
    bare = [bare_clock(moment) for moment in moments]
    if len(set(bare)) == len(bare):
        return bare
    return [format_time(moment, "HH:mm:ss") for moment in moments]


def day(moment: datetime) -> str:
    """26. November 2026"""
    return format_date(local(moment).date(), "long")


def long_day(moment: datetime) -> str:
    """Donnerstag, 26. November 2026"""
    return format_date(local(moment).date(), "full")


def short_day(moment: datetime) -> str:
    """today, yesterday or 26.11.2026"""
    return _named_day(local(moment).date()) or format_date(local(moment).date(), "medium")


def when(moment: datetime) -> str:
    """today, 13:21 Uhr"""
    named = _named_day(local(moment).date())
    return gettext("%(day)s, %(time)s", day=named or format_date(local(moment).date(), "long"), time=clock(moment))


def with_zone(moment: datetime) -> str:
    """7. Dezember 2026, 06:12 Uhr (MEZ)"""
    name = format_zone(moment, "zzz", tzinfo=get_timezone(), locale=get_locale())
    return f"{day(moment)}, {clock(moment)} ({name})"


def _named_day(that: date) -> str:
    today = local(now()).date()
    if that == today:
        return gettext("today")
    if that == today - timedelta(days=1):
        return gettext("yesterday")
    return gettext("tomorrow") if that == today + timedelta(days=1) else ""


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def initials(text: str) -> str:
    """Jana Petersen, or jana.petersen@nordhafen.example → JP"""
    words = re.split(r"[\s._-]+", text.partition("@")[0].strip())
    return "".join(word[0] for word in (words[:1] + words[1:][-1:]) if word).upper() or "?"


FILTERS: Final = (
    number, decimal, percent, whole, size, rate, per_second, about, lasted, clock, clock_seconds, bare_clock, day,
    long_day, short_day, when, with_zone, capital, initials,
)  # fmt: skip


def configure(app: Flask) -> None:
    """Every function above is a filter of the same name."""
    for function in FILTERS:
        app.add_template_filter(function)
    app.add_template_global(now, "now")
