"""The embedded broker: a Redis made of Python, in a process of its own, on loopback, in memory.

It knows no passwords. Whoever may connect to loopback could put job ids into the queue, or take some out; both do
nothing but have a worker look at a row, so this is for one machine and its owner. Production names a real Redis.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Final

from fakeredis import TcpFakeServer
from fakeredis._clients import _tcp_server
from redis.exceptions import ResponseError

LOOPBACK: Final = "127.0.0.1"
_LOOK_SECONDS: Final = 0.05
"""How often an idle connection is looked after; fakeredis's own 0.01 costs an idle machine 5 % of a core."""


class _Handler(_tcp_server.TCPFakeRequestHandler):
    """One client's connection, with two habits of fakeredis put right."""

    disable_nagle_algorithm = True
    """Else every exchange waits 45 ms for an acknowledgement."""

    def setup(self) -> None:
        """An error is an answer. fakeredis hangs up after it, so that every worker's start met a lost connection:
        Celery first tries a script by its hash, and is told that there is none."""
        super().setup()
        read = self.current_client.read_response

        def read_or_error(*given: Any, **named: Any) -> Any:
            try:
                return read(*given, **named)
            except ResponseError as error:
                return error

        self.current_client.read_response = read_or_error  # type: ignore[method-assign]  # this is the patch


def serve(port: int, ready: int | None) -> None:
    """Serve until SIGTERM. Port 0: any free one. `ready` is a descriptor that the port is written to, then closed."""
    _tcp_server._POLL_INTERVAL = _LOOK_SECONDS  # noqa: SLF001 - without this name it is only less thrifty
    server = TcpFakeServer((LOOPBACK, port), server_type="redis")
    server.RequestHandlerClass = _Handler
    server.daemon_threads = True
    server.block_on_close = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()  # it waits for serve_forever, which we are in

    signal.signal(signal.SIGTERM, stop)
    if ready is not None:
        os.write(ready, f"{server.server_address[1]}\n".encode())
        os.close(ready)
    with server:
        server.serve_forever(poll_interval=1.0)
