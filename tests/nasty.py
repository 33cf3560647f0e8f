"""The catalogue of nasty messages; tests/corpus.py is the way in, and says what servers do to them."""

from base64 import encodebytes
from collections.abc import Iterator
from typing import Final

DATE: Final = b"Mon, 05 Mar 2001 01:02:03 +0100"


def _head(name: str, *extra: bytes, without: tuple[bytes, ...] = ()) -> bytes:
    fields = (
        b"From: Anton <anton@old.example>",
        b"To: Berta <berta@new.example>",
        b"Subject: " + name.encode(),
        b"Date: " + DATE,
        b"Message-ID: <" + name.encode() + b"@corpus.example>",
    )
    kept = [field for field in fields if field.partition(b":")[0] not in without]
    return b"".join(field + b"\r\n" for field in (*kept, *extra))


def _mail(name: str, body: bytes = b"Hallo\r\n", *extra: bytes, without: tuple[bytes, ...] = ()) -> tuple[str, bytes]:
    return name, _head(name, *extra, without=without) + b"\r\n" + body


def nasty_messages() -> list[tuple[str, bytes]]:
    """(name, octets) of every message; names are unique, a pair of twins has two names."""
    groups = (
        _controls,
        _line_ends,
        _shapes,
        _charsets,
        _sizes,
        _boundaries,
        _mime,
        _mbox,
        _wire,
        _dots,
        _identity,
        _dates,
        _odd,
    )
    return [entry for group in groups for entry in group()]


def _controls() -> Iterator[tuple[str, bytes]]:
    yield _mail("nul-in-body", b"vor\0nach\r\n")
    yield _mail("nul-in-subject", b"x\r\n", b"Subject: vor\0nach", without=(b"Subject",))
    yield _mail("nul-in-header-name", b"x\r\n", b"X-\0: ja")
    yield _mail("nul-run-of-4096", b"\0" * 4096 + b"\r\n")
    yield _mail("nul-as-last-octet", b"Ende\0")
    yield "nul-as-first-octet", b"\0" + _head("nul-as-first-octet") + b"\r\nx\r\n"
    yield "nul-and-nothing-else", b"\0"
    yield _mail("nul-before-the-line-end", b"Zeile\0\r\nZeile\r\0\n\r\n")
    yield _mail("nul-in-a-binary-part", b"\x89PNG\0\0\0\rIHDR\0\r\n", b"Content-Transfer-Encoding: binary")
    yield _mail("all-octets-in-body", bytes(range(256)) + b"\r\n")
    yield _mail("all-octets-but-nul-cr-lf", bytes(set(range(256)) - {0, 10, 13}) + b"\r\n")
    yield _mail("all-octets-but-nul-cr-lf-in-header", b"x\r\n", b"X-All: " + bytes(set(range(256)) - {0, 10, 13}))
    for octet in (0x01, 0x08, 0x0B, 0x0C, 0x1A, 0x1B, 0x7F, 0x80, 0xFF):
        yield _mail(f"control-{octet:02x}", b"vor" + bytes([octet]) + b"nach\r\n", b"X-Control: " + bytes([octet]))


