"""Everything that can go wrong before and around a copy: one clear sentence, the promised exit code, no secret told."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from migrator.demo.certificates import Certificate, make_certificate
from migrator.demo.servers import DovecotServer, free_ports
from migrator.engine.wrappers import DELAYS
from migrator.sessions.connect import CONNECT_SECONDS
from tests.servers.command import ROOT, Postwagen, Ran, url
from tests.servers.fixtures import Account, fresh_account
from tests.servers.impostors import Impostor
from tests.servers.mailboxes import until

pytestmark = pytest.mark.servers

SECRET = "Geheim-7f3e9a-ä"
"""The password that no output may hold."""
IMPATIENT = (("PYTHONPATH", str(Path(__file__).with_name("impatience"))),)
"""For cases in which a server is waited for that never says anything useful."""
_CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK done\r\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """The ends that commands are pointed at, and a directory for files."""

    old: DovecotServer
    new: DovecotServer
    old_account: Account
    new_account: Account
    directory: Path
    impostors: dict[str, Impostor]
    certificates: dict[str, Certificate]

    @property
    def source(self) -> str:
        return url(self.old, self.old_account)

    @property
    def target(self) -> str:
        return url(self.new, self.new_account)

    def impostor(self, name: str, scheme: str = "imap", query: str = "security=none", host: str = "127.0.0.1") -> str:
        return f"{scheme}://info%40old.example@{host}:{self.impostors[name].port}?{query}"

    def showing(self, name: str, query: str = "") -> str:
        """A server with that certificate; its authority is trusted where there is one."""
        trust = f"cafile={self.certificates[name].cafile}&" if name != "self-signed" else ""
        return self.impostor(name, "imaps", trust + query, "localhost")


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A command line, and how it must end."""

    arguments: Callable[[Scene], list[str]]
    exit_code: int
    code: str
    says: str
    """A regular expression for the sentence or the advice."""
    settings: tuple[tuple[str, str], ...] = ()
    without_password: bool = False
    end: str = ""


def _source(make: Callable[[Scene], str]) -> Callable[[Scene], list[str]]:
    return lambda scene: ["copy", make(scene), scene.target]


def _target(make: Callable[[Scene], str]) -> Callable[[Scene], list[str]]:
    return lambda scene: ["copy", scene.source, make(scene)]


def _plus(*more: str) -> Callable[[Scene], list[str]]:
    return lambda scene: ["copy", scene.source, scene.target, *(word.format(here=scene.directory) for word in more)]


