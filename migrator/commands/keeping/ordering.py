"""`postwagen archives pass`, `check`, `play-in` and `verify`: work for a worker, which begins when one is free."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from migrator import settings as all_settings
from migrator.commands import carrying
from migrator.commands.keeping import deciding, place
from migrator.commands.passwords import supplier
from migrator.jobs import operations as jobs
from migrator.jobs.keeping import operations, queries
from migrator.jobs.orders import ArchiveEnd, NewEndpoint, NewJob
from migrator.jobs.states import JobKind, JobState
from migrator.sessions.endpoint import parse_url


@click.command("pass", short_help="Order the next pass.", epilog="Example: postwagen archives pass 4711")
@place.number
@click.option("--source-password-file", metavar="FILE", help="First line; - for standard input.")
@place.data_dir
@place.as_json
def another_pass(archive_id: int, source_password_file: str | None, data_dir: str | None, as_json: bool) -> None:
    """Order another pass now, from the same old server: what is new there is put into the archive.

    The old server's password is the stored one, if it is stored; else from a file, from POSTWAGEN_SOURCE_PASSWORD or
    from a prompt, and wiped when the pass has ended.
    """
    here = place.Place.at(data_dir)
    here.living(archive_id)
    with place.in_words():
        job_id = deciding.with_password(
            source_password_file,
            lambda password: operations.order_pass(
                here.db, here.vault(), archive_id, password=password, actor=place.actor()
            ),
        )
    _ordered(here, archive_id, job_id, JobKind.ARCHIVE, "the next pass into", as_json)


@click.command(short_help="Order a check.", epilog="Example: postwagen archives check 4711")
@place.number
@click.option("--at", type=carrying.Moment(), help="As it was then. Default: the latest pass.")
@place.data_dir
@place.as_json
def check(archive_id: int, at: str | None, data_dir: str | None, as_json: bool) -> None:
    """Have everything in the archive read once; `show` then says what is damaged or missing."""
    here = place.Place.at(data_dir)
    here.living(archive_id)
    new = NewJob(JobKind.CHECK, ArchiveEnd(archive_id), None, {"at": at} if at else {}, place.actor())
    _ordered(here, archive_id, _order(here, new), new.kind, "a check of", as_json)


@click.command(
    "play-in",
    short_help="Order a play-in.",
    epilog="Example: postwagen archives play-in 4711 imaps://info%40example.org@new.example",
)
@place.number
@click.argument("target")
@carrying.folders
@carrying.each_label
@carrying.to_server
@carrying.writing
@carrying.out_of_archive
@place.data_dir
@place.as_json
def play_in(archive_id: int, target: str, data_dir: str | None, as_json: bool, **given: Any) -> None:
    """Have what the archive's latest complete pass has seen put into TARGET. Again: only what is missing is carried.

    TARGET is imaps://user@host, as for copy; the service reaches public addresses, and the networks that
    POSTWAGEN_ALLOWED_NETWORKS names. The password is sealed, and wiped when the job has ended.
    """
    _play(JobKind.PLAY_IN, archive_id, target, data_dir, as_json, given)


@click.command(
    short_help="Order a comparison.",
    epilog="Example: postwagen archives verify 4711 imaps://info%40example.org@new.example",
)
@place.number
@click.argument("target")
@carrying.folders
@carrying.each_label
@carrying.to_server
@click.option("--at", type=carrying.Moment(), help="As it was then. Default: the latest pass.")
@click.option(
    "--level", type=click.Choice(["counts", "fingerprints", "digests"]), default="digests", show_default=True,
    help="How closely to look; digests reads every octet of both ends.",
)  # fmt: skip
@place.data_dir
@place.as_json
def verify(archive_id: int, target: str, data_dir: str | None, as_json: bool, **given: Any) -> None:
    """Have every message of the archive compared with TARGET. Writes nothing there."""
    _play(JobKind.VERIFY, archive_id, target, data_dir, as_json, given)


# ---- inside --------------------------------------------------------------------------------------------------------


def _play(
    kind: JobKind, archive_id: int, target: str, data_dir: str | None, as_json: bool, given: dict[str, Any]
) -> None:
    options = carrying.chosen_options(given)
    end = parse_url(target, supplier("target", given["target_password_file"], all_settings.load_passwords().target))
    here = place.Place.at(data_dir)
    here.living(archive_id)
    new_end = NewEndpoint(
        end.protocol, end.host, end.port, end.security, end.user, end.credential(), ca_pem=end.ca_pem,
        fingerprint=end.fingerprint, address=end.address, auth=end.auth, authzid=end.authzid,
    )  # fmt: skip
    new = NewJob(kind, ArchiveEnd(archive_id), new_end, options, place.actor())
    what = {JobKind.PLAY_IN: "a play-in of", JobKind.VERIFY: "a comparison with"}
    _ordered(here, archive_id, _order(here, new), kind, what[kind], as_json)


def _order(here: place.Place, new: NewJob) -> int:
    """The next sweep puts it into the queue, a few seconds later."""
    with place.in_words():
        return jobs.create(here.db, here.vault(), new, settings=here.settings, dispatched=False)


def _ordered(here: place.Place, archive_id: int, job_id: int, kind: JobKind, what: str, as_json: bool) -> None:
    node = here.archive(archive_id).node
    nodes = {one.node: one.free_octets for one in queries.nodes(here.db, datetime.now(UTC))}
    text = f"Job {job_id} is ordered: {what} the archive {archive_id}. It begins as soon as a worker is free; "
    text += f"`postwagen archives show {archive_id}` says how it went."
    if nodes.get(node) is None:
        text += f"\nNo worker of the storage node {node} works now: the job waits for one (postwagen serve)."
    place.say({"id": job_id, "kind": kind.value, "state": JobState.QUEUED.value, "archive": archive_id}, text, as_json)
