"""APPEND and MULTIAPPEND (RFC 3502), so that a message is stored once or not at all, and we know which.

* Every argument comes from the closed encoder (`replies`), never from a mail (traps.md, A). A literal is sent without
  waiting (LITERAL+, RFC 7888) only after this connection has taken a message, and each of its keywords once, and with a
  date that every server can keep; any BAD drops it. (Of the five system flags only those come here that the open folder
  says it keeps, and how a command is read does not depend on the folder.)
* The commit point: without the final CRLF nothing is stored. Those two octets are held back until `may_commit()`
  (traps.md, B). Whatever breaks before them is `Unsent`, whatever breaks after them is `Unknown`.
* Some servers take the end of a message for another literal if it reads `{n+}`; such a one is waited for.
* A refused batch is halved; nothing is inferred from its members (traps.md, H).
"""

from __future__ import annotations

import functools
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from migrator.errors import ConnectionLost, PostwagenError, Stopped
from migrator.mail.messages import MessageKey
from migrator.ports import AppendResult, AppendResults, Batch, Parcel, Refused, Stored, Unknown, Unsent
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import date_argument, flags_argument, uid_set
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.window import Moment
from migrator.sessions.imap.wire import Answer

LITERAL_MINUS_OCTETS = 4096
LARGE = 8 * 1024 * 1024
"""Above this the server is asked first: a refusal costs little then, and one round trip more does not count."""
_LITERAL_LIKE = re.compile(rb"\{\d+\+?\}$")


@dataclass(slots=True)
class _Command:
    """An APPEND that was completed: the server may store it at any moment. `answer`: once it was read."""

    batch: Batch
    parcels: Sequence[Parcel]
    octets: int
    tag: bytes
    begun: Moment
    answer: Answer | None = None


_Waiting = deque[tuple[Batch, Sequence[Parcel]]]
"""What is to be sent, each in a command of its own."""


