"""What customers are told: one sentence on where they stand, one on what it means, in words without technology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from migrator.jobs.states import JobKind, JobState
from migrator.jobs.views import StatusView
from web import formats
from web.babel import LazyString, lazy_gettext, ngettext
from web.babel import gettext as _
from web.texts.work import is_countless

S = JobState

_LOOKING: Final = lazy_gettext("We are looking after your mailbox")
_BEGINS: Final = "begins"
"""Beside the states: queued for the first time."""
_HEADLINES: Final[Mapping[JobKind, Mapping[str, LazyString]]] = {
    JobKind.COPY: {
        _BEGINS: lazy_gettext("Your mailbox moves in a moment"),
        S.QUEUED: lazy_gettext("Your mailbox continues to move soon"),
        S.RUNNING: lazy_gettext("Your mailbox is moving now"),
        S.PAUSED: lazy_gettext("The move is paused"),
        S.SUCCEEDED: lazy_gettext("Your mailbox has moved"),
        S.INCOMPLETE: lazy_gettext("Your mailbox has moved, except for a few messages"),
        S.CANCELLED: lazy_gettext("The move was ended"),
    },
    JobKind.VERIFY: {
        S.QUEUED: lazy_gettext("Your mailbox will be compared in a moment"),
        S.RUNNING: lazy_gettext("Your mailbox is being compared"),
        S.PAUSED: lazy_gettext("The comparison is paused"),
        S.SUCCEEDED: lazy_gettext("Your mailbox is complete"),
        S.INCOMPLETE: lazy_gettext("Your mailbox is complete except for a few messages"),
        S.CANCELLED: lazy_gettext("The comparison was ended"),
    },
    JobKind.ARCHIVE: {
        _BEGINS: lazy_gettext("Your e-mails will be saved in a moment"),
        S.QUEUED: lazy_gettext("Saving your e-mails continues soon"),
        S.RUNNING: lazy_gettext("Your e-mails are being saved"),
        S.PAUSED: lazy_gettext("Saving your e-mails is paused"),
        S.SUCCEEDED: lazy_gettext("Your e-mails are saved"),
        S.INCOMPLETE: lazy_gettext("Your e-mails are saved, except for a few messages"),
        S.CANCELLED: lazy_gettext("Saving your e-mails was ended"),
    },
    JobKind.PLAY_IN: {
        _BEGINS: lazy_gettext("Your e-mails come to the new server in a moment"),
        S.QUEUED: lazy_gettext("Your e-mails continue to come to the new server soon"),
        S.RUNNING: lazy_gettext("Your e-mails are coming to the new server"),
        S.PAUSED: lazy_gettext("The transfer to the new server is paused"),
        S.SUCCEEDED: lazy_gettext("Your e-mails are on the new server"),
        S.INCOMPLETE: lazy_gettext("Your e-mails are on the new server, except for a few messages"),
        S.CANCELLED: lazy_gettext("The transfer to the new server was ended"),
    },
    JobKind.CHECK: {
        S.QUEUED: lazy_gettext("Your archive will be checked in a moment"),
        S.RUNNING: lazy_gettext("Your archive is being checked"),
        S.PAUSED: lazy_gettext("Checking your archive is paused"),
        S.SUCCEEDED: lazy_gettext("Your archive is complete and undamaged"),
        S.INCOMPLETE: lazy_gettext("We are looking after your archive"),
        S.CANCELLED: lazy_gettext("Checking your archive was ended"),
    },
    JobKind.REMOVE: {
        S.QUEUED: lazy_gettext("Your mailbox at the old provider will be tidied in a moment"),
        S.RUNNING: lazy_gettext("Your mailbox at the old provider is being tidied"),
        S.PAUSED: lazy_gettext("Tidying your mailbox at the old provider is paused"),
        S.SUCCEEDED: lazy_gettext("Your mailbox at the old provider is tidied"),
        S.INCOMPLETE: lazy_gettext("Your mailbox at the old provider is almost tidied"),
        S.CANCELLED: lazy_gettext("Tidying your mailbox at the old provider was ended"),
    },
}
_ENDED: Final[Mapping[JobKind, LazyString]] = {
    JobKind.VERIFY: lazy_gettext(
        "Messages were only read. Nothing was changed, neither at your old provider nor on the new server."
    ),
    JobKind.ARCHIVE: lazy_gettext("What is saved stays saved. At your old provider nothing was changed."),
    JobKind.PLAY_IN: lazy_gettext(
        "What has come so far stays on the new server. All of your e-mails are still in our archive."
    ),
    JobKind.CHECK: lazy_gettext("Your archive was only read. Nothing in it was changed."),
    JobKind.REMOVE: lazy_gettext("What was not deleted stays at your old provider. All of it is in our archive."),
}
_WELL: Final[Mapping[JobKind, LazyString]] = {
    JobKind.CHECK: lazy_gettext(
        "We have read every single e-mail in your archive: all of them are there, as they were."
    ),
    JobKind.REMOVE: lazy_gettext(
        "As you have asked for, e-mails that we have collected were deleted there. Only those were deleted that had "
        "just been proven to lie whole in our archive."
    ),
}
_ILL: Final[Mapping[JobKind, LazyString]] = {
    JobKind.CHECK: lazy_gettext(
        "The check has found something that we have to look at. Please keep the contract with your old provider until "
        "you hear from us."
    ),
    JobKind.REMOVE: lazy_gettext(
        "It is not certain of some e-mails whether they are deleted there. Nothing is lost: all of them are in our "
        "archive."
    ),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What stands around the numbers. An empty word leaves its line out."""

    proof: LazyString | str
    found: LazyString | str
    carried: LazyString | str
    there: LazyString | str
    failed: LazyString | str
    fact: LazyString
    """What holds meanwhile, below the progress."""
    doing: LazyString | str
    done: LazyString | str
    """The step in the middle, while it is under way and afterwards; empty: no steps are shown."""
    prepared: LazyString
    last: LazyString
    when: LazyString
    """The last step, and what belongs to it."""
    note: LazyString | str = ""


