"""One archive as its page shows it. Everything is read once; nothing is asked of the file itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import abort, url_for

from migrator.jobs import queries as job_queries
from migrator.jobs.keeping import queries
from migrator.jobs.keeping.views import ArchiveState, ArchiveView, PassView
from web import formats
from web.archives.listing import next_pass
from web.babel import gettext as _
from web.babel import ngettext
from web.jobs import results
from web.jobs.folders import Names
from web.services import services
from web.texts.archives import account_words
from web.texts.jobs import STATES, StateText
from web.texts.work import work
from web.typed import one_line

FIRST_POINTS: Final = 12
Fact = tuple[str, str, str]
"""Label, value, and what belongs to it in small letters."""


def wanted(archive_id: int) -> ArchiveView:
    """The archive, or 404."""
    found = queries.archive(services().db, archive_id)
    if found is None:
        abort(404)
    return found


def facts(archive: ArchiveView) -> list[Fact]:
    """What there is to know of it."""
    who, place, protocol = account_words(archive.account)
    rows = [(_("Old server"), place, _("%(who)s, by %(protocol)s", who=who, protocol=protocol))]
    if archive.latest is not None:
        kept = archive.latest.found - archive.latest.missing
        rows.append((_("Messages"), formats.number(kept), _folders(archive)))
    node = _("on the storage node %(node)s", node=archive.node)
    rows.append((_("File"), formats.size(archive.octets) if archive.octets else "–", node))
    if archive.points:
        oldest = archive.points[-1].ended_at if archive.passes == len(archive.points) else None
        since = _("the oldest of %(date)s", date=formats.day(oldest)) if oldest else ""
        rows.append((_("Points in time"), formats.number(archive.passes), since))
    made = formats.capital(formats.when(archive.created_at))
    rows.append((_("Created"), made, _("by %(name)s", name=archive.created_by) if archive.created_by else ""))
    if archive.destroyed_at is None:
        rows.append((_("Next pass"), next_pass(archive), rhythm(archive)))
        rows.append((_("Password"), *_password(archive)))
    return rows


def _folders(archive: ArchiveView) -> str:
    count = len(archive.folders)
    if not count:
        return ""
    return ngettext("in %(count)s folder", "in %(count)s folders", count, count=formats.number(count))


def _password(archive: ArchiveView) -> tuple[str, str]:
    if archive.credential_kept:
        return _("sealed"), _("of the old server, as long as passes come by themselves")
    return _("not kept"), _("of the old server: nothing comes by itself") if archive.every_hours is None else ""


def rhythm(archive: ArchiveView) -> str:
    """How often passes come by themselves, and between which hours."""
    if archive.every_hours is None:
        return ""
    every = ngettext("every hour", "every %(num)d hours", archive.every_hours)
    if archive.window is None:
        return every
    begin, end = (f"{hour:02d}:00" for hour in archive.window)
    return _("%(every)s, between %(begin)s and %(end)s", every=every, begin=begin, end=end)


def leaving(archive: ArchiveView) -> str:
    """What becomes of collected mail on a POP3 server."""
    if archive.leave_days is None:
        return _("stays on the old server")
    if archive.leave_days == 0:
        return _("is deleted on the old server at once")
    return ngettext(
        "is deleted on the old server %(num)d day after collection",
        "is deleted on the old server %(num)d days after collection",
        archive.leave_days,
    )


def prospects(archive: ArchiveView) -> dict[str, Any]:
    """When it would expire, or does, and the first day until which it can be kept longer."""
    days = services().settings.keep_archives_days
    earliest = (archive.closed_at or formats.now()) + timedelta(days=days)
    return {"days": days, "earliest": archive.expires_at or earliest, "first": formats.local(earliest).date()}


# ---- points in time, folders, jobs ---------------------------------------------------------------------------------


def moment(point: PassView) -> str:
    """A point in time as an address or a form names it."""
    return point.ended_at.isoformat()


def point_choices(archive: ArchiveView) -> list[tuple[str, str]]:
    """Value and words of every point in time, the latest first."""
    found = [(moment(point), _point_words(point)) for point in archive.points]
    return [("", _("the latest: %(when)s", when=found[0][1])), *found[1:]] if found else []


def _point_words(point: PassView) -> str:
    count = ngettext("%(count)s message", "%(count)s messages", point.found, count=formats.number(point.found))
    return f"{formats.when(point.ended_at)} ({count})"


def folder_choices(archive: ArchiveView) -> list[tuple[str, str]]:
    """Full name and what is shown, children indented below their parents."""
    names = Names((name, levels) for name, levels, _count in archive.folders)
    shown = []
    for name, levels, count in archive.folders:
        word, indent = names.line(name, levels)
        shown.append((name, f"{3 * indent * formats.THIN}{word} ({formats.number(count)})"))
    return shown


@dataclass(frozen=True, slots=True)
class JobWords:
    """One job of this archive, as far as the list of jobs knows it."""

    id: int
    address: str
    kind: str
    text: StateText | None
    at: datetime | None


def jobs(archive: ArchiveView) -> list[JobWords]:
    """The newest ones: two queries, however many there are; a job under another address is named by its number."""
    found, _following = job_queries.jobs(services().db, formats.now(), search=one_line(archive.address), limit=100)
    known = {job.id: job for job in found}
    lines = []
    for number in archive.jobs:
        job = known.get(number)
        address = url_for("jobs.show", job_id=number)
        if job is None:
            lines.append(JobWords(number, address, "", None, None))
        else:
            when = job.finished_at or job.started_at or job.created_at
            lines.append(JobWords(number, address, str(work(job).kind), STATES[job.state], when))
    return lines


def check(archive: ArchiveView) -> dict[str, Any]:
    """What the last check named."""
    return results.found(archive.check or {})


def is_living(archive: ArchiveView) -> bool:
    """Whether anything can be done with it."""
    return archive.state is not ArchiveState.DESTROYED
