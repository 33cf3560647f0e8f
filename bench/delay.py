"""A long line: passes octets on, each so many milliseconds after they came. A process of its own.

    python -m bench.delay PORT MILLISECONDS    listens on 127.0.0.1, prints its port, until standard input ends

Each direction holds octets back for half of the round trip; how many are on their way is bounded as by a large TCP
window, so bandwidth is not what is measured. (The kernels of test machines have no netem.)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RECEIVE = 256 * 1024
ON_THE_WAY = 256
"""So many pieces at most."""


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](ON_THE_WAY)

    async def take() -> None:
        while octets := await reader.read(RECEIVE):
            await pieces.put((loop.time() + seconds, octets))
        await pieces.put((loop.time() + seconds, b""))

    async def give() -> None:
        while True:
            due, octets = await pieces.get()
            await asyncio.sleep(due - loop.time())
            if not octets:
                return
            writer.write(octets)
            await writer.drain()

    with contextlib.suppress(ConnectionError):
        await asyncio.gather(take(), give())
    writer.close()


async def _serve(port: int, seconds: float) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, limit=RECEIVE)
        for end in (writer, there_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        there = _pass_on(reader, there_writer, seconds / 2)
        with contextlib.suppress(asyncio.CancelledError):  # the end of all
            await asyncio.gather(there, _pass_on(there_reader, writer, seconds / 2))

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, limit=RECEIVE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def far_away(port: int, milliseconds: int) -> Iterator[int]:
    """The port behind which `port` of this machine is so far away (round trip)."""
    command = [sys.executable, "-m", "bench.delay", str(port), str(milliseconds)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(30)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]) / 1000))
