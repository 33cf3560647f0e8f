"""Which way a mailbox goes, as the form shows it after the old server was tested.

What was seen is kept in the form, signed: answering the question about POP3 costs no second login, for providers lock
accounts that log in too often.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from migrator.jobs.advising import AdviceReport, door_of
from migrator.planning.advice import NOT_TRIED, Door, Note, Track, advise
from web import formats
from web.babel import gettext as _
from web.babel import ngettext
from web.jobs.forms import EndForm
from web.texts.advice import NOTES, TRACKS, WARNINGS

ANSWERS: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Advised:
    """The advice in words. `kept` goes into the form."""

    meaning: str
    title: str
    body: str
    doors: tuple[tuple[str, str], ...]
    """Protocol, and what was seen there."""
    notes: tuple[tuple[str, str], ...]
    """Meaning and sentence."""
    answer: str
    kept: str
    asks: bool


def sign(form: EndForm, report: AdviceReport) -> str:
    """What both doors have shown, for a hidden field."""
    doors = {protocol: astuple(door_of(found)) for protocol, found in report.reports.items()}
    return str(_signer().dumps([form.who, doors]))


def read(form: EndForm, kept: str, answer: str) -> Advised | None:
    """The advice for what was seen, under this answer (`yes`, `no`, or empty: nobody asked yet)."""
    try:
        who, doors = _signer().loads(kept)
    except BadData:
        return None
    if who != form.who:
        return None
    imap, pop3 = (Door(*doors[name]) if name in doors else NOT_TRIED for name in ("imap", "pop3"))
    advice = advise(imap, pop3, ANSWERS.get(answer))
    title, body = TRACKS[advice.track]
    return Advised(
        meaning="needs" if advice.track is Track.UNKNOWN else "working",
        title=str(title),
        body=str(body),
        doors=(("IMAP", _seen(imap)), ("POP3", _seen(pop3))),
        notes=tuple(
            ("needs" if note in WARNINGS else "idle", str(NOTES[note]))
            for note in advice.notes
            if note is not Note.ASK_ABOUT_POP3
        ),
        answer=answer if answer in ANSWERS else "",
        kept=kept,
        asks=advice.track is not Track.UNKNOWN,
    )


def _seen(door: Door) -> str:
    if not door.tried:
        return _("not tried")
    if not door.ok:
        return _("cannot be opened")
    if door.inbox is None:
        return _("opens")
    inbox = ngettext(
        "%(count)s message in the inbox",
        "%(count)s messages in the inbox",
        door.inbox,
        count=formats.number(door.inbox),
    )
    if not door.elsewhere:
        return inbox
    more = ngettext("%(count)s more folder with mail", "%(count)s more folders with mail", door.elsewhere,
                    count=formats.number(door.elsewhere))  # fmt: skip
    return f"{inbox}, {more}"


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="doors of an old server")
