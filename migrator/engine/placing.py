"""The target folder of a pair: under its name, or under the next one that the server takes."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING

from migrator.errors import FolderNotMade, FolderRefused, Stopped
from migrator.mail.folders import FolderRef
from migrator.ports import FolderPair

if TYPE_CHECKING:
    from migrator.engine.run import Ends


def ensured(ends: Ends, pair: FolderPair) -> FolderRef:
    """Opened, and made first where it is not there. Raises FolderRefused where no name is taken."""
    if ends.stop.wanted():
        raise Stopped("Stopped between two folders.")
    to_name = ends.target.traits.namespace.to_name
    refused: FolderRefused | None = None
    for path in (pair.target_path, *pair.others):
        subscribe = is_first(ends, pair, to_name(path))
        try:
            folder = ends.target.ensure_folder(path, pair.target_role, subscribe=subscribe)
        except FolderNotMade as error:
            refused = refused or error
            continue
        if path != pair.target_path:
            ends.ledger.warn("folder_renamed", pair.source.name, folder.name)
        return folder
    assert refused is not None
    raise refused


def is_first(ends: Ends, pair: FolderPair, name: str) -> bool:
    """Whether nothing went into the target folder of this name: what the customer unsubscribed later stays so."""
    return not ends.ledger.pair(pair, name).mark().target_validity


def found_place(ends: Ends, pair: FolderPair, there: AbstractSet[str]) -> FolderRef | None:
    """Where `ensured` has put it; None where there is none. `there`: names of the target's folders."""
    to_name = ends.target.traits.namespace.to_name
    names = [to_name(path) for path in (pair.target_path, *pair.others)]
    listed = [name for name in names if name in there]
    for name in listed or names[:1]:
        with suppress(FolderRefused):
            return ends.target.look(name)
    return None
