"""Reading messages, several at a time where the server allows it (RFC 1939, 5 and 7; RFC 2449, 6.6).

TOP with more lines than a message has gives all of it, and marks nothing on most servers, where RETR marks it as read.
What TOP gives is believed where it is as long as LIST says; everything else is read by RETR.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

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
ALL_LINES = 99_999_999
"""More than any message has; servers are known that refuse a larger number."""
MOST_UNPROVEN = 8
"""So often we read a message twice; then the server's sizes are of no use, or its TOP, and RETR reads the rest."""

Numbered = tuple[int, Want]


def read_letters(session: Pop3Session, wants: Iterable[Numbered]) -> Iterator[Letter | Unread]:
    """One answer per want. Left in the middle, the connection is dropped: answers are still on their way.

    RSET takes marks back where there are any: Dovecot keeps them when a connection breaks, as it does when we are
    killed. So it comes behind each RETR, and behind each window of TOPs for servers that mark there too.
    """
    for group in _windows(wants):
        unproven = group
        if _peeks(session):
            unproven = []
            for item, answer in _answers(session, b"TOP %%d %d" % ALL_LINES, group):
                if session.octets.dropped or (isinstance(answer, Letter) and is_whole(answer)):
                    yield answer
                else:
                    unproven.append(item)
                    if isinstance(answer, Letter):
                        answer.close()
            session.unproven += len(unproven)
        for _, answer in _answers(session, b"RETR %d", unproven, forget_each=True):
            yield answer


def _peeks(session: Pop3Session) -> bool:
    """Whether TOP is to be tried: a server without CAPA may know it all the same."""
    offered = "TOP" in session.capabilities or not session.capabilities
    return offered and session.unproven < MOST_UNPROVEN


def is_whole(letter: Letter) -> bool:
    """Whether it is as long as announced, with each line end counted as two octets or as one.

    A line end that the server had to add at the very end may be counted or not (quirks.md, 62).
    """
    size, announced = letter.size, letter.want.size
    if announced in (size, size - 2):
        return announced > 0
    ends = sum(chunk.count(b"\n") for chunk in letter.chunks())
    return announced > 0 and announced in (size - ends, size - ends - 1)


def _answers(
    session: Pop3Session, command: bytes, group: Sequence[Numbered], *, forget_each: bool = False
) -> Iterator[tuple[Numbered, Letter | Unread]]:
    """Ask for each of the group, all at once where the server pipelines; RSET behind the last, or behind each."""
    pipeline = "PIPELINING" in session.capabilities
    asked = [(item, command % item[0], forget_each or item is group[-1]) for item in group]
    if pipeline and asked:
        session.octets.send(b"".join(line + b"\r\n" + forget * b"RSET\r\n" for _, line, forget in asked))
    waiting = deque(asked)
    try:
        while waiting:
            item, line, forget = waiting[0]
            if not pipeline:
                session.octets.send(line + b"\r\n")
            answer = _answer(session, item[1])
            if forget and not session.octets.dropped:
                if not pipeline:
                    session.octets.send(b"RSET\r\n")
                session.reply()
            waiting.popleft()
            yield item, answer
    finally:
        if waiting:
            session.octets.drop()


def _windows(wants: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    group: list[Numbered] = []
    octets = 0
    for item in wants:
        if group and (len(group) >= WINDOW_MESSAGES or octets + item[1].size > WINDOW_OCTETS):
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
    spool, reader = Spool(want.size, HEAD_OCTETS), DotReader()
    try:
        _receive(session, spool, reader)
    except BaseException:
        spool.close()
        session.octets.drop()
        raise
    if spool.size == 0 and want.size > 0:  # Dovecot 2.3 forgets to stuff a dot that begins a mail: out of step now
        spool.close()
        session.octets.drop()
        return Unread(want, Absence.EMPTY, f"announced {want.size} octets, delivered none")
    if reader.opened_with_two and want.size in (spool.size + 1, spool.size - 1):  # it was forgotten here too
        head = (b"." + spool.head)[:HEAD_OCTETS]
        return Letter(want, head, spool.size + 1, lambda: chain((b".",), spool.chunks()), spool.close)
    return Letter(want, spool.head, spool.size, spool.chunks, spool.close, tail=spool.tail)


def _receive(session: Pop3Session, spool: Spool, reader: DotReader) -> None:
    while not reader.ended:
        octets = reader.feed(session.octets.some())
        if octets:
            spool.write(octets, HEAD_OCTETS)
        if spool.size > MOST_OCTETS:
            raise ConnectionLost("The server sends a message without end.")
    session.octets.give_back(reader.rest)
