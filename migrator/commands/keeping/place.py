"""What commands for kept archives have in common: the number, where the service is, how errors and results are said."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final

import click

from migrator.commands.staff import opened
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import UsageError
from migrator.jobs.keeping import queries, report
from migrator.jobs.keeping.rows import ArchiveDestroyed, NoSuchArchive
from migrator.jobs.keeping.views import ArchiveView
from migrator.jobs.orders import Invalid
from migrator.settings import Settings

_HINTS: Final = {
    "closed": "`postwagen archives reopen ID` opens it again.",
    "too_early": "Name a later day. Nothing was changed.",
}
_LARGEST: Final = 2**63 - 1


class Number(click.ParamType[int]):
    """An archive's number."""

    name = "ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A whole number that a database knows."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and int(text[:20]) <= _LARGEST):
            self.fail(f"{text} is no archive's number; `postwagen archives list TEXT` finds it.", param, ctx)
        return int(text)


class Day(click.ParamType[datetime]):
    """The end of a day, where this machine is."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Out of 2027-03-01."""
        try:
            day = datetime.strptime(str(value), "%Y-%m-%d")  # noqa: DTZ007 - a date has no zone
            return datetime.combine(day, time(23, 59, 59)).astimezone().astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value} is no date; write it like 2027-03-01.", param, ctx)


class Words(click.ParamType[str]):
    """Text that a database and a report can hold."""

    name = "TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """On one line, at most 1,000 characters."""
        text = str(value).strip()
        if not text.isprintable():
            self.fail("only one line of ordinary characters, in UTF-8, can be kept.", param, ctx)
        if len(text) > 1_000:
            self.fail(f"at most 1,000 characters can be kept, not {len(text):,}.", param, ctx)
        return text


number = click.argument("archive_id", metavar="ID", type=Number())
as_json = click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output.")
data_dir = click.option("--data-dir", type=click.Path(), help="The service's data directory.")


@dataclass(frozen=True, slots=True)
class Place:
    """The service, from the command line."""

    settings: Settings
    db: Database

    @classmethod
    def at(cls, data_dir: str | None) -> Place:
        """Raises UsageError, DatabaseUnavailable."""
        return cls(*opened(data_dir))

    def vault(self) -> Vault:
        """With the service's keys; none are made here. Raises UsageError."""
        return Vault.open(self.settings.secret_key_file, create=False)

    def archive(self, archive_id: int) -> ArchiveView:
        """Raises NoSuchArchive."""
        found = queries.archive(self.db, archive_id)
        if found is None:
            raise NoSuchArchive(f"There is no archive {archive_id}.")
        return found

    def living(self, archive_id: int) -> ArchiveView:
        """Raises NoSuchArchive, ArchiveDestroyed."""
        found = self.archive(archive_id)
        if found.destroyed_at is not None:
            raise ArchiveDestroyed(f"The archive {archive_id} was destroyed on {found.destroyed_at:%Y-%m-%d}.")
        return found


def actor() -> str:
    """Who asks, for the history and the proof of destruction: the login at this machine."""
    try:
        return f"command:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"command:{os.getuid()}"


@contextmanager
def in_words() -> Iterator[None]:
    """What an operation finds wrong in fields, said for a command line."""
    try:
        yield
    except Invalid as error:
        code = error.problems[0][1]
        raise UsageError(error.message, hint=_HINTS.get(code, "Nothing was changed."), code=code) from None


def say(value: dict[str, Any], text: str, is_json: bool) -> None:
    """The one JSON object, or words."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_moment) if is_json else text)


def say_archive(archive: ArchiveView, text: str, is_json: bool) -> None:
    """As it stands now, as the API has it; or words."""
    say(report.alone(archive), text, is_json)


def _moment(value: object) -> str:
    """As the API writes it."""
    assert isinstance(value, datetime)
    return value.isoformat().replace("+00:00", "Z")
