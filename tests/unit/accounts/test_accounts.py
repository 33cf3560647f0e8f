"""Staff accounts, one-time links, API tokens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from migrator.accounts import operations, queries
from migrator.accounts.operations import AccountError
from migrator.db.models import ApiToken, OneTimeLink, User
from migrator.db.store import Database
from tests.making import NOW

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    operations._nobodys_hash.cache_clear()


def refused(code: str, action: Callable[[], object]) -> None:
    with pytest.raises(AccountError) as caught:
        action()
    assert caught.value.instance_code == code
    assert PASSWORD not in str(caught.value)


def test_the_right_password_opens_the_account_whatever_the_case_of_the_address(database: Database) -> None:
    user = operations.create_user(database, " Anna@Example.org", "Anna", PASSWORD)
    found = operations.check_password(database, "anna@EXAMPLE.org ", PASSWORD)
    assert found == queries.user_by_id(database, user) == queries.user_by_email(database, "ANNA@example.org")
    assert found is not None
    assert (found.name, found.active, found.has_password) == ("Anna", True, True)


def test_wrong_unknown_disabled_and_passwordless_are_refused_alike(database: Database) -> None:
    operations.create_user(database, "anna@example.org", password=PASSWORD)
    operations.create_user(database, "bert@example.org")
    operations.disable_user(database, operations.create_user(database, "carl@example.org", password=PASSWORD))
    for email, password in (
        ("anna@example.org", PASSWORD + "!"),
        ("nobody@example.org", PASSWORD),
        ("bert@example.org", ""),
        ("carl@example.org", PASSWORD),
        ("anna@example.org", "x" * 100_000),
    ):
        assert operations.check_password(database, email, password) is None


def test_an_unknown_account_costs_one_verification_like_a_known_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.create_user(database, "anna@example.org", password=PASSWORD)
    asked: list[str] = []
    monkeypatch.setattr(operations, "_verify", lambda hashed, _password: bool(asked.append(hashed)))
    operations.check_password(database, "anna@example.org", "x")
    operations.check_password(database, "nobody@example.org", "x")
    assert len(asked) == 2
    assert asked[0].split("$")[:4] == asked[1].split("$")[:4]


def test_a_hash_of_weaker_parameters_is_made_anew_at_login(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    operations.create_user(database, "anna@example.org", password=PASSWORD)
    monkeypatch.setattr(operations, "_HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert operations.check_password(database, "anna@example.org", PASSWORD)
    with database.reading() as session:
        assert "m=16,t=2" in (session.scalars(select(User.password_hash)).one() or "")
    assert operations.check_password(database, "anna@example.org", PASSWORD)


def test_umlauts_are_the_same_however_they_were_typed(database: Database) -> None:
    operations.create_user(database, "anna@example.org", password="Schlüsselbund 7")
    assert operations.check_password(database, "anna@example.org", "Schlu\u0308sselbund 7")


def test_a_new_password_and_disabling_end_all_sessions(database: Database) -> None:
    user = operations.create_user(database, "anna@example.org", password=PASSWORD)
    operations.set_password(database, user, PASSWORD + "2")
    operations.disable_user(database, user)
    found = queries.user_by_id(database, user)
    assert found is not None
    assert (found.session_epoch, found.active) == (3, False)


def test_short_passwords_bad_addresses_and_doubles_are_refused(database: Database) -> None:
    operations.create_user(database, "anna@example.org")
    refused("email_taken", lambda: operations.create_user(database, "ANNA@example.org"))
    refused("password_too_short", lambda: operations.create_user(database, "b@example.org", password="short"))
    refused("email_invalid", lambda: operations.create_user(database, "no address"))
    refused("user_unknown", lambda: operations.set_password(database, 99, PASSWORD))


def test_a_set_up_link_makes_the_first_account_and_then_none_works_any_more(database: Database) -> None:
    first, second = operations.create_link(database, None), operations.create_link(database, None)
    link = queries.link_by_token(database, first)
    assert link is not None
    assert link.user is None
    refused("email_invalid", lambda: operations.use_link(database, first, email="", password=PASSWORD))
    made = operations.use_link(database, first, email="anna@example.org", name="Anna", password=PASSWORD)
    assert queries.users(database) == [made]
    for token in (first, second, "never made"):
        assert queries.link_by_token(database, token) is None
        refused(
            "link_unusable",
            lambda token=token: operations.use_link(database, token, email="b@example.org", password=PASSWORD),
        )


def test_a_link_sets_a_password_once_and_not_after_its_time(database: Database) -> None:
    user = operations.create_user(database, "anna@example.org", now=NOW)
    late = operations.create_link(database, user, hours=1, now=NOW)
    refused(
        "link_unusable",
        lambda: operations.use_link(database, late, password=PASSWORD, now=NOW + timedelta(hours=1)),
    )
    operations.use_link(database, late, password=PASSWORD, now=NOW + timedelta(minutes=59))
    assert operations.check_password(database, "anna@example.org", PASSWORD)
    refused("link_unusable", lambda: operations.use_link(database, late, password=PASSWORD, now=NOW))


def test_of_two_who_use_the_same_set_up_link_at_once_one_wins(database_everywhere: Database) -> None:
    db = database_everywhere
    token = operations.create_link(db, None)

    def use(number: int) -> bool:
        try:
            operations.use_link(db, token, email=f"u{number}@example.org", password=PASSWORD)
        except AccountError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [False, False, False, True]
    assert len(queries.users(db)) == 1


def test_a_token_is_known_until_it_is_revoked_and_its_name_is_free_again_then(database: Database) -> None:
    token = operations.create_token(database, "deploy")
    owner = queries.token_owner(database, token)
    assert owner is not None
    assert owner.name == "deploy"
    refused("token_exists", lambda: operations.create_token(database, "deploy"))
    operations.revoke_token(database, "deploy")
    assert queries.token_owner(database, token) is None
    assert queries.token_owner(database, operations.create_token(database, "deploy")) is not None
    refused("token_unknown", lambda: operations.revoke_token(database, "nothing"))


def test_the_last_use_of_a_token_is_kept_to_the_minute(database: Database) -> None:
    token = operations.create_token(database, "deploy")

    def use(seconds: int) -> None:
        owner = queries.token_owner(database, token)
        assert owner is not None
        operations.token_used(database, owner, now=NOW + timedelta(seconds=seconds))

    for seconds in (0, 59, 61):
        use(seconds)
    (found,) = queries.tokens(database)
    assert found.last_used_at == NOW + timedelta(seconds=61)


def test_no_token_can_be_read_out_of_the_database(database: Database) -> None:
    link, token = operations.create_link(database, None), operations.create_token(database, "deploy")
    with database.reading() as session:
        kept = [*session.scalars(select(OneTimeLink.token_hash)), *session.scalars(select(ApiToken.token_hash))]
    assert all(len(value) == 32 and value not in (link.encode(), token.encode()) for value in kept)
