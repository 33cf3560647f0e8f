"""`postwagen demo`."""

from __future__ import annotations

import click
from rich.console import Console


@click.command(short_help="Two mail servers, a mailbox and its move.", epilog="Example: postwagen demo --keep")
@click.option("--keep", is_flag=True, help="Keep servers and service open until Ctrl-C, and print a login link.")
def demo(keep: bool) -> int:
    """Two local mail servers, a filled mailbox, one move over the service's API, and the proof."""
    from migrator.demo import show

    return show.run(keep=keep, console=Console(highlight=False, soft_wrap=True))
