"""Writing accounts, links and tokens. Of tokens only the hash is kept, of passwords argon2id."""

from __future__ import annotations

import functools
import secrets
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from migrator.accounts import TokenView, UserView, same_email, token_hash
from migrator.accounts.queries import user_view
from migrator.db.models import ApiToken, OneTimeLink, User
from migrator.db.store import Database
from migrator.errors import UsageError

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1_000
_LAST_USE_GRAIN: Final = timedelta(minutes=1)
_HASHER: Final = PasswordHasher()


class AccountError(UsageError):
    """What was asked is not possible. `instance_code`: email_taken, email_invalid, password_too_short,
    password_too_long, user_unknown, link_unusable, token_exists, token_unknown, token_name_invalid."""

    code: ClassVar[str] = "account"


# ---- people --------------------------------------------------------------------------------------------------------


def create_user(
    db: Database, email: str, name: str = "", password: str | None = None, *, now: datetime | None = None
) -> int:
    """A new account; without a password it is entered by a one-time link. Raises AccountError."""
    hashed = _hash(password) if password is not None else None
    try:
        with db.writing() as session:
            return _add_user(session, email, name, hashed, now or datetime.now(UTC)).id
    except IntegrityError:
        raise AccountError(f"There is an account for {same_email(email)} already.", code="email_taken") from None


def set_password(db: Database, user_id: int, password: str) -> None:
    """Set the password and end all sessions of this account. Raises AccountError."""
    hashed = _hash(password)
    with db.writing() as session:
        _enter_password(_user(session, user_id), hashed)


def disable_user(db: Database, user_id: int, *, now: datetime | None = None) -> None:
    """End all sessions; nobody logs in with this account any more. Raises AccountError."""
    with db.writing() as session:
        user = _user(session, user_id)
        user.disabled_at = user.disabled_at or now or datetime.now(UTC)
        user.session_epoch += 1


def check_password(db: Database, email: str, password: str) -> UserView | None:
    """The account, if the password is right and it is not disabled.

    Takes as long for unknown accounts as for known ones. A hash of older parameters is made anew on the way.
    """
    with db.reading() as session:
        row = session.scalar(select(User).where(User.email == same_email(email)))
        known = row.password_hash if row and row.disabled_at is None else None
        view = user_view(row) if row else None
    nobodys = _nobodys_hash()  # for known accounts too: its making must not show in the time either
    if not _verify(known or nobodys, password) or known is None or view is None:
        return None
    if _HASHER.check_needs_rehash(known):
        with db.writing() as session:
            session.execute(
                update(User)
                .where(User.id == view.id, User.password_hash == known)
                .values(password_hash=_HASHER.hash(_normal(password)))
            )
    return view


# ---- one-time links ------------------------------------------------------------------------------------------------


def create_link(db: Database, user_id: int | None, hours: float = 24, *, now: datetime | None = None) -> str:
    """The token of a link by which this person sets a password, once. None: the link makes the first account."""
    moment = now or datetime.now(UTC)
    token = secrets.token_urlsafe(32)
    with db.writing() as session:
        if user_id is not None:
            _user(session, user_id)
        session.add(
            OneTimeLink(
                user_id=user_id,
                token_hash=token_hash(token),
                created_at=moment,
                expires_at=moment + timedelta(hours=hours),
            )
        )
    return token


def use_link(
    db: Database,
    token: str,
    *,
    email: str | None = None,
    name: str | None = None,
    password: str,
    now: datetime | None = None,
) -> UserView:
    """Set the password by a link, or make the first account with this address and name. The link is used up then.

    Raises AccountError (`link_unusable` for unknown, used and expired ones alike) and leaves the link as it was.
    """
    moment = now or datetime.now(UTC)
    hashed = _hash(password)
    with db.writing() as session:
        link = _use_up(session, token, moment)
        if link.user_id is None:
            user = _add_user(session, email or "", name or "", hashed, moment)
        else:
            user = _user(session, link.user_id)
            if user.disabled_at is not None:
                raise _unusable()
            user.name = user.name if name is None else name.strip()
            _enter_password(user, hashed)
        session.flush()
        return user_view(user)


