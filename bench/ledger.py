"""What a copy's ledger costs: the same copy with it and without, each in a process of its own.

    python -m bench.ledger FILE     FILE holds JSON: database, source, target (URLs), their passwords, kept

Prints JSON: seconds and CPU seconds of the run. Without a ledger (`kept` false) its steps are numbered and forgotten:
such a copy must never be broken off.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.rivals import End
from bench.watching import clean_environment, watched
from migrator.db.ledger import SqlLedger
from migrator.db.pairs import SqlPairLedger
from migrator.db.store import Database
from migrator.jobs.clock import RealClock
from migrator.jobs.oneshot.command import Interruptible
from migrator.jobs.oneshot.operations import open_job
from migrator.jobs.recipes import Work, World, carry_out
from migrator.jobs.states import JobKind
from migrator.ports import Event
from migrator.sessions.endpoint import parse_url


class Run(NamedTuple):
    """What a copy took, from the opening of its ends on."""

    seconds: float
    cpu: float


class _Silent:
    """Fulfils `ports.Observer`."""

    def note(self, event: Event) -> None:
        """Nobody listens."""


def copied(database: str, source: End, target: End, file: Path, *, kept: bool) -> Run:
    """One copy, over one connection to each server; `file` is used for a while."""
    ends = {name: [end.url, end.account.password] for name, end in (("source", source), ("target", target))}
    file.touch(0o600)
    file.write_text(json.dumps({"database": database, "kept": kept, **ends}), encoding="utf-8")
    told = json.loads(watched([sys.executable, "-m", "bench.ledger", str(file)], clean_environment()).out)
    file.unlink()
    return Run(told["seconds"], told["cpu"])


def _forget() -> None:
    numbers = itertools.count(1)

    def step(_self: SqlPairLedger, *, intended: Sequence[object] = (), **_: Any) -> Sequence[int]:
        return list(itertools.islice(numbers, len(intended)))

    @contextmanager
    def joint(_self: SqlLedger) -> Iterator[None]:
        yield

    SqlPairLedger.step = step  # type: ignore[method-assign]  # that is what is measured
    SqlLedger.joint = joint  # type: ignore[method-assign]  # as above


def main() -> None:
    """Copy everything."""
    wish = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    source, target = (parse_url(url, lambda word=word: word) for url, word in (wish["source"], wish["target"]))
    db, options = Database(wish["database"]), {"connections": 1}
    db.upgrade()
    lease = open_job(db, JobKind.COPY, source, target, options, "bench")
    ledger = SqlLedger(db, job_id=lease.job_id, mailbox_id=lease.mailbox_id, fence=lease.fence)
    world = World(ledger, Interruptible(), RealClock(), _Silent(), None, 30.0)
    if not wish["kept"]:
        _forget()
    began, cpu = time.monotonic(), time.process_time()
    result = carry_out(Work(JobKind.COPY, source, target, options), world)
    assert result["failed_folders"] == 0
    print(json.dumps({"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
