"""The tasks. They take ids only; what is to be done stands in the database."""

from __future__ import annotations

import functools
import os
import socket
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import ArchiveUnusable
from migrator.jobs import lease, operations, queries
from migrator.jobs.connections import Caps
from migrator.jobs.keeping import operations as keeping
from migrator.jobs.quarantine import operations as quarantine
from migrator.settings import Settings, load
from worker.app import app
from worker.queue import CLEAR, RUN_SLICE, send, waiting
from worker.schedule import KEEP, SWEEP, TIDY

log = structlog.get_logger(__name__)

shutdown: Final = threading.Event()
"""Set when this process shall end: whoever works on a slice stops at the next safe point."""
ENOUGH: Final = lease.AT_MOST
"""With so many ids in the queue a sweep adds none: workers are busy, and doubled ids would only pile up."""


@dataclass(frozen=True, slots=True)
class Place:
    """What every task of this process uses."""

    settings: Settings
    db: Database
    vault: Vault
    owner: str


@functools.cache
def place() -> Place:
    """Made once per process, at its first use."""
    settings = load()
    name = f"{socket.gethostname()[:70]}:{os.getpid()}"
    return Place(settings, Database(settings.database_url), Vault.open(settings.secret_key_file, create=False), name)


@app.task(name=RUN_SLICE)
def run_slice(job_id: int) -> None:
    """Work on a job for one slice; put its id into the queue again when it wants more."""
    from migrator.jobs import runner  # the engine is heavy, and beat never needs it

    here = place()
    again = runner.run_slice(
        job_id, db=here.db, vault=here.vault, settings=here.settings, owner=here.owner, shutdown=shutdown
    )
    if again and not shutdown.is_set() and send(job_id, queries.node_of(here.db, job_id)):
        lease.mark_dispatched(here.db, job_id, datetime.now(UTC))


@app.task(name=SWEEP)
def sweep() -> int:
    """Put into the queue what nobody works on: ids that got lost, waits that are over, leases that are dead.

    Returns how many. While the broker is away nothing is marked, so the next sweep finds the same.
    """
    here = place()
    now = datetime.now(UTC)
    caps = Caps(here.settings.source_connections, here.settings.target_connections)
    found = lease.to_dispatch(here.db, now, sweep_seconds=here.settings.sweep_seconds, caps=caps)
    full = {node for node in {node for _, node in found} if waiting(node) >= ENOUGH}
    sent = 0
    for job_id, node in found:
        if node in full:
            continue
        if not send(job_id, node):
            break
        lease.mark_dispatched(here.db, job_id, now)
        sent += 1
    log.info("swept", found=len(found), sent=sent)
    return sent


@app.task(name=KEEP)
def keep() -> int:
    """Order the archive passes and removals that are due, destroy what has expired, have its files removed.

    Returns how many files are still to be removed.
    """
    here = place()
    left = keeping.tick(here.db, here.settings, datetime.now(UTC))
    room = {node: ENOUGH - waiting(node) for node in {node for _, node in left}}  # a node may be away for days
    for archive_id, node in left:
        if room[node] > 0:
            room[node] -= 1
            send(archive_id, node, task=CLEAR)
    return len(left)


@app.task(name=CLEAR)
def clear(archive_id: int) -> None:
    """On the storage node that has it: remove a destroyed archive's file, and leave the proof."""
    from migrator.jobs import archives  # beat never needs it

    here = place()
    remove = functools.partial(archives.remove_file, here.settings.archive_dir)
    sign = functools.partial(archives.signed, here.vault)
    try:
        if keeping.clear(here.db, archive_id, here.settings.node, remove, sign, datetime.now(UTC)):
            log.info("archive_removed", archive=archive_id)
    except ArchiveUnusable as error:  # it is asked again
        log.warning("archive_not_removed", archive=archive_id, detail=error.message)


@app.task(name=TIDY)
def tidy() -> int:
    """Wipe the passwords of jobs that have been at rest for too long, and what has lain in quarantine for too long.

    Returns of how many jobs.
    """
    here = place()
    expired = quarantine.expire(here.db, days=here.settings.quarantine_days)
    if expired:
        log.info("quarantine_expired", messages=expired)
    wiped = operations.wipe_expired(here.db, days=here.settings.keep_credentials_days)
    if wiped:
        log.info("passwords_wiped", jobs=wiped)
    return wiped
