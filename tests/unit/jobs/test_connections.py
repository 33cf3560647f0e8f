"""A mail server bears only so many connections, over all jobs and all workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from migrator.db.models import HostLease
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.errors import ServerBusy
from migrator.jobs import lease
from migrator.jobs.assignment import somebody_waits
from migrator.jobs.connections import Caps, one_more
from migrator.jobs.lease import Lease
from migrator.jobs.remedy import Ending
from migrator.jobs.runner import MAKE_ROOM, finish
from migrator.jobs.states import JobEvent
from migrator.settings import Settings
from tests.making import NOW, endpoint, job, order
from tests.unit.jobs.test_lease import at_once

Make = Callable[..., int]
LATER = NOW + timedelta(seconds=21)


@pytest.fixture
def make(db: Database, vault: Vault, settings: Settings) -> Make:
    numbers = iter(range(1000))

    def one(**changes: object) -> int:
        """A job of a mailbox of its own."""
        return job(db, vault, settings, order(f"u{next(numbers)}@example.org", **changes))

    return one


def lent(db: Database, side: str, host: str) -> int:
    with db.reading() as session:
        return session.query(HostLease).filter_by(side=side, host=host).count()


def take(db: Database, job_id: int, caps: Caps, now: datetime = NOW) -> Lease | None:
    return lease.take(db, job_id, "w", 20, now, caps)


@pytest.mark.parametrize("caps", [Caps(2, 9), Caps(9, 2)])
def test_of_many_who_begin_at_once_only_so_many_do(db: Database, make: Make, caps: Caps) -> None:
    jobs = [make() for _ in range(6)]
    found = at_once([lambda j=one: take(db, j, caps) for one in jobs])
    assert sum(one is not None for one in found) == 2
    assert (lent(db, "source", "mail.old.example"), lent(db, "target", "mail.new.example")) == (2, 2)


def test_another_server_does_not_wait(db: Database, make: Make) -> None:
    caps = Caps(1, 9)
    assert take(db, make(), caps)
    assert take(db, make(), caps) is None
    assert take(db, make(source=endpoint("other")), caps)


def test_one_server_in_two_spellings_is_one(db: Database, make: Make) -> None:
    caps = Caps(1, 9)
    assert take(db, make(), caps)
    assert take(db, make(source=endpoint("old", host="MAIL.Old.example")), caps) is None


def test_who_ends_gives_back_and_who_dies_is_forgotten(db: Database, make: Make) -> None:
    caps = Caps(1, 1)
    first, second, third = make(), make(), make()
    held = take(db, first, caps)
    assert held
    assert take(db, second, caps) is None
    lease.fire(db, held, JobEvent.SUCCEED, NOW)
    assert take(db, second, caps)
    assert take(db, third, caps, LATER), "the second one's worker is dead"
    assert take(db, second, caps, LATER) is None, "and it must wait now"


def test_who_works_on_keeps_its_connection(db: Database, make: Make) -> None:
    caps = Caps(1, 1)
    held = take(db, make(), caps)
    assert held
    assert lease.renew(db, held, 20, NOW + timedelta(seconds=15)) == ""
    assert take(db, make(), caps, LATER) is None


def test_who_takes_a_dead_workers_job_takes_its_connection_too(db: Database, make: Make) -> None:
    caps, dead = Caps(2, 2), make()
    assert take(db, dead, caps)
    assert take(db, dead, caps, LATER)
    assert lent(db, "source", "mail.old.example") == 1


def test_dead_workers_jobs_are_taken_over_by_many_at_once(db: Database, make: Make) -> None:
    """All of one old and one new server, as after a worker with many threads was killed."""
    caps, jobs = Caps(20, 20), [make() for _ in range(8)]
    assert all(take(db, one, caps) for one in jobs)
    assert all(at_once([lambda j=one: take(db, j, caps, LATER) for one in jobs]))
    assert lent(db, "target", "mail.new.example") == len(jobs)


def test_who_waits_for_a_full_server_is_told_of_to_its_holders_and_to_nobody_else(db: Database, make: Make) -> None:
    caps, moment = Caps(1, 9), NOW + timedelta(seconds=10)
    holder, elsewhere = take(db, make(), caps), take(db, make(source=endpoint("other")), caps)
    assert holder
    assert elsewhere
    assert take(db, make(), caps) is None
    assert somebody_waits(db, holder, caps, moment) == "room"
    assert somebody_waits(db, elsewhere, caps, moment) == "", "nobody could begin if a worker were free"
    make(source=endpoint("third"))
    assert somebody_waits(db, elsewhere, caps, moment) == "worker"


def test_who_makes_room_stands_behind_those_who_wait(db: Database, make: Make) -> None:
    caps, first, second = Caps(1, 9), make(), make()
    held = take(db, first, caps)
    assert held
    lease.mark_dispatched(db, second, NOW)
    assert take(db, second, caps) is None
    later = NOW + timedelta(seconds=15)
    assert finish(db, held, Ending(JobEvent.YIELD, wait=MAKE_ROOM), 1.0) is False, (
        "it is not put into the queue at once"
    )
    assert lease.to_dispatch(db, NOW, sweep_seconds=5, caps=caps) == [(second, "")], "at once, although it was in vain"
    much_later = datetime.now(UTC) + 2 * MAKE_ROOM
    assert lease.to_dispatch(db, much_later, sweep_seconds=5, caps=caps) == [(second, ""), (first, "")]
    assert take(db, second, caps, later)


def test_the_sweep_leaves_alone_what_would_have_to_wait(db: Database, make: Make) -> None:
    caps = Caps(1, 9)
    running, waiting, elsewhere = make(), make(), make(source=endpoint("other"))
    held = take(db, running, caps)
    assert held
    later = NOW + timedelta(seconds=16)
    assert lease.renew(db, held, 20, later) == ""
    assert lease.to_dispatch(db, later, sweep_seconds=5, caps=caps) == [(elsewhere, "")]
    lease.fire(db, held, JobEvent.SUCCEED, later)
    assert sorted(lease.to_dispatch(db, later, sweep_seconds=5, caps=caps)) == [(waiting, ""), (elsewhere, "")]


def test_a_job_may_have_one_more_while_there_is_room_and_gives_it_back(db: Database, make: Make) -> None:
    caps, now = Caps(3, 2), datetime.now(UTC)
    first = take(db, make(), caps, now)
    assert first
    with one_more(db, first, caps, 20):
        assert lent(db, "target", "mail.new.example") == 2
        assert take(db, make(), caps, now) is None
        with pytest.raises(ServerBusy), one_more(db, first, caps, 20):
            raise AssertionError("there is no room")
        assert lease.renew(db, first, 60, now) == ""
        assert take(db, make(), caps, now + timedelta(seconds=50)) is None, "it is renewed with the job"
    assert lent(db, "target", "mail.new.example") == 1
    assert take(db, make(), caps, now)
