"""Words for archives: states with their meaning, what each state means, formats to fetch, where mail is played in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.jobs.keeping.views import ArchiveLine, ArchiveState
from web import formats
from web.babel import LazyString, gettext, lazy_pgettext
from web.babel import lazy_gettext as _
from web.texts.jobs import StateText

A = ArchiveState

STATES: Final[Mapping[ArchiveState, StateText]] = {
    A.EMPTY: StateText("idle", "idle", lazy_pgettext("archive", "Empty")),
    A.KEPT: StateText("done", "box", lazy_pgettext("archive", "Kept")),
    A.CLOSED: StateText("idle", "lock", lazy_pgettext("archive", "Closed")),
    A.DESTROYED: StateText("idle", "slash", lazy_pgettext("archive", "Destroyed")),
}

KINDS: Final[Mapping[str, LazyString]] = {
    "mbox": _("mbox: one file per folder, for Thunderbird and Apple Mail"),
    "eml": _("eml: one file per message, for Outlook and for single messages"),
    "maildir": _("Maildir: for mail servers"),
}
"""What an archive is fetched as."""


def meaning(archive: ArchiveLine) -> str:
    """What the state means for the mail, in a sentence."""
    if archive.state is A.EMPTY:
        return gettext("No pass into it is complete yet: there is nothing to play in so far.")
    if archive.state is A.KEPT:
        return gettext("It is kept until its transfer is closed.")
    if archive.state is A.CLOSED and archive.expires_at is not None:
        day = formats.day(archive.expires_at)
        return gettext("The transfer is closed. On %(date)s the archive is destroyed by itself.", date=day)
    return gettext("Its key is destroyed: nobody can read it any more.")


def check_text(archive: ArchiveLine) -> StateText:
    """What the last check said."""
    if archive.healthy is None:
        return StateText("idle", "idle", lazy_pgettext("check", "never checked"))
    if archive.healthy:
        return StateText("done", "shield", lazy_pgettext("check", "undamaged"))
    return StateText("failed", "failed", lazy_pgettext("check", "damaged"))


def account_words(account: str) -> tuple[str, str, str]:
    """Who, at which server, by which protocol: the parts of an old end's identity."""
    protocol, _sep, rest = account.partition("://")
    who, _at, place = rest.rpartition("@")
    return who or rest, place, protocol.upper()
