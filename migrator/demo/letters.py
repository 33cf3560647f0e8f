"""Pure. Building mail octet by octet: header fields, MIME parts, whole messages. Every line ends in CRLF.

Not the standard library's `email` package: it would tidy up, and real mailboxes are not tidy.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.charset import QP, Charset
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

HeaderStyle: TypeAlias = Literal["q", "b", "latin-q", "raw-utf8", "raw-latin1"]
Coding: TypeAlias = Literal["7bit", "8bit", "quoted-printable", "base64"]

CRLF: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME entity: its own header fields (without line ends) and its encoded body."""

    headers: tuple[bytes, ...]
    body: bytes

    @property
    def octets(self) -> bytes:
        return CRLF.join(self.headers) + CRLF + CRLF + self.body


def _charset(style: HeaderStyle) -> Charset:
    charset = Charset("iso-8859-1" if style == "latin-q" else "utf-8")
    if style == "q":
        charset.header_encoding = QP
    return charset


@lru_cache(maxsize=4096)
def field(name: str, value: str, style: HeaderStyle = "q") -> bytes:
    """One header field, folded, without its last line end; non-ASCII by RFC 2047, or raw where the style says so."""
    if style == "raw-utf8":
        return f"{name}: {value}".encode()
    if style == "raw-latin1":
        return f"{name}: {value}".encode("latin-1", "replace")
    if value.isascii() and len(name) + len(value) < 76:
        return f"{name}: {value}".encode()
    charset = Charset("us-ascii") if value.isascii() else _charset(_fitting(value, style))
    folded = Header(value, charset, header_name=name).encode(linesep="\r\n")
    return f"{name}: {folded}".encode()


def _fitting(value: str, style: HeaderStyle) -> HeaderStyle:
    """Latin-1 only for what Latin-1 can say."""
    return "b" if style == "latin-q" and not all(ord(sign) < 256 for sign in value) else style


def person(name: str, address: str, style: HeaderStyle = "q") -> str:
    """`Name <address>`, ready for a header field: an RFC 2047 word, a quoted string or a plain phrase."""
    if not name.isascii():
        charset = _charset("q" if style.startswith("raw") else _fitting(name, style))
        return f"{Header(name, charset, maxlinelen=200).encode()} <{address}>"
    return f'"{name}" <{address}>' if any(sign in ',.()"' for sign in name) else f"{name} <{address}>"


def text(
    words: str, *, subtype: str = "plain", charset: str = "utf-8", coding: Coding = "quoted-printable", extra: str = ""
) -> Part:
    """A text part; `words` has "\\n" line ends. Falls back to UTF-8 where `charset` cannot say it."""
    lines = words.rstrip("\n").replace("\n", "\r\n") + "\r\n"
    try:
        data = lines.encode(charset)
    except UnicodeEncodeError:
        charset, data = "utf-8", lines.encode()
    if coding == "7bit" and not data.isascii():
        coding = "8bit"
    if coding == "quoted-printable":
        data = binascii.b2a_qp(data, istext=True)
    elif coding == "base64":
        data = base64_lines(data)
    return Part(
        (
            f"Content-Type: text/{subtype}; charset={charset}{extra}".encode(),
            f"Content-Transfer-Encoding: {coding}".encode(),
        ),
        data,
    )


def base64_lines(data: bytes) -> bytes:
    """Base64 in lines of 76, each with CRLF."""
    plain = binascii.b2a_base64(data, newline=False)
    return b"".join(plain[at : at + 76] + CRLF for at in range(0, len(plain), 76))


def attachment(name: str, kind: str, data: bytes, *, inline: str = "") -> Part:
    """A base64 part; the file name by RFC 2231 where it is not ASCII, and doubled as RFC 2047 like many programs do."""
    if name.isascii():
        type_name, file_name = f'name="{name}"', f'filename="{name}"'
    else:
        word = Header(name, Charset("utf-8"), maxlinelen=200).encode()
        type_name, file_name = f'name="{word}"', f"filename*=utf-8''{quote(name)}"
    headers = [f"Content-Type: {kind};\r\n {type_name}", "Content-Transfer-Encoding: base64"]
    headers.append(f"Content-Disposition: {'inline' if inline else 'attachment'};\r\n {file_name}")
    if inline:
        headers.append(f"Content-ID: <{inline}>")
    return Part(tuple(line.encode() for line in headers), base64_lines(data))


def multipart(subtype: str, boundary: str, parts: Sequence[Part], *, extra: str = "", preamble: str = "") -> Part:
    """A multipart entity with a closing delimiter."""
    mark = b"--" + boundary.encode()
    body = b"".join(mark + CRLF + part.octets + CRLF for part in parts)
    lead = preamble.encode() + CRLF if preamble else b""
    kind = f'Content-Type: multipart/{subtype}; boundary="{boundary}"{extra}'.encode()
    return Part((kind,), lead + body + mark + b"--" + CRLF)


def letter(headers: Sequence[bytes], part: Part) -> bytes:
    """The whole message."""
    return Part((*headers, b"MIME-Version: 1.0", *part.headers), part.body).octets


def _last_sunday(year: int, month: Literal[3, 10]) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def german_time(instant: datetime) -> datetime:
    """The instant in German legal time (EU summer time rule), without asking the system's time zone files."""
    summer = _last_sunday(instant.year, 3) <= instant < _last_sunday(instant.year, 10)
    return instant.astimezone(timezone(timedelta(hours=2 if summer else 1)))


def date_value(instant: datetime) -> str:
    """A Date header's value, in German time."""
    return format_datetime(german_time(instant))


def received(instant: datetime, *, sender: str, receiver: str, number: int) -> list[bytes]:
    """Two trace fields, newest first; addresses from the documentation networks of RFC 5737."""
    stamp, key = date_value(instant), f"{number:010X}"
    return [
        f"Received: from mx{number % 3 + 1}.altprovider.example ([192.0.2.{number % 250 + 2}])\r\n\tby mail.altprovider"
        f".example with LMTP id {key}\r\n\tfor <{receiver}>; {stamp}".encode(),
        f"Received: from out.{sender} (out.{sender} [198.51.100.{number % 240 + 8}])\r\n\tby mx{number % 3 + 1}"
        f".altprovider.example with ESMTPS (TLSv1.3)\r\n\tid {key}; {stamp}".encode(),
    ]
