"""Listing an IMAP account's folders, with roles, subscriptions and numbers (RFC 9051 6.3.9, 6154, 5819, 8438)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from migrator.errors import ServerRefused
from migrator.mail.folders import FolderInfo, Role
from migrator.sessions.imap import translate
from migrator.sessions.imap.replies import Listed, listed, listed_names, status_numbers
from migrator.sessions.imap.session import ImapSession
from migrator.sessions.imap.wire import Part

_STATE = (b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ")
_NO_SELECT = frozenset({"\\noselect", "\\nonexistent"})


def list_folders(session: ImapSession, *, numbers: bool) -> list[FolderInfo]:
    """All folders, shared ones marked; the inbox first, then by path.

    An extended LIST that brings nothing is repeated plainly (quirks.md, 36). With `numbers`, messages and octets are
    asked for where the server offers it. Raises ServerRefused when LIST fails.
    """
    found, stats = _extended(session, numbers) if "LIST-EXTENDED" in session.capabilities else ([], {})
    subscribed = {item.name for item in found if "\\subscribed" in item.attributes}
    if not found:
        found = _plain(session, b"LIST")
        subscribed = {item.name for item in _plain(session, b"LSUB")}
    session.names = {item.name: item.wire_name for item in found}
    session.subscribed = frozenset(subscribed)
    folders = {
        item.name: replace(
            _info(session, item, item.name in subscribed), validity=stats.get(item.name, {}).get("UIDVALIDITY")
        )
        for item in found
    }
    if numbers:
        folders = {name: _counted(session, info, stats) for name, info in folders.items()}
    return sorted(folders.values(), key=lambda info: (info.path != ("INBOX",), [x.casefold() for x in info.path]))


def status_items(session: ImapSession) -> bytes:
    """What STATUS is asked for."""
    items = [b"MESSAGES", *([b"SIZE"] if "STATUS=SIZE" in session.capabilities else [])]
    return b" ".join([*items, *(_STATE if "CONDSTORE" in session.capabilities else [])])


def _extended(session: ImapSession, numbers: bool) -> tuple[list[Listed], dict[str, dict[str, int]]]:
    wanted = [b"SUBSCRIBED", b"CHILDREN"]
    if "SPECIAL-USE" in session.capabilities:
        wanted.append(b"SPECIAL-USE")
    if "LIST-STATUS" in session.capabilities:
        wanted.append(b"STATUS (" + (status_items(session) if numbers else b"UIDVALIDITY") + b")")
    answer, responses = session.command(b'LIST "" "*" RETURN (' + b" ".join(wanted) + b")")
    if answer.status != "OK":
        return [], {}
    stats = dict(item for parts in responses if (item := status_numbers(parts)))
    return _unique(responses, b"LIST"), stats


def _plain(session: ImapSession, verb: bytes) -> list[Listed]:
    answer, responses = session.command(verb + b' "" "*"')
    if answer.status != "OK" and verb == b"LIST":
        raise translate.passing(answer.text) or ServerRefused(
            "The server does not list its folders.", detail=answer.text
        )
    return _unique(responses, verb)


def _unique(responses: Sequence[Sequence[Part]], verb: bytes) -> list[Listed]:
    items = {item.wire_name: item for parts in responses if (item := listed(parts, verb))}
    return [replace(items[wire], name=name) for name, wire in listed_names(responses, verb)]


def _info(session: ImapSession, item: Listed, subscribed: bool) -> FolderInfo:
    path = session.namespace.to_path(item.name)
    return FolderInfo(
        name=item.name,
        path=path,
        role=Role.INBOX if path == ("INBOX",) else item.role,
        selectable=not item.attributes & _NO_SELECT,
        subscribed=subscribed,
        holds_mail=len(path) != 1 or path[0].casefold() not in session.profile.no_mail,
        shared=any(item.name.startswith(prefix) for prefix in session.foreign),
    )


def _counted(session: ImapSession, info: FolderInfo, stats: dict[str, dict[str, int]]) -> FolderInfo:
    if not info.selectable:
        return info
    found = stats.get(info.name) or session.status(info.name, status_items(session))
    state = "" if "X-GM-EXT-1" in session.capabilities else _state(found)  # what is in one folder depends on others
    return replace(info, messages=found.get("MESSAGES"), octets=found.get("SIZE"), state=state)


class Numbers(NamedTuple):
    """What stands in a `FolderInfo.state`."""

    messages: int
    validity: int
    uidnext: int
    modseq: int


def numbers_of(state: str) -> Numbers | None:
    """None: it is no state of ours."""
    words = state.split("/")
    return Numbers(*map(int, words)) if len(words) == len(Numbers._fields) and all(map(str.isdecimal, words)) else None


def _state(found: dict[str, int]) -> str:
    """Mail that comes changes UIDNEXT, mail that goes the number of messages, flags HIGHESTMODSEQ (RFC 7162, 3.1.2).

    A server that has no such numbers says 0 or 1 for every folder (quirks.md, 35 and 53).
    """
    numbers = [found.get(name.decode(), 0) for name in (b"MESSAGES", *_STATE)]
    return "/".join(map(str, numbers)) if min(numbers[1:]) > 0 and numbers[-1] > 1 else ""
