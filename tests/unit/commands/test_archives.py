"""`postwagen archives`: what pages and API do with kept archives, typed; a worker carries between two memories."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from migrator.db.models import Archive
from migrator.db.store import Database
from migrator.db.vault import Vault
from migrator.jobs import archives as files
from migrator.jobs import lease, recipes, runner
from migrator.jobs.keeping import operations as keeping
from migrator.jobs.keeping import queries
from migrator.jobs.orders import ArchiveEnd, Keeping
from migrator.jobs.states import JobKind, JobState
from migrator.sessions.memory import MemoryServer, MemorySource, MemoryTarget
from migrator.settings import Settings
from tests import making
from tests.servers.command import Postwagen, Ran
from web.api.archive_schemas import Archive as Shown
from web.api.archive_schemas import ArchiveInList

ADDRESS = "anna@example.org"
TARGET = "imaps://anna%40example.org@mail.new.example"
LATER_PASSWORD = "later-Geheim-5126"
SECRETS = (making.OLD_PASSWORD, making.NEW_PASSWORD, LATER_PASSWORD)
YES = ("--reason", "Löschverlangen vom 12. November", "--confirm", ADDRESS)


class Service:
    """A database with one archive, the commands, and a worker for the jobs that they order."""

    def __init__(self, db: Database, vault: Vault, settings: Settings) -> None:
        self.db, self.vault, self.settings = db, vault, settings
        self.old, self.new = MemoryServer(), MemoryServer()
        self.command = Postwagen(settings.data_dir, target_password=making.NEW_PASSWORD)
        self.said: list[str] = []

    def run(self, *words: str, code: int = 0) -> Ran:
        ran = self.command.call("archives", *words)
        self.said += [ran.out, ran.err]
        assert ran.code == code, ran
        return ran

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        return self.run(*words, "--json", code=code).json

    def refused(self, *words: str, code: int = 2) -> str:
        """Its code; the reason and what to do stand on one line of standard error."""
        ran = self.run(*words, "--json", code=code)
        assert ran.err.startswith("postwagen: "), ran
        assert ran.json["error"]["remedy"], ran
        return str(ran.json["error"]["code"])

    def order(self, *given: Any, **changes: Any) -> int:
        wanted = {"kind": JobKind.ARCHIVE, "target": ArchiveEnd()} | changes
        return making.job(self.db, self.vault, self.settings, making.order(*given, **wanted), now=datetime.now(UTC))

    def work(self) -> None:
        """What waits is done."""
        for job_id, _ in lease.to_dispatch(self.db, datetime.now(UTC) + timedelta(minutes=5), sweep_seconds=5):
            runner.run_slice(
                job_id, db=self.db, vault=self.vault, settings=self.settings, owner="me", shutdown=threading.Event()
            )

    def row(self) -> Archive:
        with self.db.reading() as session:
            return session.get_one(Archive, 1)

    @property
    def files(self) -> list[Path]:
        return sorted(self.settings.archive_dir.glob("*.pwa*"))


@pytest.fixture
def service(database: Database, vault: Vault, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Whatever it was asked, in the end it has told no secret."""
    made = Service(database, vault, settings)
    monkeypatch.setattr(recipes, "open_source", lambda *_: MemorySource(made.old))
    monkeypatch.setattr(recipes, "open_target", lambda *_: MemoryTarget(made.new))
    for number in range(3):
        made.old.put("INBOX", b"Subject: %d\r\n\r\nHallo\r\n" % number)
    made.order(ADDRESS, keeping=Keeping(every_hours=24, window=(22, 5)))
    made.work()
    key = queries.opening(database, vault, 1, settings.archive_dir).credential()
    yield made
    for secret in (*SECRETS, key):
        assert not [text for text in made.said if secret in text]


def test_an_archive_is_kept_closed_reopened_and_destroyed_with_a_proof(service: Service) -> None:
    assert ADDRESS in service.run("list").out
    shown = service.run("show", "1").out
    assert "every 24 hours between 22:00 and 05:00" in shown
    assert "3 in 1 folders; 0 missing" in shown
    every = service.json("schedule", "1", "--every", "6")
    assert (every["every_hours"], every["window"], every["password_stored"]) == (6, None, True)
    closed = service.json("close", "1")
    assert (closed["state"], closed["every_hours"], closed["password_stored"]) == ("closed", None, False)
    assert service.refused("keep", "1", "--until", "2026-11-23") == "too_early"
    longer = service.json("keep", "1", "--until", "2099-12-31")
    assert longer["expires_at"] > closed["expires_at"]
    assert service.json("close", "1")["expires_at"] == longer["expires_at"], "closed again it is not kept shorter"
    assert service.refused("schedule", "1", "--nightly") == service.refused("pass", "1") == "closed"
    opened = service.json("reopen", "1")
    assert (opened["state"], opened["expires_at"]) == ("kept", None)
    assert service.refused("keep", "1", "--until", "2099-12-31") == "still_open"
    assert service.refused("proof", "1") == "usage"
    assert service.files

    destroyed = service.json("destroy", "1", *YES)
    assert (destroyed["state"], destroyed["destroyed_by"].partition(":")[0]) == ("destroyed", "command")
    assert (service.row().sealed_key, service.files) == (None, [])
    proof = service.json("proof", "1")
    assert proof == destroyed["proof"]
    assert (proof["messages"], proof["reason"]) == (3, "Löschverlangen vom 12. November")
    assert files.is_signed(service.vault, proof)
    paper = service.settings.data_dir / "proof.json"
    assert "signed by this service" in service.run("proof", "1", "--output", str(paper)).out
    assert json.loads(paper.read_text(encoding="utf-8")) == proof
    service.run("proof", "1", "--output", str(paper), code=2)


