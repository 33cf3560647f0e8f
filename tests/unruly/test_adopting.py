"""What another tool, another ledger or the customer has put there already is recognised one to one, and not doubled."""

from __future__ import annotations

from pathlib import Path

from tests.servers.command import Postwagen
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import OrderlyImap

MAILS = [letter(number) for number in range(12)]


def marked(octets: bytes, number: int) -> bytes:
    """As mbsync stores it."""
    header, gap, body = octets.partition(b"\r\n\r\n")
    return header + b"\r\nX-TUID: %012d" % number + gap + body


def test_mail_that_mbsync_has_carried_is_not_doubled(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, OrderlyImap(*(marked(mail, at) for at, mail in enumerate(MAILS[:8]))) as new:
        told = copy(old, new, altering=True)
        assert told.code == 0
        assert told.json["messages"] == {**told.json["messages"], "copied": 4, "already_there": 8}
        assert len(new.marks()) == 12


def test_of_twins_as_many_are_adopted_as_lie_there(copy: Copy) -> None:
    with OrderlyImap(MAILS[0], MAILS[0], MAILS[0], MAILS[1]) as old, OrderlyImap(MAILS[0], MAILS[0]) as new:
        told = copy(old, new)
        assert told.json["messages"] == {**told.json["messages"], "copied": 2, "already_there": 2}
        assert sorted(new.marks()) == sorted(old.marks())


def test_what_only_looks_alike_is_not_adopted(copy: Copy) -> None:
    """The same Message-ID, date and length; another body."""
    other = MAILS[3].replace(b"The body", b"Tie body")
    with OrderlyImap(MAILS[3]) as old, OrderlyImap(other) as new:
        told = copy(old, new, altering=True)
        assert told.json["messages"]["copied"] == 1
        assert len(new.marks()) == 2


def test_a_new_ledger_a_renamed_host_and_a_renamed_login_double_nothing(tmp_path: Path) -> None:
    with OrderlyImap(*MAILS) as old, OrderlyImap() as new:
        target = f"imap://info%40new.example@127.0.0.1:{new.port}?security=none"
        for number, who in enumerate(
            ("info%40old.example@127.0.0.1", "info%40old.example@localhost", "info@127.0.0.1")
        ):
            postwagen = Postwagen(tmp_path / str(number % 2), "secret", "secret", quiet_seconds=0)
            ran = postwagen.call("copy", f"imap://{who}:{old.port}?security=none", target, "--json")
            assert ran.code == 0, ran
            assert ran.json["messages"]["copied"] == (0 if number else 12)
        assert sorted(new.marks()) == sorted(old.marks())


def test_candidates_are_read_in_ranges_and_never_one_by_one(copy: Copy) -> None:
    with OrderlyImap(*MAILS) as old, OrderlyImap(*MAILS) as new:
        assert copy(old, new).json["messages"]["already_there"] == 12
        assert sum(b"BODY.PEEK[]" in line for line in new.heard) == 1
