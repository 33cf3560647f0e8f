"""`postwagen quarantine`: what TARGET would not take, and `postwagen copy` has kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from migrator import settings as all_settings
from migrator.db.quarantine import QuarantineSource
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import UsageError
from migrator.jobs.oneshot.command import default_state, existing
from migrator.jobs.quarantine import queries
from migrator.planning.limits import size_text
from migrator.sessions.endpoint import parse_url
from migrator.settings import Settings

_AT_ONCE = 1_000
_GONE = {
    "": "kept",
    "carried": "put in since",
    "expired": "forgotten after its time",
    "not_kept": "not kept",
    "renumbered": "kept under another number",
}


@click.group(short_help="What the new server would not take.")
def quarantine() -> None:
    """What TARGET would not take, and `postwagen copy` has kept, sealed, in the ledger of SOURCE and TARGET.

    `postwagen copy SOURCE TARGET --from-quarantine` puts it in when the cause is gone. The service's own quarantine is
    on its pages and in its API.
    """


def _of_two(command: Callable[..., Any]) -> Callable[..., Any]:
    """Both accounts, as they were named to copy."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output."),
        click.option("--state", type=click.Path(path_type=Path), help="The ledger. Default: in the data directory."),
        click.argument("target"),
        click.argument("source"),
    ):
        command = option(command)
    return command


@quarantine.command("list", epilog="Example: postwagen quarantine list imaps://…@old.example imaps://…@new.example")
@_of_two
def list_kept(source: str, target: str, state: Path | None, as_json: bool) -> None:
    """Every message that TARGET would not take, with its reason, and whether its octets are here."""
    with _ledger(source, target, state) as (db, route, _):
        found = list(_all(db, route))
    if as_json:
        rows = [asdict(one) | {"at": one.at.isoformat(), "gone": one.gone or None} for one in found]
        click.echo(json.dumps({"verb": "quarantine list", "outcome": "succeeded", "messages": rows, "error": None}))
        return
    if not found:
        click.echo("Nothing is in quarantine.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("folder", "key", "Message-ID", "size", "reason", "octets"):
        table.add_column(name, overflow="fold", justify="right" if name == "size" else "left")
    for one in found:
        why = f"{one.reason}: {one.detail}" if one.detail else one.reason
        table.add_row(one.folder, one.key, one.message_id, size_text(one.size), why, _GONE[one.gone])
    Console(highlight=False, markup=False).print(table)


@quarantine.command(epilog="Example: postwagen quarantine export imaps://…@old.example imaps://…@new.example refused")
@_of_two
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["eml", "maildir", "mbox"]), default="eml", show_default=True)
def export(source: str, target: str, directory: Path, state: Path | None, kind: str, as_json: bool) -> int:
    """Write what is kept into DIRECTORY, which must be new or empty. It stays in quarantine.

    Beware: a message may have been refused because it holds a virus.
    """
    from migrator.archive.export import export as write_out

    with _ledger(source, target, state) as (db, route, settings):
        mailbox = queries.mailbox_of(db, route)
        if mailbox is None or not queries.number_here(db, mailbox):
            raise UsageError("Nothing is in quarantine.")
        vault = Vault.open(settings.secret_key_file, create=False)
        done = write_out(QuarantineSource(db, vault, mailbox), directory, kind)
    if as_json:
        outcome = "incomplete" if done.failed else "succeeded"
        click.echo(json.dumps({"verb": "quarantine export", "outcome": outcome, **asdict(done), "error": None}))
    else:
        click.echo(f"{done.messages} messages, {size_text(done.octets)}, in {directory}.")
        for place, key, reason in done.failed:
            click.echo(f"Failed: {place} {key}: {reason}")
    return int(bool(done.failed))


@contextmanager
def _ledger(source: str, target: str, state: Path | None) -> Iterator[tuple[Database, str, Settings]]:
    """The ledger that `copy` has made for both, and how it calls them. Raises UsageError where there is none."""
    settings = all_settings.load()
    old, new = (parse_url(end, lambda: "") for end in (source, target))
    file = existing((state or default_state(settings.data_dir, old, new)).absolute())
    db = Database(f"sqlite:///{file}")
    try:
        db.upgrade()
        yield db, f"{old.identity} -> {new.identity}", settings
    finally:
        db.dispose()


def _all(db: Database, route: str) -> Iterator[queries.KeptView]:
    following: str | None = None
    while True:
        page, following = queries.kept(db, route, limit=_AT_ONCE, cursor=following)
        yield from page
        if following is None:
            return
