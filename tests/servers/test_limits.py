"""`postwagen check` against real servers with a quota: what will not fit is told, and what is there already counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from migrator.demo.servers import DovecotServer
from migrator.jobs import advising
from tests.servers.command import Postwagen, url
from tests.servers.fixtures import Account, StartDovecot, fresh_account
from tests.servers.mailboxes import Mail, fill_all, read_all

pytestmark = pytest.mark.servers


class Desk:
    """A mailbox of 320 kB in two folders, and new servers to hold it against."""

    def __init__(self, old: DovecotServer, data: Path) -> None:
        self.old, self.data, self.account = old, data, fresh_account(old)
        mails = [Mail(f"Message-ID: <{number}@old.example>\r\n\r\n".encode() + b"x" * 8_000) for number in range(40)]
        fill_all(old.imap_port, self.account, {"INBOX": mails[:30], "INBOX.Kunden": mails[30:]})

    def command(self, account: Account) -> Postwagen:
        return Postwagen(self.data, self.account.password, account.password)

    def found(self, new: DovecotServer, account: Account) -> dict[str, Any]:
        """What `check` finds, by code."""
        ends = url(self.old, self.account), url(new, account)
        ran = self.command(account).call("check", *ends, "--json")
        assert ran.code == 0, ran
        return {one["code"]: one for one in ran.json["findings"]}


@pytest.fixture
def desk(old_dovecot: DovecotServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(advising, "siblings", lambda _end: iter(()))
    return Desk(old_dovecot, tmp_path / "data")


@pytest.mark.parametrize(
    ("quota", "code", "severity"),
    [("100K", "quota_too_small", "will_not_fit"), ("330K", "quota_tight", "look"), ("10M", None, None)],
)
def test_the_size_is_held_against_the_quota(
    desk: Desk, dovecot: StartDovecot, quota: str, code: str | None, severity: str | None
) -> None:
    new = dovecot(quota_storage=quota)
    before = read_all(desk.old.imap_port, desk.account)
    found = desk.found(new, fresh_account(new, desk.account.user))
    assert list(found) == ([code] if code else [])
    if code:
        assert found[code]["severity"] == severity
        assert 320_000 < found[code]["number"] < 330_000
    assert read_all(desk.old.imap_port, desk.account) == before


def test_what_an_earlier_copy_has_carried_does_not_come_again(desk: Desk, dovecot: StartDovecot) -> None:
    new = dovecot(quota_storage="500K")
    account = fresh_account(new, desk.account.user)
    assert desk.found(new, account) == {}
    assert desk.command(account).call("copy", url(desk.old, desk.account), url(new, account), "--quiet").code == 0
    assert desk.found(new, account) == {}
    more = [Mail(b"Subject: %d\r\n\r\n" % number + b"x" * 8_000) for number in range(20)]
    fill_all(desk.old.imap_port, desk.account, {"INBOX.Neu": more})
    found = desk.found(new, account)["quota_tight"]
    assert 160_000 < found["number"] < 170_000


def test_mail_that_others_have_brought_may_be_the_same(desk: Desk, dovecot: StartDovecot) -> None:
    new = dovecot(quota_storage="500K")
    account = fresh_account(new, desk.account.user)
    other = [Mail(b"Subject: %d\r\n\r\n" % number + b"x" * 8_000) for number in range(30)]
    fill_all(new.imap_port, account, {"Anderes": other})
    assert desk.found(new, account)["quota_too_small"]["severity"] == "look"


def test_dovecot_names_its_large_messages_and_they_stay_unread(desk: Desk, dovecot: StartDovecot) -> None:
    giant = Mail(b"Subject: Scan\r\n\r\n" + b"x" * 90_000)
    fill_all(desk.old.imap_port, desk.account, {"INBOX.Scans": [giant]})
    before = read_all(desk.old.imap_port, desk.account)
    new = dovecot(imap_capability="IMAP4rev1 NAMESPACE APPENDLIMIT=50000")
    account = fresh_account(new, desk.account.user)
    found = desk.found(new, account)["messages_too_big"]
    assert (found["number"], found["limit"], found["severity"]) == (1, 50_000, "will_not_fit")
    assert found["messages"][0]["folder"] == "INBOX.Scans"
    assert read_all(desk.old.imap_port, desk.account) == before
    copied = desk.command(account).call("copy", url(desk.old, desk.account), url(new, account), "--json")
    named = [(one["folder"], one["key"]) for one in copied.json["failures"]]
    assert named == [(one["folder"], one["key"]) for one in found["messages"]]


def test_people_read_what_will_not_fit_and_what_to_do(desk: Desk, dovecot: StartDovecot) -> None:
    new = dovecot(quota_storage="100K")
    account = fresh_account(new, desk.account.user)
    ran = desk.command(account).call("check", url(desk.old, desk.account), url(new, account))
    assert ran.code == 0, ran
    said = r"Will not fit: 32\d kB are to come, and only 10\d kB are free in the new mailbox\. Raise the new"
    assert re.search(said, " ".join(ran.out.split())), ran


def test_by_pop3_all_sizes_are_known(desk: Desk, dovecot: StartDovecot) -> None:
    fill_all(desk.old.imap_port, desk.account, {"INBOX": [Mail(b"Subject: Scan\r\n\r\n" + b"x" * 90_000)]})
    new = dovecot(imap_capability="IMAP4rev1 NAMESPACE APPENDLIMIT=50000")
    account = fresh_account(new, desk.account.user)
    user = desk.account.user.replace("@", "%40")
    source = f"pop3s://{user}@localhost:{desk.old.pop3s_port}?cafile={desk.old.cafile}"
    ran = desk.command(account).call("check", source, url(new, account), "--json")
    assert ran.code == 0, ran
    (found,) = ran.json["findings"]
    assert (found["code"], found["number"], found["messages"][0]["folder"]) == ("messages_too_big", 1, "INBOX")
