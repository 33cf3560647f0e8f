"""An archive's mail as files: Maildir, mboxrd or .eml, in a directory or as a zip file that streams.

Writers take a message in small steps, so that a zip file can be handed on piece by piece while it is made.
"""

from __future__ import annotations

import errno
import json
import re
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from migrator.archive.naming import Places, harmless
from migrator.archive.shelf import Directory, Drain, Shelf, Zip
from migrator.errors import DiskFull, UsageError
from migrator.mail.flags import keywords, labels_of
from migrator.mail.folders import FolderInfo
from migrator.mail.messages import Row
from migrator.ports import Letter, Page, Source, Want

__all__ = ["KINDS", "Exported", "export", "harmless", "zip_stream"]

MISSING: Final = "MISSING.txt"
PIECE_OCTETS: Final = 64 * 1024
"""A zip file is handed on in pieces of at least so many octets."""
_LETTERS: Final = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
_X_STATUS: Final = {"\\Answered": "A", "\\Flagged": "F", "\\Draft": "T", "\\Deleted": "D"}
_FROM: Final = re.compile(rb"(?m)^(>*From )")
_LONG_LINE: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Exported:
    """What was written, and what could not be read."""

    messages: int = 0
    octets: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    """Folder, key and reason; these stand in MISSING.txt too."""


def export(source: Source, directory: Path, kind: str, only_folder: str | None = None) -> Exported:
    """Write everything, or one folder, into a directory that is new or empty. `kind`: one of KINDS.

    Raises UsageError, DiskFull; what was written until then stays.
    """
    folders, done = _chosen(source, only_folder), Exported()
    _make_empty(directory)
    try:
        for _ in _written(source, folders, Directory(directory), kind, done):
            pass
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Make room on that disk, then export into another, empty directory."
            raise DiskFull(f"The disk under {directory} is full.", hint=hint, detail=str(error.strerror)) from error
        raise UsageError(f"The directory {directory} cannot be written: {error.strerror}.") from error
    return done


def zip_stream(source: Source, kind: str, only_folder: str | None = None) -> Iterator[bytes]:
    """The same as a zip file, piece by piece. Raises UsageError before the first piece.

    Memory grows neither with messages' sizes nor with their number. The source is closed with the generator, also
    where that is left early.
    """
    return _zipped(source, _chosen(source, only_folder), kind)


def _zipped(source: Source, folders: Sequence[FolderInfo], kind: str) -> Iterator[bytes]:
    with closing(source), closing(Drain()) as drain:
        with Zip(drain) as shelf, closing(_written(source, folders, shelf, kind, Exported())) as steps:
            for _ in steps:
                if drain.held >= PIECE_OCTETS:
                    yield from drain.pieces()
        yield from drain.pieces()


def _chosen(source: Source, only_folder: str | None) -> Sequence[FolderInfo]:
    folders = source.folders()
    chosen = [info for info in folders if only_folder in (None, info.name)]
    if only_folder is not None and not chosen:
        names = ", ".join(sorted(info.name for info in folders)[:30])
        raise UsageError(f"The archive has no folder {only_folder} at that point in time.", hint=f"It has: {names}.")
    return chosen


def _written(
    source: Source, folders: Sequence[FolderInfo], shelf: Shelf, kind: str, done: Exported
) -> Generator[None, None, None]:
    """Write in steps: after each, a piece of at most some hundred kilobytes was written."""
    places = Places()
    for info in folders:
        with ExitStack() as stack:
            writer = _WRITERS[kind](shelf, places.place(info.path), stack)
            for row, letter in _letters(source, info, done):
                yield from writer.add(row, letter)
                done.messages += 1
                done.octets += letter.size
                letter.close()
            yield from writer.finish()
    if done.failed:
        with shelf.open(PurePosixPath(MISSING), None, None) as file:
            file.write(b"These messages could not be read from the archive:\n\n")
            for folder, key, reason in done.failed:
                file.write(f"{_plain(folder)} {_plain(key)}: {reason}\n".encode())
                yield


def _plain(text: str) -> str:
    """On one line, and in characters that UTF-8 has."""
    return "".join(char if char.isprintable() else "·" for char in text)


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        used = next(directory.iterdir(), None)
    except OSError as error:
        raise UsageError(f"The directory {directory} cannot be written: {error.strerror}.") from None
    if used is not None:
        raise UsageError(f"The directory {directory} is not empty.", hint="Name a new one: nothing is overwritten.")


def _letters(source: Source, info: FolderInfo, done: Exported) -> Iterator[tuple[Row, Letter]]:
    for page in source.survey(info.name):
        if not isinstance(page, Page):
            continue
        rows = {row.key: row for row in page.rows}
        for answer in source.read([Want(info.name, row.key, row.size) for row in rows.values()]):
            if isinstance(answer, Letter):
                yield rows[answer.want.key], answer
            else:
                done.failed.append((info.name, str(answer.want.key), answer.detail))


# ---- the formats ---------------------------------------------------------------------------------------------------


class _Writer(Protocol):
    """Writes one folder."""

    def add(self, row: Row, letter: Letter) -> Iterator[None]: ...

    def finish(self) -> Iterator[None]: ...