class Appender:
    """Appends over one session; knows which flags this server has accepted."""

    def __init__(self, session: ImapSession) -> None:
        self._session = session
        capabilities = session.capabilities
        self._multi = "MULTIAPPEND" in capabilities
        self._free_octets = _free_literals(capabilities)
        self._accepted: set[str] | None = None
        """Keywords that this server has taken; None: it has taken nothing yet."""
        self._on_the_way: deque[_Command] = deque()
        """The oldest first; not yet told how they ended."""

    def append(self, batches: Iterable[Batch], may_commit: Callable[[], bool]) -> AppendResults:
        """One result per parcel of each batch that was begun. Raises when the connection broke or the mailbox is hit.

        Some commands are on their way at once, and the next batch is taken meanwhile. Taking it must not raise.
        """
        self.catch_up()
        self._on_the_way.clear()  # of somebody who went away
        coming, waiting = iter(batches), _Waiting()
        begun: Batch | None = None
        try:
            while True:
                if not waiting and (batch := next(coming, None)) is not None:
                    waiting.extend((batch, parcels) for parcels in self._cut(batch.parcels))
                if self._session.wire.dropped:  # while the next batch was made
                    raise ConnectionLost("The connection broke between two APPENDs.")
                if waiting and self._may_begin(*waiting[0]):
                    self._open(waiting[0][0].folder.name)
                    begun, parcels = waiting.popleft()
                    yield from self._send(begun, parcels, may_commit, waiting)
                elif self._on_the_way:
                    command = self._on_the_way[0]
                    answer = self._answer(command)
                    self._on_the_way.popleft()
                    yield from self._told(answer, command.batch, command.parcels, waiting)
                else:
                    return
        except PostwagenError:
            yield from self._left()
            yield from (Unsent(parcel) for batch, parcels in waiting if batch is begun for parcel in parcels)
            raise

    def _may_begin(self, batch: Batch, parcels: Sequence[Parcel]) -> bool:
        """Whether a command may be sent behind those on their way, or now that there are none."""
        if not self._on_the_way:
            return True
        if batch.alone or self._on_the_way[-1].batch.alone or not self._is_room(parcels):
            return False
        return self._is_free(parcels[0])

    def _is_room(self, parcels: Sequence[Parcel]) -> bool:
        octets = _octets(parcels) + sum(command.octets for command in self._on_the_way)
        return self._session.appending.admits(len(self._on_the_way), octets)

    def _is_free(self, parcel: Parcel) -> bool:
        """Whether a message may be sent without asking the server first."""
        known = self._accepted is not None and self._accepted.issuperset(_keywords(parcel.flags))
        return known and parcel.letter.size <= self._free_octets and not _is_tricky(parcel)

    def catch_up(self) -> None:
        """Read all answers that are due, before anything else is asked over this connection."""
        for command in self._on_the_way:
            self._answer(command)

    def _answer(self, command: _Command) -> Answer:
        if command.answer is None:
            if self._session.wire.dropped:  # when something else was asked meanwhile
                raise ConnectionLost("The connection broke before an APPEND was answered.")
            wire = self._session.wire
            command.answer = wire.ended.pop(command.tag, None) or wire.complete(command.tag)[0]
            now, nearest = time.monotonic(), wire.nearest
            self._session.appending.answered(command.begun, command.octets, now, nearest)
            if command.answer.status == "BAD":
                self._session.wire.drop()  # the server may read octets of a mail as commands now
        return command.answer

    def _left(self) -> Iterator[AppendResult]:
        """What became of those on their way when nothing more is sent."""
        while self._on_the_way:
            command = self._on_the_way.popleft()
            try:
                answer = self._answer(command)
            except PostwagenError:
                self._session.wire.drop()
                yield from map(Unknown, command.parcels)
            else:
                yield from self._results(answer, command.batch, command.parcels)

    def _open(self, name: str) -> None:
        """Once on each connection; again where each message travels alone, which is twice as fast in an open folder."""
        if self._multi and name in self._session.opened_for_writing:
            return
        selected = self._session.selected
        if selected is None or selected.name != name or not selected.writable:
            self.catch_up()
            self._session.open_folder(name, writable=True)

    def _cut(self, parcels: Sequence[Parcel]) -> list[Sequence[Parcel]]:
        """What travels in one command: all together, but an empty message alone; or each alone."""
        if not self._multi:
            return [[parcel] for parcel in parcels]
        full = [parcel for parcel in parcels if parcel.letter.size]
        alone: list[Sequence[Parcel]] = [[parcel] for parcel in parcels if not parcel.letter.size]
        return ([full] if full else []) + alone

    def _send(
        self, batch: Batch, parcels: Sequence[Parcel], may_commit: Callable[[], bool], waiting: _Waiting
    ) -> Iterator[AppendResult]:
        """One command. It is on its way then, or the server ended it before."""
        committed, begun = False, self._session.appending.moment(time.monotonic())
        try:
            tag, refused = self._begin(batch, parcels)
            if refused is None:
                if not may_commit():
                    raise Stopped("Stopped before the commit point.")
                committed = True
                self._session.wire.send(b"\r\n")
        except PostwagenError:
            yield from self._left()
            self._session.wire.drop()
            yield from map(Unknown if committed else Unsent, parcels)
            raise
        if refused is None:
            self._on_the_way.append(_Command(batch, parcels, _octets(parcels), tag, begun))
        else:
            yield from self._told(refused, batch, parcels, waiting)

    def _begin(self, batch: Batch, parcels: Sequence[Parcel]) -> tuple[bytes, Answer | None]:
        """Everything but the last CRLF. An Answer: the server ended the command before."""
        wire = self._session.wire
        tag = wire.begin(b"APPEND " + self._session.argument(batch.folder.name))
        for parcel in parcels:
            size = parcel.letter.size
            free = self._is_free(parcel)
            date = b" " + date_argument(parcel.instant) if parcel.instant else b""
            mark = b"+" if free else b""
            wire.hold(b" %s%s {%d%s}\r\n" % (flags_argument(parcel.flags), date, size, mark))
            if not free:
                wire.flush()
                self.catch_up()  # the answers before this one
                refused = wire.go_ahead(tag)
                if refused is not None:
                    return tag, refused
                self._accepted = {*(self._accepted or ()), *_keywords(parcel.flags)}
            left = size
            for chunk in parcel.letter.chunks():
                left -= len(chunk)
                if left < 0:  # not one octet more than announced: it would be read as a command (traps.md, A)
                    break
                wire.hold(chunk)
            if left:
                raise ConnectionLost("A message changed its size while it was sent; the connection was dropped.")
        wire.flush()
        return tag, None

    def _told(
        self, answer: Answer, batch: Batch, parcels: Sequence[Parcel], waiting: _Waiting
    ) -> Iterator[AppendResult]:
        """What follows from an answer: halves to be sent next, or results. Raises what hits more than this command."""
        if answer.status == "NO" and len(parcels) > 1 and not self._hits_all(answer):
            middle = len(parcels) // 2
            waiting.extendleft([(batch, parcels[middle:]), (batch, parcels[:middle])])
            return
        if answer.status == "NO" and translate.blames_keywords(answer) and _keywords(parcels[0].flags):
            waiting.appendleft((batch, [_without_longest_keyword(parcels[0])]))
            return
        yield from self._results(answer, batch, parcels)
        trouble = self._trouble(answer)
        if trouble is not None:
            raise trouble

    def _results(self, answer: Answer, batch: Batch, parcels: Sequence[Parcel]) -> Iterator[AppendResult]:
        if answer.status == "OK":
            yield from self._stored(answer, batch, parcels)
        elif len(parcels) == 1 and not self._hits_all(answer):  # BAD too, which drops the connection: nothing is there
            reason = translate.append_error(answer)
            assert isinstance(reason, tuple)
            yield Refused(parcels[0], *reason)
        else:  # BAD to several, or the mailbox is full: nothing of this command was stored
            yield from (Unsent(parcel) for parcel in parcels)

    def _stored(self, answer: Answer, batch: Batch, parcels: Sequence[Parcel]) -> Iterator[AppendResult]:
        """APPENDUID names the new keys in order (RFC 4315). Another count or UIDVALIDITY means doubt (traps.md, F)."""
        words = answer.code.split()
        if not words or words[0] != "APPENDUID":
            yield from (Stored(parcel, None) for parcel in parcels)
            return
        try:
            validity, uids = int(words[1]), uid_set(words[2])
        except (ValueError, IndexError):
            validity, uids = 0, []
        if len(uids) != len(parcels) or validity != batch.folder.validity:
            yield from (Unknown(parcel) for parcel in parcels)
            return
        for parcel, uid in zip(parcels, uids, strict=True):
            yield Stored(parcel, MessageKey(validity, uid))

    @staticmethod
    def _hits_all(answer: Answer) -> bool:
        """Whether a refusal hits the mailbox and not a message."""
        return isinstance(translate.append_error(answer), PostwagenError)

    def _trouble(self, answer: Answer) -> PostwagenError | None:
        if answer.status == "OK":
            return None
        if answer.status == "NO":
            error = translate.append_error(answer)
            return error if isinstance(error, PostwagenError) else None
        self._session.wire.drop()  # BAD: the server may read octets of a mail as commands now
        busy = translate.busy(answer.text)
        return busy or ConnectionLost("The server did not understand an APPEND.", detail=answer.text)


