"""Reading what IMAP servers say, tolerantly; writing what we say, strictly. Pure.

Reading follows RFC 9051 and forgives what quirks.md has seen: mixed case, missing blanks, numbers like 9.37e+06,
quoted strings for bodies, items in any order. Writing is closed: nothing that a foreign server or a mail contains can
reach the target as anything but a string, a literal, an atom from our own table or a number (traps.md, A).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple, TypeAlias

from imapclient.imap_utf7 import decode as utf7_decode
from imapclient.imap_utf7 import encode as utf7_encode

from migrator.errors import ConnectionLost, Defect, FolderRefused
from migrator.mail.flags import LABEL, SYSTEM_FLAGS, is_keyword
from migrator.mail.folders import Role
from migrator.sessions.imap.wire import Part
from migrator.sessions.spool import Spool

Token: TypeAlias = Any

_ATOM = re.compile(rb'(?:[^\s()"\[\x00]|\[(?:[^\[\]]{0,500}\])?)+')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
LONGEST_NAME = 900
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERED = {month: f"{number:02d}" for number, month in enumerate(_MONTHS, 1)}
_NAMED = {number: month for month, number in _NUMBERED.items()}
_DATE = re.compile(r"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-]\d{4})")
_PLAIN_DATE = re.compile(r"\d\d-[A-Z][a-z]{2}-(?:19[1-9]|20\d)\d \d\d:\d\d:\d\d [+-]\d{4}", re.ASCII)
"""As most servers write it, and of a time in which nothing can be odd."""
_PLAIN_ROW = re.compile(
    rb'\* \d+ FETCH \(UID (\d{1,18}) FLAGS \(([^()"{}\x00]*)\) INTERNALDATE "([^"\\]*)" RFC822\.SIZE (\d{1,18})\)\r\n\Z'
)
_PLAIN_BODY = re.compile(rb"\* (\d{1,18}) FETCH \(UID (\d{1,18}) BODY\[\] \{\d+\}\r\n\Z")
"""How most servers answer our two questions; whatever is written otherwise is read word for word."""
_AFTER_LITERAL = re.compile(
    rb"(?i)[\s\0]*(?:(?:UID|FLAGS|INTERNALDATE|MODSEQ|RFC822\.SIZE|ENVELOPE|BODYSTRUCTURE|EMAILID|THREADID|SAVEDATE|PREVIEW"
    rb"|X-[A-Z0-9-]+)[ (].*)?(?:\)+|\{\d+\+?\})[\s\0]*\Z",
    re.DOTALL,
)
"""Behind a message's octets: its end, or another item, but no other message."""
_UNQUOTED_NAME = re.compile(rb'(?is)\* +\w+ +\([^()]*\) +(?:"(?:[^"\\]|\\.)*"|NIL) +([^"{( \t\r\n][^"]*?)\r?\n\Z')
_ROLES = {
    "\\sent": Role.SENT,
    "\\drafts": Role.DRAFTS,
    "\\junk": Role.JUNK,
    "\\trash": Role.TRASH,
    "\\archive": Role.ARCHIVE,
    "\\all": Role.ALL,
    "\\flagged": Role.FLAGGED,
    "\\important": Role.FLAGGED,
}


# ---- reading -------------------------------------------------------------------------------------------------------


def tokens(parts: Sequence[Part]) -> list[Token]:
    """A response as nested lists of atoms and strings (bytes), literals (Spool) and NIL (None)."""
    stack: list[list[Token]] = [[]]
    for part in parts:
        if isinstance(part, Spool):
            stack[-1].append(part)
        else:
            _read_text(part, stack)
    return stack[0]


