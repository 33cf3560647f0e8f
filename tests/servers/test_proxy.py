"""The proxy itself: does it misbehave exactly as told?"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.commands import commands
from tests.servers.proxy import Direction, FaultProxy

UP, DOWN = Direction.UP, Direction.DOWN


class _Echo(socketserver.ThreadingTCPServer):
    """Greets, answers a line `X` with `got X` and `say X` with `X`, remembers what it heard and the ends of it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.heard = bytearray()
        self.ends = 0
        self.moved = threading.Condition()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def wait(self, octets: bytes, ends: int = 0) -> None:
        with self.moved:
            assert self.moved.wait_for(lambda: bytes(self.heard) == octets and self.ends >= ends, 5), self.heard


class _Talk(socketserver.BaseRequestHandler):
    server: _Echo

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.sendall(b"hello\r\n")
            line = b""
            while octets := self.request.recv(65_536):
                with self.server.moved:
                    self.server.heard += octets
                    self.server.moved.notify_all()
                *lines, line = (line + octets).split(b"\r\n")
                for each in lines:
                    answer = each[4:] if each.startswith(b"say ") else b"got " + each
                    self.request.sendall(answer + b"\r\n")
        with self.server.moved:
            self.server.ends += 1
            self.server.moved.notify_all()


@pytest.fixture
def server() -> Iterator[_Echo]:
    with _Echo() as echo:
        thread = threading.Thread(target=echo.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield echo
        echo.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: _Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", server.port, record=True) as running:
        yield running


@contextlib.contextmanager
def _client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection((proxy.host, proxy.port), 5) as client:
        assert _line(client) == b"hello\r\n"
        yield client


def _line(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        octet = client.recv(1)
        if not octet:
            return line
        line += octet
    return line


def _rest(client: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while octets := client.recv(65_536):
            found += octets
    return found


def test_passes_on_unchanged_and_records_both_ways(proxy: FaultProxy, server: _Echo) -> None:
    big = bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"") * 8_000
    with _client(proxy) as client:
        threading.Thread(target=client.sendall, args=(big + b"\r\n",)).start()
        assert _line_of(client, len(big) + 6) == b"got " + big + b"\r\n"
    proxy.wait_for("closed")
    assert proxy.recorded(UP) == big + b"\r\n"
    assert proxy.recorded(DOWN) == b"hello\r\ngot " + big + b"\r\n"
    assert proxy.held(UP) == proxy.held(DOWN) == 0
    server.wait(big + b"\r\n", ends=1)


def _line_of(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (octets := client.recv(count - len(found))):
        found += octets
    return found


def test_half_closed_client_still_gets_its_answer(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        client.sendall(b"last\r\n")
        client.shutdown(socket.SHUT_WR)
        assert _rest(client) == b"got last\r\n"


def test_cuts_after_exactly_so_many_octets_upwards(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        client.sendall(b"one\r\n")
        assert _line(client) == b"got one\r\n"
        proxy.cut_after(UP, 7)
        client.sendall(b"0123456789\r\n")
        assert _rest(client) == b""
    server.wait(b"one\r\n0123456", ends=1)
    proxy.wait_for("cut")


def test_cuts_after_exactly_so_many_octets_downwards(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        proxy.cut_after(DOWN, 7)
        client.sendall(b"abcdefg\r\n")
        assert _rest(client) == b"got abc"
    server.wait(b"abcdefg\r\n", ends=1)


def test_a_fault_is_used_up_after_one_connection(proxy: FaultProxy) -> None:
    proxy.cut_after(DOWN, 3)
    with socket.create_connection((proxy.host, proxy.port), 5) as client:
        assert _rest(client) == b"hel"
    with _client(proxy) as client:
        client.sendall(b"fine\r\n")
        assert _line(client) == b"got fine\r\n"
    assert proxy.count("cut") == 1


def test_a_fault_may_hit_several_connections(proxy: FaultProxy) -> None:
    proxy.cut_after(DOWN, 3, times=2)
    for _ in range(2):
        with socket.create_connection((proxy.host, proxy.port), 5) as client:
            assert _rest(client) == b"hel"
    with _client(proxy):
        pass


@pytest.mark.parametrize("after, arrives", [(False, b"one tw"), (True, b"one twSTOP")])
def test_cuts_at_a_pattern_split_over_two_packets(
    proxy: FaultProxy, server: _Echo, *, after: bool, arrives: bytes
) -> None:
    with _client(proxy) as client:
        proxy.cut_when(UP, b"STOP", after=after)
        client.sendall(b"one twST")
        server.wait(b"one twST" if after else b"one tw")
        client.sendall(b"OPo\r\n")
        assert _rest(client) == b""
    server.wait(arrives, ends=1)


def test_cuts_at_the_nth_pattern_only(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        proxy.cut_when(UP, b"x", nth=3)
        client.sendall(b"x x x x\r\n")
        assert _rest(client) == b""
    server.wait(b"x x ", ends=1)


def test_octets_that_only_looked_like_the_pattern_go_on(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        proxy.cut_when(UP, b"STOP")
        client.sendall(b"ST")
        proxy.wait_held(UP, 2)
        client.sendall(b"ART\r\n")
        assert _line(client) == b"got START\r\n"


def test_disarming_frees_what_a_fault_held_back(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        proxy.cut_when(UP, b"more\r\nSTOP")
        client.sendall(b"more\r\n")
        proxy.wait_held(UP, 6)
        proxy.disarm()
        assert _line(client) == b"got more\r\n"


def test_a_pattern_that_begins_with_a_line_end_is_refused(proxy: FaultProxy) -> None:
    with pytest.raises(ValueError, match="line end"):
        proxy.cut_when(UP, b"\r\nA1")


def test_zombie_delivers_the_whole_command_late(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        client.sendall(b"a1 NOOP\r\n")
        assert _line(client) == b"got a1 NOOP\r\n"
        proxy.zombie(0.5, at=b"APPEND", nth=2)
        client.sendall(b"a2 APPEND x {3+}\r\nabc\r\n")
        assert [_line(client) for _ in range(2)] == [b"got a2 APPEND x {3+}\r\n", b"got abc\r\n"]
        server.wait(before := b"a1 NOOP\r\na2 APPEND x {3+}\r\nabc\r\n")
        client.sendall(b"a3 APPEND x {5+}\r\nab")
        proxy.wait_held(UP, 20)
        client.sendall(b"\r\nc ()\r\n")
        began = time.monotonic()
        assert _rest(client) == b""
        proxy.wait_for("zombie")
        assert proxy.count("delivered") == 0
    server.wait(before)
    proxy.wait_for("delivered")
    assert time.monotonic() - began >= 0.5
    server.wait(before + b"a3 APPEND x {5+}\r\nab\r\nc ()\r\n", ends=1)


def test_zombie_lets_go_what_the_client_needs_an_answer_to(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        proxy.zombie(0.05, at=b"APPEND")
        client.sendall(b"a1 APPEND x {3}\r\n")
        assert _line(client) == b"got a1 APPEND x {3}\r\n"
        client.sendall(b"abc")
        proxy.wait_held(UP, 3)
        server.wait(b"a1 APPEND x {3}\r\n")
        client.sendall(b"\r\n")
        assert _rest(client) == b""
    proxy.wait_for("delivered")
    server.wait(b"a1 APPEND x {3}\r\nabc\r\n", ends=1)


def test_zombie_now_delivers_what_a_freeze_had_held(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        proxy.freeze(UP)
        client.sendall(b"opaque")
        proxy.wait_held(UP, 6)
        proxy.zombie(0.1)
        assert _rest(client) == b""
        server.wait(b"")
    proxy.wait_for("delivered")
    server.wait(b"opaque", ends=1)
    assert proxy.held(UP) == 0


def test_swallows_the_reply_and_then_cuts(server: _Echo, proxy: FaultProxy) -> None:
    proxy.swallow_reply(b"APPEND")
    with _client(proxy) as client:
        client.sendall(b"a1 NOOP\r\n")
        assert _line(client) == b"got a1 NOOP\r\n"
        client.sendall(b"a2 APPEND x {13+}\r\nsay a2 OK yes\r\n")
        assert _rest(client) == b""
    proxy.wait_for("swallowed")
    assert proxy.recorded(DOWN).endswith(b"\r\na2 OK yes\r\n")
    server.wait(b"a1 NOOP\r\na2 APPEND x {13+}\r\nsay a2 OK yes\r\n", ends=1)


def test_freeze_and_thaw(proxy: FaultProxy, server: _Echo) -> None:
    with _client(proxy) as client:
        proxy.freeze()
        client.sendall(b"wait\r\n")
        proxy.wait_held(UP, 6)
        server.wait(b"")
        proxy.thaw()
        assert _line(client) == b"got wait\r\n"
        proxy.freeze(DOWN)
        client.sendall(b"more\r\n")
        server.wait(b"wait\r\nmore\r\n")
        proxy.wait_held(DOWN, 10)
        proxy.cut()
        assert _rest(client) == b""


def test_a_frozen_reader_fills_the_senders_buffers(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        proxy.freeze(UP, reading=False)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sendall(b"x" * 20_000_000)


def test_latency_delays_each_exchange_but_not_the_flow(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        proxy.latency(0.05)
        began = time.monotonic()
        client.sendall(b"a\r\n")
        assert _line(client) == b"got a\r\n"
        assert time.monotonic() - began >= 0.1
        began = time.monotonic()
        big = b"x" * 8_000_000 + b"\r\n"
        threading.Thread(target=client.sendall, args=(big,)).start()
        assert len(_line_of(client, len(big) + 4)) == len(big) + 4
        assert time.monotonic() - began < 6, "one chunk of 64 KiB at a time would take twelve seconds"


def test_rate_limits_the_flow(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        proxy.rate(10_000)
        began = time.monotonic()
        client.sendall(b"x" * 1_996 + b"\r\n")
        assert len(_line_of(client, 2_002)) == 2_002
        assert time.monotonic() - began >= 0.15
        proxy.rate(None)
        client.sendall(b"x" * 100_000 + b"\r\n")
        assert len(_line_of(client, 100_006)) == 100_006
        assert time.monotonic() - began < 10, "at that rate it would take twenty seconds"


def test_a_rate_with_a_limit_ahead_is_felt_by_the_sender(proxy: FaultProxy) -> None:
    with _client(proxy) as client:
        proxy.rate(10_000, ahead=1_000)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(bytes(50_000_000))
        assert proxy.held(UP) < 100_000


def test_refuses_and_accepts_again(proxy: FaultProxy) -> None:
    proxy.refuse(True)
    with socket.create_connection((proxy.host, proxy.port), 5) as client:
        assert _rest(client) == b""
    proxy.refuse(True, listening=False)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), 5)
    proxy.refuse(False)
    with _client(proxy):
        pass
    assert proxy.count("refused") == 1


def test_rewrites_lines_also_when_they_come_in_two_packets(proxy: FaultProxy) -> None:
    proxy.rewrite(DOWN, rb" UIDPLUS\b", b"")
    with _client(proxy) as client:
        client.sendall(b"CAPABILITY UIDPLUS MOVE\r\n")
        assert _line(client) == b"got CAPABILITY MOVE\r\n"


def test_an_unreachable_server_looks_like_a_closed_door(server: _Echo) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with FaultProxy("127.0.0.1", nobody.getsockname()[1]) as proxy:
            with socket.create_connection((proxy.host, proxy.port), 5) as client:
                assert _rest(client) == b""
            proxy.wait_for("refused")


def test_what_did_not_happen_is_a_timeout(proxy: FaultProxy) -> None:
    with pytest.raises(TimeoutError, match="cut"):
        proxy.wait_for("cut", timeout=0.01)


def test_stop_closes_all_connections_and_can_be_repeated(server: _Echo) -> None:
    proxy = FaultProxy("127.0.0.1", server.port)
    with _client(proxy) as client:
        proxy.stop()
        assert _rest(client) == b""
    proxy.stop()


def test_message_texts_are_no_commands(proxy: FaultProxy) -> None:
    text = b"a9 STORE 1 +FLAGS (\\Deleted)\r\n"
    sent = (
        b"a1 LOGIN {1+}\r\nu {1+}\r\np\r\n"
        b"a2 uid fetch 1 (FLAGS)\r\n"
        b"a3 APPEND x {%d}\r\n%b {%d+}\r\n%b\r\n"
        b"a4 IDLE\r\nDONE\r\na5 LOGOUT\r\n" % (len(text), text, len(text), text)
    )
    expected = [b"LOGIN", b"UID FETCH", b"APPEND", b"IDLE", b"LOGOUT"]
    assert [verb for verb, _ in commands(sent)] == expected
    with _client(proxy) as client:
        for at in range(0, len(sent), 7):
            client.sendall(sent[at : at + 7])
        client.shutdown(socket.SHUT_WR)
        _rest(client)
    assert [verb for verb, _ in proxy.commands()] == expected
