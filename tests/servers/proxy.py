"""A loopback TCP proxy that can be told, while it runs, exactly how to misbehave.

It works on octets, so TLS passes through; only what looks for patterns, verbs or lines needs `security=none`. Faults
count for each connection by itself from the moment they are armed, and are used up after `times` connections (1), so
that the client's next connection is a good one. Nothing here sleeps except for the delays that were asked for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import threading
from collections.abc import Callable
from typing import Self

from tests.servers.commands import commands
from tests.servers.faults import Act, AtCommand, CutAfter, CutWhen, Direction, Fault
from tests.servers.lanes import Circumstances, Connection

__all__ = ["Direction", "FaultProxy", "Recording"]

_LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(slots=True)
class Recording:
    """What came in on one connection, in order, whether it was passed on or not."""

    number: int
    up: bytearray = dataclasses.field(default_factory=bytearray)
    down: bytearray = dataclasses.field(default_factory=bytearray)

    def commands(self) -> list[tuple[bytes, bytes]]:
        """Verb (`UID FETCH` is one) and first line of every IMAP command; message texts are none."""
        return commands(bytes(self.up))


class FaultProxy:
    """Listens on `host`:`port` and passes on to the upstream server. Use it as a context manager.

    Every method may be called from any thread at any time and has taken effect when it returns.
    """

    host = _LOOPBACK

    def __init__(self, upstream_host: str, upstream_port: int, *, record: bool = False) -> None:
        self.upstream = (upstream_host, upstream_port)
        self.recordings: list[Recording] = []
        self._record = record
        self._here = Circumstances()
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._serving: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._listener = _listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    # -------------------------------------------------------------- faults that wait for their moment

    def cut_after(self, direction: Direction, octets: int, *, times: int = 1) -> None:
        """Close both sides after exactly `octets` more octets in that direction."""
        self._arm(CutAfter(direction, octets, times))

    def cut_when(
        self, direction: Direction, pattern: bytes, *, after: bool = False, nth: int = 1, times: int = 1
    ) -> None:
        """Close both sides before (or after) passing on the nth `pattern` in that direction.

        Before: octets that may begin the pattern wait until that is decided.
        """
        self._arm(CutWhen(direction, pattern, after=after, nth=nth, times=times))

    def zombie(self, delay: float, *, at: bytes | None = None, nth: int = 1, times: int = 1) -> None:
        """Cut the client off, and deliver to the server what it had sent only `delay` seconds later.

        `at=b"APPEND"`: when the nth such command has come in completely. Nothing of it was passed on before, except
        what the client needs an answer to (up to its last synchronising literal). Without `at`: now, on all
        connections; `freeze(Direction.UP)` before makes that exact, also with TLS. The connection to the server stays
        open for the delay, then the octets go, then it is closed once the server has read them.
        Events: `zombie` when the client is off, `delivered` when the server is done.
        """
        if at is not None:
            self._arm(AtCommand(at, Act.ZOMBIE, nth=nth, times=times, delay=delay))
        else:
            self._end_all("zombie", delay)

    def swallow_reply(self, at: bytes, *, nth: int = 1, times: int = 1) -> None:
        """Pass the nth command with the verb `at` on, but nothing that comes back; cut when its tagged reply came.

        Event: `swallowed`.
        """
        self._arm(AtCommand(at, Act.SWALLOW, nth=nth, times=times))

    def rewrite(self, direction: Direction, pattern: bytes, replacement: bytes) -> None:
        """Replace the regular expression in every line of that direction from now on (message texts included).

        Unfinished lines wait for their end.
        """
        self._do(lambda: self._here.rewrites[direction].append((re.compile(pattern), replacement)))

    def disarm(self) -> None:
        """Forget all faults of the above kind, and every rewriting."""

        def now() -> None:
            for rules in self._here.rewrites.values():
                rules.clear()
            for fault in list(self._here.faults):
                self._here.drop(fault)
            self._here.nudge()

        self._do(now)

    # -------------------------------------------------------------- states

    def freeze(self, direction: Direction | None = None, *, reading: bool = True) -> None:
        """Pass nothing on (in that direction), with all connections left open; new ones are accepted and stay mute.

        Octets are still taken in (see `held`) unless `reading` is False: then the sender's own buffers fill up.
        """

        def now() -> None:
            for way in [direction] if direction else Direction:
                self._here.thawed[way].clear()
                if not reading:
                    self._here.reading[way].clear()

        self._do(now)

    def thaw(self) -> None:
        """Pass on again, first of all what was held."""

        def now() -> None:
            for event in (*self._here.thawed.values(), *self._here.reading.values()):
                event.set()

        self._do(now)

    def latency(self, seconds: float) -> None:
        """Pass on every octet this much later, in both directions, without limiting the flow."""
        self._do(lambda: setattr(self._here, "latency", seconds))

    def rate(self, octets_per_second: float | None, *, ahead: int | None = None) -> None:
        """Limit the flow of each connection in each direction; None lifts the limit.

        With `ahead` no more than about so many octets are taken in before they are passed on: the sender feels it.
        """

        def now() -> None:
            self._here.rate, self._here.ahead = octets_per_second, ahead
            for connection in self._here.connections:
                for lane in connection.lanes.values():
                    lane.look_for_room()

        self._do(now)

    def refuse(self, refusing: bool, *, listening: bool = True) -> None:
        """Refuse new connections: accept and close them at once (event `refused`).

        Without `listening` not even that: the client sees "connection refused".
        """

        def now() -> None:
            self._refusing = refusing
            if refusing and not listening:
                self._stop_listening()
            elif not refusing and self._accepting is None:
                self._listener = _listen(self.port)
                self._accepting = self._loop.create_task(self._accept())

        self._do(now)

    def cut(self) -> None:
        """Close all connections now, octets held back included."""
        self._end_all("cut")

    # -------------------------------------------------------------- looking

    def held(self, direction: Direction) -> int:
        """Octets taken in but not yet passed on, on all connections."""
        with self._here.news:
            return self._here.held[direction]

    def wait_held(self, direction: Direction, octets: int, *, timeout: float = 10.0) -> None:
        """Return as soon as at least so many octets are held back; TimeoutError else."""
        self._wait(lambda: self._here.held[direction] >= octets, timeout, f"{octets} octets held")

    def count(self, event: str) -> int:
        """How often it happened: `connected`, `refused`, `cut`, `zombie`, `delivered`, `swallowed`, `closed`."""
        with self._here.news:
            return self._here.counts[event]

    def wait_for(self, event: str, *, count: int = 1, timeout: float = 10.0) -> None:
        """Return as soon as it has happened `count` times since the proxy began; TimeoutError else."""
        self._wait(lambda: self._here.counts[event] >= count, timeout, f"{count} times {event}")

    def recorded(self, direction: Direction) -> bytes:
        """All octets that came in that way, connection after connection (needs `record=True`)."""
        parts = [each.up if direction is Direction.UP else each.down for each in self.recordings]
        return b"".join(bytes(part) for part in parts)

    def commands(self) -> list[tuple[bytes, bytes]]:
        """Verb and first line of every IMAP command on all connections (needs `record=True`)."""
        return [command for each in self.recordings for command in each.commands()]

    # -------------------------------------------------------------- life

    def stop(self) -> None:
        """Close everything. May be called again."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -------------------------------------------------------------- between the threads

    def _do(self, action: Callable[[], object]) -> None:
        """Run it in the proxy's own thread and wait for it."""

        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _arm(self, fault: Fault) -> None:
        def now() -> None:
            self._here.faults.append(fault)
            for connection in self._here.connections:
                connection.lanes[fault.direction].add(fault)

        self._do(now)

    def _end_all(self, fate: str, delay: float = 0.0) -> None:
        def now() -> None:
            for connection in list(self._here.connections):
                connection.end(fate, delay)

        self._do(now)

    def _wait(self, reached: Callable[[], bool], timeout: float, what: str) -> None:
        with self._here.news:
            if not self._here.news.wait_for(reached, timeout):
                raise TimeoutError(f"not seen within {timeout} s: {what}; seen: {dict(self._here.counts)}")

    # -------------------------------------------------------------- in the proxy's own thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        self._stop_listening()
        for task in self._serving:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._serving, return_exceptions=True))
        self._loop.close()

    def _stop_listening(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            self._accepting = None
            self._loop.remove_reader(self._listener)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            if self._refusing:
                client.close()
                self._here.happened("refused")
                continue
            task = self._loop.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        upstream = socket.socket()
        upstream.setblocking(False)
        with client, upstream:
            try:
                await self._loop.sock_connect(upstream, self.upstream)
            except OSError:
                self._here.happened("refused")
                return
            for each in (client, upstream):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self._here, client, upstream, self._recording())
            for fault in self._here.faults:
                connection.lanes[fault.direction].add(fault)
            self._here.connections.append(connection)
            self._here.happened("connected")
            try:
                await connection.run()
            finally:
                self._here.connections.remove(connection)

    def _recording(self) -> Callable[[Direction], bytearray | None]:
        if not self._record:
            return lambda _way: None
        recording = Recording(len(self.recordings))
        self.recordings.append(recording)
        return lambda way: recording.up if way is Direction.UP else recording.down


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(128)
    listener.setblocking(False)
    return listener