def _read_text(text: bytes, stack: list[list[Token]]) -> None:
    at, closed = 0, True
    text = re.sub(rb"~?\{\d+\+?\}\r?\n$", b"", text)
    while at < len(text):
        mark = text[at : at + 1]
        if mark in b" \t\r\n\x00":
            at += 1
        elif mark == b"(":
            inner: list[Token] = []
            stack[-1].append(inner)
            stack.append(inner)
            at += 1
        elif mark == b")":
            if len(stack) > 1:
                stack.pop()
            at += 1
        elif mark == b'"' and closed and (quoted := _QUOTED.match(text, at)):
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted.group(1)))
            at = quoted.end()
        else:
            closed = closed and mark != b'"'  # a string without end: do not look for its end again and again
            atom = _ATOM.match(text, at)
            end = atom.end() if atom else at + 1
            word = text[at:end]
            stack[-1].append(None if word.upper() == b"NIL" else word)
            at = end


class Fetched(NamedTuple):
    """One FETCH response: the sequence number and what was delivered, by item name in upper case."""

    number: int
    items: dict[str, Token]

    @property
    def uid(self) -> int | None:
        """The UID, where it was delivered."""
        value = self.items.get("UID")
        return number_of(value) if isinstance(value, bytes) else None

    def close(self) -> None:
        """Forget the literals."""
        for value in self.items.values():
            if isinstance(value, Spool):
                value.close()


def fetched(parts: Sequence[Part]) -> Fetched | None:
    """The FETCH response in `parts`, or None if it is something else."""
    first = parts[0]
    assert isinstance(first, bytes)
    plain = _plainly_fetched(parts, first)
    if plain is not None:
        return plain
    head = first.split(None, 3)
    if len(head) < 3 or head[0] != b"*" or not head[1].isdigit() or head[2].upper()[:5] != b"FETCH":
        return None
    read = tokens(parts)
    body = next((item for item in read if isinstance(item, list)), [])
    while len(body) == 1 and isinstance(body[0], list):  # one pair of parentheses too many (quirks.md, 47)
        body = body[0]
    items: dict[str, Token] = {}
    for name, value in zip(body[::2], body[1::2], strict=False):
        if isinstance(name, bytes):
            items[re.sub(r"<\d+>$", "", name.decode("ascii", "replace").upper())] = value
    return Fetched(number_of(head[1]), items)


def _plainly_fetched(parts: Sequence[Part], first: bytes) -> Fetched | None:
    """The same for a message in the order in which we asked, without anything odd: most are, and should cost little."""
    if len(parts) == 3 and parts[2] == b")\r\n" and (body := _PLAIN_BODY.match(first)):
        return Fetched(int(body[1]), {"UID": body[2], "BODY[]": parts[1]})
    return None


def plainly_listed(parts: Sequence[Part]) -> tuple[bytes, bytes, bytes, bytes] | None:
    """UID, flags, internal date and size as they stand there, where there is nothing odd: for most rows."""
    first = parts[0]
    assert isinstance(first, bytes)
    found = _PLAIN_ROW.match(first) if len(parts) == 1 else None
    return None if found is None else found.groups()  # type: ignore[return-value]  # as many as it has


def is_in_step(parts: Sequence[Part]) -> bool:
    """Whether a FETCH response goes on behind each literal as one does: with another item, or its end.

    Anything else was a part of the message, or what we took for one belonged to the answer: the literal was longer or
    shorter than announced (quirks.md, 47 and 51), and nothing that follows could be believed.
    """
    if len(parts) == 3 and parts[2] == b")\r\n":
        return True
    behind = (part for before, part in itertools.pairwise(parts) if isinstance(before, Spool))
    return all(isinstance(part, bytes) and _AFTER_LITERAL.match(part) for part in behind)


def number_of(octets: bytes) -> int:
    """A number, forgiving `9.3736e+06` (quirks.md, 33). Raises ConnectionLost: we are out of step."""
    if octets.isdigit() and len(octets) < 19:
        return int(octets)
    found: int | None = None
    for read in (int, lambda text: int(float(text))):
        with contextlib.suppress(ValueError, OverflowError):
            found = read(octets)
            break
    if found is None or abs(found) >= 1 << 63:
        raise ConnectionLost("The server sent no number where one must stand.", detail=repr(octets[:40]))
    return found


