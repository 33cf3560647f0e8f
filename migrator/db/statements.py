"""The ledger's statements that are run for every page and every step, made once."""

from __future__ import annotations

from dataclasses import fields
from typing import cast

from sqlalchemy import Table, bindparam, insert, select, text, update

from migrator.db.bulk import Bulk, given
from migrator.db.models import JobFolder, LedgerEntry
from migrator.ports import How, Stand, Tally

INTENDED_STAND, CONFIRMED_STAND = Stand.INTENDED.value, Stand.CONFIRMED.value
"""Python 3.11 takes its time to say a member's value, and here it is asked for every message."""
_TABLE = cast("Table", LedgerEntry.__table__)
COLUMNS = tuple(_TABLE.columns)
"""Read as plain rows: a page of a survey is 2,000 entries, and objects that can be changed cost ten times as much."""
_FOLDERS = cast("Table", JobFolder.__table__)
NUMBERS = tuple(field.name for field in fields(Tally))
SHOWN = select(_FOLDERS.c.id, *(_FOLDERS.c[name] for name in NUMBERS)).where(
    _FOLDERS.c.job_id == bindparam("job"), _FOLDERS.c.source_name == bindparam("name")
)
SHOW = (
    update(_FOLDERS)
    .where(_FOLDERS.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}") for name in ("state", *NUMBERS)})
)
"""Of tables, not of objects: these are run with every step, and cost less."""
KEPT = select(*(_TABLE.c[name] for name in ("id", "target_uid", "size", "instant", "flags", "note"))).where(
    _TABLE.c.target_folder_id == bindparam("folder"),
    _TABLE.c.stand == CONFIRMED_STAND,
    _TABLE.c.how != How.ADOPTED.value,
    _TABLE.c.target_validity == bindparam("validity"),
    _TABLE.c.target_uid.between(bindparam("first"), bindparam("last")),
)
HIGHEST = "SELECT max(id) FROM entries"
"""For the driver as it stands: it is run with every step."""
NEXT = text("SELECT nextval('entries_id_seq') FROM generate_series(1, :count)")
"""On PostgreSQL: numbers for so many new entries."""
_NAMES = [column.name for column in COLUMNS]
_NEW = given({column.name: column.type for column in COLUMNS})
INSERT = Bulk(
    insert(_TABLE).values({name: bindparam(name) for name in _NAMES}),
    insert(_TABLE).from_select(_NAMES, select(*_NEW.c)),
)
_CONFIRMED = ("stand", "how", "note", "target_validity", "target_uid", "job_id")
_KNOWN = given({"entry": _TABLE.c.id.type, **{f"new_{name}": _TABLE.c[name].type for name in _CONFIRMED}})
CONFIRM = Bulk(
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("entry"))
    .values({name: bindparam(f"new_{name}", type_=_TABLE.c[name].type) for name in _CONFIRMED}),
    update(_TABLE).where(_TABLE.c.id == _KNOWN.c.entry).values({name: _KNOWN.c[f"new_{name}"] for name in _CONFIRMED}),
)
