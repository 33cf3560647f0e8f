"""`postwagen remove-collected`: delete at a POP3 server what an archive has proven to hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from migrator import settings as all_settings
from migrator.commands.archives import archive_source
from migrator.commands.passwords import supplier
from migrator.planning.leaving import MOST_DAYS, Leaving
from migrator.sessions.endpoint import parse_url

REASONS: Final = {
    "no_uidl": "the server gives no name (UIDL) that could be trusted",
    "uidl_not_unique": "the server gives the same name (UIDL) to several messages",
    "not_archived": "not in the archive",
    "pass_not_complete": "archived by a pass that was not completed, or gone from the latest one",
    "archive_differs": "of another size than in the archive",
    "too_young": "collected too recently",
    "archive_unreadable": "damaged in the archive",
    "refused": "the server refused to delete it",
    "changed": "the mailbox changed meanwhile",
}
WARNINGS: Final = {
    "expires_what_was_read": "This server says that it deletes by itself what was fetched (EXPIRE 0).",
    "expires_after_days": "This server says that it deletes mail by itself after some days (EXPIRE).",
}


@click.command(
    "remove-collected",
    short_help="Delete at a POP3 server what was archived.",
    epilog="Example: postwagen remove-collected pop3s://info%40example.org@old.example info.pwa "
    "--after 14 --wish 'Mrs Weber by telephone, 3 May' --dry-run",
)
@click.argument("source")
@click.argument("archive")
@click.option(
    "--after", "days", type=click.IntRange(0, MOST_DAYS), required=True, metavar="DAYS",
    help="So many days after its collection a message is deleted; 14 and 30 are usual, 0 is at once.",
)  # fmt: skip
@click.option("--wish", required=True, metavar="TEXT", help="Who asked for it, and when. Kept, sealed, in the archive.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on standard output.")
@click.option("--key-file", type=click.Path(path_type=Path), help="The archive's key. Default: ARCHIVE.key, beside it.")
@click.option("--source-password-file", metavar="FILE", help="First line; - for standard input.")
def remove_collected(source: str, archive: str, as_json: bool, **given: Any) -> int:
    """Delete mail at the old POP3 server that lies in ARCHIVE. WARNING: what is deleted there is gone there for good.

    Without this command nothing is ever deleted, and usually nothing should be: what lies on the old server is the
    last resort. Use it only because the customer asked for it. Deleted is only what a completed pass has collected
    DAYS ago or earlier, what is whole in the archive (it is read again now), and what the server names by a unique
    UIDL. The rest stays, and its reason is said. Keep the archive and its key: afterwards the mail lies nowhere else.
    """
    done = _remove(source, archive, given)
    if as_json:
        outcome = "incomplete" if done["unknown"] else "succeeded"
        click.echo(
            json.dumps({"verb": "remove-collected", "outcome": outcome, **done, "error": None}, ensure_ascii=False)
        )
    else:
        _show(done, dry_run=given["dry_run"])
    return int(bool(done["unknown"]))


def _remove(source: str, archive: str, given: dict[str, Any]) -> dict[str, Any]:
    from migrator.archive.file import ArchiveFile
    from migrator.jobs.archives import key_of
    from migrator.jobs.oneshot.command import Interruptible
    from migrator.jobs.removing import remove

    all_settings.load()
    password = supplier("source", given["source_password_file"], all_settings.load_passwords().source)
    end, kept = parse_url(source, password), archive_source(archive, given["key_file"])
    dry_run = given["dry_run"]
    with ArchiveFile(Path(kept.path), key_of(kept), writable=not dry_run) as file:
        return remove(
            end,
            file,
            policy=Leaving(given["days"]),
            wish=given["wish"],
            stop=Interruptible(),  # Ctrl-C ends the connection, and with it every mark
            may_reach=None,
            now=datetime.now(UTC),
            dry_run=dry_run,
        )


def _show(done: dict[str, Any], *, dry_run: bool) -> None:
    what = f"{done['would_remove']} would be deleted" if dry_run else f"{done['removed']} deleted"
    click.echo(f"{done['listed']} messages on the server; {what}, {sum(done['kept'].values())} stay.")
    for reason, count in sorted(done["kept"].items()):
        click.echo(f"  {count} stay: {REASONS.get(reason, reason)}")
    if done["unknown"]:
        click.echo(f"Unknown: the server did not confirm {done['unknown']}; they count as not deleted. Run it again.")
    for code in done["warnings"]:
        click.echo(f"Warning: {WARNINGS.get(code, code)}")
