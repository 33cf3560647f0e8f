"""Several folders listed at once: all are asked for before the first answer is read.

Only where everything comes as it should: else what is due is read and thrown away, and the folder is listed as usual.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from migrator.errors import FolderRefused, PostwagenError
from migrator.mail.messages import Row
from migrator.sessions.imap import listing
from migrator.sessions.imap.session import ImapSession, Selected

ON_THE_WAY = 12
"""Folders, with two commands each: some servers break connections in which more is on its way (quirks.md, 14)."""


class Listed(NamedTuple):
    """A folder as it was opened, and its rows from that UID on."""

    selected: Selected
    floor: int
    rows: list[Row]


class _Due(NamedTuple):
    """A folder, and the tags of its opening and its listing."""

    folder: str
    floor: int
    opening: bytes
    rows: bytes


class Foreseen:
    """Folders that will be listed in this order; each holds messages, and not many."""

    def __init__(self, session: ImapSession, folders: Sequence[tuple[str, int]], *, writable: bool) -> None:
        """Names, and from which UID on. `writable`: they are opened by SELECT, not by EXAMINE."""
        self._session = session
        self._folders = deque(folders)
        self._writable = writable
        self._due: deque[_Due] = deque()
        """What was asked for, and not been read."""

    def take(self, folder: str) -> Listed | None:
        """The folder and its rows; None: it is to be asked as usual, and nothing is due on the connection any more."""
        self._ask()
        found = self._read() if self._due and self._due[0].folder == folder else None
        hides = found is not None and found.floor == 1 and len(found.rows) < found.selected.messages
        if found is None or hides or self._session.wire.expunged:
            self.drop()
            return None
        return found

    def _ask(self) -> None:
        """As many as may be on the way."""
        while self._folders and len(self._due) < ON_THE_WAY:
            name, floor = self._folders.popleft()
            opening = self._session.begin_opening(name, writable=self._writable)
            command = b"UID FETCH %d:*" % floor if floor > 1 else b"FETCH 1:*"
            self._due.append(_Due(name, floor, opening, listing.begin(self._session, command)))

    def _read(self) -> Listed | None:
        """What is due next; None: it was refused. Whatever else is wrong ends the connection."""
        due = self._due.popleft()
        selected: Selected | None = None
        try:
            with suppress(FolderRefused):  # asked once more, and said then
                selected = self._session.opened(due.opening, due.folder, writable=self._writable)
            page, answer = listing.listed(self._session, due.rows, selected.validity if selected else 0)
        except PostwagenError:
            self._due.clear()
            self._session.wire.drop()
            raise
        if selected is None:
            return None
        if answer.status == "BAD":
            self._session.manners.misunderstood()
        if answer.status != "OK":
            return None
        return Listed(selected, due.floor, [row for row in page if row.key.uid >= due.floor])

    def drop(self) -> None:
        """Nobody wants the others: what is on its way is read, and not taken for the answer to something else."""
        self._folders.clear()
        while self._due:
            self._read()
