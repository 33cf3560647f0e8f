"""The quarantine in the database (`ports.Quarantine`): octets sealed piece by piece, and a Source that reads them.

Each message has a key of its own, sealed by the vault: whoever has the database alone reads nothing, and letting go of
a message is letting go of its key and its pieces.
"""

from __future__ import annotations

import base64
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, exists, false, func, insert, or_, select, update
from sqlalchemy.orm import Session

from migrator.db.bulk import own_insert
from migrator.db.cells import origin_columns, origin_of, packed, unpacked
from migrator.db.ledger import SqlLedger, numbered_folder
from migrator.db.models import Folder, LedgerEntry, Quarantined, QuarantinedPart
from migrator.db.origins import KEYS_AT_ONCE
from migrator.db.store import Database
from migrator.errors import FolderRefused
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import HEAD_OCTETS, MessageKey, Row, take_prints
from migrator.ports import Absence, Changes, Detained, Letter, Opened, Page, Stand, Traits, Unread, Want

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from migrator.db.vault import Vault

PIECE_OCTETS: Final = 1024 * 1024
_KEY_OCTETS: Final = 32
_NONCE_OCTETS: Final = 12


class Damaged(Exception):
    """The octets in the database are not those that were kept."""


def key_context(item_id: int) -> str:
    """What the sealed key of a message's octets is bound to."""
    return f"quarantined {item_id} key"


