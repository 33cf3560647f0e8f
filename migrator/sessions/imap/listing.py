"""Listing an open folder's messages: UID, flags, internal date, size (RFC 9051, 6.4.5).

Windows are of sequence numbers and plain FETCH: UID windows explode on sparse UIDs. Every EXPUNGE that
the server tells, also while messages are read between two pages, moves the window, so that nothing is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from migrator.errors import FolderRefused
from migrator.mail.flags import normalised
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Page
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import fetched, flags_of, gmail_labels, instant_of, number_of, plainly_listed
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.wire import Answer, Part

PAGE_ROWS = 2000
LARGEST = 2**32 - 1
"""IMAP's numbers have 32 bits; a larger size is a mistake, and sizes are hints."""


def rows(session: ImapSession, validity: int, *, floor: int = 1) -> Iterator[Page]:
    """The open folder's rows with UID >= floor, in pages, in key order.

    Raises FolderRefused at the end where the server hides messages: what it shows was yielded.
    """
    assert session.selected is not None
    if floor > 1:
        page = _window(session, b"UID FETCH %d:*" % floor, validity)
        yield Page([row for row in page if row.key.uid >= floor])
        return
    expunged = session.wire.expunged
    position, last, hidden = 0, session.selected.messages, 0
    while position < last:
        end = min(position + PAGE_ROWS, last)
        page = _window(session, b"FETCH %d:%d" % (position + 1, end), validity)
        found = {row.key.uid: row for row in page}
        while len(page) < end - position and expunged:  # perhaps more is missing than was deleted: all numbers moved
            position, end, last = _moved(expunged, position, end, last)
            page = _window(session, b"FETCH %d:%d" % (position + 1, end), validity) if end > position else []
            found |= {row.key.uid: row for row in page}
        if len(page) < end - position:
            page = _ask_singly(session, page, position + 1, end, validity)
            found |= {row.key.uid: row for row in page}
            if not expunged:
                hidden += end - position - len(page)
        position = end
        yield Page([found[uid] for uid in sorted(found)])
        for number in expunged:
            position, last = position - (number <= position), last - 1
        expunged.clear()
    if hidden:
        raise FolderRefused(
            f"The server hides {hidden} messages of this folder.",
            hint="Compare the number of messages with the provider's webmail, and ask the provider.",
        )


def begin(session: ImapSession, command: bytes, only: bytes = b"") -> bytes:
    """Ask for the rows of these messages; `listed` reads them. `only`: a modifier (RFC 4466)."""
    more = b" X-GM-LABELS X-GM-MSGID" if "X-GM-EXT-1" in session.capabilities else b""
    return session.wire.start(command + b" (UID FLAGS INTERNALDATE RFC822.SIZE%b)" % more + only)


def listed(session: ImapSession, tag: bytes, validity: int) -> tuple[list[Row], Answer]:
    """The rows that were asked for, in key order; a message may be told in several responses."""
    plain: dict[int, tuple[Row, list[Part]]] = {}
    found: dict[int, dict[str, Any]] = {}
    run = session.wire.finish(tag)
    while True:
        try:
            parts = next(run)
        except StopIteration as end:
            answer: Answer = end.value
            break
        row = _plain_row(parts, validity)
        if row is not None and row.key.uid and row.key.uid not in found:
            plain[row.key.uid] = row, parts
            continue
        got = fetched(parts)
        if got is not None:
            got.close()
            if uid := got.uid:
                found[uid] = _items(found, plain, uid) | got.items
    rows = {uid: row for uid, (row, _) in plain.items()}
    for uid, items in found.items():
        if "RFC822.SIZE" in items or "INTERNALDATE" in items:
            rows[uid] = _row(uid, items, validity)
    return [rows[uid] for uid in sorted(rows)], answer


def _items(found: Mapping[int, dict[str, Any]], plain: dict[int, tuple[Row, list[Part]]], uid: int) -> dict[str, Any]:
    """What was told of it before."""
    if uid not in plain:
        return found.get(uid, {})
    before = fetched(plain.pop(uid)[1])
    return before.items if before else {}


def _window(session: ImapSession, command: bytes, validity: int) -> list[Row]:
    """One FETCH. NO for what another client deleted is no failure."""
    page, answer = listed(session, begin(session, command), validity)
    if answer.status != "OK":
        if not answer.code.startswith("EXPUNGEISSUED"):
            raise translate.command_error(answer, "listing messages")
        session.command(b"NOOP")  # the server tells what is gone (RFC 2180, 4.1)
    return page


def _plain_row(parts: Sequence[Part], validity: int) -> Row | None:
    found = plainly_listed(parts)
    if found is None:
        return None
    uid, flags, date, size = found
    return Row(MessageKey(validity, int(uid)), min(int(size), LARGEST), _written(flags), instant_of(date))


@functools.lru_cache(1024)
def _written(flags: bytes) -> frozenset[str]:
    """Few sets of flags stand at many messages; so they are made, and kept, once."""
    return normalised(flags_of(flags.split()))


def _row(uid: int, items: dict[str, Any], validity: int) -> Row:
    size, labels = items.get("RFC822.SIZE"), items.get("X-GM-LABELS")
    flags = normalised(flags_of(items.get("FLAGS")))
    return Row(
        key=MessageKey(validity, uid),
        size=min(max(0, number_of(size)), LARGEST) if isinstance(size, bytes) else 0,
        flags=flags | gmail_labels(labels) if labels else flags,
        instant=instant_of(items.get("INTERNALDATE")),
        same=number_of(items["X-GM-MSGID"]) if isinstance(items.get("X-GM-MSGID"), bytes) else 0,
    )


def _moved(expunged: list[int], position: int, end: int, last: int) -> tuple[int, int, int]:
    """Where a window lies when these are gone; they are forgotten by that."""
    for number in expunged:
        position, end, last = position - (number <= position), end - (number <= end), last - 1
    expunged.clear()
    return position, end, last


def _ask_singly(session: ImapSession, page: list[Row], first: int, last: int, validity: int) -> list[Row]:
    """Messages that the server left out of its answer (quirks.md, 4) are asked for one by one."""
    known = {row.key.uid: row for row in page}
    for number in range(first, last + 1):
        known |= {row.key.uid: row for row in _window(session, b"FETCH %d" % number, validity)}
    if len(known) < last - first + 1:
        session.command(b"NOOP")  # perhaps it may tell only now what another client deleted
    return [known[uid] for uid in sorted(known)]
