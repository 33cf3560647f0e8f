"""What will not fit: reports of both ends and the plan between them, as the pure decision takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from migrator.jobs.probe import ProbeReport
from migrator.mail.folders import FolderInfo
from migrator.planning.limits import Burden, Finding, Place, Quota, finding_text, findings
from migrator.planning.mapping import MappingRules, plan_mapping
from migrator.providers.profile import profile_of


def fitting(
    source: ProbeReport,
    target: ProbeReport | None,
    rules: MappingRules,
    *,
    hosts: tuple[str, str],
    carried: int = 0,
) -> tuple[Finding, ...]:
    """`hosts`: the old server's, the new one's. `carried`: octets that earlier jobs have brought there; `target` None:
    it was not asked. Raises UsageError for a rule that names no folder."""
    there = target or ProbeReport(ok=True, error=None)
    pairs = plan_mapping(source.folder_list, there.folder_list, there.namespace, rules).pairs
    octets = _sum_of([pair.source for pair in pairs])
    burden = Burden(
        octets=octets if octets is not None or source.quota is None else source.quota[0],
        exact=octets is not None,
        messages=sum(pair.source.messages or 0 for pair in pairs),
        carried=carried,
        pairs=pairs,
        largest=source.largest,
        caps=profile_of(hosts[0]).caps,
    )
    return findings(burden, place_of(target, hosts[1]) if target is not None else None)


def fitting_archive(octets: int, target: ProbeReport, host: str, carried: int = 0) -> tuple[Finding, ...]:
    """The same for what an archive holds: so much is known before it is read."""
    return findings(Burden(octets, carried=carried), place_of(target, host))


def place_of(target: ProbeReport, host: str) -> Place:
    """The new server, as the decision takes it."""
    profile = profile_of(host)
    return Place(
        folders=target.folder_list,
        storage=_quota(target.quota),
        messages=_quota(target.counted.get("MESSAGE")),
        mailboxes=_quota(target.counted.get("MAILBOX")),
        max_octets=target.max_octets,
        max_octets_in=target.max_octets_in,
        provider=profile.name,
        most_folders=profile.folders,
        levels=profile.levels,
    )


def finding_json(found: Finding) -> dict[str, Any]:
    """As `check --json` and the API show it."""
    detail, remedy = finding_text(found)
    return {
        "code": found.code.value,
        "severity": found.severity.value,
        "folder": found.folder,
        "detail": detail,
        "remedy": remedy,
        "number": found.number,
        "at_least": found.at_least,
        "limit": found.limit,
        "wanted": found.wanted or None,
        "messages": [{"folder": one.folder, "key": one.key, "size": one.size} for one in found.large],
        "folders": list(found.folders),
    }


def _sum_of(folders: Sequence[FolderInfo]) -> int | None:
    """None: one at least does not say."""
    sizes = [info.octets for info in folders if info.messages != 0]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _quota(numbers: tuple[int, int] | None) -> Quota | None:
    return Quota(*numbers) if numbers is not None and numbers[1] else None