def _line_ends() -> Iterator[tuple[str, bytes]]:
    yield _mail("cr-cr-lf-in-body", b"eins\r\r\nzwei\r\n")
    yield _mail("cr-cr-cr-lf-in-body", b"eins\r\r\r\nzwei\r\n")
    yield _mail("cr-cr-lf-everywhere", b"eins\r\r\nzwei\r\r\n\r\r\ndrei\r\r\n")
    yield _mail("cr-cr-lf-at-the-end", b"eins\r\r\n")
    yield _mail("cr-cr-lf-in-header", b"x\r\n", b"X-Odd: eins\r")
    yield "cr-cr-lf-as-gap", _head("cr-cr-lf-as-gap") + b"\r\r\nx\r\n"
    yield _mail("cr-alone-in-body", b"eins\rzwei\r\n")
    yield _mail("cr-alone-in-header", b"x\r\n", b"X-Odd: eins\rX-Two: zwei")
    yield _mail("cr-alone-at-the-end", b"eins\r\nzwei\r")
    yield _mail("cr-twice-at-the-end", b"eins\r\nzwei\r\r")
    yield _mail("cr-only-line-ends", b"eins\rzwei\rdrei\r")
    yield _mail("cr-at-octet-8191-of-body", b"a" * 8190 + b"\r" + b"b" * 100 + b"\r\n")
    yield _mail("crlf-across-octet-8192", b"a" * 8191 + b"\r\nb\r\n")
    yield _mail("lf-cr-line-ends", b"eins\n\rzwei\n\r")
    yield _mail("lf-alone-in-body", b"eins\nzwei\r\n")
    yield _mail("lf-alone-at-the-end", b"eins\r\nzwei\n")
    yield _mail("lf-alone-in-header", b"x\r\n", b"X-Odd: eins\nX-Two: zwei")
    yield "lf-alone-everywhere", _mail("lf-alone-everywhere", b"eins\r\nzwei\r\n")[1].replace(b"\r\n", b"\n")
    yield "lf-alone-as-gap", _head("lf-alone-as-gap") + b"\nx\r\n"
    yield _mail("line-ends-mixed", b"a\r\nb\nc\rd\r\r\ne\n\nf\r\n")
    yield _mail("no-final-line-end", b"eins\r\nzwei")
    yield _mail("many-final-line-ends", b"eins" + b"\r\n" * 500)
    yield "line-end-first", b"\r\n" + _head("line-end-first") + b"\r\nx\r\n"
    yield "line-ends-only", b"\r\n" * 40
    yield "cr-and-nothing-else", b"\r"
    yield "lf-and-nothing-else", b"\n"
    yield "crlf-and-nothing-else", b"\r\n"
    for name, sign in (("unicode-line-separator", "\u2028"), ("next-line", "\x85")):
        yield _mail(f"{name}-in-body", f"eins{sign}zwei\r\n".encode())


def _shapes() -> Iterator[tuple[str, bytes]]:
    yield "empty-message", b""
    yield "one-octet", b"x"
    yield "one-blank", b" "
    yield "header-and-gap-only", _head("header-and-gap-only") + b"\r\n"
    yield "header-without-gap", _head("header-without-gap")
    yield "header-without-last-line-end", _head("header-without-last-line-end").removesuffix(b"\r\n")
    yield "header-then-body-without-gap", _head("header-then-body-without-gap") + b"Das ist schon der Text.\r\nEnde\r\n"
    yield "body-without-header", b"Nur Text, kein Kopf.\r\n\r\nUnd noch ein Absatz.\r\n"
    yield "gap-then-body", b"\r\nNur Text nach einer leeren Zeile.\r\n"
    yield _mail("body-of-one-line-end", b"\r\n")
    yield _mail("body-of-one-octet", b"x")
    yield _mail("header-line-without-colon", b"x\r\n", b"this line has no colon")
    yield _mail("header-line-with-colon-only", b"x\r\n", b":")
    yield _mail("header-name-empty", b"x\r\n", b": value")
    yield _mail("header-name-with-blank", b"x\r\n", b"X Odd Name: value")
    yield _mail("header-blank-before-colon", b"x\r\n", b"X-Odd : value")
    yield _mail("header-value-missing", b"x\r\n", b"X-Empty:", b"X-Blank: ")
    yield _mail("header-name-of-1000", b"x\r\n", b"X-" + b"n" * 998 + b": value")
    yield _mail("fold-of-blanks-only", b"x\r\n", b"X-Fold: a", b"   ", b" b")
    yield _mail("fold-with-tab-only", b"x\r\n", b"X-Fold: a", b"\t", b"\tb")
    yield "fold-in-the-first-line", b" garbage before any field\r\n" + _head("fold-in-the-first-line") + b"\r\nx\r\n"
    yield "fold-without-end", _head("fold-without-end") + b"X-Fold: a\r\n" * 3 + b" b\r\n c"
    yield "gap-of-blanks", _head("gap-of-blanks") + b"  \r\nIst das Text oder Kopf?\r\n"
    yield _mail("header-repeated", b"x\r\n", *[b"Subject: noch einer"] * 20)
    yield _mail("blanks-at-line-ends", b"eins  \r\n\t\r\n \r\n", b"X-Trailing: value   \t ")


