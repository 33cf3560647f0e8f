"""Pure. A believable mailbox of a small German joinery, ten years old, for `postwagen demo` and for tests.

The same arguments give the same octets on every machine. Every octet of it passes Dovecot and pymap unchanged, so that
a difference after a move is the mover's fault. What servers alter or refuse is not here but in tests/corpus.py.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from migrator.demo import oddities, singles
from migrator.demo.people import (
    ABROAD,
    BAKERY,
    BAKERY_OFFICE,
    CAFE,
    CUSTOMERS,
    FAMILY,
    NAMESAKE,
    NAMESAKE_BOSS,
    OFFICES,
    SUPPLIERS,
)
from migrator.demo.post import Desk, Turn
from migrator.demo.texts import ENGLISH, GERMAN

Path: TypeAlias = tuple[str, ...]

INBOX: Final[Path] = ("INBOX",)
SENT: Final[Path] = ("Gesendete Objekte",)
DRAFTS: Final[Path] = ("Entwürfe",)
TRASH: Final[Path] = ("Papierkorb",)
JUNK: Final[Path] = ("Spamverdacht",)
ARCHIVE: Final[Path] = ("Archiv",)
CUSTOMERS_BOX: Final[Path] = ("Kunden",)
NAMESAKE_BOX: Final[Path] = ("Kunden", "Müller & Söhne")
BAKERY_BOX: Final[Path] = ("Kunden", "Bäckerei Größenwahn")
OFFERS_BOX: Final[Path] = ("Kunden", "Bäckerei Größenwahn", "Angebote")
CAFE_BOX: Final[Path] = ("Kunden", "Café Wolkenbruch")
INVOICES: Final[Path] = ("Rechnungen",)
FAMILY_BOX: Final[Path] = ("Familie & Freunde",)
JAPAN_BOX: Final[Path] = ("日本旅行",)
NEWS_BOX: Final[Path] = ("Rundbriefe",)
OLD_BOX: Final[Path] = ("Altbestand",)
EMPTY_BOX: Final[Path] = ("Zu erledigen",)

_ROLES: Final = {SENT: "sent", DRAFTS: "drafts", TRASH: "trash", JUNK: "junk", ARCHIVE: "archive"}
_YEARS: Final = 10
_PLACES: Final = {
    BAKERY: BAKERY_BOX,
    BAKERY_OFFICE: BAKERY_BOX,
    NAMESAKE: NAMESAKE_BOX,
    NAMESAKE_BOSS: NAMESAKE_BOX,
    CAFE: CAFE_BOX,
}
_CORRESPONDENTS: Final = CUSTOMERS + SUPPLIERS + OFFICES + ABROAD


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """What lies on the old server: octets, flags and keywords as IMAP names them, internal date (aware, UTC)."""

    octets: bytes
    flags: tuple[str, ...]
    date: datetime


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """A folder: its path (names, not encoded), its RFC 6154 role in lower case, its messages by arrival."""

    path: tuple[str, ...]
    role: str | None
    messages: Sequence[DemoMessage]


def believable_mailbox(
    *, until: datetime, seed: int = 1, owner: str = "info@mueller-soehne.example"
) -> tuple[DemoFolder, ...]:
    """About 650 messages in some 27 folders, parents before children, dated in the ten years that end at `until`.

    `until` must be aware; no message is younger. Raises ValueError where it is naive. Do not give an instant that is
    still to come: Dovecot stores the present one for internal dates in the future.
    """
    if until.tzinfo is None:
        raise ValueError("until must be an aware datetime")
    # Not for secrets: the point of this generator is that it repeats itself.
    return _Mailbox(Desk(random.Random(seed), owner), until.astimezone(UTC).replace(microsecond=0)).folders()  # noqa: S311


class _Mailbox:
    """Fills the folders one kind of mail after the other."""

    def __init__(self, desk: Desk, until: datetime) -> None:
        self.desk = desk
        self.rng = desk.rng
        self.until = until
        self.first_year = until.year - _YEARS + 1
        self.start = datetime(self.first_year, 1, 1, 6, tzinfo=UTC)
        self.boxes: dict[Path, list[DemoMessage]] = {path: [] for path in self._paths()}

    def _paths(self) -> Iterator[Path]:
        years = [(*ARCHIVE, str(year)) for year in range(self.first_year, self.until.year + 1)]
        yield from (
            INBOX,
            DRAFTS,
            SENT,
            JUNK,
            TRASH,
            ARCHIVE,
            *years,
            CUSTOMERS_BOX,
            NAMESAKE_BOX,
            BAKERY_BOX,
            OFFERS_BOX,
        )
        yield from (CAFE_BOX, INVOICES, FAMILY_BOX, JAPAN_BOX, NEWS_BOX, OLD_BOX, EMPTY_BOX)

    def folders(self) -> tuple[DemoFolder, ...]:
        self._conversations()
        self._daily_post()
        self._signed_and_invited()
        self._odd()
        self._twins()
        return tuple(
            DemoFolder(path, _ROLES.get(path), tuple(sorted(messages, key=lambda message: message.date)))
            for path, messages in self.boxes.items()
        )

    def _instants(self, count: int, since: datetime, before: datetime | None = None) -> list[datetime]:
        """So many instants, mostly in working hours, sorted, none after `before`."""
        end = before or self.until
        span = max(int((end - since).total_seconds()), 1)
        found = []
        for _ in range(count):
            day = since + timedelta(seconds=self.rng.randrange(span))
            hour = int(self.rng.triangular(5, 20, 9))
            when = day.replace(hour=hour, minute=self.rng.randrange(60), second=self.rng.randrange(60), microsecond=0)
            if when.weekday() > 4 and self.rng.random() < 0.8:
                when -= timedelta(days=2)
            found.append(max(since, when) if when <= end else end - timedelta(seconds=self.rng.randrange(1, 7_200)))
        return sorted(found)

    def _flags(self, when: datetime, *, answered: bool = False, ours: bool = False) -> tuple[str, ...]:
        """What somebody would have done with it: old mail is read, new mail mostly."""
        chance = self.rng.random
        young = when > self.until - timedelta(days=20)
        flags = [r"\Seen"] if ours or answered or chance() < (0.6 if young else 0.97) else []
        flags += [r"\Answered"] if answered else []
        for flag, share in ((r"\Flagged", 0.06), ("$Forwarded", 0.05), ("Wichtig", 0.05), ("$label1", 0.04)):
            flags += [flag] if chance() < share else []
        if not ours:
            flags += ["NonJunk"] if chance() < 0.35 else []
            flags += ["$MDNSent"] if chance() < 0.03 else []
        return tuple(flags)

    def _put(self, path: Path, octets: bytes, when: datetime, flags: tuple[str, ...] | None = None) -> None:
        """Mail arrives a few seconds after it was written, never after `until`."""
        arrival = min(when + timedelta(seconds=self.rng.randrange(2, 40)), self.until)
        chosen = self._flags(when) if flags is None else flags
        self.boxes[path].append(DemoMessage(octets, chosen, arrival))

    def _by_age(self, when: datetime, days: int, young: Path) -> Path:
        """`young`, or the archive of its year (the first and the last year take what lies beyond)."""
        if when > self.until - timedelta(days=days):
            return young
        return (*ARCHIVE, str(min(max(when.year, self.first_year), self.until.year)))

    def _conversations(self) -> None:
        """Threads: what came in is filed by customer or by year, what we wrote lies in Sent or in the archive."""
        latest = self.until - timedelta(days=10)
        talks = [(start, BAKERY, GERMAN[0]) for start in self._instants(7, self.start, latest)]
        for start in self._instants(90, self.start, latest) + self._instants(
            32, self.until - timedelta(days=330), latest
        ):
            contact = self.rng.choice(_CORRESPONDENTS)
            talk = self.rng.choice([talk for talk in GERMAN + ENGLISH if contact.kind in talk.kinds])
            talks.append((start, contact, talk))
        for start, contact, talk in talks:
            for turn in self.desk.converse(talk, contact, start):
                flags = self._flags(turn.when, answered=turn.answered and not turn.ours, ours=turn.ours)
                self._put(self._place(turn), turn.octets, turn.when, flags)

    def _place(self, turn: Turn) -> Path:
        if turn.ours:
            return self._by_age(turn.when, 4 * 365, SENT)
        if turn.when > self.until - timedelta(days=45) or turn.contact not in _PLACES:
            return self._by_age(turn.when, 300, INBOX)
        place = _PLACES[turn.contact]
        return OFFERS_BOX if place == BAKERY_BOX and "Anfrage" in turn.subject else place

    def _each(
        self, path: Path, instants: Iterable[datetime], write: Callable[[Desk, datetime], bytes], *flags: str
    ) -> None:
        """One letter for each instant; with `flags`, exactly those."""
        for when in instants:
            self._put(path, write(self.desk, when), when, flags or None)

    def _daily_post(self) -> None:
        """Everything that stands alone: invoices, private mail, newsletters, notices, junk, trash, drafts."""
        recently = self.until - timedelta(days=60)
        self._each(INVOICES, self._instants(56, self.start), singles.invoice)
        self._each(FAMILY_BOX, self._instants(34, self.start), singles.private)
        journey = self.until - timedelta(days=700)
        self._each(JAPAN_BOX, self._instants(16, journey, journey + timedelta(days=90)), self._from_japan)
        self._each(NEWS_BOX, self._instants(26, self.until - timedelta(days=1_200)), singles.newsletter)
        self._each(INBOX, self._instants(20, recently), singles.notice)
        self._each(INBOX, self._instants(8, recently), singles.newsletter)
        for when in self._instants(28, recently):
            self._put(JUNK, singles.junk(self.desk, when), when, (r"\Seen",) if self.rng.random() < 0.3 else ())
        self._each(TRASH, self._instants(18, recently), singles.notice, r"\Seen")
        self._each(TRASH, self._instants(3, recently), singles.junk, r"\Seen", r"\Deleted")
        self._each(INBOX, self._instants(1, recently), singles.notice, r"\Seen", r"\Deleted")
        for number, when in enumerate(self._instants(6, recently)):
            self._put(DRAFTS, singles.draft(self.desk, when, number), when, (r"\Draft", r"\Seen"))
        self._each(ARCHIVE, self._instants(3, self.start), singles.notice)
        for year in range(self.first_year, self.until.year + 1):
            first = datetime(year, 1, 1, 8, tzinfo=UTC)
            last = min(datetime(year, 12, 31, 18, tzinfo=UTC), self.until)
            self._each((*ARCHIVE, str(year)), self._instants(4, min(first, last), last), singles.notice)

    @staticmethod
    def _from_japan(desk: Desk, when: datetime) -> bytes:
        return singles.private(desk, when, japan=True)

    def _signed_and_invited(self) -> None:
        """Invitations, signed and encrypted mail, reports, a mail within a mail, three giants."""
        year_ago = self.until - timedelta(days=300)
        self._each(INBOX, self._instants(10, year_ago), singles.meeting)
        for number, when in enumerate(self._instants(8, year_ago)):
            self._put(INBOX, singles.signed(self.desk, when, number), when)
        for number, when in enumerate(self._instants(4, year_ago)):
            self._put(INBOX, singles.report(self.desk, when, receipt=number % 2 == 0), when)
        inner = self.boxes[FAMILY_BOX][3].octets
        for when in self._instants(2, year_ago):
            self._put(INBOX, singles.forwarded(self.desk, when, inner), when, (r"\Seen", "$Forwarded"))
        giants = (
            (INBOX, OFFICES[0], "Belege 4. Quartal.pdf", 2_300_000),
            (BAKERY_BOX, BAKERY, "Fotos Baustelle Backstube.zip", 4_200_000),
            (FAMILY_BOX, FAMILY[2], "Hochzeitsfotos.zip", 3_100_000),
        )
        for (path, contact, name, size), when in zip(giants, self._instants(3, year_ago), strict=True):
            self._put(path, singles.giant(self.desk, when, contact=contact, name=name, size=size), when)

    def _odd(self) -> None:
        """Odd mail: all kinds in the oldest folder, the dangerous kinds in the inbox too."""
        since = self.start + timedelta(days=20)
        instants = self._instants(len(oddities.ODDITIES), since, since + timedelta(days=300))
        for write, when in zip(oddities.ODDITIES, instants, strict=True):
            self._put(OLD_BOX, write(self.desk, when), when, (r"\Seen",))
        month = self.until - timedelta(days=30)
        dangerous = (oddities.bare_transcript, oddities.literals, oddities.no_message_id, oddities.raw_header)
        for write, when in zip(dangerous, self._instants(4, month), strict=True):
            self._put(INBOX, write(self.desk, when), when)
        for when in self._instants(2, month):
            self._put(SENT, oddities.transcript(self.desk, when), when, (r"\Seen",))
        for octets in oddities.letters_of_same_key(self.desk, month, NAMESAKE):
            self._put(INBOX, octets, month)

    def _twins(self) -> None:
        """Twins in one folder, at the same instant and a day later; one message in two folders, flags and all."""
        for path, place in ((INVOICES, BAKERY_BOX), (INVOICES, TRASH), (FAMILY_BOX, ARCHIVE)):
            self.boxes[place].append(self.boxes[path].pop(5))
            self.boxes[path].append(self.boxes[place][-1])
        for path in (INBOX, OLD_BOX, INVOICES):
            small = [message for message in self.boxes[path][:-3] if len(message.octets) < 100_000]
            one, other = self.rng.sample(small, k=2)
            self.boxes[path].append(one)
            self._put(path, other.octets, other.date + timedelta(days=1), (r"\Seen",))
