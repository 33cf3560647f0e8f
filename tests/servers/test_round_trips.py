"""How often a copy waits for an answer, and how often it commits: counted between two Dovecots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench.mailbox import FOLDERS, messages, write
from migrator.sessions.imap.appending import Appender
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.fixtures import StartDovecot, fresh_account

COUNT = 130


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Commits and APPEND commands."""
    found = {"commits": 0, "batches": 0}

    def committed(_connection: object) -> None:
        found["commits"] += 1

    begin = Appender._begin

    def begun(self: Appender, *given: object) -> object:
        found["batches"] += 1
        return begin(self, *given)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(Appender, "_begin", begun)
    event.listen(Engine, "commit", committed)
    try:
        yield found
    finally:
        event.remove(Engine, "commit", committed)


@pytest.mark.servers
def test_a_copy_of_thirteen_folders_waits_for_few_answers_and_a_second_one_for_fewer(
    dovecot: StartDovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = dovecot(), dovecot()
    source, target = fresh_account(old), fresh_account(new)
    write(old, source, messages(COUNT))
    postwagen = Postwagen(tmp_path, source.password, target.password)
    command = ("copy", url(old, source), url(new, target), "--json", "--quiet")
    with counted(monkeypatch) as seen:
        first = postwagen.call(*command).json
    assert (first["messages"]["copied"], len(first["folders"])) == (COUNT, len(FOLDERS))
    assert first["round_trips"] <= 25
    assert seen["batches"] >= len(FOLDERS)
    assert seen["commits"] <= seen["batches"] + 20
    second = postwagen.call(*command).json
    assert second["messages"] == {"found": COUNT, "copied": 0, "already_there": COUNT, "skipped": 0, "failed": 0}
    assert adds_up(second)
    assert second["round_trips"] <= 8
