"""`postwagen copy` and `verify` between real servers, judged by a client of our own on a bare socket."""

from __future__ import annotations

import dataclasses
import re
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.servers import DovecotServer, LocalServer
from migrator.planning import lanes
from tests.corpus import PYMAP_HANGS, nasty_messages, realistic_corpus
from tests.servers.command import Postwagen, adds_up, url
from tests.servers.fixtures import Account, DovecotPair, StartDovecot, fresh_account
from tests.servers.mailboxes import (
    COURIER_NAMES,
    DATES,
    Client,
    Mail,
    State,
    differences,
    dressed,
    fill_all,
    read_all,
    spread,
)
from tests.servers.proxy import FaultProxy

pytestmark = pytest.mark.servers

HARMLESS = {
    b"CAPABILITY", b"AUTHENTICATE", b"LOGIN", b"ID", b"NAMESPACE", b"LIST", b"LSUB", b"STATUS", b"EXAMINE", b"FETCH",
    b"UID FETCH", b"NOOP", b"GETQUOTAROOT", b"UNSELECT", b"LOGOUT",
}  # fmt: skip
"""All that may ever be said to an old server."""
WRITING = {
    b"CREATE",
    b"APPEND",
    b"STORE",
    b"UID STORE",
    b"SUBSCRIBE",
    b"DELETE",
    b"RENAME",
    b"EXPUNGE",
    b"COPY",
    b"MOVE",
}


def _mail(number: int, body: str = "x") -> Mail:
    text = f"From: a@old.example\r\nMessage-ID: <{number}@test.example>\r\nSubject: {number}\r\n\r\n{body}\r\n"
    return Mail(text.encode(), (), f"01-Jan-2020 10:00:{number % 60:02d} +0000")


def _command(pair: DovecotPair, directory: Path) -> Postwagen:
    return Postwagen(directory / "data", pair.old_account.password, pair.new_account.password)


def _urls(pair: DovecotPair) -> tuple[str, str]:
    return url(pair.old, pair.old_account), url(pair.new, pair.new_account)


def _states(pair: DovecotPair) -> tuple[State, State]:
    return read_all(pair.old.imap_port, pair.old_account), read_all(pair.new.imap_port, pair.new_account)


def _there(name: str) -> str:
    """An old folder's name at the new server."""
    special = {"Gesendet": "Sent", "Entwürfe": "Drafts", "Papierkorb": "Trash", "Spam": "Junk"}
    first, *rest = name.removeprefix("INBOX.").split(".")
    return "/".join([special.get(first, first), *rest])


# ------------------------------------------------------------------ everything arrives


def _odd_and_real(count: int) -> list[Mail]:
    odd = [octets for _, octets in nasty_messages() if octets]
    return list(dressed(chain(realistic_corpus(count, max_size=150_000, twins=0.1, without_id=0.1), odd)))


@pytest.fixture(params=["out of INBOX.", "into INBOX."])
def both_ways(request: pytest.FixtureRequest, old_dovecot: DovecotServer, new_dovecot: DovecotServer) -> Any:
    """Source, target, the source's names and where each is at the target."""
    if request.param == "out of INBOX.":
        names: dict[str, str] = dict(COURIER_NAMES)
        source, target = old_dovecot, new_dovecot
    else:
        names = {there: here for here, there in COURIER_NAMES.items()} | {"Archive": "INBOX.Archive"}
        source, target = new_dovecot, old_dovecot
    old = fresh_account(source)
    return DovecotPair(source, target, old, fresh_account(target, old.user)), names


def test_over_several_connections_everything_arrives_once_and_no_more_are_opened_than_allowed(
    dovecot_pair: DovecotPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "WORTH", 200)  # messages: five connections would be worth it
    names = {name: _there(name) for name in COURIER_NAMES}
    mails = list(dressed(realistic_corpus(900, max_size=20_000, twins=0.1, without_id=0.1)))
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, spread(mails, list(names)))
    command = _command(dovecot_pair, tmp_path)
    with (
        FaultProxy("127.0.0.1", dovecot_pair.old.imap_port) as old,
        FaultProxy("127.0.0.1", dovecot_pair.new.imap_port) as new,
    ):
        ends = url(old, dovecot_pair.old_account), url(new, dovecot_pair.new_account)
        ran = command.call("copy", *ends, "--connections", "3", "--json")
        assert (ran.code, ran.json["messages"]["copied"]) == (0, len(mails)), ran
        assert (old.count("connected"), new.count("connected")) == (3, 3)
        again = command.call("copy", *ends, "--connections", "3", "--json")
        assert again.json["messages"]["copied"] == 0
        assert (old.count("connected"), new.count("connected")) == (4, 4), "nothing new is worth one"
    source, target = _states(dovecot_pair)
    assert differences(source, target, lambda name: names.get(name, name)) == []


