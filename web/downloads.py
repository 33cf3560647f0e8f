"""Files made while they are sent: safe names, errors before the first octet, and none that only looks whole.

A download that breaks off ends without its end (the connection is cut), so that no browser takes it for complete.
"""

from __future__ import annotations

import contextvars
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar
from urllib.parse import quote

import structlog
from flask import Response

log = structlog.get_logger(__name__)
T = TypeVar("T", str, bytes)

_LONGEST: Final = 100
_UNSAFE: Final = re.compile(r"[^\w.@+-]+", re.ASCII)
_FORBIDDEN: Final = frozenset('/\\:*?"<>|%')
"""Signs that some file system refuses, or that mean something in a path."""


def begun(stream: Iterator[bytes]) -> Iterator[bytes]:
    """The stream, begun: what its first part raises is raised now, when a page can still say so."""
    try:
        first = next(stream)
    except StopIteration:
        first = b""
    return _rest(first, stream)


def _rest(first: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield first
        yield from stream
    except Exception as error:
        log.error("download_broke_off", error=repr(error))  # noqa: TRY400 - the server writes the traceback
        raise


def spoken(stream: Iterator[T]) -> Iterator[T]:
    """The stream, made in the language of this request, also when the request's handler has long returned.

    Not by `stream_with_context`: that leaves its context behind where a stream is begun early or is never read to its
    end.
    """
    return _within(contextvars.copy_context(), stream)


def _within(here: contextvars.Context, stream: Iterator[T]) -> Iterator[T]:
    try:
        while True:
            try:
                part = here.run(next, stream)
            except StopIteration:
                return
            yield part
    finally:
        here.run(getattr(stream, "close", lambda: None))


def streamed(stream: Iterator[bytes], name: str, mimetype: str) -> Response:
    """A stream as a file to keep. It is closed however the download ends, even where nobody read any of it."""
    answer = attached(begun(stream), name, mimetype)
    close = getattr(stream, "close", None)
    if close is not None:
        answer.call_on_close(close)
    return answer


def attached(octets: Iterable[bytes], name: str, mimetype: str) -> Response:
    """A file to keep, under this name."""
    return Response(octets, mimetype=mimetype, headers={"Content-Disposition": disposition(name)})


def disposition(name: str) -> str:
    """`attachment` with a file name for everybody: ASCII for old programs, UTF-8 for the others (RFC 6266, 8187)."""
    clean = safe_name(name)
    plain = unicodedata.normalize("NFKD", clean).encode("ascii", "ignore").decode()
    plain = _UNSAFE.sub("-", plain).strip(".-") or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def safe_name(name: str) -> str:
    """A name that is one file in one folder on every system: no path, no control or invisible sign, not too long."""
    stem, dot, ending = name.rpartition(".")
    stem = _clean(stem if dot else name)[:_LONGEST].strip(". -") or "download"
    return f"{stem}{dot}{_clean(ending)[:10]}" if dot else stem


def _clean(text: str) -> str:
    return "".join("-" if sign in _FORBIDDEN or unicodedata.category(sign)[0] in "CZ" else sign for sign in text)


def json_text(value: dict[str, Any]) -> bytes:
    """For people and programs: indented, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
