"""What a person orders: two endpoints, a kind of work, options; and everything that is wrong with it at once. Pure."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any, ClassVar, Final

from migrator.errors import UsageError
from migrator.jobs.states import JobKind
from migrator.planning.mapping import MappingRules
from migrator.sessions.endpoint import MECHANISMS, PORTS, fingerprint_digits
from migrator.sessions.guard import MAIL_PORTS, Network, allowed

Problem = tuple[str, str, str]
"""Field path (`source.host`), code, one sentence."""

SOURCE_PROTOCOLS: Final = ("imap", "pop3")
TARGET_PROTOCOLS: Final = ("imap",)
SECURITIES: Final = ("tls", "starttls", "none")
LEVELS: Final = ("counts", "fingerprints", "digests")
LONGEST_PASSWORD: Final = 4_096

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """Where and how to log in, as a person typed it. The password is never shown."""

    protocol: str
    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    ca_pem: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    address: str | None = None
    auth: str = ""
    authzid: str = ""

    @property
    def identity(self) -> str:
        """The account without password: what a ledger is bound to. A pinned address is another server."""
        pinned = f"[{self.address}]" if self.address else ""
        acting = f"{self.user}+{self.authzid}" if self.authzid else self.user
        return f"{self.protocol}://{acting}@{plain_host(self.host)}{pinned}:{self.port}"


@dataclass(frozen=True, slots=True)
class ArchiveEnd:
    """An archive that the service keeps. `id` None: that of the old end's account, made where there is none."""

    id: int | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """What comes by itself for an archive, with the old end's password kept for it; nothing unless said."""

    every_hours: int | None = None
    """A pass so often until the transfer is closed."""
    window: tuple[int, int] | None = None
    """Hours of the day between which it begins."""
    leave_days: int | None = None
    """POP3: delete at the old server so many days after collection, 0: at once. None: keep all."""
    leave_wish: str = ""
    """Who asked for that, and when: the customer's wish."""


NIGHTLY: Final = Keeping(every_hours=24, window=(0, 5))
"""What passes are where somebody just says so."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """One kind of work for one mailbox. Options are those of `OPTIONS`. A CHECK has no target."""

    kind: JobKind
    source: NewEndpoint | ArchiveEnd
    target: NewEndpoint | ArchiveEnd | None
    options: dict[str, Any]
    created_by: str
    keeping: Keeping = Keeping()
    """For an ARCHIVE."""


def usual_port(protocol: str, security: str) -> int:
    """Where a server of this kind listens unless somebody says otherwise; 993 where the kind is unknown."""
    return PORTS.get((protocol, security), PORTS["imap", "tls"])


class Invalid(UsageError):
    """The order cannot be taken. `problems` names every field that is wrong."""

    code: ClassVar[str] = "invalid"
    hint: ClassVar[str] = "Correct the fields named and send it again. Nothing was stored."

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(message for _, _, message in problems))
        self.problems = list(problems)


def plain_host(host: str) -> str:
    """A host as it is kept and compared: lower case, without brackets and final dot."""
    return host.strip().strip("[]").rstrip(".").lower()


def check_source(source: NewEndpoint, networks: Sequence[Network]) -> None:
    """Raises Invalid with what is wrong with an old end alone."""
    if problems := list(_endpoint("source", source, SOURCE_PROTOCOLS, networks)):
        raise Invalid(problems)


_SHAPES: Final[Mapping[JobKind, tuple[str, str]]] = {
    JobKind.COPY: ("server", "server"),
    JobKind.VERIFY: ("server or archive", "server"),
    JobKind.ARCHIVE: ("server", "archive"),
    JobKind.PLAY_IN: ("archive", "server"),
    JobKind.CHECK: ("archive", "nothing"),
    JobKind.REMOVE: ("server", "archive"),
}
"""What the ends of a job are."""


def check(new: NewJob, networks: Sequence[Network]) -> None:
    """Raises Invalid with every problem that can be seen without asking a server."""
    problems = list(_shape(new))
    if isinstance(new.source, NewEndpoint):
        problems += _endpoint("source", new.source, SOURCE_PROTOCOLS, networks)
    if isinstance(new.target, NewEndpoint):
        problems += _endpoint("target", new.target, TARGET_PROTOCOLS, networks)
    problems += _options(new.options, new.kind)
    if new.kind is JobKind.ARCHIVE and isinstance(new.source, NewEndpoint):
        problems += _keeping(new.keeping, by_pop3=new.source.protocol == "pop3")
    if new.kind is JobKind.REMOVE and not {"after_days", "wish"} <= new.options.keys():
        message = "Say after how many days (after_days) and who asked for it (wish)."
        problems.append(("options.wish", "missing", message))
    if new.kind is not JobKind.ARCHIVE and new.keeping != Keeping():
        problems.append(("keep", "unknown", "Only a job of kind archive keeps an archive."))
    if not problems and _identity(new.source) == _identity(new.target):
        problems.append(("target.host", "same_account", "Source and target are the same account."))
    if problems:
        raise Invalid(problems)


def _shape(new: NewJob) -> Iterator[Problem]:
    for end, given, wanted in zip(("source", "target"), (new.source, new.target), _SHAPES[new.kind], strict=True):
        kind = {NewEndpoint: "server", ArchiveEnd: "archive"}.get(type(given), "nothing")
        if kind not in wanted.split(" or "):
            yield f"{end}.protocol", "unknown", f"The {end} of a job of kind {new.kind} is {wanted}, not {kind}."
    if new.kind is not JobKind.ARCHIVE and ArchiveEnd() in (new.source, new.target):
        end = "source" if new.source == ArchiveEnd() else "target"
        yield f"{end}.archive", "missing", "Say which archive."


def _identity(end: NewEndpoint | ArchiveEnd | None) -> object:
    return end.identity if isinstance(end, NewEndpoint) else end


def mapping_rules(options: Mapping[str, Any]) -> MappingRules:
    """What a job's options say of folders, as the planner takes it."""
    return MappingRules(
        by_hand=tuple(options.get("map", {}).items()),
        include=tuple(options.get("include", ())),
        exclude=tuple(options.get("exclude", ())),
        under=options.get("under", ""),
        shared=options.get("shared", False),
        apart=options.get("apart", False),
    )


