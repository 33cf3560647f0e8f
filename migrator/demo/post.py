"""Pure. The desk at which the demo's letters are written: habits of each writer, conversations, enclosures.

Everything is drawn from one `random.Random`; the same seed and the same instants give the same octets.
"""

import html
import random
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from migrator.demo import attachments, letters
from migrator.demo.letters import Coding, HeaderStyle, Part
from migrator.demo.people import EVERYBODY, OWNER_NAME, OWNER_SIGNATURE, Contact
from migrator.demo.texts import DAYS, PIECES, POSTSCRIPTS, ROOMS, TIMES, WOODS, Conversation


@dataclass(frozen=True, slots=True)
class Habit:
    """How one writer's program writes: encodings, its name, whether it adds HTML."""

    charset: str
    coding: Coding
    header: HeaderStyle
    program: str
    rich: bool


HABITS: Final = (
    Habit("utf-8", "quoted-printable", "q", "X-Mailer: Briefkasten 4.2", rich=True),
    Habit("utf-8", "8bit", "q", "User-Agent: Taubenschlag/115.3", rich=False),
    Habit("iso-8859-1", "quoted-printable", "latin-q", "X-Mailer: Postmeister 2000 (9.0.6)", rich=True),
    Habit("windows-1252", "8bit", "latin-q", "X-Mailer: Postmeister 2000 (9.0.6)", rich=False),
    Habit("utf-8", "base64", "b", "X-Mailer: Handbrief iOS (21F90)", rich=True),
    Habit("utf-8", "8bit", "raw-utf8", "X-Mailer: Schnellpost 0.9", rich=False),
    Habit("iso-8859-1", "8bit", "raw-latin1", "X-Mailer: Uralt-Mail 1.1", rich=False),
)
_OURS: Final = Habit("utf-8", "quoted-printable", "q", "User-Agent: Taubenschlag/128.1", rich=False)
_ENCLOSURES: Final = (
    ("Skizze", "Skizze {nr}.png"),
    ("unser Angebot Nr", "Angebot {nr} – Tischlerei Müller & Söhne.pdf"),
    ("berichtigte Rechnung", "Rechnung {nr} (berichtigt).pdf"),
    ("Inventurliste hängt", "Inventur {jahr}.xlsx"),
    ("Prüfprotokoll", "Prüfprotokoll {nr}.pdf"),
    ("photo attached", "table-top-{nr}.png"),
    ("data sheet is attached", "Hard wax oil - data sheet.pdf"),
    ("packing list", "packing-list-{nr}.xlsx"),
)
KINDS: Final = {
    "png": "image/png",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One letter of a conversation; `answered`: the other side replied to it."""

    octets: bytes
    when: datetime
    ours: bool
    answered: bool
    contact: Contact
    subject: str


class Desk:
    """Writes letters to and from `owner`; holds nothing but the random generator and a counter."""

    __slots__ = ("_count", "owner", "rng")

    def __init__(self, rng: random.Random, owner: str) -> None:
        self.rng = rng
        self.owner = owner
        self._count = rng.randrange(0x10000, 0xFFFFF)

    def facts(self, when: datetime, *, english: bool = False) -> dict[str, str]:
        """One set of values for the placeholders of a conversation."""
        rng = self.rng
        piece, nominative, accusative, dative = rng.choice(PIECES)
        amount = f"{rng.randrange(120, 9_800):,}.{rng.choice(('00', '50', '90'))}"
        german = amount.translate(str.maketrans(",.", ".,"))
        return {
            "stueck": piece,
            "der": nominative,
            "den": accusative,
            "dem": dative,
            "holz": rng.choice(WOODS),
            "raum": rng.choice(ROOMS),
            "betrag": f"EUR {amount}" if english else f"{german} €",
            "nr": f"{when.year}-{rng.randrange(100, 999)}",
            "tag": rng.choice(DAYS),
            "zeit": rng.choice(TIMES),
            "jahr": str(when.year - 1),
        }

    def key(self, domain: str) -> str:
        """A Message-ID that occurs once, angle brackets included."""
        self._count += self.rng.randrange(1, 900)
        return f"<{self._count:x}.{self.rng.getrandbits(48):012x}@{domain}>"

    def boundary(self) -> str:
        return f"=_{self.rng.getrandbits(64):016x}"

    def habit(self, contact: Contact) -> Habit:
        return HABITS[EVERYBODY.index(contact) % len(HABITS)]

    def mail(
        self,
        part: Part,
        when: datetime,
        *,
        sender: str,
        to: str,
        subject: str,
        key: str = "",
        trail: Sequence[str] = (),
        style: HeaderStyle = "q",
        extra: Sequence[bytes] = (),
    ) -> bytes:
        """A whole letter. `sender` and `to` are header values; mail that is not from the owner has trace fields."""
        address = sender.rpartition("<")[2].rstrip(">")
        domain = address.partition("@")[2]
        lines: list[bytes] = []
        if address != self.owner:
            lines.append(f"Return-Path: <{address}>".encode())
            lines += letters.received(when, sender=domain, receiver=self.owner, number=self.rng.getrandbits(32))
        lines += [letters.field("From", sender), letters.field("To", to), letters.field("Subject", subject, style)]
        lines += [f"Date: {letters.date_value(when)}".encode(), f"Message-ID: {key or self.key(domain)}".encode()]
        if trail:
            lines += [f"In-Reply-To: {trail[-1]}".encode(), b"References: " + "\r\n ".join(trail).encode()]
        return letters.letter([*lines, *extra], part)

    @property
    def me(self) -> str:
        return letters.person(OWNER_NAME, self.owner)

    def them(self, contact: Contact) -> str:
        return letters.person(contact.name, contact.address, self.habit(contact).header)

    def words(self, text: str, habit: Habit) -> Part:
        """The text as this writer's program sends it: plain, or plain and HTML, now and then with a picture in it."""
        plain = letters.text(wrapped(text), charset=habit.charset, coding=habit.coding)
        if not habit.rich:
            return plain
        picture = self.rng.random() < 0.15
        page = letters.text(as_html(text, picture=picture), subtype="html", charset=habit.charset, coding=habit.coding)
        if picture:
            logo = attachments.png(48, 24, (self.rng.randrange(200), 90, 60))
            inline = letters.attachment("logo.png", KINDS["png"], logo, inline="logo@inline.example")
            page = letters.multipart("related", self.boundary(), (page, inline))
        return letters.multipart("alternative", self.boundary(), (plain, page))

    def with_enclosures(self, part: Part, enclosed: Sequence[Part]) -> Part:
        return letters.multipart("mixed", self.boundary(), (part, *enclosed)) if enclosed else part

    def enclosure(self, name: str) -> Part:
        """A small attachment that fits the file name's ending and opens."""
        kind = name.rpartition(".")[2]
        if kind == "png":
            colour = (self.rng.randrange(60, 220), self.rng.randrange(60, 180), self.rng.randrange(20, 120))
            data = attachments.png(self.rng.randrange(40, 110), self.rng.randrange(40, 110), colour)
        elif kind == "xlsx":
            rows = [
                (f"{number + 1}", self.rng.choice(WOODS), f"{self.rng.randrange(1, 90)} Stück") for number in range(40)
            ]
            data = attachments.xlsx([("Nr.", "Holz", "Menge"), *rows])
        else:
            scan = self.rng.randbytes(self.rng.randrange(2_000, 40_000))
            data = attachments.pdf(
                [OWNER_NAME, "", name.rpartition(".")[0], "", "Es gilt das gesprochene Wort."], ballast=scan
            )
        return letters.attachment(name, KINDS[kind], data)

    def converse(self, talk: Conversation, contact: Contact, start: datetime) -> Iterator[Turn]:
        """The letters of a conversation, oldest first, each quoting the one before; they span at most nine days."""
        english = contact.kind == "abroad"
        facts = self.facts(start, english=english)
        count = len(talk.turns) if self.rng.random() < 0.75 else 2
        subject, when, trail, quoted = talk.subject.format(**facts), start, list[str](), ""
        for number, turn in enumerate(talk.turns[:count]):
            ours = talk.we_begin == (number % 2 == 0)
            title = subject if number == 0 else f"{'Re' if english or ours else 'AW'}: {subject}"
            habit = _OURS if ours else self.habit(contact)
            said = self._dressed(turn.format(**facts), contact, ours=ours, english=english)
            names = [name.format(**facts) for mark, name in _ENCLOSURES if mark in turn]
            part = self.with_enclosures(self.words(said + quoted, habit), [self.enclosure(name) for name in names])
            key = self.key(self.owner.partition("@")[2] if ours else contact.domain)
            ends = (self.me, self.them(contact)) if ours else (self.them(contact), self.me)
            octets = self.mail(
                part,
                when,
                sender=ends[0],
                to=ends[1],
                subject=title,
                key=key,
                trail=trail,
                style=habit.header,
                extra=(habit.program.encode(),),
            )
            yield Turn(octets, when, ours, number + 1 < count, contact, title)
            trail.append(key)
            quoted = _quoted(said, OWNER_NAME if ours else contact.name, when, english=english)
            when += timedelta(minutes=self.rng.randrange(25, 2_400), seconds=self.rng.randrange(60))
            when += timedelta(hours=0 if 5 <= when.hour < 21 else 8)

    def _dressed(self, said: str, contact: Contact, *, ours: bool, english: bool) -> str:
        """The bare text with greeting, now and then a postscript, and a signature."""
        addressed = contact.call if ours else "Frau Müller"
        if english:
            hello, goodbye = f"Dear {contact.call if ours else 'Ms Müller'},", "Kind regards"
        elif addressed == "zusammen" or self.rng.random() < 0.4:
            hello, goodbye = f"Hallo {addressed},", "Viele Grüße"
        else:
            hello, goodbye = f"Guten Tag {addressed},", self.rng.choice(("Mit freundlichen Grüßen", "Beste Grüße"))
        name = "Tilda Müller" if ours else contact.name
        more = "" if english or self.rng.random() < 0.6 else f"\n\n{self.rng.choice(POSTSCRIPTS)}"
        signature = OWNER_SIGNATURE if ours else f"-- \n{contact.house}\n{contact.address}" if contact.house else ""
        return f"{hello}\n\n{said}{more}\n\n{goodbye}\n{name}\n\n{signature}".rstrip("\n")


def wrapped(text: str) -> str:
    """Paragraphs in lines of at most 76 signs, as mail programs send plain text; quotes are left alone."""
    lines: list[str] = []
    for line in text.split("\n"):
        lines += [line] if len(line) <= 76 or line.startswith(">") else textwrap.wrap(line, 76, break_long_words=False)
    return "\n".join(lines)


def as_html(text: str, *, picture: bool = False) -> str:
    """The same words as a page; each paragraph is one line, however long."""
    paragraphs = "\n".join(
        f"<p>{html.escape(paragraph, quote=False).replace(chr(10), '<br>')}</p>" for paragraph in text.split("\n\n")
    )
    logo = '<p><img src="cid:logo@inline.example" alt="Logo"></p>\n' if picture else ""
    return f"<!DOCTYPE html>\n<html><head><title></title></head><body>\n{paragraphs}\n{logo}</body></html>"


def _quoted(said: str, name: str, when: datetime, *, english: bool) -> str:
    at = letters.german_time(when)
    if english:
        lead = f"On {at:%d/%m/%Y} at {at:%H:%M}, {name} wrote:"
    else:
        lead = f"Am {at:%d.%m.%Y} um {at:%H:%M} schrieb {name}:"
    body = said.partition("\n-- \n")[0].rstrip("\n")
    return f"\n\n{lead}\n" + "\n".join(f"> {line}".rstrip() for line in wrapped(body).split("\n"))
