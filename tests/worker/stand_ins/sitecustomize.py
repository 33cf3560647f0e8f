"""Python imports this at start where the directory is on PYTHONPATH: puts a runner for tests in place of ours.

What it does with a job stands in the name of the mailbox: `quick`, `twice`, `long`, `stubborn`.
"""

import sys
import threading
import types
from datetime import UTC, datetime


def run_slice(job_id, *, db, vault, settings, owner, shutdown):
    from migrator.jobs import assignment, lease
    from migrator.jobs.states import JobEvent

    def now():
        return datetime.now(UTC)

    held = lease.take(db, job_id, owner, settings.lease_seconds, now())
    if held is None:
        return False
    work = assignment.work(db, vault, job_id, settings.archive_dir)
    assert work.source.credential()
    manner = work.source.user.partition("@")[0]
    if manner in ("long", "stubborn"):
        stop = shutdown if manner == "long" else threading.Event()
        while not stop.wait(settings.lease_seconds / 5):
            wish = lease.renew(db, held, settings.lease_seconds, now())
            if wish is None:
                return False
            if wish:
                lease.fire(db, held, JobEvent(wish), now())
                return False
        lease.fire(db, held, JobEvent.YIELD, now())
        return False
    if manner == "twice" and held.fence == 1:
        lease.fire(db, held, JobEvent.YIELD, now())
        return True
    lease.fire(db, held, JobEvent.SUCCEED, now())
    return False


runner = types.ModuleType("migrator.jobs.runner")
runner.run_slice = run_slice
sys.modules["migrator.jobs.runner"] = runner
