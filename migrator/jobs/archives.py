"""An archive as an end of a job: its file and its key. Imported late: most jobs need none of it."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import ArchiveUnusable
from migrator.mail.folders import Namespace
from migrator.sessions.endpoint import Endpoint

if TYPE_CHECKING:
    from migrator.archive.source import ArchiveSource
    from migrator.archive.target import ArchiveTarget


def open_target(end: Endpoint, account: str) -> ArchiveTarget:
    """The archive, made if it is not there, for this account's mail. Raises ArchiveUnusable, LedgerBusy."""
    from migrator.archive.file import ArchiveFile
    from migrator.archive.target import ArchiveTarget

    file = ArchiveFile(Path(end.path), key_of(end), writable=True, create=True)
    try:
        file.claim(account)
        return ArchiveTarget(file)
    except BaseException:
        file.close()
        raise


def open_source(end: Endpoint, at: datetime | None) -> ArchiveSource:
    """The archive as its latest complete pass saw the mailbox, or the latest one that had ended by `at`."""
    from migrator.archive.file import ArchiveFile
    from migrator.archive.source import ArchiveSource, pass_at

    file = ArchiveFile(Path(end.path), key_of(end), writable=False)
    try:
        return ArchiveSource(file, pass_at(file, at), Namespace())
    except BaseException:
        file.close()
        raise


def key_of(end: Endpoint) -> bytes:
    """The key out of the endpoint's credential. Raises ArchiveUnusable."""
    try:
        return base64.b64decode(end.credential(), validate=True)
    except binascii.Error:
        raise ArchiveUnusable("The key of the archive is no key.") from None
