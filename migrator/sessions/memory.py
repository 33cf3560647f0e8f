"""Both ends in memory, without a wire: for tests, and the plainest example of what an end has to do.

`MemorySource` and `MemoryTarget` are one connection each to a `MemoryServer`; a connection that broke stays broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from migrator.errors import (
    ConnectionLost,
    FolderNotMade,
    PostwagenError,
    ServerRefused,
    Stopped,
    TargetFull,
)
from migrator.mail.flags import SYSTEM_FLAGS
from migrator.mail.folders import FolderInfo, FolderPath, FolderRef, Role
from migrator.mail.messages import HEAD_OCTETS, MessageKey, Row
from migrator.ports import (
    Absence,
    AppendResult,
    AppendResults,
    Batch,
    Changes,
    FlagChange,
    FolderWish,
    Letter,
    Opened,
    Page,
    Parcel,
    Refused,
    Stored,
    Traits,
    Unknown,
    Unread,
    Unsent,
    Want,
)
from migrator.sessions.memory_server import (
    Behaviour,
    Break,
    FakeClock,
    FakeStop,
    MemoryFolder,
    MemoryMessage,
    MemoryServer,
    altered_as_cyrus_does,
    altered_as_dovecot_does,
)

__all__ = [
    "Behaviour",
    "Break",
    "FakeClock",
    "FakeStop",
    "MemoryMessage",
    "MemoryServer",
    "MemorySource",
    "MemoryTarget",
    "altered_as_cyrus_does",
    "altered_as_dovecot_does",
]


class _Connection:
    """What both ends share: a connection that may break, listing and reading."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self._behaviour = server.behaviour
        self._broken = False
        self._committed = False

    def _touch(self, step: str) -> None:
        """Every contact with the server passes here; a loss breaks the connection for good."""
        if self._broken:
            raise ConnectionLost("The connection is broken.")
        try:
            self._behaviour.touch(step)
        except PostwagenError:
            self._broken = True
            raise

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, the inbox first."""
        self._touch("folders")
        self.server.arrive()
        return [
            FolderInfo(
                name=folder.name,
                path=self.server.namespace.to_path(folder.name),
                role=folder.role,
                selectable=folder.selectable,
                subscribed=folder.subscribed,
                messages=len(folder.messages) if folder.selectable else None,
                octets=sum(map(self._size, folder.messages.values())) if folder.selectable else None,
                shared=folder.shared,
                validity=folder.validity if folder.selectable else None,
            )
            for folder in sorted(self.server.folders.values(), key=lambda folder: folder.name != "INBOX")
        ]

    def close(self) -> None:
        """Log out."""
        self._broken = True

    def _size(self, message: MemoryMessage) -> int:
        return self._behaviour.size_of(message.octets)

    def _pages(self, name: str, floor: int) -> Iterator[Page]:
        folder = self.server.folder(name)
        uids = sorted(uid for uid in folder.messages if uid >= floor)
        step = self._behaviour.page_rows
        for start in range(0, len(uids), step):
            self._touch("page")
            there = [(uid, folder.messages[uid]) for uid in uids[start : start + step] if uid in folder.messages]
            yield Page(
                [
                    Row(MessageKey(folder.validity, uid), self._size(message), message.flags, message.instant)
                    for uid, message in there
                ]
            )

    def _read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        for want in wants:
            self._touch("read")
            self.server.reads += 1
            place = (want.folder, want.key.uid)
            if self.server.reads in self._behaviour.lost_at_reads or place in self._behaviour.breaks_reading:
                self._broken = True
                raise ConnectionLost("The connection broke.")
            yield self._answer(want)

    def _answer(self, want: Want) -> Letter | Unread:
        folder, place = self.server.folder(want.folder), (want.folder, want.key.uid)
        if folder.validity != want.key.validity:
            return Unread(want, Absence.LATER, "UIDVALIDITY has changed")
        if place in self._behaviour.vanishing:
            folder.messages.pop(want.key.uid, None)
        message = folder.messages.get(want.key.uid)
        if message is None:
            return Unread(want, Absence.GONE)
        absence = Absence.EMPTY if place in self._behaviour.nil_bodies else self._behaviour.absent.get(place)
        if absence is not None:
            return Unread(want, absence, "listed and not delivered")
        octets = message.octets
        return Letter(want, octets[:HEAD_OCTETS], len(octets), lambda: iter((octets,)))


class MemorySource(_Connection):
    """Fulfils `ports.Source`."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self._touch("open")
        self.traits = Traits(namespace=server.namespace, limits="in memory")

    def folders(self) -> Sequence[FolderInfo]:
        """All folders; none at all is an error."""
        found = super().folders()
        if not found:
            raise ServerRefused("The server shows no folder at all, not even an inbox.")
        return found

    def foresee(self, folders: Sequence[str]) -> None:
        """Nothing is waited for here."""

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder as it stands now, then its rows."""
        self._touch("examine")
        found = self.server.folder(folder)
        uidnext = found.uidnext if self._behaviour.says_uidnext else 0
        yield Opened(folder, found.validity, uidnext, len(found.messages))
        yield from self._pages(folder, 1)

    def changes(self, folder: str, state: str) -> Changes | None:
        """It has no states."""
        return None

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets."""
        return self._read(wants)


