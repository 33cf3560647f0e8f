"""One connection through a `FaultProxy`: two lanes of octets, each with a reader and a deliverer.

Everything here runs in the proxy's own thread. Sockets are written by `send`, not by a stream's buffer, so that the
count of what went on is exact at every moment.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import re
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from tests.servers.commands import CommandStream
from tests.servers.faults import Act, AtCommand, Direction, Fault, Verdict, View, Watch

_CHUNK = 65_536
_STEPS_PER_SECOND = 20
_SERVER_MAY_THINK = 15.0


class Circumstances:
    """What all connections of one proxy share. Counters may be read from any thread, under `news`."""

    def __init__(self) -> None:
        self.thawed = {way: asyncio.Event() for way in Direction}
        self.reading = {way: asyncio.Event() for way in Direction}
        for event in (*self.thawed.values(), *self.reading.values()):
            event.set()
        self.latency = 0.0
        self.rate: float | None = None
        self.ahead: int | None = None
        self.rewrites: dict[Direction, list[tuple[re.Pattern[bytes], bytes]]] = {way: [] for way in Direction}
        self.faults: list[Fault] = []
        self.connections: list[Connection] = []
        self.news = threading.Condition()
        self.counts: collections.Counter[str] = collections.Counter()
        self.held: collections.Counter[Direction] = collections.Counter()

    def happened(self, event: str) -> None:
        with self.news:
            self.counts[event] += 1
            self.news.notify_all()

    def hold(self, direction: Direction, octets: int) -> None:
        """So many octets more (or fewer) are inside the proxy."""
        with self.news:
            self.held[direction] += octets
            self.news.notify_all()

    def use(self, fault: Fault) -> bool:
        """Take one use of the fault; False if other connections took them all."""
        if fault.left <= 0:
            return False
        fault.left -= 1
        if not fault.left:
            self.drop(fault)
        return True

    def drop(self, fault: Fault) -> None:
        """Nobody holds anything back for this fault any longer."""
        fault.left = 0
        if fault in self.faults:
            self.faults.remove(fault)
        self.nudge()

    def nudge(self) -> None:
        """Let every lane look again at what it holds."""
        for connection in self.connections:
            for lane in connection.lanes.values():
                lane.queue.put_nowait((0.0, b""))


@dataclasses.dataclass(slots=True)
class _Decided:
    verdict: Verdict
    watch: Watch


class Lane:
    """One direction of one connection."""

    def __init__(self, connection: Connection, direction: Direction, record: bytearray | None) -> None:
        self.connection = connection
        self.here = connection.here
        self.direction = direction
        up = direction is Direction.UP
        self.sender, self.receiver = (
            (connection.client, connection.upstream) if up else (connection.upstream, connection.client)
        )
        self.queue: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        self.view = View()
        self.over = False
        self.swallowing: bytes | None = None
        self._commands = CommandStream() if up else None
        self._record = record
        self._at_hand = b""
        self._partial = b""
        self._dropped = b""
        self._watches: list[Watch] = []
        self._decided: list[_Decided] = []
        self._held = 0
        self._room = asyncio.Event()
        self._room.set()

    def add(self, fault: Fault) -> None:
        self._watches.append(fault.watch(self.view))

    def hold(self, octets: int) -> None:
        self._held += octets
        self.here.hold(self.direction, octets)
        self.look_for_room()

    def look_for_room(self) -> None:
        """Whether more may be taken in."""
        if self.here.ahead is None or self._held < self.here.ahead:
            self._room.set()
        else:
            self._room.clear()

    def left(self) -> bytes:
        """All that came in and did not go on; also what the kernel still has for us. Ends the accounting."""
        rest = [bytes(self.view.waiting), self._partial, self._at_hand]
        while not self.queue.empty():
            rest.append(self.queue.get_nowait()[1] or b"")
        with contextlib.suppress(OSError):
            while fresh := self.sender.recv(_CHUNK):
                self.note(fresh)
                rest.append(fresh)
        self.hold(-self._held)
        return b"".join(rest)

    def note(self, octets: bytes) -> None:
        if self._record is not None:
            self._record += octets

    async def read(self) -> None:
        """Take in what the sender sends, until it ends."""
        loop = asyncio.get_running_loop()
        while True:
            await self.here.reading[self.direction].wait()
            await self._room.wait()
            octets = await loop.sock_recv(self.sender, _CHUNK)
            due = loop.time() + self.here.latency if self.here.latency else 0.0
            if not octets:
                self.queue.put_nowait((due, None))
                return
            self.note(octets)
            self.hold(len(octets))
            self.queue.put_nowait((due, octets))

    async def deliver(self) -> None:
        """Pass on what was taken in, as the circumstances and the faults allow."""
        while not self.connection.ended:
            due, octets = await self.queue.get()
            self._at_hand = octets or b""
            await self.here.thawed[self.direction].wait()
            if due and (wait := due - asyncio.get_running_loop().time()) > 0:
                await asyncio.sleep(wait)
            self._at_hand = b""
            if octets is None:
                self._take(self._partial)
                await self._send(len(self.view.waiting))
                self.receiver.shutdown(socket.SHUT_WR)
                self.over = True
                self.connection.lane_over()
                return
            if self.swallowing is not None:
                self._swallow(octets)
                continue
            self._take(self._rewritten(octets))
            await self._pass_on()

    def _rewritten(self, octets: bytes) -> bytes:
        rules = self.here.rewrites[self.direction]
        text, self._partial = self._partial + octets, b""
        if not rules:
            return text
        whole, end, self._partial = text.rpartition(b"\n")
        lines = (whole + end).splitlines(keepends=True)
        for pattern, replacement in rules:
            lines = [pattern.sub(replacement, line) for line in lines]
        changed = b"".join(lines)
        self.hold(len(changed) - len(whole + end))
        return changed

    def _take(self, octets: bytes) -> None:
        self.view.waiting += octets
        if self._commands is not None:
            self.view.pieces.extend(self._commands.feed(octets))
            self.view.line_start = self._commands.position

    async def _pass_on(self) -> None:
        while True:
            upto, decided = self._verdict()
            if decided is not None and decided.verdict.act is Act.SWALLOW and decided.watch.fault.left > 0:
                self.connection.swallow(decided.verdict.tag)  # before the server can answer
            await self._send(upto - self.view.offset)
            if decided is None:
                return
            self._decided.remove(decided)
            if self.here.use(decided.watch.fault) and self._act(decided):
                return

    def _act(self, decided: _Decided) -> bool:
        """Whether that was the end of this lane."""
        fault = decided.watch.fault
        if decided.verdict.act is Act.CUT:
            self.connection.end("cut")
        elif decided.verdict.act is Act.ZOMBIE and isinstance(fault, AtCommand):
            self.connection.end("zombie", fault.delay)
        else:
            return False
        return True

    def _verdict(self) -> tuple[int, _Decided | None]:
        """Up to where octets may go now, and what is to be done there."""
        self._watches = [watch for watch in self._watches if watch.fault.left > 0]
        self._decided = [each for each in self._decided if each.watch.fault.left > 0]
        limits = [self.view.end]
        for watch in list(self._watches):
            verdict = watch.look(self.view)
            if verdict.act is Act.NOTHING:
                limits.append(verdict.upto)
            else:
                self._watches.remove(watch)
                self._decided.append(_Decided(verdict, watch))
        first = min(self._decided, key=lambda each: each.verdict.upto, default=None)
        if first is None or first.verdict.upto > min(limits):
            return max(min(limits), self.view.offset), None
        return max(first.verdict.upto, self.view.offset), first

    async def _send(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        while count > 0:
            await self.here.thawed[self.direction].wait()
            rate = self.here.rate
            step = min(count, _CHUNK if rate is None else max(1, int(rate / _STEPS_PER_SECOND)))
            sent = await send_some(loop, self.receiver, self.view.waiting[:step])
            self.view.went(sent)
            self.hold(-sent)
            count -= sent
            if rate is not None:
                await asyncio.sleep(sent / rate)

    def _swallow(self, octets: bytes) -> None:
        """Let it vanish; once the tagged reply is among it, the connection has served its purpose."""
        self.hold(-len(octets))
        self._dropped += octets
        if re.search(rb"(?m)^%b [^\n]*\n" % re.escape(self.swallowing or b""), self._dropped):
            self.connection.end("swallowed")


class Connection:
    """A client, its server, and the two lanes between them."""

    def __init__(
        self,
        here: Circumstances,
        client: socket.socket,
        upstream: socket.socket,
        record: Callable[[Direction], bytearray | None],
    ) -> None:
        self.here = here
        self.client = client
        self.upstream = upstream
        self.lanes = {way: Lane(self, way, record(way)) for way in Direction}
        self._over = asyncio.Event()
        self._fate = ""
        self._delay = 0.0

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    def end(self, fate: str, delay: float = 0.0) -> None:
        """Close it; the first fate counts. `zombie`: the server's side only after `delay` seconds."""
        if not self.ended:
            self._fate, self._delay = fate, delay
            self._over.set()

    def lane_over(self) -> None:
        if all(lane.over for lane in self.lanes.values()):
            self.end("closed")

    def swallow(self, tag: bytes) -> None:
        self.lanes[Direction.DOWN].swallowing = tag

    async def run(self) -> None:
        """Serve until the end of it."""
        workers = [
            asyncio.create_task(self._guarded(work))
            for lane in self.lanes.values()
            for work in (lane.read(), lane.deliver())
        ]
        try:
            await self._over.wait()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            fate = self._fate or "closed"
            left = {way: lane.left() for way, lane in self.lanes.items()}
            self.client.close()
            self.here.happened(fate)
            if fate == "zombie":
                await self._deliver_late(left[Direction.UP])
            self.upstream.close()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OSError:  # one side was reset: so is the other
            self.end("closed")

    async def _deliver_late(self, octets: bytes) -> None:
        """The server hears the dead client's last octets, then that it is gone."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._delay)
        with contextlib.suppress(OSError, TimeoutError):
            await loop.sock_sendall(self.upstream, octets)
            self.upstream.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_SERVER_MAY_THINK):
                while answer := await loop.sock_recv(self.upstream, _CHUNK):
                    self.lanes[Direction.DOWN].note(answer)
        self.here.happened("delivered")


async def send_some(loop: asyncio.AbstractEventLoop, receiver: socket.socket, octets: bytes | bytearray) -> int:
    """Give the kernel as much as it takes, at least one octet; how much that was."""
    while True:
        try:
            return receiver.send(octets)
        except BlockingIOError:
            writable = loop.create_future()
            loop.add_writer(receiver, _settle, writable)
            try:
                await writable
            finally:
                loop.remove_writer(receiver)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
