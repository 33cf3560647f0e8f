"""One job as the page shows it: what each piece needs, in the reader's words. Nothing is asked of the database here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from migrator.jobs.states import ENDED, JobEvent, JobKind, JobState, after
from migrator.jobs.views import EndpointView, EventView, JobLine, JobView
from web import formats
from web.babel import gettext as _
from web.babel import ngettext
from web.jobs.folders import names_of
from web.texts.errors import error_text, shown_host
from web.texts.failures import DIFFERENCES, rule_text, target_reason, warning_line, warning_text
from web.texts.jobs import BY_PEOPLE, ROLES, event_text
from web.texts.providers import login_text
from web.texts.work import COMPARED, is_countless, is_rehearsal, parts, promise, work

_EVENTS: Final = (JobEvent.PAUSE, JobEvent.RESUME, JobEvent.RETRY, JobEvent.CANCEL)
_OVER: Final = frozenset({*ENDED, JobState.INCOMPLETE, JobState.FAILED})
_AT_THE_OLD_SERVER: Final = frozenset({JobKind.COPY, JobKind.ARCHIVE})
"""Kinds of work whose mail lies on the old server, as the texts of errors say."""
_MOST_DIFFERENCES: Final = 100
_LIVE: Final = {JobState.RUNNING: 2, JobState.QUEUED: 4, JobState.PAUSED: 20, JobState.BLOCKED: 20}


def seconds_between_polls(job: JobLine) -> int:
    """How often the page asks; 0 when the job has ended and nothing will change by itself."""
    return 2 if job.wish else _LIVE.get(job.state, 0)


def actions(job: JobLine) -> frozenset[str]:
    """What may be asked of the job now."""
    if job.state is JobState.RUNNING and job.wish:
        return frozenset({"resume", "cancel"} if job.wish == "pause" else ())
    return frozenset(str(event) for event in _EVENTS if after(job.state, event) is not None)


# ---- progress ------------------------------------------------------------------------------------------------------


def bars(job: JobView) -> list[tuple[str, float, float]]:
    """The split bar: as long as the percentage says, divided like the sum; nothing that exists vanishes."""
    left, shown = 0.0, [(meaning, number) for meaning, _word, number in parts(job) if meaning != "rest"]
    whole = sum(number for _, number in shown)
    if not whole:
        return []
    scale = job.percent * 10 / whole
    found: list[tuple[str, float, float]] = []
    for meaning, number in shown:
        if number:
            width = round(max(number * scale, 3.0), 1)
            found.append((meaning, round(left, 1), width))
            left += width
    return found


def figures(job: JobView, now: datetime) -> list[tuple[str, str, str]]:
    """Label, value, and what belongs to it in small letters."""
    rows = [_time_left(job, now)] if job.state not in _OVER else []
    rows += _amount(job)
    if job.state is JobState.RUNNING and job.started_at:
        rows.append((_("Running for"), formats.lasted((now - job.started_at).total_seconds()), ""))
    elif job.state is not JobState.RUNNING and job.working_seconds >= 1:
        rows.append((_("Time at work"), formats.lasted(job.working_seconds), ""))
    if job.finished_at:
        rows.append((_("Finished"), formats.capital(formats.when(job.finished_at)), ""))
    return rows


def _amount(job: JobView) -> list[tuple[str, str, str]]:
    """Size and speed; where nothing is carried, only how much there is."""
    if is_countless(job):
        return []
    if job.kind is JobKind.VERIFY or is_rehearsal(job):
        octets = sum(folder.octets_found for folder in job.folders if folder.state != "excluded")
        return [(_("Size"), formats.size(octets), "")] if octets else []
    of = _("of %(size)s", size=formats.size(job.octets_found)) if job.octets_found > job.octets else ""
    rows = [(_("Size"), formats.size(job.octets) if job.counts.found else "–", of)]
    if job.state is JobState.RUNNING:
        rows.append(_speed(job.octets_per_second, job.messages_per_second))
    elif job.working_seconds >= 1:
        rows.append(_speed(job.octets / job.working_seconds, job.counts.copied / job.working_seconds))
    return rows


def _time_left(job: JobLine, now: datetime) -> tuple[str, str, str]:
    label = _("Remaining")
    if job.state is JobState.RUNNING:
        if job.eta_seconds is not None:
            end = formats.clock(now + timedelta(seconds=job.eta_seconds))
            return label, _("%(about)s left", about=formats.about(job.eta_seconds)), _("until %(time)s", time=end)
        if is_countless(job):
            return label, _("not known yet"), ""
        return label, _("not known yet") if job.counts.found else _("is being counted"), ""
    if job.state is JobState.QUEUED:
        if job.waiting_until:
            return label, _("continues at %(time)s", time=formats.clock(job.waiting_until)), ""
        return label, _("waits for a worker"), ""
    if job.state is JobState.PAUSED:
        return label, _("paused"), _("until you resume it")
    return label, _("waits for you"), ""


def _speed(octets: float, messages: float) -> tuple[str, str, str]:
    return _("Speed"), formats.rate(octets), _("%(count)s messages/s", count=formats.per_second(messages))


# ---- error card ----------------------------------------------------------------------------------------------------


def error_card(job: JobView) -> dict[str, Any]:
    """What the card says; empty where there is no error to show."""
    error = job.error
    if not error or job.state in (JobState.SUCCEEDED, JobState.CANCELLED, JobState.PAUSED):
        return {"error": None, "meaning": "idle"}
    text = error_text(str(error.get("code", "")))
    host = shown_host(error, job.source_host, job.target_host)
    waits = job.state in (JobState.QUEUED, JobState.RUNNING)
    return {
        "error": error,
        "meaning": "working" if waits else (text.meaning if text.meaning != "working" else "needs"),
        "title": str(text.title) % {"host": host},
        "body": login_text(str(error.get("code", "")), host) or text.body,
        "next": _next(job),
        "safe": text.safe if job.kind in _AT_THE_OLD_SERVER and not is_rehearsal(job) else promise(job),
        "helps": text.helps if all_passwords(job) or "password" in text.helps else ("password",),
        "password_ends": password_ends(job),
        "can_retry": "retry" in actions(job),
        "tech": technical(error, job.source, job.target),
    }


def _next(job: JobView) -> str:
    """What happens by itself, and what does not."""
    if job.state is JobState.QUEUED and job.waiting_until:
        return _("The job continues by itself at %(time)s.", time=formats.clock(job.waiting_until))
    text = error_text(str((job.error or {}).get("code", "")))
    if job.state is JobState.BLOCKED and text.meaning == "working":
        return _("That happened several times in a row, so the job waits for you.")
    if job.state is JobState.BLOCKED and "password" in text.helps:
        return _("With the right password the job continues where it stopped.")
    return ""


def all_passwords(job: JobView) -> bool:
    """Whether the job could go on without anybody typing a password."""
    return all(endpoint.credential_stored for _end, endpoint in _logged_in_to(job))


def _logged_in_to(job: JobView) -> list[tuple[str, EndpointView]]:
    """What comes out of quarantine needs no old server."""
    ends = [("target", job.target)]
    return ends if job.options.get("from_quarantine") else [("source", job.source), *ends]


def password_ends(job: JobView) -> list[tuple[str, str]]:
    """Which passwords are asked for: those that were wiped, and the one that was refused."""
    wrong = str((job.error or {}).get("end", ""))
    ends = []
    for end, endpoint in _logged_in_to(job):
        if not endpoint.credential_stored or wrong in (end, ""):
            ends.append((end, _("Password of %(user)s at %(host)s", user=endpoint.user, host=endpoint.host)))
    return ends


def technical(error: Mapping[str, Any], source: EndpointView, target: EndpointView) -> str:
    """Code, server and the other side's own words."""
    end = {"source": source, "target": target}.get(str(error.get("end", "")))
    first = f"{end.host}:{end.port}" if end else ""
    lines = [" ".join(part for part in (str(error.get("code", "")), first) if part)]
    lines += [str(error[key]) for key in ("message", "detail") if error.get(key)]
    return "\n".join(lines)


