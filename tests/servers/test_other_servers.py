"""Mailboxes moved from and to servers that are no Dovecot of ours: Cyrus, Courier, other separators and prefixes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.servers import DovecotServer, LocalServer, ServerUnavailableError
from migrator.engine import settle, wrappers
from tests.servers.accounts import Account
from tests.servers.command import Postwagen, Ran, adds_up, url
from tests.servers.fixtures import fresh_account, missing
from tests.servers.mailboxes import COURIER_NAMES, FLAGS, Mail, Multiset, as_it_lies, fill_all, instant, read_all
from tests.servers.others import KINDS, Kind, PatientClient, new_account
from tests.servers.proxy import Direction, FaultProxy
from tests.servers.test_cut_everywhere import moments

pytestmark = pytest.mark.servers

Path_ = tuple[str, ...]
Content = Mapping[Path_, Sequence[Mail]]

GERMAN = {"Gesendet": "Sent", "Entwürfe": "Drafts", "Papierkorb": "Trash", "Spam": "Junk"}
"""Special folders of old_dovecot, and what they are called at new_dovecot."""
PATHS: tuple[Path_, ...] = (
    ("INBOX",),
    *((name,) for name in GERMAN),
    ("Gesendet", "2023"),
    ("Kunden",),
    ("Kunden", "Müller & Söhne"),
    ("Kunden", "Müller & Söhne", "2024", "Größe L"),
)
DATES = ("01-Jan-1980 00:00:00 +0000", "29-Feb-2000 23:59:59 -1200", "31-Dec-1999 23:59:00 +0545")


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A server of that kind; it has `add_user`, and all but Dovecot `set_quota`."""

    kind: Kind
    server: Any


def _mail(number: int, field: str | bytes = b"X-Empty:", body: bytes = b"Guten Tag\r\n") -> Mail:
    head = f"From: a@old.example\r\nMessage-ID: <{number}@test.example>\r\nSubject: {number}\r\n"
    field = field.encode() if isinstance(field, str) else field
    octets = head.encode() + field + b"\r\n\r\n" + body
    return Mail(octets, FLAGS[number % len(FLAGS)], DATES[number % len(DATES)])


def _content() -> dict[Path_, list[Mail]]:
    """Two messages in each folder; and in the inbox twins, and what some servers alter."""
    content = {path: [_mail(10 * at), _mail(10 * at + 1)] for at, path in enumerate(PATHS)}
    content["INBOX",] += [
        content["INBOX",][0],
        _mail(201, body=b"no end of the last line"),
        _mail(202, "X-Utf8: Grüße"),
        _mail(203, "X-Latin1: Grüße".encode("latin-1")),
        _mail(204, body=b"raw \xff\xfe\r\n.\r\n..\r\n" + b"long " * 4000 + b"\r\n"),
    ]
    return content


def _lying(content: Content, name: Callable[..., str], *keeps: Callable[[bytes], bytes]) -> dict[str, Multiset]:
    """What must be found of it: folder → digests, flags, instants. Servers keep octets one after the other."""
    found: dict[str, Multiset] = {}
    for path, mails in content.items():
        found[name(*path)] = Counter()
        for mail in mails:
            octets = mail.octets
            for keep in keeps:
                octets = keep(octets)
            when = instant(mail.date or "")
            found[name(*path)][hashlib.sha256(octets).digest(), frozenset(mail.flags), when] += 1
    return found


def _found(port: int, account: Account) -> dict[str, Multiset]:
    """What is there, empty folders left out."""
    return {name: as_it_lies(content) for name, content in read_all(port, account).items() if content}


def _fill(port: int, account: Account, content: Content, kind: Kind) -> None:
    with PatientClient(port, account) as client:
        for path, mails in content.items():
            client.create(kind.name(*path))
            client.fill(kind.name(*path), mails)


def _at_new_dovecot(*path: str) -> str:
    return "/".join([GERMAN.get(path[0], path[0]), *path[1:]])


def _kinds(ran: Ran) -> Counter[str]:
    return Counter(each["kind"] for each in ran.json["discrepancies"])


def _running(name: str, home: Path) -> Iterator[Running]:
    try:
        server = KINDS[name].start(home)
    except ServerUnavailableError as error:
        missing(error)
    with server:
        yield Running(KINDS[name], server)


