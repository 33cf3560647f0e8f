"""Filling the demo's old server with the believable mailbox, over IMAP, by our own Target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from migrator.demo.mailbox import DemoFolder, DemoMessage, believable_mailbox
from migrator.errors import Defect
from migrator.mail.folders import FolderRef, Role
from migrator.mail.messages import HEAD_OCTETS, MessageKey
from migrator.planning.batches import is_full
from migrator.ports import Batch, Letter, Parcel, Stored, Target, Want


def fill(target: Target, until: datetime) -> int:
    """Put the mailbox there; returns the number of messages. Raises Defect if the server keeps one out."""
    number = 0
    for folder in believable_mailbox(until=until):
        place = target.ensure_folder(folder.path, Role(folder.role) if folder.role else None)
        for result in target.append(_batches(folder, place), may_commit=lambda: True):
            if not isinstance(result, Stored):
                raise Defect("The demo's old server does not take a message.", detail=str(folder.path))
            number += 1
    return number


def _batches(folder: DemoFolder, place: FolderRef) -> Iterator[Batch]:
    waiting: list[Parcel] = []
    octets = 0
    for number, message in enumerate(folder.messages):
        if is_full(octets, len(waiting), len(message.octets)):
            yield Batch(place, waiting)
            waiting, octets = [], 0
        waiting.append(_parcel(number, message, place.name))
        octets += len(message.octets)
    if waiting:
        yield Batch(place, waiting)


def _parcel(number: int, message: DemoMessage, folder: str) -> Parcel:
    want = Want(folder, MessageKey(0, number), len(message.octets))
    pieces: Sequence[bytes] = (message.octets,)
    letter = Letter(want, message.octets[:HEAD_OCTETS], len(message.octets), lambda: iter(pieces))
    return Parcel(number, letter, tuple(message.flags), message.date)
