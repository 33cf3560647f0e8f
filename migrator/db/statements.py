"""The ledger's statements that are run for every page and every step, made once."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, insert, select, text, update

from migrator.db.bulk import Bulk, given
from migrator.db.models import Folder, JobFolder, LedgerEntry
from migrator.ports import How, Stand, Tally

INTENDED_STAND, CONFIRMED_STAND = Stand.INTENDED.value, Stand.CONFIRMED.value
"""Python 3.11 takes its time to say a member's value, and here it is asked for every message."""
_TABLE = cast("Table", LedgerEntry.__table__)
COLUMNS = tuple(_TABLE.columns)
"""Read as plain rows: a page of a survey is 2,000 entries, and objects that can be changed cost ten times as much."""
PAGE = 1000
"""So many entries are read at once."""


def _page(*where: ColumnElement[bool]) -> Select[Any]:
    last = _TABLE.c.id > bindparam("after")
    return select(*COLUMNS).where(*where, last).order_by(_TABLE.c.id).limit(PAGE)


_OF_SOURCE = _TABLE.c.origin_folder_id == bindparam("folder"), _TABLE.c.stand != INTENDED_STAND
_AT_TARGET = _TABLE.c.target_folder_id == bindparam("folder")
_CARRIED = _AT_TARGET, _TABLE.c.stand == CONFIRMED_STAND
OF_SOURCE = _page(*_OF_SOURCE)
STRAYS = _page(*_OF_SOURCE, _TABLE.c.origin_validity != bindparam("validity"), _TABLE.c.origin_name == "")
UNSETTLED = _page(_AT_TARGET, _TABLE.c.stand == INTENDED_STAND)
KEYLESS = _page(*_CARRIED, _TABLE.c.target_uid.is_(None), _TABLE.c.note != "lost")
UNREAD_BACK = _page(*_CARRIED, _TABLE.c.note == "unread_back")
CARRIED = _page(*_CARRIED, _TABLE.c.target_uid >= bindparam("floor"))
CARRIED_ELSEWHERE = CARRIED.where(_TABLE.c.target_validity != bindparam("validity"))

_FOLDERS = cast("Table", Folder.__table__)
_MARKED = {name: _FOLDERS.c[name] for name in ("validity", "looked", "state", "unlooked")}
MARKED = select(_FOLDERS.c.id, *_MARKED.values()).where(_FOLDERS.c.id.in_((bindparam("source"), bindparam("target"))))
MARK = Bulk(
    update(_FOLDERS)
    .where(_FOLDERS.c.id == bindparam("folder"))
    .values(
        {name: func.coalesce(bindparam(f"new_{name}", type_=column.type), column) for name, column in _MARKED.items()}
    )
)
"""None leaves what is there."""
_SHOWN_FOLDERS = cast("Table", JobFolder.__table__)
NUMBERS = tuple(field.name for field in fields(Tally))
SHOWN = select(_SHOWN_FOLDERS.c.id, *(_SHOWN_FOLDERS.c[name] for name in NUMBERS)).where(
    _SHOWN_FOLDERS.c.job_id == bindparam("job"), _SHOWN_FOLDERS.c.source_name == bindparam("name")
)
SHOW = (
    update(_SHOWN_FOLDERS)
    .where(_SHOWN_FOLDERS.c.id == bindparam("row"))
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
