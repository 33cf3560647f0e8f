"""An archive's mail as files: Maildir, mboxrd or .eml, in directories with names that every file system takes.

No name out of a mailbox becomes a path: each level is made harmless by itself, so that nothing leaves the directory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from migrator.archive.source import ArchiveSource
from migrator.errors import DiskFull, UsageError
from migrator.mail.folders import FolderInfo, FolderPath
from migrator.mail.messages import Row
from migrator.ports import Letter, Page, Want

_LETTERS: Final = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_X_STATUS: Final = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}
_FROM: Final = re.compile(rb"(?m)^(>*From )")
_HARMFUL: Final = frozenset('/\\:*?"<>|%')
_RESERVED: Final = re.compile(
    r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?|cur|new|tmp|index\.json|dovecot-keywords|.*\.(eml|mbox)"
)
"""Names that a system or one of our formats gives a meaning."""
_LONGEST: Final = 80


@dataclass(slots=True)
class Exported:
    """What was written, and what could not be read."""

    messages: int = 0
    octets: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    """Folder, key and reason."""


def export(source: ArchiveSource, directory: Path, kind: str) -> Exported:
    """Write everything into a directory that is new or empty. `kind`: maildir, mbox or eml.

    Raises UsageError, DiskFull; what was written until then stays.
    """
    _make_empty(directory)
    try:
        return _export(source, directory, kind)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Make room on that disk, then export into another, empty directory."
            raise DiskFull(f"The disk under {directory} is full.", hint=hint, detail=str(error.strerror)) from error
        raise UsageError(f"The directory {directory} cannot be written: {error.strerror}.") from error


def _export(source: ArchiveSource, directory: Path, kind: str) -> Exported:
    done, taken = Exported(), dict[Path, FolderPath]()
    for info in source.folders():
        place = _free(directory.joinpath(*map(harmless, info.path)), info.path, taken)
        writer = _WRITERS[kind](place)
        for row, letter in _letters(source, info, done):
            writer.add(row, letter)
            done.messages += 1
            done.octets += letter.size
            letter.close()
        writer.close()
    return done


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        used = next(directory.iterdir(), None)
    except OSError as error:
        raise UsageError(f"The directory {directory} cannot be written: {error.strerror}.") from None
    if used is not None:
        raise UsageError(f"The directory {directory} is not empty.", hint="Name a new one: nothing is overwritten.")


def _letters(source: ArchiveSource, info: FolderInfo, done: Exported) -> Iterator[tuple[Row, Letter]]:
    for page in source.survey(info.name):
        if not isinstance(page, Page):
            continue
        rows = {row.key: row for row in page.rows}
        for answer in source.read([Want(info.name, row.key, row.size) for row in rows.values()]):
            if isinstance(answer, Letter):
                yield rows[answer.want.key], answer
            else:
                done.failed.append((info.name, str(answer.want.key), answer.detail))


def harmless(level: str) -> str:
    """A folder's level as a name that every file system takes; `%` and two digits stand for what it may not hold."""
    name = "".join(
        f"%{ord(char):02X}" if char in _HARMFUL or ord(char) < 32 or ord(char) == 127 else char for char in level
    )
    name = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in name)
    if not name or name[0] == "." or _RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if name[-1] in ". ":
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if len(name.encode()) > _LONGEST:
        name = name.encode()[: _LONGEST - 9].decode("utf-8", "ignore") + "~" + _short(level)
    return name


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _free(place: Path, path: FolderPath, taken: dict[Path, FolderPath]) -> Path:
    """A place of its own also where case is no difference."""
    key = Path(str(place).casefold())
    if key in taken and taken[key] != path:
        place = place.with_name(f"{place.name}~{_short(repr(path))}")
        key = Path(str(place).casefold())
    taken[key] = path
    return place


# ---- the formats ---------------------------------------------------------------------------------------------------