def check_options(options: Mapping[str, Any], kind: JobKind) -> None:
    """Raises Invalid where options alone are changed."""
    if problems := list(_options(options, kind)):
        raise Invalid(problems)


def check_keeping(wanted: Keeping, *, by_pop3: bool) -> None:
    """Raises Invalid where what comes by itself is changed."""
    if problems := list(_keeping(wanted, by_pop3=by_pop3)):
        raise Invalid(problems)


def _keeping(wanted: Keeping, *, by_pop3: bool) -> Iterator[Problem]:
    if wanted.every_hours is not None and not 1 <= wanted.every_hours <= 744:
        yield "keep.every_hours", "invalid", "A pass comes every 1 to 744 hours."
    if wanted.window is not None and not all(0 <= hour <= 23 for hour in wanted.window):
        yield "keep.window", "invalid", "The hours of the window are numbers from 0 to 23."
    if wanted.leave_days is None:
        return
    if not by_pop3:
        yield "keep.leave_days", "not_pop3", "Only over POP3 can mail be deleted at the old server."
    if not 0 <= wanted.leave_days <= 3_650:
        yield "keep.leave_days", "invalid", "Days are a number from 0 to 3650."
    if not wanted.leave_wish.strip():
        yield "keep.leave_wish", "missing", "Say who asked for it, and when: nothing is deleted without the wish."
    elif len(wanted.leave_wish) > 500:
        yield "keep.leave_wish", "too_long", "The wish may have 500 characters."


def check_password(end: str, password: str) -> None:
    """Raises Invalid where a password alone is changed."""
    if problems := list(_password(end, password)):
        raise Invalid(problems)


# ---- endpoints -----------------------------------------------------------------------------------------------------


def _endpoint(end: str, new: NewEndpoint, protocols: Sequence[str], networks: Sequence[Network]) -> Iterator[Problem]:
    if new.protocol not in protocols:
        yield f"{end}.protocol", "unknown", f"The protocol of the {end} must be {' or '.join(protocols)}."
    if new.security not in SECURITIES:
        yield f"{end}.security", "unknown", "The security must be tls, starttls or none (clear text)."
    mechanisms = MECHANISMS.get(new.protocol, ())
    if new.auth and new.auth not in mechanisms:
        yield f"{end}.auth", "unknown", f"The mechanism must be {' or '.join(mechanisms)}; left empty, we choose."
    port_fits = 1 <= new.port <= 65_535
    if not port_fits:
        yield f"{end}.port", "invalid", "The port must be a number from 1 to 65535."
    yield from _host(end, new, networks if port_fits else None)
    yield from _text(f"{end}.user", "user name", new.user)
    yield from _password(end, new.password)
    if new.authzid:
        yield from _text(f"{end}.authzid", "authorisation name", new.authzid)
    yield from _trust(end, new)


def _host(end: str, new: NewEndpoint, networks: Sequence[Network] | None) -> Iterator[Problem]:
    """The host, and the address that is pinned for it; `networks` None: the port is not worth judging."""
    host = plain_host(new.host)
    if not host:
        yield f"{end}.host", "missing", f"The host of the {end} is missing."
    elif _is_address(host):
        yield from _address(f"{end}.host", host, new.port, networks)
    elif not _is_name(host):
        yield f"{end}.host", "invalid", f"{host[:80]} is no host name."
    elif networks is not None and not networks and not new.address and new.port not in MAIL_PORTS:
        ports = ", ".join(map(str, sorted(MAIL_PORTS)))
        yield f"{end}.port", "forbidden", f"Only mail ports may be used: {ports}."
    if new.address is not None:
        if _is_address(new.address):
            yield from _address(f"{end}.address", new.address, new.port, networks)
        else:
            yield f"{end}.address", "invalid", "The address must be an IP address."


