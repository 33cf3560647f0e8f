"""Folders of a target, made, opened and subscribed several at a time: all is asked before the first answer is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from migrator.errors import ConnectionLost, PostwagenError, Stopped
from migrator.mail.folders import Role
from migrator.ports import FolderWish
from migrator.sessions.imap.replies import folder_argument
from migrator.sessions.imap.session import ImapSession, Selected

ON_THE_WAY = 24
"""Commands: some servers break connections in which more is on its way (quirks.md, 14)."""
_USES = {
    Role.SENT: b"\\Sent",
    Role.DRAFTS: b"\\Drafts",
    Role.JUNK: b"\\Junk",
    Role.TRASH: b"\\Trash",
    Role.ARCHIVE: b"\\Archive",
}


def prepared(session: ImapSession, wishes: Sequence[FolderWish]) -> dict[str, Selected]:
    """Those that are there now, as they were opened, by full name; others are to be made with more patience."""
    found: dict[str, Selected] = {}
    asked: deque[_Asked] = deque()
    coming = deque(wishes)
    while coming or asked:
        while coming and sum(map(len, asked)) + 3 <= ON_THE_WAY:
            asked.append(_ask(session, coming.popleft()))
        for what, tag, name in asked.popleft():
            if what == "open":
                selected = _opened(session, tag, name)
                if selected is not None:
                    found[name] = selected
            else:
                session.wire.complete(tag)  # whatever the server says: what counts is whether it opens
    return found


_Asked = Sequence[tuple[str, bytes, str]]
"""Commands for one folder, in order: make, open or subscribe, the tag, the name."""


def _ask(session: ImapSession, wish: FolderWish) -> _Asked:
    """Make it where it is not there, open it, subscribe it where it shall be and is not."""
    name, wire = session.namespace.to_name(wish.path), session.wire
    asked = []
    if name not in session.names:
        asked.append(("make", wire.start(creation(session, name, wish.role)), name))
    asked.append(("open", session.begin_opening(name, writable=True), name))
    if wish.subscribe and name not in session.subscribed:
        asked.append(("subscribe", wire.start(b"SUBSCRIBE " + session.argument(name)), name))
    return asked


def _opened(session: ImapSession, opening: bytes, name: str) -> Selected | None:
    try:
        return session.opened(opening, name, writable=True)
    except (ConnectionLost, Stopped):
        raise
    except PostwagenError:
        return None  # said when it is asked for alone


def creation(session: ImapSession, name: str, role: Role | None, *, with_use: bool = True) -> bytes:
    """The command that makes a folder, for a role where the server keeps such (RFC 6154)."""
    if with_use and role in _USES and "CREATE-SPECIAL-USE" in session.capabilities:
        return b"CREATE %s (USE (%s))" % (folder_argument(name), _USES[role])
    return b"CREATE " + folder_argument(name)
