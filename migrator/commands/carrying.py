"""`postwagen copy`, `verify`, `archive` and `play-in`."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from migrator import settings as all_settings
from migrator.cli import complain
from migrator.commands.archives import ARCHIVE, archive_source, archive_target
from migrator.commands.passwords import supplier
from migrator.commands.progress import Bars, Silence, summary
from migrator.errors import UsageError
from migrator.jobs import queries
from migrator.jobs.oneshot.command import Finished, Interruptible, default_state, existing, run_once
from migrator.jobs.oneshot.queries import skips
from migrator.jobs.recipes import Work
from migrator.jobs.report import exit_code, report
from migrator.jobs.states import JobKind
from migrator.sessions.endpoint import Endpoint, parse_url
from migrator.settings import Settings


class Moment(click.ParamType[str]):
    """A point in time; without a zone it is that of this machine."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """ISO 8601, in UTC."""
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            self.fail(f"{value} is no time; write it like 2026-11-22T18:00+01:00.", param, ctx)


def _with(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all of them take."""
    return _with(
        command,
        click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output."),
        click.option("--state", type=click.Path(path_type=Path), help="The ledger. Default: in the data directory."),
        folders,
        each_label,
        click.option(
            "--connections",
            type=click.IntRange(1, 16),
            help="At most so many per server, and no more than its provider bears. Default: 2 for play-in, and for "
            "copy between near servers; all others use one.",
        ),
        click.option("--quiet", is_flag=True, help="No progress."),
    )  # fmt: skip