def test_what_is_ordered_is_found_by_the_next_sweep_and_done(service: Service) -> None:
    service.old.put("INBOX", b"Subject: new\r\n\r\nHallo\r\n")
    ordered = service.json("pass", "1")
    assert ordered == {"id": 2, "kind": "archive", "state": "queued", "archive": 1}
    assert lease.to_dispatch(service.db, datetime.now(UTC), sweep_seconds=5) == [(2, "main")]
    service.work()
    assert [point["found"] for point in service.json("show", "1")["points"]] == [4, 3]
    service.run("check", "1")
    service.run("play-in", "1", TARGET, "--under", "Früher")
    service.work()
    assert service.json("show", "1")["healthy"] is True
    assert "whole" in service.run("list").out
    assert {name: len(folder.messages) for name, folder in service.new.folders.items() if folder.messages} == {
        "Früher/INBOX": 4
    }
    service.run("verify", "1", TARGET, "--under", "Früher")
    service.work()
    assert "verify, succeeded" in service.run("show", "1").out


def test_in_json_an_archive_is_what_the_api_shows(service: Service) -> None:
    service.order("bert@example.net")
    alone, several = service.json("show", "1"), service.json("list", "--limit", "1")
    assert Shown.model_validate(alone).model_dump(mode="json") == alone
    (line,) = several["archives"]
    assert ArchiveInList.model_validate(line).model_dump(mode="json") == line
    assert line["address"] == "bert@example.net"
    rest = service.json("list", "--limit", "1", "--cursor", several["next_cursor"])
    assert ([one["id"] for one in rest["archives"]], rest["next_cursor"]) == ([1], None)
    assert [one["id"] for one in service.json("list", "example.net")["archives"]] == [2]


def test_a_password_that_is_not_stored_any_more_is_asked_for(service: Service) -> None:
    assert service.json("schedule", "1", "--off")["password_stored"] is False
    service.run("schedule", "1", "--nightly", code=2)
    service.run("pass", "1", code=2)
    file = service.settings.data_dir / "password"
    file.write_text(LATER_PASSWORD)
    nightly = service.json("schedule", "1", "--nightly", "--between", "22-5", "--source-password-file", str(file))
    assert (nightly["every_hours"], nightly["window"], nightly["password_stored"]) == (24, [22, 5], True)


def test_a_new_rhythm_leaves_the_wish_to_delete_as_it_was_recorded(service: Service) -> None:
    service.order("bert@example.net", source=making.endpoint(protocol="pop3", port=995))
    assert service.refused("schedule", "2", "--remove-after", "14") == "missing"
    assert service.refused("schedule", "1", "--remove-after", "14", "--wish", "Anna") == "not_pop3"
    wished = service.json("schedule", "2", "--remove-after", "14", "--wish", "Bert, by telephone on 3 May")
    again = service.json("schedule", "2", "--every", "6")
    assert again["leave_wish"] == wished["leave_wish"]
    assert (again["every_hours"], again["leave_days"]) == (6, 14)
    assert service.json("schedule", "2", "--remove-nothing")["leave_days"] is None


NONSENSE = [
    ("schedule", "1"), ("schedule", "1", "--off", "--nightly"), ("schedule", "1", "--nightly", "--every", "6"),
    ("schedule", "1", "--between", "22-24"), ("schedule", "1", "--wish", "Anna"), ("schedule", "1", "--every", "0"),
    ("close", "1", "--until", "tomorrow"), ("customer", "1"), ("show", "anna@example.org"), ("show", str(2**63)),
    ("destroy", "1"), ("destroy", "1", "--reason", " ", "--confirm", ADDRESS), ("list", "--cursor", "x"),
    ("destroy", "1", "--reason", "\udcff", "--confirm", ADDRESS), ("check", "1", "--at", "yesterday"),
    ("play-in", "1", "archive:x"), ("play-in", "1", "imaps://u:p@new.example"), ("play-in", "1", "pop3s://u@h.example"),
    ("export", "1", "mail", "--at", "2020-01-01T00:00Z"), ("manifest", "1", "/nowhere/list"), ("pass", "1", "2"),
]  # fmt: skip


def test_what_makes_no_sense_is_refused_and_changes_nothing(service: Service) -> None:
    before = service.json("show", "1")
    for words in NONSENSE:
        assert service.run(*words, code=2).err, words
        assert service.json("show", "1") == before, words


