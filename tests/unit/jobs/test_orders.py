"""Orders: everything that is wrong is said at once, by field, and nothing secret is shown."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.certificates import make_certificate
from migrator.jobs.orders import Invalid, NewJob, check
from tests.making import endpoint, order


def problems(new: NewJob, *networks: str) -> list[tuple[str, str]]:
    try:
        check(new, [ip_network(text) for text in networks])
    except Invalid as error:
        return [(where, code) for where, code, _ in error.problems]
    return []


def test_a_plain_order_is_fine() -> None:
    assert problems(order()) == []


def test_every_problem_of_both_ends_and_of_the_options_is_named_at_once() -> None:
    new = order(
        source=endpoint(protocol="gopher", host="", port=0, user="", password=""),
        target=endpoint("new", security="maybe", auth="magic", address="somewhere", fingerprint="12", ca_pem="x"),
        options={"map": [], "speed": 1},
    )
    assert problems(new) == [
        ("source.protocol", "unknown"),
        ("source.port", "invalid"),
        ("source.host", "missing"),
        ("source.user", "missing"),
        ("source.password", "missing"),
        ("target.security", "unknown"),
        ("target.auth", "unknown"),
        ("target.address", "invalid"),
        ("target.fingerprint", "invalid"),
        ("target.ca_pem", "invalid"),
        ("options.map", "invalid"),
        ("options.speed", "unknown"),
    ]


@pytest.mark.parametrize(
    "host", ["mail.example.org", "mail.example.org.", "bücher.example", "localhost", "a_b.example", "2001:4860::8888"]
)
def test_these_are_hosts(host: str) -> None:
    assert problems(order(source=endpoint(host=host))) == []


@pytest.mark.parametrize(
    "host", ["-a.example", "a..b", "a b", "mail.example/x", "user@host", "1.2.3", "x" * 64 + ".example", "a" * 300]
)
def test_these_are_none(host: str) -> None:
    assert problems(order(source=endpoint(host=host))) == [("source.host", "invalid")]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1"],
)
def test_addresses_that_lead_inside_are_refused_as_host_and_as_pin_unless_allowed(address: str) -> None:
    assert problems(order(source=endpoint(host=address))) == [("source.host", "forbidden")]
    assert problems(order(source=endpoint(address=address))) == [("source.address", "forbidden")]
    everything = ("0.0.0.0/0", "::/0")
    assert problems(order(source=endpoint(host=address, port=10143)), *everything) == []


def test_outside_allowed_networks_only_mail_ports_may_be_used() -> None:
    assert problems(order(source=endpoint(port=6379))) == [("source.port", "forbidden")]
    assert problems(order(source=endpoint(host="8.8.8.8", port=6379))) == [("source.host", "forbidden")]
    assert problems(order(source=endpoint(port=10143)), "10.0.0.0/8") == [], "where it leads is judged at connecting"


def test_one_account_is_not_copied_onto_itself_but_a_pinned_address_is_another_server() -> None:
    same = endpoint("old", host="Mail.Old.Example.")
    assert problems(order(target=same)) == [("target.host", "same_account")]
    assert problems(order(source=endpoint("old", address="8.8.8.8"), target=same)) == []


@pytest.mark.parametrize("password", ["two\nlines", "nul\0", "x" * 5000])
def test_a_password_that_cannot_be_one_is_refused_without_being_shown(password: str) -> None:
    new = order(source=endpoint(password=password))
    with pytest.raises(Invalid) as caught:
        check(new, [])
    assert caught.value.problems[0][0] == "source.password"
    assert password not in str(caught.value) + repr(caught.value.problems) + repr(new)


@pytest.mark.parametrize(
    "options, fine",
    [
        ({"map": {"A": "B"}, "include": ["*"], "exclude": [], "under": "Alt", "dry_run": True}, True),
        ({"connections": 4, "max_octets": 1, "recreated": "keep", "level": "counts"}, True),
        ({"connections": True}, False),
        ({"connections": 17}, False),
        ({"include": "*"}, False),
        ({"map": {"A": ""}}, False),
        ({"recreated": "ask"}, False),
    ],
)
def test_options_are_judged_one_by_one(options: dict[str, Any], fine: bool) -> None:
    assert (problems(order(options=options)) == []) == fine


def test_a_certificate_authority_in_pem_is_fine(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path, ["mail.old.example"]).cafile.read_text()
    assert problems(order(source=endpoint(ca_pem=pem))) == []
