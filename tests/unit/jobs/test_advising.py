"""The old end is tried by both protocols: where the other one may be, never in clear text, one login each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import ConnectRefused, HostUnknown, Stopped, UsageError
from migrator.jobs import advising
from migrator.jobs.advising import AdviceReport, advise, door_of, probe_both
from migrator.jobs.probe import probe_end
from migrator.jobs.siblings import siblings
from migrator.planning.advice import Note, Track
from migrator.sessions.endpoint import Endpoint, parse_url
from migrator.sessions.imap import session as imap_module
from migrator.sessions.pop3 import session as pop3_module
from migrator.settings import load
from tests.making import endpoint as typed
from tests.unit.sessions.scripted import ScriptedServer
from tests.unit.sessions.scripted_pop3 import ScriptedPop3

Knock = tuple[str, int, str]
A, B = b"Subject: a\r\n\r\nx\r\n", b"Subject: b\r\n\r\nyy\r\n"


def end(url: str, **changes: object) -> Endpoint:
    return replace(parse_url(url, lambda: "geheim"), **changes)


def imap_server(inbox: int = 2, sent: int = 0) -> ScriptedServer:
    counts = iter([b"* STATUS INBOX (MESSAGES %d)\r\n" % inbox, b"* STATUS Sent (MESSAGES %d)\r\n" % sent])
    return ScriptedServer(
        LIST=b'* LIST () "/" INBOX\r\n* LIST () "/" Sent\r\n', STATUS=lambda _: next(counts),
        AUTHENTICATE=b"%t OK in\r\n",
    )  # fmt: skip


class Street:
    """Which servers stand where; every knock is written down, logins can be counted at the servers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.doors: dict[tuple[str, int], ScriptedServer | ScriptedPop3 | Callable[[Callable[[], bool]], None]] = {}
        self.knocks: list[Knock] = []
        self.open = ExitStack()
        for module in (imap_module, pop3_module):
            monkeypatch.setattr(module, "connect", self._connect)
            monkeypatch.setattr(module, "secure", lambda sock, *_: sock)

    def _connect(self, at: Endpoint, _rule: object, wants_stop: Callable[[], bool]) -> socket.socket:
        self.knocks.append((at.host, at.port, at.security))
        server = self.doors.get((at.host, at.port))
        if server is None:
            raise (HostUnknown if at.host.startswith(("pop", "imap")) else ConnectRefused)(f"nobody at {at.host}")
        if isinstance(server, (ScriptedServer, ScriptedPop3)):
            return self.open.enter_context(server).theirs
        server(wants_stop)
        raise ConnectRefused("gave up")


@pytest.fixture
def street(monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    made = Street(monkeypatch)
    with made.open:
        yield made
    for server in made.doors.values():
        if isinstance(server, (ScriptedServer, ScriptedPop3)):
            server.ours.close()
            server.theirs.close()


def _until(event: threading.Event) -> None:
    assert event.wait(30)


def seen(report: AdviceReport) -> dict[str, str]:
    return {name: each.error.instance_code if each.error else "ok" for name, each in report.reports.items()}


# ---- where to look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("imaps://a@mail.x.example", ["mail.x.example:995 tls", "mail.x.example:110 starttls"]),
        ("pop3://a@mail.x.example", ["mail.x.example:993 tls", "mail.x.example:143 starttls"]),
        (
            "imaps://a@imap.x.example",
            ["pop.x.example:995 tls", "pop.x.example:110 starttls", "pop3.x.example:995 tls",
             "pop3.x.example:110 starttls", "imap.x.example:995 tls", "imap.x.example:110 starttls"],
        ),
        (
            "pop3s://a@POP3.x.example",
            ["imap.x.example:993 tls", "imap.x.example:143 starttls", "pop3.x.example:993 tls",
             "pop3.x.example:143 starttls"],
        ),
        ("imaps://a@imap.x.example?address=192.0.2.1", ["imap.x.example:995 tls", "imap.x.example:110 starttls"]),
        ("imaps://a@192.0.2.1", ["192.0.2.1:995 tls", "192.0.2.1:110 starttls"]),
        (
            "pop3://a@pop.x.example?security=none",
            ["imap.x.example:993 tls", "imap.x.example:143 starttls", "pop.x.example:993 tls",
             "pop.x.example:143 starttls", "pop.x.example:143 none"],
        ),
        ("pop3s://a@pop.x.example?auth=xoauth2", []),
        ("imaps://a@imap", ["imap:995 tls", "imap:110 starttls"]),
    ],
)  # fmt: skip
def test_the_other_protocol_is_looked_for_under_the_usual_names_and_safely(url: str, tried: list[str]) -> None:
    assert [f"{each.host}:{each.port} {each.security}" for each in siblings(end(url))] == tried


