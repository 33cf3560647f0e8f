"""Settings: read in one place, refused by name, handed on whole."""

from __future__ import annotations

from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest

from migrator.errors import UsageError
from migrator.settings import KNOWN, Settings, child_environment, load, load_passwords


def test_without_any_variable_everything_has_its_default(tmp_path: Path) -> None:
    found = load({"XDG_DATA_HOME": str(tmp_path)})
    assert found.data_dir == tmp_path / "postwagen"
    assert found.database_url == f"sqlite:///{tmp_path}/postwagen/postwagen.sqlite3"
    assert found.secret_key_file == tmp_path / "postwagen" / "secret.key"
    assert (found.broker_url, found.public_url, found.allowed_networks) == (None, None, ())
    assert (found.slice_seconds, found.lease_seconds, found.sweep_seconds, found.quiet_seconds) == (300, 20, 5, 25)
    assert (found.worker_threads, found.keep_credentials_days, found.hoster_name) == (8, 14, "Postwagen")


def test_every_field_can_be_set_by_a_variable_of_its_name() -> None:
    assert {known.field for known in KNOWN} == {field.name for field in fields(Settings)}


def test_unknown_variables_and_bad_values_are_all_named_in_one_error() -> None:
    with pytest.raises(UsageError) as caught:
        load(
            {
                "POSTWAGEN_DATABSE_URL": "x",
                "POSTWAGEN_WORKER_THREADS": "many",
                "POSTWAGEN_ALLOWED_NETWORKS": "10.0.0.0/8, here",
                "POSTWAGEN_PUBLIC_URL": "mail.example",
                "POSTWAGEN_LOG_FORMAT": "xml",
                "OTHER": "is nobody's business",
            }
        )
    for name in ("DATABSE_URL", "WORKER_THREADS", "ALLOWED_NETWORKS", "PUBLIC_URL", "LOG_FORMAT"):
        assert f"POSTWAGEN_{name} " in caught.value.message
    assert "OTHER" not in caught.value.message
    assert caught.value.exit_code == 2


def test_a_bad_url_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError) as caught:
        load({"POSTWAGEN_DATABASE_URL": "mysql://root:geheim@db/x", "POSTWAGEN_BROKER_URL": "amqp://u:geheim@mq"})
    assert "geheim" not in str(caught.value)


def test_a_url_can_come_from_a_file_but_not_from_both(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgres://u:p@db/x\n")
    assert load({"POSTWAGEN_DATABASE_URL_FILE": str(file)}).database_url == "postgresql+psycopg://u:p@db/x"
    with pytest.raises(UsageError, match="POSTWAGEN_DATABASE_URL_FILE are both set"):
        load({"POSTWAGEN_DATABASE_URL_FILE": str(file), "POSTWAGEN_DATABASE_URL": "sqlite:////x"})
    with pytest.raises(UsageError, match="POSTWAGEN_BROKER_URL names a file that cannot be read"):
        load({"POSTWAGEN_BROKER_URL_FILE": str(tmp_path / "nothing")})


def test_passwords_in_urls_and_of_one_shot_commands_are_not_shown() -> None:
    environ = {"POSTWAGEN_BROKER_URL": "redis://:geheim@mq/0", "POSTWAGEN_SOURCE_PASSWORD": "geheim"}
    assert load_passwords(environ).source == "geheim"
    assert load_passwords(environ).target is None
    assert "geheim" not in repr(load(environ)) + repr(load_passwords(environ))


def test_networks_keep_their_order_and_overrides_win_unless_they_are_none(tmp_path: Path) -> None:
    environ = {"POSTWAGEN_ALLOWED_NETWORKS": "10.0.0.0/8,fd00::/8", "POSTWAGEN_DATA_DIR": "/elsewhere"}
    found = load(environ, data_dir=tmp_path, hoster_name=None)
    assert found.allowed_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert found.data_dir == tmp_path
    assert found.hoster_name == "Postwagen"


def test_a_child_gets_exactly_these_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTWAGEN_HOSTER_NAME", "what serve itself was given")
    monkeypatch.setenv("POSTWAGEN_SOURCE_PASSWORD", "geheim")
    parent = load(
        {"POSTWAGEN_ALLOWED_NETWORKS": "127.0.0.0/8", "POSTWAGEN_BROKER_URL": "redis://mq/0"},
        data_dir=tmp_path,
        hoster_contact="030 123",
    )
    handed_on = child_environment(parent)
    assert load(handed_on) == parent
    assert "POSTWAGEN_SOURCE_PASSWORD" not in handed_on
    assert "PATH" in handed_on


def test_a_secret_that_came_out_of_a_file_is_handed_on_as_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://app:geheim@db/postwagen\n")
    monkeypatch.setenv("POSTWAGEN_DATABASE_URL_FILE", str(file))
    settings = load(data_dir=tmp_path)
    handed_on = child_environment(settings)
    assert "geheim" not in str(handed_on)
    assert load(handed_on).database_url == settings.database_url
    other = child_environment(load(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/other"))
    assert other["POSTWAGEN_DATABASE_URL"] == f"sqlite:///{tmp_path}/other"
    assert "POSTWAGEN_DATABASE_URL_FILE" not in other
