"""What will not fit at the new server, and where somebody should look, before anything is carried. Pure.

Codes are stable: the command line and the API show them with the sentences below, pages translate them.
Whatever an end does not say is None here, and leads to no finding or to one that says so: nothing is guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from migrator.mail.folders import INBOX, FolderInfo, FolderPath
from migrator.ports import FolderPair

FULL: Final = 0.9
"""So much of a quota may be filled: new mail must still fit."""
MOST_NAMED: Final = 20


class Code(StrEnum):
    """What was found."""

    QUOTA_TOO_SMALL = "quota_too_small"
    """`number` octets are to come, `limit` are free; `wanted`: a quota with which all fits."""
    QUOTA_TIGHT = "quota_tight"
    """The same: it fits, and leaves less than a tenth free."""
    SIZE_NOT_KNOWN = "size_not_known"
    """`limit` octets are free, and the old server does not say how much is to come."""
    TOO_MANY_MESSAGES = "too_many_messages"
    """`number` messages are to come, `limit` are free."""
    MESSAGES_TOO_BIG = "messages_too_big"
    """`number` messages are larger than `limit` octets."""
    LARGEST_NOT_KNOWN = "largest_not_known"
    """In `number` folders messages may be larger than `limit` octets: the old server does not say which."""
    TOO_MANY_FOLDERS = "too_many_folders"
    """There would be `number` folders, and `limit` are borne."""
    FOLDERS_TOO_DEEP = "folders_too_deep"
    """`number` folders would have more than `limit` levels."""
    COUNT_LOOKS_CAPPED = "count_looks_capped"
    """The old server shows exactly `number` messages in a folder."""


class Severity(StrEnum):
    """How sure it is."""

    WILL_NOT_FIT = "will_not_fit"
    LOOK = "look"
    """It may be all right: a person can see."""


@dataclass(frozen=True, slots=True)
class Large:
    """A message of the old server, as reports name it, and its size in octets."""

    folder: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Largest:
    """What the old server says of messages larger than `above` octets."""

    above: int
    named: tuple[Large, ...] = ()
    """The largest first."""
    more: int = 0
    """So many others, none larger than those named."""
    unknown: frozenset[str] = frozenset()
    """Folders of which it does not say."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is used of a resource (RFC 9208), and its limit: octets, messages or folders."""

    used: int
    limit: int

    @property
    def free(self) -> int:
        """What is left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Burden:
    """What is to be carried. `octets` is None where nobody says."""

    octets: int | None
    exact: bool = True
    """Whether `octets` is the size of just these folders, each message counted once."""
    messages: int = 0
    carried: int = 0
    """Octets that earlier jobs have brought to the new server."""
    pairs: Sequence[FolderPair] = ()
    largest: Largest | None = None
    caps: tuple[int, ...] = ()
    """Numbers of messages at which the old server is known to stop (`providers.profile`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the new server says of itself, and what is known of whoever runs it."""

    folders: Sequence[FolderInfo] = ()
    storage: Quota | None = None
    messages: Quota | None = None
    mailboxes: Quota | None = None
    """Of folders."""
    max_octets: int | None = None
    """APPENDLIMIT for all folders."""
    max_octets_in: Mapping[FolderPath, int] = field(default_factory=dict)
    """APPENDLIMIT folder by folder, where it is said so; one that is to be made is taken to be as the inbox."""
    provider: str = ""
    most_folders: int | None = None
    levels: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it is known to hold no message at all."""
        return all(info.messages == 0 for info in self.folders if info.selectable)

    def takes(self, path: FolderPath) -> int | None:
        """The largest message that this folder takes; None: as far as is known, any."""
        known = any(info.path == path for info in self.folders)
        return self.max_octets if self.max_octets is not None else self.max_octets_in.get(path if known else INBOX)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will not fit, or should be looked at. `folder` is a source folder, or empty: all of them.

    What `number` and `limit` count stands at each code.
    """

    code: Code
    severity: Severity
    folder: str = ""
    number: int = 0
    limit: int = 0
    at_least: bool = False
    """`number` may be higher."""
    wanted: int = 0
    provider: str = ""
    """Whose rule it is, where the server itself did not say it."""
    large: tuple[Large, ...] = ()
    """Up to twenty messages, the largest first."""
    folders: tuple[str, ...] = ()
    """Up to twenty source folders."""


def findings(burden: Burden, place: Place | None) -> tuple[Finding, ...]:
    """All that is found, what will not fit first. `place` None: the new server was not asked."""
    found = [*_at_the_new(burden, place), *_capped(burden)] if place is not None else [*_capped(burden)]
    return tuple(sorted(found, key=lambda one: one.severity is not Severity.WILL_NOT_FIT))


def _at_the_new(burden: Burden, place: Place) -> Iterator[Finding]:
    if place.storage is not None:
        yield from _octets(burden, place.storage, place)
    if place.messages is not None and burden.messages > place.messages.free:
        yield Finding(
            Code.TOO_MANY_MESSAGES,
            Severity.WILL_NOT_FIT if burden.exact and place.is_empty else Severity.LOOK,
            number=burden.messages,
            limit=place.messages.free,
        )
    yield from _too_big(burden, place)
    yield from _too_many_folders(burden, place)
    yield from _too_deep(burden, place)


def _octets(burden: Burden, quota: Quota, place: Place) -> Iterator[Finding]:
    """What an unknown hand has brought there before may be the same mail: then it is not certain."""
    if burden.octets is None:
        yield Finding(Code.SIZE_NOT_KNOWN, Severity.LOOK, limit=quota.free)
        return
    coming = max(0, burden.octets - burden.carried)
    if not coming or quota.used + coming <= FULL * quota.limit:
        return
    perhaps_there = 0 if burden.carried or place.is_empty else min(coming, quota.used)
    certain = burden.exact and coming - perhaps_there > quota.free
    yield Finding(
        Code.QUOTA_TOO_SMALL if coming > quota.free else Code.QUOTA_TIGHT,
        Severity.WILL_NOT_FIT if certain else Severity.LOOK,
        number=coming,
        limit=quota.free,
        wanted=_rounded_up(math.ceil((quota.used + coming) / FULL)),
    )


def _rounded_up(octets: int) -> int:
    """With two digits: what people read and type in is never less."""
    step = int("1".ljust(len(str(octets)) - 1, "0"))
    return -(-octets // step) * step


def _too_big(burden: Burden, place: Place) -> Iterator[Finding]:
    limits = {pair.source.name: place.takes(pair.target_path) for pair in burden.pairs}
    named = burden.largest.named if burden.largest is not None else ()
    for limit in sorted({limit for limit in limits.values() if limit is not None}):
        here = [pair.source for pair in burden.pairs if limits[pair.source.name] == limit]
        names = {info.name for info in here}
        large = [one for one in named if one.folder in names and one.size > limit]
        unsaid = burden.largest is not None and burden.largest.more > 0 and bool(named) and named[-1].size > limit
        unknown = [info.name for info in here if _may_hold_larger(info, limit, burden.largest)]
        if large:
            yield Finding(
                Code.MESSAGES_TOO_BIG, Severity.WILL_NOT_FIT, number=len(large), limit=limit,
                at_least=unsaid or bool(unknown), large=tuple(large[:MOST_NAMED]),
            )  # fmt: skip
        if unknown:
            yield Finding(
                Code.LARGEST_NOT_KNOWN, Severity.LOOK, number=len(unknown), limit=limit,
                folders=tuple(unknown[:MOST_NAMED]),
            )  # fmt: skip


def _may_hold_larger(info: FolderInfo, limit: int, largest: Largest | None) -> bool:
    """Whether nobody can say that this folder holds no message above the limit other than those named."""
    if info.messages == 0 or (info.octets is not None and info.octets <= limit):
        return False
    return largest is None or limit < largest.above or info.name in largest.unknown


def _too_many_folders(burden: Burden, place: Place) -> Iterator[Finding]:
    there = {info.path for info in place.folders if not info.shared}
    wanted = {pair.target_path[:level] for pair in burden.pairs for level in range(1, len(pair.target_path) + 1)}
    made = len(wanted - there)
    said = place.mailboxes
    if said is not None and made > said.free:
        yield Finding(Code.TOO_MANY_FOLDERS, Severity.WILL_NOT_FIT, number=said.used + made, limit=said.limit)
    elif made and place.most_folders is not None and len(there) + made > place.most_folders:
        yield Finding(
            Code.TOO_MANY_FOLDERS, Severity.LOOK, number=len(there) + made, limit=place.most_folders,
            provider=place.provider,
        )  # fmt: skip


def _too_deep(burden: Burden, place: Place) -> Iterator[Finding]:
    if place.levels is None:
        return
    there = {info.path for info in place.folders}
    deep = [pair.source.name for pair in burden.pairs
            if len(pair.target_path) > place.levels and pair.target_path not in there]  # fmt: skip
    if deep:
        yield Finding(
            Code.FOLDERS_TOO_DEEP, Severity.LOOK, number=len(deep), limit=place.levels, provider=place.provider,
            folders=tuple(deep[:MOST_NAMED]),
        )  # fmt: skip


def _capped(burden: Burden) -> Iterator[Finding]:
    for pair in burden.pairs:
        number = pair.source.messages
        if number is not None and number in burden.caps:
            yield Finding(Code.COUNT_LOOKS_CAPPED, Severity.LOOK, folder=pair.source.name, number=number)


# ---- in words ------------------------------------------------------------------------------------------------------

_REMEDIES: Final[dict[Code, str]] = {
    Code.QUOTA_TOO_SMALL: "Raise the new mailbox's quota to at least {wanted} first.",
    Code.QUOTA_TIGHT: "Raise the new mailbox's quota to at least {wanted}, so that new mail does not bounce.",
    Code.SIZE_NOT_KNOWN: "Ask the old provider, or look in its webmail, how much the mailbox holds.",
    Code.TOO_MANY_MESSAGES: "Raise the number of messages that the new mailbox may hold first.",
    Code.MESSAGES_TOO_BIG: "Raise the size that the new server accepts; otherwise they wait in quarantine until "
    "it does, each named in the report. An archive holds them all the same.",
    Code.LARGEST_NOT_KNOWN: "Go on: whatever is too large waits in quarantine, and is named in the report.",
    Code.TOO_MANY_FOLDERS: "Merge folders (--map OLD=NEW) or leave some behind (--exclude), or let more be allowed "
    "first; what cannot be made stays behind, and is named in the report.",
    Code.FOLDERS_TOO_DEEP: "Go on: they are made with fewer levels, which the report tells; or choose their places "
    "(--map OLD=NEW).",
    Code.COUNT_LOOKS_CAPPED: "Look in the old provider's webmail whether there are more, and have its limit for IMAP "
    "lifted first.",
}


def finding_text(found: Finding) -> tuple[str, str]:
    """What was found, and what to do: a sentence each, in English."""
    return _detail(found), _REMEDIES[found.code].format(wanted=size_text(found.wanted))


def _detail(found: Finding) -> str:
    number, limit, least = found.number, found.limit, "At least " if found.at_least else ""
    octets, free = size_text(number), size_text(limit)
    match found.code:
        case Code.QUOTA_TOO_SMALL:
            most = "" if found.severity is Severity.WILL_NOT_FIT else "Up to "
            return f"{most}{octets} are to come, and only {free} are free in the new mailbox."
        case Code.QUOTA_TIGHT:
            return f"{octets} are to come and {free} are free: the new mailbox would be nearly full."
        case Code.SIZE_NOT_KNOWN:
            return f"The old server does not say how much is to come; {free} are free in the new mailbox."
        case Code.TOO_MANY_MESSAGES:
            return f"{number} messages are to come, and the new mailbox takes only {limit} more."
        case Code.MESSAGES_TOO_BIG:
            some = "1 message is" if number == 1 else f"{number} messages are"
            return f"{least}{some} larger than the {size_text(limit)} that the new server takes."
        case Code.LARGEST_NOT_KNOWN:
            return (
                f"The new server takes messages of up to {size_text(limit)}, and in {_folders(number)} the old server "
                "does not say how large the largest are."
            )
        case Code.TOO_MANY_FOLDERS:
            return f"There would be {_folders(number)}, and {found.provider or 'the new server'} {_allows(found)}."
        case Code.FOLDERS_TOO_DEEP:
            return f"{_folders(number)} would lie deeper than the {limit} levels that {found.provider} allows."
        case Code.COUNT_LOOKS_CAPPED:
            return f"The old server shows exactly {number} messages in {found.folder}: perhaps it hides the others."


def _allows(found: Finding) -> str:
    return f"allows {found.limit} in its smallest tariff" if found.provider else f"allows {found.limit}"


def _folders(number: int) -> str:
    return "1 folder" if number == 1 else f"{number} folders"


def size_text(octets: int) -> str:
    """In steps of a thousand, as providers count."""
    value, units = octets / 1e3, ("kB", "MB", "GB", "TB")
    for unit in units:
        if value < 999.5 or unit == units[-1]:
            break
        value /= 1000
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
