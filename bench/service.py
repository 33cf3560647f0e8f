"""A copy through the whole product: API, queue, worker, database; on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.rivals import End
from tests.servers.running import start_postgres
from tests.service.callers import Script, endpoint, script
from tests.service.product import Product


class Service:
    """An installation that is running."""

    def __init__(self, product: Product) -> None:
        self._script: Script = script(product)

    def copy(self, source: End, target: End) -> float:
        """Seconds from the order until the job says that it has succeeded."""
        began = time.monotonic()
        job = self._script.order(endpoint(source.server, source.account), endpoint(target.server, target.account))
        done = self._script.finish(job, within=600.0)
        assert done["messages"]["failed"] == 0
        return time.monotonic() - began


@contextmanager
def service(directory: Path, **settings: str) -> Iterator[Service]:
    """`postwagen serve`, with these settings."""
    with Product(directory, settings) as product:
        product.serve()
        yield Service(product)


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """The URL of an empty database, on a server that waits for its disk as it does by default."""
    with start_postgres(directory, fsync="on", synchronous_commit="on") as cluster:
        yield cluster.url(cluster.create_database())
