"""Which rows are of given origins. A page of a survey asks for 2,000: as many parameters cost more than its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from migrator.mail.messages import MessageKey

KEYS_AT_ONCE = 400
LITTLE_MORE = 4
"""Keys that are at most so many times as far apart as if they stood side by side are asked for by their range."""


def lots(keys: Sequence[MessageKey]) -> Iterator[Sequence[MessageKey]]:
    """What may be asked for in one statement."""
    at_once = max(1, len(keys)) if _stand_close(keys) else KEYS_AT_ONCE
    for start in range(0, len(keys), at_once):
        yield keys[start : start + at_once]


def one_of(table: Any, keys: Sequence[MessageKey]) -> ColumnElement[bool]:
    """That a row's origin is one of these, or, where they stand close together, one between them."""
    if _have_one_validity(keys):
        uids = [key.uid for key in keys]
        some = table.origin_uid.between(min(uids), max(uids)) if _stand_close(keys) else table.origin_uid.in_(uids)
        return and_(table.origin_validity == keys[0].validity, some)
    return or_(
        *(
            and_(table.origin_validity == key.validity, table.origin_uid == key.uid, table.origin_name == key.name)
            for key in keys
        )
    )


def _have_one_validity(keys: Sequence[MessageKey]) -> bool:
    return all(not key.name for key in keys) and len({key.validity for key in keys}) == 1


def _stand_close(keys: Sequence[MessageKey]) -> bool:
    if not _have_one_validity(keys):
        return False
    uids = [key.uid for key in keys]
    return max(uids) - min(uids) < LITTLE_MORE * len(uids)
