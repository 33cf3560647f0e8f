"""A long campaign against `postwagen copy`: many messages, many kills, many cuts, late octets, giants.

    python -m bench.campaign                                  all of it, 20,000 messages: about half an hour
    python -m bench.campaign --messages 2000 --kills 5 --seeds 2 --only many --only kills
    python -m bench.campaign --messages 20000 --only collected          5,000 of them by POP3, compared one by one

Two Dovecots of our own on loopback; what arrives is read by a client that shares no code with Postwagen, and compared
folder by folder as multisets of (SHA-256, flags, instant). The table says what was seen, also when it was not right;
then the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from migrator.demo.servers import DovecotServer, start_dovecot
from tests.corpus import nasty_messages, realistic_corpus
from tests.servers.collecting import collect
from tests.servers.command import Postwagen, Ran, adds_up, url
from tests.servers.fixtures import Account, DovecotPair, fresh_account
from tests.servers.mailboxes import COURIER_NAMES, Client, Mail, differences, dressed, read_all, spread
from tests.servers.proxy import FaultProxy
from tests.servers.test_copy_faults import misfortune

QUIET = 25
"""POSTWAGEN_QUIET_SECONDS as in production."""


@dataclasses.dataclass(slots=True)
class Row:
    """One line of the table."""

    scenario: str
    good: bool
    said: str


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Two servers, two fresh accounts, and where each folder of the source is at the target."""

    source: DovecotServer
    target: DovecotServer
    source_account: Account
    target_account: Account
    names: dict[str, str]

    def command(self, directory: Path, quiet_seconds: int) -> Postwagen:
        return Postwagen(
            directory, self.source_account.password, self.target_account.password, quiet_seconds=quiet_seconds
        )

    def urls(self, source: FaultProxy | None = None, target: FaultProxy | None = None) -> tuple[str, str]:
        return url(source or self.source, self.source_account), url(target or self.target, self.target_account)

    def fill(self, mails: Iterator[Mail]) -> int:
        """Deal them out to all folders, a slice at a time."""
        names, count = list(self.names), 0
        with Client(self.source.imap_port, self.source_account) as client:
            for name in names:
                client.create(name)
            while some := [mail for _, mail in zip(range(2000), mails, strict=False)]:
                for name, each in spread(some, names).items():
                    count += client.fill(name, each)
        return count

    def wrong(self, failures: list[dict[str, str]]) -> list[str]:
        """What did not arrive as it must; messages that the report names as failed are left out."""
        found = read_all(self.source.imap_port, self.source_account)
        for failure in failures:
            del found[failure["folder"]][int(failure["key"].split("/")[1])]
        return differences(found, read_all(self.target.imap_port, self.target_account), self.where)

    def where(self, name: str) -> str:
        return self.names.get(name, name)