def _charsets() -> Iterator[tuple[str, bytes]]:
    words = (
        ("latin-1", "Grüße aus Größenwahn"),
        ("utf-8", "Grüße – 日本 – 🚚"),
        ("shift-jis", "日本語の件名"),
        ("gb18030", "发票"),
        ("koi8-r", "Привет"),
        ("euc-kr", "안녕하세요"),
        ("iso-2022-jp", "日本語の件名"),
        ("utf-7", "Grüße"),
    )
    for charset, text in words:
        raw = text.encode(charset)
        yield _mail(
            f"raw-{charset}", raw + b"\r\n", b"Subject: " + raw, b"X-\xfc" + raw + b": x", without=(b"Subject",)
        )
    yield _mail("utf-8-broken", b"\xc3\r\n\xe2\x82\r\n\xff\xfe\xed\xa0\x80\r\n", b"X-Broken: \xc3")
    yield _mail("utf-8-overlong", b"\xc0\xaf\xe0\x80\xaf \xc0\x80\r\n")
    yield _mail("utf-16-body", "Grüße\r\n".encode("utf-16"), b"Content-Type: text/plain; charset=utf-16")
    yield _mail("utf-32-body", "Grüße\r\n".encode("utf-32"), b"Content-Type: text/plain; charset=utf-32")
    yield "utf-16-everything", _mail("utf-16-everything")[1].decode().encode("utf-16")
    yield "bom-first", b"\xef\xbb\xbf" + _mail("bom-first")[1]
    yield _mail("bidi-and-zero-width", "a\u202eb\u200bc\u2066d\r\n".encode(), "X-Bidi: \u202egpj.exe".encode())
    yield _mail(
        "encoded-words-broken", b"x\r\n", b"X-Word: =?utf-8?q?=C3?= =?utf-8?b?w?= =?nix?z?a?= =?utf-8?q?" + b"a" * 500
    )


def _sizes() -> Iterator[tuple[str, bytes]]:
    short, long = (998, 999, 1000, 2047, 2048, 4096, 8191, 8192, 8193), (9900, 10_239, 10_240, 65_535, 65_536, 70_000)
    for size in (*short, *long, 1 << 20):
        yield _mail(f"body-line-of-{size}", b"x" * size + b"\r\n")
    for size in (998, 8192, 65_537, 300_000):
        yield _mail(f"header-line-of-{size}", b"x\r\n", b"X-Long: " + b"y" * (size - 8))
    yield _mail("header-of-40k-in-short-lines", b"x\r\n", b"X-Fold: a" + b"\r\n abcdefgh" * 4000)
    yield _mail("header-fields-5000", b"x\r\n", *[b"X-%04d: x" % number for number in range(5000)])
    yield (
        "received-300",
        b"".join(
            b"Received: from a%d.example by b%d.example; " % (number, number) + DATE + b"\r\n" for number in range(300)
        )
        + _mail("received-300")[1],
    )
    yield _mail(
        "references-2000", b"x\r\n", b"References: " + b"\r\n ".join(b"<%d@ref.example>" % n for n in range(2000))
    )
    yield _mail("recipients-3000", b"x\r\n", b"Cc: " + b", ".join(b"p%d@crowd.example" % n for n in range(3000)))
    yield _mail("empty-lines-100000", b"\r\n" * 100_000)
    yield _mail("one-octet-lines-50000", b"a\r\n" * 50_000)
    for size in (4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 1 << 20):
        octets = _mail(f"message-of-{size}", b"")[1]
        yield f"message-of-{size}", octets + b"z" * (size - len(octets) - 2) + b"\r\n"


def _nested(depth: int, wrap: bytes) -> bytes:
    lines = [
        b"Content-Type: multipart/mixed; boundary=%s%d\r\n\r\n--%s%d\r\n" % (wrap, n, wrap, n) for n in range(depth)
    ]
    ends = [b"\r\n--%s%d--\r\n" % (wrap, n) for n in reversed(range(depth))]
    return b"".join(lines) + b"\r\nin der Mitte\r\n" + b"".join(ends)


