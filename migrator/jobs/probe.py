"""Preflight of one end: connect, log in, list, count, quota; and the preview of a mapping. Writes nothing anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from migrator.errors import PostwagenError, Stopped, UsageError
from migrator.jobs.orders import NewEndpoint
from migrator.mail.folders import INBOX, FolderInfo, FolderPath, Namespace, Role
from migrator.planning.limits import Large, Largest
from migrator.planning.mapping import MappingRules, plan_mapping
from migrator.sessions.connect import AddressRule
from migrator.sessions.endpoint import Endpoint, fingerprint_digits
from migrator.sessions.guard import allowed
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.sessions.imap.session import ImapSession

READ_SECONDS = 20.0
LIMITS_SECONDS: Final = 5.0
"""So long an end may be asked for the limits of its folders, or for its largest messages: a form waits for it."""
LARGE: Final = 10_000_000
"""Messages above that are asked for where nobody knows yet what the other end takes: no server that takes less is known
(quirks.md, 7)."""
_MOST_LARGE: Final = 500


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What one end answered. `octets` is None where the server does not say; `quota` is (used, limit) in octets."""

    ok: bool
    error: PostwagenError | None
    folders: int = 0
    messages: int = 0
    octets: int | None = None
    tls: str = ""
    notes: Sequence[str] = ()
    folder_list: Sequence[FolderInfo] = ()
    namespace: Namespace = field(default_factory=Namespace)
    quota: tuple[int, int] | None = None
    counted: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Further resources with a limit (RFC 9208): MESSAGE, MAILBOX, as (used, limit)."""
    max_octets: int | None = None
    """The largest message that it takes (APPENDLIMIT)."""
    max_octets_in: Mapping[FolderPath, int] = field(default_factory=dict)
    """The same where it says that folder by folder."""
    largest: Largest | None = None
    """None: it was not asked."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One source folder and where it would go. `target` is empty where it stays behind; `reason` says why."""

    source: str
    levels: int
    target: str
    role: str | None
    reason: str
    messages: int | None
    exists: bool


def probe(endpoint: NewEndpoint, *, role: str, settings: Settings) -> ProbeReport:
    """Probe an end for the service: only addresses that the settings allow."""
    return probe_end(end_of(endpoint), role, rule_of(settings))


def rule_of(settings: Settings) -> AddressRule:
    """Which addresses the service may reach."""
    return lambda address, port: allowed(address, port, settings.allowed_networks)


def end_of(endpoint: NewEndpoint) -> Endpoint:
    """An end as it was typed, as one that can be opened. Raises UsageError."""
    return Endpoint(
        protocol=endpoint.protocol,
        host=endpoint.host,
        port=endpoint.port,
        security=endpoint.security,
        user=endpoint.user,
        credential=lambda: endpoint.password,
        auth=endpoint.auth,
        authzid=endpoint.authzid,
        address=endpoint.address,
        ca_pem=endpoint.ca_pem,
        fingerprint=fingerprint_digits(endpoint.fingerprint) if endpoint.fingerprint else None,
    )


def probe_end(
    end: Endpoint,
    role: str,
    may_reach: AddressRule | None,
    wants_stop: Callable[[], bool] = lambda: False,
    *,
    above: int | None = None,
) -> ProbeReport:
    """Probe an end; every error of ours stands in the report. `above`: ask for messages larger than so many octets."""
    began = time.monotonic()
    try:
        report = _ask(end, may_reach, wants_stop, above)
    except PostwagenError as error:
        error.end = role
        return ProbeReport(ok=False, error=error, seconds=time.monotonic() - began)
    return replace(report, seconds=time.monotonic() - began)


def _ask(
    end: Endpoint, may_reach: AddressRule | None, wants_stop: Callable[[], bool], above: int | None
) -> ProbeReport:
    if end.protocol == "imap":
        return _ask_imap(end, may_reach, wants_stop, above)
    if end.protocol == "pop3":
        return _ask_pop3(end, may_reach, wants_stop, above)
    raise UsageError(f"{end.protocol} cannot be checked.", hint="Use imaps://, imap://, pop3s:// or pop3://.")


