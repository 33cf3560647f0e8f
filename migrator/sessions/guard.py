"""Which addresses the service may connect to (traps.md, P). Pure.

`ipaddress`'s `is_global` is true for several addresses that lead inside: those are unwrapped, and the inner one is
judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAIL_PORTS = frozenset({110, 143, 993, 995})
"""On public addresses only these; inside allowed networks any port."""

_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = IPv6Network("::/96")
_SITE_LOCAL = IPv6Network("fec0::/10")


def innermost(address: Address) -> Address:
    """The address that a packet really reaches: unwraps mapped, compatible, NAT64, 6to4 and Teredo addresses."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether the address belongs to the open internet, and only there."""
    inner = innermost(address)
    if isinstance(inner, IPv6Address) and (inner in _SITE_LOCAL or inner in _LOCAL_NAT64):
        return False
    return inner.is_global and not (inner.is_multicast or inner.is_reserved or inner.is_unspecified)


def allowed(text: str, port: int, networks: Sequence[Network]) -> bool:
    """Whether the service may connect there: a public address on a mail port, or any port in an allowed network."""
    address = innermost(ip_address(text.partition("%")[0]))
    if any(address.version == network.version and address in network for network in networks):
        return True
    return is_public(ip_address(text.partition("%")[0])) and port in MAIL_PORTS
