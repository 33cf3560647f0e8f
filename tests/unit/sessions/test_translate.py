"""Servers' texts in our errors: what hits one message, what the mailbox, what passes, and what a person must do."""

from __future__ import annotations

import pytest

from migrator.errors import FolderRefused, LoginRefused, Remedy, ServerBusy, ServerRefused, TargetFull
from migrator.sessions.imap.translate import append_error, busy, command_error, folder_error, login_error, not_connected
from migrator.sessions.imap.wire import Answer

FULL = (
    "[OVERQUOTA] Quota exceeded (mailbox for user is full)",
    "Quota exceeded",
    "Over quota",
    "[ALERT] You exceeded your mail quota.",
    "mailbox is full",
    "Mailbox size limit exceeded",
    "Maximum mailbox size exceeded",
    "Not enough disk quota",
    "Server Unavailable. 15",
    "[OVERQUOTA] message too big for the space left",
)
TOO_BIG = (
    "[TOOBIG] Message is too large",
    "Maximum size of appendable message has been exceeded",
    "Message too large",
    "Command Argument Error 11",
    "[LIMIT] message size exceeds limit",
    "Message exceeds maximum message size",
)
EMPTY = ("Can't save a zero byte message", "Empty message", "Can't save a zero-byte message.")
PASSING = (
    "[UNAVAILABLE] Temporary authentication failure.",
    "[UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=30)",
    "[ALERT] Too many simultaneous connections. (Failure)",
    "Request is throttled. Suggested Backoff Time: 5000 milliseconds",
    "[INUSE] Mailbox in use",
    "Server Unavailable.",
    "Try again later",
    "[LIMIT] LOGIN Rate limit hit.",
    "[LIMIT] Rate limit exceeded, please try again later",
    "Too many login attempts",
    "Account is temporarily locked",
)


@pytest.mark.parametrize("text", FULL)
def test_a_full_mailbox_hits_the_mailbox_and_needs_a_person(text: str) -> None:
    for found in (append_error(Answer("NO", text)), folder_error(Answer("NO", text), "A", making=True)):
        assert isinstance(found, TargetFull)
        assert found.remedy is Remedy.PERSON


@pytest.mark.parametrize("text", TOO_BIG)
def test_a_message_that_is_too_big_hits_nobody_else(text: str) -> None:
    assert append_error(Answer("NO", text)) == ("too_big", text)


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_message_hits_nobody_else(text: str) -> None:
    assert append_error(Answer("NO", text)) == ("empty", text)


@pytest.mark.parametrize(
    "text", ["Invalid message", "Message contains NUL characters", "[CANNOT] no", "[LIMIT] Line too long", ""]
)
def test_any_other_refusal_hits_this_message(text: str) -> None:
    assert append_error(Answer("NO", text)) == ("refused", text)


@pytest.mark.parametrize("text", PASSING)
def test_what_passes_is_no_wrong_password_and_no_refused_message(text: str) -> None:
    answer = Answer("NO", text)
    for found in (login_error(text, "h"), command_error(answer, "x"), append_error(answer)):
        assert isinstance(found, ServerBusy)
        assert found.remedy is Remedy.LATER


@pytest.mark.parametrize(
    "text",
    ["[AUTHENTICATIONFAILED] Authentication failed.", "LOGIN failed", "Invalid credentials (Failure)", "LOGINDISABLED"],
)
def test_a_wrong_password_needs_a_person(text: str) -> None:
    found = login_error(text, "h")
    assert isinstance(found, LoginRefused)
    assert found.detail == text


def test_the_wait_that_a_server_asks_for_is_kept_within_reason() -> None:
    found = busy("Request is throttled. Suggested Backoff Time: 92415 milliseconds")
    assert found is not None
    assert found.later is not None
    assert found.later.total_seconds() == 92.415
    long = busy("Backoff Time: 999999999 milliseconds")
    assert long is not None
    assert long.later is not None
    assert long.later.total_seconds() == 1800


def test_an_account_without_a_mailbox_is_no_protocol_error() -> None:
    found = not_connected("User is authenticated but not connected.", "h")
    assert isinstance(found, LoginRefused)
    assert not_connected("NOOP completed", "h") is None


def test_a_folder_that_cannot_be_opened_hits_only_itself() -> None:
    assert isinstance(folder_error(Answer("NO", "[NONEXISTENT] no"), "A"), FolderRefused)
    assert isinstance(command_error(Answer("BAD", "what"), "x"), ServerRefused)
