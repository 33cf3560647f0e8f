"""What POP3 servers say, in our errors. The only place that reads a POP3 server's texts. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from migrator.errors import LoginRefused, PostwagenError, ServerBusy
from migrator.providers.profile import login_hint

_BUSY = re.compile(
    r"\[(IN-USE|LOGIN-DELAY|SYS/TEMP)|already (in use|locked|logged)|lock(ed)?\b.*(mail|maildrop|session)"
    r"|(mail|maildrop|box).*\b(locked|in use|busy)|another (session|client|connection)|too (many|often|soon|frequent)"
    r"|try again later|temporar|server (is )?(busy|unavailable)|minimum.*interval",
    re.IGNORECASE,
)
_DELAY = re.compile(r"\[LOGIN-DELAY", re.IGNORECASE)
LOGIN_DELAY = timedelta(minutes=5)
"""A server that limits logins says no number in its answer (RFC 2449, 8.1.1)."""
EXCLUSIVE = timedelta(seconds=30)
"""Another program has the mailbox: usually not for long."""


def busy(text: str) -> ServerBusy | None:
    """The server asks for patience (RFC 2449, 8.1; RFC 3206): another client has the mailbox, or we came too soon."""
    if not _BUSY.search(text):
        return None
    later = LOGIN_DELAY if _DELAY.search(text) else EXCLUSIVE
    return ServerBusy(
        "The mailbox is in use by another program, or the server limits logins.",
        hint="POP3 lets in one program at a time: close the mail program that fetches there, or wait a moment.",
        detail=text,
        later=later,
    )


def login_error(text: str, host: str) -> PostwagenError:
    """Why a login failed; a locked mailbox is no wrong password."""
    return busy(text) or LoginRefused(
        f"{host} does not accept this user and password.", hint=login_hint(host), detail=text
    )
