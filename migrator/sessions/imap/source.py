"""An IMAP account as a Source: EXAMINE and BODY.PEEK[] only; it has no verb that writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migrator.errors import ServerRefused
from migrator.mail.folders import FolderInfo
from migrator.ports import Changes, Letter, Opened, Page, Traits, Unread, Want
from migrator.sessions.imap.changes import changed_since
from migrator.sessions.imap.folders import list_folders
from migrator.sessions.imap.foreseen import Foreseen
from migrator.sessions.imap.listing import rows
from migrator.sessions.imap.reading import read_letters
from migrator.sessions.imap.session import ImapSession


class ImapSource:
    """Fulfils `ports.Source`."""

    def __init__(self, session: ImapSession) -> None:
        self._session = session
        self._foreseen = Foreseen(session, (), writable=False)
        self.traits = Traits(
            namespace=session.namespace,
            has_labels="X-GM-EXT-1" in session.capabilities,
            nearest=session.wire.nearest,
            limits=session.tls,
        )

    def folders(self) -> Sequence[FolderInfo]:
        """All folders. None at all is an error, never an empty mailbox (quirks.md, 48)."""
        self._foreseen.drop()
        found = list_folders(self._session, numbers=True)
        if not found:
            raise ServerRefused("The server shows no folder at all, not even an inbox.")
        return found

    def foresee(self, folders: Sequence[str]) -> None:
        """These are asked for together when the first one is surveyed."""
        self._foreseen.drop()
        if self._session.manners.is_modest:
            return
        self._foreseen = Foreseen(self._session, [(name, 1) for name in folders], writable=False)

    def survey(self, folder: str) -> Iterator[Opened | Page]:
        """The folder's rows; always freshly opened, so that new mail is seen."""
        early = self._foreseen.take(folder)
        if early is not None:
            yield Opened(folder, early.selected.validity, early.selected.uidnext, early.selected.messages)
            yield Page(early.rows)
            return
        selected = self._session.open_folder(folder, writable=False, again=True)
        yield Opened(folder, selected.validity, selected.uidnext, selected.messages)
        yield from rows(self._session, selected.validity)

    def changes(self, folder: str, state: str) -> Changes | None:
        """By CONDSTORE, where the server has it."""
        self._foreseen.drop()
        return changed_since(self._session, folder, state)

    def read(self, wants: Iterable[Want]) -> Iterator[Letter | Unread]:
        """The messages' octets."""
        self._foreseen.drop()
        return read_letters(self._session, wants, writable=False)

    def close(self) -> None:
        """Log out."""
        self._session.close()
