"""How fast and how small archives are, against what the servers and `zstd -3` can do: `make bench-archive`.

    python -m bench.archive                  10,000 messages, about 450 MB, medians of three: some ten minutes
    python -m bench.archive --messages 500 --runs 1 --giants 0       whether it works; the ratios mean nothing then

Two Dovecots of our own on loopback with TLS. What is compared is measured in turns in one run, so that whatever else
the machine does hits both. The table is printed and written to bench/ARCHIVE-RESULTS.md; exit 1 if a ratio is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from bench.bare import BareArchiver
from bench.ground import Ground
from bench.mailbox import Message, giants, messages, texts
from bench.table import MIB, Row, at_least, at_most, costs, middle, seconds, shown
from bench.watching import Cost, Look, Written, postwagen
from tests.servers.command import url
from tests.servers.fixtures import Account

RESULTS = Path(__file__).with_name("ARCHIVE-RESULTS.md")


@dataclass(slots=True)
class Seen:
    """All that was measured, run by run."""

    drain: list[float] = field(default_factory=list)
    listing: list[float] = field(default_factory=list)
    append: list[float] = field(default_factory=list)
    nothing: list[Cost] = field(default_factory=list)
    """The command on an empty mailbox, a second time: what starting it costs."""
    bare_archive: list[float] = field(default_factory=list)
    archive: list[Cost] = field(default_factory=list)
    again: list[Cost] = field(default_factory=list)
    play_in: list[Cost] = field(default_factory=list)
    written: list[tuple[int, int]] = field(default_factory=list)
    """By a pass that finds nothing new: into the archive, into the ledger."""
    octets: list[int] = field(default_factory=list)
    """The archive's size."""


class Bench(Ground):
    """The mailbox, and the command."""

    def __init__(self, directory: Path, count: int, stack: ExitStack) -> None:
        super().__init__(directory, stack)
        self.mailbox = self.written(messages(count))
        self.empty = self.opened(self.old)
        self.ready = self.prepared(messages(count))
        self.filled: list[Account] = []
        """The accounts that were filled, by us and by the bare client."""

    def archive(self, account: Account, path: Path, state: Path, look: Look = lambda: None) -> Cost:
        arguments = ["archive", url(self.old, account), str(path), "--json", "--quiet", "--state", str(state)]
        return postwagen(arguments, self.environment(account), look)

    def play_in(self, path: Path) -> Cost:
        account, state = self.opened(self.new), self.path("ledger")
        self.filled.append(account)
        arguments = ["play-in", str(path), url(self.new, account), "--json", "--quiet", "--state", str(state)]
        return postwagen(arguments, self.environment(self.mailbox.account, account))

    # ---- one turn ------------------------------------------------------------------------------------------------

    def turn(self, seen: Seen) -> None:
        """Everything once, what is compared beside each other."""
        path, state, account = self.path("pwa"), self.path("ledger"), self.mailbox.account
        seen.drain.append(self.mailbox.drain())
        seen.bare_archive.append(self._bare_archive())
        seen.archive.append(self.archive(account, path, state))
        seen.octets.append(path.stat().st_size)
        seen.listing.append(self.mailbox.listing())
        seen.again.append(self.archive(account, path, state))
        nothing = self.path("pwa"), self.path("ledger")
        self.archive(self.empty, *nothing)
        seen.nothing.append(self.archive(self.empty, *nothing))
        into_archive, into_ledger = Written(path), Written(state)

        def look() -> None:
            into_archive.look()
            into_ledger.look()

        self.archive(account, path, state, look)
        seen.written.append((into_archive.octets(), into_ledger.octets()))
        target, took = self.append(self.ready)
        self.filled.append(target)
        seen.append.append(took)
        seen.play_in.append(self.play_in(path))
        path.unlink()

    def _bare_archive(self) -> float:
        path, began = self.path("bare"), time.monotonic()
        with BareArchiver(self.old, self.mailbox.account) as client:
            assert client.archive(self.mailbox.folders, path) == self.mailbox.octets
        took = time.monotonic() - began
        path.unlink()
        return took

    def text_octets(self, count: int) -> int:
        """The size of an archive of letters without attachments."""
        path = self.path("pwa")
        self.archive(self.written(texts(count)).account, path, self.path("ledger"))
        return path.stat().st_size

    def giant_peak(self, count: int) -> int:
        """The peak while messages of 60 MB are archived and played in."""
        account, path = self.written(giants(count)).account, self.path("pwa")
        return max(self.archive(account, path, self.path("ledger")).peak, self.play_in(path).peak)


