"""Rows of archives, inside the caller's transaction."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session

from migrator.db.models import Archive, ArchivePass, Endpoint, Job, Worker
from migrator.errors import Remedy, UsageError
from migrator.jobs.keeping.views import recorded
from migrator.jobs.orders import Invalid, Keeping
from migrator.jobs.states import ENDED, JobKind, JobState
from migrator.planning.passes import Rhythm, next_pass
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.db.vault import Vault

_KEY_OCTETS: Final = 32
_GOLDEN: Final = 0.6180339887
"""Spreads archives evenly over a window, however many there are."""
NODE_SILENCE: Final = timedelta(minutes=2)
"""A storage node whose workers have been silent for so long gets no new archive."""


class NoSuchArchive(UsageError):
    """There is no archive of this number."""

    code: ClassVar[str] = "not_found"
    hint: ClassVar[str] = "`postwagen archives list` shows all of them."


class ArchiveDestroyed(UsageError):
    """The archive's key is destroyed: nobody can read it any more."""

    code: ClassVar[str] = "archive_destroyed"
    hint: ClassVar[str] = "Its proof of destruction says when and why. Another pass makes a new archive."


class ArchiveBusy(UsageError):
    """A worker reads or writes the archive now."""

    code: ClassVar[str] = "archive_busy"
    remedy: ClassVar[Remedy] = Remedy.LATER
    exit_code: ClassVar[int] = 5
    hint: ClassVar[str] = "Pause or cancel the job first, or wait until it has ended."


class OnlyCopy(UsageError):
    """Mail of this archive may lie nowhere else."""

    code: ClassVar[str] = "only_copy"
    hint: ClassVar[str] = "Play all of it in first. Nothing was destroyed."


class StillOpen(UsageError):
    """The archive's transfer is open, so that there is no date to change."""

    code: ClassVar[str] = "still_open"
    hint: ClassVar[str] = "`postwagen archives close ID --until DATE` closes it and says until when it is kept."


def key_context(archive_id: int) -> str:
    """What a wrapped key is bound to."""
    return f"archive {archive_id} key"


def locked(session: Session, archive_id: int) -> Archive:
    """The row, until the transaction ends. Raises NoSuchArchive."""
    found = session.scalar(select(Archive).where(Archive.id == archive_id).with_for_update())
    if found is None:
        raise NoSuchArchive(f"There is no archive {archive_id}.")
    return found


def living(session: Session, archive_id: int) -> Archive:
    """Like `locked`, for one whose key is there. Raises NoSuchArchive, ArchiveDestroyed."""
    found = locked(session, archive_id)
    if found.destroyed_at is not None:
        raise ArchiveDestroyed(f"The archive {archive_id} was destroyed on {found.destroyed_at:%Y-%m-%d}.")
    return found


def of_account(
    session: Session, vault: Vault, settings: Settings, account: str, address: str, by: str, now: datetime
) -> Archive:
    """The living archive of an account; made, with a key of its own, where there is none."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"archive {account}", 0))))
    found = session.scalar(select(Archive).where(Archive.account == account, Archive.destroyed_at.is_(None)))
    if found is not None:
        return found
    made = Archive(
        account=account,
        address=address,
        node=_roomiest(session, settings, now),
        file=f"{secrets.token_hex(16)}.pwa",
        created_at=now,
        created_by=by,
    )
    session.add(made)
    session.flush()
    made.sealed_key = vault.seal(base64.b64encode(secrets.token_bytes(_KEY_OCTETS)).decode(), key_context(made.id))
    return made


def end_of(session: Session, archive: Archive) -> Endpoint:
    """A job's end that is this archive."""
    row = Endpoint(protocol="archive", host="", port=0, security="none", user=archive.address, archive_id=archive.id)
    session.add(row)
    session.flush()
    return row


def route(archive: Archive) -> str:
    """The mailbox of all jobs that fill or look after an archive."""
    return f"{archive.account} -> archive:{archive.id}"


def refuse_closed(archive: Archive) -> None:
    """Raises Invalid where the archive's transfer is closed: no pass comes into it any more."""
    if archive.closed_at is not None:
        raise Invalid([("every_hours", "closed", "The transfer of this archive is closed.")])


def kept(archive: Archive) -> Keeping:
    """What comes by itself now."""
    window = None
    if archive.window_from is not None and archive.window_until is not None:
        window = archive.window_from, archive.window_until
    return Keeping(archive.every_hours, window, archive.leave_days, recorded(archive.leave_wish)[0])


def keep(
    session: Session, archive: Archive, wanted: Keeping, source_id: int, by: str, settings: Settings, now: datetime
) -> None:
    """Let passes, or removals at the old server, come by themselves; the password of this old end stays for them.

    Raises Invalid where the archive's transfer is closed.
    """
    refuse_closed(archive)
    _release(session, archive, unless=source_id)
    archive.source_id = source_id
    archive.every_hours = wanted.every_hours
    archive.window_from, archive.window_until = wanted.window or (None, None)
    archive.leave_days = wanted.leave_days
    archive.leave_wish = _recorded(archive.leave_wish, wanted.leave_wish, by, now)
    archive.next_removal_at = now if wanted.leave_days is not None else None
    archive.next_pass_at = None
    if wanted.every_hours is not None:
        plan_next_pass(archive, settings, now)


