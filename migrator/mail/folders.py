"""Folders and their roles (RFC 6154). Pure.

RFC 9051 says "mailbox" for what we call Folder; a Mailbox is here one person's mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a folder is used for: INBOX, and the special uses of RFC 6154."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    JUNK = "junk"
    TRASH = "trash"
    ARCHIVE = "archive"
    ALL = "all"
    FLAGGED = "flagged"


FolderPath = tuple[str, ...]
"""The levels of a folder's name, decoded, without the namespace's prefix. The inbox is `("INBOX",)`."""

INBOX: FolderPath = ("INBOX",)
SEPARATOR = "\x1f"
"""Between the levels of a name in an archive, which has no delimiter of its own: no server's folder can hold it."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """How one end writes names: prefix of the personal namespace (RFC 2342) and hierarchy delimiter.

    `delimiter` is "" where the end is flat.
    """

    prefix: str = ""
    delimiter: str = "/"

    def to_path(self, name: str) -> FolderPath:
        """Split a full decoded name into levels; the prefix goes, the inbox is always `INBOX`."""
        if name.upper() == "INBOX":
            return INBOX
        below_inbox = bool(self.prefix) and self.prefix.upper().startswith("INBOX")
        if self.prefix and (name.upper() if below_inbox else name).startswith(
            self.prefix.upper() if below_inbox else self.prefix
        ):
            name = name[len(self.prefix) :]
        if not self.delimiter:
            return (name,)
        levels = tuple(level for level in name.split(self.delimiter) if level)
        if (
            levels and levels[0].upper() == "INBOX"
        ):  # under a prefix `INBOX.` it is a folder of its own, below the inbox
            levels = ("INBOX", *levels) if below_inbox else ("INBOX", *levels[1:])
        return levels or (name,)

    def to_name(self, path: FolderPath) -> str:
        """The full name for `path` here. A folder below the inbox loses the doubled `INBOX` under a prefix `INBOX.`."""
        if path == INBOX:
            return "INBOX"
        if self.prefix.upper().startswith("INBOX") and path[0] == "INBOX":
            path = path[1:]
        return self.prefix + (self.delimiter or "/").join(path)


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """One folder as its end shows it.

    `name` is the full decoded name with that end's own delimiter and prefix. `messages`, `octets` and `uidnext` are
    None where the end did not say.
    """

    name: str
    path: FolderPath
    role: Role | None = None
    selectable: bool = True
    subscribed: bool = False
    messages: int | None = None
    octets: int | None = None
    holds_mail: bool = True
    """Not calendars, contacts or tasks, which some servers show as folders."""
    shared: bool = False
    """Belongs to another user or to everybody."""
    state: str = ""
    """One word of the server's that changes with anything in it; empty: it says no such thing."""
    validity: int | None = None
    """Its UIDVALIDITY, where the end says it unasked."""


class FolderRef(NamedTuple):
    """A target folder, ready to be filled, as it was when this run looked at it."""

    name: str
    validity: int
    uidnext: int
    """The floor: every message that we append from now on has a UID at least this high."""
    messages: int
    keywords: frozenset[str] = frozenset()
    """Keywords that the folder keeps (PERMANENTFLAGS), as the server writes them."""
    any_keyword: bool = True
    """Whether new keywords may be made (`\\*` in PERMANENTFLAGS)."""
    system_flags: frozenset[str] = frozenset()
    """System flags that the folder keeps."""
    keeps_labels: bool = False
    """Whether Gmail's labels are kept beside the flags."""
