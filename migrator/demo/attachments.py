"""Pure. Small attachments that really open (PNG, PDF, XLSX, ZIP, iCalendar), built without compression.

Deflate's output depends on the zlib that computes it; stored blocks are the same octets everywhere.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

_ZIP_EPOCH: Final = (2020, 1, 1, 0, 0, 0)
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"


def _stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) that holds `data` in stored blocks."""
    blocks = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)] or [b""]
    body = b"".join(
        struct.pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    return b"\x78\x01" + body + struct.pack(">I", zlib.adler32(data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A valid PNG: `colour` fading to white from top to bottom."""
    rows = b"".join(
        b"\0" + bytes(part + (255 - part) * row // height for part in colour) * width for row in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(rows)) + _chunk(b"IEND", b"")


def pdf(lines: Sequence[str], *, ballast: bytes = b"") -> bytes:
    """A valid one-page PDF with `lines` on it, and `ballast` in a stream that no page shows (a "scan")."""
    shown = b"".join(
        b"(" + line.encode("cp1252", "replace").translate(_PDF_ESCAPES).replace(b"\x00", b"\\") + b") Tj T*\n"
        for line in lines
    )
    page = b"BT /F1 11 Tf 14 TL 60 780 Td\n" + shown + b"ET\n"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]\n"
            b"/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%sendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    if ballast:
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(ballast), ballast))
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


_PDF_ESCAPES: Final = bytes.maketrans(b"()\\", b"[]/")


def archive(members: Mapping[str, bytes]) -> bytes:
    """A valid ZIP of `members`, stored, with a fixed date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as package:
        for name, data in members.items():
            package.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data)
    return out.getvalue()


def xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """A valid workbook with one sheet of texts."""
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{_escaped(cell)}</t></is></c>' for cell in row) + "</row>"
        for row in rows
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = (
        _part("Default", Extension="rels", ContentType="application/vnd.openxmlformats-package.relationships+xml")
        + _part("Override", PartName="/xl/workbook.xml", ContentType=f"{kind}.sheet.main+xml")
        + _part("Override", PartName="/xl/worksheets/sheet1.xml", ContentType=f"{kind}.worksheet+xml")
    )
    book = _part("Relationship", Id="rId1", Type=f"{_RELATIONS}/officeDocument", Target="xl/workbook.xml")
    sheet = _part("Relationship", Id="rId1", Type=f"{_RELATIONS}/worksheet", Target="worksheets/sheet1.xml")
    listed = f'<sheets><sheet name="Tabelle1" sheetId="1" xmlns:r="{_RELATIONS}" r:id="rId1"/></sheets>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{book}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}">{listed}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{sheet}</Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{cells}</sheetData></worksheet>',
    }
    return archive({name: (_XML + content).encode() for name, content in parts.items()})


def _part(tag: str, **attributes: str) -> str:
    return f"<{tag} " + " ".join(f'{name}="{value}"' for name, value in attributes.items()) + "/>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def invitation(*, method: str, key: str, start: datetime, summary: str, organiser: str, guest: str) -> str:
    """An iCalendar object (RFC 5545) of one hour; "\\n" line ends, as the text parts want them."""
    state = "ACCEPTED" if method == "REPLY" else "NEEDS-ACTION"
    begin, hour = start.astimezone(UTC), "%Y%m%dT%H%M%SZ"
    return "\n".join(
        (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Postwagen//Demo//DE",
            f"METHOD:{method}",
            "BEGIN:VEVENT",
            f"UID:{key}",
            f"DTSTAMP:{begin:{hour}}",
            f"DTSTART:{begin:{hour}}",
            "DURATION:PT1H",
            f"SUMMARY:{summary}",
            f"ORGANIZER:mailto:{organiser}",
            f"ATTENDEE;PARTSTAT={state}:mailto:{guest}",
            "SEQUENCE:0",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        )
    )
