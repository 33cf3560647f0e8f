"""What a pass saw at the source, kept with the pass: so that an archive can say of itself what it lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from migrator.mail.folders import FolderInfo, Role
from migrator.mail.messages import MessageKey
from migrator.ports import Missing, Sight

MOST_UNLOOKED: Final = 6
"""A server may be wrong about itself: with nightly passes every folder is looked at once a week."""


NOT_ANNOUNCED: Final = "The server does not say how many messages are in it now."
FAILED: Final = "failed: "
"""Before a code, in place of a rule: the folder has never been here, and could not be carried."""


@dataclass(frozen=True, slots=True)
class FolderRecord:
    """One folder. `found` = `kept` + the number of `missing` + `unseen`; `keys`: those found, `entries`: those kept."""

    number: int
    """The folder's row in the archive."""
    info: FolderInfo
    found: int
    keys: str
    """`mail.messages.sum_of` over `validity/uid/name`, in hexadecimal."""
    octets: int
    """Of what was kept, as the source announced them."""
    kept: int
    entries: str
    """The same over row and blob address of what was kept: another sum, and something has vanished."""
    missing: tuple[Missing, ...] = ()
    error: str = ""
    """Why the folder could not be seen to its end in this pass; beside what is kept, earlier ones saw it."""
    unseen: int = 0
    """So many messages the source announced beyond those that are kept or named, where nobody could look."""
    state: str = ""
    """What the source said of all of it before it was looked at (`FolderInfo.state`)."""
    unlooked: int = 0
    """So many passes in a row took the folder over, because its state was the same."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A folder that a rule left behind, with the number of messages that the source announced."""

    folder: str
    messages: int | None
    rule: str

    @property
    def failed(self) -> bool:
        """It should have been here: no rule left it behind, it could not be carried."""
        return self.rule.startswith(FAILED)


@dataclass(frozen=True, slots=True)
class PassRecord:
    """One pass."""

    folders: tuple[FolderRecord, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def found(self) -> int:
        """Messages of the source, in all folders that no rule left behind."""
        return sum(folder.found for folder in self.folders) + self._failed

    @property
    def octets(self) -> int:
        """Of what was kept."""
        return sum(folder.octets for folder in self.folders)

    @property
    def missing(self) -> int:
        """Messages that the pass did not keep, named or not."""
        return sum(len(folder.missing) + folder.unseen for folder in self.folders) + self._failed

    @property
    def _failed(self) -> int:
        return sum(item.messages or 0 for item in self.left_out if item.failed)

    def unseen(self) -> Iterator[tuple[str, int, str]]:
        """Folders that could not be seen to their end: name, how many more were announced, and why."""
        for folder in self.folders:
            if folder.error:
                yield folder.info.name, folder.unseen, folder.error
        for item in self.left_out:
            if item.failed:
                yield item.folder, item.messages or 0, item.rule


def mark(message: int, blob: bytes | None) -> bytes:
    """Stands for a message that was kept, in `FolderRecord.entries`: its row and its blob's address."""
    return f"{message}/".encode() + (blob if isinstance(blob, bytes) else b"")


def of_sight(number: int, sight: Sight, kept: int, entries: int) -> FolderRecord:
    """What the engine saw, and what the archive holds of it."""
    info = sight.folder
    bare = FolderInfo(info.name, info.path, info.role, subscribed=info.subscribed)
    return FolderRecord(
        number, bare, sight.found, f"{sight.keys:032x}", sight.octets, kept, f"{entries:032x}", tuple(sight.missing),
        state=info.state,
    )  # fmt: skip


def of_failure(
    number: int, info: FolderInfo, kept: int, entries: int, error: str, missing: Sequence[Missing]
) -> FolderRecord:
    """A folder that could not be seen to its end: as earlier passes left it, but for what this one added and lacked."""
    bare = FolderInfo(info.name, info.path, info.role, subscribed=info.subscribed)
    if info.messages is None:
        error = f"{error} {NOT_ANNOUNCED}"
    known = kept + len(missing)
    unseen = max(0, (info.messages or 0) - known)
    sealed = f"{entries:032x}"
    return FolderRecord(number, bare, known + unseen, "", 0, kept, sealed, tuple(missing), error, unseen)


def still_missing(before: FolderRecord | None, listed: Sequence[Missing]) -> list[Missing]:
    """What is known to be missing of a folder that could not be seen to its end: listed now, or missing before.

    Where another UIDVALIDITY is listed now, what was missing before has other keys.
    """
    named = {item.key: item for item in listed}
    now = {key.validity for key in named}
    for item in before.missing if before is not None else ():
        if not now or item.key.validity in now:
            named.setdefault(item.key, item)
    return list(named.values())


def taken_over(before: FolderRecord, info: FolderInfo, kept: int) -> FolderRecord | None:
    """The same folder in the next pass, where the source says that nothing in it has changed; None: look at it.

    After `MOST_UNLOOKED` passes it is looked at all the same, and wherever anything was missing.
    """
    same = bool(info.state) and before.state == info.state and before.info.name == info.name
    whole = not before.missing and not before.error and before.kept == kept
    if not (same and whole) or before.unlooked >= MOST_UNLOOKED:
        return None
    bare = FolderInfo(info.name, info.path, info.role, subscribed=info.subscribed)
    return replace(before, info=bare, unlooked=before.unlooked + 1)


def to_json(folder: FolderRecord) -> dict[str, Any]:
    """As it stands in a pass (docs/archive-format.md)."""
    info = folder.info
    return {
        "id": folder.number, "name": info.name, "path": list(info.path), "role": info.role.value if info.role else None,
        "subscribed": info.subscribed, "found": folder.found, "keys": folder.keys, "octets": folder.octets,
        "kept": folder.kept, "entries": folder.entries,
        "missing": [[m.key.validity, m.key.uid, m.key.name, m.size, m.reason] for m in folder.missing],
        **({"error": folder.error, "unseen": folder.unseen} if folder.error else {}),
        **({"state": folder.state, "unlooked": folder.unlooked} if folder.state else {}),
    }  # fmt: skip


def from_json(summary: Mapping[str, Any]) -> PassRecord:
    """What a pass keeps of itself, read back."""
    left = tuple(LeftOut(item["folder"], item["messages"], item["rule"]) for item in summary.get("left_out", ()))
    return PassRecord(tuple(_folder(item) for item in summary["folders"]), left)


def _folder(item: Mapping[str, Any]) -> FolderRecord:
    role = Role(item["role"]) if item["role"] else None
    info = FolderInfo(item["name"], tuple(item["path"]), role, subscribed=item["subscribed"])
    missing = tuple(
        Missing(MessageKey(validity, uid, name), size, reason) for validity, uid, name, size, reason in item["missing"]
    )
    return FolderRecord(
        item["id"], info, item["found"], item["keys"], item["octets"], item["kept"], item["entries"], missing,
        item.get("error", ""), item.get("unseen", 0), item.get("state", ""), item.get("unlooked", 0),
    )  # fmt: skip
