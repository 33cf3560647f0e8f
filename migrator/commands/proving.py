"""`postwagen check archive:PATH` and `check manifest:FILE`: what an archive holds, and the proof of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from migrator.commands.archives import opened_archive
from migrator.commands.whole import write_whole
from migrator.errors import UsageError
from migrator.settings import Settings

if TYPE_CHECKING:
    from migrator.archive.check import Health
    from migrator.archive.manifest import ManifestFacts

MANIFEST: Final = "manifest:"
_SHOWN: Final = 20
"""So many messages are named on a terminal; all of them in JSON."""
_LONGEST_LINE: Final = 16 * 1024 * 1024


def check_archive(
    text: str, key_file: Path | None, at: str | None, manifest: Path | None, settings: Settings, as_json: bool
) -> int:
    """Read it from end to end and say what is here, missing and damaged; exit code 1 where anything is.

    Raises ArchiveUnusable, ArchiveDamaged, UsageError, DiskFull.
    """
    from migrator.archive.check import check

    when = datetime.fromisoformat(at) if at else None
    with opened_archive(text, key_file) as file:
        health = check(file, when)
        if manifest is not None:
            from migrator.archive.manifest import PURPOSE, Signer, lines
            from migrator.archive.view import pass_at
            from migrator.db.vault import Vault

            signer = Signer(Vault.open(settings.secret_key_file).key_for(PURPOSE))
            write_whole(manifest, lines(file, pass_at(file, when), signer))
    if as_json:
        click.echo(json.dumps(_json(health) | {"manifest": str(manifest) if manifest else None}, ensure_ascii=False))
    else:
        _show(health)
        if manifest is not None:
            click.echo(f"The signed manifest is in {manifest}.")
    return int(not health.is_whole)


def _json(health: Health) -> dict[str, Any]:
    return {
        "verb": "check", "outcome": "succeeded" if health.is_whole else "incomplete", "account": health.account,
        "moment": health.moment.isoformat() if health.moment else None, "found": health.found,
        "messages": health.messages, "whole": health.whole, "kept": health.kept, "octets": health.octets,
        "passes": [ended.isoformat() for ended in health.passes],
        "missing": [asdict(item) for item in health.missing], "left_out": [asdict(item) for item in health.left_out],
        "unseen": [asdict(item) for item in health.unseen],
        "damaged": [asdict(item) for item in health.damaged], "structure": health.structure, "error": None,
    }  # fmt: skip


def _show(health: Health) -> None:
    click.echo(f"The mail of {health.account or 'nobody yet'}, {health.octets / 1e6:.1f} MB unpacked.")
    for ended in health.passes:
        chosen = "  <- this one" if ended == health.moment and len(health.passes) > 1 else ""
        click.echo(f"  pass of {ended.astimezone():%Y-%m-%d %H:%M}{chosen}")
    if health.moment is None:
        click.echo("No pass is complete yet.")
    elif health.found is None:
        click.echo(f"{health.messages} messages are here; what the source had then was not kept.")
    else:
        click.echo(f"{health.whole:,} of {health.found:,} messages of the source are here{_missing(health)}.")
    click.echo(f"{health.kept:,} messages in all passes; {len(health.damaged)} damaged.")
    _name("Missing", [f"{item.folder} {item.key} ({item.size} octets): {item.reason}" for item in health.missing])
    for folder in health.left_out:
        click.echo(f"Left out: {folder.folder} ({folder.rule})")
    for unseen in health.unseen:
        more = f", {unseen.messages:,} messages more were announced" if unseen.messages else ""
        click.echo(f"Not seen to its end: {unseen.folder} ({unseen.error}){more}; what any pass saw of it is here.")
    _name("Damaged", [f"{item.folder or '?'} {item.key or '?'}: {item.detail}" for item in health.damaged])
    if health.structure:
        click.echo(f"The file itself is damaged; what could be read was read all the same. ({health.structure})")


def _missing(health: Health) -> str:
    lacking = len(health.missing) + sum(item.messages for item in health.unseen)
    return f"; {lacking:,} missing, named below" if lacking else ""


def _name(word: str, items: list[str]) -> None:
    for item in items[:_SHOWN]:
        click.echo(f"{word}: {item}")
    if len(items) > _SHOWN:
        click.echo(f"{word}: and {len(items) - _SHOWN:,} more; --json names all.")


# ---- manifests -----------------------------------------------------------------------------------------------------


def check_manifest(text: str, public_keys: Iterable[str], settings: Settings, as_json: bool) -> int:
    """Verify a manifest and say whose it is; exit code 1 unless it is ours, or signed by one of these public keys.

    Raises UsageError, ManifestRefused.
    """
    from migrator.archive.manifest import PURPOSE, Signer, verify
    from migrator.db.vault import Vault

    expected = {_decoded(key) for key in public_keys}
    seeds = Vault.open(settings.secret_key_file, create=False).keys_for(PURPOSE) if _is_there(settings) else []
    ours = {Signer(seed).public for seed in seeds}
    file = Path(text.removeprefix(MANIFEST))
    try:
        with file.open("rb") as opened:
            facts = verify(_lines(opened))
    except OSError as error:
        raise UsageError(f"The manifest {file} cannot be read: {error.strerror}.") from None
    signer = "expected" if facts.public_key in expected else "ours" if facts.public_key in ours else "another"
    accepted = signer == "expected" if expected else signer == "ours"
    if as_json:
        click.echo(json.dumps(_facts(facts, signer, accepted), ensure_ascii=False))
    else:
        _tell(facts, signer)
    return int(not accepted)


def _is_there(settings: Settings) -> bool:
    return settings.secret_key_file.exists()


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except ValueError:
        raise UsageError(f"{key} is no public key: 32 octets in base64.") from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Bounded, whatever the file is."""
    return iter(lambda: file.readline(_LONGEST_LINE), b"")


def _facts(facts: ManifestFacts, signer: str, accepted: bool) -> dict[str, Any]:
    return {
        "verb": "check", "outcome": "succeeded" if accepted else "incomplete", "account": facts.account,
        "archive": facts.archive, "pass": facts.number, "began": facts.began.isoformat(),
        "ended": facts.ended.isoformat(), "messages": facts.messages, "missing": facts.missing,
        "damaged": facts.damaged, "public_key": base64.b64encode(facts.public_key).decode(), "signer": signer,
        "error": None,
    }  # fmt: skip


_SIGNERS: Final = {
    "ours": "It is signed by this service, and not one line was altered.",
    "expected": "It is signed with the public key that you named, and not one line was altered.",
    "another": "It is signed with another key than ours, {key}: ask its maker for the public key and compare.",
}


def _tell(facts: ManifestFacts, signer: str) -> None:
    click.echo(f"The mail of {facts.account}, pass {facts.number} of {facts.ended.astimezone():%Y-%m-%d %H:%M}.")
    click.echo(f"{facts.messages:,} messages; {facts.missing:,} missing, {facts.damaged:,} damaged.")
    click.echo(_SIGNERS[signer].format(key=base64.b64encode(facts.public_key).decode()))
