"""How fast and how small archives are, against what the servers and `zstd -3` can do: `make bench-archive`.

    python -m bench.archive                  10,000 messages, about 450 MB, medians of three: some ten minutes
    python -m bench.archive --messages 500 --runs 1 --giants 0       whether it works; the ratios mean nothing then

Two Dovecots of our own on loopback with TLS. What is compared is measured in turns in one run, so that whatever else
the machine does hits both. The table is printed and written to bench/ARCHIVE-RESULTS.md; exit 1 if a ratio is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from bench.bare import BareArchiver, BareClient, Prepared
from bench.mailbox import FOLDERS, Message, giants, messages, texts, write
from bench.watching import Cost, Written, postwagen
from migrator.demo.servers import DovecotServer, dovecot_version, start_dovecot
from tests.servers.command import url
from tests.servers.fixtures import Account, fresh_account

RESULTS = Path(__file__).with_name("ARCHIVE-RESULTS.md")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, what is required, and whether it is met (None: only told)."""

    what: str
    seen: str
    required: str = ""
    met: bool | None = None


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


class Bench:
    """Two servers, the mailbox on one of them, and the command."""

    def __init__(self, directory: Path, count: int, stack: ExitStack) -> None:
        fsync = "mail_fsync = optimized\n"  # Dovecot's default; our test servers have none
        self.old: DovecotServer = stack.enter_context(start_dovecot(directory / "old", {}, extra=fsync))
        self.new: DovecotServer = stack.enter_context(start_dovecot(directory / "new", {}, extra=fsync))
        self.directory = directory
        self.account = fresh_account(self.old)
        self.empty = self._opened(self.old)
        self.count, self.octets = write(self.old, self.account, messages(count))
        with BareClient(self.new, fresh_account(self.new)) as client:
            self.prepared = Prepared(directory / "prepared", messages(count), client.folders())
        self._number = 0
        self.filled: list[Account] = []
        """The accounts that were filled, by us and by the bare client."""

    @staticmethod
    def _opened(server: DovecotServer) -> Account:
        """A new account that was logged in to once: no run pays for making its folders."""
        account = fresh_account(server)
        with BareClient(server, account):
            return account

    def path(self, suffix: str) -> Path:
        self._number += 1
        return self.directory / f"{self._number}.{suffix}"

    def archive(self, account: Account, path: Path, state: Path, look: Callable[[], None] = lambda: None) -> Cost:
        arguments = ["archive", url(self.old, account), str(path), "--json", "--quiet", "--state", str(state)]
        return postwagen(arguments, self._environment(account), look)

    def play_in(self, path: Path) -> Cost:
        account, state = self._opened(self.new), self.path("ledger")
        self.filled.append(account)
        arguments = ["play-in", str(path), url(self.new, account), "--json", "--quiet", "--state", str(state)]
        return postwagen(arguments, self._environment(self.account, account))

    def _environment(self, source: Account, target: Account | None = None) -> dict[str, str]:
        passwords = {"POSTWAGEN_SOURCE_PASSWORD": source.password}
        if target is not None:
            passwords["POSTWAGEN_TARGET_PASSWORD"] = target.password
        return {"POSTWAGEN_DATA_DIR": str(self.directory / "data"), **passwords}

    # ---- one turn ------------------------------------------------------------------------------------------------

    def turn(self, seen: Seen) -> None:
        """Everything once, what is compared beside each other."""
        path, state = self.path("pwa"), self.path("ledger")
        seen.drain.append(self._timed(lambda client: client.drain(list(FOLDERS)), self.old, self.account))
        seen.bare_archive.append(self._bare_archive())
        seen.archive.append(self.archive(self.account, path, state))
        seen.octets.append(path.stat().st_size)
        seen.listing.append(self._timed(lambda client: client.listing(list(FOLDERS)), self.old, self.account))
        seen.again.append(self.archive(self.account, path, state))
        nothing = self.path("pwa"), self.path("ledger")
        self.archive(self.empty, *nothing)
        seen.nothing.append(self.archive(self.empty, *nothing))
        into_archive, into_ledger = Written(path), Written(state)

        def look() -> None:
            into_archive.look()
            into_ledger.look()

        self.archive(self.account, path, state, look)
        seen.written.append((into_archive.octets(), into_ledger.octets()))
        target = self._opened(self.new)
        self.filled.append(target)
        seen.append.append(self._timed(lambda client: client.append(self.prepared), self.new, target))
        seen.play_in.append(self.play_in(path))
        path.unlink()

    @staticmethod
    def _timed(work: Callable[[BareClient], object], server: DovecotServer, account: Account) -> float:
        began = time.monotonic()
        with BareClient(server, account) as client:
            work(client)
        return time.monotonic() - began

    def _bare_archive(self) -> float:
        path, began = self.path("bare"), time.monotonic()
        with BareArchiver(self.old, self.account) as client:
            assert client.archive(list(FOLDERS), path) == self.octets
        seconds = time.monotonic() - began
        path.unlink()
        return seconds

    def warm(self) -> None:
        """Read everything once: whoever comes first would pay for Dovecot's caches."""
        for work in (BareClient.drain, BareClient.listing):
            self._timed(lambda client, work=work: work(client, list(FOLDERS)), self.old, self.account)

    def text_octets(self, count: int) -> int:
        """The size of an archive of letters without attachments."""
        account, path = fresh_account(self.old), self.path("pwa")
        write(self.old, account, texts(count))
        self.archive(account, path, self.path("ledger"))
        return path.stat().st_size

    def giant_peak(self, count: int) -> int:
        """The peak while messages of 60 MB are archived and played in."""
        account, path = fresh_account(self.old), self.path("pwa")
        write(self.old, account, giants(count))
        return max(self.archive(account, path, self.path("ledger")).peak, self.play_in(path).peak)


