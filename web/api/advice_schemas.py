"""The API's values of a check: what the old server's doors show, and which way the mailbox goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from migrator.jobs.advising import AdviceReport
from migrator.jobs.probe import ProbeReport
from migrator.planning.advice import Note, Track, advice_text
from web.api.schemas import Endpoint, ErrorOut, Strict


class CheckIn(Strict):
    """An old server to look at. Nothing is stored, and nothing is changed there."""

    source: Endpoint
    fetches_by_pop3: Annotated[
        bool | None, Field(description="Whether a program of the customer's still fetches by POP3; null: not asked.")
    ] = None


class Door(BaseModel):
    """What one protocol's check saw. `octets`: null where the server does not say."""

    ok: bool
    host: str
    port: int
    messages: int
    folders: int
    octets: int | None
    tls: str
    error: ErrorOut | None


class NoteOut(BaseModel):
    """Something to ask, tell or beware of: a code that stays, and an English sentence."""

    code: Note
    text: str


class Checked(BaseModel):
    """Which way the mailbox goes. `imap`, `pop3`: null where that protocol was not tried."""

    track: Track
    text: str
    notes: list[NoteOut]
    imap: Door | None
    pop3: Door | None


def checked(report: AdviceReport) -> Checked:
    """As JSON has it."""
    return Checked(
        track=report.advice.track,
        text=advice_text(report.advice.track),
        notes=[NoteOut(code=note, text=advice_text(note)) for note in report.advice.notes],
        imap=_door(report, "imap"),
        pop3=_door(report, "pop3"),
    )


def _door(report: AdviceReport, protocol: str) -> Door | None:
    seen: ProbeReport | None = report.reports.get(protocol)
    if seen is None:
        return None
    end = report.ends[protocol]
    return Door(
        ok=seen.ok,
        host=end.host,
        port=end.port,
        messages=seen.messages,
        folders=seen.folders,
        octets=seen.octets,
        tls=seen.tls,
        error=ErrorOut(**seen.error.as_dict()) if seen.error else None,
    )
