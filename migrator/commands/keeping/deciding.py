"""`postwagen archives schedule`, `customer`, `close`, `keep` and `reopen`: what people decide."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import click

from migrator import settings as all_settings
from migrator.commands.keeping import place, words
from migrator.commands.passwords import supplier
from migrator.errors import UsageError
from migrator.jobs.keeping import operations
from migrator.jobs.keeping.views import ArchiveView
from migrator.jobs.orders import NIGHTLY, Invalid, Keeping
from migrator.planning.leaving import MOST_DAYS

_Result = TypeVar("_Result")
_HOURS: Final = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)


class Hours(click.ParamType[tuple[int, int]]):
    """Hours of the day between which a pass begins."""

    name = "FROM-UNTIL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Out of 22-5."""
        if isinstance(value, tuple):
            return value
        found = _HOURS.fullmatch(str(value))
        if found is None or max(int(found[1]), int(found[2])) > 23:
            self.fail(f"{value} are no hours; write them like 22-5, each from 0 to 23.", param, ctx)
        return int(found[1]), int(found[2])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `schedule` was told. What it was not told stays as it is."""

    nightly: bool
    every: int | None
    between: tuple[int, int] | None
    remove_after: int | None
    wish: str
    remove_nothing: bool
    off: bool

    def check(self) -> None:
        """Raises UsageError where that makes no sense."""
        removal, passes = self.remove_after is not None or bool(self.wish), self.nightly or self.every is not None
        if not (passes or removal or self.between or self.remove_nothing or self.off):
            hint = (
                "Give --nightly, --every HOURS, --between FROM-UNTIL, --remove-after DAYS, --remove-nothing or --off."
            )
            raise UsageError("Say what shall come by itself.", hint=hint)
        if self.off and (passes or removal or self.between or self.remove_nothing):
            raise UsageError("--off ends everything that comes by itself, and stands alone.")
        if self.nightly and self.every is not None:
            raise UsageError("--nightly is --every 24 --between 0-5.", hint="Give one of them.")
        if self.remove_nothing and removal:
            raise UsageError("--remove-nothing and --remove-after contradict each other.")
        if self.wish and self.remove_after is None:
            raise UsageError("--wish says who asked that mail be deleted.", hint="Say when, too: --remove-after DAYS.")

    def change(self, now: Keeping) -> Keeping:
        """What shall come by itself, out of what does. Raises UsageError."""
        if self.off:
            return Keeping()
        wanted = now
        if self.nightly:
            wanted = replace(wanted, every_hours=NIGHTLY.every_hours, window=NIGHTLY.window)
        if self.every is not None:
            wanted = replace(wanted, every_hours=self.every, window=None)
        if self.between is not None:
            if wanted.every_hours is None:
                raise UsageError("No pass comes by itself, so there are no hours.", hint="Add --nightly or --every.")
            wanted = replace(wanted, window=self.between)
        if self.remove_nothing:
            wanted = replace(wanted, leave_days=None, leave_wish="")
        if self.remove_after is not None:
            wanted = replace(wanted, leave_days=self.remove_after, leave_wish=self.wish)
        return wanted


@click.command(
    short_help="What comes by itself.", epilog="Example: postwagen archives schedule 4711 --nightly --between 22-5"
)
@place.number
@click.option("--nightly", is_flag=True, help="The same as --every 24 --between 0-5.")
@click.option("--every", type=click.IntRange(1, 744), metavar="HOURS", help="A pass so often.")
@click.option("--between", type=Hours(), help="Hours of the day, in the service's zone. Default: at any hour.")
@click.option(
    "--remove-after", type=click.IntRange(0, MOST_DAYS), metavar="DAYS",
    help="POP3: delete at the old server what was collected so many days ago; 0 is at once. Needs --wish.",
)  # fmt: skip
@click.option("--wish", type=place.Words(), default="", help="Who asked for that, and when.")
@click.option("--remove-nothing", is_flag=True, help="POP3: everything stays at the old server.")
@click.option("--off", is_flag=True, help="Nothing comes by itself any more; the old server's password is wiped.")
@click.option("--source-password-file", metavar="FILE", help="First line; - for standard input.")
@place.data_dir
@place.as_json
def schedule(
    archive_id: int, source_password_file: str | None, data_dir: str | None, as_json: bool, **given: Any
) -> None:
    """What comes by itself until the transfer is closed: passes, and over POP3 deleting collected mail by wish.

    The old server's password is stored for it, sealed; where it is not stored any more it comes from a file, from
    POSTWAGEN_SOURCE_PASSWORD or from a prompt. What is not named stays as it is.
    """
    wanted = Wanted(**given)
    wanted.check()
    here = place.Place.at(data_dir)
    here.living(archive_id)
    with place.in_words():
        with_password(
            source_password_file,
            lambda password: operations.adjust(
                here.db, here.vault(), archive_id, wanted.change, password=password, settings=here.settings,
                actor=place.actor(),
            ),
        )  # fmt: skip
    archive = here.archive(archive_id)
    collected = f" Collected mail {words.leaving(archive)}." if archive.by_pop3 else ""
    place.say_archive(archive, f"Passes into the archive {archive_id}: {words.rhythm(archive)}.{collected}", as_json)


def with_password(file: str | None, ask: Callable[[str | None], _Result]) -> _Result:
    """Ask with the password of this file, or with the stored one; where there is none, with one of our own finding.

    Raises UsageError, and whatever `ask` raises.
    """
    given = supplier("source", file, None)() if file else None
    try:
        return ask(given)
    except Invalid as error:
        if given is not None or ("source.password", "missing") not in [problem[:2] for problem in error.problems]:
            raise
    return ask(supplier("source", None, all_settings.load_passwords().source)())


@click.command(
    short_help="Whether customers may fetch it.", epilog="Example: postwagen archives customer 4711 --may-fetch yes"
)
@place.number
@click.option("--may-fetch", type=click.Choice(["yes", "no"]), required=True, help="By the link to one of its jobs.")
@place.data_dir
@place.as_json
def customer(archive_id: int, may_fetch: str, data_dir: str | None, as_json: bool) -> None:
    """Whether the customer may fetch the archive."""
    here = place.Place.at(data_dir)
    operations.let_customer_fetch(here.db, archive_id, may_fetch == "yes")
    can = "may" if may_fetch == "yes" else "may not"
    place.say_archive(here.archive(archive_id), f"The customer {can} fetch the archive {archive_id}.", as_json)


# ---- how long ------------------------------------------------------------------------------------------------------


@click.command(short_help="The transfer is closed.", epilog="Example: postwagen archives close 4711 --until 2027-12-31")
@place.number
@click.option("--until", type=place.Day(), help="Keep it longer than the service does anyway, to the end of that day.")
@place.data_dir
@place.as_json
def close(archive_id: int, until: datetime | None, data_dir: str | None, as_json: bool) -> None:
    """The transfer is closed: from now on the archive has a date on which it is destroyed by itself.

    No pass comes any more, and the old server's password is wiped. The mail stays readable until that date.
    """
    here = place.Place.at(data_dir)
    with place.in_words():
        operations.close(here.db, archive_id, settings=here.settings, until=until)
    archive = here.archive(archive_id)
    text = f"The transfer of the archive {archive_id} is closed; no pass comes any more. {_destroyed_on(archive)}"
    place.say_archive(archive, text, as_json)


@click.command(
    short_help="Keep a closed one longer.", epilog="Example: postwagen archives keep 4711 --until 2027-12-31"
)
@place.number
@click.option("--until", type=place.Day(), required=True, help="To the end of that day.")
@place.data_dir
@place.as_json
def keep(archive_id: int, until: datetime, data_dir: str | None, as_json: bool) -> None:
    """Keep an archive whose transfer is closed until another date; never shorter than the service keeps it anyway.

    To keep it without a date, reopen its transfer.
    """
    here = place.Place.at(data_dir)
    with place.in_words():
        operations.prolong(here.db, archive_id, until, settings=here.settings)
    archive = here.archive(archive_id)
    place.say_archive(archive, _destroyed_on(archive), as_json)


@click.command(short_help="The transfer goes on after all.", epilog="Example: postwagen archives reopen 4711")
@place.number
@place.data_dir
@place.as_json
def reopen(archive_id: int, data_dir: str | None, as_json: bool) -> None:
    """The transfer goes on after all: the archive does not expire. Passes come again when they are scheduled."""
    here = place.Place.at(data_dir)
    operations.reopen(here.db, archive_id)
    text = f"The transfer of the archive {archive_id} is open: it does not expire."
    place.say_archive(here.archive(archive_id), text, as_json)


def _destroyed_on(archive: ArchiveView) -> str:
    assert archive.expires_at is not None
    if archive.is_only_copy:
        return f"It may hold the only copy of its mail, and is kept until all of it was played in. {words.ONLY_COPY}"
    return f"It is destroyed by itself after {words.moment(archive.expires_at)}."
