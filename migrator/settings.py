"""All settings, with default and meaning: the only module that reads the environment.

`load()` refuses what it does not know, by name, and names every bad value in one error.
"""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from migrator.errors import UsageError

Network = IPv4Network | IPv6Network
PREFIX: Final = "POSTWAGEN_"
DATABASE_NAME: Final = "postwagen.sqlite3"
_NODE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("console", "json")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides. Read it with `load()`; hand it on with `child_environment()`.

    URLs may hold passwords, hence they are left out of the representation.
    """

    data_dir: Path
    database_url: str = field(repr=False)
    broker_url: str | None = field(repr=False)
    """None: `postwagen serve` starts a broker of its own."""
    secret_key_file: Path
    public_url: str | None = None
    allowed_networks: tuple[Network, ...] = ()
    hoster_name: str = "Postwagen"
    hoster_contact: str = ""
    worker_threads: int = 8
    source_connections: int = 20
    target_connections: int = 64
    slice_seconds: int = 300
    lease_seconds: int = 20
    sweep_seconds: int = 5
    quiet_seconds: int = 25
    keep_credentials_days: int = 14
    archive_dir: Path = field(kw_only=True)
    node: str = "main"
    keep_archives_days: int = 90
    quarantine_mb: int = 1024
    quarantine_days: int = 90
    archive_reserve_mb: int = 1024
    archive_quota_gb: int = 0
    time_zone: str = ""
    """Empty: that of this machine."""
    log_level: str = "info"
    log_format: str = "console"


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of a one-shot command, where the environment names them."""

    source: str | None = field(default=None, repr=False)
    target: str | None = field(default=None, repr=False)


# ---- how each value is read ----------------------------------------------------------------------------------------


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _node(text: str) -> str:
    if not _NODE.fullmatch(text):
        raise ValueError("must be a name of lower-case letters, digits and hyphens, at most 60 characters")
    return text


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError("must be a name like Europe/Berlin")
    return text


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text.lower()

    return read


def _networks(text: str) -> tuple[Network, ...]:
    found: list[Network] = []
    for word in text.split(","):
        if word.strip():
            try:
                found.append(ip_network(word.strip()))
            except ValueError:
                raise ValueError(
                    f"must be networks like 192.0.2.0/24, comma-separated; {word.strip()} is none"
                ) from None
    return tuple(found)


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address like https://mail-move.example")
    return text.rstrip("/")


def _database(text: str) -> str:
    for spelling in ("postgres://", "postgresql://"):
        if text.startswith(spelling):
            text = "postgresql+psycopg://" + text.removeprefix(spelling)
    if not text.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return text


