"""Mail that breaks mail programs, for tests: a catalogue of nasty messages, and a stream of realistic ones.

Everything is deterministic. `nasty_messages` says what a message is like in its name; `DOVECOT_ALTERS`,
`DOVECOT_REFUSES`, `PYMAP_ALTERS`, `PYMAP_REFUSES` and `PYMAP_HANGS` say by name what those servers do to it.
"""

import random
import re
from base64 import encodebytes
from binascii import b2a_qp
from collections import deque
from collections.abc import Iterator
from typing import Final

from tests.nasty import LOOKALIKES, nasty_messages

__all__ = [
    "DOVECOT_ALTERS",
    "DOVECOT_REFUSES",
    "PYMAP_ALTERS",
    "PYMAP_HANGS",
    "PYMAP_REFUSES",
    "as_dovecot_keeps",
    "as_dovecot_sends",
    "as_pymap_keeps",
    "letters",
    "nasty_messages",
    "realistic_corpus",
]

NUL: Final = "NUL becomes 0x80"
CR: Final = "of CR CR LF one CR is lost, at each hop"
CR_END: Final = "a CR at the very end is lost, at each hop"
LF: Final = "LF alone becomes CRLF"

DOVECOT_ALTERS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("nul-in-body", "nul-in-subject", "nul-in-header-name", "nul-run-of-4096", "nul-as-last-octet"), NUL
    ),
    **dict.fromkeys(("nul-as-first-octet", "nul-and-nothing-else", "nul-in-a-binary-part", "message-id-nul"), NUL),
    **dict.fromkeys(("nul-before-the-line-end", "all-octets-in-body"), f"{NUL}; {LF}"),
    **dict.fromkeys(("utf-16-body", "utf-32-body", "utf-16-everything"), f"{NUL}; {LF}"),
    **dict.fromkeys(("cr-cr-lf-in-body", "cr-cr-cr-lf-in-body", "cr-cr-lf-everywhere", "cr-cr-lf-at-the-end"), CR),
    **dict.fromkeys(("cr-cr-lf-in-header", "cr-cr-lf-as-gap"), CR),
    **dict.fromkeys(("cr-alone-at-the-end", "cr-twice-at-the-end", "cr-only-line-ends"), CR_END),
    "cr-and-nothing-else": f"{CR_END}; the message of zero octets that remains is stored",
    **dict.fromkeys(("lf-alone-in-body", "lf-alone-at-the-end", "lf-alone-in-header", "lf-alone-everywhere"), LF),
    **dict.fromkeys(("lf-alone-as-gap", "lf-and-nothing-else"), LF),
    "lf-cr-line-ends": f"{LF}; {CR_END}",
    "line-ends-mixed": f"{LF}; {CR}",
}
"""What Dovecot 2.3.19.1 does, the same with Maildir and sdbox, with and without LITERAL+ (measured on 2026-11-22)."""

DOVECOT_REFUSES: Final[dict[str, str]] = {"empty-message": "NO Can't save a zero byte message"}

_LOST: Final = "no line is blank, so the last octet is taken for the gap after the header, and lost"
PYMAP_ALTERS: Final[dict[str, str]] = {
    **dict.fromkeys(("header-without-gap", "header-then-body-without-gap", "mbox-line-only", "one-blank"), _LOST),
    **dict.fromkeys(("imap-commands-as-message", "imap-commands-with-parenthesis", "cr-and-nothing-else"), _LOST),
    **{f"is-only-{kind.decode()}": _LOST for kind, _ in LOOKALIKES},
    **dict.fromkeys(("dot-and-nothing-else", "dots-and-nothing-else"), _LOST),
}
"""What pymap 0.36.7 (dict backend) does; it keeps all the others, with NUL, bare CR and bare LF."""

PYMAP_REFUSES: Final[dict[str, str]] = {"empty-message": "NO APPEND cancelled."}

PYMAP_HANGS: Final[dict[str, str]] = {
    "ends-like-literal-plus": "with LITERAL+ only: waits for ten octets more",
    "ends-like-literal8": "with LITERAL+ only: waits for ten octets more",
    "ends-like-literal-zero": "with LITERAL+ only: waits, and spins for ever once the client hangs up; restart it",
}
"""Messages that end in `{n+}` without a line end. With synchronising literals pymap keeps them."""


def as_dovecot_keeps(octets: bytes) -> bytes:
    """What Dovecot gives back for `octets`: exact for the whole catalogue."""
    stored = octets.replace(b"\0", b"\x80").replace(b"\r\n", b"\n").removesuffix(b"\r")
    return re.sub(rb"(?<!\r)\n", b"\r\n", stored)


def as_dovecot_sends(octets: bytes) -> bytes:
    """What Dovecot's POP3 gives for `octets` that were appended: exact for the whole catalogue.

    Line ends as it keeps them, NUL as it was, and a line end behind the last line if that had none. Nothing else.
    """
    stored = octets.replace(b"\r\n", b"\n").removesuffix(b"\r")
    sent = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    return sent if sent.endswith(b"\n") else sent + b"\r\n"


def as_pymap_keeps(octets: bytes) -> bytes:
    """What pymap gives back for `octets`: exact for the whole catalogue."""
    lines = octets.split(b"\n")
    return octets if any(not line.strip(b" \t\r\v\f") for line in lines[:-1]) or lines[-1].strip() else octets[:-1]


