"""What goes wrong at the other end, through the service: the state, one clear sentence, and the way on."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.certificates import Certificate, make_certificate
from tests.servers.fixtures import Account, DovecotPair, StartDovecot, fresh_account
from tests.servers.impostors import Impostor
from tests.servers.mailboxes import Client, Mail, fill_all, until
from tests.servers.proxy import Direction, FaultProxy
from tests.service.callers import Script, Staff, endpoint, script
from tests.service.mail import arrived, fill, giant, unequal
from tests.service.product import SHORT, Product

pytestmark = pytest.mark.servers

EMAIL, PASSWORD = "jana.petersen@hoster.example", "wagen rot sieben"


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A running `serve`, a program and a person."""

    product: Product
    caller: Script
    staff: Staff


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all these tests."""
    with Product(tmp_path_factory.mktemp("errors"), SHORT) as product:
        product.made("user", "create", EMAIL, "--password-file", "-", stdin=PASSWORD)
        product.serve()
        staff = Staff(product.url, EMAIL, PASSWORD)
        assert staff.log_in() == 200
        yield Service(product, script(product), staff)


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A source that is wrong, and what must be said of it."""

    door: dict[str, Any]
    code: str
    says: str
    helps: str


@pytest.fixture
def doors(dovecot_pair: DovecotPair, tmp_path: Path) -> Iterator[dict[str, Case]]:
    """A street of bad doors, by what is wrong with them."""
    certificates = {name: tmp_path / name for name in ("expired", "other")}
    for directory in certificates.values():
        directory.mkdir()
    expired = make_certificate(certificates["expired"], ["localhost"], expired=True)
    other = make_certificate(certificates["other"], ["mail.other.example"])
    good = endpoint(dovecot_pair.old, dovecot_pair.old_account)
    with ExitStack() as stack:

        def showing(certificate: Certificate) -> dict[str, Any]:
            impostor = stack.enter_context(Impostor(b"* OK hello\r\n", {}, certificate=certificate))
            return {**good, "port": impostor.port, "ca_pem": certificate.cafile.read_text()}

        smtp = stack.enter_context(Impostor(b"220 mx.old.example ESMTP Postfix\r\n"))
        nowhere = {**good, "host": "no-such-host.invalid", "address": None, "port": 993}
        yield {
            "wrong password": Case({**good, "password": "x"}, "login_refused", "user and password", "app password"),
            "unknown host": Case(nowhere, "host_unknown", "unknown", "spelling"),
            "no IMAP": Case({**good, "port": smtp.port, "security": "none"}, "wrong_protocol", "speaks no IMAP", "993"),
            "expired": Case(showing(expired), "tls_expired", "has expired", "renewed"),
            "another name": Case(showing(other), "tls_wrong_host", "another name", "fingerprint"),
            "no TLS": Case({**good, "port": dovecot_pair.old.imap_port}, "wrong_protocol", "speaks no TLS", "993"),
        }


def test_every_bad_door_blocks_the_job_with_one_sentence_and_a_remedy_in_the_api_and_on_the_page(
    service: Service, doors: dict[str, Case], dovecot_pair: DovecotPair
) -> None:
    target = endpoint(dovecot_pair.new, dovecot_pair.new_account)
    numbers = {name: service.caller.order(case.door, target) for name, case in doors.items()}
    titles: set[str] = set()
    for name, case in doors.items():
        error = service.caller.wait(numbers[name], "blocked", within=40)["error"]
        assert (error["code"], error["end"]) == (case.code, "source"), (name, error)
        assert re.search(case.says, error["message"]), (name, error)
        assert re.search(case.helps, error["remedy"]), (name, error)
        assert re.fullmatch(r"[^!?]+\.", error["message"]), (name, error)
        assert ". " not in error["message"], (name, error)
        titles.add(_title(service.staff, numbers[name]))
        assert service.caller.tell(numbers[name], "cancel")["state"] == "cancelled"
    assert len(titles) == len({case.code for case in doors.values()}), titles
    assert "Something went wrong" not in titles
    assert arrived(dovecot_pair) == 0


