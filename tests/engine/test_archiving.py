"""Into an archive and out of it: the same engine, what was stays, and nothing is carried twice."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select

from migrator.archive.check import check
from migrator.archive.file import Answer, ArchiveFile
from migrator.archive.held import Holdings
from migrator.archive.source import ArchiveSource, pass_at, passes
from migrator.archive.target import ArchiveTarget
from migrator.db.models import Folder, LedgerEntry
from migrator.mail.folders import Namespace
from migrator.planning.mapping import MappingRules
from migrator.ports import Letter, Page, Want
from migrator.sessions.memory import MemoryServer
from tests.engine.world import Died, Witness, World, assert_same, assert_sums, days, mail

KEY = bytes(range(32))


class Watchful(ArchiveFile):
    """An archive's file with a witness before, inside and after every transaction; nothing is done behind our back."""

    witness: Callable[[str], None] = staticmethod(lambda _: None)

    def begin(self, sql: sqlite3.Connection) -> None:
        self.witness("archive.begin")
        super().begin(sql)

    def commit(self, sql: sqlite3.Connection) -> None:
        self.witness("archive.commit?")
        super().commit(sql)
        self.witness("archive.commit!")

    def behind(self, work: Callable[[sqlite3.Connection], Answer]) -> Future[Answer]:
        done: Future[Answer] = Future()
        try:
            done.set_result(self._worked(work))
        except Exception as error:  # noqa: BLE001 - told where the result is asked for
            done.set_exception(error)
        return done


