"""What an IMAP server says of its limits (RFC 9208, 7889), and which messages are large (RFC 9051, SEARCH LARGER).

Everything here is asked for people who want to know before they begin: whatever a server refuses, breaks or answers
too late is "not known", and never an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from migrator.errors import FolderRefused, PostwagenError, ServerRefused
from migrator.mail.folders import FolderInfo, FolderPath
from migrator.mail.messages import MessageKey
from migrator.sessions.imap.replies import fetched, set_argument, status_numbers, tokens
from migrator.sessions.imap.session import ImapSession

AT_ONCE: Final = 500
"""So many sizes are asked for in one command: some servers read lines of 8 KB at most."""
MOST_SIZES: Final = 2_000
"""Of one folder."""
_PREFIX: Final = "APPENDLIMIT="


def quotas(session: ImapSession) -> dict[str, tuple[int, int]]:
    """What is used of each resource and its limit, by the quota roots of the inbox: the one with the least left.

    STORAGE in octets, MESSAGE, MAILBOX. One without a limit is left out.
    """
    if "QUOTA" not in session.capabilities:
        return {}
    found: dict[str, tuple[int, int]] = {}
    _, responses = session.command(b'GETQUOTAROOT "INBOX"')
    for parts in responses:
        read = tokens(parts)
        if len(read) > 3 and isinstance(read[1], bytes) and read[1].upper() == b"QUOTA" and isinstance(read[3], list):
            for name, used, limit in _resources(read[3]):
                free = found.get(name)
                if free is None or limit - used < free[1] - free[0]:
                    found[name] = used, limit
    return found


def _resources(read: Sequence[object]) -> Iterator[tuple[str, int, int]]:
    words = [item for item in read if isinstance(item, bytes)]
    for name, used, limit in zip(words[::3], words[1::3], words[2::3], strict=False):
        resource = name.decode("ascii", "replace").upper()
        unit = 1024 if resource == "STORAGE" else 1
        if used.isdigit() and limit.isdigit() and int(limit) > 0:
            yield resource, int(used) * unit, int(limit) * unit


def append_limit(capabilities: Iterable[str]) -> int | None:
    """APPENDLIMIT (RFC 7889), where the server says one for all folders."""
    said = (word.removeprefix(_PREFIX) for word in capabilities if word.startswith(_PREFIX))
    return next((int(number) for number in said if number.isdigit()), None)


def append_limits(session: ImapSession, folders: Sequence[FolderInfo], seconds: float) -> dict[FolderPath, int]:
    """The same folder by folder, where it says that they differ. Those without a limit are left out, and those for
    which there was no time."""
    found: dict[FolderPath, int] = {}
    if "APPENDLIMIT" not in session.capabilities:
        return found
    until = time.monotonic() + seconds
    with suppress(PostwagenError):
        for info in folders:
            if time.monotonic() >= until:
                break
            if not info.selectable:
                continue
            answer, responses = session.command(b"STATUS " + session.argument(info.name) + b" (APPENDLIMIT)")
            if answer.status == "BAD":
                break
            said = [numbers for parts in responses if (numbers := status_numbers(parts))]
            if said and "APPENDLIMIT" in said[0][1]:
                found[info.path] = said[0][1]["APPENDLIMIT"]
    return found


Sizes = list[tuple[MessageKey, int]]
"""Messages with their sizes in octets."""


def larger(
    session: ImapSession, folders: Sequence[FolderInfo], above: int, seconds: float
) -> Iterator[tuple[FolderInfo, Sizes, bool]]:
    """For each folder: messages larger than that, and whether these are all of them.

    A folder that is not larger itself is not asked. Nothing else may be asked of the session afterwards: a server that
    does not answer in time is left alone.
    """
    until, earlier, left_alone = time.monotonic() + seconds, session.wire.wants_stop, False
    session.wire.wants_stop = lambda: earlier() or time.monotonic() >= until
    for info in sorted(folders, key=lambda one: -(one.octets or 0)):
        if not info.selectable or info.messages == 0 or (info.octets is not None and info.octets <= above):
            continue
        found: Sizes = []
        all_of_them = False
        if not left_alone and time.monotonic() < until:
            try:
                found, all_of_them = _larger(session, info, above)
            except FolderRefused:
                pass
            except PostwagenError:
                left_alone = True
        yield info, found, all_of_them


def _larger(session: ImapSession, info: FolderInfo, above: int) -> tuple[Sizes, bool]:
    """SEARCH names them, and FETCH says whether they are large indeed. Raises ServerRefused: there is no use in asking
    on, and some servers count how often they had to say BAD."""
    validity = session.open_folder(info.name, writable=False).validity
    answer, responses = session.command(b"UID SEARCH LARGER %d" % above)
    if answer.status == "BAD":
        raise ServerRefused("The server does not search by size.", detail=answer.text)
    if answer.status != "OK":
        return [], False
    uids = sorted({int(word) for parts in responses for word in _searched(tokens(parts))})
    found: Sizes = []
    asked = uids[:MOST_SIZES]
    for start in range(0, len(asked), AT_ONCE):
        some = set_argument(asked[start : start + AT_ONCE])
        answer, responses = session.command(b"UID FETCH %s (RFC822.SIZE)" % some)
        if answer.status != "OK":
            return found, False
        for got in filter(None, map(fetched, responses)):
            size = got.items.get("RFC822.SIZE")
            if got.uid is not None and isinstance(size, bytes) and size.isdigit() and int(size) > above:
                found.append((MessageKey(validity, got.uid), int(size)))
    return found, len(uids) <= MOST_SIZES


def _searched(read: Sequence[object]) -> list[bytes]:
    if len(read) < 2 or not isinstance(read[1], bytes) or read[1].upper() != b"SEARCH":
        return []
    return [word for word in read[2:] if isinstance(word, bytes) and word.isdigit()]
