"""`postwagen archives export` and `manifest`: mail and signed list, where the archive's file can be reached."""

from __future__ import annotations

import zipfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from migrator.commands.carrying import Moment
from migrator.commands.keeping import place, words
from migrator.commands.whole import write_whole
from migrator.errors import UsageError
from migrator.jobs import fetching

_AT: Final = click.option(
    "--at", type=Moment(), help="As it was then (2026-11-22T18:00+01:00). Default: the latest pass."
)


@click.command(short_help="An archive's mail as files.", epilog="Example: postwagen archives export 4711 info.zip")
@place.number
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["maildir", "mbox", "eml"]), default="maildir", show_default=True)
@_AT
@click.option("--folder", help="Only this folder, by its full old name.")
@place.data_dir
@place.as_json
def export(
    archive_id: int, destination: Path, kind: str, at: str | None, folder: str | None, data_dir: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Write an archive's mail to DESTINATION: a new or empty directory or, where it ends in .zip, a new zip file.

    A folder for each folder; a message that cannot be read is named in MISSING.txt.
    """
    here = place.Place.at(data_dir)
    chosen: dict[str, Any] = {"kind": kind, "at": _moment(here, archive_id, at), "folder": folder}
    if destination.suffix.lower() == ".zip":
        write_whole(destination, fetching.zip_of(here.db, here.vault(), here.settings, archive_id, **chosen))
        return _zipped(destination, as_json)
    done = fetching.write_out(here.db, here.vault(), here.settings, archive_id, destination, **chosen)
    failed = "".join(f"\nFailed: {folder} {key}: {reason}" for folder, key, reason in done.failed)
    text = f"{done.messages:,} messages, {done.octets / 1e6:.1f} MB, in {destination}.{failed}"
    outcome = "incomplete" if done.failed else "succeeded"
    place.say({"verb": "export", "outcome": outcome, **asdict(done), "error": None}, text, as_json)
    return int(bool(done.failed))


def _zipped(file: Path, as_json: bool) -> int:
    """Say what is in it: the stream itself only knows when it is over."""
    with zipfile.ZipFile(file) as packed:
        is_missing = "MISSING.txt" in packed.namelist()
    lacking = " Some messages could not be read: MISSING.txt in it names them." if is_missing else ""
    outcome = "incomplete" if is_missing else "succeeded"
    shown = {"verb": "export", "outcome": outcome, "file": str(file), "octets": file.stat().st_size, "error": None}
    place.say(shown, f"{file}, {file.stat().st_size / 1e6:.1f} MB.{lacking}", as_json)
    return int(is_missing)


@click.command(short_help="Its signed list.", epilog="Example: postwagen archives manifest 4711 info.jsonl")
@place.number
@click.argument("file", type=click.Path(path_type=Path))
@_AT
@place.data_dir
@place.as_json
def manifest(archive_id: int, file: Path, at: str | None, data_dir: str | None, as_json: bool) -> None:
    """Write the signed list of all messages of a point in time to FILE; `postwagen check manifest:FILE` verifies it."""
    here = place.Place.at(data_dir)
    when = _moment(here, archive_id, at)
    write_whole(file, fetching.manifest_of(here.db, here.vault(), here.settings, archive_id, at=when))
    shown = {"verb": "manifest", "outcome": "succeeded", "file": str(file), "error": None}
    place.say(shown, f"The signed manifest is in {file}; `postwagen check manifest:{file}` verifies it.", as_json)


def _moment(here: place.Place, archive_id: int, at: str | None) -> datetime | None:
    """Raises UsageError where there is no point in time until then; NoSuchArchive, ArchiveDestroyed."""
    archive, when = here.living(archive_id), datetime.fromisoformat(at) if at else None
    if not archive.points:
        raise UsageError(f"No pass into the archive {archive_id} is complete yet.", hint="There is nothing to fetch.")
    oldest = archive.points[-1].ended_at
    if when is not None and when < oldest and archive.passes == len(archive.points):
        hint = f"The first point in time is {words.moment(oldest)}; `postwagen archives show {archive_id}` names them."
        raise UsageError(f"The archive {archive_id} holds nothing of that time.", hint=hint)
    return when