_UNTOUCHED: Final = lazy_gettext(
    "Nothing is changed at your old provider. What arrives there meanwhile can still be fetched."
)
_PREPARED: Final = lazy_gettext("Everything is prepared")
_LAST: Final = lazy_gettext("You check that everything is there")
_ONLY_THEN: Final = lazy_gettext(
    "Please end the contract with your old provider only after that, and after your devices use the new server."
)
_COPY: Final = Words(
    proof=lazy_gettext("What was carried"),
    found=lazy_gettext("Found at your old provider"),
    carried=lazy_gettext("carried to the new server"),
    there=lazy_gettext("were there already"),
    failed=lazy_gettext("not carried yet"),
    fact=_UNTOUCHED,
    doing=lazy_gettext("Your messages are carried to the new server"),
    done=lazy_gettext("Your messages have been carried to the new server"),
    prepared=_PREPARED,
    last=_LAST,
    when=_ONLY_THEN,
)
_WORDS: Final[Mapping[JobKind, Words]] = {
    JobKind.VERIFY: Words(
        proof=lazy_gettext("What was compared"),
        found=_COPY.found,
        carried="",
        there=lazy_gettext("found again on the new server"),
        failed=lazy_gettext("missing or different"),
        fact=_UNTOUCHED,
        doing=lazy_gettext("Your messages are compared"),
        done=lazy_gettext("Your messages have been compared"),
        prepared=_PREPARED,
        last=_LAST,
        when=_ONLY_THEN,
    ),
    JobKind.ARCHIVE: Words(
        proof=lazy_gettext("What was saved"),
        found=_COPY.found,
        carried=lazy_gettext("saved now"),
        there=lazy_gettext("were saved already"),
        failed=lazy_gettext("not saved yet"),
        fact=lazy_gettext(
            "Saving changes nothing at your old provider, and you read and write as usual."
        ),
        doing=lazy_gettext("Your e-mails are saved in a sealed archive"),
        done=lazy_gettext("Your e-mails have been saved in a sealed archive"),
        prepared=_PREPARED,
        last=lazy_gettext("Your domain moves, then we carry your e-mails to the new server"),
        when=lazy_gettext(
            "Please keep the contract with your old provider until we have told you that everything is there."
        ),
    ),
    JobKind.PLAY_IN: Words(
        proof=_COPY.proof,
        found=lazy_gettext("Found in the archive"),
        carried=_COPY.carried,
        there=_COPY.there,
        failed=_COPY.failed,
        fact=lazy_gettext("All of your e-mails stay in our archive meanwhile. Nothing is deleted on the new server."),
        doing=lazy_gettext("Your e-mails come to the new server"),
        done=lazy_gettext("Your e-mails have come to the new server"),
        prepared=lazy_gettext("Your e-mails are saved"),
        last=_LAST,
        when=_ONLY_THEN,
        note=lazy_gettext(
            "If your mail program fetches by POP3, it may download e-mails once more that it has already. That is "
            "harmless: none of them is lost or changed."
        ),
    ),
    JobKind.CHECK: Words(
        proof="", found="", carried="", there="", failed="",
        fact=lazy_gettext("Your archive is only read. Nothing in it is changed."),
        doing="", done="", prepared=_PREPARED, last=_LAST, when=_ONLY_THEN,
    ),
    JobKind.REMOVE: Words(
        proof="", found="", carried="", there="", failed="",
        fact=lazy_gettext(
            "Only e-mails are deleted there that our archive has just proven to hold, because you asked for it."
        ),
        doing="", done="", prepared=_PREPARED, last=_LAST, when=_ONLY_THEN,
    ),
}  # fmt: skip


def words_of(view: StatusView) -> Words:
    """The words for this kind of job."""
    return _WORDS.get(view.kind, _COPY)


def headline(view: StatusView) -> str:
    """Where they stand, in one sentence."""
    said = _HEADLINES[view.kind]
    if view.state is S.QUEUED and view.started_at is None and _BEGINS in said:
        return str(said[_BEGINS])
    return str(said.get(view.state, _LOOKING))