def _boundaries() -> Iterator[tuple[str, bytes]]:
    mixed, part = b"Content-Type: multipart/mixed; boundary=b", b"--b\r\nContent-Type: text/plain\r\n\r\neins\r\n"
    yield _mail("boundary-never-closed", part + part, mixed)
    yield _mail("boundary-never-opened", b"keine Grenze\r\n", mixed)
    yield _mail("boundary-closed-first", b"--b--\r\n" + part, mixed)
    yield _mail("boundary-missing", part, b"Content-Type: multipart/mixed")
    yield _mail("boundary-empty", b"--\r\n\r\nx\r\n----\r\n", b'Content-Type: multipart/mixed; boundary=""')
    yield _mail("boundary-of-1000", b"--" + b"b" * 1000 + b"\r\n\r\nx\r\n", mixed + b"b" * 999)
    yield _mail("boundary-8bit", b"--b\xfc\r\n\r\nx\r\n--b\xfc--\r\n", mixed + b"\xfc")
    yield _mail("boundary-is-a-prefix", part + b"--bb\r\n\r\ninnen\r\n--bb--\r\n--b--\r\n", mixed)
    yield _mail("boundary-without-final-line-end", part + b"--b--", mixed)
    yield _mail("content-type-twice", part, mixed, b"Content-Type: text/html")
    yield _mail("multipart-without-parts", b"--b--\r\n", mixed)
    yield _mail("multipart-3000-parts", part * 3000 + b"--b--\r\n", mixed)


def _mime() -> Iterator[tuple[str, bytes]]:
    yield "nested-60", _head("nested-60") + _nested(60, b"n")
    yield "nested-300", _head("nested-300") + _nested(300, b"n")
    yield (
        "rfc822-nested-60",
        _head("rfc822-nested-60") + b"Content-Type: message/rfc822\r\n\r\n" * 60 + b"From: x\r\n\r\ny\r\n",
    )
    yield _mail("content-type-garbage", b"x\r\n", b'Content-Type: ;;=/"\\; charset=')
    yield _mail("content-length-wrong", b"x\r\n" * 50, b"Content-Length: 7", b"Lines: 1")
    yield _mail("content-length-negative", b"x\r\n", b"Content-Length: -1")
    yield _mail("charset-unknown", b"x\r\n", b"Content-Type: text/plain; charset=x-marsianisch")
    yield _mail("encoding-unknown", b"x\r\n", b"Content-Transfer-Encoding: x-gar-keine")
    yield _mail("base64-broken", b"@@@@ZZ=Z\r\n=\r\n===\r\nabc\r\n", b"Content-Transfer-Encoding: base64")
    yield _mail(
        "base64-in-one-line", encodebytes(bytes(90_000)).replace(b"\n", b""), b"Content-Transfer-Encoding: base64"
    )
    yield _mail("quoted-printable-broken", b"=\r\n=Z=4\r\n=3D=\r\n=", b"Content-Transfer-Encoding: quoted-printable")
    yield _mail(
        "uuencode-and-yenc", b"begin 644 a\r\n#86)C\r\n`\r\nend\r\n=ybegin size=3 name=a\r\n\x8b\x8c\x8d\r\n=yend\r\n"
    )
    yield _mail("file-name-climbs", b"x\r\n", b'Content-Disposition: attachment; filename="../../etc/passwd"')
    yield _mail(
        "file-name-in-pieces",
        b"x\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*2=c; filename*1=b",
    )
    signed = b'Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha256; boundary=b'
    yield _mail(
        "signed-with-trailing-blanks", b"--b\r\n\r\nFrom hier an  \r\n-- \r\n\r\n--b\r\n\r\nSIG\r\n--b--\r\n", signed
    )


def _mbox() -> Iterator[tuple[str, bytes]]:
    line = b"From anton@old.example Mon Mar  5 01:02:03 2001\r\n"
    yield "mbox-line-first", line + _mail("mbox-line-first")[1]
    yield "mbox-line-first-escaped", b">" + line + _mail("mbox-line-first-escaped")[1]
    yield "mbox-line-only", line
    yield _mail("mbox-lines-in-body", line + b">" + line + b"\r\n" + line + b"From: nein\r\n")
    yield _mail("mbox-message-in-body", b"\r\n" + line + _head("inner") + b"\r\ninnen\r\n")
    yield _mail(
        "mbox-status-headers",
        b"x\r\n",
        b"Status: RO",
        b"X-Status: DF",
        b"X-UID: 7",
        b"X-Keywords: a b",
        b"X-IMAPbase: 1 9",
    )
    yield _mail(
        "mbox-internal-data",
        b"This text is part of the internal format of your mail folder.\r\n",
        b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA",
        b"X-IMAP: 1 2",
        without=(b"Subject",),
    )