def _recorded(known: str, wish: str, by: str, now: datetime) -> str:
    """The wish with who recorded it, and when; the same wish again keeps its first record."""
    if not wish or known == wish or known.startswith(f"{wish} (recorded by "):
        return known if wish else ""
    return f"{wish} (recorded by {by}, {now:%Y-%m-%d %H:%M} UTC)"


def stop_keeping(session: Session, archive: Archive) -> None:
    """Nothing comes by itself any more; the old end's password is wiped unless a job that is under way needs it."""
    _release(session, archive)
    archive.source_id = archive.every_hours = archive.window_from = archive.window_until = None
    archive.next_pass_at = archive.next_removal_at = archive.leave_days = None
    archive.leave_wish = ""


def plan_next_pass(archive: Archive, settings: Settings, now: datetime) -> None:
    """When the next pass begins, counted from now."""
    if archive.every_hours is None:
        return
    rhythm = Rhythm(timedelta(hours=archive.every_hours), kept(archive).window)
    zone = ZoneInfo(settings.time_zone) if settings.time_zone else now.astimezone().tzinfo or UTC
    archive.next_pass_at = next_pass(rhythm, now, zone, archive.id * _GOLDEN % 1.0)


def last_pass(session: Session, archive: Archive) -> Job | None:
    """The last pass that was ordered: later ones have its old end and its options."""
    ends = select(Endpoint.id).where(Endpoint.archive_id == archive.id)
    found = select(Job).where(Job.kind == JobKind.ARCHIVE, Job.target_id.in_(ends))
    return session.scalar(found.order_by(Job.id.desc()).limit(1))


def latest_pass(session: Session, archive_id: int) -> int:
    """The number of the latest complete pass that was recorded; 0: none."""
    return session.scalar(select(func.max(ArchivePass.number)).where(ArchivePass.archive_id == archive_id)) or 0


def _release(session: Session, archive: Archive, *, unless: int | None = None) -> None:
    if archive.source_id is None or archive.source_id == unless:
        return
    needed = select(Job.id).where(Job.source_id == archive.source_id, Job.state.not_in(ENDED))
    if session.scalar(needed.limit(1)) is None:
        session.execute(
            update(Endpoint)
            .where(Endpoint.id == archive.source_id, Endpoint.credential.is_not(None))
            .values(credential=None, credential_wiped_at=datetime.now(UTC))
        )


def unfinished(session: Session, archive_id: int) -> list[Job]:
    """Jobs with this archive as an end that may still do something."""
    ends = select(Endpoint.id).where(Endpoint.archive_id == archive_id)
    waiting = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED, JobState.BLOCKED)
    found = select(Job).where(Job.state.in_(waiting), Job.source_id.in_(ends) | Job.target_id.in_(ends))
    return list(session.scalars(found.order_by(Job.id).with_for_update()))


def is_only_copy(session: Session, archive: Archive) -> bool:
    """Whether mail was deleted at the old server by wish, and not all of it was played in anywhere since.

    Such an archive never expires by itself: it may hold the only copy.
    """
    ends = select(Endpoint.id).where(Endpoint.archive_id == archive.id)
    removals = select(Job.result, Job.started_at).where(Job.kind == JobKind.REMOVE, Job.target_id.in_(ends))
    if not _may_have_deleted([(result, began) for result, began in session.execute(removals.order_by(Job.id))]):
        return False
    last = select(func.max(ArchivePass.ended_at)).where(ArchivePass.archive_id == archive.id).scalar_subquery()
    played = select(Job.options).where(
        Job.kind == JobKind.PLAY_IN, Job.source_id.in_(ends), Job.state == JobState.SUCCEEDED, Job.finished_at >= last
    )
    return all(_PARTLY & options.keys() for options in session.scalars(played))


def _may_have_deleted(removals: Sequence[tuple[dict[str, Any] | None, datetime | None]]) -> bool:
    """Of an archive's removals, the oldest first: result, and when a worker first took it.

    One that was begun and left no result may have deleted anything, unless a later one found nothing noted in the
    archive, where all that was ever asked for stands (`archive.held`).
    """
    unknown = False
    for result, began in removals:
        if result is None:
            unknown = unknown or began is not None
        elif result.get("noted") or result.get("removed") or result.get("unknown"):
            return True
        elif "noted" in result:
            unknown = False
    return unknown


_PARTLY: Final = frozenset({"at", "messages", "include", "exclude", "max_octets", "dry_run"})
"""Options with which a play-in does not carry everything."""


def kept_sources() -> Select[int | None]:
    """Ids of old ends whose passwords stay although their jobs have ended: passes or removals are to come."""
    return select(Archive.source_id).where(Archive.source_id.is_not(None))


def node_of_job() -> ColumnElement[str]:
    """For a query of jobs: the storage node that its archive lies on, or empty."""
    node = (
        select(Archive.node)
        .join(Endpoint, Endpoint.archive_id == Archive.id)
        .where(Endpoint.id.in_((Job.source_id, Job.target_id)))
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
    return func.coalesce(node, "")


def _roomiest(session: Session, settings: Settings, now: datetime) -> str:
    """The storage node with the most room among those whose workers live; else this machine."""
    found = session.scalar(
        select(Worker.node)
        .where(Worker.seen_at > now - NODE_SILENCE, Worker.free_octets.is_not(None), Worker.node != "")
        .order_by(Worker.free_octets.desc(), Worker.node)
        .limit(1)
    )
    return found or settings.node
