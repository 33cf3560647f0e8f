"""Pure. Mail that is odd but real: what a mailbox of twenty years holds, and what careless tools lose, double or obey.

Every entry passes both Dovecot and pymap octet for octet (tried with 2.3.19.1 and 0.36.7). What those alter or refuse
is no part of the demo, but of tests/corpus.py: NUL, CR CR LF, zero octets; on pymap also a header without an empty line
but with a last line end (its LF gets lost), and a message that ends in `{n+}` (pymap waits for ever).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from migrator.demo import letters
from migrator.demo.people import CUSTOMERS, OFFICES, OWNER_NAME, Contact
from migrator.demo.post import Desk

_HOSTING: Final = OFFICES[2]
_IMAP_TRANSCRIPT: Final = r"""a1 SELECT INBOX
* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
* 17 EXISTS
a1 OK [READ-WRITE] Select completed.
a2 STORE 1:* +FLAGS.SILENT (\Deleted)
a3 UID STORE 1:* +FLAGS.SILENT (\Deleted)
a4 EXPUNGE
a5 CLOSE
a6 DELETE INBOX
)
a7 LOGOUT
* BYE Logging out
"""
_LITERALS: Final = """+ go ahead
{10+}
A1 APPEND INBOX {310}
* 5 FETCH (UID 7 BODY[] {3}
abc)
* 6 FETCH (UID 8 FLAGS (\\Deleted) BODY[] {9999999}
A1 OK APPEND completed.
A2 NO [TRYCREATE] ...
* BAD what?
.
..
-ERR no such message
{4096+}
+OK 120 octets {310}
"""


def transcript(desk: Desk, when: datetime) -> bytes:
    """A protocol log that the owner sends to support: a server that reads it as commands empties the inbox."""
    said = f"Guten Tag Herr Harms,\n\nhier der gewünschte Mitschnitt:\n\n{_IMAP_TRANSCRIPT}\nGruß, Tilda Müller"
    return desk.mail(
        letters.text(said, coding="8bit"), when, sender=desk.me, to=desk.them(_HOSTING), subject="Mitschnitt IMAP"
    )


def bare_transcript(desk: Desk, when: datetime) -> bytes:
    """The same without a word around it; the message begins and ends with commands."""
    commands = _IMAP_TRANSCRIPT.replace("\n", "\r\n").encode()
    return b"a0 NOOP\r\nSubject: a00 SELECT INBOX\r\nFrom: " + desk.me.encode() + b"\r\n\r\n" + commands


def literals(desk: Desk, when: datetime) -> bytes:
    """Lines that look like literals, continuations, tagged replies and POP3 ends; no line end after the last."""
    part = letters.text(_LITERALS, coding="7bit")
    return desk.mail(part, when, sender=desk.them(_HOSTING), to=desk.me, subject="Re: {310+}").removesuffix(b"\r\n")


def _without(octets: bytes, name: bytes) -> bytes:
    """The message without the header line of that name."""
    head, gap, body = octets.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(name.lower() + b":")]
    return b"\r\n".join(kept) + gap + body


def no_message_id(desk: Desk, when: datetime) -> bytes:
    said = f"Sehr geehrte Kundin,\n\nIhr Fax vom {when:%d.%m.} konnte nicht zugestellt werden."
    sender = letters.person("Faxdienst", "fax@fernsprech.example")
    return _without(desk.mail(letters.text(said), when, sender=sender, to=desk.me, subject="Faxbericht"), b"message-id")


def no_headers_worth_the_name(desk: Desk, when: datetime) -> bytes:
    """Neither Date nor From nor Message-ID."""
    return f"Subject: Scan vom Kopierer\r\n\r\n{when:%Y%m%d} Seite 1/1, Vorgang {desk.rng.randrange(9999)}\r\n".encode()


def no_gap(desk: Desk, when: datetime) -> bytes:
    """The body follows the header without an empty line, and the last line has no end."""
    domain = desk.owner.partition("@")[2]
    return (
        f"From: {desk.me}\r\nDate: {letters.date_value(when)}\r\nSubject: Notiz\r\nMessage-ID: {desk.key(domain)}\r\n"
        "Bitte die Leimflaschen auf den Kopf stellen\r\nund das Licht ausmachen"
    ).encode()


def only_header(desk: Desk, when: datetime) -> bytes:
    """An empty body: the message ends with its empty line."""
    return (
        desk.mail(letters.text(""), when, sender=desk.me, to=desk.me, subject="nur ein Betreff").rstrip(b"\r\n")
        + b"\r\n\r\n"
    )


def header_without_end(desk: Desk, when: datetime) -> bytes:
    """A header and nothing else, not even the empty line, not even the last line end."""
    return only_header(desk, when).removesuffix(b"\r\n\r\n")


def endless_line(desk: Desk, when: datetime) -> bytes:
    """One line of more than 64 KiB: a newsletter machine that knows no line ends."""
    cells = "".join(f"<td>{number}</td><td>Fräser Ø {number % 40} mm – auf Lager</td>" for number in range(2_400))
    page = letters.text(f"<table><tr>{cells}</tr></table>", subtype="html", coding="8bit")
    sender = letters.person("Fräserkatalog", "katalog@spanabhebend.example")
    return desk.mail(page, when, sender=sender, to=desk.me, subject="Der ganze Katalog in einer Zeile")


def huge_header(desk: Desk, when: datetime) -> bytes:
    """A header block of more than 32 KiB: everybody is in To."""
    crowd = ",\r\n ".join(
        f"Mitglied {number:03d} <betrieb{number:03d}@innung-brettenau.example>" for number in range(1, 701)
    )
    part = letters.text("Liebe Mitglieder,\n\ndiesmal bitte nicht allen antworten.\n\nIhre Innung")
    octets = desk.mail(
        part, when, sender=desk.them(OFFICES[1]), to="{alle}", subject="Sommerfest: Wer bringt Salat mit?"
    )
    return octets.replace(b"To: {alle}", b"To: " + crowd.encode(), 1)


def long_field(desk: Desk, when: datetime) -> bytes:
    """One unfolded header line of 9,000 octets, as some filters write them."""
    verdict = " ".join(f"RULE_{number:03d}={desk.rng.randrange(100)}" for number in range(720))
    part = letters.text("Das Angebot von gestern gilt noch.")
    sender = desk.them(CUSTOMERS[5])
    return desk.mail(
        part, when, sender=sender, to=desk.me, subject="Kurze Frage", extra=(f"X-Filter: {verdict}".encode(),)
    )


def mbox_line(desk: Desk, when: datetime) -> bytes:
    """A From_ line at the top, from the days when the mailbox was one file; escaped and unescaped ones in the body."""
    said = "Moin,\n\n>From mir aus gern.\nFrom da an weiß ich nichts mehr.\n\nHeinz"
    octets = desk.mail(
        letters.text(said, charset="iso-8859-1", coding="8bit"),
        when,
        sender="heinz.mueller@modellbahnkeller.example",
        to=desk.me,
        subject="Re: Lokschuppen",
    )
    return f"From heinz.mueller@modellbahnkeller.example {when.ctime()}\r\n".encode() + octets


def raw_header(desk: Desk, when: datetime) -> bytes:
    """Latin-1 in the header, raw, in the body too, and nobody says which charset it is."""
    head = f"From: Bäckerei Größenwahn <buero@baeckerei-groessenwahn.example>\r\nTo: {desk.owner}\r\n".encode("latin-1")
    return head + (
        f"Subject: Brötchen für die Frühschicht\r\nDate: {letters.date_value(when)}\r\n"
        f"Message-ID: {desk.key('baeckerei-groessenwahn.example')}\r\n"
        "\r\nMöhrenbrötchen sind aus, Grüße aus der Backstube!\r\n"
    ).encode("latin-1")


def mixed_up(desk: Desk, when: datetime) -> bytes:
    """A multipart whose boundary is never closed, with a wrong Content-Length and a header line without colon."""
    octets = desk.mail(
        letters.multipart("mixed", "grenze", (letters.text("Teil eins"), letters.text("Teil zwei"))),
        when,
        sender=desk.them(CUSTOMERS[8]),
        to=desk.me,
        subject="Abgeschnitten",
        extra=(b"Content-Length: 17", b"This line has no colon"),
    )
    return octets.removesuffix(b"--grenze--\r\n")


def impossible_date(desk: Desk, when: datetime) -> bytes:
    """A Date header that never was."""
    octets = desk.mail(
        letters.text("Die Uhr im Fax steht wieder."), when, sender=desk.me, to=desk.me, subject="Zeitreise"
    )
    return octets.replace(f"Date: {letters.date_value(when)}".encode(), b"Date: Sun, 31 Feb 1904 25:61:00 +9900", 1)


def strange_key(desk: Desk, when: datetime) -> bytes:
    """A Message-ID with spaces, quotes and an umlaut, and two of them."""
    ours = '<"Brief Nr. 7" (Größe) @uralt mail>'
    part = letters.text("Noch aus dem alten Programm.")
    octets = desk.mail(part, when, sender=desk.me, to=desk.me, subject="Ausdruck 7", key=ours)
    return octets.replace(b"MIME-Version", b"Message-ID: <zweite@uralt.example>\r\nMIME-Version", 1)


def deep(desk: Desk, when: datetime) -> bytes:
    """Twenty multiparts within each other."""
    part = letters.text("Hier unten bin ich.")
    for level in range(20):
        part = letters.multipart("mixed", f"ebene-{level:02d}", (part,))
    return desk.mail(part, when, sender=desk.me, to=desk.me, subject="Matroschka")


def dots(desk: Desk, when: datetime) -> bytes:
    """Lines of dots, which POP3 and SMTP must stuff, and trailing blanks."""
    said = "Die Linie:\n.\n..\n...\n. \n.\t\n\nDarunter schneiden.   \n"
    return desk.mail(letters.text(said, coding="7bit"), when, sender=desk.me, to=desk.me, subject="Schnittlinie")


ODDITIES: Final[tuple[Callable[[Desk, datetime], bytes], ...]] = (
    no_message_id,
    no_headers_worth_the_name,
    no_gap,
    only_header,
    header_without_end,
    endless_line,
    huge_header,
    long_field,
    mbox_line,
    raw_header,
    mixed_up,
    impossible_date,
    strange_key,
    deep,
    dots,
    bare_transcript,
    literals,
)


def letters_of_same_key(desk: Desk, when: datetime, contact: Contact) -> tuple[bytes, bytes]:
    """Two messages of the same header, hence the same Message-ID, and the same size: only the body tells them apart."""
    part = letters.text(f"Hallo,\n\ndie Farbe ist nun doch: matt, rot.\n\n{contact.name}\n{OWNER_NAME}")
    octets = desk.mail(part, when, sender=contact.address, to=desk.owner, subject="Farbe")
    return octets, octets.replace(b": matt, rot.", b": matt, tau.")