_COMMANDS: Final = (
    b"a1 SELECT INBOX\r\na2 STORE 1:* +FLAGS.SILENT (\\Deleted)\r\na3 EXPUNGE\r\na4 DELETE INBOX\r\na5 LOGOUT\r\n"
)
LOOKALIKES: Final = (
    (b"parenthesis", b")"),
    (b"fetch-reply", b"* 5 FETCH (UID 7 BODY[] {3}"),
    (b"expunge-reply", b"* 1 EXPUNGE"),
    (b"bye", b"* BYE Logging out"),
    (b"tagged-ok", b"A1 OK done"),
    (b"tagged-no", b"A1 NO [OVERQUOTA] full"),
    (b"tagged-bad", b"A1 BAD what"),
    (b"continuation", b"+ go ahead"),
    (b"literal", b"{10}"),
    (b"literal-plus", b"{10+}"),
    (b"literal-huge", b"{9999999}"),
    (b"literal-zero", b"{0+}"),
    (b"literal8", b"~{10+}"),
    (b"quote", b'"'),
    (b"backslash", b"\\"),
    (b"nil", b"NIL)"),
    (b"pop3-ok", b"+OK 120 octets"),
    (b"pop3-err", b"-ERR no such message"),
)


def _wire() -> Iterator[tuple[str, bytes]]:
    yield _mail("imap-commands-as-body", _COMMANDS)
    yield "imap-commands-as-message", _COMMANDS
    yield "imap-commands-with-parenthesis", b")\r\n" + _COMMANDS
    yield _mail("imap-append-as-body", b"a1 APPEND INBOX {5+}\r\nhallo\r\n" + _COMMANDS)
    yield _mail("imap-commands-after-long-text", b"x" * 8100 + b"\r\n" + _COMMANDS * 30)
    yield _mail("pop3-commands-as-body", b"DELE 1\r\nQUIT\r\n.\r\nDELE 2\r\n")
    for kind, line in LOOKALIKES:
        name = kind.decode()
        yield _mail(f"looks-like-{name}", line + b"\r\nmitten\r\n" + line + b"\r\n", b"X-Like: " + line)
        yield _mail(f"ends-like-{name}", b"Text " + line)
        yield f"is-only-{name}", line + b"\r\n"
    yield _mail(
        "exchange-substitute",
        b"The server couldn't retrieve the following message:\r\n\r\nSubject: x\r\n",
        b"From: Microsoft Exchange Server <x@old.example>",
        b"Subject: Retrieval using the IMAP4 protocol failed for the following message: 7",
        without=(b"Subject", b"From"),
    )


def _dots() -> Iterator[tuple[str, bytes]]:
    yield _mail("dot-lines", b".\r\n..\r\n...\r\n.x\r\n..x\r\n.\r\n")
    yield _mail("dot-first", b".\r\nx\r\n")
    yield _mail("dot-last-without-line-end", b"x\r\n.")
    yield "dot-and-nothing-else", b".\r\n"
    yield "dots-and-nothing-else", b"..\r\n"
    yield _mail("dot-in-header", b"x\r\n", b".X: y", b"..")


