"""What is to be done with one message, from what the source shows and what the ledger knows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from migrator.mail.flags import normalised
from migrator.mail.messages import Row
from migrator.ports import Entry, How, Stand

ALSO_IN = "also_in: "
"""The beginning of the rule that leaves behind what is carried from another folder that shows it (`engine.once`)."""


class Verdict(StrEnum):
    """What is to be done."""

    CARRY = "carry"
    COPIED = "copied"
    """This job carried it already."""
    ALREADY_THERE = "already_there"
    FAILED = "failed"
    """This job tried, and the message has its reason."""
    IN_FLIGHT = "in_flight"
    """Intended and not settled: leave it alone."""
    TOO_BIG = "too_big"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict; with it, for messages that are there, what changed of their flags at the source."""

    verdict: Verdict
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    rule: str = ""


_CARRY = Decision(Verdict.CARRY)


def decide(row: Row, entry: Entry | None, *, max_octets: int | None) -> Decision:
    """The verdict for one row. The flags' base is the ledger's, so that what the customer changed stays."""
    if entry is None:
        if row.shown_in:
            return Decision(Verdict.SKIP, rule=f"{ALSO_IN}{row.shown_in}")
        if max_octets is not None and row.size > max_octets:
            return Decision(Verdict.SKIP, rule=f"larger than {max_octets} octets")
        return _CARRY
    if entry.stand is Stand.INTENDED:
        return Decision(Verdict.IN_FLIGHT)
    if entry.stand is Stand.REFUSED:
        return Decision(Verdict.FAILED)
    now, base = normalised(row.flags), normalised(entry.flags)
    add, remove = _beyond(now, base), _beyond(base, now)
    ours = entry.this_job and entry.how is not How.ADOPTED
    return Decision(Verdict.COPIED if ours else Verdict.ALREADY_THERE, add=add, remove=remove)


def _beyond(flags: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Those that the others do not have in any spelling: keywords are compared without case (RFC 9051, 2.3.2)."""
    known = {flag.lower() for flag in others}
    return frozenset(flag for flag in flags if flag.lower() not in known)
