"""IMAP or POP3: the old end is tried by the protocol given and by its sibling, and what both saw becomes advice."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from migrator.errors import ConnectError, ConnectTimeout
from migrator.jobs.orders import NewEndpoint
from migrator.jobs.probe import LARGE, ProbeReport, end_of, probe_end, rule_of
from migrator.jobs.siblings import OTHER, siblings
from migrator.mail.folders import INBOX
from migrator.planning.advice import NOT_TRIED, Advice, Door
from migrator.planning.advice import advise as advise_on
from migrator.sessions.connect import AddressRule
from migrator.sessions.endpoint import Endpoint
from migrator.settings import Settings

SIBLING_SECONDS: Final = 9.0
"""So long the sibling is looked for in all: a form waits for it."""
KNOCK_SECONDS: Final = 4.0
"""So long one candidate may take until it wants the password."""


GRACE_SECONDS: Final = 1.0
"""So long a search may need to notice that its time is over (`Octets` asks once a second)."""


@dataclass(frozen=True, slots=True)
class AdviceReport:
    """What both protocols' checks saw, and the advice. `given` is the report of the end that was given."""

    given: ProbeReport
    advice: Advice
    reports: Mapping[str, ProbeReport] = field(default_factory=dict)
    """`imap`, `pop3`; one that was not tried is missing."""
    ends: Mapping[str, Endpoint] = field(default_factory=dict)
    """Where each was tried; the last candidate where none opened."""


def advise(endpoint: NewEndpoint, *, settings: Settings, fetches_by_pop3: bool | None = None) -> AdviceReport:
    """For the service: only addresses that the settings allow."""
    return probe_both(end_of(endpoint), rule_of(settings), fetches_by_pop3)


def probe_both(
    end: Endpoint, may_reach: AddressRule | None, fetches_by_pop3: bool | None = None, *, above: int | None = LARGE
) -> AdviceReport:
    """Try the end as given and, beside it, its other protocol: one login each at most, for providers lock accounts.

    `above`: the end as given is also asked for messages larger than so many octets.
    """
    password = end.credential()  # asked for now, not in a thread
    end = replace(end, credential=lambda: password)
    sibling = _Sibling(end, may_reach)
    given = probe_end(end, "source", may_reach, above=above)
    reports, ends = {end.protocol: given}, {end.protocol: end}
    found = sibling.result()
    if found is not None:
        reports[OTHER[end.protocol]], ends[OTHER[end.protocol]] = found
    doors = {protocol: door_of(report) for protocol, report in reports.items()}
    advice = advise_on(doors.get("imap", NOT_TRIED), doors.get("pop3", NOT_TRIED), fetches_by_pop3)
    return AdviceReport(given, advice, reports, ends)


def door_of(report: ProbeReport) -> Door:
    """A check's report, as what advice needs of it."""
    inbox = [info.messages for info in report.folder_list if info.path == INBOX]
    elsewhere = sum(bool(info.messages) for info in report.folder_list if info.path != INBOX)
    return Door(
        tried=True,
        ok=report.ok,
        inbox=inbox[0] if inbox else 0,
        elsewhere=elsewhere,
        error=report.error.instance_code if report.error else "",
        expires_at_once="EXPIRE 0" in report.notes,
    )


class _Sibling:
    """The search for the other protocol, in a thread of its own: names may take long to resolve."""

    def __init__(self, end: Endpoint, may_reach: AddressRule | None) -> None:
        self._end = end
        self._may_reach = may_reach
        self._until = time.monotonic() + SIBLING_SECONDS
        self._found: tuple[ProbeReport, Endpoint] | None = None
        self._thread = threading.Thread(target=self._search, daemon=True)
        self._thread.start()

    def result(self) -> tuple[ProbeReport, Endpoint] | None:
        """What was found, or the last failure; None where there was nobody to ask."""
        self._thread.join(max(0.0, self._until - time.monotonic()) + GRACE_SECONDS)
        first = next(iter(siblings(self._end)), None)
        if self._found is None and first is not None:
            return _too_late(first), first
        return self._found

    def _search(self) -> None:
        for candidate in siblings(self._end):
            if time.monotonic() >= self._until:
                return
            report, asked = self._try(candidate)
            self._found = report, candidate
            if report.ok or asked or not isinstance(report.error, ConnectError):
                return

    def _try(self, candidate: Endpoint) -> tuple[ProbeReport, bool]:
        """Its report, and whether it wanted the password: then no other candidate is tried."""
        asked: list[bool] = []
        knocked = time.monotonic() + KNOCK_SECONDS

        def credential() -> str:
            asked.append(True)
            return self._end.credential()

        def wants_stop() -> bool:
            return time.monotonic() >= (self._until if asked else min(knocked, self._until))

        report = probe_end(replace(candidate, credential=credential), "source", self._may_reach, wants_stop)
        if report.error is not None and report.error.code == "stopped":
            report = _too_late(candidate)
        return report, bool(asked)


def _too_late(candidate: Endpoint) -> ProbeReport:
    error = ConnectTimeout(f"{candidate.host}:{candidate.port} does not answer in time.", end="source")
    return ProbeReport(ok=False, error=error)