def _identity() -> Iterator[tuple[str, bytes]]:
    key = b"Message-ID: <same@corpus.example>"
    same = (b"Message-ID", b"Subject")
    for number, body in enumerate((b"rot\r\n", b"gruen und laenger\r\n")):
        yield _mail(f"same-message-id-{number}", body, key, b"Subject: same id", without=same)
    for number, body in enumerate((b"rot\r\n", b"tau\r\n")):
        yield _mail(f"same-header-same-size-{number}", body, key, b"Subject: same header", without=same)
    for number in range(2):
        yield _mail(
            f"twin-{number}", b"Zwilling\r\n", b"Message-ID: <twin@corpus.example>", b"Subject: twin", without=same
        )
    for number, body in enumerate((b"Fast gleich\r\n", b"Fast gleich\r\n\r\n", b"Fast gleich")):
        yield _mail(f"nearly-twin-{number}", body, b"Message-ID: <near@corpus.example>", b"Subject: near", without=same)
    keys = {
        "empty": b"",
        "empty-brackets": b"<>",
        "blanks": b"<a b @ corpus.example>",
        "quotes": b'<"a\\"b"@corpus.example>',
        "8bit": b"<gr\xfc\xdfe@corpus.example>",
        "no-brackets": b"bare@corpus.example",
        "comment": b"<c@corpus.example> (x)",
        "folded": b"\r\n <folded@corpus.example>",
        "of-4000": b"<" + b"m" * 3984 + b"@corpus.example>",
        "upper": b"<CASE@X.example>",
        "lower": b"<case@x.example>",
        "two-in-one": b"<a@corpus.example> <b@corpus.example>",
        "open": b"<open@corpus.example",
        "nul": b"<n\0l@corpus.example>",
        "utf-8": "<größe@corpus.example>".encode(),
        "tab": b"\t<tab@corpus.example>\t",
    }
    for name, value in keys.items():
        yield _mail(f"message-id-{name}", b"x\r\n", b"Message-ID: " + value, without=(b"Message-ID",))
    yield _mail("message-id-missing", b"x\r\n", without=(b"Message-ID",))
    yield _mail("message-id-twice", b"x\r\n", b"Message-ID: <second@corpus.example>")
    yield _mail("message-id-in-body-only", b"Message-ID: <body@corpus.example>\r\n", without=(b"Message-ID",))
    yield _mail("message-id-name-in-odd-case", b"x\r\n", b"mEsSaGe-iD: <odd@corpus.example>", without=(b"Message-ID",))


def _dates() -> Iterator[tuple[str, bytes]]:
    values = {
        "year-0": b"Mon, 01 Jan 0000 00:00:00 +0000",
        "year-1601": b"Mon, 01 Jan 1601 00:00:00 +0000",
        "year-1899": b"Sat, 30 Dec 1899 00:00:00 +0000",
        "year-1969": b"Wed, 31 Dec 1969 23:59:59 +0000",
        "year-2039": b"Tue, 19 Jan 2039 03:14:08 +0000",
        "year-9999": b"Fri, 31 Dec 9999 23:59:59 +0000",
        "year-10000": b"Sat, 01 Jan 10000 00:00:00 +0000",
        "two-digits": b"5 Mar 01 01:02 EST",
        "february-31": b"Sun, 31 Feb 2001 25:61:61 +9999",
        "leap-second": b"Sat, 31 Dec 2016 23:59:60 +0000",
        "german": b"Mo, 05 M\xe4rz 2001 01:02:03 +0100",
        "iso": b"2001-03-05T01:02:03Z",
        "empty": b"",
        "words": b"gestern abend",
        "no-zone": b"Mon, 05 Mar 2001 01:02:03",
        "half-hour-zone": b"Mon, 05 Mar 2001 01:02:03 +0545",
        "huge": b"9" * 3000,
    }
    for name, value in values.items():
        yield _mail(f"date-{name}", b"x\r\n", b"Date: " + value, without=(b"Date",))
    yield _mail("date-missing", b"x\r\n", without=(b"Date",))
    yield _mail("date-twice", b"x\r\n", b"Date: Tue, 06 Mar 2001 01:02:03 +0100")


def _odd() -> Iterator[tuple[str, bytes]]:
    yield _mail("from-missing", b"x\r\n", without=(b"From",))
    yield _mail("from-twice", b"x\r\n", b"From: zwei@old.example")
    yield _mail("from-is-a-group", b"x\r\n", b"From: Undisclosed:;", without=(b"From",))
    yield _mail("address-unbalanced", b"x\r\n", b'Cc: "offen <a@b (c', b"Bcc: <<a@b>>, ,,;")
    yield _mail("subject-missing", b"x\r\n", without=(b"Subject",))
    yield _mail("all-fields-missing", b"x\r\n", without=(b"From", b"To", b"Subject", b"Date", b"Message-ID"))
    yield _mail(
        "html-that-bites",
        b"<script>alert(1)</script>{{7*7}}%s%n\r\n",
        b"X-Bite: <img src=x onerror=alert(1)> ${jndi:x}",
    )
    yield _mail(
        "pine-and-exchange-headers", b"x\r\n", b"X-Keywords: \\Deleted", b"X-MS-TNEF-Correlator: y", b"Return-Path: <>"
    )