def _octets(parcels: Iterable[Parcel]) -> int:
    return sum([parcel.letter.size for parcel in parcels])


@functools.lru_cache(1024)
def _keywords(flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(flag for flag in flags if not flag.startswith("\\"))


def _without_longest_keyword(parcel: Parcel) -> Parcel:
    """A mail is worth more than its labels: some servers refuse it for a keyword that is too long for them."""
    longest = max(_keywords(parcel.flags), key=len)
    return parcel._replace(flags=tuple(flag for flag in parcel.flags if flag != longest))


def _is_tricky(parcel: Parcel) -> bool:
    """Whether a server may stumble: a date that some cannot keep, an end that reads like a literal's announcement
    (pymap hangs on that); or it is large anyway."""
    if parcel.letter.size > LARGE or (parcel.instant is not None and not 1970 <= parcel.instant.year <= 2037):
        return True
    return _LITERAL_LIKE.search(parcel.letter.end) is not None


def _free_literals(capabilities: frozenset[str]) -> int:
    """The largest literal that may be sent without waiting (RFC 7888)."""
    if "LITERAL+" in capabilities:
        return 1 << 62
    if "LITERAL-" in capabilities or "IMAP4REV2" in capabilities:
        return LITERAL_MINUS_OCTETS
    return 0
