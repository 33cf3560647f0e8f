"""`postwagen user` and `postwagen token`: staff accounts and API tokens."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from migrator import settings as all_settings
from migrator.accounts import UserView, operations, queries
from migrator.commands.passwords import supplier
from migrator.db.store import Database
from migrator.errors import UsageError
from migrator.settings import Settings

_json = click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output.")
_data_dir = click.option("--data-dir", type=click.Path(), help="The service's data directory.")


def opened(data_dir: str | None) -> tuple[Settings, Database]:
    """The settings and the service's database, at its newest revision, until the command ends."""
    settings = all_settings.load(data_dir=data_dir)
    db = Database(settings.database_url)
    click.get_current_context().call_on_close(db.dispose)
    db.upgrade()
    return settings, db


def _said(value: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


# ---- people --------------------------------------------------------------------------------------------------------


@click.group()
def user() -> None:
    """Staff accounts."""


@user.command("create", epilog="Example: postwagen user create jana.petersen@example.org --name 'Jana Petersen'")
@click.argument("email")
@click.option("--name", default="", help="As colleagues know this person.")
@click.option("--password-file", metavar="FILE", help="Set the password at once; - for standard input.")
@_data_dir
@_json
def create_user(email: str, name: str, password_file: str | None, data_dir: str | None, as_json: bool) -> None:
    """Make an account; without a password it prints a one-time link by which the person sets one."""
    settings, db = opened(data_dir)
    password = supplier("user", password_file, None)() if password_file else None
    user_id = operations.create_user(db, email, name, password)
    shown: dict[str, Any] = {"id": user_id, "email": email}
    text = f"{email} can log in now."
    if password is None:
        shown["link"] = _link(settings, operations.create_link(db, user_id))
        text = f"{email} sets a password within 24 hours here, once:\n{shown['link']}"
    _said(shown, text, as_json)


@user.command("link")
@click.argument("email")
@_data_dir
@_json
def link(email: str, data_dir: str | None, as_json: bool) -> None:
    """A one-time link by which a person sets a new password."""
    settings, db = opened(data_dir)
    url = _link(settings, operations.create_link(db, _known(db, email).id))
    _said({"email": email, "link": url}, url, as_json)


@user.command("disable")
@click.argument("email")
@_data_dir
@_json
def disable(email: str, data_dir: str | None, as_json: bool) -> None:
    """End all sessions of an account; nobody logs in with it any more."""
    _, db = opened(data_dir)
    operations.disable_user(db, _known(db, email).id)
    _said({"email": email, "disabled": True}, f"{email} cannot log in any more.", as_json)


@user.command("list")
@_data_dir
@_json
def list_users(data_dir: str | None, as_json: bool) -> None:
    """All accounts."""
    _, db = opened(data_dir)
    people = queries.users(db)
    if as_json:
        shown = [{"id": p.id, "email": p.email, "name": p.name, "active": p.active} for p in people]
        click.echo(json.dumps({"users": shown}, ensure_ascii=False))
        return
    _table(("e-mail", "name", "state"), [(p.email, p.name, "active" if p.active else "disabled") for p in people])


def _known(db: Database, email: str) -> UserView:
    person = queries.user_by_email(db, email)
    if person is None:
        raise UsageError(f"There is no account for {email}.", hint="postwagen user list shows all of them.")
    return person


def _link(settings: Settings, token: str) -> str:
    return f"{settings.public_url or 'http://127.0.0.1:8025'}/setup/{token}"


# ---- tokens --------------------------------------------------------------------------------------------------------


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create", epilog="Example: postwagen token create ordering-system --json")
@click.argument("name")
@_data_dir
@_json
def create_token(name: str, data_dir: str | None, as_json: bool) -> None:
    """Make a token and print it, once: only its hash is kept."""
    _, db = opened(data_dir)
    made = operations.create_token(db, name)
    _said({"token": made, "name": name}, made, as_json)


@token.command("list")
@_data_dir
@_json
def list_tokens(data_dir: str | None, as_json: bool) -> None:
    """All tokens, without the tokens."""
    _, db = opened(data_dir)
    found = queries.tokens(db)
    if as_json:
        shown = [
            {"name": t.name, "created_at": t.created_at.isoformat(), "revoked": t.revoked_at is not None} for t in found
        ]
        click.echo(json.dumps({"tokens": shown}))
        return
    _table(("name", "made", "state"), [
        (t.name, f"{t.created_at:%Y-%m-%d}", "revoked" if t.revoked_at else "active") for t in found
    ])  # fmt: skip


@token.command("revoke")
@click.argument("name")
@_data_dir
@_json
def revoke(name: str, data_dir: str | None, as_json: bool) -> None:
    """Close a token at once."""
    _, db = opened(data_dir)
    operations.revoke_token(db, name)
    _said({"name": name, "revoked": True}, f"The token {name} is closed.", as_json)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)