def _ask_pop3(
    end: Endpoint, may_reach: AddressRule | None, wants_stop: Callable[[], bool], above: int | None
) -> ProbeReport:
    """LIST, and nothing else: a source would read every message that has no UIDL."""
    from migrator.sessions.pop3.remover import Pop3Remover
    from migrator.sessions.pop3.session import Pop3Session

    session = Pop3Session(end, wants_stop=wants_stop, may_reach=may_reach, read_seconds=READ_SECONDS)
    try:
        rows = Pop3Remover(session).listed()
        octets = sum(row.size or 0 for row in rows)
        notes = sorted(session.capabilities.keys() & NOTEWORTHY_POP3)
        return ProbeReport(
            ok=True,
            error=None,
            folders=1,
            messages=len(rows),
            octets=octets,
            tls=session.tls,
            notes=[*notes, *(["EXPIRE 0"] if session.expires_at_once else [])],
            folder_list=[FolderInfo("INBOX", INBOX, Role.INBOX, subscribed=True, messages=len(rows), octets=octets)],
            namespace=Namespace(delimiter=""),
            largest=_largest(above, (Large("INBOX", row.uidl or str(row.number), row.size or 0) for row in rows)),
        )
    except Stopped:
        return _uncounted(session.tls)
    finally:
        session.close()


def _uncounted(tls: str) -> ProbeReport:
    """The door is open, and there was no time to count what lies behind it."""
    return ProbeReport(ok=True, error=None, tls=tls, folder_list=[FolderInfo("INBOX", INBOX, Role.INBOX)])


def _largest(above: int | None, found: Iterable[Large], unknown: frozenset[str] = frozenset()) -> Largest | None:
    """Of these, the largest by name; the others are counted."""
    if above is None:
        return None
    large = sorted((one for one in found if one.size > above), key=lambda one: (-one.size, one.folder, one.key))
    return Largest(above, tuple(large[:_MOST_LARGE]), max(0, len(large) - _MOST_LARGE), unknown)


def _ask_imap(
    end: Endpoint, may_reach: AddressRule | None, wants_stop: Callable[[], bool], above: int | None
) -> ProbeReport:
    from migrator.sessions.imap.folders import list_folders
    from migrator.sessions.imap.limits import append_limit, append_limits, quotas
    from migrator.sessions.imap.session import ImapSession

    session = ImapSession(end, wants_stop=wants_stop, may_reach=may_reach, read_seconds=READ_SECONDS)
    try:
        folders = list_folders(session, numbers=True)
        sizes = [info.octets for info in folders if info.selectable]
        resources = quotas(session)
        return ProbeReport(
            ok=True,
            error=None,
            folders=sum(info.selectable for info in folders),
            messages=sum(info.messages or 0 for info in folders),
            octets=None if not sizes or None in sizes else sum(size or 0 for size in sizes),
            tls=session.tls,
            notes=sorted(session.capabilities & NOTEWORTHY),
            folder_list=folders,
            namespace=session.namespace,
            quota=resources.pop("STORAGE", None),
            counted=resources,
            max_octets=append_limit(session.capabilities),
            max_octets_in=append_limits(session, folders, LIMITS_SECONDS),
            largest=None if above is None else _largest_by_imap(session, folders, above),
        )
    except Stopped:
        return _uncounted(session.tls)
    finally:
        session.close()


def _largest_by_imap(session: ImapSession, folders: Sequence[FolderInfo], above: int) -> Largest | None:
    from migrator.sessions.imap.limits import larger

    found: list[Large] = []
    unknown = set()
    for info, sizes, all_of_them in larger(session, folders, above, LIMITS_SECONDS):
        found += [Large(info.name, str(key), size) for key, size in sizes]
        unknown |= set() if all_of_them else {info.name}
    return _largest(above, found, frozenset(unknown))


NOTEWORTHY = frozenset({
    "APPENDLIMIT", "CONDSTORE", "CREATE-SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "LITERAL+", "LITERAL-",
    "MULTIAPPEND", "NAMESPACE", "QUOTA", "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS",
})  # fmt: skip
"""Capabilities that make carrying faster or surer."""
NOTEWORTHY_POP3 = frozenset({"UIDL", "PIPELINING", "TOP"})


def preview(source: ProbeReport, target: ProbeReport, rules: MappingRules) -> list[PreviewRow]:
    """Where every folder would go. Raises UsageError for a rule that names no folder."""
    plan = plan_mapping(source.folder_list, target.folder_list, target.namespace, rules)
    there = {info.path for info in target.folder_list}
    rows = [
        PreviewRow(
            source=pair.source.name,
            levels=len(pair.source.path),
            target=target.namespace.to_name(pair.target_path),
            role=pair.target_role.value if pair.target_role else None,
            reason=pair.reason,
            messages=pair.source.messages,
            exists=pair.target_path in there,
        )
        for pair in plan.pairs
    ]
    return rows + [
        PreviewRow(info.name, len(info.path), "", None, rule, info.messages, False) for info, rule in plan.left_out
    ]


def preview_json(row: PreviewRow) -> dict[str, Any]:
    """As `check --json` and the API show it."""
    return {
        "source": row.source,
        "target": row.target or None,
        "role": row.role,
        "reason": row.reason,
        "messages": row.messages,
        "exists": row.exists,
    }