def _use_up(session: Session, token: str, now: datetime) -> OneTimeLink:
    """Mark the link as used: compare-and-set, so that it works once. All links for a first account go together."""
    link = session.scalar(select(OneTimeLink).where(OneTimeLink.token_hash == token_hash(token)))
    if link is None:
        raise _unusable()
    mine = OneTimeLink.user_id.is_(None) if link.user_id is None else OneTimeLink.id == link.id
    used = session.scalars(
        update(OneTimeLink)
        .where(mine, OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now)
        .values(used_at=now)
        .returning(OneTimeLink.id)
        .execution_options(synchronize_session=False)
    ).all()
    if link.id not in used or (link.user_id is None and session.scalar(select(User.id).limit(1)) is not None):
        raise _unusable()
    return link


def _unusable() -> AccountError:
    return AccountError("This link was used already, has expired, or never was one.", code="link_unusable")


# ---- API tokens ----------------------------------------------------------------------------------------------------


def create_token(db: Database, name: str, *, now: datetime | None = None) -> str:
    """A new API token, shown this once. The name of a revoked one may be used again. Raises AccountError."""
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise AccountError("A token needs a name of 1 to 100 characters.", code="token_name_invalid")
    token = f"pw_{secrets.token_urlsafe(32)}"
    values = {"token_hash": token_hash(token), "created_at": now or datetime.now(UTC)}
    try:
        with db.writing() as session:
            revoked = session.scalar(select(ApiToken).where(ApiToken.name == name, ApiToken.revoked_at.is_not(None)))
            if revoked is not None:
                session.delete(revoked)
                session.flush()
            session.add(ApiToken(name=name, **values))
    except IntegrityError:
        raise AccountError(f"There is a token called {name} already.", code="token_exists") from None
    return token


def revoke_token(db: Database, name: str, *, now: datetime | None = None) -> None:
    """From now on nobody gets in with it. Raises AccountError when there is none of that name."""
    with db.writing() as session:
        row = session.scalar(select(ApiToken).where(ApiToken.name == name.strip()))
        if row is None:
            raise AccountError(f"There is no token called {name.strip()}.", code="token_unknown")
        row.revoked_at = row.revoked_at or now or datetime.now(UTC)


def token_used(db: Database, token: TokenView, *, now: datetime | None = None) -> None:
    """Keep when a token was last used, to the minute: a busy script shall not write a row per request."""
    moment = now or datetime.now(UTC)
    if token.last_used_at is None or moment - token.last_used_at >= _LAST_USE_GRAIN:
        with db.writing() as session:
            session.execute(update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=moment))


# ---- inside --------------------------------------------------------------------------------------------------------


def _add_user(session: Session, email: str, name: str, hashed: str | None, now: datetime) -> User:
    address = same_email(email)
    local, _, domain = address.rpartition("@")
    if not local or not domain or len(address) > 320 or any(c.isspace() or not c.isprintable() for c in address):
        raise AccountError("An account needs an address like name@example.org.", code="email_invalid")
    user = User(email=address, name=name.strip()[:200], password_hash=hashed, created_at=now)
    session.add(user)
    session.flush()
    return user


def _user(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise AccountError("There is no such account.", code="user_unknown")
    return user


def _enter_password(user: User, hashed: str) -> None:
    user.password_hash = hashed
    user.session_epoch += 1


def _hash(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(f"The password needs {SHORTEST_PASSWORD} characters or more.", code="password_too_short")
    if len(password) > LONGEST_PASSWORD:
        raise AccountError(f"The password may have {LONGEST_PASSWORD} characters.", code="password_too_long")
    return _HASHER.hash(_normal(password))


def _normal(password: str) -> bytes:
    """The same octets whichever keyboard composed the umlauts."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, _normal(password[: LONGEST_PASSWORD + 1]))
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _nobodys_hash() -> str:
    """For accounts that do not exist, so that they cost the same."""
    return _HASHER.hash(secrets.token_bytes(32))
