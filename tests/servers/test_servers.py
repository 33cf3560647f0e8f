"""Do the launchers give what they promise? The mail is carried by `imaplib`: this is no test of ours on ours."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from migrator.demo.premises import free_ports
from migrator.demo.servers import (
    DovecotServer,
    LocalServer,
    ServerUnavailableError,
    make_certificate,
    start_dovecot,
    start_pymap,
)
from tests.servers.clients import logged_in
from tests.servers.fixtures import Account, DovecotPair, StartDovecot, fresh_account
from tests.servers.proxy import Direction, FaultProxy
from tests.servers.running import start_postgres, start_redis

pytestmark = pytest.mark.servers

MAIL = b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nFrom: a@old.example\r\n\r\n\xff raw\r\n.\r\nA1 LOGOUT\r\nno line end"


@contextlib.contextmanager
def _over_tls(server: LocalServer, account: Account) -> Iterator[imaplib.IMAP4]:
    trust = ssl.create_default_context(cafile=server.cafile)
    with imaplib.IMAP4_SSL("localhost", server.imaps_port or 0, ssl_context=trust, timeout=10) as client:
        client.login(account.user, account.password)
        yield client


@contextlib.contextmanager
def _in_clear(account: Account, port: int) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4("127.0.0.1", port, timeout=10) as client:
        client.login(account.user, account.password)
        yield client


def _append(client: imaplib.IMAP4, folder: str, mail: bytes = MAIL) -> str:
    status, answer = client.append(folder, "(\\Seen Projekt_A)", '"31-Dec-1999 23:59:00 +0545"', mail)
    return f"{status} {answer[0]!r}"


def _count(account: Account, port: int) -> int:
    with _in_clear(account, port) as client:
        return int((client.select("INBOX", readonly=True)[1][0] or b"").decode())


def _fetched(client: imaplib.IMAP4, folder: str) -> tuple[str, bytes]:
    client.select(folder, readonly=True)
    answer = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1][0]
    assert isinstance(answer, tuple)
    return answer[0].decode(), answer[1]


def _folders(client: imaplib.IMAP4) -> list[str]:
    return [line.decode() for line in client.list()[1] if isinstance(line, bytes)]


# ------------------------------------------------------------------ Dovecot


def test_dovecot_keeps_a_mail_to_the_octet_over_tls(new_dovecot: DovecotServer) -> None:
    with _over_tls(new_dovecot, fresh_account(new_dovecot)) as client:
        assert "APPENDUID" in _append(client, "Sent")
        head, body = _fetched(client, "Sent")
        assert body == MAIL
        assert "Projekt_A" in head
        assert '"31-Dec-1999 18:14:00 +0000"' in head


def test_dovecot_speaks_starttls_and_refuses_a_wrong_password(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    with imaplib.IMAP4("localhost", new_dovecot.imap_port, timeout=10) as client:
        client.starttls(ssl.create_default_context(cafile=new_dovecot.cafile))
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(account.user, "wrong")
        client.login(account.user, account.password)


def test_the_certificates_fingerprint_is_that_of_the_server(new_dovecot: DovecotServer) -> None:
    trust = ssl.create_default_context(cafile=new_dovecot.cafile)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    address = ("127.0.0.1", new_dovecot.imaps_port or 0)
    with (
        socket.create_connection(address, 5) as raw,
        trust.wrap_socket(raw, server_hostname="mail.new.example") as safe,
    ):
        shown = ssl.DER_cert_to_PEM_cert(safe.getpeercert(binary_form=True) or b"")
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-fingerprint", "-sha256"],
        input=shown,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sha256:" + said.stdout.split("=")[1].strip().replace(":", "").lower() == new_dovecot.fingerprint


def test_an_expired_certificate_is_seen_as_expired(dovecot: StartDovecot, tmp_path: Path) -> None:
    server = dovecot(certificate=make_certificate(tmp_path, ["localhost"], expired=True))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"), _over_tls(server, fresh_account(server)):
        pass


def test_a_hosters_server_shows_its_special_folders(new_dovecot: DovecotServer) -> None:
    with _over_tls(new_dovecot, fresh_account(new_dovecot)) as client:
        shown = {line.rsplit(" ", 1)[1]: line for line in _folders(client)}
    assert set(shown) == {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
    assert all(f"\\{role}" in shown[role] for role in ("Archive", "Drafts", "Junk", "Sent", "Trash"))


def test_an_old_provider_has_everything_below_inbox(old_dovecot: DovecotServer) -> None:
    account = fresh_account(old_dovecot)
    with _over_tls(old_dovecot, account) as client:
        assert client.namespace()[1] == [b'(("INBOX." ".")) NIL NIL']
        names = [line.split(' "." ')[1] for line in _folders(client)]
        assert names[0] == "INBOX"
        assert all(name.startswith("INBOX.") for name in names[1:])
        assert "INBOX.Entw&APw-rfe" in names
        assert client.create("Test")[0] == "NO"
        assert client.create("INBOX.Kunden.Meier")[0] == "OK"
        _append(client, "INBOX")
    mailbox = poplib.POP3("127.0.0.1", old_dovecot.pop3_port or 0, timeout=10)
    mailbox.stls(ssl.create_default_context(cafile=old_dovecot.cafile))
    mailbox.user(account.user)
    mailbox.pass_(account.password)
    assert mailbox.stat()[0] == 1
    mailbox.quit()


def test_accounts_are_apart_and_may_be_added_at_any_time(dovecot_pair: DovecotPair) -> None:
    with _over_tls(dovecot_pair.old, dovecot_pair.old_account) as client:
        _append(client, "INBOX")
    for server in (dovecot_pair.old, dovecot_pair.new):
        for _ in range(3):
            with _over_tls(server, fresh_account(server)) as client:
                assert client.select("INBOX", readonly=True)[1] == [b"0"]


def test_a_full_mailbox_refuses_with_overquota(dovecot: StartDovecot) -> None:
    server = dovecot(quota_storage="10K")
    with _over_tls(server, fresh_account(server)) as client:
        assert _append(client, "INBOX").startswith("OK")
        assert re.match(r"NO b'\[OVERQUOTA\]", _append(client, "INBOX", MAIL + b"\r\n" + b"x" * 20_000))
        assert _append(client, "INBOX").startswith("OK")


def test_capabilities_can_be_taken_away(dovecot: StartDovecot) -> None:
    server = dovecot(imap_capability="IMAP4rev1 NAMESPACE", tls=False)
    assert server.imaps_port is None
    assert server.cafile is None
    with _in_clear(fresh_account(server), server.imap_port) as client:
        assert set(client.capability()[1][0].split()) == {b"IMAP4rev1", b"NAMESPACE"}


def test_connections_per_user_are_limited(dovecot: StartDovecot) -> None:
    server = dovecot(max_connections=1)
    account = fresh_account(server)
    with _over_tls(server, account), socket.create_connection(("127.0.0.1", server.imap_port), 10) as second:
        second.sendall(b"a1 LOGIN %b %b\r\n" % (account.user.encode(), account.password.encode()))
        said = b"".join(iter(lambda: second.recv(4096), b""))
    assert re.search(rb"a1 NO \[(LIMIT|UNAVAILABLE)\] Maximum number of connections", said)


@pytest.mark.parametrize("mail_format", ["maildir-fs", "mbox", "sdbox", "mdbox"])
def test_other_mail_formats_take_dots_in_names(dovecot: StartDovecot, mail_format: str) -> None:
    server = dovecot(mail_format=mail_format, special_use=False)
    with _over_tls(server, fresh_account(server)) as client:
        assert client.create("a.b")[0] == "OK"
        assert _append(client, "a.b").startswith("OK")
        assert len(_folders(client)) == 2


def test_a_very_long_directory_is_no_hindrance(tmp_path: Path) -> None:
    with start_dovecot(tmp_path / ("x" * 120), {"alice": "secret"}) as server:
        assert not server.premises.home.is_relative_to(tmp_path)
        with _over_tls(server, Account("alice", "secret")) as client:
            assert _append(client, "INBOX").startswith("OK")
    assert not server.premises.home.exists()
    assert "alice" in server.log()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailableError, match="nonsense"):
        start_dovecot(tmp_path, {}, extra="nonsense = 1\n")


def test_failed_logins_do_not_slow_down_later_ones(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    for _ in range(3):
        with (
            pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
            _over_tls(new_dovecot, Account(account.user, "wrong")),
        ):
            pass
    began = time.monotonic()
    with _over_tls(new_dovecot, account):
        assert time.monotonic() - began < 1.5


# ------------------------------------------------------------------ a hostile network before it


def test_a_zombie_append_reaches_a_real_server_late(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    with FaultProxy("127.0.0.1", new_dovecot.imap_port) as proxy:
        proxy.zombie(1.0, at=b"APPEND")
        with logged_in(proxy.port, account) as client:
            batch = b" ".join(b"{%d+}\r\n%b" % (len(MAIL), MAIL) for _ in range(50))
            client.sendall(b"a2 APPEND INBOX " + batch + b"\r\n")
            assert client.recv(1) == b""
        assert _count(account, new_dovecot.imap_port) == 0
        proxy.wait_for("delivered")
    assert _count(account, new_dovecot.imap_port) == 50


def test_a_zombie_needs_no_clear_text(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    trust = ssl.create_default_context(cafile=new_dovecot.cafile)
    with (
        FaultProxy("127.0.0.1", new_dovecot.imaps_port or 0) as proxy,
        logged_in(proxy.port, account, trust) as client,
    ):
        proxy.freeze(Direction.UP)
        client.sendall(command := b"a2 APPEND INBOX {%d+}\r\n%b\r\n" % (len(MAIL), MAIL))
        proxy.wait_held(Direction.UP, len(command))
        proxy.zombie(1.0)
        proxy.wait_for("zombie")
        assert _count(account, new_dovecot.imap_port) == 0
        proxy.wait_for("delivered")
        assert _count(account, new_dovecot.imap_port) == 1


def test_an_append_without_its_last_line_end_stores_nothing(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    with FaultProxy("127.0.0.1", new_dovecot.imap_port) as proxy:
        with logged_in(proxy.port, account) as client:
            proxy.cut_after(Direction.UP, len(command := b"a2 APPEND INBOX {%d+}\r\n%b" % (len(MAIL), MAIL)))
            client.sendall(command + b"\r\n")
            assert client.recv(1) == b""
        proxy.wait_for("cut")
    assert _count(account, new_dovecot.imap_port) == 0


def test_an_append_whose_reply_is_swallowed_is_stored(new_dovecot: DovecotServer) -> None:
    account = fresh_account(new_dovecot)
    with FaultProxy("127.0.0.1", new_dovecot.imap_port, record=True) as proxy:
        proxy.swallow_reply(b"APPEND")
        with logged_in(proxy.port, account) as client:
            client.sendall(b"a2 APPEND INBOX {%d+}\r\n%b\r\n" % (len(MAIL), MAIL))
            assert client.recv(1) == b""
        proxy.wait_for("swallowed")
        assert [verb for verb, _ in proxy.commands()] == [b"LOGIN", b"APPEND"]
    assert _count(account, new_dovecot.imap_port) == 1


# ------------------------------------------------------------------ pymap


def test_pymap_starts_empty_and_keeps_what_it_is_given(pymap_server: LocalServer, pymap_account: Account) -> None:
    with _in_clear(pymap_account, pymap_server.imap_port) as client:
        assert _folders(client) == ['(\\HasNoChildren) "/" INBOX']
        for name in ("Kunden", "Kunden/M&APw-ller", "a.b"):
            assert client.create(name)[0] == "OK"
        assert "APPENDUID" in _append(client, "Kunden/M&APw-ller")
        head, body = _fetched(client, "Kunden/M&APw-ller")
        assert body == MAIL
        assert "Projekt_A" in head
        assert '"31-Dec-1999 23:59:00 +0545"' in head


def test_pymap_takes_any_password(tmp_path: Path) -> None:
    account = Account("bob@old.example", "$HOME ${x} @file #1 'quoted' \\n ü")
    with start_pymap(tmp_path, account.user, account.password) as server:
        with imaplib.IMAP4("127.0.0.1", server.imap_port, timeout=10) as client:
            plain = f"\0{account.user}\0{account.password}".encode()
            assert client.authenticate("PLAIN", lambda _challenge: plain)[0] == "OK"
        assert not [file for file in tmp_path.iterdir() if "HOME" in file.read_text()]


# ------------------------------------------------------------------ PostgreSQL, Redis, Chromium


def test_every_test_gets_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE t (x text)")
        connection.execute("INSERT INTO t VALUES ('ü')")
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)


def test_redis_is_empty_and_answers(redis_url: str) -> None:
    found = re.fullmatch(r"redis://127\.0\.0\.1:(\d+)/0", redis_url)
    assert found
    with socket.create_connection(("127.0.0.1", int(found[1])), 5) as client:
        client.sendall(b"DBSIZE\r\n")
        assert client.recv(100) == b":0\r\n"
        client.sendall(b"SET a b\r\n")
        assert client.recv(100) == b"+OK\r\n"


def test_chromium_runs(chromium_path: str) -> None:
    assert subprocess.run([chromium_path, "--version"], capture_output=True, timeout=30).returncode == 0


# ------------------------------------------------------------------ side by side


def test_two_servers_of_each_kind_live_side_by_side(tmp_path: Path) -> None:
    with (
        start_postgres(tmp_path / "a") as one,
        start_postgres(tmp_path / "b") as two,
        start_redis(tmp_path / "a") as three,
        start_redis(tmp_path / "b") as four,
    ):
        assert len({one.port, two.port, three.port, four.port}) == 4


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(50))) == 50
