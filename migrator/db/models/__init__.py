"""The tables, typed (SQLAlchemy 2). Times are aware UTC; hashes and digests are octets.

What a job does stands in `jobs`, `job_folders`, `failures`, `skips`; what was ever carried for a mailbox, by whichever
job, stands in `entries` (the ledger); what a new server would not take, with its octets, in `quarantined`.
"""

from __future__ import annotations

from migrator.db.models.archives import Archive, ArchivePass
from migrator.db.models.base import Base, BigId, Instant, conditions_for_postgresql
from migrator.db.models.jobs import (
    HostLease,
    Job,
    JobDifference,
    JobEventRow,
    JobFolder,
    JobSample,
    JobWarning,
    OctetsRead,
    StatusLink,
    Worker,
)
from migrator.db.models.ledger import Failure, Folder, LedgerEntry, Skipped
from migrator.db.models.mailboxes import Endpoint, Mailbox
from migrator.db.models.people import ApiToken, OneTimeLink, User
from migrator.db.models.quarantine import Quarantined, QuarantinedPart

__all__ = [
    "ApiToken",
    "Archive",
    "ArchivePass",
    "Base",
    "BigId",
    "Endpoint",
    "Failure",
    "Folder",
    "HostLease",
    "Instant",
    "Job",
    "JobDifference",
    "JobEventRow",
    "JobFolder",
    "JobSample",
    "JobWarning",
    "LedgerEntry",
    "Mailbox",
    "OctetsRead",
    "OneTimeLink",
    "Quarantined",
    "QuarantinedPart",
    "Skipped",
    "StatusLink",
    "User",
    "Worker",
    "conditions_for_postgresql",
]
