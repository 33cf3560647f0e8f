"""`postwagen database` and `postwagen key`: what operators do now and then."""

from __future__ import annotations

import click

from migrator.commands.staff import opened
from migrator.db.vault import Vault
from migrator.jobs import operations

_data_dir = click.option("--data-dir", type=click.Path(), help="The service's data directory.")


@click.group()
def database() -> None:
    """The service's database."""


@database.command("upgrade")
@_data_dir
def upgrade(data_dir: str | None) -> None:
    """Bring the tables to this version's revision. Safe to repeat, and when several processes do it at once."""
    _, db = opened(data_dir)
    click.echo(f"{db.url_shown} is current.")


@click.group()
def key() -> None:
    """The key that seals stored passwords."""


@key.command("rotate")
@_data_dir
def rotate(data_dir: str | None) -> None:
    """Make a new key and seal every stored password with it. Old keys stay in the file for old backups."""
    settings, db = opened(data_dir)
    vault = Vault.open(settings.secret_key_file)
    vault.rotate()
    click.echo(f"A new key is in use; {operations.reseal(db, vault)} passwords were sealed again.")