def folders(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which folders."""
    return _with(
        command,
        click.option("--include", multiple=True, metavar="GLOB", help="Only folders whose whole name matches."),
        click.option("--exclude", multiple=True, metavar="GLOB", help="Not folders whose whole name matches."),
        click.option("--shared", is_flag=True, help="Also folders of other users and of everybody."),
    )


each_label = click.option(
    "--each-label", is_flag=True, help="Gmail: a message goes into the folder of each of its labels."
)


def _from_server(command: Callable[..., Any]) -> Callable[..., Any]:
    return _with(
        command, click.option("--source-password-file", metavar="FILE", help="First line; - for standard input.")
    )


def to_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where at a target, and with which password."""
    return _with(
        command,
        click.option("--map", "mapping", multiple=True, metavar="OLD=NEW", help="This folder goes there (repeatable)."),
        click.option("--under", default="", metavar="FOLDER", help="Put everything under this folder."),
        click.option("--apart", is_flag=True, help="Two folders of one use (Sent, Gesendet) are not merged."),
        click.option("--target-password-file", metavar="FILE", help="First line; - for standard input."),
    )


def writing(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is written at a target, and what not."""
    return _with(
        command,
        click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing at the target."),
        click.option("--max-octets", type=click.IntRange(1), help="Leave larger messages behind, and say so."),
        click.option(
            "--repair", is_flag=True,
            help="Send what is refused for its form (NUL, bare LF, no final CRLF) with the least change, and say so.",
        ),
        click.option("--recreated", type=click.Choice(["replay", "keep"]), help="If a folder of ours was made anew."),
    )  # fmt: skip


def out_of_archive(command: Callable[..., Any]) -> Callable[..., Any]:
    """What of an archive, and as of when."""
    return _with(
        command,
        click.option(
            "--at", type=Moment(), help="As the mailbox was then (2026-11-22T18:00+01:00). Default: the latest pass.",
        ),
        click.option(
            "--message", "messages", multiple=True, nargs=2, metavar="FOLDER KEY",
            help="Only this message, as reports and manifests name it (repeatable).",
        ),
        click.option("--restore", is_flag=True, help="Carry anew what was carried before and is no longer there."),
    )  # fmt: skip


_KEY_FILE = click.option(
    "--key-file", type=click.Path(path_type=Path), help="The archive's key. Default: ARCHIVE.key, beside it."
)


@click.command(
    short_help="Carry a mailbox; again: what is new.",
    epilog="Example: postwagen copy imaps://info%40example.org@old.example imaps://…@new.example",
)
@click.argument("source")
@click.argument("target")
@_common
@_from_server
@to_server
@writing
@click.option(
    "--from-quarantine", is_flag=True,
    help="Put in what TARGET would not take before, as it was kept. SOURCE is not asked, and need not be there.",
)  # fmt: skip
def copy(source: str, target: str, as_json: bool, quiet: bool, **given: Any) -> int:
    """Carry a mailbox: all folders, messages, flags and dates. Run it again: it carries only what is new.

    SOURCE and TARGET are imaps://user@host (TLS) or imap://user@host (STARTTLS); an @ in the user name is %40. Nothing
    is ever deleted or marked at the source. Passwords: POSTWAGEN_SOURCE_PASSWORD, POSTWAGEN_TARGET_PASSWORD, a file, or
    a prompt.
    """
    return _carry(JobKind.COPY, source, target, as_json, quiet, given)


@click.command(
    short_help="Prove that all of it arrived.",
    epilog="Example: postwagen verify imaps://info%40example.org@old.example imaps://…@new.example",
)
@click.argument("source")
@click.argument("target")
@_common
@_from_server
@to_server
@_KEY_FILE
@click.option(
    "--level", type=click.Choice(["counts", "fingerprints", "digests"]), default="digests", show_default=True,
    help="How closely to look; digests reads every octet of both ends.",
)  # fmt: skip
def verify(source: str, target: str, as_json: bool, quiet: bool, **given: Any) -> int:
    """Prove that every message of SOURCE is at TARGET: octets, flags and dates, twins counted. Writes nothing."""
    return _carry(JobKind.VERIFY, source, target, as_json, quiet, given)


@click.command(
    short_help="Put a mailbox into an archive; again: the next pass.",
    epilog="Example: postwagen archive imaps://info%40example.org@old.example info.pwa",
)
@click.argument("source")
@click.argument("archive")
@_common
@_from_server
@_KEY_FILE
@click.option("--max-octets", type=click.IntRange(1), help="Leave larger messages behind, and say so.")
def archive(source: str, archive: str, as_json: bool, quiet: bool, **given: Any) -> int:
    """Put a mailbox into ARCHIVE, one sealed file. Run it again: each pass is a point in time, and costs what is new.

    SOURCE as for copy, or pop3s://user@host. The archive's key lies in a file of its own beside it, made with it: keep
    a copy elsewhere. Without the key nobody reads the archive, you included.
    """
    return _carry(JobKind.ARCHIVE, source, archive, as_json, quiet, given)


@click.command(
    "play-in",
    short_help="Put an archive's mail into a mailbox.",
    epilog="Example: postwagen play-in info.pwa imaps://info%40example.org@new.example",
)
@click.argument("archive")
@click.argument("target")
@_common
@to_server
@writing
@_KEY_FILE
@out_of_archive
def play_in(archive: str, target: str, as_json: bool, quiet: bool, **given: Any) -> int:
    """Put what an archive's latest complete pass has seen into TARGET. Run it again: it carries only what is missing.

    What a direct copy of the same mailbox has carried with the same ledger, or what lies there already, is not carried
    a second time. What the customer deleted since then stays deleted, unless --restore says otherwise; what lies in
    another folder, because the customer moved it or --map said so, is not looked for there.
    """
    return _carry(JobKind.PLAY_IN, archive, target, as_json, quiet, given)


def _carry(kind: JobKind, source: str, target: str, as_json: bool, quiet: bool, given: dict[str, Any]) -> int:
    settings = all_settings.load()
    passwords = all_settings.load_passwords()
    files = given.get("source_password_file"), given.get("target_password_file")
    if files == ("-", "-"):
        raise UsageError("Only one password can come from standard input.")
    if source.startswith(ARCHIVE) and kind in (JobKind.COPY, JobKind.ARCHIVE):
        raise UsageError("An archive is no server.", hint="`postwagen play-in ARCHIVE TARGET` puts its mail into one.")
    if kind is JobKind.PLAY_IN or source.startswith(ARCHIVE):
        old = archive_source(source, given.get("key_file"))
    else:
        old = parse_url(source, supplier("source", files[0], passwords.source))
    if kind is JobKind.ARCHIVE:
        new = archive_target(target, given.get("key_file"))
    else:
        new = parse_url(target, supplier("target", files[1], passwords.target))
        _refuse_itself(old, new)
    work = Work(kind, old, new, chosen_options(given))
    state = _state(given["state"]) or default_state(settings.data_dir, work.source, work.target)
    replays = bool(work.options.get("from_quarantine"))
    if replays:
        existing(state)
    for end in (new,) if replays else (old, new):
        end.credential()  # asked for now: later a Ctrl-C means "stop in good order", and bars cover the prompt
    finished = _run(work, state, settings, quiet)
    if finished.error is not None:
        complain(finished.error)
    if as_json:
        click.echo(json.dumps(_report(finished, state), ensure_ascii=False))
    else:
        summary(finished)
    return exit_code(finished.job, finished.result, finished.error)


def _state(given: Path | None) -> Path | None:
    if given is not None and not given.name:
        raise UsageError("--state names no file for the ledger.")
    return given


def _refuse_itself(old: Endpoint, new: Endpoint) -> None:
    same_name = old.identity == new.identity and old.address == new.address
    if same_name or (_login(old) == _login(new) and _reached(old) & _reached(new)):
        raise UsageError("SOURCE and TARGET are the same account.", hint="A mailbox is never copied onto itself.")


def _login(end: Endpoint) -> tuple[str, int, str, str]:
    return end.protocol, end.port, end.user.lower(), end.authzid


def _reached(end: Endpoint) -> set[str]:
    """The addresses behind the name; none where it is unknown, which the connection will tell."""
    if end.address:
        return {end.address}
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(end.host, end.port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


_PLAIN = (
    "under", "dry_run", "max_octets", "recreated", "level", "at", "restore", "connections", "repair", "shared", "apart",
    "each_label", "from_quarantine",
)  # fmt: skip
"""Options of jobs that are said by the same name."""


def chosen_options(given: dict[str, Any]) -> dict[str, Any]:
    """What was said on the command line, as a job's options. Raises UsageError."""
    pairs: dict[str, str] = {}
    for rule in given.get("mapping", ()):
        old, equals, new = rule.partition("=")
        if not equals or not old or not new:
            raise UsageError(f"--map {rule}: write OLD=NEW.")
        pairs[old] = new
    options = {
        "map": pairs,
        "include": list(given["include"]),
        "exclude": list(given["exclude"]),
        "messages": [{"folder": folder, "key": key} for folder, key in given.get("messages", ())],
        **{name: given.get(name) for name in _PLAIN},
    }
    return {name: value for name, value in options.items() if value}


def _run(work: Work, state: Path, settings: Settings, quiet: bool) -> Finished:
    stop = Interruptible()

    def ask_to_stop(_number: int, _frame: object) -> None:
        if stop.asked.is_set():
            raise KeyboardInterrupt
        stop.asked.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Silence() if quiet else Bars() as bars:
            return run_once(work, state.absolute(), stop=stop, observer=bars, settings=settings, begun=bars.begun)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(finished: Finished, state: Path) -> dict[str, Any]:
    from migrator.db.store import Database

    db = Database(f"sqlite:///{state.absolute()}")
    found = list(queries.every_failure(db, finished.job.id))
    differences = list(queries.every_difference(db, finished.job.id))
    left = skips(db, finished.job)
    db.dispose()
    cost = {name: getattr(finished, name) for name in ("seconds", "engine_seconds", "round_trips")}
    return report(finished.job, found, left, differences, finished.result, finished.error, cost)
