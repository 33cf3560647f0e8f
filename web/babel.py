"""flask-babel's names, imported here only: it is published without types."""

from flask_babel import (  # type: ignore[import-untyped]  # published without types
    Babel,
    LazyString,
    format_date,
    format_time,
    get_locale,
    get_timezone,
    gettext,
    lazy_gettext,
    lazy_pgettext,
    ngettext,
    pgettext,
)

__all__ = [
    "Babel",
    "LazyString",
    "format_date",
    "format_time",
    "get_locale",
    "get_timezone",
    "gettext",
    "lazy_gettext",
    "lazy_pgettext",
    "ngettext",
    "pgettext",
]
