"""Logs tell what happened, and never a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from migrator import logs
from migrator.settings import load

PASSWORD = "ge-heim-8472"


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_neither_a_telling_field_nor_a_local_variable_shows_a_password(
    log_format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(load({}, data_dir=tmp_path, log_format=log_format), part="worker")
    log = structlog.get_logger("test")

    def login(password: str) -> None:
        raise ConnectionError("refused")

    try:
        login(PASSWORD)
    except ConnectionError:
        log.exception("login_failed", user="anna", old_password=PASSWORD, api_token=PASSWORD)
    said = capsys.readouterr().err
    assert "login_failed" in said
    assert "anna" in said
    assert "ConnectionError: refused" in said
    assert PASSWORD not in said


def test_a_librarys_log_is_one_json_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(load({}, data_dir=tmp_path, log_format="json"), part="worker")
    logging.getLogger("celery.worker").info("chatter")
    logging.getLogger("celery.worker").warning("lost %s", "connection")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "lost connection"
    assert json.loads(line)["part"] == "worker"
    assert json.loads(line)["level"] == "warning"