def test_every_octet_flag_and_date_arrives_once_and_a_second_run_copies_nothing(
    both_ways: tuple[DovecotPair, dict[str, str]], tmp_path: Path
) -> None:
    pair, names = both_ways
    leer = next(name for name in names if name.endswith("leer"))
    fill_all(pair.old.imap_port, pair.old_account, spread(_odd_and_real(400), list(names), empty=leer))
    command, ends = _command(pair, tmp_path), _urls(pair)

    first = command.run("copy", *ends, "--json")
    source, target = _states(pair)
    total = sum(map(len, source.values()))
    shown = first.json
    failed = Counter(failure["reason"] for failure in shown["failures"])
    altered = sum(
        each.kept != each.digest and each.size > 1 for content in source.values() for each in content.values()
    )
    nothing = [(name, uid) for name, content in source.items() for uid, each in content.items() if each.size == 0]
    assert failed == {"empty": len(nothing)}, first
    assert len(nothing) == 1, nothing
    for failure in shown["failures"]:  # they are named one by one, and then left out of the comparison
        uid = int(failure["key"].split("/")[1])
        del source[failure["folder"]][uid]
    assert differences(source, target, names.get) == []
    assert first.code == 1, first
    assert shown["outcome"] == "incomplete"
    assert adds_up(shown)
    assert shown["messages"]["copied"] == total - 1
    assert [warning for warning in shown["warnings"] if "altered" not in warning] == []
    assert len(shown["warnings"]) == altered > 0

    second = command.call("copy", *ends, "--json")
    assert second.json["messages"] == {**shown["messages"], "copied": 0, "already_there": total - 1}
    assert read_all(pair.new.imap_port, pair.new_account) == target

    proof = command.call("verify", *ends, "--json")
    kinds = Counter(item["kind"] for item in proof.json["discrepancies"])
    assert proof.code == 1, proof
    assert kinds == {"altered": altered, "missing": 1}
    assert adds_up(proof.json)
    with Client(pair.new.imap_port, pair.new_account) as client:
        assert {names[name] for name in names} <= client.subscribed() | {"INBOX"}


def test_a_mailbox_without_oddities_is_carried_and_proven_with_exit_code_0(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    content = {"INBOX": list(dressed(realistic_corpus(60, 7, max_size=30_000)))}
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, content)
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    for expected in ({"copied": 60}, {"copied": 0, "already_there": 60}):
        ran = command.run("copy", *ends, "--json")
        assert (ran.code, ran.err) == (0, ""), ran
        assert ran.json["outcome"] == "succeeded"
        assert expected.items() <= ran.json["messages"].items()
    checked = command.call("check", *ends, "--json").json
    assert {(row["source"], row["target"]) for row in checked["mapping"]} == {
        (each["source"], each["target"]) for each in ran.json["folders"]
    }
    assert (checked["source"]["messages"], checked["target"]["messages"]) == (60, 60)
    elsewhere = command.call("check", *ends, "--map", "INBOX=Old mail", "--json").json
    assert [row["target"] for row in elsewhere["mapping"] if row["source"] == "INBOX"] == ["Old mail"]
    assert command.call("check", *ends, "--map", "No such=X", "--json").code == 2
    for level in ("counts", "fingerprints", "digests"):
        proof = command.call("verify", *ends, "--json", "--level", level)
        assert proof.code == 0, proof
        assert proof.json["discrepancies"] == []
        assert proof.json["messages"]["already_there"] == 60


