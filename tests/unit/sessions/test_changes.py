"""What a server with CONDSTORE says of a folder that was seen before; whatever is odd makes it be listed as usual."""

from __future__ import annotations

import pytest

from migrator.errors import FolderRefused
from migrator.ports import Changes
from migrator.sessions.imap import changes as changes_module
from migrator.sessions.imap.source import ImapSource
from tests.unit.sessions.scripted import SELECTED, Say, ScriptedServer, talking_to

Patch = pytest.MonkeyPatch
CAPABILITY = b"* CAPABILITY IMAP4rev1 CONDSTORE AUTH=PLAIN\r\n"
STATE = "2/77/9/500"
"""Messages, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ: the server has three messages now (`SELECTED`)."""
NEW = b'* 3 FETCH (UID 9 FLAGS () INTERNALDATE " 5-Mar-2001 01:02:03 +0000" RFC822.SIZE 7 MODSEQ (501))\r\n'
FLAGGED = b'* 1 FETCH (UID 4 FLAGS (\\Seen) INTERNALDATE " 5-Mar-2001 01:02:03 +0000" RFC822.SIZE 9 MODSEQ (502))\r\n'


def told(monkeypatch: Patch, fetch: Say, state: str = STATE, **says: Say) -> tuple[Changes | None, list[bytes]]:
    server = ScriptedServer(**{"FETCH": fetch, "CAPABILITY": CAPABILITY, **says})
    with talking_to(server, monkeypatch) as session:
        found = ImapSource(session).changes("INBOX", state)
    return found, [command for command in server.commands if command.startswith((b"EXAMINE", b"FETCH"))]


def test_only_what_has_changed_is_asked_for(monkeypatch: Patch) -> None:
    found, commands = told(monkeypatch, FLAGGED + NEW)
    assert found is not None
    assert [(row.key.uid, row.size, row.flags) for row in found.rows] == [(4, 9, {"\\Seen"}), (9, 7, set())]
    assert (found.opened.validity, found.opened.messages) == (77, 3)
    items = b"(UID FLAGS INTERNALDATE RFC822.SIZE) (CHANGEDSINCE 500)"
    assert commands == [b'EXAMINE "INBOX"', b"FETCH 1:3 " + items]


def test_a_large_folder_is_asked_in_windows(monkeypatch: Patch) -> None:
    monkeypatch.setattr(changes_module, "AT_ONCE", 2)
    found, commands = told(monkeypatch, lambda line: NEW if b"3:3" in line else FLAGGED)
    assert found is not None
    assert [row.key.uid for row in found.rows] == [4, 9]
    assert [command.split()[1] for command in commands[1:]] == [b"1:2", b"3:3"]


@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(FLAGGED, id="something vanished, and as much came"),
        pytest.param(FLAGGED + NEW + NEW.replace(b"UID 9", b"UID 10"), id="something vanished, more came"),
        pytest.param(FLAGGED, id="something came, and is not told"),
        pytest.param(b"* 2 EXPUNGE\r\n" + NEW, id="something vanishes now"),
        pytest.param(b"%t NO not now\r\n", id="refused"),
        pytest.param(b"%t BAD no such modifier\r\n", id="not understood"),
    ],
)
def test_what_does_not_add_up_is_not_believed(monkeypatch: Patch, fetch: bytes) -> None:
    assert told(monkeypatch, fetch)[0] is None


def test_where_much_has_changed_the_folder_is_listed_page_by_page(monkeypatch: Patch) -> None:
    monkeypatch.setattr(changes_module, "MOST", 1)
    assert told(monkeypatch, FLAGGED + NEW)[0] is None


def test_another_uidvalidity_is_another_folder(monkeypatch: Patch) -> None:
    found, commands = told(monkeypatch, FLAGGED + NEW, EXAMINE=SELECTED.replace(b"77", b"78"))
    assert found is None
    assert commands == [b'EXAMINE "INBOX"']


@pytest.mark.parametrize("state", ["", "x", "1/2/3", "1/2/3/4/5", "2/77/8/-5", "2/77/8/²"])
def test_a_state_that_is_none_of_ours_asks_nothing(monkeypatch: Patch, state: str) -> None:
    assert told(monkeypatch, FLAGGED, state) == (None, [])


def test_a_server_without_condstore_is_asked_nothing(monkeypatch: Patch) -> None:
    assert told(monkeypatch, NEW, CAPABILITY=CAPABILITY.replace(b" CONDSTORE", b"")) == (None, [])


def test_a_folder_that_cannot_be_opened_is_refused(monkeypatch: Patch) -> None:
    with pytest.raises(FolderRefused):
        told(monkeypatch, NEW, EXAMINE=b"%t NO gone\r\n")
