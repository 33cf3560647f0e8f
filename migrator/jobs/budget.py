"""How much of an account may be read a day, counted over all jobs and workers, hour by hour."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from migrator.db.bulk import own_insert
from migrator.db.models import OctetsRead
from migrator.db.store import Database
from migrator.errors import DailyLimit
from migrator.ports import Budget
from migrator.providers.profile import profile_of
from migrator.sessions.endpoint import Endpoint

AT_ONCE: Final = 8 * 1024 * 1024
"""So much is read before it is written down."""
DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
FREE_AGAIN: Final = 0.2
"""Of the day's octets; so much is waited for, else a job would go on for a moment every hour."""


def budget_of(db: Database, end: Endpoint) -> Budget | None:
    """The account's budget; None: its provider is known to give without end."""
    octets = profile_of(end.host).octets_a_day
    return None if octets is None else _DailyBudget(db, f"{end.host}|{end.user}".lower(), octets)


def now() -> datetime:
    """The time that counts."""
    return datetime.now(UTC)


class _DailyBudget:
    """Of one account; several jobs may have one each."""

    def __init__(self, db: Database, account: str, octets_a_day: int) -> None:
        self._db = db
        self._account = hashlib.sha256(account.encode()).hexdigest()
        self._octets_a_day = octets_a_day
        self._unwritten = 0
        self._left = 0
        """As it was when it was last written down."""

    def spend(self, octets: int) -> None:
        """Of what is left only so much is read unseen by others."""
        self._unwritten += octets
        if self._unwritten >= min(AT_ONCE, self._left):
            wait = self._written(now())
            if wait is not None:
                much = f"{self._octets_a_day / 1e6:,.0f} MB"
                raise DailyLimit(f"{much} of this account were read within 24 hours.", later=wait, end="source")

    def close(self) -> None:
        """Keep what was counted."""
        if self._unwritten:
            self._written(now())

    def _written(self, moment: datetime) -> timedelta | None:
        """How long to wait until enough is left again; None: something is left."""
        hour = moment.replace(minute=0, second=0, microsecond=0)
        with self._db.writing() as session:
            session.execute(delete(OctetsRead).where(OctetsRead.hour <= moment - DAY - HOUR))
            if self._unwritten:
                row = own_insert(session, OctetsRead).values(account=self._account, hour=hour, octets=self._unwritten)
                more = {"octets": OctetsRead.octets + self._unwritten}
                session.execute(row.on_conflict_do_update(index_elements=["account", "hour"], set_=more))
            query = select(OctetsRead.hour, OctetsRead.octets).where(OctetsRead.account == self._account)
            hours = [(row.hour, row.octets) for row in session.execute(query.order_by(OctetsRead.hour))]
        self._unwritten = 0
        spent = sum(octets for _, octets in hours)
        self._left = self._octets_a_day - spent
        if self._left > 0:
            return None
        for began, octets in hours:
            spent -= octets
            if spent <= self._octets_a_day * (1 - FREE_AGAIN):
                wait: timedelta = began + DAY + HOUR - moment
                return wait
        return HOUR
