"""How fast `postwagen copy` is beside other tools and beside what the two servers can do: `make bench`.

    python -m bench.copying                  10,000 messages, about 450 MB, medians of three: some twenty minutes
    python -m bench.copying --messages 300 --far-messages 100 --many 0 --giants 0 --vast 0 --runs 1   does it work?

Two Dovecots of our own on loopback with TLS; then the same behind a line with so many milliseconds of round trip.
What is compared is measured in turns in one run. The table is printed and written to bench/RESULTS.md and the README;
exit 1 if a ratio is missed. IMAPSYNC=/path/to/imapsync lets that one take part, too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bench import rivals
from bench.bare import BareClient, Prepared
from bench.delay import far_away
from bench.ground import Ground, Mailbox
from bench.ledger import Run, copied
from bench.mailbox import giants, messages, small
from bench.rivals import IMAPSYNC, Copy, End
from bench.service import Service, postgres, service
from bench.table import MIB, Row, at_most, costs, into, middle, seconds, shown
from bench.vast import ADDRESS_SPACE, carried
from bench.watching import Cost, postwagen
from migrator.demo.servers import DovecotServer

RESULTS = Path(__file__).with_name("RESULTS.md")
OURS, MBSYNC, DSYNC, NAIVE = (
    "postwagen copy",
    "mbsync without compression",
    "dsync (doveadm backup)",
    "naive one-by-one",
)
LINES = (20, 50, 100)
"""Milliseconds of round trip."""
NAIVE_LINE = 20
"""On longer lines the naive copier takes minutes and tells nothing new."""


@dataclass(slots=True)
class Seen:
    """All that was measured, run by run."""

    drain: list[float] = field(default_factory=list)
    append: list[float] = field(default_factory=list)
    near: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    """By tool: 10,000 messages on a short line."""
    again: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    """The same once more: nothing is new."""
    changed: dict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))
    """And when a hundredth is new and a hundredth has other flags."""
    start: list[Cost] = field(default_factory=list)
    """Ours on two empty mailboxes, a second time."""
    beside: list[Cost] = field(default_factory=list)
    """Ours, in the turns with the service."""
    served: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By database: seconds through the service."""
    ledger: dict[tuple[str, bool], list[Run]] = field(default_factory=lambda: defaultdict(list))
    """By database, and whether the ledger was kept."""
    far: dict[int, dict[str, list[Cost]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """By length of the line and tool: 1,000 messages."""


class Bench(Ground):
    """The mailboxes and the tools."""

    def __init__(self, directory: Path, count: int, far: int, stack: ExitStack) -> None:
        super().__init__(directory, stack)
        self.mailbox, self.ready = self.written(messages(count)), self.prepared(messages(count))
        self.far = self.written(messages(far)) if far else None
        self.empty = self.opened(self.old)
        self.changes = 0
        self.filled: dict[str, tuple[End, End, Path]] = {}
        """By tool: what it copied last, where to, and its state."""
        self._start()  # the first one compiles it

    def ours(self, source: End, target: End, state: Path) -> Cost:
        """`postwagen copy`, with its ledger."""
        wish = ["copy", source.url, target.url, "--json", "--quiet", "--state", str(state / "ledger")]
        return postwagen(wish, self.environment(source.account, target.account))

    def tools(self) -> dict[str, Copy]:
        """All that take part."""
        found: dict[str, Copy] = {
            OURS: self.ours, MBSYNC: rivals.mbsync, DSYNC: rivals.dsync, NAIVE: rivals.naive,
        }  # fmt: skip
        return {**found, **({"imapsync": rivals.imapsync} if IMAPSYNC else {})}

    def turn(self, seen: Seen) -> None:
        """Everything once, what is compared beside each other."""
        seen.drain.append(self.mailbox.drain())
        seen.append.append(self.append(self.ready)[1])
        source = End(self.old, self.mailbox.account, self._port(self.old))
        for name, tool in self.tools().items():
            pair = source, self._target(), self._state()
            self.filled[name] = pair
            seen.near[name].append(tool(*pair))
            if name != NAIVE:  # which would copy all of it once more
                seen.again[name].append(tool(*pair))
        seen.start.append(self._start())

    def _start(self) -> Cost:
        """Of ours on two empty mailboxes, a second time."""
        nothing = End(self.old, self.empty, self._port(self.old)), self._target(), self._state()
        self.ours(*nothing)
        return self.ours(*nothing)

    def changed_turn(self, seen: Seen) -> None:
        """One message in a hundred is new at the source, one in a hundred has other flags."""
        count = max(1, self.mailbox.count // 100)
        first = self.changes * count
        self.changes += 1
        with BareClient(self.old, self.mailbox.account) as client:
            client.append(Prepared(self.path("new"), islice(small(first + count), first, None), self.mailbox.folders))
            client.run([b"SELECT INBOX", b"STORE %d:%d +FLAGS.SILENT (\\Answered)" % (first + 1, first + count)])
        for name, tool in self.tools().items():
            if name != NAIVE:
                seen.changed[name].append(tool(*self.filled[name]))

    def far_turn(self, seen: Seen, milliseconds: int) -> None:
        """The smaller mailbox, where both servers are so far away."""
        assert self.far is not None
        old, new = self._port(self.old), self._port(self.new)
        with far_away(old, milliseconds) as old_port, far_away(new, milliseconds) as new_port:
            source = End(self.old, self.far.account, old_port)
            for name, tool in self.tools().items():
                if name != NAIVE:
                    seen.far[milliseconds][name].append(tool(source, self._target(new_port), self._state()))
                elif milliseconds == NAIVE_LINE:
                    cost = rivals.naive_nodelay(source, self._target(new_port), self._state())
                    seen.far[milliseconds][name].append(cost)

    def service_turn(self, seen: Seen, served: Mapping[str, Service], databases: Mapping[str, str]) -> None:
        """The same copy through the service and beside it by command; and with its ledger and without."""
        source = End(self.old, self.mailbox.account, self._port(self.old))
        seen.beside.append(self.ours(source, self._target(), self._state()))
        for name, one in served.items():
            seen.served[name].append(one.copy(source, self._target()))
        for name, database in databases.items():
            for kept in (True, False):
                seen.ledger[name, kept].append(copied(database, source, self._target(), self.path("wish"), kept=kept))

    def giant_peak(self, count: int) -> int:
        """Our peak with messages of 60 MB."""
        return self._copied(self.written(giants(count))).peak

    def many(self, count: int) -> tuple[float, Cost]:
        """So many small messages: the seconds of the slower of bare drain and bare append, and ours."""
        mailbox, ready = self.written(small(count)), self.prepared(small(count))
        return max(mailbox.drain(), self.append(ready)[1]), self._copied(mailbox)

    def _copied(self, mailbox: Mailbox) -> Cost:
        return self.ours(End(self.old, mailbox.account, self._port(self.old)), self._target(), self._state())

    def postgres(self, stack: ExitStack) -> str:
        """The URL of a database on a server of its own."""
        return stack.enter_context(postgres(self.path("postgres")))

    def _target(self, port: int | None = None) -> End:
        return End(self.new, self.opened(self.new), port or self._port(self.new))

    def _state(self) -> Path:
        path = self.path("state")
        path.mkdir()
        return path

    @staticmethod
    def _port(server: DovecotServer) -> int:
        assert server.imaps_port is not None
        return server.imaps_port


# ---- the table -----------------------------------------------------------------------------------------------------


def table(bench: Bench, seen: Seen) -> Iterator[Row]:
    """What was seen on the short and on the long lines, beside what is required."""
    ours = seen.near[OURS]
    wall, limit = _wall(ours), max(middle(seen.drain), middle(seen.append))
    mailbox = bench.mailbox
    yield Row(f"bare drain of {mailbox.count} messages, {mailbox.octets / 1e6:.0f} MB", seconds(seen.drain))
    yield Row("bare append (MULTIAPPEND, LITERAL+, pipelined)", seconds(seen.append))
    yield Row("starting ours, on empty mailboxes", costs(seen.start))
    yield from (Row(name, f"{costs(near)}, peak {_peak(near):.0f} MiB") for name, near in seen.near.items())
    yield at_most("ours against dsync", wall / _wall(seen.near[DSYNC]), 1.15)
    yield at_most("ours against mbsync", wall / _wall(seen.near[MBSYNC]), 0.55)
    yield at_most("ours against the bare limit (the slower of the two)", wall / limit, 1.4)
    yield at_most("CPU of ours against the naive one's", _cpu(ours) / _cpu(seen.near[NAIVE]), 0.3)
    yield at_most("peak memory of ours, MiB", _peak(ours), 96)
    yield from (Row(f"nothing new: {name}", costs(again)) for name, again in seen.again.items())
    told = [json.loads(cost.out) for cost in seen.again[OURS]]
    yield at_most("  round trips of ours", max(each["round_trips"] for each in told), 8)
    yield at_most("  seconds of our engine", middle([each["engine_seconds"] for each in told]), 0.4)
    yield from (Row(f"1 % new, 1 % of flags: {name}", costs(found)) for name, found in seen.changed.items())
    for milliseconds, tools in seen.far.items():
        yield from _far(milliseconds, tools)


def _far(milliseconds: int, tools: Mapping[str, Sequence[Cost]]) -> Iterator[Row]:
    for name, far in tools.items():
        nodelay = " with TCP_NODELAY" if name == NAIVE else ""
        yield Row(f"{milliseconds} ms: {name}{nodelay}", costs(far))
    if milliseconds == 50:
        yield at_most("50 ms: ours against dsync", _wall(tools[OURS]) / _wall(tools[DSYNC]), 0.5)
    if NAIVE in tools:
        ratio = _wall(tools[OURS]) / _wall(tools[NAIVE])
        yield at_most(f"{milliseconds} ms: ours against naive one-by-one", ratio, 1 / 30)


def service_table(seen: Seen) -> Iterator[Row]:
    """What the service adds, and what the ledger costs."""
    command = _wall(seen.beside)
    yield Row("beside the service: postwagen copy", costs(seen.beside))
    for name, served in seen.served.items():
        yield Row(f"through the service on {name}, from order to end", seconds(served))
        yield at_most("  seconds beyond 1.15 of the command's", middle(served) - 1.15 * command, 3)
    for name in dict.fromkeys(name for name, _ in seen.ledger):
        kept, none = ([run.seconds for run in seen.ledger[name, with_it]] for with_it in (True, False))
        cpu = [middle([run.cpu for run in seen.ledger[name, with_it]]) for with_it in (True, False)]
        yield Row(f"one connection, ledger on {name}", f"{seconds(kept)}, CPU {cpu[0]:.2f} s")
        yield Row("  the same without a ledger", f"{seconds(none)}, CPU {cpu[1]:.2f} s")
        yield at_most("  share of the ledger", 1 - middle(none) / middle(kept), 0.1)


def more(few: tuple[int, float, Cost], many: tuple[int, float, Cost]) -> Iterator[Row]:
    """Ten times as many small messages: number, seconds of the bare limit, and ours."""
    factors = []
    for number, limit, ours in (few, many):
        factors.append(ours.seconds / limit)
        seen = f"{ours.seconds:.2f} s, bare {limit:.2f} s: {factors[-1]:.2f}; peak {ours.peak / MIB:.0f} MiB"
        yield Row(f"{number} small messages", seen)
    yield at_most("  factor over the bare limit against that of the fewer", factors[1] / factors[0], 1.0)


def _wall(found: Sequence[Cost]) -> float:
    return middle([cost.seconds for cost in found])


def _cpu(found: Sequence[Cost]) -> float:
    return middle([cost.cpu for cost in found])


def _peak(found: Sequence[Cost]) -> float:
    return max(cost.peak for cost in found) / MIB


def _vast(count: int, directory: Path) -> Row:
    """So many messages in one folder (`bench.vast`)."""
    directory.mkdir()
    found = carried(count, directory)
    engine = found.told.get("engine_seconds")
    what = f"{count} messages in one folder, {ADDRESS_SPACE // MIB} MiB of address space, scripted servers"
    said = f"{found.arrived} arrived; {engine} s, peak {found.cost.peak / MIB:.0f} MiB; each listed {found.listed} time"
    return Row(what, said, "completes, nothing listed twice", found.is_whole(count))


def measure(bench: Bench, seen: Seen, runs: int, many: int, giant_count: int, vast_count: int) -> list[Row]:
    """Everything, and the table."""
    for number in range(runs):
        print(f"turn {number + 1} of {runs} …", file=sys.stderr)
        bench.turn(seen)
        for milliseconds in LINES if bench.far is not None else ():
            bench.far_turn(seen, milliseconds)
    for _ in range(runs):
        bench.changed_turn(seen)
    with ExitStack() as stack:
        databases = {"SQLite": f"sqlite:///{bench.path('ledger')}", "PostgreSQL": bench.postgres(stack)}
        served = {
            "SQLite": stack.enter_context(service(bench.path("product"))),
            "PostgreSQL": stack.enter_context(service(bench.path("product"), DATABASE_URL=bench.postgres(stack))),
        }
        for _ in range(runs):
            bench.service_turn(seen, served, databases)
    rows = [*table(bench, seen), *service_table(seen)]
    if giant_count:
        peak = bench.giant_peak(giant_count) / MIB
        rows.append(at_most(f"peak memory of ours with {giant_count} messages of 60 MB, MiB", peak, 96))
    if vast_count:
        rows.append(_vast(vast_count, bench.path("vast")))
    if many:
        rows += more((many // 10, *bench.many(many // 10)), (many, *bench.many(many)))
    return rows


def main() -> int:
    """Measure, print and write the table; the exit code says whether all that is required was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.copying", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--far-messages", type=int, default=1_000, help="behind a long line; 0: not at all")
    parser.add_argument("--many", type=int, default=100_000, help="small messages; 0: none")
    parser.add_argument("--giants", type=int, default=10, help="messages of 60 MB; 0: none")
    parser.add_argument("--vast", type=int, default=700_000, help="messages in one folder; 0: none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", type=Path, default=RESULTS, help="where the table goes")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # a Dovecot of root's runs as nobody
        bench = Bench(Path(name), wish.messages, wish.far_messages, stack)
        rows = measure(bench, Seen(), wish.runs, wish.many, wish.giants, wish.vast)
    text = shown(rows, title="What copying costs", command="make bench", runs=wish.runs, more=f", {rivals.versions()}")
    print(text)
    wish.write.write_text(text, encoding="utf-8")
    if wish.write == RESULTS:
        into(Path(__file__).parents[1] / "README.md", text)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
