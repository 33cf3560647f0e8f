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
    at_once = max(1, len(keys)) if _stand_close(_uids(keys)) else KEYS_AT_ONCE
    for start in range(0, len(keys), at_once):
        yield keys[start : start + at_once]


def one_of(table: Any, keys: Sequence[MessageKey]) -> ColumnElement[bool]:
    """That a row's origin is one of these, or, where they stand close together, one between them."""
    if uids := _uids(keys):
        some = table.origin_uid.between(min(uids), max(uids)) if _stand_close(uids) else table.origin_uid.in_(uids)
        return and_(table.origin_validity == keys[0].validity, some)
    return or_(
        *(
            and_(table.origin_validity == key.validity, table.origin_uid == key.uid, table.origin_name == key.name)
            for key in keys
        )
    )


def _uids(keys: Sequence[MessageKey]) -> Sequence[int]:
    """Their UIDs, where they all have one and are of the same UIDVALIDITY; else none."""
    validities, uids, names = zip(*keys, strict=True) if keys else ((), (), ())
    return uids if len(set(validities)) == 1 and not any(names) else ()


def _stand_close(uids: Sequence[int]) -> bool:
    return bool(uids) and max(uids) - min(uids) < LITTLE_MORE * len(uids)
