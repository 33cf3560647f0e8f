"""`postwagen serve`."""

from __future__ import annotations

import click

from migrator import settings as all_settings


@click.command(
    short_help="The service: web, worker and schedule.",
    epilog="Example: postwagen serve --port 8025 --data-dir /srv/postwagen",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the web server listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=8025, show_default=True)
@click.option("--data-dir", type=click.Path(), help="Where everything is kept that has no place of its own.")
@click.option("--only", type=click.Choice(["web", "worker", "beat"]), help="Only this part (several machines).")
def serve(host: str, port: int, data_dir: str | None, only: str | None) -> int:
    """Everything on this machine in one command: web, worker, schedule. Ctrl-C stops all of it."""
    from migrator import serve as supervisor

    settings = all_settings.load(data_dir=data_dir)
    return supervisor.serve(settings, host=host, port=port, only=only)
