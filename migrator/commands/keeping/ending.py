"""`postwagen archives destroy` and `proof`: the end of an archive, and what stays of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import click

from migrator.commands.keeping import place, words
from migrator.commands.whole import write_whole
from migrator.db.vault import Vault
from migrator.errors import ArchiveUnusable, PostwagenError, Remedy, UsageError
from migrator.jobs.keeping import operations
from migrator.jobs.keeping.views import ArchiveView


class NoProofYet(PostwagenError):
    """The key is destroyed; the file is still to be removed."""

    code: ClassVar[str] = "no_proof_yet"
    remedy: ClassVar[Remedy] = Remedy.LATER
    exit_code: ClassVar[int] = 5
    hint: ClassVar[str] = "A worker of that node does so within a minute (postwagen serve). Run the same again then."


@click.command(
    short_help="Destroy it for good.",
    epilog="Example: postwagen archives destroy 4711 --reason 'Mrs Weber by letter, 12 November'",
)
@place.number
@click.option("--reason", type=place.Words(), required=True, help="Stands in the proof of destruction.")
@click.option("--confirm", metavar="ADDRESS", help="The archive's address, in place of the question.")
@click.option("--even-the-only-copy", is_flag=True, help="Although mail in it may lie nowhere else any more.")
@place.data_dir
@place.as_json
def destroy(
    archive_id: int, reason: str, confirm: str | None, even_the_only_copy: bool, data_dir: str | None, as_json: bool
) -> None:
    """Destroy an archive for good. WARNING: what is in it can never be read again by anybody.

    Its key is destroyed at once, then its file; a signed proof stays. Jobs that wait for it are cancelled. Backups of
    the database hold the wrapped key until they expire themselves.
    """
    here = place.Place.at(data_dir)
    archive, vault = here.living(archive_id), here.vault()
    if archive.is_only_copy and not even_the_only_copy:
        hint = "Play all of it in first, or give --even-the-only-copy. Nothing was destroyed."
        raise operations.OnlyCopy(f"The archive {archive_id} may hold the only copy. {words.ONLY_COPY}", hint=hint)
    _confirmed(archive, confirm)
    with place.in_words():
        operations.destroy(
            here.db, archive_id, actor=place.actor(), reason=reason, even_the_only_copy=even_the_only_copy
        )
    _remove_here(here, vault, archive_id)
    place.say_archive(here.archive(archive_id), _ended(here.archive(archive_id)), as_json)


def _confirmed(archive: ArchiveView, typed: str | None) -> None:
    """Raises UsageError where nobody typed the archive's address."""
    if typed is None:
        if not sys.stdin.isatty():
            hint = f"Add --confirm and the archive's address ({archive.address}). Nothing was destroyed."
            raise UsageError("Destroying an archive must be confirmed.", hint=hint, code="not_confirmed")
        points = f"{archive.passes:,} point{'s' if archive.passes != 1 else ''} in time"
        held = f"{archive.latest.found:,} messages in {points}" if archive.latest else "nothing that is complete"
        click.echo(f"The archive {archive.id} of {archive.address} holds {held}.", err=True)
        click.echo("Destroyed, it can never be read again by anybody; nothing brings it back.", err=True)
        typed = str(click.prompt("Type its address to destroy it", err=True))
    if not archive.is_called(typed):
        hint = f"The archive {archive.id} is that of {archive.address}. Nothing was destroyed."
        raise UsageError("That is not the address of this archive.", hint=hint, code="address_differs")


def _remove_here(here: place.Place, vault: Vault, archive_id: int) -> None:
    """Remove the file at once where it lies here; where it does not, its storage node does so."""
    from migrator.jobs import archives as files

    def remove(name: str) -> None:
        if not (here.settings.archive_dir / name).exists():
            raise ArchiveUnusable("It lies somewhere else.")
        files.remove_file(here.settings.archive_dir, name)

    try:
        now = datetime.now(UTC)
        operations.clear(here.db, archive_id, here.settings.node, remove, partial(files.signed, vault), now)
    except ArchiveUnusable:
        return


def _ended(archive: ArchiveView) -> str:
    said = f"The archive {archive.id} of {archive.address} is destroyed: nobody can read it any more."
    proof = f"`postwagen archives proof {archive.id}`"
    if archive.proof is None:
        return f"{said}\nIts file is removed next, by the storage node {archive.node}; {proof} then prints the proof."
    return f"{said}\nIts file is removed. {proof} prints the signed proof."


# ---- the proof -----------------------------------------------------------------------------------------------------


@click.command(short_help="That it was destroyed.", epilog="Example: postwagen archives proof 4711 --output proof.json")
@place.number
@click.option("--output", type=click.Path(path_type=Path), help="Write the signed proof into this new file, as JSON.")
@place.data_dir
@place.as_json
def proof(archive_id: int, output: Path | None, data_dir: str | None, as_json: bool) -> int:
    """The dated, signed proof that an archive was destroyed. With --json it is printed as it was signed."""
    from migrator.jobs import archives as files

    here = place.Place.at(data_dir)
    archive = here.archive(archive_id)
    if archive.destroyed_at is None:
        raise UsageError(f"The archive {archive_id} is not destroyed.", hint="There is nothing to prove.")
    if archive.proof is None:
        raise NoProofYet(f"The file of the archive {archive_id} on the storage node {archive.node} is not removed yet.")
    is_ours = files.is_signed(here.vault(), archive.proof)
    if output is not None:
        write_whole(output, [json.dumps(archive.proof, ensure_ascii=False, indent=2).encode() + b"\n"])
    if as_json:
        place.say(archive.proof, "", True)
    else:
        if output is None:
            words.facts(_told(archive, archive.proof))
        else:
            click.echo(f"The proof is in {output}.")
        click.echo("It is signed by this service." if is_ours else "It is NOT signed by this service: do not trust it.")
    return int(not is_ours)


def _told(archive: ArchiveView, proof: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "mailbox", archive.address
    for name, value in proof.items():
        if value is not None:
            yield name.replace("_", " "), str(value)
