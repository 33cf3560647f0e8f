"""The ledger of one source folder and the target folder that it goes to (`ports.PairLedger`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from migrator.db.bulk import own_insert
from migrator.db.cells import origin_columns, origin_of, packed, refused_entry, unpacked
from migrator.db.models import Failure, Folder, LedgerEntry, Skipped
from migrator.db.origins import KEYS_AT_ONCE, lots, one_of
from migrator.db.statements import (
    CARRIED,
    CARRIED_ELSEWHERE,
    COLUMNS,
    CONFIRM,
    CONFIRMED_STAND,
    HIGHEST,
    INSERT,
    INTENDED_STAND,
    KEPT,
    KEYLESS,
    MARK,
    MARKED,
    NEXT,
    NUMBERS,
    OF_SOURCE,
    SHOW,
    SHOWN,
    STRAYS,
    UNREAD_BACK,
    UNSETTLED,
)
from migrator.db.store import Database
from migrator.mail.messages import MessageKey, Prints
from migrator.ports import (
    Amendment,
    Confirmation,
    Entry,
    How,
    Intent,
    Kept,
    Mark,
    Refusal,
    Settled,
    Skip,
    Stand,
    Tally,
)

if TYPE_CHECKING:
    from migrator.db.ledger import SqlLedger

LARGEST = 2**63 - 1
"""No key is higher."""
SHELVED = frozenset({"ambiguous", "not_seen_again", "damaged_at_target"})
"""Reasons for which an entry stays refused for good: another append might double it."""
REASON = 40
"""So long a reason may be (PostgreSQL refuses longer ones)."""


_STANDS = {stand.value: stand for stand in Stand}
_HOWS = {"": None, **{how.value: how for how in How}}


class SqlPairLedger:
    """Fulfils `ports.PairLedger`: one source folder and the target folder that it goes to."""

    def __init__(self, ledger: SqlLedger, db: Database, origin: int, target: int, name: str) -> None:
        self._ledger = ledger
        self._db = db
        self._origin = origin
        self._target = target
        self._name = name

    # ---- reading -------------------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """What the last pass knew of both folders."""
        with self._db.reading() as session:
            rows = session.connection().execute(MARKED, {"source": self._origin, "target": self._target})
            found = {row.id: row for row in rows}
        origin, target = found[self._origin], found[self._target]
        return Mark(
            origin.validity, target.validity, looked=target.looked, state=origin.state, unlooked=origin.unlooked
        )  # fmt: skip

    def entries(self, keys: Sequence[MessageKey]) -> dict[MessageKey, Entry]:
        """The entries of these origins, and what this job refused of them."""
        found: dict[MessageKey, Entry] = {}
        with self._db.reading() as session:
            for some in lots(keys):
                ours = LedgerEntry.origin_folder_id == self._origin, one_of(LedgerEntry, some)
                for row in session.execute(select(*COLUMNS).where(*ours)).all():
                    entry = self._entry(row)
                    found[entry.origin] = entry
                here = Failure.job_id == self._ledger.job_id, Failure.folder_id == self._origin
                for failure in session.scalars(select(Failure).where(*here, one_of(Failure, some))):
                    found[origin_of(failure)] = refused_entry(failure)
        asked = set(keys)
        return {origin: entry for origin, entry in found.items() if origin in asked}

    def strays(self, validity: int) -> Iterator[Sequence[Entry]]:
        """Settled entries of the source folder with another UIDVALIDITY."""
        return self._paged(STRAYS, folder=self._origin, validity=validity)

    def of_source(self) -> Iterator[Sequence[Entry]]:
        """Settled entries of the source folder."""
        return self._paged(OF_SOURCE, folder=self._origin)

    def unsettled(self) -> Sequence[Entry]:
        """What is in doubt in the target folder."""
        return self._all(UNSETTLED)

    def keyless(self) -> Sequence[Entry]:
        """Confirmed entries whose key the target did not name."""
        return self._all(KEYLESS)

    def unread_back(self) -> Sequence[Entry]:
        """Delicate messages that were not compared yet."""
        return self._all(UNREAD_BACK)

    def claims(self, validity: int, floor: int) -> frozenset[int]:
        """UIDs of the target folder that an entry owns."""
        owned = select(LedgerEntry.target_uid).where(
            LedgerEntry.target_folder_id == self._target,
            LedgerEntry.target_validity == validity,
            LedgerEntry.target_uid >= floor,
        )
        with self._db.reading() as session:
            return frozenset(uid for uid in session.scalars(owned) if uid is not None)

    def carried(self, *, not_validity: int | None = None, floor: int = 0, after: int = 0) -> Sequence[Entry]:
        """A page of confirmed entries of the target folder that have a key."""
        numbers = {"folder": self._target, "floor": floor, "after": after}
        if not_validity is None:
            return self._page(CARRIED, numbers)
        return self._page(CARRIED_ELSEWHERE, {**numbers, "validity": not_validity})

    def kept(self, validity: int, first: int, last: int | None = None) -> Sequence[Kept]:
        """What was appended to the target folder and lies there between these UIDs."""
        numbers = {"folder": self._target, "validity": validity, "first": first, "last": last or LARGEST}
        with self._db.reading() as session:
            rows = session.connection().execute(KEPT, numbers).all()
            return [Kept(entry, uid, size, at, unpacked(flags), note) for entry, uid, size, at, flags, note in rows]

    def _all(self, statement: Select[Any]) -> Sequence[Entry]:
        return [entry for page in self._paged(statement, folder=self._target) for entry in page]

    def _paged(self, statement: Select[Any], **numbers: int) -> Iterator[Sequence[Entry]]:
        after = 0
        while page := self._page(statement, {**numbers, "after": after}):
            after = page[-1].id
            yield page

    def _page(self, statement: Select[Any], numbers: dict[str, int]) -> Sequence[Entry]:
        with self._db.reading() as session:
            return [self._entry(row) for row in session.connection().execute(statement, numbers)]

    def _entry(self, row: Any) -> Entry:
        """`row` has the `COLUMNS`."""
        return Entry(
            id=row.id,
            origin=origin_of(row),
            stand=_STANDS[row.stand],
            prints=Prints(row.digest, row.soft, row.header, row.message_id, row.size, row.delicate),
            instant=row.instant,
            flags=unpacked(row.flags),
            floor=row.floor,
            target_key=self._key(row),
            how=_HOWS[row.how],
            this_job=row.job_id == self._ledger.job_id,
            note=row.note,
        )

    def _key(self, row: Any) -> MessageKey | None:
        """Its key at the target; None where it lies in another folder than today's mapping says."""
        if row.target_uid is None or row.target_folder_id != self._target:
            return None
        return MessageKey(row.target_validity or 0, row.target_uid)

    # ---- writing -------------------------------------------------------------------------------------------------

    def step(
        self,
        *,
        confirmed: Sequence[Confirmation] = (),
        refused: Sequence[Refusal] = (),
        released: Sequence[int] = (),
        intended: Sequence[Intent] = (),
        settled: Sequence[Settled] = (),
        amended: Sequence[Amendment] = (),
        skipped: Sequence[Skip] = (),
        tally: Tally | None = None,
        mark: Mark | None = None,
    ) -> Sequence[int]:
        """ONE commit of all of it, or Fenced and none of it."""
        now = datetime.now(UTC)
        with self._ledger.writing() as session:
            self._confirm(session, confirmed)
            homes = self._homes(session, refused)
            self._shelve(session, [item for item in refused if item.entry and item.reason in SHELVED])
            gone = [*released, *(item.entry for item in refused if item.entry and item.reason not in SHELVED)]
            for start in range(0, len(gone), KEYS_AT_ONCE):
                self._forget(session, gone[start : start + KEYS_AT_ONCE])
            self._amend(session, amended)
            self._report(session, refused, homes, skipped, now)
            ids = self._add(session, [self._columns(item) for item in intended])
            self._add(session, [self._columns(item.intent, item) for item in settled])
            if mark is not None:
                self._mark(session, mark)
            if tally is not None:
                self._tally(session, tally, done=mark is not None and mark.complete)
                self._ledger.sample(session, now)
        return ids

    def _confirm(self, session: Session, confirmed: Sequence[Confirmation]) -> None:
        if not confirmed:
            return
        CONFIRM.execute(
            session.connection(),
            [
                {
                    "entry": item.entry,
                    "new_stand": CONFIRMED_STAND,
                    "new_how": str(item.how),
                    "new_note": item.note,
                    "new_target_validity": item.target_key.validity if item.target_key else None,
                    "new_target_uid": item.target_key.uid if item.target_key else None,
                    "new_job_id": self._ledger.job_id,
                }
                for item in confirmed
            ],
        )

    def _add(self, session: Session, rows: Sequence[dict[str, Any]]) -> Sequence[int]:
        """New entries; their ids, in order."""
        if not rows:
            return []
        connection = session.connection()
        if self._db.is_sqlite:  # nobody else writes now: these are the numbers that it would give
            first = (connection.exec_driver_sql(HIGHEST).scalar() or 0) + 1
            ids: Sequence[int] = range(first, first + len(rows))
        else:
            ids = connection.scalars(NEXT, {"count": len(rows)}).all()
        INSERT.execute(connection, [{**row, "id": number} for number, row in zip(ids, rows, strict=True)])
        return ids

    def _columns(self, item: Intent, settled: Settled | None = None) -> dict[str, Any]:
        return {
            "origin_folder_id": self._origin,
            **origin_columns(item.origin),
            "target_folder_id": self._target,
            "stand": CONFIRMED_STAND if settled else INTENDED_STAND,
            "how": settled.how.value if settled else "",
            "target_validity": settled.target_key.validity if settled else None,
            "target_uid": settled.target_key.uid if settled else None,
            "digest": item.prints.digest,
            "soft": item.prints.soft,
            "header": item.prints.header,
            "message_id": item.prints.message_id,
            "size": item.prints.size,
            "delicate": item.prints.delicate,
            "instant": item.instant,
            "flags": packed(item.flags),
            "floor": item.floor,
            "note": "",
            "job_id": self._ledger.job_id,
        }

    @staticmethod
    def _forget(session: Session, entries: Sequence[int]) -> None:
        """They are to be carried again."""
        SqlPairLedger._unsettle(session, entries)
        session.execute(delete(LedgerEntry).where(LedgerEntry.id.in_(entries)))

    @staticmethod
    def _unsettle(session: Session, entries: Sequence[int]) -> None:
        """None of their source folders counts as whole any more."""
        if entries:
            folders = select(LedgerEntry.origin_folder_id).where(LedgerEntry.id.in_(entries))
            session.execute(update(Folder).where(Folder.id.in_(folders), Folder.state != "").values(state=""))

    def _amend(self, session: Session, amended: Sequence[Amendment]) -> None:
        for item in amended:
            values: dict[str, Any] = {}
            if item.flags is not None:
                values["flags"] = packed(item.flags)
            if item.target_key is not None:
                values.update(target_validity=item.target_key.validity, target_uid=item.target_key.uid)
            if item.forget_target_key:
                values.update(target_validity=None, target_uid=None, note="lost")
            if item.note is not None:
                values["note"] = item.note
            if item.origin is not None:
                values.update(
                    origin_validity=item.origin.validity, origin_uid=item.origin.uid, origin_name=item.origin.name
                )
            session.execute(update(LedgerEntry).where(LedgerEntry.id == item.entry).values(**values))

    def _homes(self, session: Session, refused: Sequence[Refusal]) -> dict[int, int]:
        """The source folders of entries that are refused: another folder's turn may have settled them."""
        ids = [item.entry for item in refused if item.entry]
        if not ids:
            return {}
        rows = session.execute(select(LedgerEntry.id, LedgerEntry.origin_folder_id).where(LedgerEntry.id.in_(ids)))
        return {row.id: row.origin_folder_id for row in rows}

    def _shelve(self, session: Session, refused: Sequence[Refusal]) -> None:
        """What may be there already, or come yet, is never appended again; its note says why."""
        self._unsettle(session, [item.entry for item in refused if item.entry])
        for item in refused:
            shelved = {"stand": Stand.REFUSED.value, "note": item.reason}
            session.execute(update(LedgerEntry).where(LedgerEntry.id == item.entry).values(**shelved))

    def _report(
        self,
        session: Session,
        refused: Sequence[Refusal],
        homes: dict[int, int],
        skipped: Sequence[Skip],
        now: datetime,
    ) -> None:
        base = {"job_id": self._ledger.job_id, "folder_id": self._origin}
        failures = [
            {
                **base,
                "folder_id": homes.get(item.entry or 0, self._origin),
                **origin_columns(item.origin),
                "at": now,
                "reason": item.reason,
                "detail": item.detail[:2000],
                "message_id": item.message_id,
                "size": item.size,
            }
            for item in refused
        ]
        skips = [{**base, **origin_columns(item.origin), "rule": item.rule[:200]} for item in skipped]
        _insert_new(session, Failure, failures)
        _insert_new(session, Skipped, skips)

    def _mark(self, session: Session, mark: Mark) -> None:
        unlooked = None if mark.state is None else mark.unlooked
        source = _marked(self._origin, mark.source_validity, state=mark.state, unlooked=unlooked)
        MARK.execute(session.connection(), [source, _marked(self._target, mark.target_validity, looked=mark.looked)])

    def _tally(self, session: Session, tally: Tally, *, done: bool) -> None:
        """Absolute numbers. Until the folder is done they only grow, so that no bar ever jumps back."""
        connection = session.connection()
        row = connection.execute(SHOWN, {"job": self._ledger.job_id, "name": self._name}).first()
        if row is None:
            return
        shown: dict[str, Any] = {"row": row.id, "new_state": "done" if done else "working"}
        for name, value, before in zip(NUMBERS, astuple(tally), row[1:], strict=True):
            shown[f"new_{name}"] = value if done else max(value, before or 0)
        connection.execute(SHOW, shown)


def _marked(
    folder: int, validity: int, *, looked: int = 0, state: str | None = None, unlooked: int | None = None
) -> dict[str, Any]:
    """Zero and None leave what is there."""
    return {
        "folder": folder,
        "new_validity": validity or None,
        "new_looked": looked or None,
        "new_state": state,
        "new_unlooked": unlooked,
    }


def _insert_new(session: Session, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert what is not there yet; the same message refused or skipped twice by one job is one row."""
    for row in rows:
        session.execute(own_insert(session, table).values(**row).on_conflict_do_nothing())
