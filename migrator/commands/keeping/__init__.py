"""`postwagen archives`: the archives that the service keeps, for scripts and for people without a browser."""

from __future__ import annotations

import click

from migrator.commands.keeping import deciding, ending, fetching, ordering, reading


class _AsListed(click.Group):
    """Commands in the order in which they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As they were added."""
        return list(self.commands)


@click.group(cls=_AsListed, short_help="The archives that the service keeps.")
def archives() -> None:
    """The archives that the service keeps: what its pages and API do with them. ID is the number that list shows.

    They work on the service's database, whether it runs or not; jobs that they order begin when it does. For an archive
    in a file of your own there are archive, play-in, check and export.
    """


for command in (
    reading.list_archives, reading.show, ordering.another_pass, deciding.schedule, ordering.check, ordering.play_in,
    ordering.verify, fetching.export, fetching.manifest, deciding.customer, deciding.close, deciding.keep,
    deciding.reopen, ending.destroy, ending.proof,
):  # fmt: skip
    archives.add_command(command)
