"""The API's values of a check: what the old server's doors show, which way the mailbox goes, what will not fit."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from migrator.jobs.advising import AdviceReport
from migrator.jobs.fitting import finding_json, fitting
from migrator.jobs.orders import NewEndpoint
from migrator.jobs.probe import ProbeReport, preview, preview_json
from migrator.planning.advice import Note, Track, advice_text
from migrator.planning.limits import Code, Severity
from migrator.planning.mapping import MappingRules
from web.api.option_schemas import FolderOptions, Strict
from web.api.schemas import Endpoint, ErrorOut


class CheckIn(Strict):
    """An old server to look at, and the new one. Nothing is stored, and nothing is changed there."""

    source: Endpoint
    target: Annotated[
        Endpoint | None, Field(description="The new server: what will not fit there is found as well.")
    ] = None
    options: Annotated[
        FolderOptions, Field(default_factory=FolderOptions, description="Which folders would go along, and where to.")
    ]
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


class LargeOut(BaseModel):
    """A message of the old server, with its size in octets."""

    folder: str
    key: str
    size: int


class FindingOut(BaseModel):
    """Something that will not fit at the new server, or that should be looked at before a job is ordered.

    What `number` and `limit` count stands at each code. `wanted`: octets of a quota with which all fits, or null.
    `folder`: a source folder, or empty: all of them. `messages`, `folders`: up to twenty of those meant.
    """

    code: Code
    severity: Severity
    folder: str
    detail: str
    remedy: str
    number: int
    at_least: bool
    limit: int
    wanted: int | None
    messages: list[LargeOut]
    folders: list[str]


class MappedOut(BaseModel):
    """A folder of the old server, and where a copy would put it.

    `target`: null where it would stay behind; `reason`: the rule by which; `exists`: it is there already.
    """

    source: str
    target: str | None
    role: str | None
    reason: str
    messages: int | None
    exists: bool


class Checked(BaseModel):
    """Which way the mailbox goes, where its folders go, and what will not fit.

    `imap`, `pop3`, `target`: null where that was not tried; `mapping` is empty unless both ends opened.
    """

    track: Track
    text: str
    notes: list[NoteOut]
    imap: Door | None
    pop3: Door | None
    target: Door | None
    mapping: list[MappedOut]
    findings: list[FindingOut]


def checked(
    report: AdviceReport,
    source: NewEndpoint,
    target: NewEndpoint | None,
    *,
    new: ProbeReport | None,
    rules: MappingRules,
    carried: int,
) -> Checked:
    """As JSON has it. `new`: what the target has shown, where one was given; `carried`: octets that are there.

    Raises UsageError for a rule that names no folder.
    """
    hosts = source.host, target.host if target is not None else ""
    there = new if new is not None and new.ok else None
    found = fitting(report.given, there, rules, hosts=hosts, carried=carried) if report.given.ok else ()
    rows = preview(report.given, there, rules) if report.given.ok and there is not None else ()
    return Checked(
        track=report.advice.track,
        text=advice_text(report.advice.track),
        notes=[NoteOut(code=note, text=advice_text(note)) for note in report.advice.notes],
        imap=_of(report, "imap"),
        pop3=_of(report, "pop3"),
        target=_door(new, target.host, target.port) if target is not None and new is not None else None,
        mapping=[MappedOut(**preview_json(row)) for row in rows],
        findings=[FindingOut(**finding_json(one)) for one in found],
    )


def _of(report: AdviceReport, protocol: str) -> Door | None:
    seen = report.reports.get(protocol)
    return None if seen is None else _door(seen, report.ends[protocol].host, report.ends[protocol].port)


def _door(seen: ProbeReport, host: str, port: int) -> Door:
    return Door(
        ok=seen.ok,
        host=host,
        port=port,
        messages=seen.messages,
        folders=seen.folders,
        octets=seen.octets,
        tls=seen.tls,
        error=ErrorOut(**seen.error.as_dict()) if seen.error else None,
    )
