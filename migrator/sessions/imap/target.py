"""An IMAP account as a Target. It has no verb that deletes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from migrator.errors import FolderRefused, FolderRenumbered
from migrator.mail.flags import SYSTEM_FLAGS, normalised
from migrator.mail.folders import FolderInfo, FolderPath, FolderRef, Role
from migrator.mail.messages import Row
from migrator.ports import AppendResults, Batch, FlagChange, FolderWish, Letter, Page, Traits, Unread, Want
from migrator.sessions.imap import translate
from migrator.sessions.imap.appending import Appender
from migrator.sessions.imap.folders import list_folders
from migrator.sessions.imap.foreseen import Foreseen
from migrator.sessions.imap.limits import append_limit
from migrator.sessions.imap.listing import rows
from migrator.sessions.imap.preparing import creation, prepared
from migrator.sessions.imap.reading import read_letters
from migrator.sessions.imap.replies import fetched, flags_argument, set_argument
from migrator.sessions.imap.session import ImapSession, Selected

STORE_AT_ONCE = 200


class ImapTarget:
    """Fulfils `ports.Target`, for one connection. A broken connection is the wrapper's business."""

    def __init__(self, session: ImapSession) -> None:
        self._connection = session
        self._appender = Appender(session)
        self._prepared: dict[str, Selected] = {}
        """Folders as they were opened when all were seen to, each until it is asked for."""
        self._foreseen = Foreseen(session, (), writable=True)
        self._listed: tuple[FolderRef, int, list[Row]] | None = None
        """The folder that was looked at last, where that was foreseen, and its rows from that UID on."""
        self.traits = Traits(
            namespace=session.namespace,
            reports_keys="UIDPLUS" in session.capabilities or "IMAP4REV2" in session.capabilities,
            may_rewrite_headers=session.is_cyrus,
            max_octets=append_limit(session.capabilities),
            nearest=session.wire.nearest,
            limits=session.tls,
        )

    @property
    def _session(self) -> ImapSession:
        """The connection, with nothing due on it: the engine may ask for more while an APPEND is being answered."""
        self._appender.catch_up()
        self._foreseen.drop()
        self._listed = None
        return self._connection

    # ---- folders -----------------------------------------------------------------------------------------------

    def folders(self) -> Sequence[FolderInfo]:
        """All folders, with the number of messages where the server gives it in one go."""
        return list_folders(self._session, numbers=False)

    def prepare(self, wishes: Sequence[FolderWish]) -> None:
        """Make, open and subscribe all of them at once, where names are known as the server writes them."""
        if self._session.names and not self._connection.manners.is_modest:
            self._prepared = prepared(self._session, wishes)

    def ensure_folder(self, path: FolderPath, role: Role | None, *, subscribe: bool = True) -> FolderRef:
        """Open the folder; make it first, with its parents, if it is not there."""
        name = self._connection.namespace.to_name(path)
        ready = self._prepared.pop(name, None)
        if ready is not None and ready.validity and ready.uidnext:
            return self._ref(ready)
        try:
            selected = self._session.open_folder(name, writable=True, again=True)
        except FolderRefused:
            refusal = self._create(name, role)
            try:
                selected = self._session.open_folder(name, writable=True, again=True)
            except FolderRefused as error:
                raise refusal or error from None
        if subscribe:
            self._session.command(b"SUBSCRIBE " + self._session.argument(name))
        return self._ref(selected)

    def _ref(self, selected: Selected) -> FolderRef:
        """What the engine needs of an open folder. Without UIDNEXT the floor is the highest UID + 1 (traps.md, F)."""
        if not selected.validity:
            raise FolderRefused(f"The folder {selected.name} has no UIDVALIDITY; it cannot be filled safely.")
        permanent = selected.permanent if selected.permanent is not None else (*selected.flags, "\\*")
        flags = normalised(permanent)
        return FolderRef(
            name=selected.name,
            validity=selected.validity,
            uidnext=selected.uidnext or self._highest_uid() + 1,
            messages=selected.messages,
            keywords=frozenset(flag for flag in (*flags, *selected.flags) if not flag.startswith("\\")),
            any_keyword="\\*" in permanent,
            system_flags=flags & frozenset(SYSTEM_FLAGS.values()),
        )

    def _highest_uid(self) -> int:
        _, responses = self._session.command(b"UID FETCH * (UID)")
        return max((got.uid or 0 for parts in responses if (got := fetched(parts))), default=0)

    def _create(self, name: str, role: Role | None) -> FolderRefused | None:
        """Make it. What the server says against that counts only if the folder is not there all the same: somebody
        else (another connection of ours, that made one below it) may have been quicker."""
        session = self._session
        command, plain = creation(session, name, role), creation(session, name, role, with_use=False)
        answer, _ = session.command(command)
        if answer.status != "OK" and command != plain:
            answer, _ = session.command(plain)
        if answer.status == "OK" or answer.code.startswith("ALREADYEXISTS"):
            return None
        refusal = translate.folder_error(answer, name, making=True)
        if not isinstance(refusal, FolderRefused):
            raise refusal
        return refusal

    def foresee(self, listings: Sequence[tuple[str, int]]) -> None:
        """These are asked for together when the first one is looked at."""
        if self._session.names and not self._connection.manners.is_modest:
            self._foreseen = Foreseen(self._connection, listings, writable=True)

    def look(self, name: str) -> FolderRef:
        """The folder freshly opened: some servers show new messages only then (quirks.md, 40)."""
        self._appender.catch_up()
        early = self._foreseen.take(name)
        if early is not None and early.selected.validity and early.selected.uidnext:
            folder = self._ref(early.selected)
            self._listed = folder, early.floor, early.rows
            return folder
        return self._ref(self._session.open_folder(name, writable=True, again=True))

    def listing(self, folder: FolderRef, *, floor: int = 1) -> Iterator[Page]:
        """The folder's rows with UID >= floor. Those that were foreseen have been read when it was looked at."""
        early, self._listed = self._listed, None
        if early is not None and early[0] is folder and early[1] == floor:
            return iter((Page(early[2]),))
        selected = self._session.open_folder(folder.name, writable=True, again=True)
        if selected.validity != folder.validity:
            text = f"The folder {folder.name} was renumbered at the new server while it was looked at."
            raise FolderRenumbered(text, end="target")
        return rows(self._session, selected.validity, floor=floor)

    # ---- messages ----------------------------------------------------------------------------------------------

    def open(self, folder: FolderRef, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """Read messages back; PEEK leaves `\\Seen` as it is."""
        return read_letters(self._session, wants, writable=True)

    def append(self, batches: Iterable[Batch], *, may_commit: Callable[[], bool]) -> AppendResults:
        """One result per parcel of each batch that was begun. Raises when the mailbox is hit (full, busy, broken).

        The next batch is taken while the server works on some; so taking it must not raise.
        """
        self._foreseen.drop()
        return self._appender.append(batches, may_commit)

    def change_flags(self, folder: FolderRef, changes: Iterable[FlagChange]) -> Iterator[tuple[FlagChange, bool]]:
        """+FLAGS and -FLAGS by UID, equal changes together; a message that is not there is told so."""
        self._session.open_folder(folder.name, writable=True)
        ordered = sorted(changes, key=lambda change: (sorted(change.add), sorted(change.remove), change.key.uid))
        for (add, remove), run in groupby(ordered, key=lambda change: (change.add, change.remove)):
            same = list(run)
            for start in range(0, len(same), STORE_AT_ONCE):
                yield from self._store(same[start : start + STORE_AT_ONCE], add, remove)

    def _store(
        self, changes: list[FlagChange], add: frozenset[str], remove: frozenset[str]
    ) -> Iterator[tuple[FlagChange, bool]]:
        uids = set_argument(sorted({change.key.uid for change in changes}))
        answer, responses = self._session.command(b"UID FETCH %s (UID FLAGS)" % uids)
        there = {got.uid for parts in responses if (got := fetched(parts))}
        for sign, flags in ((b"+", add), (b"-", remove)):
            if flags and there and answer.status == "OK":
                argument = flags_argument(tuple(sorted(flags)))
                answer, _ = self._session.command(b"UID STORE %s %sFLAGS.SILENT %s" % (uids, sign, argument))
                keywords = [flag for flag in flags if not flag.startswith("\\")]
                if answer.status == "NO" and keywords and translate.blames_keywords(answer):
                    longest = max(keywords, key=len)  # as with APPEND: a mail is worth more than its labels
                    yield from self._store(changes, add - {longest}, remove - {longest})
                    return
        if answer.status != "OK":
            raise translate.busy(answer.text) or FolderRefused(
                "The new server refuses to change flags in a folder.", detail=answer.text, code="flags_refused"
            )
        for change in changes:
            yield change, change.key.uid in there

    def close(self) -> None:
        """Log out."""
        self._connection.close()
