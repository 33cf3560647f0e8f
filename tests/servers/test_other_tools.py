"""Where another tool has begun, nothing is doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import rivals
from tests.servers.command import Postwagen, url
from tests.servers.fixtures import DovecotPair, fresh_account
from tests.servers.mailboxes import Mail, fill_all, read_all
from tests.unruly.conftest import letter

pytestmark = pytest.mark.servers


@pytest.mark.usefixtures("mbsync")
def test_what_mbsync_has_carried_is_adopted_and_only_what_is_new_is_carried(
    dovecot_pair: DovecotPair, tmp_path: Path
) -> None:
    new, account = dovecot_pair.new, fresh_account(dovecot_pair.new)
    mails = [Mail(letter(number), ("\\Seen",), "05-Mar-2001 01:02:03 +0000") for number in range(40)]
    fill_all(new.imap_port, account, {"INBOX": mails[:30], "Kunden": mails[30:]})
    target = dovecot_pair.new_account
    ends = [rivals.End(new, one, new.imaps_port or 0) for one in (account, target)]
    rivals.mbsync(*ends, tmp_path)
    fill_all(new.imap_port, account, {"INBOX": [Mail(letter(100))]})
    postwagen = Postwagen(tmp_path / "data", account.password, target.password)
    ran = postwagen.call("copy", url(new, account), url(new, target), "--json")
    assert ran.code == 0, ran
    assert ran.json["messages"] == {**ran.json["messages"], "copied": 1, "already_there": 40}
    assert sum(map(len, read_all(new.imap_port, target).values())) == 41
