"""Reading messages of an open folder, without marking anything: `UID FETCH … (UID BODY.PEEK[])`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from migrator.errors import PostwagenError
from migrator.mail.messages import HEAD_OCTETS
from migrator.ports import Absence, Letter, Unread, Want
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import Fetched, fetched, set_argument
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.wire import Answer, Part
from migrator.sessions.spool import Spool

GROUP_OCTETS = 8 * 1024 * 1024
GROUP_MESSAGES = 500
_SUBSTITUTE = b"retrieval using the imap4 protocol failed for the following message"

Opener = Callable[[str], int]
"""Opens a folder for reading and returns its UIDVALIDITY."""


def read_letters(session: ImapSession, wants: Iterable[Want], opener: Opener) -> Iterator[Letter | Unread]:
    """One answer per want. Groups are cut by folder, octets and number, so that a stop is never far.

    While one group is read, the next one is asked for already: the server never waits for us.
    """
    reading: _Reading | None = None
    try:
        for group in _groups(wants):
            if reading is not None and reading.folder != group[0].folder:
                yield from reading.rest()
                reading = None
            if reading is None:
                reading = _Reading(session, group[0].folder, opener(group[0].folder))
            if any(want.key.validity != reading.validity for want in group):
                yield from (Unread(want, Absence.LATER, "UIDVALIDITY has changed") for want in group)
            else:
                yield from reading.ask(group)
        if reading is not None:
            yield from reading.rest()
    except GeneratorExit:
        if reading is not None:
            reading.forget()
        raise


def _groups(wants: Iterable[Want]) -> Iterator[list[Want]]:
    group: list[Want] = []
    octets = 0
    for want in wants:
        full = group and (octets + want.size > GROUP_OCTETS or len(group) >= GROUP_MESSAGES)
        if group and (full or group[0].folder != want.folder):
            yield group
            group, octets = [], 0
        group.append(want)
        octets += want.size
    if group:
        yield group


class _Reading:
    """The messages of one open folder: the answers to one command are read while the next one is on its way."""

    def __init__(self, session: ImapSession, folder: str, validity: int) -> None:
        self._session = session
        self.folder = folder
        self.validity = validity
        self._asked: deque[tuple[bytes, Generator[list[Part], None, Answer], dict[int, Want]]] = deque()
        """For each command on its way: its tag, its responses, and what is still missing of it."""
        self._left_out: list[Want] = []

    def ask(self, group: Sequence[Want]) -> Iterator[Letter | Unread]:
        """Ask for these, and deliver what was asked for before."""
        self._begin({want.key.uid: want for want in group})
        while len(self._asked) > 1:
            yield from self._deliver_group()

    def rest(self) -> Iterator[Letter | Unread]:
        """Everything that is still due. What an answer left out (quirks.md, 4) is asked for once more, alone."""
        while self._asked:
            yield from self._deliver_group()
        for want in self._left_out:
            alone = {want.key.uid: want}
            self._begin(alone)
            yield from self._deliver()
            if alone:
                yield _absent(self._session, want)

    def forget(self) -> None:
        """Read what is on its way and throw it away: it must not be taken for the answer to something else."""
        wire = self._session.wire
        try:
            for tag, run, _ in self._asked:
                while tag in wire.waiting and not wire.dropped:  # else another command has read it already
                    for part in next(run, ()):
                        if isinstance(part, Spool):
                            part.close()
        except PostwagenError:
            wire.drop()

    def _begin(self, missing: dict[int, Want]) -> None:
        command = b"UID FETCH %s (UID BODY.PEEK[])" % set_argument(sorted(missing))
        wire = self._session.wire
        tag = wire.start(command)
        self._asked.append((tag, wire.finish(tag), missing))

    def _deliver_group(self) -> Iterator[Letter | Unread]:
        missing = self._asked[0][2]
        yield from self._deliver()
        self._left_out.extend(missing.values())

    def _deliver(self) -> Iterator[Letter | Unread]:
        """What the server sends of the oldest command; it is taken out of `missing`."""
        _, run, missing = self._asked[0]
        while True:
            try:
                parts = next(run)
            except StopIteration as end:
                answer: Answer = end.value
                break
            got = fetched(parts)
            want = missing.get(got.uid or 0) if got else None
            if got is None or want is None or "BODY[]" not in got.items:
                if got is not None:
                    got.close()
                continue
            letter = _letter(got, want)
            if letter is not None:
                del missing[want.key.uid]
                yield letter
        self._asked.popleft()
        busy = translate.busy(answer.text) if answer.status != "OK" else None
        if busy:
            raise busy


def _letter(got: Fetched, want: Want) -> Letter | Unread | None:
    """The message delivered; None where it was NIL although there should be octets (asked again, alone)."""
    body = got.items["BODY[]"]
    if isinstance(body, bytes):  # a quoted string (quirks.md, 23)
        spool = Spool(0, HEAD_OCTETS)
        spool.write(body, HEAD_OCTETS)
        body = spool
    if not isinstance(body, Spool):
        if want.size > 0:
            return None
        body = Spool(0, HEAD_OCTETS)
    if body.size == 0 and want.size > 0:
        return Unread(want, Absence.EMPTY, f"announced {want.size} octets, delivered none")
    if body.size != want.size and _SUBSTITUTE in body.head[:2048].lower():  # of the announced size it is a real mail
        body.close()
        return Unread(want, Absence.SUBSTITUTE, "the server sent a notice instead of the message")
    return Letter(want, body.head, body.size, body.chunks, body.close, tail=body.tail)


def _absent(session: ImapSession, want: Want) -> Unread:
    """A message that was not delivered even alone: gone, or withheld (traps.md, K)?"""
    _, responses = session.command(b"UID FETCH %d (UID RFC822.SIZE)" % want.key.uid)
    for parts in responses:
        got = fetched(parts)
        if got is not None and got.uid == want.key.uid:
            return Unread(want, Absence.EMPTY, "the server lists the message but does not deliver it")
    return Unread(want, Absence.GONE)
