"""What will not fit at the new server, and what to do about it, for staff. One entry per code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from migrator.planning.limits import Code, Finding, Severity
from web import formats
from web.babel import LazyString, gettext, ngettext
from web.babel import lazy_gettext as _

REMEDIES: Final[Mapping[Code, LazyString]] = {
    Code.QUOTA_TOO_SMALL: _("Raise the new mailbox’s quota to at least %(wanted)s first."),
    Code.QUOTA_TIGHT: _("Raise the quota to at least %(wanted)s, so that new mail still fits."),
    Code.SIZE_NOT_KNOWN: _("Look in the old provider’s webmail how much the mailbox holds."),
    Code.TOO_MANY_MESSAGES: _("Raise the number of messages that the new mailbox may hold first."),
    Code.MESSAGES_TOO_BIG: _(
        "Raise the size that the new server accepts. Otherwise they wait in quarantine until it does, each named in "
        "the report; an archive takes them along all the same."
    ),
    Code.LARGEST_NOT_KNOWN: _(
        "Test the old server once more, or begin: what is too large waits in quarantine and is named in the report."
    ),
    Code.TOO_MANY_FOLDERS: _(
        "Merge folders or leave some behind, below in the preview. What cannot be created stays behind and is named in "
        "the report."
    ),
    Code.FOLDERS_TOO_DEEP: _(
        "Choose other places in the preview, or begin: such folders are created with fewer levels, and the report "
        "names them."
    ),
    Code.COUNT_LOOKS_CAPPED: _(
        "Look in the old provider’s webmail whether there are more, and have its limit for IMAP lifted first."
    ),
}


def remedy(found: Finding) -> str:
    """What to do."""
    return str(REMEDIES[found.code]) % {"wanted": formats.size(found.wanted)}


def detail(found: Finding, folder: str = "") -> str:
    """What was found. `folder`: its name for the eye."""
    return _DETAILS[found.code](found, folder)


def _too_small(found: Finding, _folder: str) -> str:
    octets, free = formats.size(found.number), formats.size(found.limit)
    if found.severity is Severity.WILL_NOT_FIT:
        return gettext("The new mailbox is too small: %(size)s are to come, %(free)s are free.", size=octets, free=free)
    return gettext(
        "The new mailbox may be too small: up to %(size)s are to come, %(free)s are free.", size=octets, free=free
    )


def _tight(found: Finding, _folder: str) -> str:
    octets, free = formats.size(found.number), formats.size(found.limit)
    return gettext(
        "The new mailbox would be nearly full: %(size)s are to come, %(free)s are free.", size=octets, free=free
    )


def _size_not_known(found: Finding, _folder: str) -> str:
    free = formats.size(found.limit)
    return gettext(
        "In the new mailbox %(free)s are free, and the old server does not say how much is to come.", free=free
    )


def _messages(found: Finding, _folder: str) -> str:
    number, free = formats.number(found.number), formats.number(found.limit)
    return gettext(
        "%(count)s messages are to come, and the new mailbox takes only %(free)s more.", count=number, free=free
    )


def _too_big(found: Finding, _folder: str) -> str:
    number, limit = formats.number(found.number), formats.size(found.limit)
    if found.at_least:
        return ngettext(
            "At least %(count)s message is larger than the new server accepts: %(limit)s at most.",
            "At least %(count)s messages are larger than the new server accepts: %(limit)s at most.",
            found.number,
            count=number,
            limit=limit,
        )
    return ngettext(
        "%(count)s message is larger than the new server accepts: %(limit)s at most.",
        "%(count)s messages are larger than the new server accepts: %(limit)s at most.",
        found.number,
        count=number,
        limit=limit,
    )


def _largest_not_known(found: Finding, _folder: str) -> str:
    return ngettext(
        "The new server accepts messages of up to %(limit)s, and in %(count)s folder it is not known whether there are "
        "larger ones.",
        "The new server accepts messages of up to %(limit)s, and in %(count)s folders it is not known whether there "
        "are larger ones.",
        found.number,
        count=formats.number(found.number),
        limit=formats.size(found.limit),
    )


def _folders(found: Finding, _folder: str) -> str:
    number, limit = formats.number(found.number), formats.number(found.limit)
    if not found.provider:
        return gettext(
            "There would be %(count)s folders, and the new server allows %(limit)s.", count=number, limit=limit
        )
    return gettext(
        "There would be %(count)s folders, and %(provider)s allows %(limit)s in its smallest tariff.",
        count=number,
        limit=limit,
        provider=found.provider,
    )


def _too_deep(found: Finding, _folder: str) -> str:
    return ngettext(
        "%(count)s folder would lie deeper than the %(limit)s levels that %(provider)s allows.",
        "%(count)s folders would lie deeper than the %(limit)s levels that %(provider)s allows.",
        found.number,
        count=formats.number(found.number),
        limit=found.limit,
        provider=found.provider,
    )


def _capped(found: Finding, folder: str) -> str:
    return gettext(
        "The old server shows exactly %(count)s messages in “%(folder)s”: perhaps it hides older ones.",
        count=formats.number(found.number),
        folder=folder,
    )


_DETAILS: Final[Mapping[Code, Callable[[Finding, str], str]]] = {
    Code.QUOTA_TOO_SMALL: _too_small,
    Code.QUOTA_TIGHT: _tight,
    Code.SIZE_NOT_KNOWN: _size_not_known,
    Code.TOO_MANY_MESSAGES: _messages,
    Code.MESSAGES_TOO_BIG: _too_big,
    Code.LARGEST_NOT_KNOWN: _largest_not_known,
    Code.TOO_MANY_FOLDERS: _folders,
    Code.FOLDERS_TOO_DEEP: _too_deep,
    Code.COUNT_LOOKS_CAPPED: _capped,
}
