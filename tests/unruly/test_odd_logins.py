"""What servers do before a folder is opened: greetings, logins, capabilities, namespaces, lists of folders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.providers import profile
from tests.unruly.conftest import Copy, letter
from tests.unruly.imap import OrderlyImap, Talk
from tests.unruly.listening import Hangup

MAILS = [letter(number) for number in range(5)]


class NotConnected(OrderlyImap):
    """Exchange: whoever has no mailbox is let in, and told with the next command."""

    def turn(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if talk.said >= 1 and not command.upper().startswith((b"AUTHENTICATE", b"LOGIN", b"CAPABILITY")):
            yield tag + b" BAD User is authenticated but not connected.\r\n"
            return
        yield from super().turn(talk, tag, command)


def test_a_login_that_leads_to_no_mailbox_is_a_refused_login(copy: Copy) -> None:
    with NotConnected(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert (told.code, told.error) == (4, "login_refused")
        assert "administrator" in told.json["error"]["remedy"]
        assert old.talks == 1  # wrong for good: nobody is locked out by us


class AsksWhoWeAre(OrderlyImap):
    """NetEase: folders are shown, and opened only to who has said ID, which it does not announce."""

    def __init__(self, *messages: bytes) -> None:
        super().__init__(*messages)
        self.known: set[int] = set()

    def on_id(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        self.known.add(talk.number)
        yield from super().on_id(talk, tag, command)

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if talk.number in self.known:
            yield from super().on_select(talk, tag, command)
        else:
            yield tag + b" NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n"

    on_examine = on_select


def test_a_server_that_demands_id_is_told_who_we_are(copy: Copy) -> None:
    with AsksWhoWeAre(*MAILS) as old, AsksWhoWeAre() as new:
        assert copy(old, new).json["messages"]["copied"] == 5


class PlainFails(OrderlyImap):
    """iCloud, at times: AUTHENTICATE PLAIN is refused, LOGIN is not."""

    refusal = b"NO PLAIN is not supported for this account"

    def on_authenticate(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        yield tag + b" " + self.refusal + b"\r\n"


def test_where_plain_is_refused_login_is_tried(copy: Copy) -> None:
    with PlainFails(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 5


def test_a_password_that_is_wrong_is_said_once(copy: Copy) -> None:
    with PlainFails(*MAILS) as old, OrderlyImap() as new:
        old.refusal = b"NO [AUTHENTICATIONFAILED] Invalid credentials"
        assert copy(old, new).code == 4
        assert b"LOGIN" not in old.heard


class Grows(OrderlyImap):
    """What it can do is known only after login; before, it offers less."""

    def announced(self, talk: Talk) -> bytes:
        return self.capabilities if talk.said else b"IMAP4rev1"


def test_capabilities_are_asked_for_again_after_login(copy: Copy) -> None:
    with Grows(*MAILS) as old, Grows() as new:
        assert copy(old, new).json["messages"]["copied"] == 5
        assert sum(line.startswith(b"APPEND") for line in new.heard) == 1  # together: MULTIAPPEND is of later


class NamespaceKills(OrderlyImap):
    """Exchange 2003: NAMESPACE is announced, and breaks the connection."""

    def on_namespace(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        raise Hangup
        yield b""


def test_a_server_that_breaks_at_namespace_is_not_asked_for_it(copy: Copy) -> None:
    with NamespaceKills(*MAILS) as old, NamespaceKills() as new:
        old.box(b"Kunden/Meier").add(letter(100))
        assert copy(old, new).json["messages"]["copied"] == 6
        assert b"Kunden/Meier" in new.boxes


class ListsNothing(OrderlyImap):
    """Zimbra with a broken mountpoint: not even an inbox."""

    def listing(self, verb: bytes) -> Iterator[bytes]:
        yield from ()


def test_a_server_that_lists_nothing_has_no_empty_mailbox(copy: Copy) -> None:
    with ListsNothing(*MAILS) as old, OrderlyImap() as new:
        told = copy(old, new)
        assert (told.code, told.error) == (3, "server_refused")


class ExtendedListIsEmpty(OrderlyImap):
    """Strato: LIST … RETURN (…) says OK, and nothing else."""

    capabilities = OrderlyImap.capabilities + b" LIST-EXTENDED"

    def on_list(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if b"RETURN" in command:
            yield tag + b" OK done\r\n"
        else:
            yield from super().on_list(talk, tag, command)


def test_an_extended_list_that_is_empty_is_repeated_plainly(copy: Copy) -> None:
    with ExtendedListIsEmpty(*MAILS) as old, OrderlyImap() as new:
        assert copy(old, new).json["messages"]["copied"] == 5


class SpellsInbox(OrderlyImap):
    """Yahoo and Domino: the inbox is listed as `Inbox`."""

    def said_name(self, name: bytes) -> bytes:
        return b'"Inbox"' if name == b"INBOX" else super().said_name(name)

    def on_select(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_select(talk, tag, command.replace(b"Inbox", b"INBOX"))

    on_examine = on_select

    def on_status(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_status(talk, tag, command.replace(b"Inbox", b"INBOX"))

    def on_append(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        return super().on_append(talk, tag, command.replace(b"Inbox", b"INBOX"))


def test_the_inbox_is_the_inbox_in_any_case(copy: Copy) -> None:
    with SpellsInbox(*MAILS) as old, SpellsInbox() as new:
        assert copy(old, new).json["messages"]["copied"] == 5
        assert list(new.boxes) == [b"INBOX"]


@pytest.mark.parametrize("delimiter", [b"\\", b"|", b".", b"/"])
def test_folders_keep_their_levels_whatever_the_delimiter(copy: Copy, delimiter: bytes) -> None:
    class Old(OrderlyImap):
        pass

    Old.delimiter = delimiter
    with Old(*MAILS) as old, OrderlyImap() as new:
        old.box(delimiter.join([b"Kunden", b"Meier"])).add(letter(100))
        told = copy(old, new)
        assert told.code == 0
        assert b"Kunden/Meier" in new.boxes


def test_a_server_without_levels_takes_all_folders(copy: Copy) -> None:
    class Flat(OrderlyImap):
        delimiter = b""

    with Flat(*MAILS) as old, Flat() as new:
        old.box(b"Kunden/Meier").add(letter(100))
        assert copy(old, new).code == 0
        assert b"Kunden/Meier" in new.boxes
    with OrderlyImap() as old, Flat() as new:
        old.box(b"Kunden/Meier").add(letter(100))
        old.box(b"Kunden_Meier").add(letter(101))
        told = copy(old, new)
        assert told.json["messages"]["copied"] == 2
        assert len(new.boxes) == 3, told.json


class OddAtoms(OrderlyImap):
    """Names without quotes, whatever stands in them; attributes without blanks; another case; stray lines."""

    def listing(self, verb: bytes) -> Iterator[bytes]:
        yield b"* 5 FNORD\r\n* OK [X-ODD 1] we are busy today\r\n[COPYUID 55 31 6]\r\nServer Unavailable.\r\n"
        for name in self.boxes:
            yield b'* List (\\Marked\\HasNoChildren) "/" %b\r\n' % name


def test_names_without_quotes_and_stray_lines_are_understood(copy: Copy) -> None:
    names = [b"2024:Q1", b"12:30:00", b"1", b"a{b}c", b"x]y", b"Tab\tbed", b"/Projekte"]
    with OddAtoms(*MAILS) as old, OrderlyImap() as new:
        for number, name in enumerate(names):
            old.box(name).add(letter(100 + number))
        told = copy(old, new)
        assert told.json["messages"]["copied"] == 5 + len(names), told.json
        assert len(new.boxes) == 1 + len(names)


class Escapes(OrderlyImap):
    """A name that has a quote and a backslash in it."""

    delimiter = b"."

    def refuses_folder(self, name: bytes) -> bytes:
        return b"" if name else b"no name"


def test_quotes_and_backslashes_in_names_are_names(copy: Copy) -> None:
    with Escapes(*MAILS) as old, OrderlyImap() as new:
        old.box(b'say "no" \\ twice').add(letter(100))
        assert copy(old, new).code == 0
        assert b'say "no" \\ twice' in new.boxes


class SaysGoodbye(OrderlyImap):
    """BYE instead of the answer to the nth command, once."""

    at = 0

    def turn(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if talk.number == 0 and talk.said == self.at:
            raise Hangup(b"* BYE Session expired, please login again\r\n")
        yield from super().turn(talk, tag, command)


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("side", ["old", "new"])
def test_a_goodbye_at_any_point_costs_nothing(copy: Copy, side: str, at: int) -> None:
    with SaysGoodbye(*MAILS) as old, SaysGoodbye() as new:
        old.at, new.at = (at, -1) if side == "old" else (-1, at)
        old.box(b"Sent", b"\\Sent").add(letter(100))
        told = copy(old, new)
        if told.code:  # not at first use: who is turned away before there was anything is told so at once
            assert told.json["outcome"] in ("failed", "stopped")
            assert copy(old, new).code == 0
        assert sorted(new.marks()) == sorted(old.marks())
        assert new.marks(b"Sent") == old.marks(b"Sent")


class Crowded(OrderlyImap):
    """Too many connections at first, then it lets us in."""

    refusal = b"NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=30)"

    def on_authenticate(self, talk: Talk, tag: bytes, command: bytes) -> Iterator[bytes]:
        if talk.number < 2:
            yield tag + b" " + self.refusal + b"\r\n"
        else:
            yield from super().on_authenticate(talk, tag, command)


@pytest.mark.parametrize(
    "refusal",
    [
        Crowded.refusal,
        b"NO [ALERT] Too many simultaneous connections. (Failure)",
        b"NO [INUSE] Mailbox is in use",
        b"NO [LIMIT] Too many sessions",
        b"NO [SERVERBUG] Internal error occurred. Refer to server log for more information.",
        b"BAD Request is throttled. Suggested Backoff Time: 10 milliseconds",
    ],
)
def test_a_server_that_is_crowded_is_no_wrong_password(copy: Copy, refusal: bytes) -> None:
    with Crowded(*MAILS) as old, OrderlyImap() as new:
        old.refusal = refusal
        told = copy(old, new)
        assert told.code != 4, told.json
        assert told.error in ("", "server_busy"), told.json
        if told.code:
            assert copy(old, new).code in (0, 3)
            copy(old, new)
        assert sorted(new.marks()) == sorted(old.marks())


class ShowsCalendars(OrderlyImap):
    """Microsoft: calendars and contacts are listed as folders."""


def test_calendars_that_are_listed_as_folders_are_left_behind_by_name(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(profile.CATALOGUE, "0.1", profile.MICROSOFT)  # 127.0.0.1
    with ShowsCalendars(*MAILS) as old, OrderlyImap() as new:
        for name in (b"Kalender", b"Kunden/Kalender"):
            old.box(name).add(letter(100 + len(name)))
        told = copy(old, new)
        assert told.code == 0
        assert [(item["folder"], item["rule"]) for item in told.json["skips"]] == [("Kalender", "no_mail_folder")]
        assert list(new.boxes) == [b"INBOX", b"Kunden/Kalender"]
        assert copy(old, new, "--include", "*").json["messages"]["copied"] == 1