def instant_of(value: Token) -> datetime | None:
    """INTERNALDATE as an instant in UTC; None where it is missing or impossible (quirks.md, 49)."""
    if not isinstance(value, bytes):
        return None
    text = value.decode("ascii", "replace")
    if _PLAIN_DATE.fullmatch(text) and text[3:6] in _NUMBERED:
        try:
            local = datetime.fromisoformat(f"{text[7:11]}-{_NUMBERED[text[3:6]]}-{text[:2]}T{text[12:20]}{text[21:]}")
        except ValueError:
            pass  # a leap second, or no date
        else:
            return local if local.tzinfo is UTC else local.astimezone(UTC)
    found = _DATE.match(text)
    if not found or found.group(2).title() not in _MONTHS:
        return None
    day, month, year, hour, minute, second, zone = found.groups()
    try:
        local = datetime(
            int(year), _MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), min(int(second), 59),
            tzinfo=_zone(zone),
        )  # fmt: skip
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if 1900 <= instant.year <= 9999 else None


@functools.lru_cache(1024)
def _zone(text: str) -> timezone:
    """`+0545`. Raises ValueError where it is more than a day."""
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-shift if text[0] == "-" else shift)


def flags_of(value: Token) -> list[str]:
    """A flag list as text; what is not ASCII cannot be a flag and is left out."""
    if not isinstance(value, list):
        return []
    flags = [b"NIL" if flag is None else flag for flag in value]  # an atom that means nothing else here
    return [flag.decode("ascii") for flag in flags if isinstance(flag, bytes) and flag.isascii()]


def gmail_labels(value: Token) -> frozenset[str]:
    """Gmail's labels (X-GM-LABELS) as they stand among flags; its own begin with a backslash, like `\\Inbox`."""
    if not isinstance(value, list):
        return frozenset()
    return frozenset(LABEL + folder_name(label) for label in value if isinstance(label, bytes))


@dataclass(frozen=True, slots=True)
class Listed:
    """One LIST response. `wire_name` is the name as the server wrote it."""

    wire_name: bytes
    name: str
    delimiter: str
    attributes: frozenset[str]

    @property
    def role(self) -> Role | None:
        """The special use that the server says (RFC 6154)."""
        return next((_ROLES[item] for item in sorted(self.attributes) if item in _ROLES), None)


def listed(parts: Sequence[Part], verb: bytes = b"LIST") -> Listed | None:
    """The LIST (or LSUB) response in `parts`, or None if it is something else."""
    read = tokens(parts)
    if len(read) < 5 or read[0] != b"*" or not isinstance(read[1], bytes) or read[1].upper() != verb:
        return None
    attributes, delimiter, name = read[2], read[3], read[4]
    if isinstance(name, Spool):
        name = b"".join(name.chunks())
    name = b"NIL" if name is None else name  # an atom that means nothing else here
    if len(read) > 5 and isinstance(parts[0], bytes) and (bare := _UNQUOTED_NAME.match(parts[0])):
        name = bare[1]  # without quotes, whatever stands in it (quirks.md, 13)
    attributes = [] if attributes is None else attributes
    if not isinstance(name, bytes) or not isinstance(attributes, list):
        return None
    flags = b"".join(item for item in attributes if isinstance(item, bytes)).replace(b"\\", b" \\").split()
    return Listed(
        wire_name=name,
        name=folder_name(name),
        delimiter=delimiter.decode("ascii", "replace") if isinstance(delimiter, bytes) else "",
        attributes=frozenset(flag.decode("ascii", "replace").lower() for flag in flags),
    )


def listed_names(responses: Sequence[Sequence[Part]], verb: bytes = b"LIST") -> list[tuple[str, bytes]]:
    """Every folder once, by what the server wrote; where two read alike, the second one reads as its octets."""
    names: dict[str, bytes] = {}
    for wire in dict.fromkeys(item.wire_name for parts in responses if (item := listed(parts, verb))):
        name, number = folder_name(wire), 1
        while name in names:
            number += 1
            name = _storable(wire.decode("latin-1")) + (f" ({number})" if number > 2 else "")
        names[name] = wire
    return list(names.items())


