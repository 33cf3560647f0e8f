"""How much travels together. Pure (engine.md: batches of 1-4 MB; giants travel alone)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator.mail.folders import FolderInfo

BATCH_OCTETS = 1536 * 1024
"""Three of them are held, two of which are on their way (`sessions.imap.appending`); each costs a server a commit, and
any mailbox should be carried in 100 MiB."""
COPY_OCTETS = 2560 * 1024
"""Where no archive is read or written, there is memory for this: a copy takes 6 % less time and CPU."""
BATCH_MESSAGES = 500


def is_full(octets: int, messages: int, coming: int, most: int = BATCH_OCTETS) -> bool:
    """Whether a batch of that much is to be sent before a message of `coming` octets is added."""
    return messages > 0 and (octets + coming > most or messages >= BATCH_MESSAGES)


FOLDERS_TOGETHER, ROWS_TOGETHER = 50, 2000
"""So many folders are listed at once, if they have so few messages in all: their rows are held."""


def listed_together(folders: Sequence[FolderInfo]) -> Iterator[list[FolderInfo]]:
    """All folders in their order, small ones that stand together as one; who does not say its number stands alone."""
    lot: list[FolderInfo] = []
    rows = 0
    for info in folders:
        if lot and (not is_small(info) or rows + (info.messages or 0) > ROWS_TOGETHER or len(lot) >= FOLDERS_TOGETHER):
            yield lot
            lot, rows = [], 0
        if is_small(info):
            lot.append(info)
            rows += info.messages or 0
        else:
            yield [info]
    if lot:
        yield lot


def is_small(folder: FolderInfo) -> bool:
    """Whether all of its rows may be held; who does not say its number may be large."""
    return folder.messages is not None and folder.messages <= ROWS_TOGETHER
