"""Reading messages: RETR, several at a time where the server allows it (RFC 1939, 5; RFC 2449, 6.6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from migrator.errors import ConnectionLost
from migrator.mail.messages import HEAD_OCTETS
from migrator.ports import Absence, Letter, Unread, Want
from migrator.sessions.pop3 import translate
from migrator.sessions.pop3.dots import DotReader
from migrator.sessions.pop3.session import Pop3Session
from migrator.sessions.spool import Spool

WINDOW_MESSAGES = 32
WINDOW_OCTETS = 4 * 1024 * 1024
"""So much may be asked for ahead; a message larger than that travels alone."""
MOST_OCTETS = 2**32 - 1
"""A message without end would fill our disk."""

Numbered = tuple[int, Want]


def read_letters(session: Pop3Session, wants: Iterable[Numbered]) -> Iterator[Letter | Unread]:
    """One answer per want, in order. Left in the middle, the connection is dropped: answers are still on their way.

    RSET comes with each window, and not only at the end: Dovecot marks what was read since the last one when a
    connection breaks, as it does when we are killed.
    """
    asked: deque[Numbered] = deque()
    pipeline = "PIPELINING" in session.capabilities
    alone = 0
    try:
        for group in _windows(wants, WINDOW_MESSAGES if pipeline else 1):
            session.octets.send(b"".join(b"RETR %d\r\n" % number for number, _ in group) + pipeline * b"RSET\r\n")
            asked.extend(group)
            alone += 1
            while asked:
                answer = _answer(session, asked[0][1])
                if len(asked) == 1 and not session.octets.dropped:
                    alone = _forget_marks(session, alone, pipeline)
                asked.popleft()
                yield answer
    finally:
        if asked:
            session.octets.drop()


def _forget_marks(session: Pop3Session, alone: int, pipeline: bool) -> int:
    """Hear RSET's answer; where nothing may be sent ahead, say it now and then. How many were read since the last."""
    if pipeline:
        session.reply()
    elif alone >= WINDOW_MESSAGES:
        session.command(b"RSET")
    else:
        return alone
    return 0


def _windows(wants: Iterable[Numbered], most: int) -> Iterator[list[Numbered]]:
    group: list[Numbered] = []
    octets = 0
    for item in wants:
        if group and (len(group) >= most or octets + item[1].size > WINDOW_OCTETS):
            yield group
            group, octets = [], 0
        group.append(item)
        octets += item[1].size
    if group:
        yield group


def _answer(session: Pop3Session, want: Want) -> Letter | Unread:
    reply = session.reply()
    if not reply.ok:
        busy = translate.busy(reply.text)
        if busy:
            session.octets.drop()
            raise busy
        return Unread(want, Absence.EMPTY, reply.text or "the server lists the message but does not deliver it")
    spool = Spool(want.size, HEAD_OCTETS)
    try:
        _receive(session, spool)
    except BaseException:
        spool.close()
        session.octets.drop()
        raise
    if spool.size == 0 and want.size > 0:  # Dovecot 2.3 forgets to stuff a dot that begins a mail: out of step now
        spool.close()
        session.octets.drop()
        return Unread(want, Absence.EMPTY, f"announced {want.size} octets, delivered none")
    return Letter(want, spool.head, spool.size, spool.chunks, spool.close)


def _receive(session: Pop3Session, spool: Spool) -> None:
    reader = DotReader()
    while not reader.ended:
        octets = reader.feed(session.octets.some())
        if octets:
            spool.write(octets, HEAD_OCTETS)
        if spool.size > MOST_OCTETS:
            raise ConnectionLost("The server sends a message without end.")
    session.octets.give_back(reader.rest)
