"""Addresses that lead inside are refused, however they are dressed (traps.md, P)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sessions.guard import MAIL_PORTS, allowed, innermost, is_public

INSIDE = (
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "239.1.2.3", "240.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1",
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
)  # fmt: skip
OUTSIDE = ("8.8.8.8", "193.99.144.80", "2a02:2e0:3fe:1001:7777:772e:2:85", "2606:4700::1111", "::ffff:8.8.8.8",
           "64:ff9b::808:808", "2002:808:808::1")  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_an_inner_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not allowed(text, 993, [])


@pytest.mark.parametrize("text", OUTSIDE)
def test_an_address_of_the_open_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert allowed(text, 993, [])


@pytest.mark.parametrize("port", [0, 22, 25, 80, 443, 2143, 6379, 65535])
def test_public_addresses_are_reached_on_mail_ports_only(port: int) -> None:
    assert not allowed("8.8.8.8", port, [])


@pytest.mark.parametrize("port", sorted(MAIL_PORTS))
def test_every_mail_port_of_a_public_address_may_be_reached(port: int) -> None:
    assert allowed("8.8.8.8", port, [])


def test_an_allowed_network_may_be_reached_on_any_port_and_nothing_beside_it() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]
    assert allowed("10.1.2.3", 12345, networks)
    assert allowed("::ffff:10.1.2.3", 12345, networks)
    assert allowed("fd00:1::5", 12345, networks)
    assert not allowed("10.2.2.3", 993, networks)
    assert not allowed("fd00:2::5", 993, networks)


def test_a_zone_changes_nothing() -> None:
    assert not allowed("fe80::1%eth0", 993, [])
    assert allowed("fe80::1%eth0", 993, [ip_network("fe80::/10")])


@given(st.ip_addresses(v=4))
def test_an_inner_ipv4_address_stays_inside_in_every_dress(address: IPv4Address) -> None:
    number = int(address)
    dressed = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
        IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]
    if number > 0xFFFF:
        dressed.append(IPv6Address(number))
    for item in dressed:
        assert innermost(item) == address
        assert is_public(item) == is_public(address)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    if not innermost(address).is_global:
        assert not is_public(address)