class SqlQuarantine:
    """Fulfils `ports.Quarantine` for one job that holds the lease; `most_octets`: for each mailbox."""

    def __init__(self, db: Database, vault: Callable[[], Vault], ledger: SqlLedger, most_octets: int) -> None:
        """`vault` is opened when it is needed first."""
        self._db = db
        self._vault = cache(vault)
        self._ledger = ledger
        self._most = most_octets
        self._used: int | None = None
        """Octets that are here, once they were counted."""

    def detain(self, folder: str, target: str, found: Sequence[Detained]) -> list[Detained]:
        """These were not taken. Gives those whose octets are not here yet."""
        lacking: list[Detained] = []
        for start in range(0, len(found), KEYS_AT_ONCE):
            some = found[start : start + KEYS_AT_ONCE]
            with self._ledger.writing() as session:
                folder_id = numbered_folder(session, self._ledger.mailbox_id, "old", folder)
                kept = _of_keys(session, folder_id, [one.row.key for one in some])
                for one in some:
                    self._note(session, folder_id, target, one)
            lacking += [one for one in some if one.row.key not in kept]
        return lacking

    def _note(self, session: Session, folder_id: int, target: str, one: Detained) -> None:
        key = {"folder_id": folder_id, **origin_columns(one.row.key)}
        values = {
            "job_id": self._ledger.job_id,
            "at": datetime.now(UTC),
            "target_name": target,
            "reason": one.reason,
            "detail": one.detail[:2000],
            "flags": packed(one.row.flags),
            "instant": one.row.instant,
            "gone": "",
            "gone_at": None,
        }
        named = {"message_id": one.message_id} if one.message_id else {}
        new = {**key, **values, "mailbox_id": self._ledger.mailbox_id, "size": one.row.size, **named}
        session.execute(
            own_insert(session, Quarantined)
            .values(**new)
            .on_conflict_do_update(index_elements=list(key), set_={**values, **named})
        )

    def has_room(self, octets: int) -> bool:
        """Whether so many more are within the limit."""
        if self._used is None:
            here = and_(Quarantined.mailbox_id == self._ledger.mailbox_id, Quarantined.sealed_key.is_not(None))
            with self._db.reading() as session:
                self._used = int(session.scalar(select(func.sum(Quarantined.size)).where(here)) or 0)
        return self._used + octets <= self._most

    def keep(self, letter: Letter) -> None:
        """All of its octets in ONE commit, or none."""
        prints = letter.prints or take_prints(letter.head, letter.chunks())
        key = secrets.token_bytes(_KEY_OCTETS)
        with self._ledger.writing() as session:
            folder_id = numbered_folder(session, self._ledger.mailbox_id, "old", letter.want.folder)
            item_id = session.scalar(select(Quarantined.id).where(*_is(folder_id, letter.want.key)))
            assert item_id is not None, "it was detained before"
            session.execute(delete(QuarantinedPart).where(QuarantinedPart.item_id == item_id))
            for number, piece in enumerate(_pieces(letter.chunks())):
                sealed = _sealing(key).encrypt(_nonce(number), piece, None)
                session.execute(insert(QuarantinedPart).values(item_id=item_id, number=number, octets=sealed))
            session.execute(
                update(Quarantined)
                .where(Quarantined.id == item_id)
                .values(
                    size=letter.size,
                    digest=prints.digest,
                    soft=prints.soft,
                    sealed_key=self._vault().seal(base64.b64encode(key).decode(), key_context(item_id)),
                )
            )
            self._replace(session, folder_id, letter.want.key, prints.digest)
        self._used = None if self._used is None else self._used + letter.size

    def _replace(self, session: Session, folder_id: int, key: MessageKey, digest: bytes) -> None:
        """The same message was kept under the number that it had before the old server gave all of them anew."""
        stale = or_(
            Quarantined.origin_validity != key.validity,
            and_(Quarantined.origin_name != "", Quarantined.job_id != self._ledger.job_id),
        )
        same = (Quarantined.folder_id == folder_id, Quarantined.digest == digest, Quarantined.sealed_key.is_not(None))
        found = session.scalar(select(Quarantined.id).where(*same, stale).order_by(Quarantined.id).limit(1))
        if found is not None:
            let_go(session, "renumbered", Quarantined.id == found)

    def settle(self) -> None:
        """Let go of what was carried meanwhile, and seen at the target since then.

        Under its own key; or, where the old server has numbered its messages anew (POP3 servers never say so) and this
        job has not found it again, with the same octets under another one: rather one of two twins stays out than that
        a message is doubled.
        """
        names = ("origin_validity", "origin_uid", "origin_name")
        same_key = and_(*(getattr(LedgerEntry, name) == getattr(Quarantined, name) for name in names))
        same_octets = or_(LedgerEntry.digest == Quarantined.digest, LedgerEntry.soft == Quarantined.soft)
        another = or_(Quarantined.origin_name != "", LedgerEntry.origin_validity != Quarantined.origin_validity)
        mine = Quarantined.mailbox_id == self._ledger.mailbox_id
        before = Quarantined.job_id != self._ledger.job_id
        with self._ledger.writing() as session:
            _heal_again(session, and_(mine, _is_carried(same_key)))
            let_go(session, "carried", and_(mine, _is_carried(same_key, _SEEN)))
            let_go(session, "carried", and_(mine, before, _is_carried(same_octets, another, _SEEN)))
        self._used = None

    def places(self) -> Mapping[str, str]:
        """Where what is here of each source folder was to go at last."""
        return {name: held.target for name, held in _held(self._db, self._ledger.mailbox_id).items()}

    def elsewhere(self) -> int:
        """So many messages were to go to another folder than the last ones of theirs: a later replay's."""
        held = _held(self._db, self._ledger.mailbox_id).values()
        with self._db.reading() as session:
            all_of_them = session.scalar(
                select(func.count()).where(
                    Quarantined.folder_id.in_([one.id for one in held]), Quarantined.sealed_key.is_not(None)
                )
            )
            now = session.scalar(select(func.count()).where(or_(false(), *(_goes_there(one) for one in held))))
        return (all_of_them or 0) - (now or 0)

    def source(self) -> QuarantineSource:
        """What lies here and was not carried meanwhile, as the end of a run."""
        self.settle()
        return QuarantineSource(self._db, self._vault(), self._ledger.mailbox_id)