def test_a_pin_is_trusted_at_its_own_host_only() -> None:
    given = end("pop3s://a@pop.x.example?authzid=boss&auth=apop", ca_pem="CA", fingerprint="ab" * 32)
    trusted = {each.host: (each.ca_pem, each.fingerprint, each.authzid, each.auth) for each in siblings(given)}
    assert trusted == {"imap.x.example": (None, None, "boss", ""), "pop.x.example": ("CA", "ab" * 32, "boss", "")}


# ---- what was seen -------------------------------------------------------------------------------------------------


def test_both_doors_open_and_their_numbers_are_compared(street: Street) -> None:
    street.doors = {("mail.x.example", 993): imap_server(3, 4), ("mail.x.example", 995): ScriptedPop3([A, B])}
    report = probe_both(end("imaps://a@mail.x.example"), None)
    assert seen(report) == {"imap": "ok", "pop3": "ok"}
    assert report.advice.track is Track.ARCHIVE_AND_PLAY_IN
    assert list(report.advice.notes) == [Note.ASK_ABOUT_POP3, Note.POP3_HOLDS_LESS]
    assert report.given.messages == 7


def test_a_sibling_under_another_name_is_found(street: Street) -> None:
    pop3 = ScriptedPop3([A, B])
    street.doors = {("imap.x.example", 993): imap_server(2), ("pop3.x.example", 110): pop3}
    report = probe_both(end("imaps://a@imap.x.example"), None, fetches_by_pop3=True)
    assert seen(report) == {"imap": "ok", "pop3": "ok"}
    assert (report.ends["pop3"].host, report.ends["pop3"].security) == ("pop3.x.example", "starttls")
    assert b"STLS" in pop3.commands
    assert Note.DO_NOT_MIX in report.advice.notes


def test_imap_that_refuses_is_asked_once_and_pop3_carries_the_inbox(street: Street) -> None:
    imap, pop3 = ScriptedServer(AUTHENTICATE=b"%t NO [AUTHENTICATIONFAILED] IMAP is off\r\n"), ScriptedPop3([A, B])
    other = imap_server()
    street.doors = {("imap.x.example", 993): imap, ("imap.x.example", 143): other, ("pop.x.example", 995): pop3}
    report = probe_both(end("pop3s://a@pop.x.example"), None)
    assert seen(report) == {"pop3": "ok", "imap": "login_refused"}
    assert report.advice.track is Track.COLLECT_BY_POP3
    assert Note.IMAP_IS_OFF in report.advice.notes
    assert imap.verbs().count("AUTHENTICATE") + imap.verbs().count("LOGIN") == 1
    assert other.commands == [], "no second login, wherever another door may be"


def test_where_nobody_answers_the_given_door_decides(street: Street) -> None:
    street.doors = {("pop.x.example", 995): ScriptedPop3([])}
    report = probe_both(end("pop3s://a@pop.x.example"), None)
    assert (report.advice.track, seen(report)["imap"]) == (Track.NEW_CREDENTIALS, "host_unknown")
    assert Note.IMAP_NOT_FOUND in report.advice.notes
    assert len(street.knocks) == 5


def test_neither_door_opens(street: Street) -> None:
    report = probe_both(end("imaps://a@mail.x.example"), None)
    assert (report.advice.track, report.advice.notes, report.given.ok) == (Track.UNKNOWN, (), False)


