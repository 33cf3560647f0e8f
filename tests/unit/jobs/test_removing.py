"""Collected mail is deleted at the server only as the customer wished, and only what the archive proves to hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.archive.file import ArchiveFile
from migrator.archive.held import Holdings, removed_by_us
from migrator.archive.target import ArchiveTarget
from migrator.errors import ConnectionLost, DatabaseUnavailable, Stopped, UsageError
from migrator.jobs.removing import remove
from migrator.mail.folders import INBOX, Role
from migrator.mail.messages import MessageKey
from migrator.planning.leaving import Leaving
from migrator.ports import Batch, Letter, Parcel, Stored, Want
from tests.spoiling import change, flip
from tests.unit.sessions.maildrop import Maildrop
from tests.unit.sessions.scripted_pop3 import CUT, endpoint

KEY = bytes(range(32))
WISH = "Mrs Weber on the telephone, 22 November"
MAIL = [(b"u%d-x" % number, b"Subject: %d\r\n\r\n" % number + b"x" * 1000 * number + b"\r\n") for number in range(1, 5)]


class Stop:
    """Fulfils `ports.StopSignal`."""

    def __init__(self, wanted: Callable[[], bool] = lambda: False) -> None:
        self.wanted = wanted

    def may_commit(self) -> bool:
        return not self.wanted()


class Chest:
    """An archive of the maildrop's account."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with ArchiveFile(path, KEY, writable=True, create=True) as file:
            file.claim(endpoint().identity)

    def collect(self, mail: Sequence[tuple[bytes, bytes]], *, complete: bool = True) -> None:
        """One pass that sees these, or the beginning of one."""
        with ArchiveFile(self.path, KEY, writable=True) as file:
            target = ArchiveTarget(file)
            folder = target.ensure_folder(INBOX, Role.INBOX)
            parcels = [
                Parcel(number, _letter(uidl.decode(), octets), (), None) for number, (uidl, octets) in enumerate(mail)
            ]
            answers = list(target.append([Batch(folder, parcels)], may_commit=lambda: True))
            assert all(isinstance(answer, Stored) for answer in answers)
            if complete:
                target.finish({})

    def remove(
        self, *, days: int | None = 0, wish: str = WISH, stop: Stop | None = None, **more: Any
    ) -> dict[str, Any]:
        now = datetime.now(UTC) + more.pop("later", timedelta())
        end = more.pop("end", endpoint())
        with ArchiveFile(self.path, KEY, writable=more.pop("writable", True)) as file:
            return remove(
                end, file, policy=Leaving(days), wish=wish, stop=stop or Stop(), may_reach=None, now=now, **more
            )

    def notes(self) -> set[int]:
        with ArchiveFile(self.path, KEY, writable=False) as file:
            return set(removed_by_us(file))


def _letter(uidl: str, octets: bytes) -> Letter:
    want = Want("INBOX", MessageKey(0, 0, uidl), len(octets))
    return Letter(want, octets, len(octets), lambda: iter((octets,)))


@pytest.fixture
def chest(tmp_path: Path) -> Chest:
    return Chest(tmp_path / "anna.pwa")


@pytest.fixture
def drop() -> Iterator[Maildrop]:
    with Maildrop(MAIL) as found:
        yield found
        assert not found.said(b"RETR")


def test_at_once_means_all_that_was_collected_and_nothing_else(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL[:3])
    done = chest.remove()
    assert done == {
        "listed": 4, "removed": 3, "would_remove": 0, "kept": {"not_archived": 1}, "unknown": 0, "warnings": [],
        "noted": 3, "wish": WISH,
    }  # fmt: skip
    assert drop.uidls == [b"u4-x"]
    assert drop.connections[0].commands[-2:] == [b"RSET", b"QUIT"], "looking leaves no trace"
    assert not any(command.startswith(b"DELE") for command in drop.connections[0].commands)


