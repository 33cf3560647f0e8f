"""The unruly server, without any bad habit, is a server like others: else nothing that is seen with it counts."""

from __future__ import annotations

from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import OrderlyImap


def test_between_two_orderly_servers_everything_arrives_once(copy: Copy) -> None:
    with OrderlyImap(*map(letter, range(30))) as old, OrderlyImap() as new:
        old.box(b"Sent", b"\\Sent").add(letter(100), [b"\\Seen"], b"31-Dec-2009 23:59:58 +0100")
        told = copy(old, new)
        assert told.code == 0
        assert told.json["messages"]["copied"] == 31
        assert sorted(new.marks()) == sorted(old.marks())
        assert [mail.flags for mail in new.boxes[b"Sent"].mails] == [(b"\\Seen",)]
        again = copy(old, new)
        assert again.json["messages"]["already_there"] == 31
        assert again.json["messages"]["copied"] == 0