def headline(job: JobLine) -> str:
    """The error of a job in one line, for the list."""
    error = job.error or {}
    return str(error_text(str(error.get("code", ""))).title) % {
        "host": shown_host(error, job.source_host, job.target_host)
    }


# ---- what else there is to know ------------------------------------------------------------------------------------


def notes(job: JobView) -> list[tuple[str, str, list[str]]]:
    """Warnings and what was skipped, by rule: icon, title, lines."""
    names = names_of(job)
    found: list[tuple[str, str, list[str]]] = []
    for code, group in itertools.groupby(sorted(job.warnings, key=lambda one: one.code), lambda one: one.code):
        lines = [warning_line(one.code, names.whole(one.folder), one.detail) for one in group]
        found.append(("needs", str(warning_text(code)), [line for line in lines if line][:5]))
    rules: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for skip in job.skips:
        rules.setdefault(skip.rule, [])
        numbers[skip.rule] = numbers.get(skip.rule, 0) + skip.count
        if skip.folder not in rules[skip.rule]:
            rules[skip.rule].append(skip.folder)
    for rule, folders in rules.items():
        title = _("%(count)s skipped: %(rule)s", count=formats.number(numbers[rule]), rule=rule_text(rule))
        found.append(("skip", title, [", ".join(map(names.whole, folders[:8]))]))
    return found


def proof(job: JobView) -> dict[str, Any]:
    """What a comparison found; empty where nothing was compared."""
    result = job.result or {}
    if job.kind is not JobKind.VERIFY or "proven" not in result:
        return {"result": None}
    names = names_of(job)
    found = [
        (DIFFERENCES.get(one["kind"], one["kind"]), names.whole(one["folder"]), one)
        for one in result.get("discrepancies", ())[:_MOST_DIFFERENCES]
    ]
    return {
        "result": result,
        "differences": found,
        "total": int(result.get("discrepancies_total", len(found))),
        "compared": COMPARED.get(str(job.options.get("level")), COMPARED["digests"]),
    }


