"""Someone who can log in at a test's server."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """A name and its password."""

    user: str
    password: str = dataclasses.field(repr=False)
