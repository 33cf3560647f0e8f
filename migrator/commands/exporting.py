"""`postwagen export`: an archive's mail as files."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from migrator.commands.archives import opened_archive
from migrator.commands.carrying import Moment
from migrator.mail.folders import Namespace


@click.command(
    short_help="An archive's mail as files.",
    epilog="Example: postwagen export info.pwa mail --format maildir",
)
@click.argument("archive")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["maildir", "mbox", "eml"]), default="maildir", show_default=True)
@click.option("--at", type=Moment(), help="As it was then (2026-11-22T18:00+01:00). Default: the latest pass.")
@click.option("--folder", help="Only this folder, by its full old name.")
@click.option("--key-file", type=click.Path(path_type=Path), help="The archive's key. Default: ARCHIVE.key, beside it.")
@click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output.")
def export(
    archive: str, directory: Path, kind: str, at: str | None, folder: str | None, key_file: Path | None, as_json: bool
) -> int:
    """Write an archive's mail into DIRECTORY, which must be new or empty: a folder for each folder.

    A message that cannot be read is named in MISSING.txt.
    """
    from migrator.archive.export import export as write_out
    from migrator.archive.source import ArchiveSource, pass_at

    with opened_archive(archive, key_file) as file:
        moment = pass_at(file, datetime.fromisoformat(at) if at else None)
        done = write_out(ArchiveSource(file, moment, Namespace()), directory, kind, folder)
    if as_json:
        outcome = "incomplete" if done.failed else "succeeded"
        click.echo(json.dumps({"verb": "export", "outcome": outcome, **asdict(done), "error": None}))
    else:
        click.echo(f"{done.messages} messages, {done.octets / 1e6:.1f} MB, in {directory}.")
        for place, key, reason in done.failed:
            click.echo(f"Failed: {place} {key}: {reason}")
    return int(bool(done.failed))