@pytest.fixture(scope="session", params=KINDS)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Each kind in its turn."""
    yield from _running(request.param, tmp_path_factory.mktemp("other"))


@pytest.fixture
def cyrus(tmp_path: Path) -> Iterator[Running]:
    """A Cyrus of the test's own."""
    yield from _running("Cyrus with . below the inbox", tmp_path / "cyrus")


@pytest.fixture
def courier(tmp_path: Path) -> Iterator[Running]:
    """A Courier of the test's own."""
    yield from _running("Courier", tmp_path / "courier")


@pytest.fixture(params=["cyrus", "courier"])
def fresh(request: pytest.FixtureRequest) -> Running:
    """One of these."""
    running: Running = request.getfixturevalue(request.param)
    return running


# ------------------------------------------------------------------ everything arrives


def test_from_there_everything_arrives_once_with_flags_and_dates_and_the_source_stays_as_it_was(
    other: Running, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    content, kind = _content(), other.kind
    old = new_account(other.server)
    new = fresh_account(new_dovecot, old.user)
    _fill(other.server.imap_port, old, content, kind)
    before = read_all(other.server.imap_port, old)
    command = Postwagen(tmp_path / "data", old.password, new.password)
    ends = url(other.server, old), url(new_dovecot, new)

    ran = command.call("copy", *ends, "--json")
    assert (ran.code, ran.err, ran.json["warnings"]) == (0, "", []), ran
    assert adds_up(ran.json)
    went = {each["source"]: each["target"] for each in ran.json["folders"] if each["found"]}
    assert went == {kind.name(*path): _at_new_dovecot(*path) for path in content}
    there = _found(new_dovecot.imap_port, new)
    assert there == _lying(content, _at_new_dovecot, kind.keeps)
    again = command.call("copy", *ends, "--json")
    assert (again.code, again.json["messages"]["copied"]) == (0, 0), again
    assert _found(new_dovecot.imap_port, new) == there
    proof = command.call("verify", *ends, "--json", "--level", "digests")
    assert (proof.code, proof.json["discrepancies"]) == (0, []), proof
    assert read_all(other.server.imap_port, old) == before


@pytest.mark.parametrize("source", ["below INBOX.", "with /"])
def test_there_everything_arrives_once_under_its_own_names_and_what_the_server_alters_is_named(
    source: str, other: Running, old_dovecot: DovecotServer, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    content, kind = _content(), other.kind
    from_ = old_dovecot
    here = Kind(KINDS["Courier"].start, "INBOX.", ".")
    if source == "with /":  # its special folders have English names
        from_, here = new_dovecot, Kind(KINDS["Courier"].start, "", "/")
        content = {(GERMAN.get(path[0], path[0]), *path[1:]): mails for path, mails in content.items()}
    old, new = fresh_account(from_), new_account(other.server)
    fill_all(from_.imap_port, old, {here.name(*path): mails for path, mails in content.items()})
    command = Postwagen(tmp_path / "data", old.password, new.password)
    ends = url(from_, old), url(other.server, new)
    altered = sum(kind.keeps(mail.octets) != mail.octets for mails in content.values() for mail in mails)

    ran = command.call("copy", *ends, "--json")
    assert (ran.code, ran.err) == (0, ""), ran
    assert adds_up(ran.json)
    went = {each["source"]: each["target"] for each in ran.json["folders"] if each["found"]}
    assert went == {here.name(*path): kind.name(*path) for path in content}
    there = _found(other.server.imap_port, new)
    assert there == _lying(content, kind.name, kind.keeps)
    assert ["the new server altered a message" in warning for warning in ran.json["warnings"]] == [True] * altered
    again = command.call("copy", *ends, "--json")
    assert (again.code, again.json["messages"]["copied"]) == (0, 0), again
    assert _found(other.server.imap_port, new) == there
    proof = command.call("verify", *ends, "--json", "--level", "digests")
    assert (proof.code, _kinds(proof)) == (bool(altered), {"altered": altered} if altered else {}), proof
    assert not any(name.upper().startswith(("INBOX.INBOX", "INBOX/INBOX")) for name in read_all(from_.imap_port, old))


def test_folders_of_any_name_arrive_under_one_that_the_server_takes(
    fresh: Running, old_dovecot: DovecotServer, tmp_path: Path
) -> None:
    old, new = fresh_account(old_dovecot), new_account(fresh.server)
    names = [*COURIER_NAMES, *(f"INBOX.{name}" for name in ("a;b|c", "<b`c>", "100 %", "a^b", "Other Users", "user"))]
    fill_all(old_dovecot.imap_port, old, {name: [_mail(number)] for number, name in enumerate(names)})
    command = Postwagen(tmp_path / "data", old.password, new.password)
    ends = url(old_dovecot, old), url(fresh.server, new)
    ran = command.call("copy", *ends, "--json")
    assert (ran.code, ran.json["messages"]["copied"]) == (0, len(names)), ran
    assert len({each["target"] for each in ran.json["folders"]}) == len(names)
    there = _found(fresh.server.imap_port, new)
    assert [lying.total() for lying in there.values()] == [1] * len(names)
    again = command.call("copy", *ends, "--json")
    assert (again.code, again.json["messages"]["copied"]) == (0, 0), again
    assert command.call("verify", *ends, "--json").code == 0
    assert _found(fresh.server.imap_port, new) == there


# ------------------------------------------------------------------ what they refuse


def test_cyrus_refuses_what_is_no_mail_by_its_standard_and_each_is_named_and_stops_no_other(
    pymap_server: LocalServer, pymap_account: Account, cyrus: Running, tmp_path: Path
) -> None:
    """The source is one that keeps such octets."""
    bodyless = _mail(7).octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    refused = {
        1: (_mail(1, body=b"a\0b\r\n"), "NUL characters"),
        3: (_mail(3, b"X-Nul: a\0b"), "NUL characters"),
        4: (_mail(4, body=b"a\nb\r\n"), "bare newlines"),
        6: (_mail(6, b"this is no header line"), "invalid header"),
        7: (
            dataclasses.replace(_mail(7), octets=bodyless),
            "invalid header",
        ),
    }
    mails = [refused[number][0] if number in refused else _mail(number) for number in range(20)]
    new = new_account(cyrus.server)
    fill_all(pymap_server.imap_port, pymap_account, {"INBOX": mails})
    command = Postwagen(tmp_path / "data", pymap_account.password, new.password)
    ends = url(pymap_server, pymap_account), url(cyrus.server, new)
    for copied in (20 - len(refused), 0):
        ran = command.call("copy", *ends, "--json")
        assert (ran.code, ran.json["messages"]["copied"], ran.json["messages"]["failed"]) == (1, copied, len(refused))
        told = {each["message_id"]: (each["reason"], each["detail"]) for each in ran.json["failures"]}
        assert told == {
            f"<{number}@test.example>": ("refused", f"Message contains {why}") for number, (_, why) in refused.items()
        }
    good = [mail for number, mail in enumerate(mails) if number not in refused]
    assert _found(cyrus.server.imap_port, new) == _lying({("INBOX",): good}, cyrus.kind.name)


def test_what_courier_alters_is_named_and_arrives(
    pymap_server: LocalServer, pymap_account: Account, courier: Running, tmp_path: Path
) -> None:
    """It keeps NUL; and of CR and LF it makes line ends."""
    bodies = [b"a\0b\r\n", b"a\nb\r\n", b"a\rb\r\n", b"no end", b"plain\r\n"]
    mails = [_mail(number, body=body) for number, body in enumerate(bodies)]
    new = new_account(courier.server)
    fill_all(pymap_server.imap_port, pymap_account, {"INBOX": mails})
    command = Postwagen(tmp_path / "data", pymap_account.password, new.password)
    ends = url(pymap_server, pymap_account), url(courier.server, new)
    ran = command.call("copy", *ends, "--json")
    assert (ran.code, ran.json["messages"]["copied"]) == (0, 5), ran
    assert ["altered a message" in warning for warning in ran.json["warnings"]] == [True, True, True]
    kept = [b"a\0b\r\n", b"a\r\nb\r\n", b"ab\r\n", b"no end\r\n", b"plain\r\n"]
    there = {("INBOX",): [_mail(number, body=body) for number, body in enumerate(kept)]}
    assert _found(courier.server.imap_port, new) == _lying(there, courier.kind.name)
    assert command.call("copy", *ends, "--json").json["messages"]["copied"] == 0
    assert _kinds(command.call("verify", *ends, "--json")) == {"altered": 3}


def test_a_full_mailbox_there_ends_with_6_and_more_quota_completes_it_without_doubles(
    fresh: Running, new_dovecot: DovecotServer, tmp_path: Path
) -> None:
    content = {path: [_mail(20 * at + n, body=b"q" * 98 + b"\r\n") for n in range(9)] for at, path in enumerate(PATHS)}
    content["INBOX",].append(_mail(1000, body=(b"q" * 98 + b"\r\n") * 300))
    old, new = fresh_account(new_dovecot), new_account(fresh.server)
    fill_all(new_dovecot.imap_port, old, {_at_new_dovecot(*path): mails for path, mails in content.items()})
    fresh.server.set_quota(new.user, 20)
    command = Postwagen(tmp_path / "data", old.password, new.password)
    ends = url(new_dovecot, old), url(fresh.server, new)
    full = command.call("copy", *ends, "--json")
    assert (full.code, full.json["error"]["code"], full.json["error"]["end"]) == (6, "target_full", "target"), full
    carried = sum(each.total() for each in _found(fresh.server.imap_port, new).values())
    assert full.json["messages"]["copied"] == carried < len(PATHS) * 9
    fresh.server.set_quota(new.user, 10_000)
    rest = command.call("copy", *ends, "--json")
    assert (rest.code, rest.json["messages"]["copied"]) == (0, len(PATHS) * 9 + 1 - carried), rest
    there = _lying(content, lambda *path: fresh.kind.name(GERMAN.get(path[0], path[0]), *path[1:]))
    assert _found(fresh.server.imap_port, new) == there


@pytest.mark.parametrize("name,end", [("cyrus", "source"), ("cyrus", "target"), ("courier", "target")])
def test_a_wrong_password_there_ends_with_4(
    name: str, end: str, new_dovecot: DovecotServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(name).server
    right, wrong = fresh_account(new_dovecot), new_account(server)
    ends = {"source": url(new_dovecot, right), "target": url(new_dovecot, right), end: url(server, wrong)}
    passwords = {"source": right.password, "target": right.password, end: "not this one"}
    command = Postwagen(tmp_path / "data", passwords["source"], passwords["target"])
    ran = command.call("copy", ends["source"], ends["target"], "--json")
    assert (ran.code, ran.json["error"]["end"]) == (4, end), ran


# ------------------------------------------------------------------ what breaks


@pytest.mark.slow
@pytest.mark.parametrize("direction", list(Direction))
def test_wherever_the_connection_there_is_cut_every_message_arrives_once(
    direction: Direction, fresh: Running, new_dovecot: DovecotServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(wrappers, "DELAYS", (0.01,) * 5)
    nameless = dataclasses.replace(_mail(9), octets="Subject: Grüße\r\n\r\nohne Message-ID".encode())
    content = {("INBOX",): [_mail(0), nameless, _mail(1), _mail(0), nameless], ("Kunden",): [_mail(2), _mail(3)]}
    old = fresh_account(new_dovecot)
    fill_all(new_dovecot.imap_port, old, {_at_new_dovecot(*path): mails for path, mails in content.items()})

    def copied(number: int, cut: int | None) -> tuple[list[int], int]:
        """Copy into a fresh mailbox until it succeeds; moments at which to cut, and how often it was cut."""
        new = new_account(fresh.server)
        command = Postwagen(tmp_path / str(number), old.password, new.password, quiet_seconds=0)
        with FaultProxy("127.0.0.1", fresh.server.imap_port, record=True) as proxy:
            if cut is not None:
                proxy.cut_after(direction, cut)
            codes = [command.call("copy", url(new_dovecot, old), url(proxy, new), "--json", "--quiet").code]
            while codes[-1] and len(codes) < 4:
                codes.append(command.call("copy", url(new_dovecot, old), url(proxy, new), "--json", "--quiet").code)
            there = _found(fresh.server.imap_port, new)
            assert (codes[-1], there) == (0, _lying(content, fresh.kind.name, fresh.kind.keeps)), (cut, codes)
            return (moments(proxy, direction) if cut is None else []), proxy.count("cut")

    everywhere, _ = copied(0, None)
    chosen = everywhere[:: max(1, len(everywhere) // 5)]
    cuts = [copied(number, moment)[1] for number, moment in enumerate(chosen, 1)]
    assert sum(cuts) >= len(chosen) - 2  # the last ones lie where nobody speaks any more