class _Maildir:
    """`cur` with flags in the names (D. J. Bernstein's maildir); keywords by letter in `dovecot-keywords`."""

    def __init__(self, place: Path) -> None:
        self._place = place
        for name in ("cur", "new", "tmp"):
            (place / name).mkdir(parents=True, exist_ok=True)
        self._count = 0
        self._keywords: list[str] = []

    def add(self, row: Row, letter: Letter) -> None:
        self._count += 1
        letters = "".join(sorted({_LETTERS[flag] for flag in row.flags if flag in _LETTERS} | set(self._words(row))))
        at = row.instant or datetime.fromtimestamp(0, UTC)
        name = f"{int(at.timestamp())}.{self._count:07d}.postwagen,S={letter.size}:2,{letters}"
        _write(self._place / "cur" / name, row, letter)

    def _words(self, row: Row) -> Iterator[str]:
        for word in sorted(flag for flag in row.flags if not flag.startswith("\\")):
            if word not in self._keywords and len(self._keywords) < 26:
                self._keywords.append(word)
            if word in self._keywords:
                yield chr(ord("a") + self._keywords.index(word))

    def close(self) -> None:
        if self._keywords:
            lines = "".join(f"{number} {word}\n" for number, word in enumerate(self._keywords))
            (self._place / "dovecot-keywords").write_text(lines, encoding="utf-8")


class _Mbox:
    """One file per folder, mboxrd; flags in Status, X-Status and X-Keywords."""

    def __init__(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = open(place.with_name(place.name + ".mbox"), "xb")  # noqa: SIM115 - closed by close()

    def add(self, row: Row, letter: Letter) -> None:
        at = row.instant or datetime.fromtimestamp(0, UTC)
        self._file.write(f"From MAILER-DAEMON {at:%a %b %e %H:%M:%S %Y}\n".encode())
        status = "RO" if "\\Seen" in row.flags else "O"
        more = "".join(sign for flag, sign in _X_STATUS.items() if flag in row.flags)
        words = " ".join(sorted(flag for flag in row.flags if not flag.startswith("\\")))
        for name, value in (("Status", status), ("X-Status", more), ("X-Keywords", words)):
            if value:
                self._file.write(f"{name}: {value}\n".encode())
        ends = b""
        for octets in _quoted(letter):
            self._file.write(octets)
            ends = octets or ends
        self._file.write(b"\n" if ends.endswith(b"\n") else b"\n\n")

    def close(self) -> None:
        self._file.close()


def _quoted(letter: Letter) -> Iterator[bytes]:
    """Lines end with LF; `From ` at their beginning is quoted. A line longer than a chunk is cut nowhere inside."""
    held = b""
    for chunk in letter.chunks():
        held += chunk
        at = held.rfind(b"\n") + 1
        if at:
            yield _FROM.sub(rb">\1", held[:at].replace(b"\r\n", b"\n"))
            held = held[at:]
    yield _FROM.sub(rb">\1", held)


class _Eml:
    """One file per message, octet for octet; flags and dates in `index.json`."""

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._index: list[dict[str, Any]] = []

    def add(self, row: Row, letter: Letter) -> None:
        day = f"{row.instant:%Y-%m-%d}" if row.instant else "undated"
        name = f"{len(self._index) + 1:06d} {day}.eml"
        _write(self._place / name, row, letter)
        date = row.instant.isoformat() if row.instant else None
        self._index.append({"file": name, "key": str(row.key), "date": date, "flags": sorted(row.flags)})

    def close(self) -> None:
        text = json.dumps(self._index, ensure_ascii=False, indent=1)
        (self._place / "index.json").write_text(text + "\n", encoding="utf-8")


def _write(file: Path, row: Row, letter: Letter) -> None:
    with open(file, "xb") as opened:
        opened.writelines(letter.chunks())
    if row.instant is not None:
        os.utime(file, (row.instant.timestamp(), row.instant.timestamp()))


_WRITERS: Final[dict[str, Callable[[Path], Any]]] = {"maildir": _Maildir, "mbox": _Mbox, "eml": _Eml}
KINDS: Final = tuple(_WRITERS)
