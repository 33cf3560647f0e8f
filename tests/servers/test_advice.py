"""`postwagen check` tries both doors of the old server, and says which way the mail goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.jobs import siblings
from tests.servers.command import Postwagen, Ran, url
from tests.servers.fixtures import Account, DovecotPair
from tests.servers.mailboxes import Mail, fill_all, read_all

pytestmark = pytest.mark.servers

LETTER = Mail(b"Subject: Hallo\r\n\r\nx\r\n")


class Desk:
    """`postwagen check` in this process, where the usual ports are those of our server."""

    def __init__(self, pair: DovecotPair, directory: Path) -> None:
        self.pair = pair
        self.account = pair.old_account
        self.directory = directory
        user = self.account.user.replace("@", "%40")
        self.imap = url(pair.old, self.account)
        self.pop3 = f"pop3s://{user}@localhost:{pair.old.pop3s_port}?cafile={pair.old.cafile}"

    def check(self, source: str, *more: str, account: Account | None = None) -> Ran:
        password = (account or self.account).password
        return Postwagen(self.directory / "data", password).call("check", source, *more)


@pytest.fixture
def desk(dovecot_pair: DovecotPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    old = dovecot_pair.old
    ports = {
        ("imap", "tls"): old.imaps_port, ("imap", "starttls"): old.imap_port,
        ("pop3", "tls"): old.pop3s_port, ("pop3", "starttls"): old.pop3_port,
    }  # fmt: skip
    monkeypatch.setattr(siblings, "PORTS", ports)
    fill_all(old.imap_port, dovecot_pair.old_account, {"INBOX": [LETTER] * 3, "INBOX.Gesendet": [LETTER]})
    return Desk(dovecot_pair, tmp_path)


def test_imap_leads_to_everything_and_pop3_is_asked_about(desk: Desk) -> None:
    before = read_all(desk.pair.old.imap_port, desk.account)
    ran = desk.check(desk.imap, "--json")
    assert ran.code == 0, ran
    advice = ran.json["advice"]
    assert (advice["track"], [note["code"] for note in advice["notes"]]) == ("archive_and_play_in", ["ask_about_pop3"])
    assert (advice["imap"]["messages"], advice["pop3"]["messages"]) == (4, 3)
    assert read_all(desk.pair.old.imap_port, desk.account) == before


def test_given_pop3_the_better_door_is_found_and_pop3_is_what_was_checked(desk: Desk) -> None:
    ran = desk.check(desk.pop3, "--json", "--fetches-by-pop3", "yes")
    assert (ran.code, ran.json["source"]["messages"]) == (0, 3), ran
    advice = ran.json["advice"]
    assert (advice["track"], advice["imap"]["ok"]) == ("archive_and_play_in", True)
    codes = [note["code"] for note in advice["notes"]]
    assert codes == ["do_not_mix", "sent_mail_in_program", "may_download_again"]


def test_people_read_it_in_plain_words(desk: Desk) -> None:
    ran = desk.check(desk.imap, "--fetches-by-pop3", "yes")
    assert ran.code == 0, ran
    words = " ".join(ran.out.split())
    assert "Advice: Archive everything by IMAP before the domain moves" in words
    assert "Advice: A program that fetches by POP3 may download again" in words


def test_a_wrong_password_opens_neither_door(desk: Desk) -> None:
    wrong = Account(desk.account.user, "wrong")
    ran = desk.check(desk.imap, "--json", account=wrong)
    assert (ran.code, ran.json["advice"]["track"]) == (4, "unknown"), ran
    assert {ran.json["advice"][name]["error"]["code"] for name in ("imap", "pop3")} == {"login_refused"}
    assert (ran.json["advice"]["notes"], ran.json["error"]["code"]) == ([], "login_refused")


def test_an_empty_mailbox_needs_new_credentials_only(desk: Desk, dovecot_pair: DovecotPair) -> None:
    with_nothing = Account(dovecot_pair.new_account.user.replace("u", "empty", 1), "geheim-4711")
    dovecot_pair.old.add_user(with_nothing.user, with_nothing.password)
    ran = desk.check(url(dovecot_pair.old, with_nothing), "--json", account=with_nothing)
    assert (ran.code, ran.json["advice"]["track"]) == (0, "new_credentials"), ran
    assert [note["code"] for note in ran.json["advice"]["notes"]] == ["nothing_to_move", "ask_about_pop3"]
