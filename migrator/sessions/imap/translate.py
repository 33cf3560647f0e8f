"""What IMAP servers say, in our errors. The only place that reads an IMAP server's texts. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from migrator.errors import (
    ConnectRefused,
    DailyLimit,
    FolderNotMade,
    FolderRefused,
    LoginRefused,
    PostwagenError,
    ServerBusy,
    ServerFault,
    ServerRefused,
    TargetFull,
)
from migrator.providers.profile import login_hint
from migrator.sessions.imap.wire import Answer

_BUSY = re.compile(
    r"\[(UNAVAILABLE|INUSE|THROTTLED)|too many (simultaneous )?(connections|log-?ins?)|maximum number of connections"
    r"|throttl|rate limit|try again later|server (is )?(busy|unavailable)|temporar(y|ily)|backoff time",
    re.IGNORECASE,
)
_DAILY = re.compile(r"exceeded command or bandwidth|bandwidth limit|(daily|download) (limit|quota)", re.IGNORECASE)
_PASSING = re.compile(r"\[(LIMIT|SERVERBUG)\b", re.IGNORECASE)
_FULL = re.compile(
    r"\[OVERQUOTA|quota (limit )?(will be )?exceed|exceed(s|ed) (your|the) (mail(box)? )?quota|over ?quota|quota.*full"
    r"|mailbox (is )?full|mail ?box.*exceeded|bigger place|unavailable\. 15\b"
    r"|not enough (disk )?(space|quota)|insufficient (disk )?(space|quota)",
    re.IGNORECASE,
)
_BIG = re.compile(
    r"\[TOOBIG|(maximum|max).*(message|size|append)|message.*too (big|large)|too (big|large)|size.*exceed"
    r"|exceeds?.*size|command argument error\.? 11",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"\bkeyword|\bflag", re.IGNORECASE)
_EMPTY = re.compile(r"zero[- ]byte|empty message|no message data", re.IGNORECASE)
_WAIT = re.compile(r"backoff time:\s*(\d{1,9})\s*milliseconds", re.IGNORECASE)
_MECHANISM = re.compile(
    r"mechanism|method|(not|un)[ -]?(supported|allowed|permitted|enabled|known)|disabled", re.IGNORECASE
)
_ASKS_WHO = re.compile(r"unsafe login", re.IGNORECASE)
_NOT_CONNECTED = re.compile(r"authenticated but not connected", re.IGNORECASE)
LONGEST_WAIT = timedelta(minutes=30)
LIMIT_WAIT = timedelta(hours=1)
"""How long is waited where nobody says when a limit ends."""


def _wait(text: str) -> timedelta | None:
    found = _WAIT.search(text)
    return min(timedelta(milliseconds=int(found.group(1))), LONGEST_WAIT) if found else None


def busy(text: str) -> ServerBusy | None:
    """The server asks for patience, perhaps saying how long (quirks.md, 2, 19, 44)."""
    if _DAILY.search(text):
        return DailyLimit("The server gives no more today.", detail=text, later=LIMIT_WAIT)
    if _BUSY.search(text) and not _FULL.search(text):
        return ServerBusy("The server is busy or limits us.", detail=text, later=_wait(text))
    return None


def passing(text: str) -> ServerBusy | None:
    """The same where nothing of ours can be too large: at a login, and where messages are read."""
    if _PASSING.search(text):
        return ServerFault("The server has a limit or a fault at the moment.", detail=text)
    return busy(text)


def turned_away(greeting: str, where: str) -> ConnectRefused | None:
    """The server greets with BYE: it restarts, or is closed."""
    if "BYE" not in greeting.upper():
        return None
    return ConnectRefused(f"{where} turns us away.", detail=greeting, hint="Run the same again later.")


def login_error(text: str, host: str) -> PostwagenError:
    """Why a login failed: limits are no wrong passwords (field.md, complaint 10)."""
    return passing(text) or LoginRefused(
        f"{host} does not accept this user and password.", hint=login_hint(host), detail=text
    )


def blames_mechanism(answer: Answer) -> bool:
    """Whether AUTHENTICATE PLAIN was refused for itself, and not the password: LOGIN is worth a try then."""
    if answer.status == "BAD":
        return True
    return answer.status == "NO" and not answer.code.startswith("AUTH") and _MECHANISM.search(answer.text) is not None


def asks_who_we_are(answer: Answer) -> bool:
    """NetEase opens no folder to a program that has not said ID (quirks.md, 30)."""
    return answer.status == "NO" and _ASKS_WHO.search(answer.text) is not None


def not_connected(text: str, host: str) -> LoginRefused | None:
    """Exchange says OK to a login and then this (quirks.md, 1)."""
    if not _NOT_CONNECTED.search(text):
        return None
    return LoginRefused(
        f"{host} knows the account but gives it no mailbox.",
        hint="The account has no mailbox, no licence, or may not use IMAP. Ask its administrator.",
        detail=text,
    )


def _is_full(text: str) -> bool:
    """A quota of octets a day is none of a mailbox."""
    return _FULL.search(text) is not None and _DAILY.search(text) is None


def command_error(answer: Answer, what: str) -> PostwagenError:
    """A command that must not fail was refused."""
    if _is_full(answer.text):
        return TargetFull("The new mailbox is full.", detail=answer.text)
    return busy(answer.text) or ServerRefused(f"The server refused: {what}.", detail=f"{answer.status} {answer.text}")


def folder_error(answer: Answer, name: str, *, making: bool = False) -> PostwagenError:
    """A folder cannot be opened, or made."""
    if _is_full(answer.text):
        return TargetFull("The new mailbox is full.", detail=answer.text)
    if making:
        return busy(answer.text) or FolderNotMade(f"The folder {name} cannot be made.", detail=answer.text)
    return busy(answer.text) or FolderRefused(f"The folder {name} cannot be opened.", detail=answer.text)


def blames_keywords(answer: Answer) -> bool:
    """Whether an APPEND was refused for the message's flags (Dovecot: "Keyword length too long")."""
    return _KEYWORD.search(answer.text) is not None


def append_error(answer: Answer) -> PostwagenError | tuple[str, str]:
    """Why an APPEND was refused: an error that hits the mailbox, or (reason, detail) of this one message."""
    text = answer.text
    if answer.code.startswith(("TRYCREATE", "NONEXISTENT")):
        return FolderRefused("A folder at the new server is not there any more.", detail=text)
    if _EMPTY.search(text):
        return "empty", text
    if _is_full(text) and not answer.code.startswith("TOOBIG"):
        return TargetFull("The new mailbox is full.", detail=text)
    if _BIG.search(text):
        return "too_big", text
    return busy(text) or ("refused", text)
