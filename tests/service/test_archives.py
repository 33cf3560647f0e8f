"""The heart of a domain transfer, over the API: archived before, the old server gone, played in after.

And what comes in between: workers killed, no room, an archive destroyed, two storage nodes.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.servers import DovecotServer
from tests.servers.fixtures import Account, DovecotPair
from tests.servers.mailboxes import State, differences, read_all, until
from tests.servers.proxy import FaultProxy
from tests.service.callers import Script, endpoint, script
from tests.service.conftest import Install
from tests.service.mail import another_pair, delivered, fill, place, relayed
from tests.service.product import SHORT, Process, Product

pytestmark = pytest.mark.servers

COUNT = 120
ROOMY = {**SHORT, "ARCHIVE_RESERVE_MB": "0"}


def archive_end(number: int = 1) -> dict[str, Any]:
    return {"protocol": "archive", "archive": number}


def lies_at(server: DovecotServer, account: Account) -> State:
    return read_all(server.imap_port, account)


def vanish(server: DovecotServer, account: Account) -> None:
    """The old provider has switched the mailbox off: not one octet is left of it."""
    shutil.rmtree(server.mail_directory(account.user))


def unlike(before: State, pair: DovecotPair) -> list[str]:
    """What differs between what once lay at the old server and what lies at the new one."""
    return differences(before, lies_at(pair.new, pair.new_account), place)


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.pwa")) if directory.exists() else []


def test_archived_before_and_played_in_after_the_old_server_is_gone(
    install: Install, dovecot_pair: DovecotPair
) -> None:
    pair = dovecot_pair
    fill(pair.old, pair.old_account, COUNT)
    before = lies_at(pair.old, pair.old_account)
    product = install(**ROOMY)
    product.serve()
    caller = script(product)
    source = endpoint(pair.old, pair.old_account)
    caller.finish(caller.begin("archive", source=source, keep={"every_hours": 24, "window": [22, 5]}))
    assert lies_at(pair.old, pair.old_account) == before, "the source is as it was, octet and flag"
    caller.finish(caller.begin("archive", source=source))
    vanish(pair.old, pair.old_account)
    archive = caller.archive(1)
    assert [(point["number"], point["found"], point["missing"]) for point in archive["points"]] == [
        (2, COUNT, 0), (1, COUNT, 0),
    ]  # fmt: skip
    assert archive["octets"] == files(product.data / "archives")[0].stat().st_size
    assert archive["next_pass_at"] is not None

    target = endpoint(pair.new, pair.new_account)
    played = caller.finish(caller.begin("play-in", source=archive_end(), target=target))
    assert played["messages"]["copied"] == COUNT
    assert unlike(before, pair) == []
    again = caller.finish(caller.begin("play-in", source=archive_end(), target=target, options={"restore": True}))
    assert (again["messages"]["copied"], again["messages"]["already_there"]) == (0, COUNT)
    assert unlike(before, pair) == []
    checked = caller.finish(caller.begin("check", source=archive_end()))["result"]
    assert (checked["found"], checked["whole"], checked["damaged_total"], checked["missing_total"]) == (
        COUNT, COUNT, 0, 0,
    )  # fmt: skip
    assert caller.archive(1)["healthy"] is True
    _can_be_fetched(caller, product)


def _can_be_fetched(caller: Script, product: Product) -> None:
    with zipfile.ZipFile(io.BytesIO(caller.octets("/api/v1/archives/1/export?format=eml"))) as packed:
        assert packed.testzip() is None
        assert sum(name.endswith(".eml") for name in packed.namelist()) == COUNT
    manifest = caller.octets("/api/v1/archives/1/manifest")
    assert json.loads(manifest.splitlines()[-1])["messages"] == COUNT
    listed = product.directory / "manifest.jsonl"
    listed.write_bytes(manifest)
    verified = product.run("check", f"manifest:{listed}")
    assert verified.returncode == 0, verified.stderr
    listed.write_bytes(manifest.replace(b'"size":', b'"size": ', 1))
    assert product.run("check", f"manifest:{listed}").returncode != 0


def test_a_direct_copy_then_an_archive_then_playing_it_in_make_one_copy_of_each(
    install: Install, dovecot_pair: DovecotPair
) -> None:
    pair = dovecot_pair
    fill(pair.old, pair.old_account, COUNT)
    product = install(**ROOMY)
    product.serve()
    caller = script(product)
    source, target = endpoint(pair.old, pair.old_account), endpoint(pair.new, pair.new_account)
    caller.finish(caller.order(source, target))
    caller.finish(caller.begin("archive", source=source))
    played = caller.finish(caller.begin("play-in", source=archive_end(), target=target))
    assert (played["messages"]["copied"], played["messages"]["already_there"]) == (0, COUNT)
    assert unlike(lies_at(pair.old, pair.old_account), pair) == []


def test_by_pop3_what_lies_in_the_inbox_is_collected_removed_by_wish_and_played_in(
    install: Install, dovecot_pair: DovecotPair
) -> None:
    pair = dovecot_pair
    fill(pair.old, pair.old_account, COUNT)
    before = lies_at(pair.old, pair.old_account)
    product = install(**ROOMY)
    product.serve()
    caller = script(product)
    source = endpoint(pair.old, pair.old_account, protocol="pop3", port=pair.old.pop3s_port)
    wish = {"leave_days": 0, "leave_wish": "Anna Müller, by telephone on 2026-11-20"}
    caller.finish(caller.begin("archive", source=source, keep=wish))
    found = len(before["INBOX"])
    until(lambda: len(caller.archive(1)["jobs"]) == 2, within=30)
    (removal, _) = caller.archive(1)["jobs"]
    removed = caller.finish(removal)
    assert (removed["kind"], removed["result"]["removed"], removed["result"]["unknown"]) == ("remove", found, 0)
    assert lies_at(pair.old, pair.old_account) == {**before, "INBOX": {}}
    again = caller.finish(caller.begin("archive", source=source))
    assert again["messages"]["found"] == 0
    target = endpoint(pair.new, pair.new_account)
    options = {"map": [["INBOX", "Archiv alter Anbieter"]]}
    caller.finish(caller.begin("play-in", source=archive_end(), target=target, options=options))
    there = lies_at(pair.new, pair.new_account)["Archiv alter Anbieter"]
    assert sorted(one.kept for one in before["INBOX"].values()) == sorted(one.digest for one in there.values())


# ---- killed --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_killed_while_archiving_and_while_playing_in_lose_and_double_nothing(
    install: Install, dovecot_pair: DovecotPair, source_proxy: FaultProxy, target_proxy: FaultProxy
) -> None:
    pair = dovecot_pair
    fill(pair.old, pair.old_account, 300, large=150)
    before = lies_at(pair.old, pair.old_account)
    product = install(**ROOMY)
    serve = product.serve()
    caller = script(product)
    source_proxy.rate(6_000_000, ahead=200_000)
    number = caller.begin("archive", source=endpoint(source_proxy, pair.old_account))
    _killed_now_and_then(serve, lambda: delivered(source_proxy))
    source_proxy.rate(None)
    done = caller.finish(number)
    assert done["messages"]["copied"] + done["messages"]["already_there"] == 300
    vanish(pair.old, pair.old_account)
    target_proxy.rate(6_000_000, ahead=200_000)
    number = caller.begin("play-in", source=archive_end(), target=endpoint(target_proxy, pair.new_account))
    _killed_now_and_then(serve, lambda: relayed(target_proxy))
    target_proxy.rate(None)
    caller.finish(number)
    assert unlike(before, pair) == []
    assert caller.finish(caller.begin("check", source=archive_end()))["result"]["whole"] == 300


def _killed_now_and_then(serve: Process, octets: Callable[[], int]) -> None:
    """Each time its worker has moved so many octets more, it dies."""
    killed = 0
    for _ in range(2):
        until(lambda killed=killed: _worker(serve) not in (0, killed), within=20)
        killed, more = _worker(serve), octets() + 2_000_000
        until(lambda more=more: octets() > more, within=60)
        os.killpg(killed, signal.SIGKILL)


def _worker(serve: Process) -> int:
    """Its number; 0 while there is none."""
    try:
        return serve.child("worker")
    except AssertionError:
        return 0


def test_serve_killed_while_an_archive_is_destroyed_ends_with_no_key_no_file_and_a_proof(
    install: Install, dovecot_pair: DovecotPair
) -> None:
    fill(dovecot_pair.old, dovecot_pair.old_account, 20)
    product = install(**ROOMY)
    serve = product.serve()
    caller = script(product)
    caller.finish(caller.begin("archive", source=endpoint(dovecot_pair.old, dovecot_pair.old_account)))
    (file,) = files(product.data / "archives")
    status, text = caller.ask("/api/v1/archives/1/destroy", b'{"reason": "The customer asked for it."}')
    serve.kill()
    assert status == 200, text
    product.serve()
    until(lambda: caller.archive(1)["proof"] is not None, within=40)
    assert not list(file.parent.glob(f"{file.name}*"))
    proof = caller.archive(1)["proof"]
    assert (proof["reason"], proof["messages"]) == ("The customer asked for it.", 20)
    assert proof["destroyed_at"] <= proof["file_removed_at"]
    status, text = caller.ask("/api/v1/jobs", json.dumps({"kind": "check", "source": archive_end()}).encode())
    assert (status, json.loads(text)["errors"][0]["code"]) == (422, "archive_destroyed")


# ---- room ----------------------------------------------------------------------------------------------------------


def test_a_pass_that_would_not_fit_is_blocked_before_it_writes_and_goes_on_when_there_is_room(
    install: Install, dovecot_pair: DovecotPair
) -> None:
    fill(dovecot_pair.old, dovecot_pair.old_account, 20)
    product = install(**ROOMY | {"ARCHIVE_RESERVE_MB": str(10_000_000)})
    serve = product.serve()
    caller = script(product)
    number = caller.begin("archive", source=endpoint(dovecot_pair.old, dovecot_pair.old_account))
    blocked = caller.wait(number, "blocked")
    assert blocked["error"]["code"] == "archive_no_room"
    assert blocked["messages"]["copied"] == 0
    assert caller.archive(1)["state"] == "empty"
    assert serve.stop() == 0
    product.settings["ARCHIVE_RESERVE_MB"] = "0"
    product.serve()
    caller.tell(number, "retry")
    assert caller.finish(number)["messages"]["copied"] == 20


# ---- storage nodes -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_each_archive_belongs_to_one_storage_node_and_its_jobs_go_there(
    install: Install, dovecot_pair: DovecotPair, redis_url: str
) -> None:
    product = install(**ROOMY, BROKER_URL=redis_url)
    (without_a_node,) = product.parts(1)
    assert without_a_node.stop() == 0
    nodes = {name: product.directory / name for name in ("north", "south")}

    def worker(name: str) -> Process:
        started = product.start("serve", "--only", "worker", NODE=name, ARCHIVE_DIR=str(nodes[name]))
        started.await_words("worker_starts")
        return started

    caller = script(product)
    pairs = [dovecot_pair, another_pair(dovecot_pair)]
    for number, pair in enumerate(pairs):
        fill(pair.old, pair.old_account, 20, seed=number)
    north = worker("north")
    until(lambda: json.loads(caller.ask("/readyz")[1])["workers"] == 1)
    caller.finish(caller.begin("archive", source=endpoint(pairs[0].old, pairs[0].old_account)))
    assert north.stop() == 0
    south = worker("south")
    until(lambda: json.loads(caller.ask("/readyz")[1])["workers"] == 1)
    caller.finish(caller.begin("archive", source=endpoint(pairs[1].old, pairs[1].old_account)))
    assert [caller.archive(number)["node"] for number in (1, 2)] == ["north", "south"]
    assert [len(files(directory)) for directory in nodes.values()] == [1, 1]

    waits = caller.begin("play-in", source=archive_end(1), target=endpoint(pairs[0].new, pairs[0].new_account))
    goes = caller.begin("play-in", source=archive_end(2), target=endpoint(pairs[1].new, pairs[1].new_account))
    third = another_pair(dovecot_pair)
    plain = caller.order(endpoint(pairs[0].old, pairs[0].old_account), endpoint(third.new, third.new_account))
    caller.finish(goes)
    caller.finish(plain)
    assert caller.job(waits)["state"] == "queued", "nobody else takes it"
    status, text = caller.ask("/api/v1/archives/1/export")
    assert (status, json.loads(text)["code"]) == (409, "archive_elsewhere")
    worker("north")
    caller.finish(waits)
    assert [unlike(lies_at(pair.old, pair.old_account), pair) for pair in pairs] == [[], []]
    caller.ask("/api/v1/archives/1/destroy", b'{"reason": "over"}')
    until(lambda: caller.archive(1)["proof"] is not None, within=40)
    assert [len(files(directory)) for directory in nodes.values()] == [0, 1]
    assert south.stop() == 0