class QuarantineSource:
    """Fulfils `ports.Source`. Keys are those of the old server, so that nothing is carried twice (traps.md, E)."""

    def __init__(self, db: Database, vault: Vault, mailbox_id: int) -> None:
        self._db = db
        self._vault = vault
        self._held = _held(db, mailbox_id)
        self.traits = Traits(keys_are_stable=False, partial=True, limits="quarantine")

    def folders(self) -> Sequence[FolderInfo]:
        """Those of which something is here, by their old names."""
        query = (
            select(Quarantined.folder_id, func.count(), func.sum(Quarantined.size))
            .where(or_(false(), *map(_goes_there, self._held.values())))
            .group_by(Quarantined.folder_id)
        )
        with self._db.reading() as session:
            sums = {row[0]: (row[1], row[2]) for row in session.execute(query)}
        return [
            FolderInfo(name, (name,), messages=sums[held.id][0], octets=int(sums[held.id][1]))
            for name, held in self._held.items()
            if held.id in sums
        ]

    def foresee(self, folders: Sequence[str]) -> None:
        """Nothing is waited for here."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The messages, in the order of their keys."""
        with self._db.reading() as session:
            found = session.scalars(select(Quarantined).where(_goes_there(self._of(folder)))).all()
        rows = sorted(Row(origin_of(row), row.size, unpacked(row.flags), row.instant) for row in found)
        yield Opened(folder, 0, 0, len(rows))
        yield Page(rows)

    def changes(self, folder: str, state: str) -> Changes | None:
        """It has no states."""
        return None

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets, each looked through before: a damaged one stops nothing."""
        from migrator.db.vault import CannotUnseal

        for want in wants:
            with self._db.reading() as session:
                row = session.scalar(select(Quarantined).where(*_is(self._of(want.folder).id, want.key)))
            if row is None or row.sealed_key is None:
                yield Unread(want, Absence.GONE)
                continue
            try:
                yield _letter(want, row.size, octets_of(self._db, self._vault, row))
            except (Damaged, CannotUnseal):
                yield Unread(want, Absence.SHORT, "its octets in the database are not those that were kept")

    def _of(self, folder: str) -> _Held:
        if folder not in self._held:
            raise FolderRefused(f"Nothing of the folder {folder} is in quarantine.")
        return self._held[folder]

    def close(self) -> None:
        """Nothing is open."""


class Octets:
    """A message's octets, unsealed piece by piece, as often as you like."""

    def __init__(self, db: Database, item_id: int, key: bytes, size: int) -> None:
        self._db = db
        self._item = item_id
        self._key = _sealing(key)
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        """The pieces. Raises Damaged."""
        from cryptography.exceptions import InvalidTag

        number = octets = 0
        while octets < self._size:
            place = and_(QuarantinedPart.item_id == self._item, QuarantinedPart.number == number)
            with self._db.reading() as session:
                sealed = session.scalar(select(QuarantinedPart.octets).where(place))
            try:
                piece = self._key.decrypt(_nonce(number), sealed or b"", None)
            except (InvalidTag, ValueError):
                raise Damaged from None
            number, octets = number + 1, octets + len(piece)
            yield piece


def octets_of(db: Database, vault: Vault, row: Quarantined) -> Octets:
    """What was kept. Raises CannotUnseal."""
    assert row.sealed_key is not None
    key = base64.b64decode(vault.unseal(row.sealed_key, key_context(row.id)))
    return Octets(db, row.id, key, row.size)


def let_go(session: Session, why: str, which: ColumnElement[bool]) -> int:
    """Forget the octets of these; the rows stay, and say why. Returns of how many."""
    ids = session.scalars(select(Quarantined.id).where(Quarantined.sealed_key.is_not(None), which)).all()
    for start in range(0, len(ids), KEYS_AT_ONCE):
        some = ids[start : start + KEYS_AT_ONCE]
        session.execute(delete(QuarantinedPart).where(QuarantinedPart.item_id.in_(some)))
        gone = {"sealed_key": None, "gone": why, "gone_at": datetime.now(UTC)}
        session.execute(update(Quarantined).where(Quarantined.id.in_(some)).values(**gone))
    return len(ids)