def folder_name(octets: bytes) -> str:
    """A folder's name in Unicode: modified UTF-7 (RFC 3501, 5.1.3), or UTF-8 where a server sends that.

    What no database and no page can hold is replaced: half a surrogate pair, NUL, more than LONGEST_NAME characters.
    """
    try:
        return _storable(str(utf7_decode(octets)) if octets.isascii() else octets.decode("utf-8"))
    except (ValueError, IndexError):
        return _storable(octets.decode("latin-1"))


def _storable(name: str) -> str:
    name = "".join("\ufffd" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in name)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 20]}… {hashlib.sha256(name.encode()).hexdigest()[:16]}"


def status_numbers(parts: Sequence[Part]) -> tuple[str, dict[str, int]] | None:
    """The STATUS response in `parts` as (folder name, numbers), or None if it is something else."""
    read = tokens(parts)
    if len(read) < 4 or not isinstance(read[1], bytes) or read[1].upper() != b"STATUS":
        return None
    name, pairs = read[2], read[3]
    if isinstance(name, Spool):
        name = b"".join(name.chunks())
    if not isinstance(name, bytes) or not isinstance(pairs, list):
        return None
    numbers = {
        key.decode("ascii", "replace").upper(): number_of(value)
        for key, value in zip(pairs[::2], pairs[1::2], strict=False)
        if isinstance(key, bytes) and isinstance(value, bytes)
    }
    return folder_name(name), numbers


def uid_set(text: str) -> list[int]:
    """`5,7:9` as [5, 7, 8, 9], in the order written (RFC 4315: the order of the messages appended)."""
    found: list[int] = []
    for piece in text.split(","):
        first, _, last = piece.partition(":")
        low, high = int(first), int(last or first)
        if abs(high - low) > 1_000_000:
            raise ValueError("an absurd set of UIDs")
        found.extend(range(low, high + 1) if low <= high else range(high, low + 1))
    return found


# ---- writing -------------------------------------------------------------------------------------------------------


def quoted(octets: bytes) -> bytes:
    """A quoted string. Only for octets that may stand in one."""
    if any(octet in octets for octet in (b"\r", b"\n", b"\x00")) or not octets.isascii():
        raise Defect("Octets that cannot stand in a quoted string.")
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def folder_argument(name: str) -> bytes:
    """A folder's name as an argument: modified UTF-7, always quoted (quirks.md, 37)."""
    return quoted(bytes(utf7_encode(name)))


def listed_argument(wire: bytes) -> bytes:
    """A name that the server wrote itself, said back to it octet for octet."""
    if set(wire) & set(b"\r\n\0"):
        raise FolderRefused("The server wrote a folder's name that nobody can say to it.", detail=repr(wire[:80]))
    return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@functools.lru_cache(1024)
def flags_argument(flags: tuple[str, ...]) -> bytes:
    """A flag list: the five system flags and strict keywords; anything else is a defect of ours."""
    for flag in flags:
        if flag not in SYSTEM_FLAGS.values() and not is_keyword(flag):
            raise Defect("A flag reached the encoder that must not be sent.", detail=repr(flag[:60]))
    return b"(" + " ".join(flags).encode("ascii") + b")"


def date_argument(instant: datetime) -> bytes:
    """An internal date, from the instant, in UTC; years 1900 to 9999."""
    utc = instant if instant.tzinfo is UTC else None
    if utc is None:
        with contextlib.suppress(OverflowError):
            utc = instant.astimezone(UTC)
    if utc is None or utc.year < 1900:
        raise Defect("A date reached the encoder that must not be sent.", detail=str(instant))
    iso = utc.isoformat()
    return f'"{iso[8:10]}-{_NAMED[iso[5:7]]}-{iso[:4]} {iso[11:19]} +0000"'.encode("ascii")


def set_argument(uids: Sequence[int]) -> bytes:
    """Ascending UIDs as a set, runs collapsed (`1:5,9`)."""
    pieces: list[str] = []
    start = previous = uids[0]
    for uid in [*uids[1:], 0]:
        if uid == previous + 1:
            previous = uid
            continue
        pieces.append(str(start) if start == previous else f"{start}:{previous}")
        start = previous = uid
    return ",".join(pieces).encode("ascii")