class Chest:
    """An archive, and a world whose old server is archived into it and whose new one is filled from it."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.path = directory / "anna.pwa"
        self.open: ArchiveTarget | None = None

    def archive(self, *, complete: bool = True, witness: Callable[[str], None] | None = None) -> None:
        """One pass, as a job of its own."""
        self.world.mailbox = 2
        self.world.next_job()
        file = Watchful(self.path, KEY, writable=True, create=True)
        if witness is not None:
            file.witness = witness
        try:
            target = ArchiveTarget(file)
            self.world.target_of = lambda: target
            self.world.run(witness, rules=MappingRules(verbatim=True), recreated="replay", quiet_seconds=0)
            if complete:
                target.finish({})
        finally:
            file.close()
            self.world.target_of, self.world.mailbox = None, 1

    def source(self, at: datetime | None = None) -> ArchiveSource:
        file = ArchiveFile(self.path, KEY, writable=False)
        return ArchiveSource(file, pass_at(file, at), Namespace())

    def rows(self) -> dict[str, int]:
        """How many there are of each kind."""
        with ArchiveFile(self.path, KEY, writable=False) as file:
            kinds = ("pass", "folder", "message", "placement", "blob")
            return {kind: file.one(f"SELECT count(*) FROM {kind}")[0] for kind in kinds}

    def view(self, number: int | None = None) -> dict[str, list[tuple[bytes, frozenset[str], datetime | None]]]:
        """What one pass has seen: folder → messages."""
        with ArchiveFile(self.path, KEY, writable=False) as file:
            chosen = pass_at(file, None) if number is None else passes(file)[number - 1]
            source = ArchiveSource(file, chosen, Namespace())
            return {info.name: sorted(_messages(source, info.name)) for info in source.folders()}


def _messages(source: ArchiveSource, name: str) -> Iterator[tuple[bytes, frozenset[str], datetime | None]]:
    for page in source.survey(name):
        if isinstance(page, Page):
            rows = {row.key: row for row in page.rows}
            for answer in source.read([Want(name, row.key, row.size) for row in rows.values()]):
                assert isinstance(answer, Letter), answer
                row = rows[answer.want.key]
                yield b"".join(answer.chunks()), row.flags, row.instant


def shown(server: MemoryServer) -> dict[str, list[tuple[bytes, frozenset[str], datetime | None]]]:
    return {
        name: sorted((item.octets, item.flags, item.instant) for item in folder.messages.values())
        for name, folder in server.folders.items()
    }


@pytest.fixture
def chest(world: World, tmp_path: Path) -> Chest:
    world.old = MemoryServer(Namespace("INBOX.", "."), clock=world.clock)
    for name in ("INBOX.Kunden", "INBOX.Kunden.Müller & Söhne"):
        world.old.make(name)
    for number in range(5):
        world.old.put("INBOX", mail(f"m{number % 3}"), "\\Seen", "Wichtig", instant=days(number))
        world.old.put("INBOX.Kunden.Müller & Söhne", mail(f"k{number}", size=3000), instant=days(number))
    return Chest(world, tmp_path)


def test_what_comes_out_is_what_went_in(chest: Chest) -> None:
    chest.archive()
    assert chest.view() == shown(chest.world.old)
    assert_sums(chest.world)


def test_what_we_deleted_at_the_server_by_wish_stays_in_every_later_point_in_time(chest: Chest) -> None:
    chest.archive()
    before = chest.view()
    with ArchiveFile(chest.path, KEY, writable=True) as file:
        (inbox,) = {row[0] for row in file.rows("SELECT min(folder) FROM message")}
        ours = [row[0] for row in file.rows("SELECT id FROM message WHERE folder = ? ORDER BY id LIMIT 2", (inbox,))]
        Holdings(file).note_removal(ours, "Anna Müller, by telephone", days(9))
    for uid in (1, 2, 3):
        chest.world.old.remove("INBOX", uid)
    for _ in range(2):
        chest.archive()
    after = chest.view()
    assert len(before["INBOX"]) - len(after["INBOX"]) == 1, "only what the customer deleted is gone"
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        record = passes(file)[-1].record
        assert record is not None
        assert (record.found, record.missing) == (9, 0)
        assert check(file).is_whole


def test_labels_are_kept_point_in_time_by_point_in_time_and_never_played_in_as_keywords(chest: Chest) -> None:
    old = chest.world.old
    old.folders["INBOX"].messages[1] = dataclasses.replace(
        old.folders["INBOX"].messages[1], flags=frozenset({"\\Seen", "label Kunden/Bücher"})
    )
    chest.archive()
    old.folders["INBOX"].messages[1] = dataclasses.replace(
        old.folders["INBOX"].messages[1], flags=frozenset({"\\Seen", "label Ablage"})
    )
    chest.archive()
    labels = [
        {flag for _, flags, _ in chest.view(number)["INBOX"] for flag in flags if flag.startswith("label ")}
        for number in (1, 2)
    ]
    assert labels == [{"label Kunden/Bücher"}, {"label Ablage"}]
    chest.world.source_of = lambda _: chest.source()
    chest.world.next_job()
    chest.world.run()
    assert not any(
        "label" in flag for item in chest.world.new.folders["INBOX"].messages.values() for flag in item.flags
    )
    assert chest.world.total("dropped_flags") == 0


def test_a_pass_over_unchanged_mail_writes_no_row_but_its_own(chest: Chest) -> None:
    chest.archive()
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        before = {
            name: file.one(f"SELECT count(*) FROM {name}")[0] for name in ("message", "placement", "blob", "folder")
        }
    chest.archive()
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        after = {
            name: file.one(f"SELECT count(*) FROM {name}")[0] for name in ("message", "placement", "blob", "folder")
        }
        assert len(passes(file)) == 2
    assert after == before
    assert before["blob"] == 8, "equal octets are stored once"


def test_what_changes_at_the_source_changes_in_the_next_pass_and_every_earlier_one_stays(chest: Chest) -> None:
    chest.archive()
    one = shown(chest.world.old)
    chest.world.old.remove("INBOX", 2)
    chest.world.old.folder("INBOX").messages[1] = dataclasses.replace(
        chest.world.old.folder("INBOX").messages[1], flags=frozenset({"\\Flagged"})
    )
    chest.world.old.move("INBOX.Kunden.Müller & Söhne", 1, "INBOX.Kunden")
    chest.world.old.put("INBOX", mail("new"), instant=days(30))
    chest.archive()
    two = shown(chest.world.old)
    del chest.world.old.folders["INBOX.Kunden.Müller & Söhne"]
    chest.archive()
    three = shown(chest.world.old)
    assert [chest.view(number) for number in (1, 2, 3)] == [one, two, three]
    assert chest.rows()["blob"] == 9, "moved and re-flagged mail is no new copy"


def test_an_incomplete_pass_is_no_point_in_time(chest: Chest) -> None:
    chest.archive()
    one = shown(chest.world.old)
    chest.world.old.put("INBOX", mail("new"), instant=days(30))
    chest.archive(complete=False)
    assert chest.view() == one
    chest.archive()
    assert chest.view() == shown(chest.world.old)
    assert chest.rows()["pass"] == 2, "the pass that was stopped went on"


def test_a_ledger_that_is_lost_doubles_nothing_in_the_archive(chest: Chest) -> None:
    chest.archive()
    before = shown(chest.world.old)
    with chest.world.db.writing() as session:
        session.execute(delete(LedgerEntry))
    chest.archive()
    assert chest.view() == before
    assert chest.rows()["message"] == 10


def test_played_in_everything_is_there_and_again_nothing_is_carried(chest: Chest) -> None:
    chest.archive()
    world = chest.world
    world.source_of = lambda _: chest.source()
    for _ in range(2):
        world.next_job()
        world.run()
        assert_same(world, {"INBOX": ("INBOX",), "Kunden/Müller & Söhne": ("INBOX.Kunden.Müller & Söhne",)})
        assert_sums(world)
    assert world.total("copied") == 0


def test_direct_copy_then_archive_then_play_in_leaves_one_copy_of_each(chest: Chest) -> None:
    world = chest.world
    world.run()
    world.old.put("INBOX", mail("late"), instant=days(40))
    chest.archive()
    world.source_of = lambda _: chest.source()
    world.next_job()
    world.run()
    assert_same(world, {"INBOX": ("INBOX",), "Kunden/Müller & Söhne": ("INBOX.Kunden.Müller & Söhne",)})
    assert (world.total("copied"), world.total("already_there")) == (1, 10)


def test_a_source_that_is_renumbered_between_passes_is_one_mailbox_all_the_same(chest: Chest) -> None:
    chest.archive()
    chest.world.old.renumber("INBOX")
    chest.world.old.put("INBOX", mail("late"), instant=days(40))
    chest.archive()
    assert chest.view() == shown(chest.world.old)
    assert chest.rows()["message"] == 11


def test_a_point_in_time_is_chosen_by_its_end(chest: Chest) -> None:
    chest.archive()
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        assert pass_at(file, datetime.now(UTC)).number == 1


@pytest.mark.slow
def test_a_process_may_die_at_every_step_of_a_second_pass(chest: Chest, tmp_path: Path) -> None:
    """It starts again at once: every pass shows what it saw, and nothing is stored twice."""
    chest.archive()
    one = shown(chest.world.old)
    chest.world.old.remove("INBOX", 2)
    chest.world.old.move("INBOX.Kunden.Müller & Söhne", 1, "INBOX.Kunden")
    chest.world.old.put("INBOX", mail("new"), instant=days(30))
    chest.world.old.folder("INBOX").messages[1] = dataclasses.replace(
        chest.world.old.folder("INBOX").messages[1], flags=frozenset({"\\Flagged"})
    )
    two = shown(chest.world.old)
    kept, seen = chest.path.read_bytes(), Witness()
    ledger = _ledger(chest.world)
    chest.archive(witness=seen)
    assert [chest.view(number) for number in (1, 2)] == [one, two]
    rows = chest.rows()
    for number in range(1, len(seen.steps) + 1):
        chest.path.write_bytes(kept)
        _put_back(chest.world, ledger)
        with pytest.raises(Died):
            chest.archive(witness=Witness(number))
        chest.archive()
        assert [chest.view(1), chest.view()] == [one, two], seen.steps[number - 1]
        found = chest.rows()
        assert {**found, "pass": 2} == {**rows, "pass": 2}, seen.steps[number - 1]


_KEPT = Folder.__table__, LedgerEntry.__table__


def _ledger(world: World) -> list[list[dict[str, object]]]:
    with world.db.reading() as session:
        return [[dict(row) for row in session.execute(select(table)).mappings()] for table in _KEPT]


def _put_back(world: World, tables: list[list[dict[str, object]]]) -> None:
    with world.db.writing() as session:
        for table in reversed(_KEPT):
            session.execute(delete(table))
        for table, rows in zip(_KEPT, tables, strict=True):
            session.execute(insert(table), rows)
