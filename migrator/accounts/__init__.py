"""Staff accounts, one-time links and API tokens. `operations` writes, `queries` reads; here are their values. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class UserView:
    """A member of staff. `session_epoch` belongs into the login cookie: another number ends the session."""

    id: int
    email: str
    name: str
    session_epoch: int
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None

    @property
    def active(self) -> bool:
        """Whether this person may log in."""
        return self.disabled_at is None


@dataclass(frozen=True, slots=True)
class LinkView:
    """A one-time link that can still be used. `user` None: it makes the first account."""

    user: UserView | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenView:
    """An API token, without the token."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def token_hash(token: str) -> bytes:
    """What is kept of a random token. Tokens have 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def same_email(email: str) -> str:
    """An address in the form in which accounts are compared and kept."""
    return email.strip().lower()