_NAMES: Final = (
    "Anton",
    "Berta",
    "Cäsar",
    "Dörte",
    "Emil",
    "Frauke",
    "Götz",
    "Hilde",
    "Ingo",
    "Jörg",
    "Käthe",
    "Ludger",
)
_TEXT: Final = (
    "Angebot Rechnung Lieferung Termin Werkstatt Größe Maße über für nächste Woche bitte danke herzliche Grüße und"
    " der die das mit ohne nach Montag Freitag Baustelle Schrank Tür the order shipment invoice please confirm"
)
_WORDS: Final = tuple(_TEXT.split())


def letters(count: int) -> Iterator[bytes]:
    """Text alone, of chance words: most have some KB, none more than 150."""
    rng = random.Random(5)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11))).encode() for _ in range(8000)]
    for number in range(count):
        length = min(20_000, int(rng.lognormvariate(7.2, 1.0)))
        yield b"Subject: letter %d\r\n\r\n" % number + b" ".join(rng.choices(words, k=length)) + b"\r\n"


def realistic_corpus(
    count: int, seed: int = 1, *, max_size: int = 4_000_000, twins: float = 0.02, without_id: float = 0.03
) -> Iterator[bytes]:
    """`count` varied messages; all differ but a share `twins`, each of which repeats an earlier one octet for octet.

    Sizes are log-normal: median about 8 KB, one message in 300 above 1 MB, none above `max_size` (at least 4,000). The
    share `without_id` has no Message-ID. Lazy and flat in memory: at most 64 messages of at most 64 KB are remembered.
    """
    rng = random.Random(seed)
    pools = _pools(rng, max_size)
    lately: deque[bytes] = deque(maxlen=64)
    for number in range(count):
        if lately and rng.random() < twins:
            yield lately[rng.randrange(len(lately))]
            continue
        octets = _realistic(rng, number, pools, max_size, with_id=rng.random() >= without_id)
        if len(octets) <= 65_536:
            lately.append(octets)
        yield octets


def _pools(rng: random.Random, max_size: int) -> dict[str, bytes]:
    """Encoded text and attachment octets, from which the messages take slices; whole lines of at most 78 octets."""
    lines = [" ".join(rng.choices(_WORDS, k=9)) for _ in range(4_000)]
    blob = encodebytes(rng.randbytes(min(max_size, 3_000_000))).replace(b"\n", b"\r\n")
    return {
        "8bit": "\r\n".join(lines).encode(),
        "quoted-printable": b2a_qp("\r\n".join(lines).encode(), istext=True),
        "base64": blob,
    }


def _slice(rng: random.Random, pool: bytes, size: int) -> bytes:
    """About `size` octets of the pool, from a random place, ending with a line end."""
    pieces, left = [], size
    while left > 0:
        start = pool.find(b"\r\n", rng.randrange(max(len(pool) // 2, 1))) + 2
        end = pool.find(b"\r\n", start + left)
        piece = pool[start : end + 2 if end >= 0 else len(pool)]
        left -= max(len(piece), 1)
        pieces.append(piece)
    return b"".join(pieces).rstrip(b"\r\n") + b"\r\n"


def _realistic(rng: random.Random, number: int, pools: dict[str, bytes], max_size: int, *, with_id: bool) -> bytes:
    size = min(int(rng.lognormvariate(9.0, 1.8)), max_size) - 1_500
    who, key = rng.choice(_NAMES), f"{number:x}.{rng.getrandbits(64):016x}"
    day, month, year = rng.randrange(1, 29), rng.choice(("Jan", "May", "Oct")), rng.randrange(2005, 2027)
    stamp = f"{day} {month} {year} 12:{number % 60:02d}:00 +0100"
    words = " ".join(rng.choices(_WORDS, k=4)).encode()
    subject = b"=?utf-8?q?" + b2a_qp(words, header=True).replace(b"=\n", b"") + b"?=" if rng.random() < 0.5 else words
    trace = b"".join(
        b"Received: from mx%d.old.example by mx%d.old.example with ESMTPS id %s;\r\n\t%s\r\n"
        % (hop, hop + 1, key.encode(), stamp.encode())
        for hop in range(rng.randrange(5))
    )
    head = (
        f"From: =?utf-8?q?{b2a_qp(who.encode(), header=True).decode()}?= <{who.encode().hex()}@old.example>\r\n"
        f"To: info@new.example\r\nDate: {stamp}\r\nX-Number: {number}\r\n"
    ).encode()
    head += f"Message-ID: <{key}@old.example>\r\n".encode() if with_id else b""
    head = trace + head + b"Subject: " + subject + b"\r\nMIME-Version: 1.0\r\n"
    coding = "8bit" if rng.random() < 0.4 else "quoted-printable"
    text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n" % coding.encode()
    if size < 4_000 and rng.random() < 0.7:
        return head + text + _slice(rng, pools[coding], max(size, 40))
    mark = f"b{rng.getrandbits(60):x}".encode()
    short = min(max(size // 3, 200), 20_000)
    delimiter = b"\r\n--" + mark
    return b"".join(
        (
            head,
            b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n',
            delimiter + b"\r\n",
            text,
            _slice(rng, pools[coding], short),
            delimiter + b'\r\nContent-Type: application/pdf; name="a.pdf"\r\n',
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            _slice(rng, pools["base64"], max(size - short, 100)),
            delimiter + b"--\r\n",
        )
    )
