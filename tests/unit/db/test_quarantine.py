"""The quarantine in the database: sealed, whole or not at all, let go of in time; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from migrator.db.ledger import SqlLedger
from migrator.db.models import Quarantined, QuarantinedPart
from migrator.db.quarantine import PIECE_OCTETS, Damaged, QuarantineSource, SqlQuarantine
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import Fenced
from migrator.jobs import operations
from migrator.jobs.quarantine import operations as quarantine
from migrator.jobs.quarantine import queries
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Absence, Detained, Letter, Opened, Page, Unread, Want
from migrator.settings import Settings
from tests.making import job, row

LARGE = bytes(range(256)) * (10 * PIECE_OCTETS // 1024 + 3)
FLAGS = frozenset({"\\Seen", "two words"})
INSTANT = datetime(2001, 3, 5, 1, 2, 3, tzinfo=UTC)


@pytest.fixture
def db(database_everywhere: Database) -> Database:
    return database_everywhere


@pytest.fixture
def mailbox(db: Database, vault: Vault, settings: Settings) -> int:
    return row(db, job(db, vault, settings)).mailbox_id


@pytest.fixture
def here(db: Database, vault: Vault, mailbox: int) -> SqlQuarantine:
    return SqlQuarantine(db, lambda: vault, ledger(db, mailbox), 20_000_000)


def ledger(db: Database, mailbox: int, fence: int = 0) -> SqlLedger:
    return SqlLedger(db, job_id=1, mailbox_id=mailbox, fence=fence)


def detained(key: MessageKey, size: int = 3, reason: str = "refused") -> Detained:
    return Detained(Row(key, size, FLAGS, INSTANT), reason, "NO virus", "<1@old.example>")


def letter(key: MessageKey, octets: bytes, folder: str = "INBOX") -> Letter:
    return Letter(Want(folder, key, len(octets)), octets[:60_000], len(octets), lambda: iter([octets[:7], octets[7:]]))


def put(here: SqlQuarantine, key: MessageKey, octets: bytes, folder: str = "INBOX") -> None:
    assert here.detain(folder, f"New {folder}", [detained(key)])
    here.keep(letter(key, octets, folder))


@pytest.mark.parametrize("octets", [b"", b"one line\r\n", LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("key", [MessageKey(7, 3), MessageKey(0, 0, "a uidl")])
def test_what_is_kept_comes_out_again_with_flags_and_date(
    db: Database, vault: Vault, mailbox: int, here: SqlQuarantine, octets: bytes, key: MessageKey
) -> None:
    put(here, key, octets)
    assert here.places() == {"INBOX": "New INBOX"}
    source = here.source()
    (info,) = source.folders()
    assert (info.name, info.messages, info.octets) == ("INBOX", 1, len(octets))
    assert list(source.survey("INBOX")) == [
        Opened("INBOX", 0, 0, 1), Page([Row(key, len(octets), FLAGS, INSTANT)])
    ]  # fmt: skip
    (answer,) = source.read([Want("INBOX", key, 0)])
    assert isinstance(answer, Letter)
    assert b"".join(answer.chunks()) == b"".join(answer.chunks()) == octets
    assert answer.head == octets[: len(answer.head)]


def test_nothing_of_it_can_be_read_in_the_database(db: Database, here: SqlQuarantine) -> None:
    put(here, MessageKey(7, 3), b"Subject: secret\r\n\r\nnobody's business\r\n" * 50)
    with db.reading() as session:
        kept = b"".join(session.scalars(select(QuarantinedPart.octets)))
    assert b"secret" not in kept
    assert b"business" not in kept


@pytest.mark.parametrize("harm", ["altered", "swapped", "lost"])
def test_octets_that_were_altered_in_the_database_are_never_handed_out(
    db: Database, vault: Vault, mailbox: int, here: SqlQuarantine, harm: str
) -> None:
    put(here, MessageKey(7, 3), LARGE)
    put(here, MessageKey(7, 4), b"whole\r\n")
    with db.writing() as session:
        parts = session.scalars(select(QuarantinedPart).where(QuarantinedPart.item_id == 1)).all()
        if harm == "altered":
            parts[1].octets = parts[1].octets[:-1] + bytes([parts[1].octets[-1] ^ 1])
        elif harm == "swapped":
            parts[0].octets, parts[1].octets = parts[1].octets, parts[0].octets
        else:
            session.delete(parts[-1])
    source = QuarantineSource(db, vault, mailbox)
    damaged, whole, gone = source.read([Want("INBOX", MessageKey(7, uid), 0) for uid in (3, 4, 5)])
    assert isinstance(damaged, Unread)
    assert damaged.absence is Absence.SHORT
    assert isinstance(whole, Letter)
    assert isinstance(gone, Unread)
    assert gone.absence is Absence.GONE
    mail = queries.mail(db, vault, 1)
    assert mail is not None
    with pytest.raises(Damaged):
        list(mail.octets)


def test_who_lost_the_lease_writes_nothing(db: Database, vault: Vault, mailbox: int) -> None:
    late = SqlQuarantine(db, lambda: vault, ledger(db, mailbox, fence=99), 1000)
    with pytest.raises(Fenced):
        late.detain("INBOX", "INBOX", [detained(MessageKey(1, 1))])
    with db.reading() as session:
        assert session.scalars(select(Quarantined)).all() == []


def test_what_is_refused_again_is_noted_and_not_kept_twice(db: Database, here: SqlQuarantine) -> None:
    put(here, MessageKey(7, 3), b"octets")
    both = [detained(MessageKey(7, 3), reason="too_big"), detained(MessageKey(7, 4))]
    assert here.detain("INBOX", "Elsewhere", both) == both[1:]
    with db.reading() as session:
        assert session.scalar(select(Quarantined.reason).where(Quarantined.origin_uid == 3)) == "too_big"
    assert here.places() == {"INBOX": "Elsewhere"}


def test_there_is_room_for_so_much_and_no_more(here: SqlQuarantine) -> None:
    assert here.has_room(20_000_000)
    assert not here.has_room(20_000_001)
    put(here, MessageKey(7, 3), b"x" * 1_000)
    assert here.has_room(19_999_000)
    assert not here.has_room(19_999_001)


def test_after_its_time_the_octets_are_forgotten_and_the_row_says_so(
    db: Database, vault: Vault, mailbox: int, here: SqlQuarantine
) -> None:
    put(here, MessageKey(7, 3), b"octets")
    now = datetime.now(UTC)
    assert quarantine.expire(db, days=90, now=now + timedelta(days=89)) == 0
    assert quarantine.expire(db, days=90, now=now + timedelta(days=91)) == 1
    assert queries.number_here(db, mailbox) == 0
    assert queries.mail(db, vault, 1) is None
    with db.reading() as session:
        assert session.scalars(select(QuarantinedPart)).all() == []
        assert session.scalar(select(Quarantined.gone)) == "expired"


def test_a_new_key_seals_it_anew(
    db: Database, vault: Vault, mailbox: int, here: SqlQuarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(here, MessageKey(7, 3), b"octets")
    vault.rotate()
    assert operations.reseal(db, vault) == 3  # both passwords, and this
    with db.reading() as session:
        sealed = session.scalar(select(Quarantined.sealed_key))
    assert sealed is not None
    assert vault.is_newest(sealed)
    mail = queries.mail(db, vault, 1)
    assert mail is not None
    assert b"".join(mail.octets) == b"octets"


def test_one_messages_octets_do_not_open_as_anothers(db: Database, vault: Vault, here: SqlQuarantine) -> None:
    put(here, MessageKey(7, 3), b"octets")
    put(here, MessageKey(7, 4), b"others")
    with db.writing() as session:
        _, second = session.scalars(select(Quarantined.sealed_key).order_by(Quarantined.id)).all()
        session.execute(update(Quarantined).where(Quarantined.id == 1).values(sealed_key=second))
    with pytest.raises(Exception, match="was altered in the database"):
        queries.mail(db, vault, 1)
