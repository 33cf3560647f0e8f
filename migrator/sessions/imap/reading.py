"""Reading messages of an open folder, without marking anything: `UID FETCH … (UID BODY.PEEK[])`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from migrator.errors import ConnectionLost, FolderRefused, PostwagenError
from migrator.mail.messages import HEAD_OCTETS
from migrator.ports import Absence, Letter, Unread, Want
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import Fetched, fetched, is_in_step, set_argument
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.window import Moment
from migrator.sessions.imap.wire import Answer, Part
from migrator.sessions.spool import Spool

GROUP_OCTETS = 8 * 1024 * 1024
GROUP_MESSAGES = 500
_SUBSTITUTE = b"retrieval using the imap4 protocol failed for the following message"


def read_letters(session: ImapSession, wants: Iterable[Want], *, writable: bool) -> Iterator[Letter | Unread]:
    """One answer per want, folder by folder. Groups are cut by folder, octets and number, so that a stop is never far.

    While one group is read, the next ones are asked for already, those of the next folders too: the server never waits
    for us. `writable`: folders are opened by SELECT, not by EXAMINE.
    """
    reading = _Reading(session, _groups(wants), writable=writable)
    try:
        yield from reading.letters()
    except GeneratorExit:
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


@dataclass(slots=True)
class _Asked:
    """A group on its way: its folder, the tags of its commands, and what is missing of it by UID."""

    folder: str
    opening: bytes | None
    """None: the folder is open by then."""
    fetch: bytes
    run: Generator[list[Part], None, Answer]
    octets: int
    begun: Moment
    behind: bool
    """It was sent before everything else was answered."""
    missing: dict[int, Want]


class _Reading:
    """One run of reading. Folders are opened on the way, each behind the messages of the one before."""

    def __init__(self, session: ImapSession, groups: Iterator[list[Want]], *, writable: bool) -> None:
        self._session = session
        self._writable = writable
        self._groups = groups
        self._again: deque[list[Want]] = deque()
        """Groups that come first: they were taken already, or asked for in vain."""
        self._asked: deque[_Asked] = deque()
        self._open = self._opened()
        """The folder that will be open when all that is on the way has been answered."""
        self._left_out: list[Want] = []
        """What the answers have left out of the folder that is being read (quirks.md, 4)."""
        self._hurried = False
        """Some of that only because it was asked for behind something else."""

    def letters(self) -> Iterator[Letter | Unread]:
        """Everything. What an answer left out is asked for once more, alone, before the next folder is read."""
        while True:
            yield from self._ask_for_more()
            if not self._asked:
                return
            folder = self._asked[0].folder
            yield from self._delivered()
            if self._left_out and self._next_folder() != folder:
                yield from self._asked_alone()

    def forget(self) -> None:
        """Read what is on its way and throw it away: it must not be taken for the answer to something else."""
        wire = self._session.wire
        try:
            while self._asked and not wire.dropped:
                asked = self._asked.popleft()
                if asked.opening is not None:
                    with suppress(FolderRefused):
                        self._session.opened(asked.opening, asked.folder, writable=self._writable)
                while asked.fetch in wire.waiting and not wire.dropped:  # else another command has read it already
                    for part in next(asked.run, ()):
                        if isinstance(part, Spool):
                            part.close()
                wire.ended.pop(asked.fetch, None)
        except PostwagenError:
            wire.drop()

    # ---- asking --------------------------------------------------------------------------------------------------

    def _ask_for_more(self) -> Iterator[Unread]:
        """As much as may be on its way. Messages that have other keys by now are not asked for."""
        while (group := self._coming()) is not None and self._is_room(group):
            self._again.popleft()
            if self._is_renumbered(group):
                yield from map(_later, group)
            else:
                self._ask(group)

    def _coming(self) -> list[Want] | None:
        """The group that comes next, which it remains."""
        if not self._again:
            self._again.extend(islice(self._groups, 1))
        return self._again[0] if self._again else None

    def _next_folder(self) -> str | None:
        if self._asked:
            return self._asked[0].folder
        group = self._coming()
        return group[0].folder if group else None

    def _is_room(self, group: Sequence[Want]) -> bool:
        """Whether it may be asked for behind those on their way. Another folder waits where something of this one is to
        be asked again, or where its name may be written wrongly (`ImapSession.names`)."""
        if not self._asked:
            return True
        if self._open != group[0].folder and (self._left_out or not self._session.names):
            return False
        octets = sum([asked.octets for asked in self._asked]) + sum([want.size for want in group])
        return self._session.reading.admits(len(self._asked), octets)

    def _opened(self) -> str | None:
        selected = self._session.selected
        return selected.name if selected is not None and selected.writable == self._writable else None

    def _is_renumbered(self, group: Sequence[Want]) -> bool:
        """Whether the folder, which is open already, has given its messages other keys."""
        selected = self._session.selected
        if selected is None or not group[0].folder == self._open == self._opened():
            return False
        return any(want.key.validity != selected.validity for want in group)

    def _ask(self, group: Sequence[Want]) -> None:
        folder, opening = group[0].folder, None
        if self._open != folder:
            if self._session.names and not self._session.manners.is_modest:
                opening = self._session.begin_opening(folder, writable=self._writable)
            else:
                self._session.open_folder(folder, writable=self._writable)
            self._open = folder
        missing = {want.key.uid: want for want in group}
        fetch = self._session.wire.start(b"UID FETCH %s (UID BODY.PEEK[])" % set_argument(sorted(missing)))
        run, octets = self._session.wire.finish(fetch), sum(want.size for want in group)
        begun, behind = self._session.reading.moment(time.monotonic()), bool(self._asked) or opening is not None
        self._asked.append(_Asked(folder, opening, fetch, run, octets, begun, behind, missing))

    def _asked_alone(self) -> Iterator[Letter | Unread]:
        """What was left out, message by message, or first in groups; the folders behind this one are asked for once
        more."""
        taken_back = [list(asked.missing.values()) for asked in self._asked if asked.missing]
        self.forget()
        self._again.extendleft(reversed(taken_back))
        self._open = self._opened()
        left_out, self._left_out = self._left_out, []
        if self._hurried:
            for group in _groups(left_out):
                self._ask(group)
                yield from self._delivered()
            left_out, self._left_out, self._hurried = self._left_out, [], False
        for want in left_out:
            self._ask([want])
            yield from self._delivered()
            if self._left_out:
                yield _absent(self._session, want)
                self._left_out = []

    # ---- what comes ----------------------------------------------------------------------------------------------

    def _delivered(self) -> Iterator[Letter | Unread]:
        """What the server sends of the group that was asked for first."""
        asked = self._asked[0]
        self._reach(asked)
        selected = self._session.selected
        renumbered = selected is None or any(want.key.validity != selected.validity for want in asked.missing.values())
        answer: Answer | None = self._session.wire.ended.pop(asked.fetch, None)
        while answer is None:
            try:
                parts = next(asked.run)
            except StopIteration as end:
                answer = end.value
                break
            if not is_in_step(parts):
                self._session.wire.drop()
                raise ConnectionLost("The server sent a message of another length than it announced.")
            got = fetched(parts)
            if got is None:
                continue
            uid = got.uid or 0
            group = asked if uid in asked.missing else self._behind(asked.folder, uid)
            if group is None or renumbered or "BODY[]" not in got.items:
                got.close()
                continue
            letter = _letter(got, group.missing[uid])
            if letter is not None:
                del group.missing[uid]
                yield letter
        self._asked.popleft()
        now, nearest = time.monotonic(), self._session.wire.nearest
        delivered = asked.octets - sum([want.size for want in asked.missing.values()])
        self._session.reading.answered(asked.begun, delivered, now, nearest)
        if asked.behind and answer and answer.status == "BAD":
            self._hurried |= self._session.manners.misunderstood()
        busy = translate.passing(answer.text) if answer and answer.status != "OK" else None
        if busy:
            raise busy
        if renumbered:
            yield from map(_later, asked.missing.values())
        else:
            self._left_out.extend(asked.missing.values())

    def _behind(self, folder: str, uid: int) -> _Asked | None:
        """Whose message it is: Dovecot, for one, works on four commands at once, and mixes what they bring."""
        for one in self._asked:
            if uid in one.missing and one.folder == folder:
                return one
        return None

    def _reach(self, asked: _Asked) -> None:
        """Open its folder, where that was asked for with it. Raises FolderRefused: nothing is on its way then."""
        if asked.opening is not None:
            opening, asked.opening = asked.opening, None
            try:
                self._session.opened(opening, asked.folder, writable=self._writable)
            except FolderRefused:
                self.forget()
                raise


def _later(want: Want) -> Unread:
    return Unread(want, Absence.LATER, "UIDVALIDITY has changed")


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
