"""Endpoint URLs: what they mean, and one helpful sentence for everything that is wrong with one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import UsageError
from migrator.sessions.endpoint import Endpoint, fingerprint_digits, parse_url

DIGITS = "ab" * 32


def parsed(url: str) -> Endpoint:
    return parse_url(url, lambda: "secret")


@pytest.mark.parametrize(
    "url,expected",
    [
        ("imaps://a@h", ("imap", "h", 993, "tls", "a")),
        ("imap://a@h", ("imap", "h", 143, "starttls", "a")),
        ("pop3s://a@h", ("pop3", "h", 995, "tls", "a")),
        ("pop3://a@h", ("pop3", "h", 110, "starttls", "a")),
        (
            "imaps://info%40example.org@mail.old.example:1993",
            ("imap", "mail.old.example", 1993, "tls", "info@example.org"),
        ),
        ("imaps://a@h/", ("imap", "h", 993, "tls", "a")),
        ("imap://a@h?security=none", ("imap", "h", 143, "none", "a")),
        ("imaps://a@[::1]:10993", ("imap", "::1", 10993, "tls", "a")),
        ("IMAPS://a@H", ("imap", "h", 993, "tls", "a")),
        ("imaps://gr%C3%B6%C3%9Fe@h", ("imap", "h", 993, "tls", "größe")),
    ],
)
def test_an_endpoint_url_says_where_and_how(url: str, expected: tuple[str, str, int, str, str]) -> None:
    found = parsed(url)
    assert (found.protocol, found.host, found.port, found.security, found.user) == expected


def test_the_query_says_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("PEM", encoding="ascii")
    found = parsed(f"imaps://a@h?cafile={file}&fingerprint=sha256:{DIGITS}&address=192.0.2.7&auth=PLAIN&authzid=b%40c")
    assert (found.ca_pem, found.fingerprint, found.address, found.auth, found.authzid) == (
        "PEM", DIGITS, "192.0.2.7", "plain", "b@c",
    )  # fmt: skip


def test_master_is_another_word_for_authzid() -> None:
    assert parsed("imaps://a@h?master=b").authzid == "b"


@pytest.mark.parametrize(
    "url,sentence,hint",
    [
        ("http://a@h", "http://a@h is no endpoint.", "imaps://user%40example.org@mail.example.org"),
        ("a@h", "a@h is no endpoint.", "imaps://"),
        ("", " is no endpoint.", "imaps://"),
        ("imaps://[::1", "imaps://[::1 is no endpoint.", "imaps://"),
        ("imaps://a:geheim@h", "A password must not stand in a URL", "POSTWAGEN_SOURCE_PASSWORD"),
        ("imaps://a:@h", "A password must not stand in a URL", "--source-password-file"),
        ("imaps://h", "imaps://h lacks the user.", "user@host"),
        ("imaps://a@", "imaps://a@ lacks the host.", "user@host"),
        ("imaps://a@h/INBOX", "An endpoint names an account, not a folder.", "--include"),
        ("imaps://a@h#x", "An endpoint names an account, not a folder.", "--include"),
        ("imaps://a@h?security=ssl", "security=ssl is unknown.", "tls, starttls or none"),
        ("imaps://a@h?cipher=x", "cipher= is unknown in an endpoint.", "fingerprint"),
        ("imaps://a@h:0", "The port must be a number from 1 to 65535.", ""),
        ("imaps://a@h:99999", "The port must be a number from 1 to 65535.", ""),
        ("imaps://a@h:imap", "The port must be a number from 1 to 65535.", ""),
        ("imaps://a@h?auth=xoauth2", "auth=xoauth2 is not supported.", "login or plain"),
        ("imaps://a@h?address=mail", "address=mail is no IP address.", ""),
        ("imaps://a@h?cafile=/nowhere/ca.pem", "The file of cafile= cannot be read", ""),
        ("imaps://a@h?fingerprint=sha1:ab", "The fingerprint must be sha256: and 64 hexadecimal digits.", "openssl"),
    ],
)
def test_everything_wrong_has_its_sentence_and_says_what_helps(url: str, sentence: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(url)
    assert sentence in caught.value.message
    assert hint in caught.value.advice
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url", ["imaps://a:geheim@h", "http://a:geheim@h", "imaps://a:ge@heim@h/x", "x://a:geheim@h?b=1"]
)
def test_a_password_in_a_url_is_never_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(url)
    assert "heim" not in str(caught.value.as_dict())


def test_a_password_stands_in_no_representation() -> None:
    assert "secret" not in repr(parsed("imaps://a@h"))


@pytest.mark.parametrize(
    "text",
    [
        f"sha256:{DIGITS}",
        DIGITS,
        DIGITS.upper(),
        ":".join(["AB"] * 32),
        "SHA256:" + ":".join(["ab"] * 32),
        f" {DIGITS} ",
    ],
)
def test_a_fingerprint_may_be_written_as_tools_write_it(text: str) -> None:
    assert fingerprint_digits(text) == DIGITS


def test_the_identity_names_the_account_and_not_how_it_is_reached() -> None:
    one = parsed("imaps://a@Mail.Example?address=192.0.2.1&security=starttls")
    other = parsed(f"imaps://a@mail.example?fingerprint={DIGITS}")
    assert one.identity == other.identity == "imap://a@mail.example:993"
    assert parsed("imaps://a@mail.example?master=b").identity != other.identity


@given(st.text(max_size=40) | st.text("imaps:/@?=&%[]#.19 \x00é", max_size=40).map(lambda rest: "imaps://" + rest))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(UsageError):
        parsed(text)