def packed_octets(mailbox: Iterable[Message]) -> int:
    """What `zstd -3` makes of each message alone, with the checksum that the command adds."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
    return sum(len(packer.compress(message.octets)) for message in mailbox)


# ---- the table -----------------------------------------------------------------------------------------------------


def table(bench: Bench, seen: Seen, packed: int, texts_ratio: float, giant: int | None) -> Iterator[Row]:
    """What was seen, beside what is required. `texts_ratio`: of letters without attachments, as of all the mail."""
    drain, append = middle(seen.drain), middle(seen.append)
    archive, play_in = middle([cost.seconds for cost in seen.archive]), middle([c.seconds for c in seen.play_in])
    size, start = max(seen.octets), _start(seen)
    yield Row(f"bare drain of {bench.mailbox.count} messages, {bench.mailbox.octets / 1e6:.0f} MB", seconds(seen.drain))
    bare = middle(seen.bare_archive)
    yield Row("bare archiver: as that, and SHA-256, zstd -3, AES-GCM, SQLite; no more", seconds(seen.bare_archive))
    yield Row("  rate against the bare drain", f"{drain / bare:.2f}")
    yield Row("the command on an empty mailbox: what starting it costs", costs(seen.nothing))
    yield Row("archive pass from empty, whole process", costs(seen.archive))
    yield at_least("  without the start, rate against the bare drain", drain / (archive - start), 0.5)
    yield Row("  whole process against the bare drain", f"{drain / archive:.2f}")
    yield Row("  without the start, rate against the bare archiver", f"{bare / (archive - start):.2f}")
    yield Row("bare append (MULTIAPPEND, LITERAL+, pipelined)", seconds(seen.append))
    yield Row("play-in, whole process", costs(seen.play_in))
    yield at_least("  without the start, rate against the bare append", append / (play_in - start), 0.8)
    yield Row("  whole process against the bare append", f"{append / play_in:.2f}")
    yield from _empty_pass(seen)
    yield Row("sum of `zstd -3` over each message", f"{packed / 1e6:.1f} MB")
    yield at_most("archive file against that", size / packed, 1.05)
    yield Row("  of letters of some KB without attachments", f"{texts_ratio:.2f}")
    peak = max(cost.peak for cost in (*seen.archive, *seen.again, *seen.play_in))
    yield at_most("peak memory, MiB", peak / MIB, 100)
    if giant is not None:
        yield at_most("  with 10 messages of 60 MB, archive and play-in, MiB", giant / MIB, 100)


def _empty_pass(seen: Seen) -> Iterator[Row]:
    listing, start = middle(seen.listing), _start(seen)
    again = middle([cost.seconds for cost in seen.again])
    yield Row("bare listing (UID, FLAGS, RFC822.SIZE, INTERNALDATE)", seconds(seen.listing))
    yield Row("a pass that finds nothing new, whole process", costs(seen.again))
    yield at_most("  without the start, against the listing", max(0.0, again - start) / listing, 2.0)
    archive, ledger = (max(numbers) for numbers in zip(*seen.written, strict=True))
    yield at_most("  written into the archive, KiB (WAL and pages)", archive / 1024, 64)
    yield Row("  written into the ledger, KiB (WAL and pages)", f"{ledger / 1024:.0f}")


def _start(seen: Seen) -> float:
    """Seconds. The bare client's own start is not in its times either."""
    return middle([cost.seconds for cost in seen.nothing])


def main() -> int:
    """Measure, print and write the table; the exit code says whether all that is required was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--giants", type=int, default=10, help="messages of 60 MB; 0: none")
    parser.add_argument("--write", type=Path, default=RESULTS, help="where the table goes")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # a Dovecot of root's runs as nobody
        bench, seen = Bench(Path(name), wish.messages, stack), Seen()
        for number in range(wish.runs):
            print(f"turn {number + 1} of {wish.runs} …", file=sys.stderr)
            bench.turn(seen)
        giant = bench.giant_peak(wish.giants) if wish.giants else None
        texts_ratio = bench.text_octets(wish.messages) / packed_octets(texts(wish.messages))
        rows = list(table(bench, seen, packed_octets(messages(wish.messages)), texts_ratio, giant))
    text = shown(rows, title="What archiving costs", command="make bench-archive", runs=wish.runs)
    print(text)
    wish.write.write_text(text, encoding="utf-8")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
