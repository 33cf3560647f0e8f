"""The ledger in the database: one commit per step, under the job's fence (`ports.Ledger`).

A step locks the job's row by writing to it under the fence: whoever lost the lease cannot write one octet more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session, aliased

from migrator.db.bulk import Bulk
from migrator.db.models import Folder, Job, JobDifference, JobFolder, JobSample, JobWarning, LedgerEntry
from migrator.db.pairs import SqlPairLedger
from migrator.db.store import Database
from migrator.errors import Fenced
from migrator.mail.folders import FolderInfo
from migrator.ports import Carried, Difference, FolderPair, Stand

SAMPLE_SECONDS = 2.0
_JOBS = cast("Table", Job.__table__)
_HOLD = Bulk(
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("job"), _JOBS.c.fence == bindparam("held"))
    .values(fence=bindparam("held"))
)
"""It is run with every step."""
DIFFERENCES_AT_ONCE = 1_000
REASON = 40
"""So long a reason may be (PostgreSQL refuses longer ones)."""


class SqlLedger:
    """Fulfils `ports.Ledger` for one job that holds the lease with this fence."""

    def __init__(self, db: Database, *, job_id: int, mailbox_id: int, fence: int) -> None:
        self._db = db
        self.job_id = job_id
        self.mailbox_id = mailbox_id
        self._fence = fence
        self._sampled: datetime | None = None
        self._pairs: dict[tuple[str, str], SqlPairLedger] = {}
        """By source and target folder: those that the database knows, and shows as these."""
        self._done: frozenset[str] = frozenset()
        self._joint = threading.local()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction under the fence; or that of `joint`, in the same thread."""
        joint: Session | None = getattr(self._joint, "session", None)
        if joint is not None:
            yield joint
            return
        with self._db.writing() as session:
            self.under_fence(session)
            yield session

    @contextmanager
    def joint(self) -> Iterator[None]:
        """ONE commit of all that this thread writes in the block."""
        with self.writing() as session:
            self._joint.session = session
            try:
                yield
            finally:
                self._joint.session = None

    def under_fence(self, session: Session) -> None:
        """Lock the job's row; Fenced if somebody else holds the lease now."""
        held = _HOLD.execute(session.connection(), [{"job": self.job_id, "held": self._fence}])
        if held.rowcount != 1:
            raise Fenced("Another worker has taken this job over.")

    def plan(self, pairs: Sequence[tuple[FolderPair, str]], skipped: Sequence[tuple[FolderInfo, str]]) -> None:
        """Show the folders of this run; numbers that an earlier slice wrote stay."""
        with self.writing() as session:
            known = {
                row.source_name: row
                for row in session.scalars(select(JobFolder).where(JobFolder.job_id == self.job_id))
            }
            shown = [(pair.source, pair, pair.reason) for pair, _ in pairs] + [
                (info, None, rule) for info, rule in skipped
            ]
            shown.sort(key=lambda item: _tree_order(item[0]))
            targets = {pair.source.name: name for pair, name in pairs}
            for position, (info, pair, reason) in enumerate(shown):
                row = known.get(info.name) or JobFolder(job_id=self.job_id, source_name=info.name)
                _show(row, position, info, pair, reason)
                if info.name in targets:
                    row.target_name, row.error = targets[info.name], None
                session.add(row)
            for name in known.keys() - {item[0].name for item in shown}:
                _end(known[name])
            session.flush()
            self._done = frozenset(name for name, row in known.items() if row.state == "done")
            numbers = _numbered_folders(session, self.mailbox_id, targets)
            self._pairs = {
                (old, new): SqlPairLedger(self, self._db, numbers["old", old], numbers["new", new], old)
                for old, new in targets.items()
            }

    def done(self) -> frozenset[str]:
        """As it was when the run was planned."""
        return self._done

    def pair(self, pair: FolderPair, target: str) -> SqlPairLedger:
        """The ledger of one pair; its folders are known to the database from now on."""
        found = self._pairs.get((pair.source.name, target))
        if found is None:
            with self.writing() as session:
                found = self._pairs[pair.source.name, target] = self._made(session, pair, target)
        return found

    def _made(self, session: Session, pair: FolderPair, target: str) -> SqlPairLedger:
        origin = numbered_folder(session, self.mailbox_id, "old", pair.source.name)
        there = numbered_folder(session, self.mailbox_id, "new", target)
        session.execute(
            update(JobFolder)
            .where(JobFolder.job_id == self.job_id, JobFolder.source_name == pair.source.name)
            .values(target_name=target, error=None)
        )
        return SqlPairLedger(self, self._db, origin, there, pair.source.name)

    def begun(self) -> frozenset[str]:
        """Source folders of which this job has carried anything."""
        query = (
            select(Folder.name)
            .join(LedgerEntry, LedgerEntry.origin_folder_id == Folder.id)
            .where(Folder.mailbox_id == self.mailbox_id, Folder.side == "old", LedgerEntry.job_id == self.job_id)
            .distinct()
        )
        with self._db.reading() as session:
            return frozenset(session.scalars(query))

    def carried_from(self) -> dict[str, Carried]:
        """The source folders of which entries are known: how many, and where most of them were put."""
        old, new = aliased(Folder), aliased(Folder)
        query = (
            select(old.name, new.name, func.count())
            .select_from(LedgerEntry)
            .join(old, old.id == LedgerEntry.origin_folder_id)
            .join(new, new.id == LedgerEntry.target_folder_id)
            .where(old.mailbox_id == self.mailbox_id, old.side == "old")
            .group_by(old.name, new.name)
            .order_by(func.count())
        )
        found: dict[str, Carried] = {}
        with self._db.reading() as session:
            for source, target, count in session.execute(query):
                before = found[source].messages if source in found else 0
                found[source] = Carried(before + count, target)
        return found

    def in_doubt(self) -> Sequence[tuple[str, str]]:
        """Where entries of this mailbox are in doubt."""
        old, new = aliased(Folder), aliased(Folder)
        query = (
            select(old.name, new.name)
            .select_from(LedgerEntry)
            .join(old, old.id == LedgerEntry.origin_folder_id)
            .join(new, new.id == LedgerEntry.target_folder_id)
            .where(old.mailbox_id == self.mailbox_id, LedgerEntry.stand == Stand.INTENDED.value)
            .distinct()
        )
        with self._db.reading() as session:
            return [(row[0], row[1]) for row in session.execute(query)]

    def fail_folder(self, name: str, error: dict[str, str]) -> None:
        """A folder could not be carried as a whole: what has no other answer in it has failed."""
        self._pairs = {key: made for key, made in self._pairs.items() if key[0] != name}
        with self.writing() as session:
            row = session.scalar(
                select(JobFolder).where(JobFolder.job_id == self.job_id, JobFolder.source_name == name)
            )
            if row is not None:
                row.state, row.error = "failed", error
                row.found = max(row.found or 0, row.announced or 0)
                row.failed = row.found - (row.copied or 0) - (row.already_there or 0) - (row.skipped or 0)

    def differ(self, found: Sequence[Difference]) -> None:
        """Keep what a comparison has found."""
        with self.writing() as session:
            session.execute(delete(JobDifference).where(JobDifference.job_id == self.job_id))
            for start in range(0, len(found), DIFFERENCES_AT_ONCE):
                some = found[start : start + DIFFERENCES_AT_ONCE]
                session.execute(insert(JobDifference), [{"job_id": self.job_id, **one._asdict()} for one in some])

    def warn(self, code: str, folder: str, detail: str) -> None:
        """Keep a warning for the report, once."""
        with self.writing() as session:
            values = {"code": code, "folder": folder[:1000], "detail": detail[:1000]}
            same = select(JobWarning.id).where(
                JobWarning.job_id == self.job_id,
                *(getattr(JobWarning, name) == value for name, value in values.items()),
            )
            if session.scalar(same) is None:
                session.add(JobWarning(job_id=self.job_id, at=datetime.now(UTC), **values))

    def sample(self, session: Session, now: datetime) -> None:
        """How far the job is, at most every two seconds, for plots and ETA."""
        if self._sampled is not None and (now - self._sampled).total_seconds() < SAMPLE_SECONDS:
            return
        self._sampled = now
        rows = session.execute(
            select(
                JobFolder.copied, JobFolder.octets, JobFolder.found, JobFolder.announced,
                JobFolder.already_there, JobFolder.skipped, JobFolder.failed,
            ).where(JobFolder.job_id == self.job_id, JobFolder.excluded.is_(False))
        ).all()  # fmt: skip
        todo = sum(
            max(row.found, row.announced) - row.copied - row.already_there - row.skipped - row.failed for row in rows
        )
        session.add(
            JobSample(
                job_id=self.job_id,
                at=now,
                messages=sum(row.copied for row in rows),
                octets=sum(row.octets for row in rows),
                open_messages=max(0, todo),
            )
        )