class Campaign:
    """The scenarios. Each returns its rows."""

    def __init__(self, wish: argparse.Namespace, directory: Path) -> None:
        self.wish = wish
        self.directory = directory
        self._number = 0

    @contextmanager
    def route(self, *, backwards: bool = False, names: dict[str, str] | None = None) -> Iterator[Route]:
        self._number += 1
        where = self.directory / str(self._number)
        special = {"Gesendet": "\\Sent", "Entwürfe": "\\Drafts", "Papierkorb": "\\Trash", "Spam": "\\Junk"}
        with ExitStack() as stack:
            old = stack.enter_context(
                start_dovecot(where / "old", {}, separator=".", prefix="INBOX.", special_use=special)
            )
            new = stack.enter_context(start_dovecot(where / "new", {}))
            all_names = dict(COURIER_NAMES) if names is None else names
            source, target = (new, old) if backwards else (old, new)
            if backwards:
                all_names = {there: here for here, there in all_names.items()} | {"Archive": "INBOX.Archive"}
            account = fresh_account(source)
            yield Route(source, target, account, fresh_account(target, account.user), all_names)

    def mails(self, count: int, seed: int = 1, *, odd: bool = True) -> Iterator[Mail]:
        """Real-looking ones, and every nasty one that a server takes."""
        nasty = [octets for name, octets in nasty_messages() if octets and name != "cr-and-nothing-else"] if odd else []
        real = realistic_corpus(count - len(nasty), seed, max_size=self.wish.max_size, twins=0.05, without_id=0.05)
        return dressed(chain(real, nasty))

    # ---- the scenarios ---------------------------------------------------------------------------------------------

    def many(self) -> Iterator[Row]:
        """All messages, both ways; again; proven."""
        for backwards in (False, True):
            way = "/ → INBOX." if backwards else "INBOX. → /"
            with self.route(backwards=backwards) as route:
                count = route.fill(self.mails(self.wish.messages))
                command, ends = route.command(self.directory / f"many-{backwards}", QUIET), route.urls()
                first = command.run("copy", *ends, "--json", within=3600)
                said = first.json
                wrong = route.wrong(said["failures"])
                copied, failed = said["messages"]["copied"], said["failures"]
                speed = f"{copied / first.seconds:.0f}/s, {said['octets'] / 1e6 / first.seconds:.1f} MB/s"
                ok = not wrong and adds_up(said) and copied + len(failed) == count and not first.err
                reasons = ", ".join(sorted({each["reason"] for each in failed})) or "none"
                yield Row(
                    f"{count} messages, {said['octets'] / 1e6:.0f} MB, {way}",
                    ok,
                    f"{_cost(first)}, {speed}, failed {len(failed)} ({reasons}), altered {len(said['warnings'])};"
                    f" {'; '.join(wrong) or 'equal'}",
                )
                again = command.run("copy", *ends, "--json", within=3600)
                same = again.json["messages"]["copied"] == 0 and not route.wrong(said["failures"])
                yield Row(f"  again, {way}", same, f"{_cost(again)}, copied {again.json['messages']['copied']}")
                yield self._anew(route, command, ends, said)
                proof = command.run("verify", *ends, "--json", within=3600)
                kinds = [each["kind"] for each in proof.json["discrepancies"]]
                right = kinds.count("altered") == len(said["warnings"]) and kinds.count("missing") == len(failed)
                right = right and len(kinds) == len(said["warnings"]) + len(failed)
                yield Row(
                    f"  verify, {way}",
                    right and proof.code == int(bool(kinds)),
                    f"{_cost(proof)}, altered {kinds.count('altered')}, missing {kinds.count('missing')}",
                )

    def _anew(self, route: Route, command: Postwagen, ends: tuple[str, str], said: dict[str, Any]) -> Row:
        """As if another tool had carried it all: with an empty ledger nothing is doubled either."""
        state = str(self.directory / f"anew-{self._number}")
        anew = command.run("copy", *ends, "--json", "--state", state, within=3600)
        numbers = anew.json["messages"]
        same = numbers["copied"] == 0 and numbers["already_there"] == said["messages"]["copied"]
        return Row(
            "  again with an empty ledger",
            same and not route.wrong(said["failures"]),
            f"{_cost(anew)}, copied {numbers['copied']}, found there {numbers['already_there']}",
        )

    def kills(self) -> Iterator[Row]:
        """SIGKILL at random moments, started again at once."""
        with self.route() as route, FaultProxy("127.0.0.1", route.target.imap_port, record=True) as proxy:
            count = route.fill(self.mails(self.wish.messages // 4, 2, odd=False))
            command = route.command(self.directory / "kills", self.wish.quiet)
            ends, rng = route.urls(target=proxy), random.Random(7)
            killed, began = 0, time.monotonic()
            for _ in range(self.wish.kills):
                running = command.start("copy", *ends, "--json")
                seen = _sent(proxy)
                if rng.random() < 0.7:  # early or in the middle of an append
                    more = rng.choice((1_000, 3_000, 60_000, 1_000_000, 3_900_000, 4_300_000))
                    while running.running() and _sent(proxy) < seen + more:
                        time.sleep(0.002)
                else:
                    time.sleep(rng.random() * 4)
                running.send(signal.SIGKILL)
                killed += running.wait().code == -signal.SIGKILL
            last = command.run("copy", *ends, "--json", within=3600)
            yield self._ended(f"{killed} SIGKILLs, {count} messages", route, last, count, began)

    def cuts(self) -> Iterator[Row]:
        """Random cuts and swallowed replies on both sides."""
        for seed in range(self.wish.seeds):
            with (
                self.route(names={"INBOX": "INBOX", "INBOX.Zwei": "Zwei"}) as route,
                FaultProxy("127.0.0.1", route.source.imap_port, record=True) as source,
                FaultProxy("127.0.0.1", route.target.imap_port, record=True) as target,
            ):
                count = route.fill(self.mails(1500, 100 + seed, odd=False))
                command = route.command(self.directory / f"cuts-{seed}", self.wish.quiet)
                ends, began = route.urls(source, target), time.monotonic()
                running = command.start("copy", *ends, "--json")
                with misfortune((source, target), random.Random(seed), running, strikes=16):
                    last = running.wait(3600)
                for proxy in (source, target):
                    proxy.disarm()
                runs = 1
                while last.code == 3 and runs < 5:  # it gave up politely
                    last, runs = command.run("copy", *ends, "--json", within=3600), runs + 1
                struck = sum(each.count("cut") + each.count("swallowed") for each in (source, target))
                yield self._ended(
                    f"{struck} cuts and lost replies, seed {seed}, {runs} runs", route, last, count, began
                )

    def zombies(self) -> Iterator[Row]:
        """Octets that reach the target up to 20 s after we were cut off, or killed; with the default quiescence."""
        for delay, kill in ((1.0, False), (8.0, True), (20.0, False), (20.0, True)):
            with (
                self.route(names={"INBOX": "INBOX", "INBOX.Zwei": "Zwei"}) as route,
                FaultProxy("127.0.0.1", route.target.imap_port, record=True) as proxy,
            ):
                count = route.fill(self.mails(800, 55, odd=False))
                command = route.command(self.directory / f"zombies-{delay}-{kill}", QUIET)
                ends, began = route.urls(target=proxy), time.monotonic()
                proxy.zombie(delay, at=b"APPEND", nth=2)
                running = command.start("copy", *ends, "--json")
                if kill:
                    proxy.wait_for("zombie", timeout=60)
                    running.send(signal.SIGKILL)
                    running.wait()
                    running = command.start("copy", *ends, "--json")
                last = running.wait(600)
                how = "killed" if kill else "cut off"
                late = proxy.count("delivered")
                yield self._ended(f"{late} zombie after {delay:.0f} s, {how}", route, last, count, began)

    def giants(self) -> Iterator[Row]:
        """Messages of 60 MB."""
        with self.route(names={"INBOX": "INBOX"}) as route:
            line = b"J" * 98 + b"\r\n"
            with Client(route.source.imap_port, route.source_account) as client:
                for number in range(self.wish.giants):
                    client.fill("INBOX", [Mail(b"Subject: %d\r\n\r\n" % number + line * 600_000)])
            command, began = route.command(self.directory / "giants", QUIET), time.monotonic()
            ran = command.run("copy", *route.urls(), "--json", within=3600)
            row = self._ended(f"{self.wish.giants} messages of 60 MB", route, ran, self.wish.giants, began)
            row.good = row.good and ran.peak_mb < 150
            yield row
            proof = command.run("verify", *route.urls(), "--json", within=3600)
            yield Row("  verify", proof.code == 0 and proof.peak_mb < 150, _cost(proof))

    def collected(self) -> Iterator[Row]:
        """By POP3 into an archive, and played in; each message is compared with what was put there."""
        octets = [mail.octets for mail in self.mails(self.wish.messages // 4, 3)]
        where = self.directory / "collected"
        with start_dovecot(where / "old", {}, pop3=True) as old, start_dovecot(where / "new", {}) as new:
            account = fresh_account(old)
            pair = DovecotPair(old, new, account, fresh_account(new, account.user))
            found = collect(pair, where, octets)
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.kinds.most_common())
        yield Row(
            f"{len(octets)} messages by POP3",
            not found.wrong and found.missing == found.named and found.play_in.code == 0,
            f"{_cost(found.archive)}; play-in {_cost(found.play_in)}; missing {len(found.missing)}, named"
            f" {len(found.named)}; differ from what was put there: {kinds or 'none'};"
            f" otherwise than a server can send it: {'; '.join(found.wrong) or 'none'}",
        )

    def _ended(self, scenario: str, route: Route, last: Ran, count: int, began: float) -> Row:
        said = last.json
        wrong = route.wrong([])
        ok = not wrong and last.code == 0 and adds_up(said) and said["messages"]["found"] == count
        return Row(
            scenario,
            ok,
            f"{time.monotonic() - began:.0f} s in all, exit {last.code}, peak {last.peak_mb:.0f} MB; "
            + ("; ".join(wrong) or "equal")
            + ("" if last.code == 0 else f"; {last.err.strip()}"),
        )


def _sent(proxy: FaultProxy) -> int:
    return sum(len(each.up) for each in proxy.recordings)


def _cost(ran: Ran) -> str:
    return f"exit {ran.code}, {ran.seconds:.1f} s, peak {ran.peak_mb:.0f} MB"


SCENARIOS: dict[str, Callable[[Campaign], Iterator[Row]]] = {
    "many": Campaign.many,
    "giants": Campaign.giants,
    "kills": Campaign.kills,
    "cuts": Campaign.cuts,
    "zombies": Campaign.zombies,
    "collected": Campaign.collected,
}


def main() -> int:
    """Run what was asked for; the exit code says whether all was as it must be."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000, help="in the scenario 'many'; a quarter in 'kills'")
    parser.add_argument("--max-size", type=int, default=1_000_000, help="octets of the largest real-looking message")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4, help="runs of the scenario 'cuts'")
    parser.add_argument("--giants", type=int, default=10, help="messages of 60 MB")
    parser.add_argument("--quiet", type=int, default=5, help="POSTWAGEN_QUIET_SECONDS where no octets come late")
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="repeatable; default: all")
    wish = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="campaign-") as directory:
        campaign = Campaign(wish, Path(directory))
        for name in wish.only or SCENARIOS:
            for row in SCENARIOS[name](campaign):
                rows.append(row)
                print(f"{'ok   ' if row.good else 'WRONG'}  {row.scenario}: {row.said}", file=sys.stderr, flush=True)
    width = max(len(row.scenario) for row in rows)
    print(f"{'scenario':{width}}  right  seen")
    for row in rows:
        print(f"{row.scenario:{width}}  {'yes' if row.good else 'NO':5}  {row.said}")
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