class MemoryTarget(_Connection):
    """Fulfils `ports.Target`."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server)
        self._touch("open")
        behaviour = server.behaviour
        self.traits = Traits(
            namespace=server.namespace,
            reports_keys=behaviour.reports_keys,
            max_octets=behaviour.max_octets,
            may_rewrite_headers=behaviour.like_cyrus,
            limits="in memory",
        )

    # ---- folders -----------------------------------------------------------------------------------------------

    def prepare(self, wishes: Sequence[FolderWish]) -> None:
        """Nothing is waited for here."""

    def foresee(self, listings: Sequence[tuple[str, int]]) -> None:
        """Nothing is waited for here."""

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Open the folder; make it first if it is not there."""
        name = self.server.namespace.to_name(path)
        if name not in self.server.folders:
            self._touch("create")
            if self._behaviour.refuses_name(name):
                raise FolderNotMade(f"The folder {name} cannot be made.")
            self.server.make(name, role=role)
            self._touch("created")
        self.server.folder(name).subscribed |= subscribe
        return self.look(name)

    def look(self, name: str) -> FolderRef:
        """The folder as it stands now. Without UIDNEXT the floor is the highest UID + 1 (traps.md, F)."""
        self._touch("select")
        folder, keywords = self.server.folder(name), self._behaviour.keywords
        return FolderRef(
            name=name,
            validity=folder.validity,
            uidnext=folder.uidnext if self._behaviour.says_uidnext else max(folder.messages, default=0) + 1,
            messages=len(folder.messages),
            keywords=keywords or frozenset(),
            any_keyword=keywords is None,
            system_flags=frozenset(SYSTEM_FLAGS.values()),
        )

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """The rows with UID >= floor."""
        self._touch("listing")
        return self._pages(folder.name, floor)

    # ---- messages ----------------------------------------------------------------------------------------------

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Read messages back."""
        return self._read(wants)

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> AppendResults:
        """One result per parcel, then whatever hits the mailbox or the connection is raised."""
        for some in self._together(batches):
            if len(some) == 1:
                yield from self._append_batch(some[0], may_commit)
                continue
            told: list[AppendResult] = []
            try:
                for batch in some:
                    told.extend(self._append_batch(batch, may_commit))
            except PostwagenError as error:
                if not isinstance(error, ConnectionLost):
                    yield from told
                    raise
                yield from (Unknown(it.parcel) if isinstance(it, Stored) else it for it in told)
                known = {it.parcel.entry for it in told}
                behind = (parcel for batch in some for parcel in batch.parcels if parcel.entry not in known)
                yield from map(Unknown, behind)  # they were completed too, and nobody read them
                raise
            yield from told

    def _together(self, batches: Iterable[Batch]) -> Iterator[list[Batch]]:
        """Those that are on their way at once."""
        some: list[Batch] = []
        for batch in batches:
            if some and (batch.alone or some[-1].alone or len(some) >= self._behaviour.at_once):
                yield some
                some = []
            some.append(batch)
            if self._behaviour.at_once == 1:
                yield some
                some = []
        if some:
            yield some

    def _append_batch(self, batch: Batch, may_commit: Callable[[], bool]) -> Iterator[AppendResult]:
        waiting: list[Sequence[Parcel]] = [batch.parcels]
        if not self._behaviour.whole_batches:
            waiting = [[parcel] for parcel in batch.parcels]
        while waiting:
            parcels = waiting.pop(0)
            self._committed = False
            try:
                results = self._append(batch.folder, parcels, may_commit)
            except PostwagenError as error:
                yield from ((Unknown if self._committed else Unsent)(parcel) for parcel in parcels)
                yield from (Unsent(parcel) for rest in waiting for parcel in rest)
                self._broken = self._broken or not isinstance(error, TargetFull)
                raise
            if results is None:
                middle = len(parcels) // 2
                waiting[:0] = [parcels[:middle], parcels[middle:]]
                continue
            yield from results

    def _append(
        self, ref: FolderRef, parcels: Sequence[Parcel], may_commit: Callable[[], bool]
    ) -> list[AppendResult] | None:
        """One append command. None: the whole of it was refused, and nobody says for which message (traps.md, H)."""
        self.server.appends += 1
        self._touch("append")
        octets = [b"".join(parcel.letter.chunks()) for parcel in parcels]
        folder = self.server.folder(ref.name)
        refusal = next((why for one in octets if (why := self._refusal(one))), None)
        if refusal:
            return None if len(parcels) > 1 else [Refused(parcels[0], *refusal)]
        if self._behaviour.quota is not None and self.server.octets() + sum(map(len, octets)) > self._behaviour.quota:
            raise TargetFull("The new mailbox is full.")
        if not may_commit():
            raise Stopped("Stopped before the commit point.")
        uids = self._commit(folder, parcels, octets)
        self._touch("stored")
        if folder.validity != ref.validity:
            return [Unknown(parcel) for parcel in parcels]
        told = self._behaviour.reports_keys
        keys = [MessageKey(folder.validity, uid) if told else None for uid in uids]
        return [Stored(parcel, key) for parcel, key in zip(parcels, keys, strict=True)]

    def _refusal(self, octets: bytes) -> tuple[str, str] | None:
        limit = self._behaviour.max_octets
        if limit is not None and len(octets) > limit:
            return "too_big", "message is too large"
        if self._behaviour.refuses_empty and not octets:
            return "empty", "cannot save a zero byte message"
        return ("refused", "not this one") if self._behaviour.refuses(octets) else None

    def _commit(self, folder: MemoryFolder, parcels: Sequence[Parcel], octets: Sequence[bytes]) -> list[int]:
        """The last two octets are sent; what breaks from here on is in doubt."""
        found = self._behaviour.breaks.pop(self.server.appends, None)
        breaking = found or next((how for one in octets if (how := self._behaviour.poison(one))), None)
        if breaking and not breaking.after_commit:
            raise ConnectionLost("The connection broke before the commit point.")
        now = datetime(2026, 11, 22, tzinfo=UTC)
        messages = [
            MemoryMessage(
                self._behaviour.alters(one),
                frozenset(parcel.flags),
                (parcel.instant or now) if self._behaviour.keeps_dates else now,
            )
            for parcel, one in zip(parcels, octets, strict=True)
        ]
        self._touch("commit")
        self._committed = True
        if breaking:
            if breaking.stored:
                self.server.expect(breaking.seconds, folder.name, messages)
            raise ConnectionLost("The connection broke after the commit point.")
        return self._store(folder, messages)

    def _store(self, folder: MemoryFolder, messages: list[MemoryMessage]) -> list[int]:
        seconds = self._behaviour.commit_seconds
        if not seconds:
            return self.server.store(folder.name, messages)
        self.server.expect(seconds, folder.name, messages)
        self._touch("sent")
        self.server.clock.now += seconds
        self.server.arrive()
        return sorted(folder.messages)[-len(messages) :]

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """Add and remove; False: the message is gone."""
        for change in changes:
            self._touch("flags")
            message = self.server.folder(folder.name).messages.get(change.key.uid)
            if message is not None:
                message.flags = (message.flags | change.add) - change.remove
            self._touch("flagged")
            yield change, message is not None
