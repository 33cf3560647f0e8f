"""Clients that are simpler than any library, for what a library would hide."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

from tests.servers.fixtures import Account


@contextlib.contextmanager
def logged_in(port: int, account: Account, trust: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    """A connection that has logged in, and whose octets we write ourselves."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        if trust is not None:
            client = stack.enter_context(trust.wrap_socket(client, server_hostname="localhost"))
        client.sendall(b"a1 LOGIN %b %b\r\n" % (account.user.encode(), account.password.encode()))
        said = b""
        while b"a1 OK" not in said or not said.endswith(b"\r\n"):
            fresh = client.recv(4096)
            assert fresh, said
            said += fresh
        yield client