def _broker(text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ValueError("must begin with redis:// or rediss://")
    return text


@dataclass(frozen=True, slots=True)
class Known:
    """A setting: its variable, the field of `Settings`, how it is read, what it means."""

    field: str
    read: Callable[[str], Any]
    meaning: str
    default: str
    secret: bool = False
    """May hold a password: can also come from the file that `<VARIABLE>_FILE` names."""

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.field.upper()


KNOWN: Final[tuple[Known, ...]] = (
    Known(
        "data_dir",
        _path,
        "where everything is kept that has no place of its own",
        "$XDG_DATA_HOME/postwagen or ~/.local/share/postwagen",
    ),
    Known("database_url", _database, "the database", f"SQLite, {DATABASE_NAME} in the data directory", secret=True),
    Known("broker_url", _broker, "the queue, a Redis", "embedded, in memory, on loopback", secret=True),
    Known(
        "secret_key_file",
        _path,
        "the keys that seal passwords; made on first start",
        "secret.key in the data directory",
    ),
    Known("public_url", _web_address, "how people reach the pages from outside", "the address that `serve` listens on"),
    Known("allowed_networks", _networks, "networks that endpoints may lie in although they are not public", "none"),
    Known("hoster_name", str, "the name that pages and customers see", "Postwagen"),
    Known("hoster_contact", str, "whom customers can ask: a telephone number, an address", "nothing"),
    Known("worker_threads", _number(1, 256), "how many mailboxes one worker moves at the same time", "8"),
    Known(
        "source_connections",
        _number(1, 10_000),
        "connections to one old server at the same time, of all workers together; further jobs wait",
        "20",
    ),
    Known("target_connections", _number(1, 10_000), "the same for one new server", "64"),
    Known("slice_seconds", _number(1, 86_400), "how long a job works before others have their turn", "300"),
    Known("lease_seconds", _number(2, 3_600), "after how long a silent worker has lost its job", "20"),
    Known("sweep_seconds", _number(1, 3_600), "how often jobs are looked for that nobody works on", "5"),
    Known("quiet_seconds", _number(0, 3_600), "how long a target folder must be quiet before doubt is settled", "25"),
    Known("keep_credentials_days", _number(0, 3_650), "days until passwords of jobs at rest are wiped", "14"),
    Known(
        "quarantine_mb",
        _number(0, 10_000_000),
        "MB of messages that a new server would not take, kept sealed in the database for each mailbox",
        "1024",
    ),
    Known("quarantine_days", _number(1, 3_650), "days that they are kept after the last attempt", "90"),
    Known("archive_dir", _path, "where this machine keeps archives", "archives in the data directory"),
    Known("node", _node, "this machine's name as a storage node: its archives' jobs come to it", "main"),
    Known("keep_archives_days", _number(1, 3_650), "days that an archive is kept after its transfer is closed", "90"),
    Known(
        "archive_reserve_mb",
        _number(0, 10_000_000),
        "room, in MB, that archives leave free on their disk; a pass that would not fit is refused",
        "1024",
    ),
    Known("archive_quota_gb", _number(0, 10**7), "GB that all archives of this machine may take; 0: no limit", "0"),
    Known("time_zone", _zone, "the zone of the hours between which archive passes begin", "that of this machine"),
    Known("log_level", _one_of(LOG_LEVELS), f"one of {', '.join(LOG_LEVELS)}", "info"),
    Known("log_format", _one_of(LOG_FORMATS), f"one of {', '.join(LOG_FORMATS)}", "console"),
)

_PASSWORDS: Final = {"source": f"{PREFIX}SOURCE_PASSWORD", "target": f"{PREFIX}TARGET_PASSWORD"}
_FOR_TESTS: Final = frozenset({f"{PREFIX}TEST_SERVERS"})
"""Means something to the tests only (tools/test_servers.py)."""


# ---- reading -------------------------------------------------------------------------------------------------------


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of the environment; `overrides` that are not None win, as typed values of `Settings`.

    An empty variable counts as unset. Raises UsageError that names every unknown POSTWAGEN_* and every bad value.
    """
    given = os.environ if environ is None else environ
    problems = _unknown(given)
    values: dict[str, Any] = {}
    for known in KNOWN:
        try:
            text = _text(known, given)
            if text:
                values[known.field] = known.read(text)
        except (ValueError, OSError, RuntimeError) as error:
            problems.append(f"{known.variable} {_reason(error)}.")
    if problems:
        raise UsageError(" ".join(problems), hint="docs/operations.md lists every setting with its default.")
    values.update({name: value for name, value in overrides.items() if value is not None})
    return _complete(values, given)


def load_passwords(environ: Mapping[str, str] | None = None) -> Passwords:
    """POSTWAGEN_SOURCE_PASSWORD and POSTWAGEN_TARGET_PASSWORD, for the one-shot commands only."""
    given = os.environ if environ is None else environ
    return Passwords(**{end: given.get(variable) or None for end, variable in _PASSWORDS.items()})


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment for a child process that shall have exactly these settings.

    It may hold URLs with passwords; those that came out of a file are handed on as that file.
    """
    ours = (PREFIX, "PYTHONUNBUFFERED")
    handed_on = {name: value for name, value in os.environ.items() if not name.startswith(ours) or name in _FOR_TESTS}
    for known in KNOWN:
        value = getattr(settings, known.field)
        if known.field == "allowed_networks":
            value = ",".join(map(str, value))
        file = _same_file(known, value)
        if file:
            handed_on[f"{known.variable}_FILE"] = file
        elif value is not None:
            handed_on[known.variable] = str(value)
    return handed_on | {"PYTHONUNBUFFERED": "1"}


def _same_file(known: Known, value: object) -> str:
    """The file that our own environment names for this setting, if its value is still the one that stands there."""
    file = os.environ.get(f"{known.variable}_FILE", "") if known.secret else ""
    try:
        return file if file and known.read(_text(known, os.environ)) == value else ""
    except (ValueError, OSError, RuntimeError):
        return ""


def _unknown(given: Mapping[str, str]) -> list[str]:
    files = {f"{known.variable}_FILE" for known in KNOWN if known.secret}
    names = {known.variable for known in KNOWN} | files | set(_PASSWORDS.values()) | _FOR_TESTS
    return [f"{name} is no setting." for name in sorted(given) if name.startswith(PREFIX) and name not in names]


def _text(known: Known, given: Mapping[str, str]) -> str:
    """The raw value, or empty; out of the file that `…_FILE` names where there is one."""
    text = given.get(known.variable, "").strip()
    file = given.get(f"{known.variable}_FILE", "").strip() if known.secret else ""
    if text and file:
        raise ValueError(f"and {known.variable}_FILE are both set; one of them must go")
    return Path(file).expanduser().read_text(encoding="utf-8").strip() if file else text


def _reason(error: Exception) -> str:
    """What is wrong, without the value: it may be a URL with a password."""
    if isinstance(error, OSError):
        return f"names a file that cannot be read ({error.strerror}: {error.filename})"
    if isinstance(error, UnicodeError):
        return "names a file that is no text"
    return str(error)


def _complete(values: dict[str, Any], given: Mapping[str, str]) -> Settings:
    """Fill in what depends on the data directory."""
    if "data_dir" not in values:
        base = given.get("XDG_DATA_HOME", "")
        values["data_dir"] = (Path(base) if base.startswith("/") else Path("~/.local/share").expanduser()) / "postwagen"
    data_dir = values["data_dir"] = Path(values["data_dir"]).expanduser().absolute()
    values.setdefault("database_url", f"sqlite:///{data_dir / DATABASE_NAME}")
    values.setdefault("broker_url", None)
    values.setdefault("secret_key_file", data_dir / "secret.key")
    values.setdefault("archive_dir", data_dir / "archives")
    unknown = set(values) - {field.name for field in fields(Settings)}
    if unknown:
        raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
    return Settings(**values)