def lead(view: StatusView) -> str:
    """What that means, and what happens next."""
    goes_on = _("You can close this page and work as usual. It continues by itself.")
    if view.state is S.SUCCEEDED:
        return _all_there(view)
    if view.state is S.INCOMPLETE:
        return _some_missing(view)
    if view.state is S.CANCELLED and view.kind in _ENDED:
        return str(_ENDED[view.kind])
    return {
        S.QUEUED: goes_on,
        S.RUNNING: goes_on,
        S.PAUSED: _("We have paused it and will resume it. You need not do anything."),
        S.CANCELLED: _(
            "What has been carried so far stays on the new server. At your old provider nothing was changed."
        ),
    }.get(view.state, _("It does not continue by itself at the moment. We are looking into it; your mail is safe."))


def _all_there(view: StatusView) -> str:
    count = view.counts.copied + view.counts.already_there
    shown = formats.number(count)
    if view.kind in _WELL:
        return str(_WELL[view.kind])
    if view.kind is JobKind.ARCHIVE:
        saved = ngettext(
            "%(count)s message lies in a sealed archive with us now.",
            "%(count)s messages lie in a sealed archive with us now.",
            count,
            count=shown,
        )
        return f"{saved} " + _(
            "Nothing was changed at your old provider, and you can work as usual. When your domain has moved, we carry "
            "them to the new server."
        )
    if view.kind is JobKind.VERIFY:
        return ngettext(
            "We have compared your old provider with the new server: the %(count)s message is there.",
            "We have compared your old provider with the new server: all %(count)s messages are there.",
            count,
            count=shown,
        )
    return ngettext(
        "%(count)s message is on the new server now.", "%(count)s messages are on the new server now.", count,
        count=shown,
    )  # fmt: skip


def _some_missing(view: StatusView) -> str:
    count, shown = view.counts.failed, formats.number(view.counts.failed)
    if view.kind in _ILL:
        return str(_ILL[view.kind])
    return {JobKind.VERIFY: _differ, JobKind.ARCHIVE: _unsaved, JobKind.PLAY_IN: _in_archive}.get(
        view.kind, _not_carried
    )(count, shown)


def _not_carried(count: int, shown: str) -> str:
    return ngettext(
        "We could not carry %(count)s message yet. It lies unchanged at your old provider, and we look after it.",
        "We could not carry %(count)s messages yet. They lie unchanged at your old provider, and we look after them.",
        count,
        count=shown,
    )


def _differ(count: int, shown: str) -> str:
    return ngettext(
        "%(count)s message is missing on the new server or differs. It lies unchanged at your old provider, and we "
        "look after it.",
        "%(count)s messages are missing on the new server or differ. They lie unchanged at your old provider, and "
        "we look after them.",
        count,
        count=shown,
    )


def _unsaved(count: int, shown: str) -> str:
    return ngettext(
        "We could not save %(count)s message yet. It lies unchanged at your old provider, and we look after it.",
        "We could not save %(count)s messages yet. They lie unchanged at your old provider, and we look after them.",
        count,
        count=shown,
    )


def _in_archive(count: int, shown: str) -> str:
    return ngettext(
        "We could not carry %(count)s message yet. It is safe in our archive, and we look after it.",
        "We could not carry %(count)s messages yet. They are safe in our archive, and we look after them.",
        count,
        count=shown,
    )


def soon(view: StatusView) -> str:
    """How long it takes, as far as that is known."""
    if view.state is S.RUNNING:
        if view.eta_seconds is not None:
            return _("%(about)s left", about=formats.about(view.eta_seconds))
        known = view.counts.found or is_countless(view)
        return _("We are working on it") if known else _("Your messages are being counted")
    if view.kind is JobKind.CHECK and view.state is S.INCOMPLETE:
        return _("The check has ended")
    if view.waiting_until:
        return _("continues at %(time)s", time=formats.clock(view.waiting_until))
    return {
        S.QUEUED: _("begins in a moment") if view.started_at is None else _("continues in a moment"),
        S.PAUSED: _("paused"),
        S.SUCCEEDED: _("All done"),
        S.INCOMPLETE: _("Almost all done"),
        S.CANCELLED: _("ended"),
    }.get(view.state, _("waits for us"))


def amount(view: StatusView) -> str:
    """7.360 von 11.482 Nachrichten, 4,0 von 6,3 GB"""
    done, found = formats.number(view.counts.done), formats.number(view.counts.found)
    messages = ngettext(
        "%(done)s of %(found)s message", "%(done)s of %(found)s messages", view.counts.found, done=done, found=found
    )
    if view.octets_found <= view.octets or view.kind is JobKind.VERIFY:
        return messages
    sizes: dict[str, Any] = {"octets": formats.size(view.octets), "of": formats.size(view.octets_found)}
    return _("%(messages)s, %(octets)s of %(of)s", messages=messages, **sizes)