def _tree_order(info: FolderInfo) -> tuple[bool, list[str]]:
    """As people read a tree: the inbox first, children below their parents."""
    return info.path[0] != "INBOX", [level.casefold() for level in info.path]


def _show(row: JobFolder, position: int, info: FolderInfo, pair: FolderPair | None, reason: str) -> None:
    row.position, row.levels = position, len(info.path)
    row.reason, row.excluded = reason[:REASON], pair is None
    row.role = pair.target_role.value if pair and pair.target_role else (info.role.value if info.role else None)
    row.announced, row.announced_octets = info.messages or 0, info.octets
    if pair is None:
        row.state = "excluded"
        booked = (row.copied or 0) + (row.already_there or 0)
        row.found = max(info.messages or 0, booked)
        row.failed, row.skipped = 0, row.found - booked
    elif row.state != "done":
        row.state = row.state or "open"


def _end(row: JobFolder) -> None:
    """A folder that an earlier slice saw and the source lists no more: what was not carried of it is gone there."""
    if row.state != "excluded":
        row.state, row.reason = "done", "gone_at_source"
    row.announced = row.found = (row.copied or 0) + (row.already_there or 0) + (row.skipped or 0) + (row.failed or 0)


def numbered_folder(session: Session, mailbox_id: int, side: str, name: str) -> int:
    """The number of a folder, which is known to the database from now on."""
    known = session.scalar(
        select(Folder.id).where(Folder.mailbox_id == mailbox_id, Folder.side == side, Folder.name == name)
    )
    if known is not None:
        return known
    folder = Folder(mailbox_id=mailbox_id, side=side, name=name)
    session.add(folder)
    session.flush()
    return folder.id


def _numbered_folders(session: Session, mailbox_id: int, targets: Mapping[str, str]) -> Mapping[tuple[str, str], int]:
    """The same of many, by side and name: old ones, and where they go."""
    ours = select(Folder.side, Folder.name, Folder.id).where(Folder.mailbox_id == mailbox_id)
    numbers = {(row.side, row.name): row.id for row in session.execute(ours)}
    wanted = dict.fromkeys([*(("old", name) for name in targets), *(("new", name) for name in targets.values())])
    new = [Folder(mailbox_id=mailbox_id, side=side, name=name) for side, name in wanted if (side, name) not in numbers]
    session.add_all(new)
    session.flush()
    return numbers | {(folder.side, folder.name): folder.id for folder in new}
