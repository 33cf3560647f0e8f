"""APPEND and MULTIAPPEND (RFC 3502), so that a message is stored once or not at all, and we know which.

* Every argument comes from the closed encoder (`replies`), never from a mail (traps.md, A). A literal is sent without
  waiting (LITERAL+, RFC 7888) only after the same flags were accepted once for this folder on this connection, and with
  a date that every server can keep; any BAD drops it.
* The commit point: without the final CRLF nothing is stored. Those two octets are held back until `may_commit()`
  (traps.md, B). Whatever breaks before them is `Unsent`, whatever breaks after them is `Unknown`.
* Some servers take the end of a message for another literal if it reads `{n+}`; such a one is waited for.
* A refused batch is halved; nothing is inferred from its members (traps.md, H).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from migrator.errors import ConnectionLost, PostwagenError, Stopped
from migrator.mail.messages import MessageKey
from migrator.ports import AppendResult, Batch, Parcel, Refused, Stored, Unknown, Unsent
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import date_argument, flags_argument, uid_set
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.wire import Answer

LITERAL_MINUS_OCTETS = 4096
LARGE = 1024 * 1024
"""Above this one round trip more does not count."""
_LITERAL_LIKE = re.compile(rb"\{\d+\+?\}$")


class Appender:
    """Appends over one session; knows which flags this server has accepted."""

    def __init__(self, session: ImapSession) -> None:
        self._session = session
        capabilities = session.capabilities
        self._multi = "MULTIAPPEND" in capabilities
        self._free_octets = _free_literals(capabilities)
        self._accepted: set[tuple[str, tuple[str, ...]]] = set()
        """(folder, flags) that this server has taken."""
        self._due: bytes | None = None
        self._answer: Answer | None = None
        """The tag of the command that was completed last, until its answer was read; then that answer."""

    def append(
        self, batch: Batch, may_commit: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[AppendResult]:
        """One result per parcel; then raises if the connection broke or the mailbox is hit.

        `meanwhile` is called while the server works on what was completed. It must not raise.
        """
        queue: list[Sequence[Parcel]] = self._cut(batch.parcels)
        while queue:
            parcels = queue.pop(0)
            committed = False
            try:
                tag, refused = self._send(batch, parcels)
                if refused is None:
                    if not may_commit():
                        raise Stopped("Stopped before the commit point.")
                    committed = True
                    self._session.wire.send(b"\r\n")
                    refused = self._answered(tag, meanwhile)
            except PostwagenError:
                self._session.wire.drop()
                yield from ((Unknown if committed else Unsent)(parcel) for parcel in parcels)
                yield from (Unsent(parcel) for rest in queue for parcel in rest)
                raise
            if refused.status == "NO" and len(parcels) > 1 and not self._hits_all(refused):
                middle = len(parcels) // 2
                queue[:0] = [parcels[:middle], parcels[middle:]]
                continue
            if refused.status == "NO" and translate.blames_keywords(refused) and _keywords(parcels[0]):
                queue.insert(0, [_without_longest_keyword(parcels[0])])
                continue
            yield from self._results(refused, batch, parcels)
            trouble = self._trouble(refused)
            if trouble is not None:
                yield from (Unsent(parcel) for rest in queue for parcel in rest)
                raise trouble

    def _answered(self, tag: bytes, meanwhile: Callable[[], None]) -> Answer:
        self._due, self._answer = tag, None
        meanwhile()
        answer = self.catch_up()
        if answer is None:  # it was to be read before another command, and the connection broke
            raise ConnectionLost("The connection broke before an APPEND was answered.")
        return answer

    def catch_up(self) -> Answer | None:
        """Read the answer that is due, before anything else is asked over this connection; what it was."""
        tag, self._due = self._due, None
        if tag is not None:
            self._answer = self._session.wire.complete(tag)[0]
        return self._answer

    def _cut(self, parcels: Sequence[Parcel]) -> list[Sequence[Parcel]]:
        """What travels in one command: all together, but an empty message alone; or each alone."""
        if not self._multi:
            return [[parcel] for parcel in parcels]
        full = [parcel for parcel in parcels if parcel.letter.size]
        alone: list[Sequence[Parcel]] = [[parcel] for parcel in parcels if not parcel.letter.size]
        return ([full] if full else []) + alone

    def _send(self, batch: Batch, parcels: Sequence[Parcel]) -> tuple[bytes, Answer | None]:
        """Everything but the last CRLF. An Answer: the server ended the command before."""
        wire = self._session.wire
        tag = wire.begin(b"APPEND " + self._session.argument(batch.folder.name))
        for parcel in parcels:
            size = parcel.letter.size
            shape = batch.folder.name, parcel.flags
            free = shape in self._accepted and size <= self._free_octets and not _is_tricky(parcel)
            date = b" " + date_argument(parcel.instant) if parcel.instant else b""
            mark = b"+" if free else b""
            wire.send(b" %s%s {%d%s}\r\n" % (flags_argument(parcel.flags), date, size, mark))
            if not free:
                refused = wire.go_ahead(tag)
                if refused is not None:
                    return tag, refused
                self._accepted.add(shape)
            left = size
            for chunk in parcel.letter.chunks():
                left -= len(chunk)
                if left < 0:  # not one octet more than announced: it would be read as a command (traps.md, A)
                    break
                wire.send(chunk)
            if left:
                raise ConnectionLost("A message changed its size while it was sent; the connection was dropped.")
        return tag, None

    def _results(self, answer: Answer, batch: Batch, parcels: Sequence[Parcel]) -> Iterator[AppendResult]:
        if answer.status == "OK":
            yield from self._stored(answer, batch, parcels)
        elif len(parcels) == 1 and not self._hits_all(answer):
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


def _keywords(parcel: Parcel) -> list[str]:
    return [flag for flag in parcel.flags if not flag.startswith("\\")]


def _without_longest_keyword(parcel: Parcel) -> Parcel:
    """A mail is worth more than its labels: some servers refuse it for a keyword that is too long for them."""
    longest = max(_keywords(parcel), key=len)
    return replace(parcel, flags=tuple(flag for flag in parcel.flags if flag != longest))


def _is_tricky(parcel: Parcel) -> bool:
    """Whether a server may stumble: a date that some cannot keep, an end that reads like a literal's announcement
    (pymap hangs on that); or it is large anyway."""
    if parcel.letter.size > LARGE or (parcel.instant is not None and not 1970 <= parcel.instant.year <= 2037):
        return True
    tail = b""
    for chunk in parcel.letter.chunks():
        tail = (tail + chunk)[-40:]
    return _LITERAL_LIKE.search(tail) is not None


def _free_literals(capabilities: frozenset[str]) -> int:
    """The largest literal that may be sent without waiting (RFC 7888)."""
    if "LITERAL+" in capabilities:
        return 1 << 62
    if "LITERAL-" in capabilities or "IMAP4REV2" in capabilities:
        return LITERAL_MINUS_OCTETS
    return 0
