"""Where an account's other protocol may be: the same host, or the usual name beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from migrator.sessions.endpoint import MECHANISMS, PORTS, Endpoint

OTHER: Final = {"imap": "pop3", "pop3": "imap"}
_NAMES: Final = {"imap": ("imap",), "pop3": ("pop", "pop3")}
"""How providers name the hosts of a protocol."""
_SECURE: Final = ("tls", "starttls")


def siblings(end: Endpoint) -> Iterator[Endpoint]:
    """Endpoints to try for the other protocol, the likeliest first; none where our credential is a token only for this.

    Clear text only where the given end is in clear text by name, and only at its own host. Pinned address, CA and
    certificate are trusted for the same host only; where an address is pinned no other name is asked at all, for it may
    lead to the new server by now.
    """
    if end.protocol not in OTHER or end.auth == "xoauth2":
        return
    protocol = OTHER[end.protocol]
    for host in _hosts(end, protocol):
        same = host == end.host
        for security in (*_SECURE, *(["none"] if same and end.security == "none" else [])):
            yield replace(
                end,
                protocol=protocol,
                host=host,
                port=PORTS[protocol, security],
                security=security,
                auth=end.auth if end.auth in MECHANISMS[protocol] else "",
                ca_pem=end.ca_pem if same else None,
                fingerprint=end.fingerprint if same else None,
            )


def _hosts(end: Endpoint, protocol: str) -> Iterator[str]:
    first, dot, rest = end.host.partition(".")
    if dot and rest and not end.address and not _is_address(end.host) and first.lower() in _NAMES[end.protocol]:
        yield from (f"{name}.{rest}" for name in _NAMES[protocol])
    yield end.host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
