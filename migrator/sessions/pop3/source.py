"""A POP3 account as a Source: one folder, the inbox; no flags, no dates. It has no verb that writes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from migrator.mail.folders import INBOX, FolderInfo, Namespace, Role
from migrator.mail.messages import MessageKey, Row
from migrator.ports import Absence, Changes, Letter, Opened, Page, Traits, Unread, Want
from migrator.sessions.pop3.reading import read_letters
from migrator.sessions.pop3.session import Pop3Session, refused

PAGE_ROWS = 2000
LONGEST_UIDL = 200
"""RFC 1939 allows 70 octets; what is longer than this is known by its digest."""


class Pop3Source:
    """Fulfils `ports.Source`.

    A message's key is its UIDL. Where the server gives none, the same to several messages, or just the message's number
    (which another message has tomorrow), it is the digest of the octets: those messages are read once for the survey
    (traps.md, O; quirks.md, 62).
    """

    def __init__(self, session: Pop3Session) -> None:
        self._session = session
        self._numbers: dict[str, int] = {}
        self._rows: list[Row] | None = None
        self._announced = 0
        """As many messages as any command has spoken of."""
        limits = f"POP3 {session.tls}".strip()
        self.traits = Traits(
            namespace=Namespace(delimiter=""), has_folders=False, has_flags=False, has_dates=False,
            keys_are_stable=False, limits=limits,
        )  # fmt: skip

    def folders(self) -> Sequence[FolderInfo]:
        """The inbox."""
        rows = self._listed()
        return [
            FolderInfo(
                "INBOX",
                INBOX,
                Role.INBOX,
                subscribed=True,
                messages=self._announced,
                octets=sum(row.size for row in rows),
            )
        ]

    def foresee(self, folders: Sequence[str]) -> None:
        """Nothing is waited for here."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """What lay in the mailbox when we logged in: POP3 shows nothing newer."""
        rows = self._listed()
        yield Opened(folder, 0, 0, len(rows))
        for start in range(0, len(rows), PAGE_ROWS):
            yield Page(rows[start : start + PAGE_ROWS])

    def changes(self, folder: str, state: str) -> Changes | None:
        """It has no states."""
        return None

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets."""
        self._listed()
        known: list[tuple[int, Want]] = []
        for want in wants:
            number = self._numbers.get(want.key.name)
            if number is None:
                yield Unread(want, Absence.GONE)
            else:
                known.append((number, want))
        yield from read_letters(self._session, known)

    def close(self) -> None:
        """Log out without a trace."""
        self._session.close()

    # ---- keys ----------------------------------------------------------------------------------------------------

    def _listed(self) -> list[Row]:
        if self._rows is None:
            self._rows = self._list()
        return self._rows

    def _list(self) -> list[Row]:
        stat = self._session.command(b"STAT")  # first: what comes meanwhile is in the lists, on servers that show it
        sizes = self._session.listing(b"LIST")
        if sizes is None:
            raise refused(stat, "listing messages")
        named = self._session.listing(b"UIDL") or {}
        sizes = dict.fromkeys(named, b"") | sizes  # what only one of both shows is a message, too
        self._announced = max(len(sizes), _octets(stat.text.encode()) if stat.ok else 0)
        names = {number: _name(uidl) for number, uidl in named.items() if uidl not in (b"", b"%d" % number)}
        often = Counter(names.values())
        unsure = [number for number in sizes if often.get(names.get(number, ""), 0) != 1]
        names |= self._digests([(number, _octets(sizes[number])) for number in unsure])
        self._numbers = {names[number]: number for number in sizes if number in names}
        return [
            Row(MessageKey(0, 0, names[number]), _octets(sizes[number]), frozenset(), None)
            for number in sorted(sizes)
            if number in names
        ]

    def _digests(self, unsure: Sequence[tuple[int, int]]) -> dict[int, str]:
        """Names made of the octets; twins are numbered."""
        numbers = {str(number): number for number, _ in unsure}
        wants = [(number, Want("INBOX", MessageKey(0, 0, str(number)), size)) for number, size in unsure]
        names: dict[int, str] = {}
        seen: Counter[str] = Counter()
        for answer in read_letters(self._session, wants):
            if isinstance(answer, Unread):
                names[numbers[answer.want.key.name]] = f"unread:{answer.want.key.name}"
                continue
            digest = hashlib.sha256()
            for chunk in answer.chunks():
                digest.update(chunk)
            answer.close()
            name = digest.hexdigest()
            seen[name] += 1
            names[numbers[answer.want.key.name]] = f"sha256:{name}/{seen[name]}"
        return names


def _name(uidl: bytes) -> str:
    """A UIDL as text; odd ones by their digest."""
    if len(uidl) > LONGEST_UIDL or not uidl.isascii() or any(octet <= 32 or octet == 127 for octet in uidl):
        return "uidl-sha256:" + hashlib.sha256(uidl).hexdigest()
    return uidl.decode("ascii")


def _octets(size: bytes) -> int:
    digits = size.split()[:1]
    return int(digits[0]) if digits and digits[0].isdigit() and len(digits[0]) < 16 else 0
