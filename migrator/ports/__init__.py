"""The ports: what the engine needs from the world, and the values that pass through them.

Lazy iterables go in, iterators come out: an end may look ahead and pipeline inside itself, the engine stays one loop
and memory stays flat. Source has no verb that writes. A lost answer is a value (`Unknown`), so that no wrapper can
repeat an append blindly.
"""

from __future__ import annotations

from migrator.ports.ends import (
    Absence,
    AppendResult,
    AppendResults,
    Batch,
    FlagChange,
    FolderWish,
    Letter,
    Opened,
    Page,
    Parcel,
    Refused,
    Source,
    Stored,
    Target,
    Traits,
    Unknown,
    Unread,
    Unsent,
    Want,
)
from migrator.ports.history import Historian, Missing, Sight
from migrator.ports.ledger import (
    Amendment,
    Confirmation,
    Entry,
    FolderPair,
    How,
    Intent,
    Kept,
    Ledger,
    Mark,
    PairLedger,
    Refusal,
    Settled,
    Skip,
    Stand,
    Tally,
)
from migrator.ports.removing import Listed, Removal, Remover
from migrator.ports.world import Clock, Event, Meter, Observer, RoundTrips, StopSignal

__all__ = [
    "Absence",
    "Amendment",
    "AppendResult",
    "AppendResults",
    "Batch",
    "Clock",
    "Confirmation",
    "Entry",
    "Event",
    "FlagChange",
    "FolderPair",
    "FolderWish",
    "Historian",
    "How",
    "Intent",
    "Kept",
    "Ledger",
    "Letter",
    "Listed",
    "Mark",
    "Meter",
    "Missing",
    "Observer",
    "Opened",
    "Page",
    "PairLedger",
    "Parcel",
    "Refusal",
    "Refused",
    "Removal",
    "Remover",
    "RoundTrips",
    "Settled",
    "Sight",
    "Skip",
    "Source",
    "Stand",
    "StopSignal",
    "Stored",
    "Tally",
    "Target",
    "Traits",
    "Unknown",
    "Unread",
    "Unsent",
    "Want",
]