CASES = {
    # ---- who is there?
    "the host is unknown": Case(
        _source(lambda s: "imaps://info@no-such-host.invalid"), 3, "host_unknown", "spelling", end="source"
    ),
    "the port is closed": Case(
        _target(lambda s: f"imaps://info@127.0.0.1:{free_ports(1)[0]}"), 3, "connect_refused", "firewall", end="target"
    ),
    "the port speaks SMTP": Case(_source(lambda s: s.impostor("smtp")), 3, "wrong_protocol", "993", end="source"),
    "the port speaks POP3": Case(_source(lambda s: s.impostor("pop3")), 3, "wrong_protocol", "993"),
    "the port speaks HTTP where TLS is wanted": Case(
        _source(lambda s: s.impostor("http", "imaps", "")), 3, "wrong_protocol", "no TLS.*993"
    ),
    "the port speaks IMAP without TLS where TLS is wanted": Case(
        _source(lambda s: s.impostor("bare", "imaps", "")), 3, "wrong_protocol", "no TLS.*993"
    ),
    "the port speaks TLS where clear text is wanted": Case(
        _source(lambda s: s.impostor("expired")), 3, "connect_timeout|connect_refused|wrong_protocol", "993|TLS",
        settings=IMPATIENT,
    ),
    "the port accepts and says nothing": Case(
        _source(lambda s: s.impostor("silent")), 3, "connect_timeout", "says nothing", end="source",
        settings=IMPATIENT,
    ),
    "the port accepts and says nothing to a TLS handshake": Case(
        _target(lambda s: s.impostor("silent", "imaps", "")), 3, "connect_timeout", "does not answer", end="target",
        settings=IMPATIENT,
    ),
    "the port accepts and hangs up": Case(
        _source(lambda s: s.impostor("deaf")), 3, "connect_refused", "without a greeting"
    ),
    "the server says it is closed today": Case(
        _source(lambda s: s.impostor("bye")), 3, "server_busy", "later", settings=IMPATIENT
    ),
    # ---- is it who it says?
    "the certificate has expired": Case(
        _source(lambda s: s.showing("expired")), 3, "tls_expired", "has expired.*no password was sent", end="source"
    ),
    "the certificate is for another host": Case(
        _target(lambda s: s.showing("other")), 3, "tls_wrong_host", "another name.*fingerprint", end="target"
    ),
    "the certificate is self-signed": Case(
        _source(lambda s: s.showing("self-signed")), 3, "tls_untrusted", "not trusted.*fingerprint"
    ),
    "the certificate is not the pinned one": Case(
        _source(lambda s: s.showing("expired", f"fingerprint={'ab' * 32}")), 3, "tls_wrong_pin", "It shows sha256:"
    ),
    "STARTTLS is not offered": Case(
        _source(lambda s: s.impostor("bare", query="")), 3, "starttls_missing", "security=none.*No password was sent"
    ),
    "STARTTLS is offered and refused": Case(
        _source(lambda s: s.impostor("wavering", query="")), 3, "starttls_missing", "993.*No password was sent"
    ),
    # ---- may we come in?
    "the password is wrong at the source": Case(
        lambda s: ["copy", s.source, s.target], 4, "login_refused", "app password",
        settings=(("POSTWAGEN_SOURCE_PASSWORD", SECRET),), end="source",
    ),
    "the password is wrong at the target": Case(
        lambda s: ["copy", s.source, s.target], 4, "login_refused", "app password",
        settings=(("POSTWAGEN_TARGET_PASSWORD", SECRET),), end="target",
    ),
    "the user does not exist": Case(
        _source(lambda s: url(s.old, Account("nobody@old.example", ""))), 4, "login_refused", "whole address"
    ),
    "the server repeats the password when it refuses it": Case(
        _source(lambda s: s.impostor("parrot")), 4, "login_refused", "app password",
        settings=(("POSTWAGEN_SOURCE_PASSWORD", SECRET),),
    ),
    # ---- what was typed?
    "source and target are the same": Case(lambda s: ["copy", s.source, s.source], 2, "usage", "same account"),
    "source and target are the same by another name": Case(
        lambda s: ["copy", s.source, s.source.replace("localhost", "127.0.0.1")],
        2, "usage", "same account",
    ),
    "the URL has no scheme": Case(_source(lambda s: "info@old.example"), 2, "usage", "imaps://"),
    "the URL has another scheme": Case(_source(lambda s: "https://mail.old.example"), 2, "usage", "imaps://"),
    "the URL has no user": Case(_source(lambda s: "imaps://mail.old.example"), 2, "usage", "user@host"),
    "the URL has no host": Case(_source(lambda s: "imaps://info@"), 2, "usage", "host"),
    "the URL has a folder": Case(_source(lambda s: "imaps://info@mail.old.example/INBOX"), 2, "usage", "--include"),
    "the URL has a port that is none": Case(_source(lambda s: "imaps://info@h:99999"), 2, "usage", "65535"),
    "the URL has the port 0": Case(_source(lambda s: "imaps://info@mail.old.example:0"), 2, "usage", "65535"),
    "the URL has half an IPv6 address": Case(_source(lambda s: "imaps://info@[::1"), 2, "usage", "imaps://"),
    "the URL has an unknown option": Case(_source(lambda s: "imaps://info@h?tls=no"), 2, "usage", "security"),
    "the URL has security= that is none": Case(_source(lambda s: "imaps://i@h?security=some"), 2, "usage", "starttls"),
    "the URL has a pin that is none": Case(_source(lambda s: "imaps://i@h?fingerprint=sha1:00"), 2, "usage", "openssl"),
    "the URL has an address that is none": Case(_source(lambda s: "imaps://i@h?address=here"), 2, "usage", "no IP"),
    "the URL names a CA file that is not there": Case(
        _source(lambda s: "imaps://i@h?cafile=/no/such.pem"), 2, "usage", "/no/such.pem"
    ),
    "the URL names a CA file that is none": Case(
        _source(lambda s: s.impostor("expired", "imaps", f"cafile={s.directory}/text")), 3, "tls_refused", "PEM"
    ),
    "a password stands in the URL": Case(
        _source(lambda s: f"imaps://info:{SECRET}@old.example"), 2, "usage", "POSTWAGEN_SOURCE_PASSWORD"
    ),
    "a password with @ and / stands in the URL": Case(
        _source(lambda s: f"imaps://info@old.example:x/{SECRET}@y@old.example"), 2, "usage", "."
    ),
    "a password with # stands in the URL": Case(
        _source(lambda s: f"imaps://info:#{SECRET}@old.example"), 2, "usage", "."
    ),
    "a password stands in a URL without slashes": Case(_source(lambda s: f"imaps:info:{SECRET}@h"), 2, "usage", "."),
    "a password stands in something that is no URL": Case(_source(lambda s: f"info:{SECRET}@h"), 2, "usage", "."),
    "a password stands in an unknown option": Case(
        _source(lambda s: f"imaps://info@old.example?password={SECRET}"), 2, "usage", "password="
    ),
    "the target speaks POP3": Case(_target(lambda s: "pop3s://info@new.example"), 2, "usage", "pop3"),
    "nothing is given": Case(lambda s: ["copy"], 2, "usage", "SOURCE"),
    "the target is missing": Case(lambda s: ["copy", s.source], 2, "usage", "TARGET"),
    "an option is unknown": Case(_plus("--delete"), 2, "usage", "--delete"),
    "an option has no value": Case(_plus("--max-octets", "0"), 2, "usage", "max-octets"),
    "a rule has no equals sign": Case(_plus("--map", "INBOX"), 2, "usage", "OLD=NEW"),
    "a rule names a folder that is not there": Case(_plus("--map", "Nirgends=Da"), 2, "usage", "no folder Nirgends"),
    "a setting is unknown": Case(
        _plus(), 2, "usage", "POSTWAGEN_QUITE_SECONDS", settings=(("POSTWAGEN_QUITE_SECONDS", SECRET),)
    ),
    "a setting has a bad value": Case(
        _plus(), 2, "usage", "POSTWAGEN_QUIET_SECONDS", settings=(("POSTWAGEN_QUIET_SECONDS", "soon"),)
    ),
    # ---- files
    "the password is missing": Case(_plus(), 2, "usage", "POSTWAGEN_SOURCE_PASSWORD", without_password=True),
    "the password file is not there": Case(
        _plus("--source-password-file", "{here}/nowhere"), 2, "usage", "/nowhere cannot be read"
    ),
    "the password file is a directory": Case(_plus("--target-password-file", "{here}"), 2, "usage", "cannot be read"),
    "the password file is empty": Case(_plus("--source-password-file", "{here}/empty"), 2, "usage", "empty"),
    "both passwords come from standard input": Case(
        _plus("--source-password-file", "-", "--target-password-file", "-"), 2, "usage", "Only one"
    ),
    "the ledger cannot be made there": Case(_plus("--state", "{here}/text/ledger"), 2, "usage", "cannot be written"),
    "the ledger is a directory": Case(_plus("--state", "{here}"), 2, "usage", "no file"),
    "the ledger is a text": Case(_plus("--state", "{here}/text"), 2, "usage", "no ledger.*was left"),
    "the ledger's name is empty": Case(_plus("--state", ""), 2, "usage", "ledger"),
    "verify meets a closed port": Case(
        lambda s: ["verify", s.source, f"imaps://info@127.0.0.1:{free_ports(1)[0]}"], 3, "connect_refused", "firewall"
    ),
    "check meets a wrong password": Case(
        lambda s: ["check", s.source, s.target], 4, "login_refused", "app password",
        settings=(("POSTWAGEN_SOURCE_PASSWORD", SECRET),), end="source",
    ),
    "check meets a closed port": Case(
        lambda s: ["check", s.source, f"imaps://info@127.0.0.1:{free_ports(1)[0]}"], 3, "connect_refused", "firewall",
        end="target",
    ),
    "check is given a password in a URL": Case(
        lambda s: ["check", f"imap://info:{SECRET}@old.example"], 2, "usage", "POSTWAGEN_SOURCE_PASSWORD"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(
    old_dovecot: DovecotServer, new_dovecot: DovecotServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Two good accounts and a street of bad doors."""
    here = tmp_path_factory.mktemp("errors")
    (here / "text").write_text("Liebe Leute, das ist kein Kassenbuch.\n" * 20)
    (here / "empty").write_text("")
    certificates = {"expired": _certificate(here / "expired", expired=True), "other": _certificate(here / "other")}
    certificates["self-signed"] = _self_signed(here)
    bare = {b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n", b"LOGOUT": b"* BYE\r\nTAG OK\r\n"}
    wavering = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK done\r\n",
        b"STARTTLS": b"TAG NO not now\r\n",
    }
    parrot = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n",
        b"LOGIN": f"TAG NO the password {SECRET} is wrong\r\n".encode(),
    }
    with ExitStack() as stack:
        impostors = {
            "smtp": Impostor(b"220 mx.old.example ESMTP Postfix\r\n"),
            "pop3": Impostor(b"+OK POP3 ready\r\n"),
            "http": Impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "silent": Impostor(),
            "deaf": Impostor(hangs_up=True),
            "bye": Impostor(b"* BYE closed for maintenance, try again later\r\n", hangs_up=True),
            "bare": Impostor(b"* OK hello\r\n", bare),
            "wavering": Impostor(b"* OK hello\r\n", wavering),
            "parrot": Impostor(b"* OK hello\r\n", parrot),
            **{name: Impostor(b"* OK hello\r\n", bare, certificate=each) for name, each in certificates.items()},
        }
        for each in impostors.values():
            stack.enter_context(each)
        old_account = fresh_account(old_dovecot)
        new_account = fresh_account(new_dovecot, old_account.user)
        yield Scene(old_dovecot, new_dovecot, old_account, new_account, here, impostors, certificates)


def _certificate(directory: Path, *, expired: bool = False) -> Certificate:
    directory.mkdir()
    return make_certificate(directory, ["localhost"] if expired else ["mail.other.example"], expired=expired)


def _self_signed(directory: Path) -> Certificate:
    key, certificate = directory / "self.key", directory / "self.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*made, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return Certificate(certificate, certificate, key, "")


@pytest.fixture(scope="module", autouse=True)
def answers(scene: Scene, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Ran]]]:
    """All cases that go to the network, run side by side: some of them wait for a port that says nothing."""
    asked = [item.callspec.params["name"] for item in request.session.items if _is_a_case(item)]
    asked = [name for name in asked if CASES[name].exit_code != 2]
    with ThreadPoolExecutor(8) as pool:
        first = sorted(asked, key=lambda name: "says nothing" not in name)
        yield {name: pool.submit(_run, CASES[name], scene, number) for number, name in enumerate(first)}
        pool.shutdown(cancel_futures=True)


def _is_a_case(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == "test_it_says_what_is_wrong_and_what_to_do"


def _command(case: Case, scene: Scene, number: int) -> Postwagen:
    passwords = (None, None) if case.without_password else (scene.old_account.password, scene.new_account.password)
    return Postwagen(scene.directory / f"data-{number}", *passwords, settings=dict(case.settings))


def _run(case: Case, scene: Scene, number: int) -> Ran:
    return _command(case, scene, number).run(*case.arguments(scene), "--json", within=60)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exit_code == 2])
def test_it_says_what_is_wrong_with_what_was_typed(name: str, scene: Scene) -> None:
    case = CASES[name]
    _judge(case, _command(case, scene, 1000).call(*case.arguments(scene), "--json"), scene)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.exit_code != 2])
def test_it_says_what_is_wrong_and_what_to_do(name: str, answers: dict[str, Future[Ran]], scene: Scene) -> None:
    _judge(CASES[name], answers[name].result(100), scene)


def _judge(case: Case, ran: Ran, scene: Scene) -> None:
    assert ran.code == case.exit_code, ran
    assert "Traceback" not in ran.err, ran
    shown = ran.json
    assert shown["outcome"] == "failed"
    assert shown["verb"] == case.arguments(scene)[0]
    error = shown["error"]
    assert re.fullmatch(case.code, error["code"]), ran
    assert error["message"].endswith((".", "?")), ran
    told = f"{error['message']} {error['remedy']}"
    assert re.search(case.says, told, re.DOTALL), told
    assert error.get("end", "") == (case.end or error.get("end", "")), ran
    _one_sentence(ran)
    for secret in (SECRET, scene.old_account.password, scene.new_account.password):
        assert secret not in ran.out + ran.err, ran


def _one_sentence(ran: Ran) -> None:
    """Standard error is one line of ours, and perhaps the other side's words below it; or Click's usage."""
    lines = ran.err.splitlines()
    if lines[0].startswith("Usage:"):
        assert lines[-1].startswith("Error: "), ran
        return
    assert lines[0].startswith("postwagen: "), ran
    assert len(lines) <= 2, ran
    assert all(line.startswith("  (") for line in lines[1:]), ran


def test_no_password_was_told_to_a_server_that_could_not_prove_itself(
    answers: dict[str, Future[Ran]], scene: Scene
) -> None:
    for each in answers.values():
        each.result(100)
    for name in ("bare", "wavering", "smtp", "pop3", "http", "expired", "other", "self-signed"):
        heard = bytes(scene.impostors[name].heard)
        assert scene.old_account.password.encode() not in heard, name
        assert scene.new_account.password.encode() not in heard, name


def test_whoever_meets_a_silent_or_a_busy_server_hears_of_it_within_a_minute() -> None:
    """In production; the cases above are less patient."""
    assert CONNECT_SECONDS <= 15
    assert sum(DELAYS) < 60


def test_without_json_nothing_but_the_sentence_is_said(scene: Scene) -> None:
    ran = Postwagen(scene.directory / "quiet", "x", "y").run("copy", scene.source, scene.target)
    assert ran.code == 4, ran
    assert "login" in ran.err.lower() or "password" in ran.err, ran
    assert not ran.out.lstrip().startswith("{"), ran


def test_interrupted_at_the_password_prompt_it_says_so_and_ends_with_5(scene: Scene) -> None:
    ours, theirs = pty.openpty()
    command = Postwagen(scene.directory / "prompt")
    process = subprocess.Popen(
        [sys.executable, "-m", "migrator.cli", "copy", scene.source, scene.target, "--json"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=ROOT, env=command.environment(),
        start_new_session=True,
    )  # fmt: skip
    with process, open(ours, "rb", buffering=0) as terminal:
        said = b""
        while b"Password at the source" not in said:
            said += terminal.read(1000)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        os.close(theirs)
    assert process.returncode == 5
    assert json.loads(out)["error"]["code"] == "stopped"


@pytest.mark.parametrize("door", ["imap", "imaps"])
def test_interrupted_while_a_server_says_nothing_it_ends_soon(door: str, scene: Scene) -> None:
    with Impostor() as silent:
        url_ = f"{door}://info@127.0.0.1:{silent.port}" + ("?security=none" if door == "imap" else "")
        running = Postwagen(scene.directory / f"silence-{door}", "x", "y").start("copy", url_, scene.target, "--json")
        until(lambda: bool(silent.guests))
        time.sleep(0.2)
        running.send(signal.SIGTERM)
        asked = time.monotonic()
        ran = running.wait()
    assert time.monotonic() - asked < 3, ran
    assert ran.code == 5, ran
    assert ran.json["error"]["code"] == "stopped"
    assert len(ran.err.splitlines()) == 1