def test_what_the_new_server_makes_of_delicate_octets_and_of_future_dates_is_named(
    pymap_server: LocalServer, pymap_account: Account, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    """A source that keeps NUL, bare CR and bare LF, and dates that Dovecot turns into today's."""
    odd = [octets for name, octets in nasty_messages() if octets and name not in PYMAP_HANGS]
    dated = [dataclasses.replace(mail, date=mail.date or DATES[0]) for mail in dressed(odd)]
    fill_all(pymap_server.imap_port, pymap_account, {"INBOX": dated})
    new_account = fresh_account(new_dovecot, pymap_account.user)
    ends = url(pymap_server, pymap_account), url(new_dovecot, new_account)
    command, began = Postwagen(tmp_path / "data", pymap_account.password, new_account.password), int(time.time())
    ran = command.call("copy", *ends, "--json")
    source = read_all(pymap_server.imap_port, pymap_account)
    for failure in ran.json["failures"]:
        lost = source["INBOX"].pop(int(failure["key"].split("/")[1]))
        assert (failure["reason"], lost.size) == ("empty", 0)
    target = read_all(new_dovecot.imap_port, new_account)
    future = sum(each.instant > began for each in source["INBOX"].values())
    assert sum(each.instant >= began for each in target["INBOX"].values()) == future > 30
    assert differences(_before(source, began), _before(target, began)) == []
    *named, dates = sorted(ran.json["warnings"], key=lambda warning: "date" in warning)
    assert dates == f"In INBOX: the new server did not keep the date of {future} messages."
    assert all("the new server altered a message" in warning for warning in named)
    altered = {uid for uid, each in source["INBOX"].items() if each.kept != each.digest}
    assert {int(warning.partition(": ")[2].split("/")[1].split(":")[0]) for warning in named} == altered
    assert len(altered) > 30


def _before(state: State, moment: int) -> State:
    """The same with 0 for every later date."""
    return {
        name: {
            uid: dataclasses.replace(each, instant=0 if each.instant >= moment else each.instant)
            for uid, each in content.items()
        }
        for name, content in state.items()
    }


def test_a_mail_arrives_even_if_the_new_server_does_not_take_its_keyword(
    pymap_server: LocalServer, pymap_account: Account, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    mails = [_mail(number) for number in range(6)]
    mails[2] = dataclasses.replace(mails[2], flags=("\\Seen", "k" * 51, "Kurz"))
    fill_all(pymap_server.imap_port, pymap_account, {"INBOX": mails})
    new_account = fresh_account(new_dovecot, pymap_account.user)
    command = Postwagen(tmp_path / "data", pymap_account.password, new_account.password)
    ends = url(pymap_server, pymap_account), url(new_dovecot, new_account)
    ran = command.call("copy", *ends, "--json")
    assert (ran.code, ran.json["messages"]["copied"]) == (0, 6), ran
    assert ran.json["warnings"] == ["In INBOX: the new server did not keep the flags of 1 messages."]
    flags = Counter(each.flags for each in read_all(new_dovecot.imap_port, new_account)["INBOX"].values())
    assert flags == {frozenset(): 5, frozenset({"\\Seen", "Kurz"}): 1}
    assert command.call("copy", *ends, "--json").json["messages"]["copied"] == 0


# ------------------------------------------------------------------ the old server is left alone


def test_at_the_source_nothing_is_marked_and_nothing_is_said_that_could(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    mails = list(dressed(realistic_corpus(80, 3, max_size=20_000)))
    fill_all(
        dovecot_pair.old.imap_port, dovecot_pair.old_account, spread(mails, ["INBOX", "INBOX.Gesendet", "INBOX.a"])
    )
    before, _ = _states(dovecot_pair)
    with (
        FaultProxy("127.0.0.1", dovecot_pair.old.imap_port, record=True) as proxy,
        FaultProxy("127.0.0.1", dovecot_pair.new.imap_port, record=True) as new,
    ):
        command, source = _command(dovecot_pair, tmp_path), url(proxy, dovecot_pair.old_account)
        target = url(new, dovecot_pair.new_account)
        for words in (("check",), ("copy", "--dry-run"), ("copy",), ("verify",), ("copy",)):
            assert command.call(words[0], source, target, *words[1:], "--json").code == 0
        said = proxy.commands()
        assert {verb for verb, _ in new.commands()} <= HARMLESS | {b"SELECT", b"CREATE", b"SUBSCRIBE", b"APPEND"}
    assert {verb for verb, _ in said} <= HARMLESS
    fetches = [line for verb, line in said if verb == b"UID FETCH" and b"BODY" in line]
    assert fetches
    assert all(b"BODY.PEEK[]" in line for line in fetches)
    assert _states(dovecot_pair)[0] == before  # flags, keys, dates, octets


def test_a_dry_run_and_a_proof_write_nothing_at_the_target(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    mails = [_mail(number) for number in range(30)]
    fill_all(
        dovecot_pair.old.imap_port, dovecot_pair.old_account, spread(mails, ["INBOX", "INBOX.Neu.Tief", "INBOX.b"])
    )
    before = _states(dovecot_pair)[1]
    source = url(dovecot_pair.old, dovecot_pair.old_account)
    with FaultProxy("127.0.0.1", dovecot_pair.new.imap_port, record=True) as proxy:
        command, target = _command(dovecot_pair, tmp_path), url(proxy, dovecot_pair.new_account)
        ran = command.call("copy", source, target, "--dry-run", "--json")
        proof = command.call("verify", source, target, "--json")
        command.call("check", source, target, "--json")
        assert not {verb for verb, _ in proxy.commands()} & WRITING
    assert _states(dovecot_pair)[1] == before
    assert ran.code == 0, ran
    assert ran.json["dry_run"] is True
    assert adds_up(ran.json), ran
    assert ran.json["messages"] == {"found": 30, "copied": 0, "already_there": 0, "skipped": 30, "failed": 0}
    assert {(skip["rule"], skip["count"]) for skip in ran.json["skips"]} == {
        ("dry_run", 15),
        ("dry_run", 8),
        ("dry_run", 7),
    }
    assert {each["target"] for each in ran.json["folders"]} >= {"Neu/Tief", "b"}
    assert proof.code == 1
    assert Counter(each["kind"] for each in proof.json["discrepancies"]) == {"missing": 30}
    ran = Postwagen(command.data, command.source_password, command.target_password).call("copy", source, url(
        dovecot_pair.new, dovecot_pair.new_account), "--json")  # fmt: skip
    assert ran.json["messages"]["copied"] == 30, ran


# ------------------------------------------------------------------ where it goes


def test_rules_say_where_folders_go_and_what_stays_behind(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    names = ["INBOX", "INBOX.Alt", "INBOX.Alt.Tief", "INBOX.Neu", "INBOX.Werbung", "INBOX.Werbung.A", "INBOX.Gesendet"]
    fill_all(
        dovecot_pair.old.imap_port,
        dovecot_pair.old_account,
        {name: [_mail(100 * number + each) for each in range(3)] for number, name in enumerate(names)},
    )
    big = _mail(7000, "z" * 50_000)
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": [big]})
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    ran = command.call(
        "copy", *ends, "--json", "--map", "INBOX.Alt=Ablage/Früher", "--map", "INBOX.Neu=Ablage/Früher",
        "--exclude", "INBOX.Werbung*", "--max-octets", "40000",
    )  # fmt: skip
    source, target = _states(dovecot_pair)
    assert ran.code == 0, ran
    assert adds_up(ran.json)
    left = {(skip["folder"], skip["rule"], skip["count"]) for skip in ran.json["skips"]}
    assert left == {
        ("INBOX", "larger than 40000 octets", 1),
        ("INBOX.Werbung", "excluded: INBOX.Werbung*", 3),
        ("INBOX.Werbung.A", "excluded: INBOX.Werbung*", 3),
    }
    assert any("merged" in warning for warning in ran.json["warnings"])
    source = {name: content for name, content in source.items() if "Werbung" not in name}
    giant = next(uid for uid, each in source["INBOX"].items() if each.size > 40_000)
    del source["INBOX"][giant]
    where = {"INBOX.Alt": "Ablage/Früher", "INBOX.Neu": "Ablage/Früher", "INBOX.Alt.Tief": "Ablage/Früher/Tief"}
    assert differences(source, target, lambda name: where.get(name) or _there(name)) == []

    under = Postwagen(tmp_path / "other", command.source_password, command.target_password)
    ran = under.call("copy", *ends, "--json", "--under", "Alte Post", "--include", "INBOX", "--include", "*.Alt*")
    assert ran.code == 0, ran
    after = _states(dovecot_pair)[1]
    counts = {name: len(content) for name, content in after.items() if name.startswith("Alte Post")}
    assert counts == {"Alte Post/INBOX": 4, "Alte Post/Alt": 3, "Alte Post/Alt/Tief": 3}
    assert {name: content for name, content in after.items() if name not in counts} == target


def test_two_folders_of_one_role_are_merged_with_their_twins_and_said_so(
    dovecot: StartDovecot, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    old = dovecot(special_use={"Gesendete Objekte": "\\Sent"})
    account = fresh_account(old)
    pair = DovecotPair(old, new_dovecot, account, fresh_account(new_dovecot, account.user))
    same = [_mail(number) for number in range(6)]
    content = {"Gesendete Objekte": [*same, same[0]], "Sent": [*same, _mail(77)], "INBOX": same}
    fill_all(old.imap_port, account, content)
    command, ends = _command(pair, tmp_path), _urls(pair)
    first = command.call("copy", *ends, "--json")
    source, target = _states(pair)
    assert first.code == 0, first
    assert len(target["Sent"]) == 14
    assert differences(source, target, _role_merged) == []
    assert sum("merged" in warning for warning in first.json["warnings"]) == 1
    assert command.call("copy", *ends, "--json").json["messages"]["copied"] == 0
    assert command.call("verify", *ends, "--json").code == 0


def _role_merged(name: str) -> str:
    return "Sent" if name == "Gesendete Objekte" else name


def test_names_that_the_target_cannot_hold_are_changed_openly_and_never_merge_two_folders(
    dovecot: StartDovecot, old_dovecot: DovecotServer, tmp_path: Path
) -> None:
    source_server = dovecot(mail_format="sdbox")
    account = fresh_account(source_server)
    pair = DovecotPair(source_server, old_dovecot, account, fresh_account(old_dovecot, account.user))
    long = "/".join(["lang" * 25] * 3)  # no file name takes the three together
    names = ["INBOX", "Sub", "INBOX/Sub", "v1.2", "v1_2", "Allein.Punkt", "Tief/er.Punkt", long]
    content = {name: [_mail(100 * number + each) for each in range(4)] for number, name in enumerate(names)}
    fill_all(source_server.imap_port, account, content)
    command, ends = _command(pair, tmp_path), _urls(pair)
    ran = command.call("copy", *ends, "--json")
    source, target = _states(pair)
    assert adds_up(ran.json)
    found = {each["source"]: (each["target"], each["copied"], each["failed"]) for each in ran.json["folders"]}
    assert found["Allein.Punkt"] == ("INBOX.Allein_Punkt", 4, 0)
    assert found["Tief/er.Punkt"] == ("INBOX.Tief.er_Punkt", 4, 0)
    assert found["v1_2"] == ("INBOX.v1_2", 4, 0)
    assert found["v1.2"] == ("INBOX.v1_2 (2)", 4, 0)
    assert {found["Sub"][0], found["INBOX/Sub"][0]} == {"INBOX.Sub", "INBOX.Sub (2)"}
    assert (ran.code, ran.json["outcome"]) == (0, "succeeded"), ran
    assert found[long][0] in str(ran.json["warnings"])  # shorter, and told
    assert differences(source, target, lambda name: found[name][0]) == []
    proof = command.call("verify", *ends, "--json")
    assert proof.code == 0, proof
    again = command.call("copy", *ends, "--json")
    assert again.json["messages"] == {**again.json["messages"], "copied": 0, "already_there": 32}
    assert {each["source"]: each["target"] for each in again.json["folders"]} == {
        name: place for name, (place, _, _) in found.items()
    }


# ------------------------------------------------------------------ the second run


def test_what_the_customer_did_at_the_target_stays_and_what_is_new_at_the_source_arrives(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": [_mail(n) for n in range(12)]})
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    assert command.call("copy", *ends, "--json").code == 0
    with Client(dovecot_pair.new.imap_port, dovecot_pair.new_account) as customer:
        customer.delete("INBOX", "1:2")
        customer.tell(b'SELECT "INBOX"')
        customer.tell(b'UID MOVE 3 "Trash"')
        customer.tell(b"UNSELECT")
        customer.store("INBOX", "4:6", "+FLAGS (\\Seen Privat)")
        customer.fill("INBOX", [_mail(500)])
        customer.create("Mein Ordner")
        customer.fill("Mein Ordner", [_mail(501)])
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as provider:
        provider.store("INBOX", "5", "+FLAGS (\\Flagged)")
        provider.store("INBOX", "1", "+FLAGS (\\Answered)")
        provider.fill("INBOX", [_mail(12), _mail(0)])
        provider.delete("INBOX", "8")
        provider.create("INBOX.Später")
        provider.fill("INBOX.Später", [_mail(13)])
    again = command.call("copy", *ends, "--json")
    assert (again.code, again.json["messages"]["copied"]) == (0, 3), again
    target = _states(dovecot_pair)[1]
    flags = {uid: each.flags for uid, each in target["INBOX"].items()}
    assert set(flags) == {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}  # 8: deleted at the old server, kept here
    assert flags[4] == flags[6] == {"\\Seen", "Privat"}
    assert flags[5] == {"\\Seen", "Privat", "\\Flagged"}
    assert {name: len(content) for name, content in target.items() if content} == {
        "INBOX": 12, "Trash": 1, "Mein Ordner": 1, "Später": 1,
    }  # fmt: skip
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as provider:
        provider.store("INBOX", "5", "-FLAGS (\\Flagged)")
        provider.store("INBOX", "4", "+FLAGS (\\Seen)")
    assert command.call("copy", *ends, "--json").json["messages"]["copied"] == 0
    proof = command.call("verify", *ends, "--json")
    kinds = Counter(each["kind"] for each in proof.json["discrepancies"])
    assert (proof.code, kinds) == (1, {"missing": 3, "flags": 3, "extra": 2}), (
        proof
    )  # what he moved is named where it was
    assert {uid: each.flags for uid, each in _states(dovecot_pair)[1]["INBOX"].items()} == {
        **flags, 5: {"\\Seen", "Privat"},
    }  # fmt: skip


def test_of_a_folder_that_was_seen_whole_only_what_has_changed_is_listed(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    pair = dovecot_pair
    fill_all(pair.old.imap_port, pair.old_account, {"INBOX": [_mail(n) for n in range(30)]})
    command = _command(pair, tmp_path)
    with FaultProxy("127.0.0.1", pair.old.imap_port, record=True) as proxy:
        ends = url(proxy, pair.old_account), _urls(pair)[1]
        assert command.call("copy", *ends, "--json").code == 0
        with Client(pair.old.imap_port, pair.old_account) as provider:
            provider.store("INBOX", "5", "+FLAGS (\\Flagged)")
            provider.fill("INBOX", [_mail(30)])
        again = command.call("copy", *ends, "--json")
        asked = [line for verb, line in proxy.recordings[-1].commands() if verb in (b"FETCH", b"UID FETCH")]
    assert [re.sub(rb"^W\d+ |\d+\)$", b"", line) for line in asked] == [
        b"FETCH 1:31 (UID FLAGS INTERNALDATE RFC822.SIZE) (CHANGEDSINCE ",
        b"UID FETCH 31 (UID BODY.PEEK[])",
    ]
    assert again.json["messages"] == {"found": 31, "copied": 1, "already_there": 30, "skipped": 0, "failed": 0}
    assert adds_up(again.json)
    source, target = _states(pair)
    assert {uid: each.flags for uid, each in target["INBOX"].items()} == {
        uid: each.flags for uid, each in source["INBOX"].items()
    }


def test_mail_that_somebody_carried_before_is_adopted_and_not_doubled(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    mails = [*(_mail(n) for n in range(20)), _mail(3), _mail(3)]
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": mails})
    fill_all(dovecot_pair.new.imap_port, dovecot_pair.new_account, {"INBOX": mails[:11]})
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    ran = command.call("copy", *ends, "--json")
    assert (ran.json["messages"]["already_there"], ran.json["messages"]["copied"]) == (11, 11), ran
    (tmp_path / "data").rename(tmp_path / "lost")  # and when the ledger is lost, all of it
    ran = command.call("copy", *ends, "--json")
    assert (ran.json["messages"]["already_there"], ran.json["messages"]["copied"]) == (22, 0), ran
    assert differences(*_states(dovecot_pair)) == []


@pytest.mark.parametrize("choice", ["replay", "keep"])
def test_a_target_folder_deleted_and_made_anew_is_asked_about(
    choice: str, dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    content = {"INBOX": [_mail(n) for n in range(5)], "INBOX.Kunden": [_mail(n) for n in range(50, 60)]}
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, content)
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    assert command.call("copy", *ends, "--json").code == 0
    with Client(dovecot_pair.new.imap_port, dovecot_pair.new_account) as customer:
        customer.tell(b'DELETE "Kunden"')
    asked = command.call("copy", *ends, "--json")
    assert asked.code == 1, asked
    assert asked.json["error"]["code"] == "folder_recreated"
    assert "--recreated replay|keep" in asked.err
    assert "10 of 10 messages" in asked.err
    answered = command.call("copy", *ends, "--json", "--recreated", choice)
    assert answered.code == 0, answered
    assert adds_up(answered.json)
    assert len(_states(dovecot_pair)[1]["Kunden"]) == (10 if choice == "replay" else 0)
    last = command.call("copy", *ends, "--json")
    assert (last.code, last.json["messages"]["copied"]) == (0, 0), last


def test_a_source_that_renumbers_its_folder_doubles_nothing(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    mails = [*dressed(realistic_corpus(30, 5, max_size=9_000)), *(_mail(n) for n in range(5)), _mail(1), _mail(1)]
    fill_all(dovecot_pair.old.imap_port, dovecot_pair.old_account, {"INBOX": mails})
    command, ends = _command(dovecot_pair, tmp_path), _urls(dovecot_pair)
    assert command.call("copy", *ends, "--json").code == 0
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as provider:
        provider.delete("INBOX", "2:4")
    maildir = dovecot_pair.old.mail_directory(dovecot_pair.old_account.user) / "Maildir"
    for file in maildir.glob("dovecot*"):
        if file.name.startswith(("dovecot.index", "dovecot-uidlist", "dovecot.list")):
            file.unlink()
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as provider:
        provider.fill("INBOX", [_mail(900)])
    again = command.call("copy", *ends, "--json")
    assert (again.code, again.json["messages"]["copied"]) == (0, 1), again
    assert any("renumbered" in warning for warning in again.json["warnings"])
    assert len(_states(dovecot_pair)[1]["INBOX"]) == 38
    assert command.call("copy", *ends, "--json").json["messages"]["copied"] == 0


# ------------------------------------------------------------------ limits


def test_a_full_target_ends_with_6_and_more_quota_completes_it_without_doubles(
    dovecot: StartDovecot, old_dovecot: DovecotServer, tmp_path: Path
) -> None:
    small, large = dovecot(quota_storage="300K"), dovecot(quota_storage="30M")
    account = fresh_account(old_dovecot)
    mails = [_mail(number, "q" * 9_000) for number in range(60)]
    fill_all(old_dovecot.imap_port, account, {"INBOX": mails[:20], "INBOX.b": mails[20:40], "INBOX.c": mails[40:]})
    new_account = fresh_account(small, account.user)
    command = Postwagen(tmp_path / "data", account.password, new_account.password)
    source = url(old_dovecot, account)
    state = ("--state", str(tmp_path / "ledger"))
    with FaultProxy("127.0.0.1", small.imap_port) as proxy:  # the same address before and after
        target = url(proxy, new_account)
        full = command.call("copy", source, target, "--json", *state)
        assert full.code == 6, full
        assert full.json["error"]["code"] == "target_full"
        assert full.json["error"]["end"] == "target", full
        assert "Raise the new mailbox's quota" in full.err
        there = read_all(small.imap_port, new_account)
        carried = sum(map(len, there.values()))
        assert full.json["messages"]["copied"] == carried < 60
        home = large.mail_directory(account.user)
        large.add_user(account.user, new_account.password)
        home.parent.mkdir(parents=True, exist_ok=True)
        small.mail_directory(account.user).rename(home)
        proxy.upstream = ("127.0.0.1", large.imap_port)
        rest = command.call("copy", source, target, "--json", *state)
        assert rest.code == 0, rest
        assert rest.json["messages"]["copied"] == 60 - carried
        assert (
            differences(read_all(old_dovecot.imap_port, account), read_all(large.imap_port, new_account), _there) == []
        )


def test_messages_of_60_mb_need_no_more_memory_than_small_ones(dovecot_pair: DovecotPair, tmp_path: Path) -> None:
    line = b"J" * 98 + b"\r\n"
    giants = (Mail(b"Subject: %d\r\n\r\n" % n + line * (60_000_000 // 100), (), None) for n in range(2))
    with Client(dovecot_pair.old.imap_port, dovecot_pair.old_account) as client:
        for giant in giants:
            client.fill("INBOX", [giant])
    ran = _command(dovecot_pair, tmp_path).run("copy", *_urls(dovecot_pair), "--json")
    assert ran.code == 0, ran
    assert ran.peak_mb < 150, ran.peak_mb
    assert differences(*_states(dovecot_pair)) == []