def test_a_sibling_that_never_answers_costs_little_and_the_next_one_is_tried(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[bool] = []

    def silent(wants_stop: Callable[[], bool]) -> None:
        waited.append(wants_stop())
        raise Stopped("given up")

    monkeypatch.setattr(advising, "KNOCK_SECONDS", 0.0)
    street.doors = {("mail.x.example", 995): silent, ("mail.x.example", 993): imap_server(1)}
    report = probe_both(end("imaps://a@mail.x.example"), None)
    assert waited == [True], "a candidate is given up in its time"
    assert report.given.ok
    assert street.knocks.count(("mail.x.example", 110, "starttls")) == 1


def test_a_name_that_takes_for_ever_to_resolve_is_not_waited_for(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(advising, "SIBLING_SECONDS", 0.2)
    monkeypatch.setattr(advising, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(advising, "siblings", lambda given: [replace(given, protocol="pop3", port=995)])
    street.doors = {("mail.x.example", 993): imap_server(1), ("mail.x.example", 995): lambda _: _until(over)}
    report = probe_both(end("imaps://a@mail.x.example"), None)
    over.set()
    assert seen(report) == {"imap": "ok", "pop3": "connect_timeout"}


def test_the_prompt_for_the_password_is_answered_once(street: Street) -> None:
    asked: list[int] = []

    def prompt() -> str:
        asked.append(1)
        return "geheim"

    street.doors = {("mail.x.example", 993): imap_server(1), ("mail.x.example", 995): ScriptedPop3([A])}
    report = probe_both(replace(end("imaps://a@mail.x.example"), credential=prompt), None)
    assert (len(asked), seen(report)) == (1, {"imap": "ok", "pop3": "ok"})


def test_a_pop3_server_without_uidl_is_checked_without_reading_a_message(street: Street) -> None:
    pop3 = ScriptedPop3([A, B], says={b"UIDL": b"-ERR what?\r\n"}, capabilities=[b"EXPIRE 0"])
    street.doors = {("mail.x.example", 995): pop3}
    report = probe_both(end("pop3s://a@mail.x.example"), None)
    assert (report.given.messages, report.given.octets) == (2, len(A) + len(B))
    assert not any(command.startswith((b"RETR", b"TOP", b"DELE")) for command in pop3.commands)
    assert pop3.commands[-1] == b"RSET", "a server that expires what was read gets no QUIT"
    assert Note.EXPIRES_WHAT_WAS_READ in report.advice.notes


def test_the_service_asks_only_where_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTWAGEN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("POSTWAGEN_ALLOWED_NETWORKS", "192.0.2.0/24")
    settings = load()
    report = advise(typed(host="127.0.0.1"), settings=settings)
    assert seen(report) == {"imap": "host_forbidden", "pop3": "host_forbidden"}
    assert report.advice.track is Track.UNKNOWN


def test_a_password_that_cannot_be_had_is_said_at_once(street: Street) -> None:
    def none() -> str:
        raise UsageError("The source's password is missing.")

    with pytest.raises(UsageError):
        probe_both(replace(end("imaps://a@mail.x.example"), credential=none), None)
    assert street.knocks == []


def test_a_token_for_one_protocol_is_no_password_for_the_other(street: Street) -> None:
    pop3 = ScriptedPop3([A], says={b"AUTH XOAUTH2": b"+ \r\n"})
    street.doors = {("mail.x.example", 995): pop3, ("mail.x.example", 993): imap_server(1)}
    report = probe_both(end("pop3s://a@mail.x.example?auth=xoauth2"), None)
    assert (seen(report), report.advice.track) == ({"pop3": "ok"}, Track.COLLECT_BY_POP3)
    assert street.knocks == [("mail.x.example", 995, "tls")]


def test_an_open_door_is_open_even_where_there_was_no_time_to_count(street: Street) -> None:
    imap, pop3 = imap_server(5), ScriptedPop3([A])
    street.doors = {("mail.x.example", 993): imap, ("mail.x.example", 995): pop3}
    slow = {
        "imap": probe_end(end("imaps://a@mail.x.example"), "source", None, lambda: "STATUS" in imap.verbs()),
        "pop3": probe_end(end("pop3s://a@mail.x.example"), "source", None, lambda: b"LIST" in pop3.commands),
    }
    assert {name: (report.ok, door_of(report).inbox) for name, report in slow.items()} == {
        "imap": (True, None), "pop3": (True, None),
    }  # fmt: skip
    assert all(door_of(report).holds_mail for report in slow.values())