def connection_facts(job: JobView) -> list[tuple[str, str, str]]:
    """Both ends, options, passwords."""
    rows = [
        (_("Old"), f"{job.source.host}:{job.source.port}", _end_note(job.source)),
        (_("New"), f"{job.target.host}:{job.target.port}", _end_note(job.target)),
    ]
    rows = [row for row, end in zip(rows, (job.source, job.target), strict=True) if end.archive_id is None]
    rows += chosen(job)
    dropped = sum(folder.dropped_flags for folder in job.folders)
    if dropped:
        rows.append((_("Keywords"), _("%(count)s not taken over", count=formats.number(dropped)), ""))
    limit = job.options.get("max_octets")
    if isinstance(limit, int):
        rows.append((_("Largest message"), formats.size(limit), ""))
    if job.options.get("under"):
        rows.append((_("Below the folder"), str(job.options["under"]), ""))
    if not is_countless(job) or job.source.archive_id is None:
        rows.append((_("Passwords"), *_password_fact(job)))
    return rows


def person(actor: str) -> str:
    """Who did it; what came by itself says so."""
    return _("by itself") if actor == "schedule" else actor


def archive_of(job: JobView) -> int | None:
    """The archive that is an end of this job."""
    return job.source.archive_id or job.target.archive_id


def chosen(job: JobView) -> list[tuple[str, str, str]]:
    """What of the source is meant: quarantine, point in time, folders; who wants things deleted."""
    options, rows = job.options, []
    if options.get("from_quarantine"):
        rows.append((_("From"), _("quarantine"), _("the old server is not asked")))
    if options.get("at"):
        rows.append((_("Point in time"), formats.when(datetime.fromisoformat(str(options["at"]))), ""))
    if options.get("include") and job.source.archive_id is not None:
        rows.append((_("Folder"), plain_glob(str(options["include"][0])), ""))
    if options.get("restore"):
        rows.append((_("Deleted since"), _("is played in again"), ""))
    if "after_days" in options:
        rows.append((_("Deletion"), days_text(int(options["after_days"])), str(options.get("wish", ""))))
    return rows


def plain_glob(glob: str) -> str:
    """A pattern as the name that it was made of."""
    return re.sub(r"\[([*?[])\]", r"\1", glob)


def days_text(days: int) -> str:
    """So long after collection."""
    return ngettext("after %(num)d day", "after %(num)d days", days) if days else _("at once")


def _end_note(end: EndpointView) -> str:
    secured = {"tls": "TLS", "starttls": "STARTTLS"}.get(end.security) or _("clear text, not encrypted")
    if end.protocol == "pop3":
        secured = f"POP3, {secured}"
    extra = [_("certificate pinned")] if end.fingerprint else []
    extra += [_("own authority")] if end.has_ca else []
    return ", ".join([secured, *extra, *([_("address %(address)s", address=end.address)] if end.address else [])])


def _password_fact(job: JobView) -> tuple[str, str]:
    if all_passwords(job):
        kept = job.kind in (JobKind.ARCHIVE, JobKind.REMOVE)
        return _("sealed"), _("as long as passes come by themselves") if kept and job.state in ENDED else _(
            "wiped when the job has ended"
        )
    wiped = [end.credential_wiped_at for end in (job.source, job.target) if end.credential_wiped_at]
    return _("wiped"), formats.capital(formats.when(max(wiped))) if wiped else ""


# ---- history -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of the history."""

    at: datetime
    meaning: str
    icon: str
    text: str
    note: str


def history(job: JobView) -> list[tuple[str, list[HistoryLine]]]:
    """Newest first, by day."""
    days = itertools.groupby(job.events, lambda event: formats.local(event.at).date())
    return [(formats.short_day(lines[0].at), lines) for lines in (_lines(job, group) for _, group in days)]


def _lines(job: JobView, events: Any) -> list[HistoryLine]:
    return [_line(job, event) for event in events]


def _line(job: JobView, event: EventView) -> HistoryLine:
    meaning, icon, text = event_text(event.name)
    text = str(work(job).events.get(event.name, text))
    note = person(event.actor) if event.name in BY_PEOPLE else ""
    code = event.fields.get("error")
    if code:
        error = job.error if job.error and job.error.get("code") == code else {}
        note = str(error_text(str(code)).title) % {"host": shown_host(error, job.source_host, job.target_host)}
    return HistoryLine(at=event.at, meaning=meaning, icon=icon, text=text, note=note)


def why(reason: str, role: str | None) -> str:
    """Why a folder goes where it goes."""
    if reason == "role" and role:
        return _("Use: %(role)s", role=ROLES.get(role, role))
    return str(target_reason(reason))
