"""The form for a new job, as it was typed: read, shown again (never a password), made into an order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from migrator.jobs.operations import NewEndpoint, NewJob
from migrator.jobs.orders import ArchiveEnd, usual_port
from migrator.jobs.states import JobKind
from migrator.jobs.views import EndpointView, JobView
from migrator.planning.mapping import MappingRules
from web.jobs import keeping
from web.jobs.keeping import KeepForm

ENDS: Final = ("source", "target")
SIZES: Final = (10, 25, 50, 100, 150)
"""Largest sizes that the form offers, in MB."""
CONNECTIONS: Final = (1, 2, 4, 8)
_MEGABYTE: Final = 1_000_000
_ROW: Final = re.compile(r"row\.(\d{1,5})\.source")
_GLOB: Final = re.compile(r"([*?[])")


@dataclass(frozen=True, slots=True)
class EndForm:
    """One server as it was typed, without the password."""

    user: str = ""
    host: str = ""
    security: str = "tls"
    """`tls`, `starttls`, `none`; behind `pop3-` where that is the protocol."""
    port: str = ""
    address: str = ""
    fingerprint: str = ""
    ca_pem: str = ""

    @property
    def has_more(self) -> bool:
        """Whether something stands in the folded part."""
        return bool(self.port or self.address or self.fingerprint or self.ca_pem)

    @property
    def who(self) -> str:
        """The account that a check was made for."""
        return f"{self.user}@{self.host}".lower()


@dataclass(frozen=True, slots=True)
class RowForm:
    """One line of the preview as it was typed. `by_hand`: a person chose the target."""

    source: str
    target: str
    take: bool
    by_hand: bool


@dataclass(frozen=True, slots=True)
class JobForm:
    """The whole form."""

    source: EndForm = field(default_factory=EndForm)
    target: EndForm = field(default_factory=EndForm)
    under: str = ""
    max_mb: str = ""
    connections: str = ""
    repair: bool = False
    shared: bool = False
    apart: bool = False
    rows: tuple[RowForm, ...] = ()
    do: str = "copy"
    """`copy` or `archive`: which parts of the form are wanted."""
    keep: KeepForm = field(default_factory=KeepForm)

    def rules(self) -> MappingRules:
        """What a person decided on folders, as the planner takes it."""
        return MappingRules(
            by_hand=tuple((row.source, row.target) for row in self.rows if row.by_hand and row.take),
            exclude=tuple(as_glob(row.source) for row in self.rows if not row.take),
            under=self.under,
            shared=self.shared,
            apart=self.apart,
        )

    def options(self) -> dict[str, Any]:
        """What a job is told beside its ends."""
        rules = self.rules()
        options: dict[str, Any] = {"map": dict(rules.by_hand), "exclude": list(rules.exclude), "under": self.under}
        options |= {"repair": self.repair, "shared": self.shared, "apart": self.apart}
        if self.max_mb.isdigit():
            options["max_octets"] = int(self.max_mb) * _MEGABYTE
        if self.connections.isdigit():
            options["connections"] = int(self.connections)
        return {name: value for name, value in options.items() if value}


def read(form: Mapping[str, str]) -> JobForm:
    """The form as it was sent."""
    return JobForm(
        source=_end(form, "source"),
        target=_end(form, "target"),
        under=form.get("under", "").strip(),
        max_mb=form.get("max_mb", ""),
        connections=form.get("connections", ""),
        repair=form.get("repair") == "yes",
        shared=form.get("shared") == "yes",
        apart=form.get("apart") == "yes",
        rows=tuple(_rows(form)),
        do="archive" if "archive" in (form.get("what"), form.get("do")) else "copy",
        keep=keeping.read(form),
    )


def like(job: JobView) -> JobForm:
    """A form with what another job was told; passwords are typed again."""
    limit, connections = job.options.get("max_octets"), job.options.get("connections")
    return JobForm(
        do="archive" if job.kind is JobKind.ARCHIVE else "copy",
        source=_end_of(job.source),
        target=_end_of(job.target),
        under=str(job.options.get("under", "")),
        max_mb=str(limit // _MEGABYTE) if isinstance(limit, int) else "",
        connections=str(connections) if connections else "",
        repair=bool(job.options.get("repair")),
        shared=bool(job.options.get("shared")),
        apart=bool(job.options.get("apart")),
        rows=(*_mapped(job.options.get("map", {})), *_excluded(job.options.get("exclude", ()))),
    )


def endpoint(form: EndForm, password: str) -> NewEndpoint:
    """The end as an order names it."""
    protocol, security = ("pop3", form.security[5:]) if form.security.startswith("pop3-") else ("imap", form.security)
    port = form.port or str(usual_port(protocol, security))
    return NewEndpoint(
        protocol=protocol,
        host=form.host,
        port=int(port) if port.isascii() and port.isdigit() and len(port) < 7 else 0,
        security=security,
        user=form.user,
        password=password,
        ca_pem=form.ca_pem or None,
        fingerprint=form.fingerprint or None,
        address=form.address or None,
    )


def order(form: JobForm, sent: Mapping[str, str], created_by: str) -> NewJob:
    """What is ordered: a copy, a rehearsal that writes nothing, a comparison, or a pass into an archive."""
    what = sent.get("what", form.do)
    if what == "archive":
        return _archive(form, sent, created_by)
    return NewJob(
        kind=JobKind.VERIFY if what == "verify" else JobKind.COPY,
        source=endpoint(form.source, sent.get("source.password", "")),
        target=endpoint(form.target, sent.get("target.password", "")),
        options={**form.options(), **({"dry_run": True} if what == "rehearse" else {})},
        created_by=created_by,
    )


def _archive(form: JobForm, sent: Mapping[str, str], created_by: str) -> NewJob:
    """A pass takes all folders over one connection: what is left behind is decided when it is played in."""
    source = endpoint(form.source, sent.get("source.password", ""))
    return NewJob(JobKind.ARCHIVE, source, ArchiveEnd(), {}, created_by, keeping=form.keep.keeping())


def order_of(source: NewEndpoint, target: NewEndpoint) -> NewJob:
    """A bare order of two ends, to see what is wrong with them."""
    return NewJob(kind=JobKind.COPY, source=source, target=target, options={}, created_by="")


def as_glob(name: str) -> str:
    """A pattern that fits exactly this name."""
    return _GLOB.sub(r"[\1]", name)


def _end(form: Mapping[str, str], end: str) -> EndForm:
    typed = {name: form.get(f"{end}.{name}", "").strip() for name in EndForm.__dataclass_fields__}
    return EndForm(**{**typed, "security": typed["security"] or "tls"})


def _end_of(view: EndpointView) -> EndForm:
    if view.archive_id is not None:
        return EndForm()
    return EndForm(
        user=view.user,
        host=view.host,
        security=f"pop3-{view.security}" if view.protocol == "pop3" else view.security,
        port="" if view.port == usual_port(view.protocol, view.security) else str(view.port),
        address=view.address or "",
        fingerprint=f"sha256:{view.fingerprint}" if view.fingerprint else "",
    )


def _rows(form: Mapping[str, str]) -> Iterator[RowForm]:
    for name in form:
        found = _ROW.fullmatch(name)
        if found:
            at = f"row.{found.group(1)}"
            target = form.get(f"{at}.target", "").strip()
            changed = target != form.get(f"{at}.shown", "") or f"{at}.hand" in form
            yield RowForm(source=form[name], target=target, take=f"{at}.take" in form, by_hand=bool(target) and changed)


def _mapped(given: Any) -> Iterator[RowForm]:
    for old, new in given.items() if isinstance(given, dict) else ():
        yield RowForm(source=str(old), target=str(new), take=True, by_hand=True)


def _excluded(given: Any) -> Iterator[RowForm]:
    """Only those that name one folder: a form has ticks, no patterns."""
    for glob in map(str, given):
        name = re.sub(r"\[([*?[])\]", r"\1", glob)
        if as_glob(name) == glob:
            yield RowForm(source=name, target="", take=False, by_hand=False)