def packed_octets(mailbox: Iterable[Message]) -> int:
    """What `zstd -3` makes of each message alone, with the checksum that the command adds."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
    return sum(len(packer.compress(message.octets)) for message in mailbox)


# ---- the table -----------------------------------------------------------------------------------------------------


def table(bench: Bench, seen: Seen, packed: int, texts_ratio: float, giant: int | None) -> Iterator[Row]:
    """What was seen, beside what is required. `texts_ratio`: of letters without attachments, as of all the mail."""
    drain, append = _middle(seen.drain), _middle(seen.append)
    archive, play_in = _middle([cost.seconds for cost in seen.archive]), _middle([c.seconds for c in seen.play_in])
    size, start = max(seen.octets), _start(seen)
    yield Row(f"bare drain of {bench.count} messages, {bench.octets / 1e6:.0f} MB", _seconds(seen.drain))
    bare = _middle(seen.bare_archive)
    yield Row("bare archiver: as that, and SHA-256, zstd -3, AES-GCM, SQLite; no more", _seconds(seen.bare_archive))
    yield Row("  rate against the bare drain", f"{drain / bare:.2f}")
    yield Row("the command on an empty mailbox: what starting it costs", _costs(seen.nothing))
    yield Row("archive pass from empty, whole process", _costs(seen.archive))
    yield _at_least("  without the start, rate against the bare drain", drain / (archive - start), 0.5)
    yield Row("  whole process against the bare drain", f"{drain / archive:.2f}")
    yield Row("  without the start, rate against the bare archiver", f"{bare / (archive - start):.2f}")
    yield Row("bare append (MULTIAPPEND, LITERAL+, pipelined)", _seconds(seen.append))
    yield Row("play-in, whole process", _costs(seen.play_in))
    yield _at_least("  without the start, rate against the bare append", append / (play_in - start), 0.8)
    yield Row("  whole process against the bare append", f"{append / play_in:.2f}")
    yield from _empty_pass(seen)
    yield Row("sum of `zstd -3` over each message", f"{packed / 1e6:.1f} MB")
    yield _at_most("archive file against that", size / packed, 1.05)
    yield Row("  of letters of some KB without attachments", f"{texts_ratio:.2f}")
    peak = max(cost.peak for cost in (*seen.archive, *seen.again, *seen.play_in))
    yield _at_most("peak memory, MiB", peak / MIB, 100)
    if giant is not None:
        yield _at_most("  with 10 messages of 60 MB, archive and play-in, MiB", giant / MIB, 100)


def _empty_pass(seen: Seen) -> Iterator[Row]:
    listing, start = _middle(seen.listing), _start(seen)
    again = _middle([cost.seconds for cost in seen.again])
    yield Row("bare listing (UID, FLAGS, RFC822.SIZE, INTERNALDATE)", _seconds(seen.listing))
    yield Row("a pass that finds nothing new, whole process", _costs(seen.again))
    yield _at_most("  without the start, against the listing", max(0.0, again - start) / listing, 2.0)
    archive, ledger = (max(numbers) for numbers in zip(*seen.written, strict=True))
    yield _at_most("  written into the archive, KiB (WAL and pages)", archive / 1024, 64)
    yield Row("  written into the ledger, KiB (WAL and pages)", f"{ledger / 1024:.0f}")


def _start(seen: Seen) -> float:
    """Seconds. The bare client's own start is not in its times either."""
    return _middle([cost.seconds for cost in seen.nothing])


def _middle(numbers: list[float]) -> float:
    return statistics.median(numbers)


def _seconds(numbers: list[float]) -> str:
    return f"{_middle(numbers):.2f} s ({min(numbers):.2f} to {max(numbers):.2f})"


def _costs(costs: list[Cost]) -> str:
    return f"{_seconds([cost.seconds for cost in costs])}, CPU {_middle([cost.cpu for cost in costs]):.2f} s"


def _at_least(what: str, seen: float, required: float) -> Row:
    return Row(what, f"{seen:.2f}", f"at least {required:g}", seen >= required)


def _at_most(what: str, seen: float, required: float) -> Row:
    return Row(what, f"{seen:.2f}" if required < 10 else f"{seen:.1f}", f"at most {required:g}", seen <= required)


def shown(rows: list[Row], runs: int) -> str:
    """As Markdown."""
    about = (
        f"Medians of {runs} (least to most), measured in turns on {datetime.now(UTC):%Y-%m-%d}: "
        f"{_cores()} cores, Python {platform.python_version()}, Dovecot {dovecot_version()}, TLS on loopback."
    )
    lines = ["| what | seen | required | met |", "|---|---|---|---|"]
    words = {None: "", True: "yes", False: "**no**"}
    lines += [f"| {row.what} | {row.seen} | {row.required} | {words[row.met]} |" for row in rows]
    return "\n".join(["# What archiving costs", "", "`make bench-archive`. " + about, "", *lines, ""])


def _cores() -> int:
    return len(os.sched_getaffinity(0))


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
        bench.warm()
        for number in range(wish.runs):
            print(f"turn {number + 1} of {wish.runs} …", file=sys.stderr)
            bench.turn(seen)
        giant = bench.giant_peak(wish.giants) if wish.giants else None
        texts_ratio = bench.text_octets(wish.messages) / packed_octets(texts(wish.messages))
        rows = list(table(bench, seen, packed_octets(messages(wish.messages)), texts_ratio, giant))
    text = shown(rows, wish.runs)
    print(text)
    wish.write.write_text(text, encoding="utf-8")
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
