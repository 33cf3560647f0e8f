"""Reading accounts, links and tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from migrator.accounts import LinkView, TokenView, UserView, same_email, token_hash
from migrator.db.models import ApiToken, OneTimeLink, User
from migrator.db.store import Database


def user_by_id(db: Database, user_id: int) -> UserView | None:
    """The account, also when it is disabled."""
    with db.reading() as session:
        row = session.get(User, user_id)
        return user_view(row) if row else None


def user_by_email(db: Database, email: str) -> UserView | None:
    """The account with that address, whatever its case."""
    with db.reading() as session:
        row = session.scalar(select(User).where(User.email == same_email(email)))
        return user_view(row) if row else None


def users(db: Database) -> list[UserView]:
    """All accounts by address, disabled ones too."""
    with db.reading() as session:
        return [user_view(row) for row in session.scalars(select(User).order_by(User.email))]


def has_users(db: Database) -> bool:
    """Whether there is any staff account yet; otherwise a set-up link makes the first one."""
    with db.reading() as session:
        return session.scalar(select(User.id).limit(1)) is not None


def link_by_token(db: Database, token: str, *, now: datetime | None = None) -> LinkView | None:
    """A one-time link that can still be used, or None."""
    moment = now or datetime.now(UTC)
    with db.reading() as session:
        row = session.scalar(
            select(OneTimeLink).where(
                OneTimeLink.token_hash == token_hash(token),
                OneTimeLink.used_at.is_(None),
                OneTimeLink.expires_at > moment,
            )
        )
        if row is None:
            return None
        user = session.get(User, row.user_id) if row.user_id is not None else None
        if (user and user.disabled_at) or (user is None and session.scalar(select(User.id).limit(1)) is not None):
            return None
        return LinkView(user=user_view(user) if user else None, expires_at=row.expires_at)


def tokens(db: Database) -> list[TokenView]:
    """All API tokens by name, revoked ones too."""
    with db.reading() as session:
        return [token_view(row) for row in session.scalars(select(ApiToken).order_by(ApiToken.name))]


def token_owner(db: Database, bearer: str) -> TokenView | None:
    """The token that this bearer shows, unless it is unknown or revoked."""
    with db.reading() as session:
        row = session.scalar(
            select(ApiToken).where(ApiToken.token_hash == token_hash(bearer), ApiToken.revoked_at.is_(None))
        )
        return token_view(row) if row else None


def user_view(row: User) -> UserView:
    """The row as a value that outlives its session, without the hash."""
    return UserView(
        id=row.id,
        email=row.email,
        name=row.name,
        session_epoch=row.session_epoch,
        has_password=row.password_hash is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def token_view(row: ApiToken) -> TokenView:
    """The row as a value, without the hash."""
    return TokenView(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