class _Held(NamedTuple):
    """A source folder of which something is here, and where the last of it was to go."""

    id: int
    target: str


def _held(db: Database, mailbox_id: int) -> dict[str, _Held]:
    """Each of them by its name."""
    query = (
        select(Folder.id, Folder.name, Quarantined.target_name)
        .join(Folder, Folder.id == Quarantined.folder_id)
        .where(Quarantined.mailbox_id == mailbox_id, Quarantined.sealed_key.is_not(None))
        .order_by(Quarantined.at, Quarantined.id)
    )
    with db.reading() as session:
        return {row.name: _Held(row.id, row.target_name) for row in session.execute(query)}


def _goes_there(held: _Held) -> ColumnElement[bool]:
    """Which messages of that folder go where the last of it goes."""
    place = and_(Quarantined.folder_id == held.id, Quarantined.target_name == held.target)
    return and_(place, Quarantined.sealed_key.is_not(None))


_SEEN: Final = and_(
    LedgerEntry.target_uid < select(Folder.looked).where(Folder.id == LedgerEntry.target_folder_id).scalar_subquery(),
    LedgerEntry.note.not_in(("unread_back", "damaged")),
)
"""What was looked at after it was appended, and was what it should be."""


def _is_carried(*how: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the ledger has such an entry of the same source folder."""
    here = (LedgerEntry.origin_folder_id == Quarantined.folder_id, LedgerEntry.stand == Stand.CONFIRMED.value)
    return exists().where(*here, *how)


def _heal_again(session: Session, carried: ColumnElement[bool]) -> None:
    """What was put in under a number of yesterday must get today's, else the next run would not know it."""
    here = and_(Quarantined.folder_id == Folder.id, Quarantined.origin_validity != Folder.validity, carried)
    stale = and_(Folder.validity != 0, exists().where(here, Quarantined.sealed_key.is_not(None)))
    session.execute(update(Folder).where(stale).values(validity=0, state=""), {"synchronize_session": False})


def _letter(want: Want, size: int, octets: Octets) -> Letter:
    head = b""
    for piece in octets:  # all of it: what is damaged is never begun
        head = head or piece[:HEAD_OCTETS]
    return Letter(want, head, size, lambda: iter(octets))


def _is(folder_id: int, key: MessageKey) -> list[ColumnElement[bool]]:
    columns = {"folder_id": folder_id, **origin_columns(key)}
    return [getattr(Quarantined, name) == value for name, value in columns.items()]


def _of_keys(session: Session, folder_id: int, keys: Sequence[MessageKey]) -> frozenset[MessageKey]:
    """Those of them whose octets are here."""
    by_validity: dict[int, list[MessageKey]] = defaultdict(list)
    for key in keys:
        by_validity[key.validity].append(key)
    named = [
        and_(
            Quarantined.origin_validity == validity,
            Quarantined.origin_uid.in_([key.uid for key in some]),
            Quarantined.origin_name.in_([key.name for key in some]),
        )
        for validity, some in by_validity.items()
    ]
    here = [Quarantined.folder_id == folder_id, Quarantined.sealed_key.is_not(None), or_(*named)]
    return frozenset(origin_of(row) for row in session.scalars(select(Quarantined).where(*here)))


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same octets, PIECE_OCTETS at a time."""
    waiting = b""
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE_OCTETS:
            yield waiting[:PIECE_OCTETS]
            waiting = waiting[PIECE_OCTETS:]
    if waiting:
        yield waiting


def _sealing(key: bytes) -> AESGCM:
    """Imported when something is kept or read, which few copies do: it costs 7 MB."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_OCTETS, "big")