def _title(staff: Staff, number: int) -> str:
    """What the page says happened."""
    found = re.search(r'<h2 id="error-title">(.+?)</h2>', staff.page(f"/jobs/{number}"))
    assert found, "no card for the error"
    return html.unescape(found[1])


def test_a_server_that_is_away_is_waited_for_and_the_job_goes_on_by_itself(
    service: Service, dovecot_pair: DovecotPair, target_proxy: FaultProxy
) -> None:
    pair, caller = dovecot_pair, service.caller
    fill(pair.old, pair.old_account, 20)
    target_proxy.refuse(True, listening=False)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account))
    until(lambda: caller.job(number)["waiting_until"] is not None)
    job = caller.job(number)
    assert (job["state"], job["error"]["code"], job["error"]["end"]) == ("queued", "connect_refused", "target")
    assert "refuses connections" in job["error"]["message"]
    assert _title(service.staff, number)
    target_proxy.refuse(False)
    assert caller.finish(number, within=30)["error"] is None
    assert unequal(pair) == []


def test_a_full_mailbox_blocks_the_job_and_room_lets_it_finish_without_doubles(
    service: Service, dovecot_pair: DovecotPair, dovecot: StartDovecot
) -> None:
    caller, full = service.caller, dovecot(quota_storage="3M")
    pair = dataclasses.replace(dovecot_pair, new=full, new_account=fresh_account(full, dovecot_pair.old_account.user))
    fill_all(full.imap_port, pair.new_account, {"Junk": [giant(2)]})
    small, large = giant(0, seed=1), [Mail(giant(0, seed=n).octets + b"Umzug " * 20_000) for n in range(20)]
    fill_all(pair.old.imap_port, pair.old_account, {"INBOX": [small] * 5, "INBOX.Kunden": large})
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(full, pair.new_account))
    for _ in range(2):
        job = caller.wait(number, "blocked", within=40)
        assert (job["error"]["code"], job["error"]["end"]) == ("target_full", "target"), job["error"]
        assert "quota" in job["error"]["remedy"]
        assert "full" in _title(service.staff, number)
        copied = job["messages"]["copied"]
        assert 5 <= copied < 25, job
        assert arrived(pair) == copied + 1, "what lay there, and what the job says it copied"
        caller.tell(number, "retry")
    caller.wait(number, "blocked", within=40)
    with Client(full.imap_port, pair.new_account) as customer:
        customer.delete("Junk", "1:*")
    caller.tell(number, "retry")
    job = caller.finish(number)
    assert job["messages"]["found"] == job["messages"]["copied"] == 25, job
    assert unequal(pair) == []


def test_a_password_that_is_changed_meanwhile_blocks_the_job_and_the_new_one_lets_it_finish_without_doubles(
    service: Service, dovecot_pair: DovecotPair, target_proxy: FaultProxy
) -> None:
    pair, caller, staff = dovecot_pair, service.caller, service.staff
    fill(pair.old, pair.old_account, 200, large=100)
    target_proxy.rate(5_000_000, ahead=200_000)
    number = caller.order(endpoint(pair.old, pair.old_account), endpoint(target_proxy, pair.new_account))
    until(lambda: b"APPENDUID" in target_proxy.recorded(Direction.DOWN))
    pair.new.add_user(pair.new_account.user, "another one")
    target_proxy.cut()
    job = caller.wait(number, "blocked", within=40)
    assert (job["error"]["code"], job["error"]["end"]) == ("login_refused", "target"), job["error"]
    assert 0 < job["messages"]["copied"] < 200, job
    target_proxy.rate(None)
    assert staff.post(f"/jobs/{number}/password", {"target": "another one"}, form=f"/jobs/{number}")[0] == 200
    job = caller.finish(number)
    assert job["messages"]["found"] == 200 == job["messages"]["copied"] + job["messages"]["already_there"], job
    pair = dataclasses.replace(pair, new_account=Account(pair.new_account.user, "another one"))
    assert unequal(pair) == []