class _Maildir:
    """`cur` with flags in the names (D. J. Bernstein's maildir); keywords by letter in `dovecot-keywords`."""

    def __init__(self, shelf: Shelf, place: PurePosixPath, _stack: ExitStack) -> None:
        self._shelf = shelf
        self._place = place
        for name in ("cur", "new", "tmp"):
            shelf.folder(place / name)
        self._count = 0
        self._keywords: list[str] = []

    def add(self, row: Row, letter: Letter) -> Iterator[None]:
        self._count += 1
        letters = "".join(sorted({_LETTERS[flag] for flag in row.flags if flag in _LETTERS} | set(self._words(row))))
        at = row.instant or _EPOCH
        name = f"{int(at.timestamp())}.{self._count:07d}.postwagen,S={letter.size}:2,{letters}"
        yield from _copied(self._shelf, self._place / "cur" / name, row, letter)

    def _words(self, row: Row) -> Iterator[str]:
        for word in keywords(row.flags):
            if word not in self._keywords and len(self._keywords) < 26:
                self._keywords.append(word)
            if word in self._keywords:
                yield chr(ord("a") + self._keywords.index(word))

    def finish(self) -> Iterator[None]:
        if self._keywords:
            lines = "".join(f"{number} {word}\n" for number, word in enumerate(self._keywords)).encode()
            with self._shelf.open(self._place / "dovecot-keywords", None, len(lines)) as file:
                file.write(lines)
            yield


class _Mbox:
    """One file per folder, mboxrd; flags in Status, X-Status and X-Keywords, labels as Gmail's own export has them."""

    def __init__(self, shelf: Shelf, place: PurePosixPath, stack: ExitStack) -> None:
        self._file = stack.enter_context(shelf.open(place.with_name(place.name + ".mbox"), None, None))

    def add(self, row: Row, letter: Letter) -> Iterator[None]:
        at = row.instant or _EPOCH
        self._file.write(f"From MAILER-DAEMON {at:%a %b %e %H:%M:%S %Y}\n".encode())
        status = "RO" if "\\Seen" in row.flags else "O"
        more = "".join(sign for flag, sign in _X_STATUS.items() if flag in row.flags)
        words, labels = " ".join(keywords(row.flags)), _encoded(", ".join(labels_of(row.flags)))
        named = (("Status", status), ("X-Status", more), ("X-Keywords", words), ("X-Gmail-Labels", labels))
        for name, value in named:
            if value:
                self._file.write(f"{name}: {value}\n".encode())
        ends = b""
        for octets in _quoted(letter):
            self._file.write(octets)
            ends = octets or ends
            yield
        self._file.write(b"\n" if ends.endswith(b"\n") else b"\n\n")

    def finish(self) -> Iterator[None]:
        yield from ()


def _encoded(text: str) -> str:
    """A header's value on one line (RFC 2047)."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if plain.isascii() else Header(plain, "utf-8", maxlinelen=10**6).encode()


def _quoted(letter: Letter) -> Iterator[bytes]:
    """Lines end with LF; `From ` at their beginning is quoted. Memory is bounded, whatever a line's length is."""
    held, inside = b"", False
    for chunk in letter.chunks():
        held += chunk
        at = held.rfind(b"\n") + 1
        if not at and len(held) > _LONG_LINE:
            at = len(held) - held.endswith(b"\r")  # CR and LF stay together
        if at:
            yield _unixlike(held[:at], inside)
            held, inside = held[at:], held[at - 1 : at] != b"\n"
    yield _unixlike(held, inside)


def _unixlike(octets: bytes, inside: bool) -> bytes:
    """`inside`: they begin in the middle of a line."""
    octets = octets.replace(b"\r\n", b"\n")
    first = octets.find(b"\n") + 1 if inside else 0
    if inside and not first:
        return octets
    return octets[:first] + _FROM.sub(rb">\1", octets[first:])


class _Eml:
    """One file per message, octet for octet; flags and dates in `index.json`."""

    def __init__(self, shelf: Shelf, place: PurePosixPath, stack: ExitStack) -> None:
        self._shelf = shelf
        self._place = place
        self._count = 0
        self._index = stack.enter_context(tempfile.SpooledTemporaryFile(PIECE_OCTETS))  # noqa: SIM115 - the stack's

    def add(self, row: Row, letter: Letter) -> Iterator[None]:
        day = f"{row.instant:%Y-%m-%d}" if row.instant else "undated"
        self._count += 1
        name = f"{self._count:06d} {day}.eml"
        yield from _copied(self._shelf, self._place / name, row, letter)
        date = row.instant.isoformat() if row.instant else None
        about: dict[str, Any] = {"file": name, "key": str(row.key), "date": date, "flags": sorted(row.flags)}
        self._index.write((",\n" if self._count > 1 else "").encode() + json.dumps(about).encode())

    def finish(self) -> Iterator[None]:
        self._index.seek(0)
        with self._shelf.open(self._place / "index.json", None, None) as file:
            file.write(b"[\n")
            while octets := self._index.read(PIECE_OCTETS):
                file.write(octets)
                yield
            file.write(b"\n]\n")


def _copied(shelf: Shelf, place: PurePosixPath, row: Row, letter: Letter) -> Iterator[None]:
    with shelf.open(place, row.instant, letter.size) as file:
        for octets in letter.chunks():
            file.write(octets)
            yield


_WRITERS: Final[dict[str, Callable[[Shelf, PurePosixPath, ExitStack], _Writer]]] = {
    "maildir": _Maildir,
    "mbox": _Mbox,
    "eml": _Eml,
}
KINDS: Final = tuple(_WRITERS)
