"""Reading messages of an open folder, without marking anything: `UID FETCH … (UID BODY.PEEK[])`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from migrator.mail.messages import HEAD_OCTETS
from migrator.ports import Absence, Letter, Unread, Want
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import Fetched, fetched, set_argument
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.wire import Answer
from migrator.sessions.spool import Spool

GROUP_OCTETS = 8 * 1024 * 1024
GROUP_MESSAGES = 500
_SUBSTITUTE = b"retrieval using the imap4 protocol failed for the following message"

Opener = Callable[[str], int]
"""Opens a folder for reading and returns its UIDVALIDITY."""


def read_letters(session: ImapSession, wants: Iterable[Want], opener: Opener) -> Iterator[Letter | Unread]:
    """One answer per want. Groups are cut by folder, octets and number, so that a stop is never far."""
    for group in _groups(wants):
        validity = opener(group[0].folder)
        if any(want.key.validity != validity for want in group):
            yield from (Unread(want, Absence.LATER, "UIDVALIDITY has changed") for want in group)
            continue
        yield from _read_group(session, group)


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


def _read_group(session: ImapSession, group: list[Want]) -> Iterator[Letter | Unread]:
    missing = {want.key.uid: want for want in group}
    yield from _fetch(session, missing)
    for want in list(missing.values()):  # left out of the answer (quirks.md, 4): once more, alone
        alone = {want.key.uid: want}
        yield from _fetch(session, alone)
        if alone:
            yield _absent(session, want)


def _fetch(session: ImapSession, missing: dict[int, Want]) -> Iterator[Letter | Unread]:
    """Deliver what the server sends of `missing`, and take it out of there."""
    run = session.wire.finish(session.wire.start(b"UID FETCH %s (UID BODY.PEEK[])" % set_argument(sorted(missing))))
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
    return Letter(want, body.head, body.size, body.chunks, body.close)


def _absent(session: ImapSession, want: Want) -> Unread:
    """A message that was not delivered even alone: gone, or withheld (traps.md, K)?"""
    _, responses = session.command(b"UID FETCH %d (UID RFC822.SIZE)" % want.key.uid)
    for parts in responses:
        got = fetched(parts)
        if got is not None and got.uid == want.key.uid:
            return Unread(want, Absence.EMPTY, "the server lists the message but does not deliver it")
    return Unread(want, Absence.GONE)