def _address(field_path: str, text: str, port: int, networks: Sequence[Network] | None) -> Iterator[Problem]:
    if networks is not None and not allowed(text, port, networks):
        message = (
            f"{text} with port {port} may not be reached: only mail ports of public addresses, "
            "and the networks that an operator allowed with POSTWAGEN_ALLOWED_NETWORKS."
        )
        yield field_path, "forbidden", message


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    labels = ascii_host.split(".")
    return len(ascii_host) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def _text(field_path: str, name: str, text: str) -> Iterator[Problem]:
    if not text:
        yield field_path, "missing", f"The {name} is missing."
    elif len(text) > 320:
        yield field_path, "too_long", f"The {name} may have 320 characters."
    elif _CONTROL.search(text):
        yield field_path, "invalid", f"The {name} holds a line break or another control character."


def _password(end: str, password: str) -> Iterator[Problem]:
    """Never shows any of it."""
    if not password:
        yield f"{end}.password", "missing", f"The password of the {end} is missing."
    elif len(password) > LONGEST_PASSWORD:
        yield f"{end}.password", "too_long", f"The password may have {LONGEST_PASSWORD} characters."
    elif _CONTROL.search(password):
        yield f"{end}.password", "invalid", "The password holds a line break or another control character."


def _trust(end: str, new: NewEndpoint) -> Iterator[Problem]:
    if new.fingerprint:
        try:
            fingerprint_digits(new.fingerprint)
        except UsageError as error:
            yield f"{end}.fingerprint", "invalid", error.message
    if new.ca_pem:
        try:
            ssl.create_default_context(cadata=new.ca_pem)
        except (ssl.SSLError, ValueError, TypeError):  # TypeError: not ASCII
            yield f"{end}.ca_pem", "invalid", "The certificate authority must be PEM text: -----BEGIN CERTIFICATE-----."


# ---- options -------------------------------------------------------------------------------------------------------


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(x, str) and x for pair in value.items() for x in pair)


def _is_whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and one.keys() == {"folder", "key"} and _is_texts(list(one.values())) for one in value
    )


OPTIONS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "map": (_is_map, "an object of source and target folder names"),
    "include": (_is_texts, "a list of folder patterns"),
    "exclude": (_is_texts, "a list of folder patterns"),
    "under": (lambda value: isinstance(value, str), "a folder name"),
    "dry_run": (_is_bool, "true or false"),
    "repair": (_is_bool, "true or false"),
    "shared": (_is_bool, "true or false"),
    "apart": (_is_bool, "true or false"),
    "each_label": (_is_bool, "true or false"),
    "from_quarantine": (_is_bool, "true or false"),
    "connections": (_is_whole(1, 16), "a number from 1 to 16"),
    "max_octets": (_is_whole(1, 2**40), "a number of octets"),
    "recreated": (lambda value: value in ("replay", "keep"), "replay or keep"),
    "level": (lambda value: value in LEVELS, " or ".join(LEVELS)),
    "at": (_is_moment, "a time with its zone, like 2026-11-22T18:00+01:00"),
    "messages": (_are_messages, "a list of objects with folder and key"),
    "restore": (_is_bool, "true or false"),
    "after_days": (_is_whole(0, 3_650), "a number from 0 to 3650"),
    "wish": (lambda value: isinstance(value, str) and bool(value.strip()), "who asked for it, and when"),
}
"""What a job may be told beside its ends: name → (test, what it must be)."""

_ONLY_FOR: Final[Mapping[str, frozenset[JobKind]]] = {
    "at": frozenset({JobKind.PLAY_IN, JobKind.VERIFY, JobKind.CHECK}),
    "from_quarantine": frozenset({JobKind.COPY}),
    "messages": frozenset({JobKind.PLAY_IN}),
    "restore": frozenset({JobKind.PLAY_IN}),
    "after_days": frozenset({JobKind.REMOVE}),
    "wish": frozenset({JobKind.REMOVE}),
}


def _options(options: Mapping[str, Any], kind: JobKind) -> Iterator[Problem]:
    for name, value in options.items():
        if name not in OPTIONS:
            yield f"options.{name}", "unknown", f"There is no option {name[:40]}; known are {', '.join(OPTIONS)}."
        elif kind not in _ONLY_FOR.get(name, (kind,)):
            yield f"options.{name}", "unknown", f"A job of kind {kind} has no option {name}."
        elif not OPTIONS[name][0](value):
            yield f"options.{name}", "invalid", f"The option {name} must be {OPTIONS[name][1]}."
