"""What has changed in a folder since a state of it (CONDSTORE, RFC 7162), without listing the rest.

QRESYNC would tell what has vanished, too, but ENABLE QRESYNC turns every EXPUNGE of the connection into VANISHED, on
which the windows of a listing rest. So whatever has vanished makes the folder be listed once.
"""

from __future__ import annotations

from migrator.mail.messages import Row
from migrator.ports import Changes, Opened
from migrator.sessions.imap import listing
from migrator.sessions.imap.folders import numbers_of
from migrator.sessions.imap.session import ImapSession

AT_ONCE = 20_000
"""So many messages are asked for in one command,"""
MOST = 20_000
"""and where so many have changed, all may as well be listed, page by page."""


def changed_since(session: ImapSession, folder: str, state: str) -> Changes | None:
    """None: nobody can tell from this state, or something has vanished, or not as many are new as the server's other
    numbers say. Raises FolderRefused."""
    then = numbers_of(state)
    if then is None or "CONDSTORE" not in session.capabilities:
        return None
    selected = session.open_folder(folder, writable=False, again=True)
    if selected.validity != then.validity:
        return None
    rows: list[Row] = []
    for first in range(1, selected.messages + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, selected.messages)
        tag = listing.begin(session, b"FETCH %d:%d" % (first, last), b" (CHANGEDSINCE %d)" % then.modseq)
        page, answer = listing.listed(session, tag, selected.validity)
        rows += page
        if answer.status != "OK" or session.wire.expunged or len(rows) > MOST:
            return None
    new = sum(row.key.uid >= then.uidnext for row in rows)
    if new != selected.messages - then.messages or new != selected.uidnext - then.uidnext:
        return None
    return Changes(Opened(folder, selected.validity, selected.uidnext, selected.messages), rows)