EVERY = [
    ("schedule", "--nightly"), ("pass",), ("check",), ("play-in", TARGET), ("verify", TARGET), ("export", "mail"),
    ("manifest", "list.jsonl"), ("customer", "--may-fetch", "yes"), ("close",), ("keep", "--until", "2099-01-01"),
    ("reopen",), ("destroy", *YES),
]  # fmt: skip


def test_nothing_is_done_with_an_archive_that_is_not_there_or_destroyed(service: Service) -> None:
    service.run("destroy", "1", *YES)
    proof = service.json("proof", "1")
    for verb, *more in [*EVERY, ("show",), ("proof",)]:
        assert service.refused(verb, "99", *more) == "not_found", verb
    for verb, *more in EVERY:
        assert service.refused(verb, "1", *more) == "archive_destroyed", verb
    assert service.json("proof", "1") == proof


# ---- destruction ---------------------------------------------------------------------------------------------------


def test_nothing_is_destroyed_before_somebody_has_typed_its_address(service: Service) -> None:
    assert service.refused("destroy", "1", "--reason", "over") == "not_confirmed"
    assert service.refused("destroy", "1", "--reason", "over", "--confirm", "bert@example.org") == "address_differs"
    assert service.row().sealed_key is not None
    service.run("destroy", "1", "--reason", "over", "--confirm", " Anna@Example.org")


def test_what_may_be_the_only_copy_is_destroyed_only_by_saying_so(service: Service) -> None:
    source, options = making.endpoint(protocol="pop3", port=995), {"after_days": 0, "wish": "Bert"}
    service.order("bert@example.net", source=source)
    removal = making.order(kind=JobKind.REMOVE, source=source, target=ArchiveEnd(2), options=options)
    making.job(service.db, service.vault, service.settings, removal, state=JobState.SUCCEEDED, result={"removed": 1})
    confirmed = ("destroy", "2", "--reason", "over", "--confirm", ADDRESS)
    assert service.refused(*confirmed) == "only_copy"
    assert "only copy" in service.run("close", "2").out
    with pytest.raises(keeping.OnlyCopy):
        keeping.destroy(service.db, 2, actor="anna", reason="over")
    assert service.json(*confirmed, "--even-the-only-copy")["state"] == "destroyed"


def test_what_a_worker_works_with_is_left_alone(service: Service) -> None:
    job = service.json("check", "1")["id"]
    assert lease.take(service.db, job, "worker", 60, datetime.now(UTC)) is not None
    assert service.refused("destroy", "1", *YES, code=5) == "archive_busy"
    assert service.row().sealed_key is not None


def test_no_file_is_called_removed_where_it_does_not_lie(service: Service, tmp_path: Path) -> None:
    """A machine with the same database and an empty directory of archives, which calls itself by the node's name."""
    (tmp_path / "elsewhere").mkdir()
    away = {"POSTWAGEN_ARCHIVE_DIR": str(tmp_path / "elsewhere")}
    service.command = Postwagen(service.settings.data_dir, settings=away)
    assert service.refused("export", "1", str(tmp_path / "mail")) == "archive_elsewhere"
    assert "removed next, by the storage node main" in service.run("destroy", "1", *YES).out
    assert service.refused("proof", "1", code=5) == "no_proof_yet"
    assert service.files
    remove, sign = partial(files.remove_file, service.settings.archive_dir), partial(files.signed, service.vault)
    assert keeping.clear(service.db, 1, "main", remove, sign, datetime.now(UTC))
    assert (service.files, service.json("proof", "1")["messages"]) == ([], 3)


def test_a_proof_that_is_not_ours_is_not_called_so(service: Service) -> None:
    service.run("destroy", "1", *YES)
    with service.db.writing() as session:
        row = session.get_one(Archive, 1)
        assert row.proof is not None
        row.proof = row.proof | {"messages": 4}
    assert "NOT signed" in service.run("proof", "1", code=1).out


# ---- files ---------------------------------------------------------------------------------------------------------


def test_an_archive_is_fetched_as_files_and_as_a_signed_list_and_nothing_is_overwritten(
    service: Service, tmp_path: Path
) -> None:
    tree, packed, listed = (str(tmp_path / name) for name in ("mail", "mail.zip", "list.jsonl"))
    assert service.json("export", "1", tree, "--format", "eml", "--folder", "INBOX")["messages"] == 3
    assert service.json("export", "1", packed, "--format", "eml")["outcome"] == "succeeded"
    with zipfile.ZipFile(packed) as opened:
        assert sum(name.endswith(".eml") for name in opened.namelist()) == len(list(Path(tree).rglob("*.eml"))) == 3
    service.run("manifest", "1", listed)
    assert service.command.call("check", f"manifest:{listed}").code == 0
    for verb, there in (("export", tree), ("export", packed), ("manifest", listed)):
        assert service.refused(verb, "1", there) == "usage"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "list.jsonl", "mail", "mail.zip"]
