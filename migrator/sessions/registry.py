"""Which protocol opens which end. A new protocol is one line here."""

from __future__ import annotations

from collections.abc import Callable

from migrator.errors import UsageError
from migrator.ports import Meter, Source, Target
from migrator.sessions.connect import AddressRule
from migrator.sessions.endpoint import Endpoint

WantsStop = Callable[[], bool]


def open_source(
    endpoint: Endpoint,
    wants_stop: WantsStop,
    may_reach: AddressRule | None,
    meter: Meter | None = None,
    losses: int = 0,
) -> Source:
    """An open, logged-in Source. Raises ConnectError, LoginRefused and their kin.

    `losses`: so many connections of this run to this server have broken before.
    """
    if endpoint.protocol == "imap":
        from migrator.sessions.imap.session import ImapSession
        from migrator.sessions.imap.source import ImapSource

        return ImapSource(ImapSession(endpoint, wants_stop=wants_stop, may_reach=may_reach, meter=meter, losses=losses))
    if endpoint.protocol == "pop3":
        from migrator.sessions.pop3.session import Pop3Session
        from migrator.sessions.pop3.source import Pop3Source

        return Pop3Source(Pop3Session(endpoint, wants_stop=wants_stop, may_reach=may_reach))
    raise UsageError(f"{endpoint.protocol} cannot be read from.", hint="Use imaps://, imap://, pop3s:// or pop3://.")


def open_target(
    endpoint: Endpoint,
    wants_stop: WantsStop,
    may_reach: AddressRule | None,
    meter: Meter | None = None,
    losses: int = 0,
) -> Target:
    """An open, logged-in Target."""
    if endpoint.protocol == "imap":
        from migrator.sessions.imap.session import ImapSession
        from migrator.sessions.imap.target import ImapTarget

        return ImapTarget(ImapSession(endpoint, wants_stop=wants_stop, may_reach=may_reach, meter=meter, losses=losses))
    raise UsageError(f"{endpoint.protocol} cannot be written to.", hint="The new server is imaps:// or imap://.")
