"""`postwagen archives list` and `show`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

from migrator.commands.keeping import place, words
from migrator.db.store import Database
from migrator.jobs import queries as jobs
from migrator.jobs.keeping import queries, report
from migrator.jobs.keeping.views import ArchiveLine, ArchiveView

_POINTS: Final = 12
_JOBS: Final = 5
_NAMED: Final = 10
"""So many are shown on a terminal; more of them in JSON."""


@click.command(
    "list",
    short_help="All of them, or those of a domain.",
    epilog="Example: postwagen archives list example.org --json",
)
@click.argument("text", nargs=-1, type=place.Words())
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at a time.")
@click.option("--cursor", help="The next ones: what the list before ended with.")
@place.data_dir
@place.as_json
def list_archives(text: tuple[str, ...], limit: int, cursor: str | None, data_dir: str | None, as_json: bool) -> None:
    """All archives, the newest first; with TEXT those with it in address or account, such as a domain."""
    here = place.Place.at(data_dir)
    found, following = queries.archives(here.db, search=" ".join(text), limit=limit, cursor=cursor)
    if as_json:
        place.say({"archives": [report.in_list(one) for one in found], "next_cursor": following}, "", True)
        return
    if not found:
        what = f"No archive has {' '.join(text)} in its address or account" if text else "No archive is kept"
        click.echo(f"{what} in {here.db.url_shown}.")
        return
    _table(found)
    if following:
        click.echo(f"There are more: --cursor {following}")


def _table(found: list[ArchiveLine]) -> None:
    on_several = len({one.node for one in found}) > 1
    heads = ["id", "mailbox", "state", "points", "latest", "size", "checked", *(["node"] if on_several else [])]
    rows = [
        [
            str(one.id), one.address, words.state(one), str(one.passes),
            words.day(one.latest.ended_at) if one.latest else "–",
            words.size(one.octets), words.health(one) if one.destroyed_at is None else "–",
            *([one.node] if on_several else []),
        ]
        for one in found
    ]  # fmt: skip
    if words.is_wide():
        words.table(heads, rows, folds="mailbox", right=("id", "points", "size"))
        return
    for number, address, *rest in rows:
        words.line(f"{number:>3}  {address}")
        words.line(f"     {', '.join(f'{head} {value}' for head, value in zip(heads[2:], rest, strict=True))}")


# ---- one -----------------------------------------------------------------------------------------------------------


@click.command(short_help="One with all that is known.", epilog="Example: postwagen archives show 4711 --json")
@place.number
@place.data_dir
@place.as_json
def show(archive_id: int, data_dir: str | None, as_json: bool) -> None:
    """One archive: points in time, what is missing, the last check, what comes by itself, and until when it is kept."""
    here = place.Place.at(data_dir)
    archive = here.archive(archive_id)
    if as_json:
        place.say_archive(archive, "", True)
        return
    words.facts(_facts(archive))
    _points(archive)
    _found(archive.check or {})
    for number in archive.jobs[:_JOBS]:
        words.line(_job(here.db, number))


def _facts(archive: ArchiveView) -> Iterator[tuple[str, str]]:
    yield "archive", f"{archive.id}: {archive.address}"
    yield "account", archive.account
    yield "state", archive.state.value
    gone = f", removed {words.moment(archive.file_removed_at)}" if archive.file_removed_at else ""
    yield "file", f"{words.size(archive.octets)} on the storage node {archive.node}{gone}"
    yield "made", f"{words.moment(archive.created_at)} by {archive.created_by}"
    if archive.latest is not None:
        kept = archive.latest.found - archive.latest.missing
        folders = f" in {len(archive.folders)} folders" if archive.folders else ""
        yield "messages", f"{kept:,}{folders}; {archive.latest.missing:,} missing"
    if archive.destroyed_at is None:
        yield from _living(archive)
    yield "destroyed" if archive.destroyed_at else "expires", words.ends(archive).removeprefix("destroyed ")
    if archive.destroyed_at is not None:
        there = f"`postwagen archives proof {archive.id}` prints it"
        yield "proof", there if archive.proof else "not yet: the file is still to be removed"


def _living(archive: ArchiveView) -> Iterator[tuple[str, str]]:
    yield "passes", words.rhythm(archive)
    yield "password", "stored for passes to come" if archive.credential_kept else "not stored for passes to come"
    if archive.by_pop3:
        yield "collected", words.leaving(archive)
    checked = f" {words.moment(archive.checked_at)}" if archive.checked_at else ""
    yield "checked", f"{words.health(archive)}{checked}"
    yield "customer", "may fetch it" if archive.customer_may_fetch else "may not fetch it"
    if archive.is_only_copy:
        yield "CAREFUL", f"This may be the only copy. {words.ONLY_COPY}"


def _points(archive: ArchiveView) -> None:
    if not archive.points:
        words.line("No pass into it is complete yet.")
        return
    heads = ("point in time", "found", "missing", "size", "job")
    rows = [
        (
            words.moment(one.ended_at),
            f"{one.found:,}",
            f"{one.missing:,}",
            words.size(one.octets),
            str(one.job_id or "–"),
        )
        for one in archive.points[:_POINTS]
    ]
    words.table(heads, rows, folds="job", right=("found", "missing", "size"))
    if archive.passes > _POINTS:
        words.line(f"and {archive.passes - _POINTS:,} older ones; --json names them.")


def _found(check: dict[str, Any]) -> None:
    """What the last check named."""
    if check.get("structure"):
        words.line(f"The file itself is damaged. ({check['structure']})")
    for kind, word in (("damaged", "Damaged"), ("missing", "Missing")):
        named = check.get(kind, [])
        for one in named[:_NAMED]:
            place_of = " ".join(filter(None, (one.get("folder"), one.get("key")))) or "?"
            words.line(f"{word}: {place_of}: {one.get('detail') or one.get('reason')}")
        more = check.get(f"{kind}_total", len(named)) - min(len(named), _NAMED)
        if more:
            words.line(f"{word}: and {more:,} more; --json names up to 1,000, and the manifest all of them.")


def _job(db: Database, number: int) -> str:
    job = jobs.job(db, number, datetime.now(UTC))
    if job is None:
        return f"Job {number}"
    at = words.moment(job.finished_at or job.started_at or job.created_at)
    error = f": {job.error['message']}" if job.error else ""
    return f"Job {number}: {job.kind.value}, {job.state.value}, {at}{error}"