def test_keeping_everything_deletes_nothing_and_needs_no_wish(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    done = chest.remove(days=None, wish="")
    assert (done["removed"], done["kept"], len(drop.connections)) == (0, {"keep_all": 4}, 1)


def test_after_so_many_days_and_not_before(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    young = chest.remove(days=14, later=timedelta(days=13, hours=23))
    assert (young["kept"], len(drop.connections)) == ({"too_young": 4}, 1)
    assert chest.remove(days=14, later=timedelta(days=14, hours=1))["removed"] == 4
    assert drop.uidls == []


def test_a_later_pass_makes_no_message_younger(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL[:1])
    change(chest.path, "UPDATE pass SET ended = ended - 20 * 86400")
    chest.collect(MAIL)
    assert chest.remove(days=14)["kept"] == {"too_young": 3}
    assert drop.uidls == [b"u2-x", b"u3-x", b"u4-x"]


def test_what_only_a_pass_that_was_not_completed_has_seen_stays(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL[:2])
    chest.collect(MAIL[2:], complete=False)
    assert chest.remove()["kept"] == {"pass_not_complete": 2}
    assert drop.uidls == [b"u3-x", b"u4-x"]


def test_what_the_latest_complete_pass_holds_no_more_stays(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    chest.collect([])
    change(chest.path, "UPDATE placement SET gone_pass = 2 WHERE message = 2")
    assert chest.remove()["kept"] == {"pass_not_complete": 1}
    assert drop.uidls == [b"u2-x"]


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (flip, (2, -1)),
        (change, ("UPDATE blob SET segment = 99 WHERE id = 2",)),
        (change, ("DELETE FROM blob WHERE id = 2",)),
        (change, ("UPDATE message SET blob = 3 WHERE id = 2",)),
        (change, ("UPDATE message SET sealed = zeroblob(60) WHERE id = 2",)),
        (change, ("UPDATE placement SET sealed = zeroblob(60) WHERE message = 2",)),
    ],
    ids=["one bit of its octets", "its octets", "its blob", "another's blob", "its entry", "its placement"],
)
def test_a_message_that_is_damaged_in_the_archive_stays(
    chest: Chest, drop: Maildrop, harm: Callable[..., None], what: tuple[object, ...]
) -> None:
    chest.collect(MAIL)
    harm(chest.path, *what)
    done = chest.remove()
    assert (done["removed"], done["kept"]) == (3, {"archive_unreadable": 1})
    assert drop.uidls == [b"u2-x"]


def test_octets_that_open_but_are_not_those_that_were_archived_prove_nothing(chest: Chest) -> None:
    chest.collect(MAIL)
    with ArchiveFile(chest.path, KEY, writable=False) as file:
        holdings = Holdings(file)
        kept = holdings.find("u1-x")
        assert kept is not None
        assert holdings.is_whole(kept)
        assert not holdings.is_whole(replace(kept, size=17))
        file.seal.address = lambda *_: b"another digest"
        assert not holdings.is_whole(kept)


def test_another_size_at_the_server_stays(chest: Chest, drop: Maildrop) -> None:
    chest.collect([*((b"v%d-x" % n, b"x") for n in range(30)), *MAIL])
    drop.mail = [*((b"v%d-x" % n, b"x") for n in range(30)), MAIL[0], (MAIL[1][0], b"another message\r\n")]
    assert chest.remove()["kept"] == {"archive_differs": 1}
    assert drop.uidls == [b"u2-x"]


def test_uidls_that_were_given_anew_delete_nothing(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    drop.mail = [(b"u%d-x" % (5 - number), octets) for number, (_, octets) in enumerate(MAIL, 1)]
    assert chest.remove()["kept"] == {"archive_differs": 4}
    assert len(drop.uidls) == 4


@pytest.mark.parametrize(
    ("change", "kept", "left"),
    [
        (lambda mail: [(b"new", b"n\r\n"), *mail], {}, [b"new"]),
        (lambda mail: mail[1:], {"changed": 1}, []),
        (lambda mail: [(b"z" + uidl, octets) for uidl, octets in mail], {"changed": 4}, None),
        (lambda mail: [(mail[0][0], b"other\r\n"), *mail[1:]], {"changed": 4}, None),
        (lambda mail: [*mail, mail[0]], {"changed": 4}, None),
    ],
    ids=["renumbered by new mail", "one gone", "other uidls", "another size", "a uidl twice"],
)
def test_what_changes_between_looking_and_removing_is_seen(
    chest: Chest, drop: Maildrop, change: Callable[[Any], Any], kept: Mapping[str, int], left: list[bytes] | None
) -> None:
    chest.collect(MAIL)

    def happen() -> None:
        drop.mail = change(drop.mail)

    drop.before[2] = happen
    done = chest.remove()
    assert done["kept"] == kept
    assert done["removed"] == 4 - sum(kept.values())
    assert drop.uidls == left if left is not None else not drop.said(b"DELE")


@pytest.mark.parametrize("answer", [b"-ERR not all\r\n", CUT])
def test_without_a_yes_to_quit_it_is_unknown_and_looked_at_again(chest: Chest, answer: bytes) -> None:
    chest.collect(MAIL)
    with Maildrop(MAIL, says=[{}, {b"QUIT": answer}]) as drop:
        done = chest.remove()
        assert (done["removed"], done["unknown"], done["kept"]) == (0, 4, {})
        drop.mail = MAIL[:2]
        again = chest.remove()
    assert (again["listed"], again["removed"], again["unknown"]) == (2, 2, 0)


def test_a_connection_cut_after_dele_deletes_nothing_and_the_next_run_does(chest: Chest) -> None:
    chest.collect(MAIL)
    with Maildrop(MAIL, says=[{}, {b"DELE 3": CUT}]) as drop:
        with pytest.raises(ConnectionLost):
            chest.remove()
        assert len(drop.uidls) == 4
        assert chest.remove()["removed"] == 4


def test_a_uidl_that_two_messages_share_or_that_is_missing_is_never_deleted(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    drop.mail = [*MAIL[:2], MAIL[0], (b"4", b"x\r\n")]
    assert chest.remove()["kept"] == {"uidl_not_unique": 2, "no_uidl": 1}
    assert drop.uidls == [b"u1-x", b"u1-x", b"4"]


def test_a_wish_to_stop_while_proving_opens_no_second_connection(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL)
    with pytest.raises(Stopped):
        chest.remove(stop=Stop(lambda: b"QUIT" in drop.said(b"QUIT")))
    assert (len(drop.connections), len(drop.uidls)) == (1, 4)


def test_a_rehearsal_deletes_nothing_and_writes_nothing(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL[:3])
    done = chest.remove(dry_run=True, writable=False)
    assert (done["removed"], done["would_remove"], done["kept"]) == (0, 3, {"not_archived": 1})
    assert (len(drop.connections), chest.notes()) == (1, set())


def test_before_the_server_is_asked_the_archive_knows_what_and_by_whose_wish(chest: Chest, drop: Maildrop) -> None:
    chest.collect(MAIL[:2])
    chest.remove()
    assert chest.notes() == {1, 2}
    assert WISH.encode() not in chest.path.read_bytes()
    chest.collect(MAIL)
    drop.mail = list(MAIL)
    before = len(drop.connections)
    with pytest.raises(DatabaseUnavailable):
        chest.remove(writable=False)
    assert (len(drop.connections), len(drop.uidls)) == (before + 1, 4), "what cannot be written down is not deleted"


def test_what_the_server_deletes_by_itself_is_warned_of(chest: Chest) -> None:
    chest.collect(MAIL)
    with Maildrop(MAIL, capabilities=[b"UIDL", b"EXPIRE 0"]):
        assert chest.remove(days=None)["warnings"] == ["expires_what_was_read"]


@pytest.mark.parametrize("wish", ["", "  \n"])
def test_without_a_wish_nobody_is_even_called(chest: Chest, drop: Maildrop, wish: str) -> None:
    chest.collect(MAIL)
    with pytest.raises(UsageError, match="without a wish"):
        chest.remove(wish=wish)
    assert drop.connections == []


@pytest.mark.parametrize(
    ("end", "words"),
    [({"user": "berta"}, "not of pop3://berta@"), ({"host": "else.example"}, "holds the mail of")],
)
def test_another_account_s_archive_proves_nothing(
    chest: Chest, drop: Maildrop, end: dict[str, str], words: str
) -> None:
    chest.collect(MAIL)
    with pytest.raises(UsageError, match=words):
        chest.remove(end=endpoint(**end))
    assert drop.connections == []


@pytest.mark.parametrize(
    ("protocol", "words"), [("imap", "Nothing is ever deleted over IMAP"), ("archive", "Nothing can be deleted over")]
)
def test_only_pop3_servers_are_asked(chest: Chest, drop: Maildrop, protocol: str, words: str) -> None:
    chest.collect(MAIL)
    with pytest.raises(UsageError, match=words):
        chest.remove(end=replace(endpoint(), protocol=protocol))
    assert drop.connections == []
